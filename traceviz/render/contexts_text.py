"""The service tree in a terminal: every service in each context that it is called in, one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from traceviz.documents import Context, GraphDocument
from traceviz.render import table
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.export import CONTEXT_COLUMNS
from traceviz.render.palette import health
from traceviz.render.text import NARROWEST, UNCUT, graph_head, sentences, written
from traceviz.render.tree_folding import Entry
from traceviz.render.tree_guides import SHIFT, guides
from traceviz.render.words import counted, name, never_seen, nothing_found, share, shorten

#: What a folded context is called, and the least columns that names get beside their guides.
FOLDED = "… deeper calls"
LEAST_NAMES = 24
#: Levels of guides that `wide` writes before it gives numbers.
WIDE_LEVELS = 40

#: What a tree begins with, unless with requests of users.
BEGINNINGS = {
    "program": "began by itself",
    "async": "out of a queue",
    "orphan": "parent missing",
    "fragment": "fragment of a torn trace",
}

_STYLES = {"healthy": "", "some": "yellow", "failing": "bold red"}
_NUMBERS = (
    *(column for column in table.GRAPH if column.title not in ("caller", "callee", "flags")),
    table.Column(
        "self_share", lambda row: table.UNKNOWN if row["self_share"] is None else share(row["self_share"]), spare=3
    ),
    *(replace(column, spare=4) for column in table.GRAPH if column.title == "flags"),
)


@dataclass(frozen=True, slots=True)
class _Line:
    """What the guides before a line depend on."""

    critical: bool
    asynchronous: bool


def contexts_text(
    document: GraphDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a context below that of its caller; `×` marks where errors start, `-` callees never reached.

    The lines fit into `width` columns, at least 40; with `wide` all columns are written, however broad. Rows that are
    sorted or stand alone are no tree any more: there the whole way leads to each.
    """
    contexts = document.get("contexts", [])
    if arranged != AS_USUAL:
        return _rows(document, width, color, wide, arranged)
    width = max(width, NARROWEST)
    lines = graph_head(document, width)
    if not contexts:
        return written([*lines, *sentences(nothing_found(document), width)], width, color)
    depth = max(context["depth"] for context in contexts)
    lines += [*sentences([f"{counted(len(contexts), 'context')}, {counted(depth, 'call')} deep"], width), Text()]
    columns = table.every(CONTEXT_COLUMNS) if wide else _NUMBERS
    drawn, left_out = _tree(document, contexts, columns, UNCUT if wide else width)
    lines += drawn
    if left_out:
        said = f"left out for lack of room: {', '.join(left_out)} (-o wide has all columns)"
        lines += [Text(), *sentences([said], width, "dim")]
    explained = _signs_explained(document, contexts, width, times="self_share" not in left_out)
    return written([*lines, *explained], width, color)


