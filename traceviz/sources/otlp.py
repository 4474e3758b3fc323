"""One element of OTLP JSON's `resourceSpans` ▸ rows: `{"resource":{…},"scopeSpans":[{"spans":[…]}]}`.

Tempo's `batches` and the older `instrumentationLibrarySpans` are the same thing under other names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from traceviz.building import INHERITED, SpansBuilder, deduced
from traceviz.notes import Notes
from traceviz.sources import scan
from traceviz.sources.fields import (
    MISSING_TIME,
    UNDECODABLE,
    UNREADABLE_RECORD,
    UNREADABLE_VALUE,
    Number,
    Unreadable,
    decoded,
    duration_ns,
    note_unreadable,
    own_span_id,
    span_id,
    text_of,
    time_of_ns,
    trace_id,
    what_is_wrong,
)
from traceviz.spans import Kind

_EXCEPTION = "exception.type"
_EXCEPTION_SLOT = deduced("error_type")


class Value(msgspec.Struct, gc=False, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None
    bool_value: bool | None = None
    double_value: Number = None
    bytes_value: str | None = None
    array_value: Any = None
    kvlist_value: Any = None


class Attribute(msgspec.Struct, gc=False):
    key: str
    value: Value | None = None


class Resource(msgspec.Struct, gc=False):
    attributes: list[Attribute] | None = None


class Link(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str = ""
    span_id: str = ""


class Status(msgspec.Struct, gc=False):
    code: int | str | None = None
    message: Any = None


class Event(msgspec.Struct, gc=False):
    attributes: list[Attribute] | None = None


class Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    attributes: list[Attribute] | None = None
    links: list[Link] | None = None
    status: Status | None = None
    events: list[msgspec.Raw] | None = None


class Scope(msgspec.Struct, gc=False):
    spans: list[Span] | None = None


class ResourceSpans(msgspec.Struct, gc=False, rename="camel"):
    resource: Resource | None = None
    scope_spans: list[Scope] | None = None
    instrumentation_library_spans: list[Scope] | None = None


_RESOURCE_SPANS = msgspec.json.Decoder(ResourceSpans)
_RESOURCE = msgspec.json.Decoder(Resource | None)
_SPAN = msgspec.json.Decoder(Span)
_EVENT = msgspec.json.Decoder(Event)

_SCOPES = ("scopeSpans", "instrumentationLibrarySpans")
#: What else there is of a resource's spans and of a scope's.
_BESIDE_SPANS = frozenset({"resource", "scope", "instrumentationLibrary", "schemaUrl"})


def read(data: bytes, where: str, builder: SpansBuilder) -> None:
    """Add the spans of one element of `resourceSpans`. `where` is the file and the path of it, for messages.

    What does not decode is taken apart, and only those spans that do not decode by themselves are left out, each
    with a note; all of them where the resource, and with it the service, cannot be read. Never raises for what the
    bytes say.
    """
    try:
        parts = _RESOURCE_SPANS.decode(data)
    except UNDECODABLE as error:
        _take_apart(data, where, builder, error)
        return
    _note_other_names(data, where, builder, parts)
    rows = _Rows(builder, parts.resource)
    for name, scopes in zip(_SCOPES, (parts.scope_spans, parts.instrumentation_library_spans), strict=True):
        for number, scope in enumerate(scopes or ()):
            for index, span in enumerate(scope.spans or ()):
                try:
                    rows.add(span)
                except Unreadable as error:
                    path = f"{where}.{name}[{number}].spans[{index}]{error.path}"
                    note_unreadable(builder, path, str(error))


def _note_other_names(data: bytes, where: str, builder: SpansBuilder, parts: ResourceSpans) -> None:
    """Say where there are no spans because they are called otherwise: an empty list may be left out, and nothing else
    is then in its place."""
    scopes = (parts.scope_spans or []) + (parts.instrumentation_library_spans or [])
    if scopes and all(scope.spans is not None for scope in scopes):
        return
    found: list[tuple[str, bytes, tuple[str, ...]]] = [] if scopes else [("", data, _SCOPES)]
    members = ((key, data[start:end]) for key, start, end in scan.members(data, 0))
    for name, listed in ((key, value) for key, value in members if key in _SCOPES):
        pieces = (listed[start:end] for start, end in scan.elements_if_list(listed))
        found += [(f".{name}[{number}]", piece, ("spans",)) for number, piece in enumerate(pieces)]
    some_are_read = any(scope.spans for scope in scopes)
    for path, piece, wanted in found:
        keys = {key for key, _, _ in scan.members_if_object(piece)}
        if not keys.intersection(wanted) and keys - _BESIDE_SPANS:
            example = f"{where}{path}: expected {wanted[0]}, got {scan.shown(piece)}"
            builder.notes.add(UNREADABLE_VALUE if some_are_read else UNREADABLE_RECORD, 1, [example])


def _take_apart(data: bytes, where: str, builder: SpansBuilder, error: Exception) -> None:
    """Read what is broken or cut off span by span."""
    parts = {key: data[start:end] for key, start, end in scan.members(data, 0)}
    problem: Unreadable | None = None
    resource: Resource | None = None
    try:
        is_complete = scan.whole(data, 0) >= 0
        if "resource" not in parts and not is_complete:
            raise Unreadable("", "the resource is not in what can be read")
        resource = decoded(_RESOURCE, parts.get("resource", b"null"))
    except Unreadable as found:
        problem = Unreadable(".resource" + found.path, str(found))
    rows = _Rows(builder, resource)
    readable = True
    for path, piece in _pieces(parts):
        try:
            if problem:
                raise problem
            rows.add(decoded(_SPAN, piece))
        except Unreadable as found:
            readable = False
            place = where if found is problem else where + path
            note_unreadable(builder, place + found.path, str(found))
    if readable:
        path, what = what_is_wrong(error, data)
        builder.notes.add(UNREADABLE_VALUE if rows.added else UNREADABLE_RECORD, 1, [f"{where}{path}: {what}"])


def _pieces(parts: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every span in what can be found of a broken element."""
    for name in _SCOPES:
        scopes = parts.get(name, b"")
        for number, (start, end) in enumerate(scan.elements_if_list(scopes)):
            scope = scopes[start:end]
            for key, first, last in scan.members_if_object(scope):
                if key == "spans":
                    spans = scope[first:last]
                    for index, (one, other) in enumerate(scan.elements_if_list(spans)):
                        yield f".{name}[{number}].spans[{index}]", spans[one:other]


