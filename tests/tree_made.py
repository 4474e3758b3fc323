"""Hand-made documents of `traceviz tree`: a trace as a list of calls, for the tests of its drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.documents_made import graph
from traceviz.documents import TreeCall, TreeDocument, TreeSpan

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Call:
    """A call to be: `start` and `ms` are the caller's; the callee works from 1/10 to 9/10 of it, with `seen` False it
    was not seen. `more` are fields of TreeCall."""

    callee: str
    start: float = 0.0
    ms: float = 10.0
    below: list[Call] = field(default_factory=list)
    seen: bool = True
    more: dict[str, Any] = field(default_factory=dict)


def call(callee: str, *below: Call, start: float = 0.0, ms: float = 10.0, seen: bool = True, **more: Any) -> Call:
    """`call("a", call("b"), ms=5)`"""
    return Call(callee, start, ms, list(below), seen, more)


def broken(callee: str, *below: Call, **more: Any) -> Call:
    """A call in which an error started: an injected 504 where nothing else is said."""
    given: dict[str, Any] = {
        "error": True,
        "failing": True,
        "status": "504",
        "flags": ["FI"],
        "reason": "fault-injected",
    }
    return call(callee, *below, **(given | {"where": "caller-proxy", "blame": callee} | more))


def failed(callee: str, *below: Call, **more: Any) -> Call:
    """A call that failed because of one below it."""
    given: dict[str, Any] = {"error": True, "status": "500", **more}
    return call(callee, *below, **given)


def tree(*roots: Call, caller: str | None = "istio-ingress", text: str | None = None, **more: Any) -> TreeDocument:
    """The document of these calls, in drawing order; `more` are its fields."""
    calls: list[TreeCall] = []
    spans: list[TreeSpan] = []
    waiting: list[tuple[Call, int | None, int, str | None]] = [(one, None, 0, caller) for one in reversed(roots)]
    while waiting:
        one, parent, depth, by = waiting.pop()
        here = len(calls)
        calls.append(_call(one, parent, depth, by, len(spans)))
        spans += _spans(one, calls, here)
        waiting += [(lower, here, depth + 1, one.callee) for lower in reversed(one.below)]
    head: Any = graph([], service=None, traces=1, failed=int(any(one["error"] for one in calls if not one["depth"])))
    for gone in ("nodes", "edges", "cycles"):
        del head[gone]
    head["schema"] = "traceviz/tree/1"
    head["counts"] |= {"spans": len(spans), "services": len({one["service"] for one in spans})}
    duration = max((one["start_ms"] + one["duration_ms"] for one in spans), default=0.0)
    document: Any = {
        **head,
        "trace_id": TRACE,
        "duration_ms": duration,
        "spans": spans,
        "calls": calls,
        "text": text,
        "link": None,
    }
    return document | more  # type: ignore[no-any-return]


def _call(one: Call, parent: int | None, depth: int, caller: str | None, first_span: int) -> TreeCall:
    made: Any = {
        "parent": parent,
        "depth": depth,
        "caller": caller,
        "callee": one.callee,
        "kind": "sync",
        "seen_from": "both" if one.seen else "caller",
        "operation": "GET /",
        "start_ms": one.start,
        "duration_ms": one.ms,
        "server_ms": one.ms * 0.8 if one.seen else None,
        "gap_ms": one.ms * 0.2 if one.seen else None,
        "self_ms": one.ms * 0.4 if one.seen else None,
        "attempts": 1,
        "failed_attempts": 0,
        "error": False,
        "status": "200",
        "flags": [],
        "protocol": "http",
        "on_critical_path": False,
        "failing": False,
        "reason": None,
        "where": None,
        "blame": None,
        "spans": list(range(first_span, first_span + 1 + one.seen)),
    }
    return made | one.more  # type: ignore[no-any-return]


def _spans(one: Call, calls: Sequence[TreeCall], here: int) -> list[TreeSpan]:
    """The caller's half, and the callee's where it was seen."""
    above = calls[here]["parent"]
    half: Any = {
        "span_id": f"{2 * here:016x}",
        "parent": None if above is None else calls[above]["spans"][-1],
        "depth": 2 * calls[here]["depth"],
        "service": calls[here]["caller"] or "user",
        "operation": calls[here]["operation"],
        "kind": "client",
        "role": "caller",
        "start_ms": one.start,
        "duration_ms": one.ms,
        "self_ms": one.ms * 0.2,
        "error": calls[here]["error"],
        "status": calls[here]["status"],
        "flags": calls[here]["flags"],
        "on_critical_path": calls[here]["on_critical_path"],
        "failing": calls[here]["failing"],
        "call": here,
    }
    other = half | {
        "span_id": f"{2 * here + 1:016x}",
        "parent": calls[here]["spans"][0],
        "depth": half["depth"] + 1,
        "service": one.callee,
        "kind": "server",
        "role": "callee",
        "start_ms": one.start + one.ms * 0.1,
        "duration_ms": one.ms * 0.8,
    }
    return [half, other] if one.seen else [half]


def chain(length: int, **last: Any) -> TreeDocument:
    """Each service calls the next; `last` are fields of the deepest call."""
    calls = [call(f"s{number}", start=number * 0.001, ms=100.0) for number in range(length)]
    calls[-1].more |= last
    for upper, lower in pairwise(calls):
        upper.below.append(lower)
    return tree(calls[0])
