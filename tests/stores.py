"""Traces behind both of Jaeger's APIs, as its storages choose them: what `limit` picks, how exact a window is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unruly import Behaviour, Exchange
from traceviz.demo.answers import Answer
from traceviz.when import parse_instant

PLAIN = "text/plain; charset=utf-8"
US = 1000
MS = 10**6


@dataclass(frozen=True)
class StoredSpan:
    """A span; `parent` is the place of another one in its trace."""

    service: str
    start_us: int
    parent: int | None = None
    duration_us: int = 1


@dataclass(frozen=True)
class Stored:
    """A trace."""

    trace_id: str
    spans: tuple[StoredSpan, ...]

    @property
    def start_us(self) -> int:
        return min(span.start_us for span in self.spans)

    def found(self, service: str, from_ns: int, to_ns: int) -> list[int]:
        """The starts of the spans of a service in a window, ends included."""
        return [s.start_us for s in self.spans if s.service == service and from_ns <= s.start_us * US <= to_ns]


@dataclass(frozen=True)
class Asked:
    """A search."""

    service: str
    from_ns: int
    to_ns: int
    limit: int


#: The traces as they were stored, the last one the newest, and a search ▸ what comes.
Storage = Callable[[Sequence[Stored], Asked], list[Stored]]


def memory(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """The memory store, Badger: those that were stored last."""
    found = [trace for trace in traces if trace.found(asked.service, asked.from_ns, asked.to_ns)]
    return found[::-1][: asked.limit]


def elasticsearch(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """Those whose newest span that was found is newest; whole ms, both ends included."""
    from_ns, to_ns = asked.from_ns // MS * MS, asked.to_ns // MS * MS + MS - 1
    newest = [(max(found), trace) for trace in traces if (found := trace.found(asked.service, from_ns, to_ns))]
    newest.sort(key=lambda item: (-item[0] // 1000, item[1].trace_id))
    return [trace for _, trace in newest][: asked.limit]


def cassandra(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """The newest spans of an index, three for each trace asked for, and any of the traces that these are of; neither
    end included, whole µs."""
    from_ns, to_ns = (asked.from_ns // US + 1) * US, (asked.to_ns // US - 1) * US
    rows = [(us, trace) for trace in traces for us in trace.found(asked.service, from_ns, to_ns)]
    rows.sort(key=lambda row: (-row[0], row[1].trace_id))
    unique = {trace.trace_id: trace for _, trace in rows[: 3 * asked.limit]}
    return _any(list(unique.values()), asked)


def clickhouse(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """Any that are found."""
    return _any([trace for trace in traces if trace.found(asked.service, asked.from_ns, asked.to_ns)], asked)


def end_excluded(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """A storage that takes the end as v3's documentation has it."""
    return memory(traces, Asked(asked.service, asked.from_ns, asked.to_ns - 1, asked.limit))


