"""The picture as DOT. Ids are generated, names are only labels, and text passes through `dot_words`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from traceviz.render.dot_words import (
    FONT,
    NAME_SIZE,
    SMALL_SIZE,
    TEXT_SIZE,
    Markup,
    apart,
    attributes,
    foot,
    heading,
    line,
    opening,
    pill,
    table,
)
from traceviz.render.palette import ColourBy, Palette
from traceviz.render.picture import Picture, PictureEdge, PictureNode

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
_ON_ONE_SIDE = ("added", "removed")
#: What a straight edge is worth. The frame around all nodes pulls them together with 128 for the whole, which bent the
#: edges of large graphs into one bundle.
STRAIGHTNESS = 100
#: Room in points between the words of a node and its border, by shape: slanted sides need more.
_MARGINS = {"cds": "0.2,0.14", "cylinder": "0.16,0.12", "component": "0.2,0.1"}


def dot(picture: Picture) -> str:
    """The picture as the text of a DOT file, the same text for the same picture.

    The title is the label of the whole graph and the legend that of a cluster around all nodes: engines move words of
    edges upwards after the layout, and only what the whole graph says is certain to stay clear of them.
    """
    colours = picture.palette
    below = foot(picture.legend, picture.left_out, colours)
    lines = opening(_graph_attributes(picture), {"weight": STRAIGHTNESS}, below, picture.message, colours)
    nodes, edges = _in_order(picture)
    for node in nodes:
        if node.frame is None:
            lines.append(f"    {node.id} {attributes(_node(node, colours, picture.colour_by))}")
        if node.entry:
            lines.append(f"    I{node.id} {attributes(_entry(node, colours))}")
    for number, frame in enumerate(sorted({node.frame for node in picture.nodes if node.frame is not None}), 1):
        lines += [f"    subgraph cluster_frame{number} {{", f"      graph {attributes(_frame(frame, colours))}"]
        for node in nodes:
            if node.frame == frame:
                lines.append(f"      {node.id} {attributes(_node(node, colours, picture.colour_by))}")
        lines.append("    }")
    for node in nodes:
        if node.entry:
            lines.append(f"    I{node.id} -> {node.id} {attributes(_entry_edge(node, colours))}")
    for edge in edges:
        lines.append(f"    {edge.tail} -> {edge.head} {attributes(_edge(edge, colours, picture.colour_by))}")
    return "\n".join([*lines, "  }", "}", ""])


def _in_order(picture: Picture) -> tuple[Sequence[PictureNode], Sequence[PictureEdge]]:
    """Nodes and edges in the order that puts the first ones of a tree to its top or its left: where a tree grows to the
    right engines stack what they read from the bottom to the top."""
    is_tree = len({edge.head for edge in picture.edges}) == len(picture.edges)
    if is_tree and picture.direction == "LR":
        return picture.nodes[::-1], picture.edges[::-1]
    return picture.nodes, picture.edges


def _graph_attributes(picture: Picture) -> dict[str, object]:
    across = picture.direction == "LR"
    many = len(picture.edges)
    failed = any(edge.marks for edge in picture.edges) or any(node.marks for node in picture.nodes)
    return {
        "rankdir": picture.direction,
        "bgcolor": picture.palette.background,
        "fontname": FONT,
        "fontsize": SMALL_SIZE,
        "fontcolor": picture.palette.ink,
        "label": heading(picture.title, picture.subtitle, picture.verdict, failed, picture.palette),
        "labelloc": "t",
        "labeljust": "l",
        "tooltip": " ",
        "pad": 0.25,
        "nodesep": 0.3 if across else 0.4,
        "ranksep": 0.35 if across else 0.45,
        "splines": "true" if many <= EDGES_AS_CURVES else "polyline" if many <= EDGES_WITH_BENDS else "line",
        "mclimit": 1 if many <= EDGES_AS_CURVES else 0.2,
        "forcelabels": "false",
    }


def _node(node: PictureNode, colours: Palette, colour_by: ColourBy) -> dict[str, object]:
    shape = _SHAPES[node.kind]
    lines = [line(node.name, NAME_SIZE, colours.ink, bold=True)]
    telling = " of waiting" if colour_by == "critical" else " err"
    for text in node.lines:
        speaks = text == node.change or (telling in text and node.health != "healthy")
        lines.append(line(text, TEXT_SIZE, colours.text_of(node.health, node.change) if speaks else colours.faint))
    if node.marks:
        ranks = ", ".join(str(mark.rank) for mark in node.marks[:3]) + (" …" if len(node.marks) > 3 else "")
        lines.append(pill(f"× {ranks}  {node.marks[0].title}", node.marks[0].first, colours))
    blamed = any(mark.first for mark in node.marks)
    dashed = node.unseen or node.change == "removed"
    styles = ["filled"] + (["rounded"] if node.kind == "service" else []) + (["dashed"] if dashed else [])
    return {
        "id": node.id,
        "class": f"{node.kind} {node.change or node.health}",
        "shape": shape,
        "peripheries": 2 if node.kind == "external" else None,
        "style": ",".join(styles),
        "margin": _MARGINS.get(shape, "0.11,0.06"),
        "fillcolor": colours.blamed if blamed else colours.unseen if node.unseen else colours.node,
        "color": colours.line_of("failing" if node.marks else node.health, node.change)
        if node.marks or not node.unseen or node.change in _ON_ONE_SIDE or node.health != "healthy"
        else colours.faint,
        "penwidth": 4 if blamed else 2.5 if node.marks or node.change in _ON_ONE_SIDE else 1.4,
        "label": table(lines),
        "tooltip": node.tooltip,
        "URL": node.link,
    }


def _frame(name: str, colours: Palette) -> dict[str, object]:
    return {
        "label": table([line(name, TEXT_SIZE, colours.faint, bold=True)]),
        "labelloc": "t",
        "labeljust": "l",
        "style": "rounded",
        "color": colours.faint,
        "peripheries": 1,
        "penwidth": 1,
        "margin": 14,
        "tooltip": f"namespace {name}",
    }


def _entry(node: PictureNode, colours: Palette) -> dict[str, object]:
    text = node.entry or ""
    label = table([line(text, TEXT_SIZE, colours.ink, bold=True), line(node.users, SMALL_SIZE, colours.faint)])
    return {"shape": "plaintext", "margin": "0.04,0.02", "label": label, "tooltip": f"{text} {node.users}"}


def _entry_edge(node: PictureNode, colours: Palette) -> dict[str, object]:
    return {
        "color": colours.faint,
        "penwidth": 2,
        "arrowsize": 0.8,
        "tooltip": f"{node.entry} {node.users}",
        "weight": 2,
    }


def _edge(edge: PictureEdge, colours: Palette, colour_by: ColourBy) -> dict[str, object]:
    first = any(mark.first for mark in edge.marks)
    line = colours.line_of("failing" if edge.marks else edge.health, edge.change)
    double = bool(edge.marks) or edge.change == "added"
    strand = max(2.4 if first else 1.3, edge.width / 2)
    return {
        "id": edge.id,
        "class": f"{edge.change or edge.health} {edge.style}",
        "style": None if edge.style == "solid" else edge.style,
        "color": f"{line}:{colours.background}:{line}" if double else line,
        "penwidth": round(strand, 2) if double else edge.width,
        "arrowhead": _head(edge, colour_by),
        "dir": "both" if edge.joined else None,
        "arrowtail": "odot" if edge.joined else None,
        "arrowsize": round(0.6 + edge.width / 25, 2),
        "label": _edge_label(edge, colours),
        "labeltooltip": edge.tooltip,
        "tooltip": edge.tooltip,
        "URL": edge.link,
    }


def _head(edge: PictureEdge, colour_by: ColourBy) -> str:
    """The head of an arrow, with a bar where something is wrong, if that is what colours say."""
    head = "vee" if edge.asynchronous else "normal"
    wrong = edge.change == "worse" if edge.change is not None else edge.health != "healthy"
    return f"{head}tee" if wrong and colour_by == "errors" else head


def _edge_label(edge: PictureEdge, colours: Palette) -> Markup | None:
    """The words of an edge; those of the first failing hop stand in a frame, with rank and reason above them."""
    words = [
        line(text, TEXT_SIZE, colours.text_of(edge.health, edge.change) if index == 0 else colours.faint, bold)
        for index, text in enumerate(edge.lines)
        for bold in (index == 0 and edge.change != "same",)
    ]
    away = math.ceil(edge.width / 2) + 2
    if not edge.marks:
        return apart(table(words), away) if words else None
    pills = [pill(mark.title, mark.first, colours) for mark in edge.marks[:3]]
    details = [line(mark.detail, TEXT_SIZE, colours.ink) for mark in edge.marks[:1] if mark.detail]
    first = any(mark.first for mark in edge.marks)
    frame = f'BORDER="2" COLOR="{colours.mark}" BGCOLOR="{colours.card}" STYLE="rounded"' if first else 'BORDER="0"'
    return apart(table([*pills, *details, *words], padding=4, border=frame), away + 2)
