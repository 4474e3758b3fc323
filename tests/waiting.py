"""Critical path and self time, slow and obvious, as Jaeger describes them: over plain spans, without traceviz.

A span is `{"id": 3, "parent": 1, "kind": "client", "start": 4, "end": 9}`; a root has the parent None. Times are whole
numbers in any unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Plain = dict[str, Any]
Section = tuple[int, int, int]


def critical_path(spans: list[Plain]) -> list[Section]:
    """What every root waited for: span, from, to, the last section first."""
    roots = [span for span in spans if span["parent"] is None]
    return [section for root in roots for section in _path(_cut(root, root["start"], root["end"], spans))]


def _cut(span: Plain, start: int, end: int, spans: list[Plain]) -> Plain:
    """The span with its time, and its children cut to that; what lies outside is dropped with its descendants, and so
    is a consumer beneath its producer."""
    children = []
    for child in sorted((child for child in spans if child["parent"] == span["id"]), key=_begun):
        passed_on = span["kind"] == "producer" and child["kind"] == "consumer"
        outside = child["start"] >= end or (child["start"] < start and child["end"] <= start)
        if not passed_on and not outside:
            children.append(_cut(child, max(child["start"], start), min(child["end"], end), spans))
    return {"id": span["id"], "start": start, "end": end, "children": children}


def _begun(span: Plain) -> tuple[int, int]:
    return span["start"], span["id"]


def _path(span: Plain) -> Iterator[Section]:
    """From the end of the span backwards: it was at work after its last child, and waited for that one before; then the
    same with the last child that had ended before that one began."""
    at = span["end"]
    child = _last(span["children"])
    while child is not None:
        if child["end"] != at:
            yield span["id"], child["end"], at
        yield from _path(child)
        at = child["start"]
        child = _last(other for other in span["children"] if other["end"] < at)
    if span["start"] != at:
        yield span["id"], span["start"], at


def _last(children: Iterable[Plain]) -> Plain | None:
    """The child that ended last; of several the one that began first."""
    return max(children, key=lambda child: child["end"], default=None)


def self_times(spans: list[Plain]) -> dict[int, int]:
    """Of every span the moments of its time at which none of its children was at work; consumers hold nobody up."""
    return {
        span["id"]: sum(
            not any(
                child["start"] <= moment < child["end"]
                for child in spans
                if child["parent"] == span["id"] and child["kind"] != "consumer"
            )
            for moment in range(span["start"], span["end"])
        )
        for span in spans
    }
