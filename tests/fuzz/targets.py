"""What is fuzzed, and what must hold of it whatever the bytes are: functions from bytes to nothing, or to a failure.

No exception comes out, every stage's `self_check` holds, counts add up, nothing depends on how the stream is cut, in
which order spans stand, or whether they were read in bulk.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Iterator

import msgspec

from tests.records import Read, in_bulk, one_by_one
from traceviz.analyze.report import Report, report
from traceviz.building import SpansBuilder
from traceviz.hops import hops
from traceviz.reconstruct import reconstruct
from traceviz.sources import gather, jaeger, otlp, read_stream, zipkin
from traceviz.sources.bulk_jaeger import JAEGER
from traceviz.sources.bulk_otlp import OTLP
from traceviz.sources.fields import MAX_NS, UNREADABLE_RECORD
from traceviz.sources.reader import read_answer
from traceviz.sources.split import split
from traceviz.spans import Spans, concat

_TAGS = {
    "cluster": ("", "inbound|80||", "outbound|80||a.default.svc.cluster.local", "outbound|80||b.x.svc.cluster.local"),
    "node_id": ("", "sidecar~1.2.3.4~a-v1-5f7c8b7d9-x2x4z.default~d", "router~1.2.3.4~g-v1-5f7c8b7d9-x2x4z.sys~d"),
    "flags": ("", "-", "FI", "UT", "DC", "URX", "UF,URX", "NR", "DI"),
    "status": ("", "0", "200", "404", "503", "what"),
    "grpc": ("", "0", "4", "14"),
    "url": ("", "http://a/", "http://api.example.com/x", "//["),
    "queue": ("", "orders"),
    "db_system": ("", "redis"),
    "peer_service": ("", "a", "</script>"),
    "request_id": ("", "r1", "r2"),
    "version": ("", "v1", "v2"),
}
_SERVICES = ("", "a", "b", "a.default", "b.x", "istio-ingress")
_OPERATIONS = ("", "op", "router outbound|80||a.default.svc.cluster.local egress", "a.default.svc.cluster.local:80/*")
#: Ordinary moments, a few ns apart and hours apart, and the ends of what 64 bits hold.
_STARTS = (0, 1, *(1_700_000_000_000_000_000 + step for step in (0, 1, 1_000_000, 2_000_000, 10**13)), MAX_NS)
_DURATIONS = (0, 1, 1_000_000, 5_000_000, 20_000_000, 10**12, MAX_NS // 2, MAX_NS)
_SPAN = struct.Struct("8B")


def splitting(data: bytes) -> None:
    """The same records however the stream is cut, each a piece of it, in order; none of a good document is lost."""
    records = list(split([data]))
    for size in (1, 7, 64):
        if len(data) <= 600 or size > 1:
            assert list(split(_blocks(data, size))) == records, size
    at = 0
    for record in records:
        if record.what in ("jaeger", "otlp", "zipkin"):
            at = data.index(record.data, at) + len(record.data)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    traces = document.get("data") if isinstance(document, dict) and set(document) <= {"data", "total"} else None
    if isinstance(traces, list) and b'"data"' in data and data.count(b"data") == 1:
        known = [trace for trace in traces if isinstance(trace, dict) and trace and set(trace) <= _KEYS_OF_A_TRACE]
        assert len([record for record in records if record.what == "jaeger"]) >= len(known)


_KEYS_OF_A_TRACE = {"spans", "processes"}


def reading_jaeger(data: bytes) -> None:
    """One record of v1: each of its spans is a row or a note."""
    spans = _read(data, jaeger.read)
    trace = _decoded(data)
    listed = trace.get("spans") if isinstance(trace, dict) else None
    if isinstance(listed, list) and listed:
        assert len(spans) + spans.notes.count(UNREADABLE_RECORD) == len(listed)


def reading_otlp(data: bytes) -> None:
    """One record of OTLP: each of its spans is a row or a note."""
    spans = _read(data, otlp.read)
    resource = _decoded(data)
    if not isinstance(resource, dict):
        return
    listed = 0
    for name in ("scopeSpans", "instrumentationLibrarySpans"):
        scopes = resource.get(name)
        for scope in scopes if isinstance(scopes, list) else ():
            some = scope.get("spans") if isinstance(scope, dict) else None
            listed += len(some) if isinstance(some, list) else 0
    if listed:
        assert len(spans) + spans.notes.count(UNREADABLE_RECORD) == listed


def reading_zipkin(data: bytes) -> None:
    """One span of Zipkin's: a row or a note."""
    spans = _read(data, zipkin.read)
    assert len(spans) + spans.notes.count(UNREADABLE_RECORD) == 1


