"""One span of Zipkin's v2 JSON ▸ a row: `{"traceId":…,"id":…,"kind":"CLIENT","localEndpoint":{…},"tags":{…}}`."""

from __future__ import annotations

from typing import Any

import msgspec

from traceviz.building import SpansBuilder, deduced
from traceviz.sources.fields import (
    Number,
    Unreadable,
    decoded,
    duration_of_us,
    note_unreadable,
    own_span_id,
    span_id,
    start_of_us,
    text_of,
    trace_id,
)
from traceviz.spans import Kind

_PEER_SLOT = deduced("peer_service")
#: Brave's JDBC interceptors tag the statement alone. That there is one says that a database was called; what it says
#: is of no use here, and different every time.
_STATEMENT = "sql.query"
_STATEMENT_SLOT = deduced("db_system")


class Endpoint(msgspec.Struct, gc=False, rename="camel"):
    service_name: str | None = None


class Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str
    id: str
    parent_id: str | None = None
    name: str | None = None
    kind: str | None = None
    timestamp: Number = None
    duration: Number = None
    local_endpoint: Endpoint | None = None
    remote_endpoint: Endpoint | None = None
    tags: dict[str, Any] | None = None
    shared: bool | None = None


_SPAN = msgspec.json.Decoder(Span)


def read(data: bytes, where: str, builder: SpansBuilder) -> None:
    """Add one span. `where` is the file and the path of it, for messages. Never raises for what the bytes say."""
    try:
        _add(decoded(_SPAN, data), builder)
    except Unreadable as error:
        note_unreadable(builder, where + error.path, str(error))


def _add(span: Span, builder: SpansBuilder) -> None:
    trace = trace_id(span.trace_id, ".traceId")
    own_id = own_span_id(span.id, ".id")
    parent_id = span_id(span.parent_id, ".parentId")
    start = start_of_us(span.timestamp, builder.notes, ".timestamp", trace)
    duration = duration_of_us(span.duration, start, builder.notes, ".duration", trace)
    local, remote = span.local_endpoint, span.remote_endpoint
    builder.add(
        trace,
        own_id,
        parent_id,
        start,
        duration,
        (local.service_name if local else None) or "",
        span.name or "",
        Kind.__members__.get((span.kind or "").upper(), Kind.UNSET),
        shared=bool(span.shared),
    )
    for key, value in (span.tags or {}).items():
        if key in builder.slots:
            builder.tags.append(builder.packed(key, text_of(value)))
        if key == _STATEMENT:
            builder.tags.append(builder.packed_slot(_STATEMENT_SLOT, "sql"))
    if remote and remote.service_name:
        builder.tags.append(builder.packed_slot(_PEER_SLOT, remote.service_name))
