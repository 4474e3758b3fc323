"""A flame graph as rectangles and words with their places on a sheet, in pixels from its top left."""

from __future__ import annotations

from dataclasses import dataclass

from traceviz.render.flame_picture import CELL, MARGIN, PADDING, WIDTH, FlamePicture
from traceviz.render.palette import PALETTES, Palette

ROW = 20.0
_HEAD = 58.0
_LINE = 18.0
_SWATCH = 12.0
_BASE = 14.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text that begins at `left` and stands on `base`; `room` is where it is cut."""

    left: float
    base: float
    room: float
    size: float
    colour: str
    text: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A box with its words, and what is said where somebody points at it."""

    left: float
    top: float
    width: float
    height: float
    fill: str
    border: str
    dashed: bool
    tooltip: str = ""
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is drawn."""

    title: str
    height: float
    colours: Palette
    rectangles: tuple[Rectangle, ...]
    words: tuple[Words, ...]


def sheet(shown: FlamePicture) -> Sheet:
    """The picture with a place for everything: heading, frames, legend, what was left out."""
    colours = PALETTES[shown.theme]
    rows = max((box.row for box in shown.boxes), default=0) + 1
    frames = [
        Rectangle(
            left=box.left,
            top=_HEAD + box.row * ROW,
            width=box.width,
            height=ROW - 1,
            fill=box.fill,
            border=box.border or colours.background,
            dashed=box.border is not None,
            tooltip=box.tooltip,
            words=Words(
                box.left + PADDING,
                _HEAD + box.row * ROW + _BASE,
                max(box.width - PADDING, 0.0),
                12,
                colours.ink,
                box.text,
            )
            if box.text
            else None,
        )
        for box in shown.boxes
    ]
    room = WIDTH - 2 * MARGIN
    heading = [
        Words(MARGIN, 26, room, 18, colours.ink, shown.title, bold=True),
        Words(MARGIN, 45, room, 12, colours.faint, shown.subtitle),
    ]
    if shown.message:
        heading.append(Words(MARGIN, _HEAD + _BASE, room, 14, colours.ink, shown.message))
    swatches, below = _legend(shown, _HEAD + rows * ROW + _BASE, colours)
    notes = [
        Words(MARGIN, below + _LINE * place + _SWATCH, room, 11, colours.faint, text)
        for place, text in enumerate(shown.left_out)
    ]
    height = below + _LINE * len(notes) + 8
    return Sheet(shown.title, height, colours, (*frames, *swatches), (*heading, *notes))


def _legend(shown: FlamePicture, top: float, colours: Palette) -> tuple[list[Rectangle], float]:
    """The entries behind one another, in as many lines as they need, and where they end."""
    made, left = [], MARGIN
    for swatch in shown.legend:
        room = CELL * len(swatch.text) + 14
        if left > MARGIN and left + _SWATCH + 6 + room > WIDTH - MARGIN:
            left, top = MARGIN, top + _LINE
        words = Words(left + _SWATCH + 6, top + 10, room, 12, colours.ink, swatch.text)
        border, dashed = swatch.border or colours.faint, swatch.border is not None
        made.append(Rectangle(left, top, _SWATCH, _SWATCH, swatch.fill, border, dashed, words=words))
        left += _SWATCH + 6 + room
    return made, top + (_LINE + 4 if made else 0)
