"""One trace of Jaeger's v1 JSON ▸ rows: `{"traceID":…,"spans":[…],"processes":{"p1":{"serviceName":…}}}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from traceviz.building import INHERITED, SpansBuilder, deduced
from traceviz.sources import scan
from traceviz.sources.fields import (
    UNDECODABLE,
    UNREADABLE_RECORD,
    UNREADABLE_VALUE,
    Number,
    Unreadable,
    decoded,
    duration_of_us,
    note_unreadable,
    own_span_id,
    same_trace,
    span_id,
    start_of_us,
    text_of,
    trace_id,
    what_is_wrong,
)

_EXCEPTION = "exception.type"
_EXCEPTION_SLOT = deduced("error_type")
_RANKS = {"CHILD_OF": 0, "FOLLOWS_FROM": 1}


class Tag(msgspec.Struct, gc=False):
    key: str
    value: Any = None


class Reference(msgspec.Struct, gc=False, rename={"type": "refType", "trace_id": "traceID", "span_id": "spanID"}):
    type: str = "CHILD_OF"
    trace_id: str | None = None
    span_id: str | None = None


class Process(msgspec.Struct, gc=False, rename={"service": "serviceName"}):
    service: str | None = None
    tags: list[Tag] | None = None


#: Names of fields ▸ Jaeger's.
NAMES = {
    "trace_id": "traceID",
    "span_id": "spanID",
    "parent_id": "parentSpanID",
    "operation": "operationName",
    "start": "startTime",
    "process_id": "processID",
}


class Span(msgspec.Struct, gc=False, rename=NAMES):
    span_id: str | None
    trace_id: str | None = None
    parent_id: str | None = None
    operation: str | None = None
    references: list[Reference] | None = None
    start: Number = None
    duration: Number = None
    process_id: str | None = None
    process: Process | None = None
    tags: list[Tag] | None = None
    logs: list[msgspec.Raw] | None = None


class Log(msgspec.Struct, gc=False):
    fields: list[Tag] | None = None


class Trace(msgspec.Struct, gc=False, rename={"trace_id": "traceID"}):
    spans: list[Span] | msgspec.UnsetType | None = msgspec.UNSET
    processes: dict[str, Process] | None = None
    trace_id: str | None = None


_TRACE = msgspec.json.Decoder(Trace)
_SPAN = msgspec.json.Decoder(Span)
_PROCESS = msgspec.json.Decoder(Process)
_LOG = msgspec.json.Decoder(Log)
_TEXT = msgspec.json.Decoder(str | None)


def read(data: bytes, where: str, builder: SpansBuilder) -> None:
    """Add the spans of one trace. `where` is the file and the path of it, for messages.

    A trace that does not decode is taken apart, and only those spans that do not decode by themselves, or whose
    process does not, are left out, each with a note. A list of no spans is an empty trace; where there is no list they
    are called otherwise, and a note says so. Never raises for what the bytes say.
    """
    try:
        trace = _TRACE.decode(data)
    except UNDECODABLE as error:
        _take_apart(data, where, builder, error)
        return
    if trace.spans is msgspec.UNSET:
        note_unreadable(builder, where, f"expected a trace with spans, got {scan.shown(data)}")
        return
    rows = _Rows(builder, trace.trace_id, trace.processes or {})
    for index, span in enumerate(trace.spans or ()):
        try:
            rows.add(span)
        except Unreadable as error:
            note_unreadable(builder, f"{where}.spans[{index}]{error.path}", str(error))


def _take_apart(data: bytes, where: str, builder: SpansBuilder, error: Exception) -> None:
    """Read a trace that is broken or cut off, span by span. A span whose process cannot be read is not told apart
    from one of another service, so it is left out too."""
    parts = {key: data[start:end] for key, start, end in scan.members(data, 0)}
    try:
        common = decoded(_TEXT, parts.get("traceID", b"null"))
    except Unreadable:
        common = None
    processes: dict[str, Process] = {}
    problems: dict[str, str] = {}
    for key, start, end in scan.members_if_object(parts.get("processes", b"")):
        try:
            processes[key] = decoded(_PROCESS, parts["processes"][start:end])
        except Unreadable as problem:
            problems[key] = f"process {key}{problem.path}: {problem}"
    rows = _Rows(builder, common, processes)
    readable = True
    for index, (start, end) in enumerate(scan.elements_if_list(parts.get("spans", b""))):
        try:
            span = decoded(_SPAN, parts["spans"][start:end])
            if span.process is None and span.process_id not in processes:
                what = problems.get(span.process_id or "", f"process {span.process_id} is not in what can be read")
                raise Unreadable(".processID", what)
            rows.add(span)
        except Unreadable as problem:
            readable = False
            note_unreadable(builder, f"{where}.spans[{index}]{problem.path}", str(problem))
    if readable:
        path, what = what_is_wrong(error, data)
        builder.notes.add(UNREADABLE_VALUE if rows.added else UNREADABLE_RECORD, 1, [f"{where}{path}: {what}"])


class _Rows:
    """Adds the spans of one trace, and keeps what they have in common."""

    def __init__(self, builder: SpansBuilder, trace_id: str | None, processes: dict[str, Process]) -> None:
        self.added = 0
        self._builder = builder
        self._default_trace = trace_id
        self._processes = processes
        self._services: dict[str | None, tuple[str, list[int]]] = {}
        self._ids: dict[str | None, int] = {}
        self._text: str | None = None
        self._trace = ""

    def add(self, span: Span) -> None:
        """Add one span. Raises Unreadable before anything of it is added."""
        builder = self._builder
        text = span.trace_id or self._default_trace
        if text != self._text or text is None:
            self._trace = trace_id(text or "", ".traceID")
            self._text = text
        trace = self._trace
        own_text = span.span_id
        own_id = self._ids[own_text] = own_span_id(own_text, ".spanID")
        parent_id, links = 0, None
        references = span.references
        if references:
            first = references[0]
            known = self._ids.get(first.span_id)
            if known and len(references) == 1 and first.type == "CHILD_OF" and first.trace_id == text:
                parent_id = known
            else:
                parent_id, links = self._parent(references)
        if not parent_id and span.parent_id:
            parent_id = span_id(span.parent_id, ".parentSpanID")
        start, duration = span.start, span.duration
        if type(start) is int and 10**14 <= start < 10**16 and type(duration) is int and 0 <= duration < 10**15:
            start_ns, duration_ns = start * 1000, duration * 1000
        else:
            start_ns = start_of_us(start, builder.notes, ".startTime", trace)
            duration_ns = duration_of_us(duration, start_ns, builder.notes, ".duration", trace)
        known_service = self._services.get(span.process_id) if span.process is None else None
        service, inherited = known_service or self._service(span)
        row = builder.add(trace, own_id, parent_id, start_ns, duration_ns, service, span.operation or "")
        self.added += 1
        if links:
            for link_trace, link_span in links:
                builder.link(row, link_trace, link_span)
        if span.tags:
            self._add_tags(span.tags)
        if inherited:
            builder.tags += inherited
        if span.logs:
            builder.tags += exception_entries(span.logs, builder)

    def _add_tags(self, tags: list[Tag]) -> None:
        """The part that most of the time goes into: some twenty tags a span."""
        builder = self._builder
        entries, known, packed = builder.tags, builder.known.get, builder.packed
        before, add = len(entries), entries.append
        try:
            for tag in tags:
                texts = known(tag.key)
                if texts is not None:
                    entry = texts.get(tag.value)
                    add(packed(tag.key, text_of(tag.value)) if entry is None else entry)
        except TypeError:  # a list or an object cannot be looked up
            del entries[before:]
            entries.extend(packed(tag.key, text_of(tag.value)) for tag in tags if tag.key in builder.slots)

    def _service(self, span: Span) -> tuple[str, list[int]]:
        """Name of the service and the tags that spans have from their process, as entries of the builder."""
        if span.process is not None:
            return self._inherited(span.process)
        process = self._processes.get(span.process_id or "")
        known = self._services[span.process_id] = ("", []) if process is None else self._inherited(process)
        return known

    def _inherited(self, process: Process) -> tuple[str, list[int]]:
        return process.service or "", inherited_entries(process, self._builder)

    def _parent(self, references: list[Reference]) -> tuple[int, list[tuple[str, int]]]:
        """The parent, CHILD_OF before FOLLOWS_FROM and only of this trace, and all other references."""
        named: list[tuple[str, int]] = []
        ranks: list[int] = []
        for index, reference in enumerate(references):
            path = f".references[{index}]"
            number = span_id(reference.span_id, path + ".spanID")
            text = reference.trace_id
            if not number or (text and not text.strip("0")):
                continue  # an empty reference, as some exporters write for "none"
            trace = trace_id(text, path + ".traceID") if text else self._trace
            rank = _RANKS.get(reference.type, 2) if same_trace(trace, self._trace) else 2
            named.append((trace, number))
            ranks.append(rank)
        best = min(ranks, default=2)
        if best == 2:
            return 0, named
        _, parent_id = named.pop(ranks.index(best))
        return parent_id, named


def inherited_entries(process: Process, builder: SpansBuilder) -> list[int]:
    """The tags that spans have from their process, as entries of the builder."""
    slots = builder.slots
    tags = [tag for tag in process.tags or () if tag.key in slots]
    return [builder.packed_slot(slots[tag.key] + INHERITED, text_of(tag.value)) for tag in tags]


def exception_entries(logs: list[msgspec.Raw], builder: SpansBuilder) -> Iterator[int]:
    """The types of exceptions that were logged, as entries of the builder that count where no tag says it."""
    for log in logs:
        if _EXCEPTION.encode() not in bytes(log):
            continue
        try:
            fields = _LOG.decode(log).fields or ()
        except UNDECODABLE:
            continue
        for field in fields:
            if field.key == _EXCEPTION:
                yield builder.packed_slot(_EXCEPTION_SLOT, text_of(field.value))
