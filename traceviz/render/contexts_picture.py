"""The picture of a service tree: every context is a node of its own below that of its caller, so that no line crosses
another, and failing hops are marked in the contexts in which their errors started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from traceviz.documents import Context, Edge, ErrorsDocument, GraphDocument
from traceviz.render import labels
from traceviz.render.contexts_text import BEGINNINGS, FOLDED, unseen
from traceviz.render.labels import DEFAULT
from traceviz.render.marks import Mark, Marks, marks
from traceviz.render.palette import health, palette
from traceviz.render.picture import (
    EDGES_WITH_WORDS,
    NAME_CELLS,
    Parts,
    Picture,
    PictureEdge,
    PictureNode,
    example_link,
    framed,
    line_width,
    times_shown,
    title_of,
    users_of,
)
from traceviz.render.tooltips import edge_tooltip
from traceviz.render.words import counted, millis, name, share, shorten, web_address


def contexts_picture(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    ui_url: str | None = None,
    theme: str = "light",
) -> Picture:
    """Decide the picture of a graph's contexts. It takes what `picture` takes, and raises what that does."""
    labels.check(label)
    colours = palette(theme)
    page = None if ui_url is None else web_address(ui_url)
    placed = marks(graph, errors)
    contexts = graph.get("contexts", [])
    looked_at = _looked_at(contexts, placed)
    by_name = {node["name"]: node for node in graph["nodes"]}
    nodes: list[PictureNode] = []
    edges: list[PictureEdge] = []
    calls = [one["calls"] for one in contexts if one["parent"] is not None]
    few = len(contexts) <= EDGES_WITH_WORDS
    for place, one in enumerate(contexts):
        edge = _as_edge(one)
        hop_marks = tuple(placed.edges.get((str(one["caller"]), str(one["node"])), ()) if one["failing_hop"] else ())
        node_marks = _of_these(placed.nodes[str(one["node"])], hop_marks) if place in looked_at else ()
        dashed = unseen(graph, one)
        tooltip = edge_tooltip(edge, [*hop_marks, *node_marks], dashed)
        link = example_link(page, [*hop_marks, *node_marks], [edge])
        nodes.append(
            PictureNode(
                id=f"N{place + 1}",
                name=shorten(edge["callee"], NAME_CELLS),
                full_name=edge["callee"],
                kind="unknown" if one["node"] is None else by_name[one["node"]]["kind"],
                lines=_lines(one),
                health=health(one["error_rate"]),
                unseen=dashed,
                users="" if one["node"] is None else users_of(by_name[one["node"]]),
                entry=counted(one["calls"], "request") if one["start"] == "entry" else None,
                marks=node_marks,
                tooltip=tooltip,
                link=link,
            )
        )
        if one["parent"] is None:
            continue
        asynchronous = one["kind"] == "async"
        edges.append(
            PictureEdge(
                id=f"E{place + 1}",
                tail=f"N{one['parent'] + 1}",
                head=f"N{place + 1}",
                lines=tuple(labels.lines(edge, label)) if few or one["errors"] else (),
                health=health(one["error_rate"]),
                style="dotted" if asynchronous else "dashed" if dashed else "solid",
                asynchronous=asynchronous,
                width=line_width(one["calls"], max(calls)),
                marks=hop_marks,
                tooltip=tooltip,
                link=link,
            )
        )
    parts = Parts(tuple(nodes), tuple(edges), calls, placed.outside, times_shown(label))
    return framed(title_of(graph, "Who calls whom, in every context"), graph, errors, parts, colours)


def _as_edge(one: Context) -> Edge:
    """The calls of a context as those of an edge, between names that can be shown."""
    ends = {"caller": name(one["caller"] or "outside"), "callee": FOLDED if one["node"] is None else name(one["node"])}
    return cast(Edge, {**one, **ends})


def _lines(one: Context) -> tuple[str, ...]:
    """What stands in a node: calls where no edge says them, and its own time."""
    lines = []
    if one["start"] in BEGINNINGS:
        lines.append(BEGINNINGS[one["start"] or ""])
    if one["parent"] is None:
        calls = "" if one["start"] == "entry" else counted(one["calls"], "call") + " · "
        lines.append(f"{calls}{share(one['error_rate'])} err")
    if one["self_ms"] is not None:
        part = "" if one["self_share"] is None else f" · {share(one['self_share'])} of all"
        lines.append(f"self p50 {millis(one['self_ms']['p50'])}{part}")
    return tuple(lines)


def _of_these(of_node: Sequence[Mark], of_hop: Sequence[Mark]) -> tuple[Mark, ...]:
    """The marks of a node that belong to what failed in this context, all of them where nothing started in it."""
    ranks = {mark.rank for mark in of_hop}
    return tuple(mark for mark in of_node if mark.rank in ranks) or tuple(of_node)


def _looked_at(contexts: Sequence[Context], placed: Marks) -> set[int]:
    """The contexts of nodes to look at: those at the end or the beginning of a call in which an error started, else
    those beneath one, else all of the node's."""
    below = [False] * len(contexts)
    above = [False] * len(contexts)
    for place, one in enumerate(contexts):
        if one["parent"] is not None:
            below[place] = below[one["parent"]] or contexts[one["parent"]]["failing_hop"]
            above[one["parent"]] |= one["failing_hop"]
    found: set[int] = set()
    for node in placed.nodes:
        own = [place for place, one in enumerate(contexts) if one["node"] == node]
        at_end = [place for place in own if contexts[place]["failing_hop"]]
        found.update(
            at_end or [place for place in own if above[place]] or [place for place in own if below[place]] or own
        )
    return found
