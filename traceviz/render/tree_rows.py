"""What a drawing of a trace has a line or a node for: its calls, or its spans, in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traceviz.documents import TreeCall, TreeDocument, TreeSpan
from traceviz.render.words import counted, name, shorten

#: A reason is a code of CONTRACT, a flag a word; whatever else stands there is cut.
WORD_CELLS = 40

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A call, or a span; `parent` is the place of another row before it. Times are in ms from the trace's start.

    `caller` is given where it is not the callee of the parent. `working` is when its callee was seen at work, nothing
    where it was not seen at all (`unseen`). `signs` are status and flags, `broken` the reason why an error started
    here, `why` the same with place and blame, both empty elsewhere. `span_id` is one of its spans. Names
    are as strangers wrote them.
    """

    parent: int | None
    depth: int
    caller: str | None
    name: str
    operation: str
    role: str | None
    start_ms: float
    duration_ms: float
    server_ms: float | None
    gap_ms: float | None
    self_ms: float | None
    working: tuple[Interval, ...]
    protocol: str | None
    attempts: int
    failed_attempts: int
    signs: tuple[str, ...]
    broken: str
    why: str
    error: bool
    failing: bool
    critical: bool
    asynchronous: bool
    unseen: bool
    span_id: str | None

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.duration_ms


def rows_of(document: TreeDocument, spans: bool) -> list[TreeRow]:
    """A row for every call, or for every span; spans as well where the trace holds no call."""
    if spans or not document["calls"]:
        return [_of_span(span) for span in document["spans"]]
    return [_of_call(call, document) for call in document["calls"]]


def _of_call(call: TreeCall, document: TreeDocument) -> TreeRow:
    above = None if call["parent"] is None else document["calls"][call["parent"]]["callee"]
    proof = [document["spans"][place] for place in call["spans"]]
    halves = [span for span in proof if span["role"] == "callee"]
    unseen = call["seen_from"] == "caller"
    return TreeRow(
        parent=call["parent"],
        depth=call["depth"],
        caller=call["caller"] if call["caller"] != above else None,
        name=call["callee"],
        operation=call["operation"],
        role=None,
        start_ms=call["start_ms"],
        duration_ms=call["duration_ms"],
        server_ms=call["server_ms"],
        gap_ms=call["gap_ms"],
        self_ms=call["self_ms"],
        working=() if unseen else _intervals(halves or [call]),
        protocol=call["protocol"],
        attempts=call["attempts"],
        failed_attempts=call["failed_attempts"],
        signs=_signs(call),
        broken=_reason(call) if call["failing"] else "",
        why=_why(call),
        error=call["error"],
        failing=call["failing"],
        critical=call["on_critical_path"],
        asynchronous=call["kind"] == "async",
        unseen=unseen,
        span_id=proof[0]["span_id"] if proof else None,
    )


def _of_span(span: TreeSpan) -> TreeRow:
    return TreeRow(
        parent=span["parent"],
        depth=span["depth"],
        caller=None,
        name=span["service"],
        operation=span["operation"],
        role=span["role"],
        start_ms=span["start_ms"],
        duration_ms=span["duration_ms"],
        server_ms=None,
        gap_ms=None,
        self_ms=span["self_ms"],
        working=_intervals([span]),
        protocol=None,
        attempts=1,
        failed_attempts=0,
        signs=_signs(span),
        broken="broke here" if span["failing"] else "",
        why="",
        error=span["error"],
        failing=span["failing"],
        critical=span["on_critical_path"],
        asynchronous=span["kind"] in ("producer", "consumer"),
        unseen=False,
        span_id=span["span_id"],
    )


def _intervals(parts: Sequence[TreeSpan | TreeCall]) -> tuple[Interval, ...]:
    return tuple((part["start_ms"], part["start_ms"] + part["duration_ms"]) for part in parts)


def _signs(of: TreeCall | TreeSpan) -> tuple[str, ...]:
    return tuple(
        shorten(name(word), WORD_CELLS) for word in (of["status"], *of["flags"]) if word is not None and word != "-"
    )


def _reason(call: TreeCall) -> str:
    return shorten(name(call["reason"] or "unknown"), WORD_CELLS)


def _why(call: TreeCall) -> str:
    """`fault-injected, seen at caller-proxy, look first at reviews`, empty where nothing broke here."""
    if not call["failing"]:
        return ""
    parts = [_reason(call)]
    if call["where"] is not None:
        parts.append(f"at the {shorten(name(call['where']).replace('-', ' '), WORD_CELLS)}")
    if call["blame"] is not None:
        parts.append(f"look first at {shorten(name(call['blame']), WORD_CELLS)}")
    return ", ".join(parts)


def telling(row: TreeRow) -> str:
    """The operation, empty where there is none, and where it only repeats whom the call went to:
    `reviews.default.svc.cluster.local:9080/*`."""
    if not row.operation:
        return ""
    operation = name(row.operation)
    host = operation.removesuffix("/*").partition(":")[0]
    if "/" not in operation.removesuffix("/*") and host.split(".")[0] == name(row.name).split(".")[0]:
        return ""
    return "" if operation == name(row.name) else operation


def attempts(row: TreeRow) -> str:
    """`3 attempts, 2 failed`, empty for one."""
    if row.attempts < 2:
        return ""
    return counted(row.attempts, "attempt") + (f", {row.failed_attempts} failed" if row.failed_attempts else "")


def children(rows: Sequence[TreeRow]) -> list[list[int]]:
    """For every row the places of those below it."""
    below: list[list[int]] = [[] for _ in rows]
    for place, row in enumerate(rows):
        if row.parent is not None:
            below[row.parent].append(place)
    return below
