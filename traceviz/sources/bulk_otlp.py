"""What `bulk` has to know of OTLP's JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from traceviz.building import SpansBuilder
from traceviz.sources import otlp
from traceviz.sources.bulk import Columns, Form, NotOrdinary, Origin, OriginOf
from traceviz.sources.fields import decoded


class _Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str
    span_id: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    parent_span_id: str = ""
    name: str = ""
    kind: int | str | None = None
    attributes: msgspec.Raw = msgspec.Raw()
    links: list[msgspec.Raw] = []
    status: otlp.Status | None = None
    events: list[msgspec.Raw] = []


class _Scope(msgspec.Struct, gc=False):
    spans: list[_Span]  # where there are none, the other reader says whether they are called otherwise


class _ResourceSpans(msgspec.Struct, gc=False, rename="camel"):
    resource: msgspec.Raw
    scope_spans: list[_Scope]
    instrumentation_library_spans: None = None


class _Result(msgspec.Struct, gc=False, rename="camel"):
    resource_spans: list[_ResourceSpans]


class _Answer(msgspec.Struct, gc=False):
    result: _Result
    error: None = None


#: Times are decimal texts, numbers are taken as well.
_RECORD = msgspec.json.Decoder(_ResourceSpans, strict=False)
_ANSWER = msgspec.json.Decoder(_Answer, strict=False)
_RESOURCE = msgspec.json.Decoder(otlp.Resource | None)
_ATTRIBUTE = msgspec.json.Decoder(otlp.Attribute)


def _answer(body: bytes) -> Sequence[_ResourceSpans]:
    return _ANSWER.decode(body).result.resource_spans


def _size(record: _ResourceSpans) -> int:
    return sum(len(scope.spans) for scope in record.scope_spans)


def _columns(records: Sequence[_ResourceSpans], origin_of: OriginOf, builder: SpansBuilder) -> Columns:
    spans: list[_Span] = []
    service: list[int] = []
    more: list[tuple[int, int]] = []
    for record in records:
        code, inherited = origin_of(record.resource)
        for scope in record.scope_spans:
            if inherited:
                rows = range(len(spans), len(spans) + len(scope.spans))
                more += [(row, entry) for row in rows for entry in inherited]
            spans += scope.spans
            service += [code] * len(scope.spans)
    if any(span.links for span in spans):
        raise NotOrdinary
    more += [
        (row, entry)
        for row, span in enumerate(spans)
        if span.status
        for entry in otlp.status_entries(span.status, builder)
    ]
    more += [
        (row, entry)
        for row, span in enumerate(spans)
        if span.events
        for entry in otlp.exception_entries(span.events, builder)
    ]
    return Columns(
        trace=[span.trace_id for span in spans],
        span_id=[span.span_id for span in spans],
        parent_id=[span.parent_span_id for span in spans],
        start=[span.start_time_unix_nano for span in spans],
        duration=[span.end_time_unix_nano - span.start_time_unix_nano for span in spans],
        service=service,
        operation=[span.name for span in spans],
        kind=[otlp.kind_of(span.kind) for span in spans],
        failed=[span.status is not None and otlp.is_error(span.status) for span in spans],
        tags=[span.attributes for span in spans],
        more=more,
    )


def _origin(data: bytes, builder: SpansBuilder) -> Origin:
    service, inherited = otlp.origin(decoded(_RESOURCE, data), builder)
    return builder.texts.code(service), inherited


def _tag(data: bytes) -> tuple[str, str]:
    attribute = _ATTRIBUTE.decode(data)
    return attribute.key, otlp.text_of_value(attribute.value)


OTLP = Form(_RECORD.decode, _answer, _size, _columns, _origin, _tag, otlp.read, unit_ns=1)
