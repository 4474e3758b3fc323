"""The recorded traces of the demo: both of Jaeger's JSON shapes side by side, searched as its memory store does."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

#: A JSON object as Jaeger wrote it.
Json = dict[str, Any]

_KINDS = {0: "", 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """What a search looks at. All conditions of a search must hold for the same span."""

    service: str
    operation: str
    kind: str
    start_ns: int
    duration_ns: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordedTrace:
    """One trace: its object in v1's `data`, its objects in v3's `resourceSpans`, and its spans for searching."""

    trace_id: str
    v1: Json
    v3: list[Json]
    spans: list[RecordedSpan]


@dataclass(frozen=True, slots=True)
class Search:
    """What spans are looked for; times are inclusive, empty text and None are no condition."""

    service: str
    operation: str = ""
    from_ns: int = 0
    to_ns: int = 2**63 - 1
    min_duration_ns: int = 0
    max_duration_ns: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def finds(self, span: RecordedSpan) -> bool:
        """Whether the span meets every condition."""
        return (
            span.service == self.service
            and self.operation in ("", span.operation)
            and self.from_ns <= span.start_ns <= self.to_ns
            and span.duration_ns >= self.min_duration_ns
            and (self.max_duration_ns is None or span.duration_ns <= self.max_duration_ns)
            and all(span.tags.get(key) == value for key, value in self.tags.items())
        )


class Recording:
    """Recorded traces in the order the Jaeger had them, the newest first.

    `v1` is the whole answer of /api/traces and `v3` that of /api/v3/traces for the same traces, where every resource
    span belongs to one trace, as Jaeger writes them. With `ends_at_ns` all times are moved so that the last span ends
    then (to a µs, so that both shapes stay equal); without it they stay as recorded.
    """

    def __init__(self, v1: Json, v3: Json, ends_at_ns: int | None = None) -> None:
        resource_spans: list[Json] = v3["result"]["resourceSpans"]
        last_ns = max(int(span["endTimeUnixNano"]) for span in _v3_spans(resource_spans))
        if ends_at_ns is not None:
            shift_us = (ends_at_ns - last_ns) // 1000
            _shift_v1(v1["data"], shift_us)
            _shift_v3(resource_spans, shift_us * 1000)
        by_trace: dict[str, list[Json]] = {trace["traceID"]: [] for trace in v1["data"]}
        for group in resource_spans:
            by_trace[group["scopeSpans"][0]["spans"][0]["traceId"]].append(group)
        self.traces = [
            RecordedTrace(trace["traceID"], trace, by_trace[trace["traceID"]], _searchable(by_trace[trace["traceID"]]))
            for trace in v1["data"]
        ]
        self.from_ns = min(span.start_ns for trace in self.traces for span in trace.spans)
        self.to_ns = max(span.start_ns + span.duration_ns for trace in self.traces for span in trace.spans)

    @classmethod
    def from_gzip(cls, v1: bytes, v3: bytes, ends_at_ns: int | None = None) -> Recording:
        """The recording of two gzipped answers."""
        return cls(json.loads(gzip.decompress(v1)), json.loads(gzip.decompress(v3)), ends_at_ns)

    @classmethod
    def packaged(cls, ends_at_ns: int | None = None) -> Recording:
        """The recording that comes with the package."""
        folder = resources.files("traceviz.demo") / "recording"
        return cls.from_gzip((folder / "v1.json.gz").read_bytes(), (folder / "v3.json.gz").read_bytes(), ends_at_ns)

    def services(self) -> list[str]:
        """Every service with a span, and `jaeger`, which traces itself."""
        return sorted({span.service for trace in self.traces for span in trace.spans} | {"jaeger"})

    def operations(self, service: str, kind: str = "") -> list[tuple[str, str]]:
        """(operation, kind) of the spans of a service, of one kind or of all."""
        spans = (span for trace in self.traces for span in trace.spans)
        return sorted({(s.operation, s.kind) for s in spans if s.service == service and kind in ("", s.kind)})

    def search(self, search: Search, limit: int) -> list[RecordedTrace]:
        """The newest `limit` traces with a span that meets every condition."""
        return [trace for trace in self.traces if any(map(search.finds, trace.spans))][:limit]

    def trace(self, trace_id: str) -> RecordedTrace | None:
        """The trace of an id, with or without leading zeros."""
        return next((trace for trace in self.traces if trace.trace_id.zfill(32) == trace_id.lower().zfill(32)), None)


def _v3_spans(resource_spans: Iterable[Json]) -> Iterator[Json]:
    return (span for group in resource_spans for scope in group["scopeSpans"] for span in scope["spans"])


def _shift_v1(traces: Iterable[Json], shift_us: int) -> None:
    for trace in traces:
        for span in trace["spans"]:
            span["startTime"] += shift_us
            for log in span["logs"]:
                log["timestamp"] += shift_us


def _shift_v3(resource_spans: Iterable[Json], shift_ns: int) -> None:
    for span in _v3_spans(resource_spans):
        for key in ("startTimeUnixNano", "endTimeUnixNano"):
            span[key] = str(int(span[key]) + shift_ns)
        for event in span.get("events", ()):
            event["timeUnixNano"] = str(int(event["timeUnixNano"]) + shift_ns)


def _searchable(resource_spans: Iterable[Json]) -> list[RecordedSpan]:
    spans = []
    for group in resource_spans:
        service = _texts(group["resource"]["attributes"]).get("service.name", "")
        for span in _v3_spans([group]):
            start_ns = int(span["startTimeUnixNano"])
            spans.append(
                RecordedSpan(
                    service=service,
                    operation=span["name"],
                    kind=_KINDS[span.get("kind", 0)],
                    start_ns=start_ns,
                    duration_ns=int(span["endTimeUnixNano"]) - start_ns,
                    tags=_texts(span.get("attributes", ())),
                )
            )
    return spans


def _texts(attributes: Iterable[Json]) -> dict[str, str]:
    """Attributes whose value is text. An error is a status in v3, no attribute, so no tag finds it; nor in Jaeger."""
    return {a["key"]: a["value"]["stringValue"] for a in attributes if "stringValue" in a["value"]}
