"""What is fuzzed, and what must hold of it whatever the bytes are: functions from bytes to nothing, or to a failure.

No exception comes out, every stage's `self_check` holds, counts add up, nothing depends on how the stream is cut, in
which order spans stand, or whether they were read in bulk.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import msgspec

from tests.fuzz.laws import Counted, documents, put_together, through, trees
from tests.fuzz.shapes import rows_of, spans_of, trace_of
from tests.records import Read, in_bulk, one_by_one
from traceviz.analyze.report import Report
from traceviz.building import SpansBuilder
from traceviz.notes import Notes
from traceviz.sources import gather, jaeger, otlp, read_stream, zipkin
from traceviz.sources.bulk_jaeger import JAEGER
from traceviz.sources.bulk_otlp import OTLP
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.lines import lines
from traceviz.sources.reader import read_answer
from traceviz.sources.split import split
from traceviz.spans import Spans, concat
from traceviz.why.counts import WhyCounts


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
            documents(through(batch))


def keeping_lines(data: bytes) -> None:
    """An answer as the lines of a dump: each is JSON on one line, and read back they are the spans of the answer."""
    notes = Notes()
    kept = list(lines(data, "f", notes))
    for line in kept:
        assert b"\n" not in line.data
        assert b"\r" not in line.data
        msgspec.json.decode(line.data, type=msgspec.Raw)
    back = concat(list(read_stream([b"\n".join(line.data for line in kept)], "f")))
    if not len(notes):
        rows, _, _ = _told(concat(list(read_stream([data], "f"))))
        assert sorted(_told(back)[0], key=repr) == sorted(rows, key=repr)


def reconstructing(data: bytes) -> None:
    """Spans of any shape: the same documents in any order, in batches of any size, and torn traces put together."""
    rows = rows_of(data)
    if not rows:
        return
    spans, backwards = spans_of(rows), spans_of(rows[::-1])
    by_trace = [spans_of([row for row in rows if trace_of(row) == trace]) for trace in sorted(set(map(trace_of, rows)))]
    whole = through(spans)
    told = documents(whole)
    assert documents(through(backwards)) == told
    merged = Counted(Report(), WhyCounts())
    for some in by_trace[::-1]:
        merged.merge(through(some))
    assert documents(merged) == told
    trees(spans)
    together, notes = put_together([spans], len(rows))
    again, noted = put_together(by_trace[::-1], len(rows) // 2)
    assert notes.documents() == noted.documents()
    if together.trace_ids != spans.trace_ids:
        assert documents(through(together)) == documents(through(again))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "split": splitting,
    "jaeger": reading_jaeger,
    "otlp": reading_otlp,
    "zipkin": reading_zipkin,
    "bulk": reading_in_bulk,
    "stream": reading_streams,
    "lines": keeping_lines,
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


def _told(spans: Spans) -> tuple[list[object], list[object], object]:
    """All that Spans say, codes resolved."""
    columns = {"service": spans.service, "operation": spans.operation, **spans.tags}
    rows: list[object] = [
        (
            spans.trace_ids[spans.trace[row]],
            *(int(getattr(spans, name)[row]) for name in ("span_id", "parent_id", "start_ns", "duration_ns")),
            *(int(spans.kind[row]), bool(spans.error[row]), bool(spans.shared[row])),
            sorted((name, spans.texts[column[row]]) for name, column in columns.items() if column[row]),
        )
        for row in range(len(spans))
    ]
    links: list[object] = list(zip(spans.link_row.tolist(), spans.link_trace, spans.link_span.tolist(), strict=True))
    return rows, links, spans.notes.documents()
