"""A graph document ▸ a smaller one: around one node, without some nodes, without rare edges. Nothing goes unsaid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from traceviz.analyze.graph import cycles
from traceviz.analyze.narrow_contexts import around, often_called, without
from traceviz.documents import DiffDocument, GraphDocument
from traceviz.errors import NothingFound
from traceviz.notes import NoteDocument, Notes, define
from traceviz.sources.names import shown

HIDDEN = define(
    "hidden-nodes",
    "{count} {count:node was|nodes were} hidden with --hide",
    """Nodes named with `--hide` are left out, with every edge that touches them. Their calls still happened.

    With `--group-by` the name of a workload hides all of its nodes. In a tree (`--view tree`) everything beneath a
    hidden context goes with it; what a hidden beginning called becomes a beginning itself.""",
)
OUT_OF_FOCUS = define(
    "out-of-focus",
    "{count} {count:node lies|nodes lie} outside of --focus and {count:was|were} left out",
    """`--focus X --depth N` keeps what is at most N edges before or behind X, going only forwards or only backwards.

    The examples are nodes that were left out. A larger `--depth` shows more of them.""",
)
RARE = define(
    "rare-edges",
    "{count} {count:edge|edges} with fewer calls than --min-calls {count:was|were} left out",
    """Edges with fewer calls than `--min-calls` are left out, and nodes that nothing else connects.

    The examples are edges that were left out. A failing hop can be among them: a smaller `--min-calls` shows it.""",
)


def narrow(
    document: GraphDocument,
    *,
    hide: Sequence[str] = (),
    focus: str | None = None,
    depth: int = 1,
    min_calls: int = 0,
) -> GraphDocument:
    """The part of the graph that was asked for, with a note on what was left out.

    A node is meant by its own name, else all nodes of a workload are by the workload's. Raises NothingFound where
    `focus` or a name in `hide` is no node.
    """
    notes = Notes()
    kept = chosen(document, notes, hide=hide, focus=focus, depth=depth)
    edges = [edge for edge in document["edges"] if edge["caller"] in kept and edge["callee"] in kept]
    often = [edge for edge in edges if edge["calls"] >= min_calls]
    if len(often) < len(edges):
        rare = [f"{edge['caller']} → {edge['callee']}" for edge in edges if edge["calls"] < min_calls]
        notes.add(RARE, len(rare), rare)
        joined = {end for edge in often for end in (edge["caller"], edge["callee"])}
        loose = {end for edge in edges for end in (edge["caller"], edge["callee"])} - joined
        kept -= loose
    narrowed: GraphDocument = {
        **document,
        "nodes": [node for node in document["nodes"] if node["name"] in kept],
        "edges": often,
        "cycles": cycles(often),
        "notes": merged(document["notes"], notes),
    }
    if "contexts" in document:
        contexts = without(document["contexts"], {meant for name in hide for meant in _meant(document, name)})
        contexts = contexts if focus is None else around(contexts, _meant(document, focus), depth)
        contexts = narrowed["contexts"] = often_called(contexts, min_calls)
        kept |= {one["node"] for one in contexts if one["node"] is not None}
        narrowed["nodes"] = [node for node in document["nodes"] if node["name"] in kept]
    return narrowed


def chosen(
    document: GraphDocument | DiffDocument, notes: Notes, *, hide: Sequence[str], focus: str | None, depth: int
) -> set[str]:
    """The nodes that are not hidden and are near the focus, with a note on the others. Raises as `narrow` does."""
    names = {node["name"] for node in document["nodes"]}
    hidden = {meant for name in hide for meant in _meant(document, name)}
    focused = set() if focus is None else _meant(document, focus)
    kept = names - hidden
    notes.add(HIDDEN, len(names) - len(kept), sorted(names - kept))
    if focus is not None:
        near = {name for one in focused for name in _around(document, kept, one, depth)}
        notes.add(OUT_OF_FOCUS, len(kept - near), sorted(kept - near))
        kept = near
    return kept


def _meant(document: GraphDocument | DiffDocument, name: str) -> set[str]:
    """The nodes that a name stands for."""
    names = {node["name"] for node in document["nodes"]}
    if name in names:
        return {name}
    of_workload = {node["name"] for node in document["nodes"] if node.get("workload") == name}
    if not of_workload:
        close = get_close_matches(name[:100], sorted(names), n=3)
        hint = f"Did you mean {' or '.join(map(shown, close))}?" if close else f"Nodes: {_listed(sorted(names))}"
        raise NothingFound(f"there is no node {shown(name)} in this graph", hint)
    return of_workload


def _around(document: GraphDocument | DiffDocument, kept: Collection[str], focus: str, depth: int) -> set[str]:
    """What is at most `depth` edges before or behind the focus."""
    import networkx as nx  # a tenth of a second, for the commands that need it

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(kept)
    graph.add_edges_from(
        (edge["caller"], edge["callee"])
        for edge in document["edges"]
        if edge["caller"] in kept and edge["callee"] in kept
    )
    if focus not in graph:
        return set()
    behind = nx.single_source_shortest_path_length(graph, focus, cutoff=depth)
    before = nx.single_source_shortest_path_length(graph.reverse(copy=False), focus, cutoff=depth)
    return {*behind, *before}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def merged(documents: list[NoteDocument], notes: Notes) -> list[NoteDocument]:
    """Both together, by code."""
    return sorted([*documents, *notes.documents()], key=lambda note: note["code"])