def looks_at_no_window(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """Something that knows services and limits."""
    return memory(traces, Asked(asked.service, 0, 2**63 - 1, asked.limit))


def looks_at_no_limit(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
    """Something that knows services and windows."""
    return memory(traces, Asked(asked.service, asked.from_ns, asked.to_ns, 2**31))


def cutting(around_us: int) -> Storage:
    """Elasticsearch where traces are longer than it expects: spans farther from the window than this are missing."""

    def storage(traces: Sequence[Stored], asked: Asked) -> list[Stored]:
        first, last = asked.from_ns // US - around_us, asked.to_ns // US + around_us
        near = []
        for trace in elasticsearch(traces, asked):
            kept = tuple(span if first <= span.start_us <= last else StoredSpan("", 0, None, 0) for span in trace.spans)
            near.append(Stored(trace.trace_id, kept))
        return near

    return storage


def _any(found: list[Stored], asked: Asked) -> list[Stored]:
    # Another pick for every question, and the same one whenever it is asked.
    dice = random.Random(f"{asked.service} {asked.from_ns} {asked.to_ns} {len(found)}")
    return dice.sample(found, min(asked.limit, len(found)))


@dataclass
class Store:
    """Traces in a storage that takes limits up to `most`, as they answer HTTP. `searches` are those that were asked."""

    storage: Storage
    traces: Sequence[Stored]
    most: int = 10_000
    searches: list[Asked] = field(default_factory=list)

    @property
    def services(self) -> list[str]:
        return sorted({span.service for trace in self.traces for span in trace.spans})

    def of(self, path: str) -> Answer:
        """The answer to a GET."""
        route, query = urlsplit(path)[2:4]
        is_v3 = route.startswith("/api/v3/")
        form = _v3 if is_v3 else _v1
        if route.endswith("/services"):
            return Answer(200, PLAIN, json.dumps({"services" if is_v3 else "data": self.services}).encode())
        if route.endswith("/traces"):
            asked = _asked(parse_qs(query), is_v3)
            self.searches.append(asked)
            if asked.limit > self.most:
                return _failed("search depth must be greater than 0 and less than max traces", is_v3)
            return form(self.storage(self.traces, asked))
        return form([trace for trace in self.traces if trace.trace_id == route.rpartition("/")[2].zfill(32)])

    @property
    def behaves(self) -> Behaviour:
        """For `unruly`."""

        def behave(exchange: Exchange) -> None:
            exchange.send(self.of(exchange.path))

        return behave


def _asked(parameters: dict[str, list[str]], is_v3: bool) -> Asked:
    given = {name: values[0] for name, values in parameters.items()}
    if is_v3:
        first, last = (parse_instant(given[f"query.start_time_{end}"], 0) for end in ("min", "max"))
        return Asked(given["query.service_name"], first, last, int(given["query.num_traces"]))
    return Asked(given["service"], int(given["start"]) * US, int(given["end"]) * US, int(given["limit"]))


def _failed(message: str, is_v3: bool) -> Answer:
    errors = {"error": {"httpCode": 500, "message": message}} if is_v3 else {"errors": [{"code": 500, "msg": message}]}
    return Answer(500, PLAIN, json.dumps(errors).encode())


def _v1(traces: Sequence[Stored]) -> Answer:
    data = [
        {
            "traceID": trace.trace_id,
            "spans": [
                {
                    "traceID": trace.trace_id,
                    "spanID": f"{i + 1:016x}",
                    "operationName": "op",
                    "references": [
                        {"refType": "CHILD_OF", "traceID": trace.trace_id, "spanID": f"{span.parent + 1:016x}"}
                    ]
                    if span.parent is not None
                    else [],
                    "startTime": span.start_us,
                    "duration": span.duration_us,
                    "tags": [],
                    "logs": [],
                    "processID": f"p{i}",
                }
                for i, span in enumerate(trace.spans)
                if span.service
            ],
            "processes": {f"p{i}": {"serviceName": span.service, "tags": []} for i, span in enumerate(trace.spans)},
        }
        for trace in traces
    ]
    return Answer(200, "application/json", _json({"data": data, "errors": None}))


def _v3(traces: Sequence[Stored]) -> Answer:
    groups = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": span.service}}]},
            "scopeSpans": [{"spans": [_v3_span(trace, i, span)]}],
        }
        for trace in traces
        for i, span in enumerate(trace.spans)
        if span.service
    ]
    if not groups:
        return Answer(404, PLAIN, _json({"error": {"httpCode": 404, "message": "No traces found"}}))
    return Answer(200, PLAIN, _json({"result": {"resourceSpans": groups}}))


def _v3_span(trace: Stored, i: int, span: StoredSpan) -> dict[str, Any]:
    parent = {} if span.parent is None else {"parentSpanId": f"{span.parent + 1:016x}"}
    return {
        "traceId": trace.trace_id,
        "spanId": f"{i + 1:016x}",
        **parent,
        "name": "op",
        "startTimeUnixNano": str(span.start_us * US),
        "endTimeUnixNano": str((span.start_us + span.duration_us) * US),
    }


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
