"""The picture of a trace as a Mermaid flowchart. Ids are generated, names are only labels, and text passes through
`mermaid_words`."""

from __future__ import annotations

from collections.abc import Iterable

from traceviz.notes import NoteDocument, Notes
from traceviz.render.mermaid_words import (
    LINE,
    MOST_CHARACTERS,
    MOST_EDGES,
    TOO_LARGE,
    address,
    folded,
    headed,
    quoted,
    settings,
    size,
)
from traceviz.render.tree_picture import Shape, TreeEdge, TreeNode, TreePicture

_SHAPES: dict[Shape, tuple[str, str]] = {
    "call": ("(", ")"),
    "database": ("[(", ")]"),
    "queue": ("[[", "]]"),
    "start": ("[", "]"),
    "fold": ("[/", "/]"),
}
_DASHES = {"solid": "", "dashed": ",stroke-dasharray:7 5", "dotted": ",stroke-dasharray:2 5"}


def tree_mermaid(picture: TreePicture) -> str:
    """The picture as the text of a flowchart, the same text for the same picture."""
    lines = [*settings(picture.palette), f"flowchart {picture.direction}"]
    if picture.message:
        lines.append(f"  N0[{quoted(LINE.join(picture.message))}]")
    lines += [f"  {_node(node)}" for node in picture.nodes]
    lines += [f"  {_edge(edge)}" for edge in picture.edges]
    lines.append(f"  about[{_around(picture)}]")
    links = [(node.id, node.link) for node in picture.nodes if node.link]
    if picture.link:
        links.append(("about", picture.link))
    lines += [f'  click {identifier} href "{address(link)}" _blank' for identifier, link in links]
    lines += [f"  {line}" for line in (*_classes(picture), *_line_styles(picture))]
    return "\n".join([*lines, ""])


def unshown(picture: TreePicture) -> list[NoteDocument]:
    """A note on whether the flowchart of this picture can be drawn everywhere."""
    notes = Notes()
    notes.add(TOO_LARGE, int(size(tree_mermaid(picture)) > MOST_CHARACTERS or len(picture.edges) > MOST_EDGES))
    return notes.documents()


def _node(node: TreeNode) -> str:
    left, right = _SHAPES[node.shape]
    signs = [node.signs] if node.signs else []
    return f"{node.id}{left}{headed([node.name], [*node.lines, *signs, *node.marks])}{right}"


def _edge(edge: TreeEdge) -> str:
    arrow = "==>" if edge.marks else "-->" if edge.style == "solid" else "-.->"
    words = f"|{quoted(LINE.join(edge.lines))}|" if edge.lines else ""
    return f"{edge.tail} {arrow}{words} {edge.head}"


def _around(picture: TreePicture) -> str:
    """Title, verdict, what was read, what lines mean, what was left out."""
    heads = folded([picture.title, " ".join(picture.verdict)])
    return headed(heads, folded([*picture.subtitle, *_legend(picture), *picture.left_out]))


def _legend(picture: TreePicture) -> list[str]:
    meanings = (
        (any(edge.error for edge in picture.edges), "red: failed"),
        (any(node.marks for node in picture.nodes), "thick red line and border: what broke first"),
        (any(edge.critical for edge in picture.edges), "thick line: the critical path, what the user waited for"),
        (any(edge.style == "dashed" for edge in picture.edges), "dashed line: callee never reached, or not seen"),
        (any(edge.style == "dotted" for edge in picture.edges), "dotted line: asynchronous, through a queue"),
        (any(node.unseen for node in picture.nodes), "dashed border: no spans of its own"),
        (any(node.shape == "fold" for node in picture.nodes), "slanted box: calls that are not drawn one by one"),
    )
    return [text for occurs, text in meanings if occurs]


def _classes(picture: TreePicture) -> list[str]:
    colours = picture.palette
    members: list[tuple[str, str, list[str]]] = []

    def add(name: str, style: str, nodes: Iterable[str]) -> None:
        if found := list(nodes):
            members.append((name, style, found))

    add("about", f"fill:{colours.background},color:{colours.faint},stroke:none,text-align:left", ["about"])
    plain = f"fill:{colours.node},color:{colours.ink},stroke:{colours.faint},stroke-width:1.2px"
    add("plain", plain, [*(node.id for node in picture.nodes), *(["N0"] if picture.message else [])])
    add("unseen", f"fill:{colours.unseen},stroke-dasharray:5 4", (node.id for node in picture.nodes if node.unseen))
    add("critical", f"stroke:{colours.ink},stroke-width:2.5px", (node.id for node in picture.nodes if node.critical))
    add("failed", f"stroke:{colours.line['failing']}", (node.id for node in picture.nodes if node.error))
    add("broken", f"fill:{colours.blamed},stroke-width:4px", (node.id for node in picture.nodes if node.marks))
    lines = [f"classDef {name} {style}" for name, style, _ in members]
    return lines + [f"class {','.join(nodes)} {name}" for name, _, nodes in members]


def _line_styles(picture: TreePicture) -> list[str]:
    """Colour, width and dashes of every line, lines that look the same together."""
    colours = picture.palette
    numbers: dict[str, list[str]] = {}
    for number, edge in enumerate(picture.edges):
        colour = colours.line["failing"] if edge.error else colours.ink if edge.critical else colours.faint
        width = "4" if edge.marks else "3" if edge.critical else "1.3"
        style = f"stroke:{colour},stroke-width:{width}px,color:{colours.faint}{_DASHES[edge.style]}"
        numbers.setdefault(style, []).append(str(number))
    return [f"linkStyle {','.join(same)} {style}" for style, same in numbers.items()]
