"""The picture as DOT. Ids are generated, names are only labels, and text passes through
`quoted`, `quoted_tooltip` or `cell_text`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from traceviz.render.palette import Palette
from traceviz.render.picture import Picture, PictureEdge, PictureNode

#: Layout engines know the widths of its letters, and every system has a font of the same widths.
FONT = "Arial"
NAME_SIZE = 13
TEXT_SIZE = 11
SMALL_SIZE = 10.5
TITLE_SIZE = 18
#: Columns of the legend by the number of its entries: as many as keep it flat without making it wide.
LEGEND_COLUMNS = 3
#: With more edges than these, curves and then bends cost too much time, and so does looking for fewer crossings.
EDGES_AS_CURVES = 400
EDGES_WITH_BENDS = 1000

_SHAPES = {
    "service": "box",
    "gateway": "cds",
    "database": "cylinder",
    "queue": "component",
    "external": "box",
    "unknown": "box",
}
#: Room in points between the words of a node and its border, by shape: slanted sides need more.
_MARGINS = {"cds": "0.2,0.14", "cylinder": "0.16,0.12", "component": "0.2,0.1"}


def dot(picture: Picture) -> str:
    """The picture as the text of a DOT file, the same text for the same picture.

    The title is the label of the whole graph and the legend that of a cluster around all nodes: engines move words of
    edges upwards after the layout, and only what the whole graph says is certain to stay clear of them.
    """
    colours = picture.palette
    words = _attributes({"fontname": FONT, "fontsize": TEXT_SIZE, "fontcolor": colours.ink, "target": "_blank"})
    foot = {"label": _foot(picture), "labelloc": "b", "labeljust": "l", "peripheries": 0, "margin": 8}
    lines = [
        "digraph traceviz {",
        f"  graph {_attributes(_graph_attributes(picture))}",
        f"  node {words}",
        f"  edge {words}",
        "  subgraph cluster_picture {",
        f"    graph {_attributes(foot)}",
    ]
    if picture.message:
        message = _table(
            [_line(text, NAME_SIZE, colours.ink, index == 0) for index, text in enumerate(picture.message)]
        )
        lines.append(f"    N0 {_attributes({'shape': 'plaintext', 'label': message})}")
    for node in picture.nodes:
        lines.append(f"    {node.id} {_attributes(_node(node, colours))}")
        if node.entry:
            lines.append(f"    I{node.id} {_attributes(_entry(node.entry, colours))}")
    for node in picture.nodes:
        if node.entry:
            lines.append(f"    I{node.id} -> {node.id} {_attributes(_entry_edge(node, colours))}")
    for edge in picture.edges:
        lines.append(f"    {edge.tail} -> {edge.head} {_attributes(_edge(edge, colours))}")
    return "\n".join([*lines, "  }", "}", ""])


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


def _attributes(values: Mapping[str, object]) -> str:
    return f"[{', '.join(f'{key}={_value(key, value)}' for key, value in values.items() if value is not None)}]"


def _value(key: str, value: object) -> str:
    if isinstance(value, Markup):
        return f"<{value}>"
    if not isinstance(value, str):
        return str(value)
    return quoted_tooltip(value) if key.endswith("tooltip") else quoted(value)


def _graph_attributes(picture: Picture) -> dict[str, object]:
    across = picture.direction == "LR"
    many = len(picture.edges)
    return {
        "rankdir": picture.direction,
        "bgcolor": picture.palette.background,
        "fontname": FONT,
        "fontsize": SMALL_SIZE,
        "fontcolor": picture.palette.ink,
        "label": _title(picture),
        "labelloc": "t",
        "labeljust": "l",
        "tooltip": " ",
        "pad": 0.25,
        "nodesep": 0.3 if across else 0.4,
        "ranksep": 0.35 if across else 0.45,
        "splines": "true" if many <= EDGES_AS_CURVES else "polyline" if many <= EDGES_WITH_BENDS else "line",
        "mclimit": 1 if many <= EDGES_AS_CURVES else 0.3,
        "forcelabels": "false",
    }


def _line(text: str, size: float, colour: str, bold: bool = False) -> Markup:
    words = cell_text(text)
    inside = f"<B>{words}</B>" if bold else words
    return Markup(f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{inside}</FONT>')


def _table(lines: Sequence[Markup], align: str = "CENTER", padding: int = 1, border: str = 'BORDER="0"') -> Markup:
    rows = "".join(f'<TR><TD ALIGN="{align}">{line}</TD></TR>' for line in lines)
    return Markup(f'<TABLE {border} CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{rows}</TABLE>')


def _title(picture: Picture) -> Markup:
    colours = picture.palette
    lines = [_line(picture.title, TITLE_SIZE, colours.ink, bold=True)]
    lines += [_line(text, TEXT_SIZE, colours.faint) for text in picture.subtitle]
    failed = any(edge.marks for edge in picture.edges) or any(node.marks for node in picture.nodes)
    lines += [_line(text, NAME_SIZE, colours.text["failing"] if failed else colours.ink) for text in picture.verdict]
    table = _table(lines, align="LEFT", padding=2)
    indent = '<TD WIDTH="6"></TD>'
    return Markup(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{indent}<TD>{table}</TD></TR></TABLE>')


def _foot(picture: Picture) -> Markup:
    """Legend in columns, then what was left out."""
    colours = picture.palette
    rows = []
    if picture.legend:
        columns = LEGEND_COLUMNS if len(picture.legend) > 2 else len(picture.legend)
        height = math.ceil(len(picture.legend) / columns)
        for row in range(height):
            cells = []
            for entry in picture.legend[row::height]:
                cells.append(f'<TD ALIGN="LEFT">{_line(entry.sample or " ", SMALL_SIZE, entry.colour, bold=True)}</TD>')
                cells.append(f'<TD ALIGN="LEFT">{_line(entry.text + "   ", SMALL_SIZE, colours.faint)}</TD>')
            cells += ["<TD></TD>"] * (2 * columns - len(cells))
            rows.append(f"<TR>{''.join(cells)}</TR>")
        span = 2 * columns
    else:
        span = 1
    for text in picture.left_out:
        rows.append(f'<TR><TD ALIGN="LEFT" COLSPAN="{span}">{_line(text, SMALL_SIZE, colours.faint)}</TD></TR>')
    if not rows:
        return Markup("<FONT> </FONT>")
    return Markup(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>')


def _node(node: PictureNode, colours: Palette) -> dict[str, object]:
    shape = _SHAPES[node.kind]
    lines = [_line(node.name, NAME_SIZE, colours.ink, bold=True)]
    for text in node.lines:
        lines.append(
            _line(
                text,
                TEXT_SIZE,
                colours.text[node.health] if " err" in text and node.health != "healthy" else colours.faint,
            )
        )
    if node.marks:
        ranks = ", ".join(str(mark.rank) for mark in node.marks[:3]) + (" …" if len(node.marks) > 3 else "")
        lines.append(_pill(f"× {ranks}  {node.marks[0].title}", node.marks[0].first, colours))
    blamed = any(mark.first for mark in node.marks)
    styles = ["filled"] + (["rounded"] if node.kind == "service" else []) + (["dashed"] if node.unseen else [])
    return {
        "id": node.id,
        "class": f"{node.kind} {node.health}",
        "shape": shape,
        "peripheries": 2 if node.kind == "external" else None,
        "style": ",".join(styles),
        "margin": _MARGINS.get(shape, "0.11,0.06"),
        "fillcolor": colours.blamed if blamed else colours.unseen if node.unseen else colours.node,
        "color": colours.line["failing" if node.marks else node.health]
        if node.marks or not node.unseen
        else colours.faint,
        "penwidth": 4 if blamed else 2.5 if node.marks else 1.4,
        "label": _table(lines),
        "tooltip": node.tooltip,
        "URL": node.link,
    }


def _pill(title: str, first: bool, colours: Palette) -> Markup:
    """A mark as one cell in its own colours: heavy for the first, pale for the runners-up."""
    ground = colours.mark if first else colours.runner_up
    words = _line(title, TEXT_SIZE if first else SMALL_SIZE, colours.mark_ink if first else colours.runner_up_ink, True)
    return Markup(
        f'<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="3" BGCOLOR="{ground}" STYLE="rounded">'
        f"<TR><TD>{words}</TD></TR></TABLE>"
    )


def _entry(text: str, colours: Palette) -> dict[str, object]:
    label = _table([_line(text, TEXT_SIZE, colours.ink, bold=True), _line("from outside", SMALL_SIZE, colours.faint)])
    return {"shape": "plaintext", "margin": "0.04,0.02", "label": label, "tooltip": f"{text} from outside the mesh"}


def _entry_edge(node: PictureNode, colours: Palette) -> dict[str, object]:
    return {
        "color": colours.faint,
        "penwidth": 2,
        "arrowsize": 0.8,
        "tooltip": f"{node.entry} from outside",
        "weight": 2,
    }


def _edge(edge: PictureEdge, colours: Palette) -> dict[str, object]:
    first = any(mark.first for mark in edge.marks)
    line = colours.line["failing" if edge.marks else edge.health]
    strand = max(2.4 if first else 1.3, edge.width / 2)
    head = "vee" if edge.asynchronous else "normal"
    return {
        "id": edge.id,
        "class": f"{edge.health} {edge.style}",
        "style": None if edge.style == "solid" else edge.style,
        "color": f"{line}:{colours.background}:{line}" if edge.marks else line,
        "penwidth": round(strand, 2) if edge.marks else edge.width,
        "arrowhead": head if edge.health == "healthy" else f"{head}tee",
        "arrowsize": round(0.6 + edge.width / 25, 2),
        "label": _edge_label(edge, colours),
        "labeltooltip": edge.tooltip,
        "tooltip": edge.tooltip,
        "URL": edge.link,
    }


def _edge_label(edge: PictureEdge, colours: Palette) -> Markup | None:
    """The words of an edge; those of the first failing hop stand in a frame, with rank and reason above them."""
    words = [
        _line(text, TEXT_SIZE, colours.text[edge.health] if index == 0 else colours.faint, bold=index == 0)
        for index, text in enumerate(edge.lines)
    ]
    away = math.ceil(edge.width / 2) + 2
    if not edge.marks:
        return _apart(_table(words), away) if words else None
    pills = [_pill(mark.title, mark.first, colours) for mark in edge.marks[:3]]
    details = [_line(mark.detail, TEXT_SIZE, colours.ink) for mark in edge.marks[:1] if mark.detail]
    first = any(mark.first for mark in edge.marks)
    frame = f'BORDER="2" COLOR="{colours.mark}" BGCOLOR="{colours.card}" STYLE="rounded"' if first else 'BORDER="0"'
    return _apart(_table([*pills, *details, *words], padding=4, border=frame), away + 2)


def _apart(label: Markup, points: int) -> Markup:
    """The label with room around it: engines put a label beside the middle of a line, however broad the line is."""
    return Markup(
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{points}"><TR><TD>{label}</TD></TR></TABLE>'
    )
