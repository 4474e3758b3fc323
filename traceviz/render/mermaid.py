"""The picture as a Mermaid flowchart, which GitHub, GitLab and many wikis draw inside of Markdown.

Ids are generated, names are only labels, and text passes through `mermaid_words`. A flowchart has no title bar, legend
or tooltips: what a picture says around its graph stands in a box of its own beside it, in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from traceviz.documents import Change, NodeKind
from traceviz.notes import NoteDocument, Notes, define
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
from traceviz.render.palette import FAILING_SHARE, Health
from traceviz.render.picture import Picture, PictureEdge, PictureNode
from traceviz.render.words import share

WORDS_CUT = define(
    "mermaid-words-cut",
    "{count} {count:node or edge|nodes and edges} {count:is|are} drawn without numbers: with them Mermaid would refuse "
    "the graph",
    """Mermaid draws no diagram of more than 50,000 characters, and GitHub and GitLab leave it at that.

    Numbers are left out of what is healthy first: of edges, then of nodes, and then of all that no failing hop is on.
    `-o svg` has no such limit and shows every number; `--focus NAME --depth 2`, `--min-calls N` and `--hide NAME` make
    the graph smaller.""",
)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a kind of node is written, and what the legend says of it."""

    open: str
    close: str
    legend: str


_SHAPES: dict[NodeKind, _Shape] = {
    "service": _Shape("(", ")", ""),
    "gateway": _Shape("{{", "}}", "hexagon: gateway"),
    "database": _Shape("[(", ")]", "cylinder: database"),
    "queue": _Shape("[[", "]]", "box with double sides: queue"),
    "external": _Shape("([", "])", "round ends: outside the mesh"),
    "unknown": _Shape("[", "]", ""),
}
_LINES: dict[Health, str] = {
    "healthy": "blue line: calls without an error",
    "some": f"amber line: errors in less than {share(FAILING_SHARE)} of the calls",
    "failing": f"red line: errors in {share(FAILING_SHARE)} or more",
}
_CHANGES: dict[Change, str] = {
    "worse": "thick red line: worse, slower or with more errors",
    "better": "dotted blue line: better, faster or with fewer errors",
    "added": "thick green line: added, no call before",
    "removed": "dashed purple line: removed, no call after",
    "same": "grey line: the same, within chance",
}
_DASHES = {"solid": "", "dashed": ",stroke-dasharray:7 5", "dotted": ",stroke-dasharray:2 5"}


def mermaid(picture: Picture) -> str:
    """The picture as the text of a flowchart, the same text for the same picture.

    Words are cut where Mermaid would refuse the graph with them (`unshown` says how many), and what it shows nowhere
    else, such as the notes, stands in the box beside the graph.
    """
    return _written(*_fitting(picture))


def unshown(picture: Picture) -> list[NoteDocument]:
    """Notes on what the flowchart of this picture lacks, and on whether it can be drawn everywhere."""
    fitting, cut = _fitting(picture)
    notes = Notes()
    notes.add(WORDS_CUT, cut)
    notes.add(TOO_LARGE, int(size(_written(fitting, cut)) > MOST_CHARACTERS or _edge_count(fitting) > MOST_EDGES))
    return notes.documents()


# What fits


def _fitting(picture: Picture) -> tuple[Picture, int]:
    """The picture with as many words as Mermaid takes, and how many nodes and edges lost theirs."""
    smaller, cut = picture, 0
    for spare in (_of_healthy_edges, _of_healthy_nodes, _of_all_but_failing_hops):
        if size(_written(smaller, cut)) <= MOST_CHARACTERS:
            break
        smaller = spare(picture)
        cut = sum(a.lines != b.lines for a, b in zip(picture.nodes, smaller.nodes, strict=True))
        cut += sum(a.lines != b.lines for a, b in zip(picture.edges, smaller.edges, strict=True))
    return smaller, cut


