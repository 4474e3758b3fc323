"""The picture of a trace as DOT. Ids are generated, names are only labels, and text passes through `dot_words`."""

from __future__ import annotations

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
from traceviz.render.palette import Palette
from traceviz.render.tree_picture import TreeEdge, TreeNode, TreePicture

_SHAPES = {"call": "box", "database": "cylinder", "queue": "component", "start": "box", "fold": "note"}
#: Room in points between the words of a node and its border, by shape.
_MARGINS = {"cylinder": "0.16,0.12", "component": "0.2,0.1", "note": "0.16,0.08"}


def tree_dot(picture: TreePicture) -> str:
    """The picture as the text of a DOT file, the same text for the same picture. Calls stand in the order in which they
    were made: engines place what is written first lowest where a graph goes from left to right."""
    colours = picture.palette
    below = foot(picture.legend, picture.left_out, colours)
    lines = opening(_graph_attributes(picture), {}, below, picture.message, colours)
    upwards = -1 if picture.direction == "LR" else 1
    lines += [f"    {node.id} {attributes(_node(node, colours))}" for node in picture.nodes[::upwards]]
    lines += [f"    {edge.tail} -> {edge.head} {attributes(_edge(edge, colours))}" for edge in picture.edges[::upwards]]
    return "\n".join([*lines, "  }", "}", ""])


def _graph_attributes(picture: TreePicture) -> dict[str, object]:
    across = picture.direction == "LR"
    return {
        "rankdir": picture.direction,
        "ordering": "out",
        "bgcolor": picture.palette.background,
        "fontname": FONT,
        "fontsize": SMALL_SIZE,
        "fontcolor": picture.palette.ink,
        "label": heading(picture.title, picture.subtitle, picture.verdict, picture.failed, picture.palette),
        "labelloc": "t",
        "labeljust": "l",
        "tooltip": " ",
        "URL": picture.link,
        "target": None if picture.link is None else "_blank",
        "pad": 0.25,
        "nodesep": 0.2 if across else 0.35,
        "ranksep": 0.3 if across else 0.4,
        "forcelabels": "false",
    }


def _node(node: TreeNode, colours: Palette) -> dict[str, object]:
    shape = _SHAPES[node.shape]
    lines = [line(node.name, NAME_SIZE, colours.ink, bold=True)]
    lines += [line(text, TEXT_SIZE, colours.faint) for text in node.lines]
    if node.signs:
        lines.append(line(node.signs, TEXT_SIZE, colours.text["failing" if node.error else "healthy"], bold=node.error))
    lines += [pill(text, True, colours) for text in node.marks]
    styles = ["filled"] + (["rounded"] if node.shape == "call" else []) + (["dashed"] if node.unseen else [])
    return {
        "id": node.id,
        "class": " ".join([node.shape, *(["failed"] if node.error else []), *(["critical"] if node.critical else [])]),
        "shape": shape,
        "style": ",".join(styles),
        "margin": _MARGINS.get(shape, "0.11,0.06"),
        "fillcolor": colours.blamed if node.marks else colours.unseen if node.unseen else colours.node,
        "color": colours.line["failing"] if node.error else colours.ink if node.critical else colours.faint,
        "penwidth": 4 if node.marks else 2.5 if node.critical else 1.2,
        "label": table(lines),
        "tooltip": node.tooltip,
        "URL": node.link,
    }


def _edge(edge: TreeEdge, colours: Palette) -> dict[str, object]:
    colour = colours.line["failing"] if edge.error else colours.ink if edge.critical else colours.faint
    head = "vee" if edge.style == "dotted" else "normal"
    strand = 3.2 if edge.critical else 1.3
    return {
        "id": edge.id,
        "class": " ".join([edge.style, *(["failed"] if edge.error else []), *(["critical"] if edge.critical else [])]),
        "style": None if edge.style == "solid" else edge.style,
        "color": f"{colour}:{colours.background}:{colour}" if edge.marks else colour,
        "penwidth": strand,
        "arrowhead": f"{head}tee" if edge.error else head,
        "arrowsize": 0.8 if edge.critical else 0.65,
        "label": _label(edge, colours),
        "labeltooltip": edge.tooltip,
        "tooltip": edge.tooltip,
    }


def _label(edge: TreeEdge, colours: Palette) -> Markup | None:
    if not edge.lines:
        return None
    return apart(table([line(text, SMALL_SIZE, colours.faint) for text in edge.lines], align="LEFT"), 4)