class _Rows:
    """Adds the spans of one resource, and keeps what they have in common."""

    def __init__(self, builder: SpansBuilder, resource: Resource | None) -> None:
        self.added = 0
        self._builder = builder
        self._service, self._inherited = origin(resource, builder)
        self._text: str | None = None
        self._trace = ""

    def add(self, span: Span) -> None:
        """Add one span. Raises Unreadable before anything of it is added."""
        builder = self._builder
        if span.trace_id != self._text:
            self._trace = trace_id(span.trace_id, ".traceId")
            self._text = span.trace_id
        trace = self._trace
        own_id = own_span_id(span.span_id, ".spanId")
        parent_id = span_id(span.parent_span_id, ".parentSpanId")
        start, duration = _times(span, builder.notes, trace)
        links = [_link(link, index) for index, link in enumerate(span.links)] if span.links else []
        failed = span.status is not None and is_error(span.status)
        row = builder.add(
            trace, own_id, parent_id, start, duration, self._service, span.name or "", kind_of(span.kind), failed
        )
        self.added += 1
        for link in links:
            if link:
                builder.link(row, *link)
        entries, known, packed = builder.tags, builder.known.get, builder.packed
        if span.status:
            entries += status_entries(span.status, builder)
        for attribute in span.attributes or ():
            texts = known(attribute.key)
            if texts is not None:
                value = attribute.value
                entry = None if value is None or value.string_value is None else texts.get(value.string_value)
                entries.append(packed(attribute.key, text_of_value(value)) if entry is None else entry)
        if self._inherited:
            entries += self._inherited
        if span.events:
            entries += exception_entries(span.events, builder)


def origin(resource: Resource | None, builder: SpansBuilder) -> tuple[str, list[int]]:
    """Name of the service and the tags that spans have from their resource, as entries of the builder."""
    service, inherited = "", []
    for attribute in (resource.attributes if resource else None) or ():
        if attribute.key == "service.name":
            service = text_of_value(attribute.value)
        elif attribute.key in builder.slots:
            slot = builder.slots[attribute.key] + INHERITED
            inherited.append(builder.packed_slot(slot, text_of_value(attribute.value)))
    return service, inherited


def exception_entries(events: list[msgspec.Raw], builder: SpansBuilder) -> Iterator[int]:
    """The types of exception events, as entries of the builder that count where no attribute says it."""
    for event in events:
        if _EXCEPTION.encode() not in bytes(event):
            continue
        try:
            attributes = _EVENT.decode(event).attributes or ()
        except UNDECODABLE:
            continue
        for attribute in attributes:
            if attribute.key == _EXCEPTION:
                yield builder.packed_slot(_EXCEPTION_SLOT, text_of_value(attribute.value))


_ERROR = (2, "2", "STATUS_CODE_ERROR")
_OK = (1, "1", "STATUS_CODE_OK")
#: What the status of a span is called where it is a tag.
_STATUS_TAGS = frozenset({"otel.status_code", "otel.status_description"})


def is_error(status: Status) -> bool:
    """Whether a span says that it failed."""
    return status.code in _ERROR


def status_entries(status: Status, builder: SpansBuilder) -> list[int]:
    """Those of the two tags that were asked for, as entries of the builder."""
    wanted = builder.extra_tags & _STATUS_TAGS
    if not wanted:
        return []
    code = "ERROR" if status.code in _ERROR else "OK" if status.code in _OK else ""
    texts = {"otel.status_code": code, "otel.status_description": text_of(status.message)}
    return [builder.packed(tag, texts[tag]) for tag in sorted(wanted)]


def kind_of(kind: int | str | None) -> int:
    """OpenTelemetry's number from the number or the name."""
    if isinstance(kind, str):
        name = kind.removeprefix("SPAN_KIND_").upper()
        return int(name) if name in {"1", "2", "3", "4", "5"} else Kind.__members__.get(name, Kind.UNSET)
    return kind if kind is not None and 1 <= kind <= 5 else 0


def _times(span: Span, notes: Notes, trace: str) -> tuple[int, int]:
    """Start and duration in ns. A span without an end takes no time."""
    start = time_of_ns(span.start_time_unix_nano, notes, ".startTimeUnixNano", trace)
    end = time_of_ns(span.end_time_unix_nano, notes, ".endTimeUnixNano", trace)
    if not start:
        notes.add(MISSING_TIME, 1, [trace])
    return start, duration_ns(end - start, 1, start, notes, trace) if start and end else 0


def _link(link: Link, index: int) -> tuple[str, int] | None:
    """Trace and span of a link, None for an empty one."""
    if not link.trace_id.strip("0") or not link.span_id.strip("0"):
        return None
    path = f".links[{index}]"
    return trace_id(link.trace_id, path + ".traceId"), span_id(link.span_id, path + ".spanId")


def text_of_value(value: Value | None) -> str:
    """The value of an attribute as text."""
    if value is None:
        return ""
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return text_of(value.int_value)
    if value.bool_value is not None:
        return text_of(value.bool_value)
    if value.double_value is not None:
        return text_of(value.double_value)
    if value.bytes_value is not None:
        return value.bytes_value
    return text_of(value.array_value if value.array_value is not None else value.kvlist_value)