def _of_healthy_edges(picture: Picture) -> Picture:
    edges = (edge if edge.marks or edge.health != "healthy" else replace(edge, lines=()) for edge in picture.edges)
    return replace(picture, edges=tuple(edges))


def _of_healthy_nodes(picture: Picture) -> Picture:
    nodes = (node if node.marks or node.health != "healthy" else replace(node, lines=()) for node in picture.nodes)
    return replace(_of_healthy_edges(picture), nodes=tuple(nodes))


def _of_all_but_failing_hops(picture: Picture) -> Picture:
    nodes = (node if node.marks else replace(node, lines=()) for node in picture.nodes)
    edges = (edge if edge.marks else replace(edge, lines=()) for edge in picture.edges)
    return replace(picture, nodes=tuple(nodes), edges=tuple(edges))


def _edge_count(picture: Picture) -> int:
    return len(picture.edges) + sum(node.entry is not None for node in picture.nodes)


# What is written


def _written(picture: Picture, cut: int) -> str:
    lines = [*settings(picture.palette), f"flowchart {picture.direction}"]
    lines += [f"  {line}" for line in _nodes(picture)]
    if picture.message:
        lines.append(f"  N0[{quoted(LINE.join(picture.message))}]")
    lines += [f"  I{node.id} --> {node.id}" for node in picture.nodes if node.entry]
    lines += [f"  {_edge(edge)}" for edge in picture.edges]
    lines.append(f"  about[{_around(picture, cut)}]")
    lines += [f"  {line}" for line in (*_links(picture), *_classes(picture), *_line_styles(picture))]
    return "\n".join([*lines, ""])


def _frames(picture: Picture) -> dict[str, str]:
    """The id of every frame by its name."""
    names = sorted({node.frame for node in picture.nodes if node.frame is not None})
    return {name: f"F{number}" for number, name in enumerate(names, 1)}


def _nodes(picture: Picture) -> list[str]:
    """Where requests come in, nodes without a frame, then the frames with theirs."""
    lines = [f"I{node.id}[{quoted(LINE.join((node.entry, node.users)))}]" for node in picture.nodes if node.entry]
    lines += [_node(node) for node in picture.nodes if node.frame is None]
    for name, frame in _frames(picture).items():
        inside = [f"  {_node(node)}" for node in picture.nodes if node.frame == name]
        lines += [f"subgraph {frame}[{quoted(name)}]", *inside, "end"]
    return lines


def _node(node: PictureNode) -> str:
    shape = _SHAPES[node.kind]
    marks = []
    if node.marks:
        ranks = ", ".join(str(mark.rank) for mark in node.marks[:3]) + (" …" if len(node.marks) > 3 else "")
        marks.append(f"× {ranks}  {node.marks[0].title}")
    return f"{node.id}{shape.open}{headed([node.name], [*node.lines, *marks])}{shape.close}"


def _edge(edge: PictureEdge) -> str:
    arrow = "==>" if edge.marks or edge.change in ("worse", "added") else "-->" if edge.style == "solid" else "-.->"
    details = [mark.detail for mark in edge.marks[:1] if mark.detail]
    label = headed([mark.title for mark in edge.marks[:3]], [*details, *edge.lines])
    return f"{edge.tail} {arrow}{f'|{label}|' if label != quoted('') else ''} {edge.head}"


def _around(picture: Picture, cut: int) -> str:
    """What is said beside the graph: title, verdict, what was read, what lines and shapes mean, what was left out."""
    heads = folded([picture.title, " ".join(picture.verdict)])
    lines = [*picture.subtitle, *_legend(picture)]
    if cut:
        lines.append(
            f"{'1 node or edge' if cut == 1 else f'{cut:,} nodes and edges'} without numbers, for want of room"
        )
    return headed(heads, folded([*lines, *picture.left_out]))