def reading_in_bulk(data: bytes) -> None:
    """Records of both forms in bulk: the rows and the notes of reading them one by one."""
    records = list(split([data]))
    for what, form in (("jaeger", JAEGER), ("otlp", OTLP)):
        some = [record.data for record in records if record.what == what]
        assert _told(in_bulk(some, form)) == _told(one_by_one(some, form.read))
    assert _told(read_answer(data, "f")) == _told(concat(list(read_stream([data], "f"))))


def reading_streams(data: bytes) -> None:
    """A whole stream, plain or gzipped, to documents; in small blocks the same."""
    chunks = list(read_stream([data], "f"))
    for chunk in chunks:
        chunk.self_check()
    assert all(len(chunk) for chunk in chunks[:-1])
    spans = concat(chunks)
    assert _told(spans) == _told(concat(list(read_stream(_blocks(data, 13), "f", chunk_spans=2))))
    zipped = concat(list(read_stream([gzip.compress(data, 1)], "f")))
    assert data.startswith(b"\x1f\x8b") or _told(zipped) == _told(spans)
    with gather(chunks) as gathered:
        batches = list(gathered.batches())
        assert sum(map(len, batches)) == len(spans)
        for batch in batches:
            through(batch)


def reconstructing(data: bytes) -> None:
    """Spans of any shape, eight bytes each: the same documents in any order and in batches of any size."""
    rows = list(_SPAN.iter_unpack(data[: len(data) // _SPAN.size * _SPAN.size][: 40 * _SPAN.size]))
    if not rows:
        return
    whole = through(_spans(rows))
    assert documents(whole) == documents(through(_spans(rows[::-1])))
    merged = Report()
    for trace in sorted({row[0] >> 6 for row in rows}, reverse=True):
        merged.merge(through(_spans([row for row in rows if row[0] >> 6 == trace])))
    assert documents(merged) == documents(whole)


def through(spans: Spans) -> Report:
    """The Report of spans, every stage of it checked."""
    spans.self_check()
    forest = reconstruct(spans)
    forest.self_check()
    assert len(forest) == len(spans)
    noted = ("duplicate-spans", "differing-duplicates", "partial-reports")
    assert forest.duplicate.sum() == sum(forest.notes.count(code) for code in noted)
    hops(forest).self_check()
    result = report(forest, view="tree")
    documents(result)
    return result


def documents(result: Report) -> str:
    """Everything that a report says; raises for what JSON cannot say."""
    return json.dumps([result.graph(), result.errors()], allow_nan=False)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "split": splitting,
    "jaeger": reading_jaeger,
    "otlp": reading_otlp,
    "zipkin": reading_zipkin,
    "bulk": reading_in_bulk,
    "stream": reading_streams,
    "forest": reconstructing,
}


def _blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _read(data: bytes, read: Read) -> Spans:
    """What the splitter hands to a reader begins with a brace; the rest is anything."""
    builder = SpansBuilder()
    read(data if data[:1] == b"{" else b"{" + data, "f", builder)
    spans = builder.build()
    spans.self_check()
    return spans


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _told(spans: Spans) -> tuple[object, ...]:
    """All that Spans say, codes resolved."""
    columns = {"service": spans.service, "operation": spans.operation, **spans.tags}
    rows = [
        (
            spans.trace_ids[spans.trace[row]],
            *(int(getattr(spans, name)[row]) for name in ("span_id", "parent_id", "start_ns", "duration_ns")),
            *(int(spans.kind[row]), bool(spans.error[row]), bool(spans.shared[row])),
            sorted((name, spans.texts[column[row]]) for name, column in columns.items() if column[row]),
        )
        for row in range(len(spans))
    ]
    links = list(zip(spans.link_row.tolist(), spans.link_trace, spans.link_span.tolist(), strict=True))
    return rows, links, spans.notes.documents()


def _spans(rows: list[tuple[int, ...]]) -> Spans:
    builder = SpansBuilder()
    names = list(_TAGS)
    for ids, parent, times, service, kind, first, second, more in rows:
        start = _STARTS[times & 7]
        row = builder.add(
            f"{(ids >> 6) + 1:032x}",
            (ids & 15) + 1,
            parent & 15,
            start,
            min(_DURATIONS[times >> 3 & 7], MAX_NS - start),
            _SERVICES[service % len(_SERVICES)],
            _OPERATIONS[service // len(_SERVICES) % len(_OPERATIONS)],
            kind % 6,
            bool(kind & 64),
            bool(kind & 128),
        )
        for byte in (first, second, more):
            name = names[(byte >> 4) % len(names)]
            if text := _TAGS[name][byte % len(_TAGS[name])]:
                builder.tag(row, name, text)
        if parent & 64:
            builder.link(row, f"{(parent >> 7) + 1:032x}", (more & 15) + 1)
    return builder.build()