def _tree(
    document: GraphDocument, contexts: Sequence[Context], columns: Sequence[table.Column], width: int
) -> tuple[list[Text], list[str]]:
    """The heading and a line a context, and the columns for which there was no room."""
    entries = [Entry(one["parent"], one["depth"], place, None, 0) for place, one in enumerate(contexts)]
    drawn = [_Line(critical=False, asynchronous=one["kind"] == "async") for one in contexts]
    styles = [_STYLES[health(one["error_rate"])] if one["errors"] else "" for one in contexts]
    wanted = max(len(SHIFT) * one["depth"] + cell_len(_said(contexts, one)) for one in contexts)
    left_out: list[str] = []
    while True:
        laid = table.lay_out(_fields(contexts), columns, UNCUT, [""] * len(contexts), styles)
        numbers = max(laid.heading.cell_len, *(row.cell_len for row in laid.rows))
        room = width - len("× ") - len(table.GAP) - numbers
        if room >= min(wanted, max(LEAST_NAMES, width * 2 // 5)) or not any(column.spare for column in columns):
            break
        rarest = max(column.spare for column in columns)
        left_out += [column.title for column in columns if column.spare == rarest]
        columns = [column for column in columns if column.spare != rarest]
    room = max(min(wanted, room), table.LEAST_NAME + len(SHIFT))
    levels = WIDE_LEVELS if room >= wanted else max(2, (room - cell_len(FOLDED)) // len(SHIFT))
    lines = [Text("  " + "context".ljust(room) + table.GAP, style="bold").append_text(laid.heading)]
    marks = [_mark(document, one) for one in contexts]
    for one, mark, led, style, row in zip(
        contexts, marks, guides(entries, drawn, levels), styles, laid.rows, strict=True
    ):
        line = Text().append(mark, style).append(led, "dim")
        line.append(shorten(_said(contexts, one), max(len(mark) + room - line.cell_len, table.LEAST_NAME // 2)), style)
        line.append(" " * max(0, len(mark) + room - line.cell_len) + table.GAP)
        lines.append(line.append_text(row))
    return lines, left_out


def _said(contexts: Sequence[Context], one: Context) -> str:
    """The name of a line, and what its tree begins with or who else called it."""
    said = FOLDED if one["node"] is None else name(one["node"])
    if one["start"] is not None:
        return f"{said} ({BEGINNINGS[one['start']]})" if one["start"] in BEGINNINGS else said
    parent = None if one["parent"] is None else contexts[one["parent"]]["node"]
    between = one["caller"] is not None and parent is not None and one["caller"] != parent
    return f"{said} (called by {name(one['caller'] or '')})" if between else said


def _mark(document: GraphDocument, one: Context) -> str:
    if one["failing_hop"]:
        return "× "
    return "- " if unseen(document, one) else "  "


def unseen(document: GraphDocument, one: Context) -> bool:
    """Whether nothing of the callee was seen in this context."""
    nodes = {node["name"]: node for node in document["nodes"]}
    return one["parent"] is not None and one["node"] is not None and never_seen(one, nodes.get(one["node"]))


def _fields(contexts: Sequence[Context]) -> list[Mapping[str, Any]]:
    """The contexts as rows that have the fields of an edge."""
    return [{**one, "callee": one["node"]} for one in contexts]


def _signs_explained(document: GraphDocument, contexts: Sequence[Context], width: int, *, times: bool) -> list[Text]:
    marks = {_mark(document, one) for one in contexts}
    said = ["× errors start here (traceviz errors says why)"] if "× " in marks else []
    said += ["- the callee was never reached, or has no spans of its own"] if "- " in marks else []
    said += ["self_share: of the time of the whole tree what no call beneath covers"] if times else []
    return [Text(), *sentences(said, width, "dim")] if said else []


def _rows(document: GraphDocument, width: int, color: bool, wide: bool, arranged: Arrangement) -> str:
    """One row a context, led by its way, with the columns and in the order that were asked for."""
    contexts = document.get("contexts", [])
    ways: list[str] = []
    for one in contexts:
        above = "" if one["parent"] is None else f"{ways[one['parent']]} → "
        ways.append(above + (FOLDED if one["node"] is None else name(one["node"])))
    rows = arranged.ordered([{**row, "context": way} for row, way in zip(_fields(contexts), ways, strict=True)])
    way = table.Column("context", lambda row: str(row["context"]), right=False, flexible=True)
    columns = (way, *_columns(arranged, wide))
    styles = [_STYLES[health(row["error_rate"])] if row["errors"] else "" for row in rows]
    if not arranged.headings:
        laid = table.lay_out(rows, table.bare(columns), UNCUT, [""] * len(rows), styles)
        return written(laid.rows, UNCUT, color)
    width = max(width, NARROWEST)
    laid = table.lay_out(rows, columns, UNCUT if wide else width, [""] * len(rows), styles)
    return written([*graph_head(document, width), Text(), laid.heading, *laid.rows], width, color)


def _columns(arranged: Arrangement, wide: bool) -> tuple[table.Column, ...]:
    if wide:
        return table.every(arranged.titles(CONTEXT_COLUMNS))
    if arranged.columns or arranged.more:
        return table.chosen(arranged.titles([column.title for column in _NUMBERS]), _NUMBERS)
    return _NUMBERS