def _legend(picture: Picture) -> list[str]:
    """What the lines and shapes that occur in this picture mean."""
    styles = {edge.style for edge in picture.edges}
    healths = {edge.health for edge in picture.edges if not edge.marks and edge.change is None}
    lines = [text for health, text in _LINES.items() if health in healths]
    changes = {edge.change for edge in picture.edges}
    lines += [text for change, text in _CHANGES.items() if change in changes]
    if any(edge.marks for edge in picture.edges):
        lines.append("thick red line, × n: errors start here, n is the rank")
    styles = set() if changes - {None} else styles
    if "dashed" in styles:
        lines.append("dashed line: callee never reached, or not seen")
    if "dotted" in styles:
        lines.append("dotted line: asynchronous, through a queue")
    kinds = {node.kind for node in picture.nodes}
    lines += [shape.legend for kind, shape in _SHAPES.items() if shape.legend and kind in kinds]
    if any(node.marks for node in picture.nodes):
        lines.append("thick border: where to look first")
    if any(node.unseen for node in picture.nodes):
        lines.append("dashed border: no spans of its own")
    return lines


def _links(picture: Picture) -> list[str]:
    """The page of an example trace behind a node. Edges of a flowchart cannot have one."""
    return [f'click {node.id} href "{address(node.link)}" _blank' for node in picture.nodes if node.link]


def _classes(picture: Picture) -> list[str]:
    colours = picture.palette
    said = f"fill:{colours.background},color:{colours.faint},stroke:none,text-align:left"
    members: dict[str, tuple[str, list[str]]] = {"about": (said, ["about"])}

    def add(name: str, style: str, ids: Iterable[str]) -> None:
        if found := list(ids):
            members[name] = (style, found)

    message = ["N0"] if picture.message else []
    entries = [f"I{node.id}" for node in picture.nodes if node.entry]
    add("outside", f"fill:{colours.background},color:{colours.ink},stroke:none", [*message, *entries])
    for health, line in colours.line.items():
        same = [node.id for node in picture.nodes if node.health == health and node.change is None]
        add(health, f"fill:{colours.node},color:{colours.ink},stroke:{line},stroke-width:1.5px", same)
    for change, line in colours.changed_line.items():
        alike = [node.id for node in picture.nodes if node.change == change]
        wide = "1.5px" if change == "same" else "3px"
        dashes = ",stroke-dasharray:7 5" if change == "removed" else ""
        add(change, f"fill:{colours.node},color:{colours.ink},stroke:{line},stroke-width:{wide}{dashes}", alike)
    add("frame", f"fill:none,color:{colours.faint},stroke:{colours.faint}", _frames(picture).values())
    unseen = [node.id for node in picture.nodes if node.unseen]
    add("unseen", f"fill:{colours.unseen},stroke:{colours.faint},stroke-dasharray:5 4", unseen)
    broken = f"stroke:{colours.line['failing']}"
    add("marked", f"{broken},stroke-width:2.5px", (node.id for node in picture.nodes if node.marks))
    first = (node.id for node in picture.nodes if any(mark.first for mark in node.marks))
    add("first", f"fill:{colours.blamed},{broken},stroke-width:4px", first)
    lines = [f"classDef {name} {style}" for name, (style, _) in members.items()]
    return lines + [f"class {','.join(ids)} {name}" for name, (_, ids) in members.items()]


def _line_styles(picture: Picture) -> list[str]:
    """Colour, width and dashes of every line, lines that look the same together."""
    colours = picture.palette
    entry = f"stroke:{colours.faint},stroke-width:2px"
    styles = [entry for node in picture.nodes if node.entry]
    for edge in picture.edges:
        health: Health = "failing" if edge.marks else edge.health
        width = max(3.5, edge.width) if edge.marks else edge.width
        line = f"stroke:{colours.line_of(health, edge.change)},stroke-width:{round(width * 2) / 2:g}px"
        styles.append(f"{line},color:{colours.text_of(health, edge.change)}{_DASHES[edge.style]}")
    numbers: dict[str, list[str]] = {}
    for number, style in enumerate(styles):
        numbers.setdefault(style, []).append(str(number))
    return [f"linkStyle {','.join(same)} {style}" for style, same in numbers.items()]
