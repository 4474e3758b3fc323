"""How text becomes DOT: the one place that escapes it, and the words, titles and legends of every drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from traceviz.render.legend import LegendEntry
from traceviz.render.palette import Palette

#: Layout engines know the widths of its letters, and every system has a font of the same widths.
FONT = "Arial"
NAME_SIZE = 13
TEXT_SIZE = 11
SMALL_SIZE = 10.5
TITLE_SIZE = 18
#: Columns of the legend by the number of its entries: as many as keep it flat without making it wide.
LEGEND_COLUMNS = 3


class Markup(str):
    """Text that is already HTML-like markup of Graphviz: written between angle brackets, never between quotes."""

    __slots__ = ()


def quoted(text: str) -> str:
    """Text as a DOT string that means exactly this text where Graphviz interprets escapes and entities once."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("&", "&amp;")
    return f'"{escaped}"'


def quoted_tooltip(text: str) -> str:
    """Text as a DOT string for a tooltip, where Graphviz interprets escapes twice."""
    return quoted(text.replace("\\", "\\\\"))


def cell_text(text: str) -> str:
    """Text for inside HTML-like markup, where escapes such as `\\N`, the name of the node, are interpreted too."""
    return escape(text, quote=True).replace("\\", "\\\\")


def attributes(values: Mapping[str, object]) -> str:
    """`[label="a", penwidth=2]`, without what is None."""
    return f"[{', '.join(f'{key}={_value(key, value)}' for key, value in values.items() if value is not None)}]"


def _value(key: str, value: object) -> str:
    if isinstance(value, Markup):
        return f"<{value}>"
    if not isinstance(value, str):
        return str(value)
    return quoted_tooltip(value) if key.endswith("tooltip") else quoted(value)


def line(text: str, size: float, colour: str, bold: bool = False) -> Markup:
    """A line of text in its size and colour."""
    words = cell_text(text)
    inside = f"<B>{words}</B>" if bold else words
    return Markup(f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{inside}</FONT>')


def table(lines: Sequence[Markup], align: str = "CENTER", padding: int = 1, border: str = 'BORDER="0"') -> Markup:
    """Lines below each other."""
    rows = "".join(f'<TR><TD ALIGN="{align}">{one}</TD></TR>' for one in lines)
    return Markup(f'<TABLE {border} CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{rows}</TABLE>')


def heading(title: str, subtitle: Sequence[str], verdict: Sequence[str], failed: bool, colours: Palette) -> Markup:
    """What stands above a drawing; the verdict in the colour of errors where something failed."""
    lines = [line(title, TITLE_SIZE, colours.ink, bold=True)]
    lines += [line(text, TEXT_SIZE, colours.faint) for text in subtitle]
    lines += [line(text, NAME_SIZE, colours.text["failing"] if failed else colours.ink) for text in verdict]
    words = table(lines, align="LEFT", padding=2)
    indent = '<TD WIDTH="6"></TD>'
    return Markup(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{indent}<TD>{words}</TD></TR></TABLE>')


def foot(legend: Sequence[LegendEntry], left_out: Sequence[str], colours: Palette) -> Markup:
    """Legend in columns, then what was left out."""
    rows = []
    if legend:
        columns = LEGEND_COLUMNS if len(legend) > 2 else len(legend)
        height = math.ceil(len(legend) / columns)
        for row in range(height):
            cells = []
            for entry in legend[row::height]:
                cells.append(f'<TD ALIGN="LEFT">{line(entry.sample or " ", SMALL_SIZE, entry.colour, bold=True)}</TD>')
                cells.append(f'<TD ALIGN="LEFT">{line(entry.text + "   ", SMALL_SIZE, colours.faint)}</TD>')
            cells += ["<TD></TD>"] * (2 * columns - len(cells))
            rows.append(f"<TR>{''.join(cells)}</TR>")
        span = 2 * columns
    else:
        span = 1
    for text in left_out:
        rows.append(f'<TR><TD ALIGN="LEFT" COLSPAN="{span}">{line(text, SMALL_SIZE, colours.faint)}</TD></TR>')
    if not rows:
        return Markup("<FONT> </FONT>")
    return Markup(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>')


def pill(title: str, first: bool, colours: Palette) -> Markup:
    """A mark as one cell in its own colours: heavy for the first, pale for the runners-up."""
    ground = colours.mark if first else colours.runner_up
    words = line(title, TEXT_SIZE if first else SMALL_SIZE, colours.mark_ink if first else colours.runner_up_ink, True)
    return Markup(
        f'<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="3" BGCOLOR="{ground}" STYLE="rounded">'
        f"<TR><TD>{words}</TD></TR></TABLE>"
    )


def apart(label: Markup, points: int) -> Markup:
    """The label with room around it: engines put a label beside the middle of a line, however broad the line is."""
    return Markup(
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{points}"><TR><TD>{label}</TD></TR></TABLE>'
    )


def opening(
    graph: Mapping[str, object],
    edge: Mapping[str, object],
    below: Markup,
    message: Sequence[str],
    colours: Palette,
) -> list[str]:
    """The first lines of a file, up to the nodes in the frame that has `below` under it: the attributes of the graph,
    those that edges have beside those of all words, and a message that stands in the place of nodes."""
    words: dict[str, object] = {
        "fontname": FONT,
        "fontsize": TEXT_SIZE,
        "fontcolor": colours.ink,
        "target": "_blank",
    }
    frame = {"label": below, "labelloc": "b", "labeljust": "l", "peripheries": 0, "margin": 8}
    lines = [
        "digraph traceviz {",
        f"  graph {attributes(graph)}",
        f"  node {attributes(words)}",
        f"  edge {attributes({**words, **edge})}",
        "  subgraph cluster_picture {",
        f"    graph {attributes(frame)}",
    ]
    if message:
        said = table([line(text, NAME_SIZE, colours.ink, index == 0) for index, text in enumerate(message)])
        lines.append(f"    N0 {attributes({'shape': 'plaintext', 'label': said})}")
    return lines
