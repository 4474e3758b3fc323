"""A flame graph as SVG: rectangles with titles, without scripts, readable in any browser and in a ticket; and as DOT in
which everything has its place, for what only the layout engine writes: PNG and PDF."""

from __future__ import annotations

from xml.sax.saxutils import escape

from traceviz.documents import FlameDocument
from traceviz.render.dot_words import FONT, attributes, quoted
from traceviz.render.flame_picture import WIDTH, flame_picture
from traceviz.render.flame_sheet import Rectangle, Sheet, Words, sheet
from traceviz.render.svg import FONTS

#: Pixels ▸ points, in which engines place and write, and inches, in which they size.
_POINTS, _INCHES = 0.75, 1 / 96


def flame_svg(document: FlameDocument, by: str = "critical", colouring: str = "service", theme: str = "light") -> str:
    """The flame graph of a document `by` critical, self or errors, coloured by service or by share, as SVG.

    Raises UsageError for what there is not.
    """
    drawn = sheet(flame_picture(document, by, colouring, theme))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{drawn.height:g}" '
            f'viewBox="0 0 {WIDTH:g} {drawn.height:g}" font-family="{FONTS}" role="img" aria-labelledby="title">',
            f'<title id="title">{escape(drawn.title)}</title>',
            f'<rect width="100%" height="100%" fill="{drawn.colours.background}"/>',
            *map(_svg_rectangle, drawn.rectangles),
            *map(_svg_words, drawn.words),
            "</svg>",
            "",
        ]
    )


def _svg_rectangle(box: Rectangle) -> str:
    """A group, so that its title is its tooltip, whatever of it somebody points at."""
    title = f"<title>{escape(box.tooltip)}</title>" if box.tooltip else ""
    inner = 0.5 if box.dashed else 0.0
    dashes = ' stroke-dasharray="4 3"' if box.dashed else ""
    shape = (
        f'<rect x="{box.left + inner:.2f}" y="{box.top + inner:g}" width="{max(box.width - 2 * inner, 0.1):.2f}" '
        f'height="{box.height - 2 * inner:g}" rx="2" fill="{box.fill}" stroke="{box.border}"{dashes}/>'
    )
    return f"<g>{title}{shape}{'' if box.words is None else _svg_words(box.words)}</g>"


def _svg_words(words: Words) -> str:
    """The text in a view of its own, which cuts what is too long for its room."""
    weight = ' font-weight="bold"' if words.bold else ""
    return (
        f'<svg x="{words.left:.2f}" y="{words.base - words.size:g}" width="{words.room:.2f}" '
        f'height="{1.5 * words.size:g}"><text y="{words.size:g}" font-size="{words.size:g}" fill="{words.colour}"'
        f'{weight} xml:space="preserve">{escape(words.text)}</text></svg>'
    )


def flame_dot(document: FlameDocument, by: str = "critical", colouring: str = "service", theme: str = "light") -> str:
    """The same as DOT for `layout.draw`, which places nothing by itself then."""
    drawn = sheet(flame_picture(document, by, colouring, theme))
    graph = {"layout": "nop2", "bgcolor": drawn.colours.background, "pad": 0, "bb": _bounds(drawn)}
    node = {"shape": "box", "fixedsize": "true", "margin": 0, "fontname": FONT}
    lines = ["digraph traceviz {", f"  graph {attributes(graph)}", f"  node {attributes(node)}"]
    # The sheet itself: a drawing is as large as what is on it.
    lines.append(f"  S {attributes({**_place(drawn, 0, 0, WIDTH, drawn.height), 'style': 'invis', 'label': ''})}")
    for number, box in enumerate(drawn.rectangles, 1):
        place = _place(drawn, box.left, box.top, box.width, box.height)
        style = "filled,dashed" if box.dashed else "filled"
        look = {"fillcolor": box.fill, "color": box.border, "style": style, "label": ""}
        lines.append(f"  B{number} {attributes({**place, **look})}")
    texts = [*drawn.words, *(box.words for box in drawn.rectangles if box.words is not None)]
    for number, words in enumerate(texts, 1):
        place = _place(drawn, words.left, words.base - words.size, words.room, 1.4 * words.size)
        font = {"fontsize": words.size * _POINTS, "fontcolor": words.colour, "shape": "plaintext"}
        # `\l` puts the line to the left of its room.
        label = quoted(words.text)[:-1] + '\\l"'
        lines.append(f"  W{number} {attributes({**place, **font})[:-1]}, label={label}]")
    return "\n".join([*lines, "}", ""])


def _bounds(drawn: Sheet) -> str:
    return f"0,0,{WIDTH * _POINTS:g},{drawn.height * _POINTS:g}"


def _place(drawn: Sheet, left: float, top: float, width: float, height: float) -> dict[str, object]:
    """Engines count from the bottom, and place the middle."""
    across, up = left + width / 2, drawn.height - top - height / 2
    return {
        "pos": f"{across * _POINTS:.2f},{up * _POINTS:.2f}",
        "width": round(width * _INCHES, 4),
        "height": round(height * _INCHES, 4),
    }
