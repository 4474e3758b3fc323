"""A flame graph as SVG: rectangles with titles, without scripts, readable in any browser and in a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from traceviz.documents import FlameDocument
from traceviz.render.flame_picture import CELL, MARGIN, PADDING, WIDTH, Box, FlamePicture, Swatch, flame_picture
from traceviz.render.palette import PALETTES, Palette
from traceviz.render.svg import FONTS

ROW = 20.0
_HEAD = 58.0
_LINE = 18.0
_SWATCH = 12.0


def flame_svg(document: FlameDocument, by: str = "critical", colouring: str = "service", theme: str = "light") -> str:
    """The flame graph of a document `by` critical, self or errors, coloured by service or by share, as SVG.

    Raises UsageError for what there is not.
    """
    shown = flame_picture(document, by, colouring, theme)
    colours = PALETTES[shown.theme]
    rows = max((box.row for box in shown.boxes), default=0) + 1
    legend, below = _legend(shown.legend, _HEAD + rows * ROW + 14, colours)
    notes = [
        _words(MARGIN, below + _LINE * place + 12, 11, colours.faint, line) for place, line in enumerate(shown.left_out)
    ]
    height = below + _LINE * len(notes) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH:g} {height:g}" font-family="{FONTS}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(shown.title)}</title>',
        f'<rect width="100%" height="100%" fill="{colours.background}"/>',
        _words(MARGIN, 26, 18, colours.ink, shown.title, bold=True),
        _words(MARGIN, 45, 12, colours.faint, shown.subtitle),
        *([_words(MARGIN, _HEAD + 14, 14, colours.ink, shown.message)] if shown.message else []),
        *(_frame(box, shown, colours) for box in shown.boxes),
        *legend,
        *notes,
        "</svg>",
    ]
    return "\n".join([*parts, ""])


def _frame(box: Box, shown: FlamePicture, colours: Palette) -> str:
    """A group, so that the title is its tooltip; the text is in a view of its own that cuts what is too long."""
    top = _HEAD + box.row * ROW
    text = ""
    if box.text:
        text = (
            f'<svg x="{box.left:.2f}" y="{top:g}" width="{box.width:.2f}" height="{ROW:g}">'
            f"{_words(PADDING, 14, 12, colours.ink, box.text)}</svg>"
        )
    return (
        f"<g><title>{escape(box.tooltip)}</title>"
        f"{_rectangle(box.left, top, box.width, ROW - 1, box.fill, box.border, colours.background)}{text}</g>"
    )


def _rectangle(left: float, top: float, width: float, height: float, fill: str, border: str | None, gap: str) -> str:
    """Half a pixel on each side parts it from its neighbours."""
    dashes = ' stroke-dasharray="4 3"' if border else ""
    inner = 0.5 if border else 0.0
    return (
        f'<rect x="{left + inner:.2f}" y="{top + inner:g}" width="{max(width - 2 * inner, 0.1):.2f}" '
        f'height="{height - 2 * inner:g}" rx="2" fill="{fill}" stroke="{border or gap}" stroke-width="1"{dashes}/>'
    )


def _words(left: float, base: float, size: float, colour: str, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{left:.2f}" y="{base:g}" font-size="{size:g}" fill={quoteattr(colour)}{weight} '
        f'xml:space="preserve">{escape(text)}</text>'
    )


def _legend(swatches: Sequence[Swatch], top: float, colours: Palette) -> tuple[list[str], float]:
    """The entries behind one another, in as many lines as they need, and where they end."""
    parts, left = [], MARGIN
    for swatch in swatches:
        width = _SWATCH + 6 + CELL * len(swatch.text) + 14
        if left > MARGIN and left + width > WIDTH - MARGIN:
            left, top = MARGIN, top + _LINE
        parts.append(_rectangle(left, top, _SWATCH, _SWATCH, swatch.fill, swatch.border, colours.faint))
        parts.append(_words(left + _SWATCH + 6, top + 10, 12, colours.ink, swatch.text))
        left += width
    return parts, top + (_LINE + 4 if swatches else 0)
