"""The documents as data: JSON as CONTRACT says, and CSV with the same names, dotted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

from traceviz.documents import AnyDocument, Cause, Finding, SlowHop, TreeCall, TreeSpan
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.words import REPLACEMENT
from traceviz.rows import value

_SURROGATES = re.compile("[\ud800-\udfff]")
#: Control characters, marks that turn the writing or cannot be seen, ends of lines that are none in JSON.
_STEERING = re.compile("[\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_UNWRITABLE = re.compile("[\ud800-\udfff\0]")
_NEEDS_QUOTES = re.compile('[",\r\n]')
#: A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

_TIMES = ("count", "mean", "p50", "p90", "p95", "p99", "max")
GRAPH_COLUMNS: tuple[str, ...] = (
    "caller",
    "callee",
    "kind",
    "seen_from",
    "calls",
    "errors",
    "error_rate",
    "calls_per_s",
    "attempts",
    "failed_attempts",
    "unanswered",
    *(f"{side}_ms.{part}" for side in ("client", "server", "gap") for part in _TIMES),
    "statuses",
    "flags",
    "protocol",
    "failing_hop",
    "examples.error",
    "examples.slowest",
)
ERRORS_COLUMNS: tuple[str, ...] = (
    "rank",
    "caller",
    "callee",
    "callers",
    "where",
    "reason",
    "blame",
    "traces",
    "calls",
    "failed_traces",
    "absorbed_traces",
    "absorbed_by",
    "explains",
    "score",
    "statuses",
    "flags",
    "concentrated_in",
    "first",
    "last",
    "chain",
    "text",
    "examples",
    "request_ids",
    "links",
)
SLOW_COLUMNS: tuple[str, ...] = tuple(
    column
    for field in SlowHop.__annotations__
    for column in ([f"{field}.{part}" for part in _TIMES] if field in ("self_ms", "baseline_ms") else [field])
)
WHY_COLUMNS: tuple[str, ...] = tuple(Cause.__annotations__)
DOCTOR_COLUMNS: tuple[str, ...] = tuple(Finding.__annotations__)
SERVICES_COLUMNS: tuple[str, ...] = ("name", "node")
OPERATIONS_COLUMNS: tuple[str, ...] = ("service", "name", "kind")
TREE_COLUMNS: tuple[str, ...] = tuple(TreeSpan.__annotations__)
TREE_CALL_COLUMNS: tuple[str, ...] = tuple(TreeCall.__annotations__)

CONTEXT_COLUMNS: tuple[str, ...] = (
    *("parent", "depth", "node", "start", "caller"),
    *GRAPH_COLUMNS[2:-6],
    *(f"self_ms.{part}" for part in _TIMES),
    "self_share",
    *GRAPH_COLUMNS[-6:],
)

DIFF_COLUMNS: tuple[str, ...] = (
    *("caller", "callee", "kind", "change", "significant", "error_rate_delta", "p50_ratio", "p95_ratio"),
    *("changed", "p_value", "times_from"),
    *(f"{side}.{column}" for side in ("before", "after") for column in GRAPH_COLUMNS[2:]),
)

#: The main list of every document, which is what a table shows, and the columns of its rows.
_COLUMNS = {
    "contexts": CONTEXT_COLUMNS,
    "edges": GRAPH_COLUMNS,
    "failing_hops": ERRORS_COLUMNS,
    "slow_hops": SLOW_COLUMNS,
    "causes": WHY_COLUMNS,
    "findings": DOCTOR_COLUMNS,
    "spans": TREE_COLUMNS,
    "services": SERVICES_COLUMNS,
    "operations": OPERATIONS_COLUMNS,
}


def main_list(document: AnyDocument) -> str:
    """The name of the list that a document is about."""
    return next(name for name in _COLUMNS if name in document)


def to_json(document: Mapping[str, object]) -> str:
    """The document as JSON, two spaces deep, keys in the order of CONTRACT, with a line's end.

    Text stays readable UTF-8. What would steer a terminal, or turn its writing, is escaped, which is the same text to
    whoever parses it; half a surrogate pair, which UTF-8 cannot hold, becomes `�`.
    """
    return _harmless(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def to_json_line(document: AnyDocument) -> str:
    """The same on one line, without spaces: for streams of documents."""
    return _harmless(json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)) + "\n"


def _harmless(text: str) -> str:
    """JSON that can be looked at in a terminal. Python escapes the control characters below the blank itself."""
    whole = _SURROGATES.sub(REPLACEMENT, text)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", whole)


def to_csv(document: AnyDocument, arranged: Arrangement = AS_USUAL) -> str:
    """One row an edge of a graph, or an entry of another list; columns are named as in JSON, `client_ms.p95`.

    Counts become `200=31;504=35`, lists `a;b`, what is not known an empty cell, true and false those words. Values of
    spans are written by strangers: text that a spreadsheet would take for a formula (it starts with = + - @, a tab or
    a line's end) gets a `'` in front, and so does text that starts with `'`; take one leading `'` off to have the text
    back. Numbers are never touched. Half a surrogate pair and NUL become `�`.

    `arranged` says which columns, the order of the rows, and whether the names of the columns stand first.
    """
    whole = cast(Mapping[str, Sequence[Mapping[str, object]]], document)
    shown = main_list(document)
    usual = DIFF_COLUMNS if "changes" in document else _COLUMNS[shown]
    columns, rows = arranged.titles(usual), arranged.ordered(whole[shown])
    lines = [",".join(map(_quoted, columns))] if arranged.headings else []
    lines += [",".join(_quoted(_cell(value(row, column))) for column in columns) for row in rows]
    return "".join(f"{_UNWRITABLE.sub(REPLACEMENT, line)}\n" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return _guarded(";".join(f"{key}={_joined(part)}" for key, part in value.items()))
    if isinstance(value, str):
        return _guarded(value)
    return _guarded(_joined(value))


def _joined(value: object) -> str:
    """A value inside a cell: a list by `;`, a value with its share as `v3:0.97`."""
    if isinstance(value, Mapping):
        return ":".join(str(part) for part in value.values())
    return ";".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def _quoted(cell: str) -> str:
    """In quotes where a comma, a quote or any end of a line is in it; Python's csv overlooks a lone carriage return."""
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell
