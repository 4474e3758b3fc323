"""What changed, as a person reads it in a terminal: the edges that differ, and a sentence on each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from traceviz.documents import DiffDocument, DiffEdge, DiffSide
from traceviz.render import table
from traceviz.render.arrangement import Arrangement
from traceviz.render.diff_words import facts, verdict, worst_first
from traceviz.render.export import DIFF_COLUMNS
from traceviz.render.text import (
    NARROWEST,
    UNCUT,
    bare_rows,
    columns_shown,
    counts_read,
    rows_shown,
    sentences,
    source_line,
    wrapped,
    written,
)
from traceviz.render.words import counted, name, shorten

#: So many changed edges get a sentence; the table has all of them.
_SENTENCES = 20
_INDENT = "        "
_STYLES = {"worse": "bold red", "removed": "yellow", "added": "cyan", "better": "green", "same": ""}


def diff_text(document: DiffDocument, width: int, color: bool, wide: bool, arranged: Arrangement) -> str:
    """One line an edge that differs, the worst first, then a sentence on each; `*` marks what is beyond chance.

    Edges that are the same are counted, and shown with `wide`. All else is as in `graph_table`.
    """
    edges = arranged.ordered(sorted(document["edges"], key=worst_first))
    shown = edges if wide else [edge for edge in edges if edge["change"] != "same"]
    styles = [_STYLES[edge["change"]] for edge in shown]
    columns = columns_shown(arranged, table.DIFF, DIFF_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(shown, columns, styles, color)
    width = max(width, NARROWEST)
    lines = [*_side("before", document["before"], width), *_side("after", document["after"], width), Text()]
    lines += sentences([verdict(document)], width)
    if shown:
        marks = ["* " if edge["significant"] else "  " for edge in shown]
        lines += rows_shown(shown, columns, UNCUT if wide else width, marks, styles)
    if wide or arranged.columns:
        return written(lines, width, color)
    for edge in shown[:_SENTENCES]:
        lines += [Text(), *wrapped(_sentence(edge), width, "", after="  ")]
    if len(shown) > _SENTENCES:
        lines += [Text(), Text(f"… and {counted(len(shown) - _SENTENCES, 'more edge')} in the table above")]
    return written([*lines, *_signs_explained(shown, document, width)], width, color)


def _side(which: str, side: DiffSide, width: int) -> list[Text]:
    """Where a side came from, of which time it is, and what was read."""
    room = width - len(_INDENT)
    version = side.get("version")
    lines = [] if version is None else [Text(f"version {shorten(name(version), room)}")]
    lines += source_line(side, room) if version is None or which == "before" else []
    lines += wrapped(counts_read(side["counts"]), room, "")
    return [Text(f"{which if not number else '':<{len(_INDENT)}}") + line for number, line in enumerate(lines)]


def _sentence(edge: DiffEdge) -> str:
    """`a → b is worse: p95 4.2 ms → 8.6 ms (×2.1), p50 3.3 ms → 6.7 ms (×2), 0 % err, 66 → 70 calls`"""
    ends = f"{shorten(name(edge['caller']), 40)} → {shorten(name(edge['callee']), 40)}"
    was = "was " if edge["change"] in ("added", "removed") else "is "
    chance = "" if edge["significant"] else ", which may be chance"
    return f"{ends} {was}{edge['change']}{chance}: {', '.join(facts(edge))}"


def _signs_explained(shown: Sequence[DiffEdge], document: DiffDocument, width: int) -> list[Text]:
    said = []
    if any(edge["significant"] for edge in shown):
        said.append("* beyond chance: less than 5 % for all tests of this comparison together")
    if document["changes"]["same"]:
        said.append(f"{counted(document['changes']['same'], 'edge')} not shown: -o wide, csv and json have all")
    return [Text(), *sentences(said, width, "dim")] if said else []
