"""What `bulk` has to know of Jaeger's v1 JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from traceviz.building import SpansBuilder
from traceviz.sources import jaeger
from traceviz.sources.bulk import Columns, Form, NotOrdinary, Origin, OriginOf
from traceviz.sources.fields import decoded, text_of


class _Span(msgspec.Struct, gc=False, rename=jaeger.NAMES):
    trace_id: str
    span_id: str
    operation: str
    start: int
    duration: int
    process_id: str
    references: list[jaeger.Reference] = []
    tags: msgspec.Raw = msgspec.Raw()
    logs: list[msgspec.Raw] = []
    parent_id: None = None
    process: None = None


class _Trace(msgspec.Struct, gc=False, rename={"trace_id": "traceID"}):
    spans: list[_Span]
    processes: dict[str, msgspec.Raw]
    trace_id: str | None = None  # not used, but what is wrong with it is for the other reader to say


class _Answer(msgspec.Struct, gc=False):
    data: list[_Trace]
    errors: None = None


_TRACE = msgspec.json.Decoder(_Trace)
_ANSWER = msgspec.json.Decoder(_Answer)
_TAG = msgspec.json.Decoder(jaeger.Tag)
_PROCESS = msgspec.json.Decoder(jaeger.Process)


def _answer(body: bytes) -> Sequence[_Trace]:
    return _ANSWER.decode(body).data


def _size(trace: _Trace) -> int:
    return len(trace.spans)


def _columns(traces: Sequence[_Trace], origin_of: OriginOf, builder: SpansBuilder) -> Columns:
    spans = [span for trace in traces for span in trace.spans]
    origins: list[Origin] = []
    for trace in traces:
        processes = {name: origin_of(raw) for name, raw in trace.processes.items()}
        try:
            origins += [processes[span.process_id] for span in trace.spans]
        except KeyError:
            raise NotOrdinary from None
    more = [(row, entry) for row, (_, inherited) in enumerate(origins) if inherited for entry in inherited]
    more += [
        (row, entry)
        for row, span in enumerate(spans)
        if span.logs
        for entry in jaeger.exception_entries(span.logs, builder)
    ]
    return Columns(
        trace=[span.trace_id for span in spans],
        span_id=[span.span_id for span in spans],
        parent_id=[_parent(span) if span.references else "" for span in spans],
        start=[span.start for span in spans],
        duration=[span.duration for span in spans],
        service=[service for service, _ in origins],
        operation=[span.operation for span in spans],
        kind=[0] * len(spans),  # these two are tags in this format
        failed=[False] * len(spans),
        tags=[span.tags for span in spans],
        more=more,
    )


def _parent(span: _Span) -> str:
    first = span.references[0]
    if len(span.references) > 1 or first.trace_id != span.trace_id or first.type != "CHILD_OF":
        raise NotOrdinary
    return first.span_id or ""


def _origin(data: bytes, builder: SpansBuilder) -> Origin:
    process = decoded(_PROCESS, data)
    return builder.texts.code(process.service or ""), jaeger.inherited_entries(process, builder)


def _tag(data: bytes) -> tuple[str, str]:
    tag = _TAG.decode(data)
    return tag.key, text_of(tag.value)


JAEGER = Form(_TRACE.decode, _answer, _size, _columns, _origin, _tag, jaeger.read, unit_ns=1000)
