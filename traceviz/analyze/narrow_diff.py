"""A diff document ▸ a smaller one, as `narrow` makes graphs smaller: around one node, or without some."""

from __future__ import annotations

from collections.abc import Sequence

from traceviz.analyze.diff import changes_of
from traceviz.analyze.narrow import chosen, merged
from traceviz.documents import DiffDocument
from traceviz.notes import Notes


def narrow_diff(
    document: DiffDocument, *, hide: Sequence[str] = (), focus: str | None = None, depth: int = 1
) -> DiffDocument:
    """The part of the comparison that was asked for, with a note on what was left out. What is chance stays as it was
    judged among all edges. Raises NothingFound where `focus` or a name in `hide` is no node."""
    if not hide and focus is None:
        return document
    notes = Notes()
    kept = chosen(document, notes, hide=hide, focus=focus, depth=depth)
    edges = [edge for edge in document["edges"] if edge["caller"] in kept and edge["callee"] in kept]
    return {
        **document,
        "nodes": [node for node in document["nodes"] if node["name"] in kept],
        "edges": edges,
        "changes": changes_of(edges),
        "notes": merged(document["notes"], notes),
    }
