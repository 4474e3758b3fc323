"""Spans: one row per reported span, in numpy columns, text interned, times in ns. Never modified once built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from traceviz.checking import checked
from traceviz.notes import Notes

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]  # indices of rows; -1 where there is none
Codes = npt.NDArray[np.int32]
Ids = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


class Kind(IntEnum):
    """OpenTelemetry's numbers for the kind of a span."""

    UNSET = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


#: Text columns and the tags they are read from, the first one that a span has wins.
#: Old and new semantic conventions, OpenTracing's, Brave's, Envoy's tags, and resource attributes stand side by side.
TAGS: dict[str, tuple[str, ...]] = {
    "status": ("http.status_code", "http.response.status_code"),
    "grpc": ("grpc.status_code", "rpc.grpc.status_code", "rpc.response.status_code", "rpc.connect_rpc.error_code"),
    "flags": ("response_flags",),
    "cluster": ("upstream_cluster", "upstream_cluster.name"),
    "node_id": ("node_id",),
    "component": ("component",),
    "canonical": ("istio.canonical_service",),
    "destination": ("istio.destination_canonical_service", "istio.destination_workload"),
    "destination_namespace": ("istio.destination_namespace",),
    "version": ("istio.canonical_revision", "service.version", "version"),
    "namespace": ("istio.namespace", "k8s.namespace.name"),
    "pod": ("k8s.pod.name", "pod"),
    "zone": ("zone", "cloud.availability_zone"),
    "url": ("http.url", "url.full"),
    "route": ("http.route", "rpc.method"),
    "method": ("http.method", "http.request.method"),
    "request_id": ("guid:x-request-id",),
    "user_agent": ("user_agent", "user_agent.original", "http.user_agent"),
    "protocol": ("http.protocol",),
    "retry": ("retry.count",),
    "peer_service": ("service.peer.name", "peer.service"),
    "server_address": ("server.address", "net.peer.name", "peer.hostname"),
    "db_system": ("db.system.name", "db.system", "db.type"),
    "db_name": ("db.namespace", "db.name", "db.instance", "cassandra.keyspace"),
    "queue_system": ("messaging.system",),
    "queue": (
        *("messaging.destination.template", "messaging.destination.name", "messaging.destination"),
        *("message_bus.destination", "kafka.topic", "rabbit.queue"),
    ),
    "queue_key": ("messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key"),
    "queue_operation": ("messaging.operation.type", "messaging.operation"),
    "rpc": ("rpc.system", "rpc.system.name"),
    "rpc_service": ("faas.invoked_name", "rpc.service"),
    "error_type": ("error.type", "exception.type"),
}

#: Before the name of a tag that was asked for by name, in the names of columns.
_EXTRA = "tag:"


class Texts:
    """Interned text: `texts[code]` is the text of a code; code 0 is the empty text and means "not given"."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: list[str] = [""]
        self.codes: dict[str, int] = {"": 0}
        for value in values:
            self.code(value)

    def code(self, text: str) -> int:
        """The code of `text`, a new one where it was not seen before."""
        code = self.codes.get(text)
        if code is None:
            code = self.codes[text] = len(self.values)
            self.values.append(text)
        return code

    def __getitem__(self, code: int) -> str:
        return self.values[code]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Whole traces or parts of them as columns of equal length, a row a span, in no particular order.

    `trace` indexes `trace_ids` (32 lower-case hex digits each). `parent_id` 0 means that the span names no
    parent in its own trace; a CHILD_OF reference goes before FOLLOWS_FROM. References to other traces, and
    OpenTelemetry's links, are rows of the `link_*` columns. Every column in `TAGS` holds codes of `texts`; so do the
    columns of further tags that were asked for by name, under `extra_column`.
    """

    texts: Texts
    trace_ids: list[str]
    trace: Codes
    span_id: Ids
    parent_id: Ids
    start_ns: Ints
    duration_ns: Ints
    service: Codes
    operation: Codes
    kind: npt.NDArray[np.int8]
    error: Bools
    shared: Bools
    tags: dict[str, Codes]
    link_row: Codes
    link_trace: list[str]
    link_span: Ids
    notes: Notes

    def __len__(self) -> int:
        return len(self.span_id)

    def tag(self, name: str) -> Codes:
        """A text column of `TAGS`, zeros where no span had it."""
        column = self.tags.get(name)
        return np.zeros(len(self), np.int32) if column is None else column

    @property
    def end_ns(self) -> Ints:
        """Start plus duration."""
        return self.start_ns + self.duration_ns

    def take(self, rows: npt.NDArray[np.integer] | Bools) -> Spans:
        """The Spans of these rows, in this order; traces are numbered as they come, those without a row are left
        out. Notes stay behind."""
        if rows.dtype == np.bool_ and rows.all():
            return replace(self, notes=Notes())
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        traces = self.trace[index]
        first = np.full(len(self.trace_ids), len(index))
        first[traces[::-1]] = np.arange(len(index))[::-1]  # of repeated places the last one assigned stays
        kept = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(index))]
        number = np.empty(len(self.trace_ids), np.int32)
        number[kept] = np.arange(len(kept), dtype=np.int32)
        new_row = np.full(len(self), -1, np.int32)
        new_row[index] = np.arange(len(index), dtype=np.int32)
        links = new_row[self.link_row] >= 0
        return Spans(
            texts=self.texts,
            trace_ids=[self.trace_ids[i] for i in kept.tolist()],
            trace=number[traces],
            span_id=self.span_id[index],
            parent_id=self.parent_id[index],
            start_ns=self.start_ns[index],
            duration_ns=self.duration_ns[index],
            service=self.service[index],
            operation=self.operation[index],
            kind=self.kind[index],
            error=self.error[index],
            shared=self.shared[index],
            tags={name: column[index] for name, column in self.tags.items()},
            link_row=new_row[self.link_row[links]],
            link_trace=[self.link_trace[i] for i in np.flatnonzero(links)],
            link_span=self.link_span[links],
            notes=Notes(),
        )

    def self_check(self) -> None:
        """Raise AssertionError where the columns do not fit each other. For tests."""
        rows = len(self.span_id)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and not field.name.startswith("link_"):
                assert len(value) == rows, f"{field.name} has {len(value)} rows, span_id has {rows}"
        unknown = sorted(name for name in self.tags if name not in TAGS and not name.startswith(_EXTRA))
        assert not unknown, unknown
        for name, column in {"service": self.service, "operation": self.operation, **self.tags}.items():
            assert len(column) == rows, name
            assert not rows or (column.min() >= 0 and column.max() < len(self.texts)), name
        assert not rows or (self.trace.min() >= 0 and self.trace.max() < len(self.trace_ids))
        for times in (self.start_ns, self.duration_ns, self.end_ns):
            assert not rows or times.min() >= 0, "a time is negative, or is more than 64 bits hold"
        assert len(set(self.trace_ids)) == len(self.trace_ids), "a trace id stands twice"
        assert all(len(trace_id) == 32 for trace_id in self.trace_ids)
        assert len(self.link_row) == len(self.link_trace) == len(self.link_span)


def extra_column(tag: str) -> str:
    """The name of the column of a tag that readers were asked for by name: its own value, no other tag's."""
    return _EXTRA + tag


@checked
def concat(parts: Sequence[Spans]) -> Spans:
    """One Spans of all rows, equal trace ids joined to one trace, notes added up.

    Parts that share one `Texts` keep their codes; others are interned anew.
    """
    texts = parts[0].texts if parts and all(part.texts is parts[0].texts for part in parts) else Texts()
    notes = Notes()
    trace_of: dict[str, int] = {}
    traces: list[Codes] = []
    recoded: list[Codes | None] = []
    for part in parts:
        notes.merge(part.notes)
        index = [trace_of.setdefault(trace_id, len(trace_of)) for trace_id in part.trace_ids]
        traces.append(np.array(index, np.int32)[part.trace])
        same = part.texts is texts
        recoded.append(None if same else np.array([texts.code(text) for text in part.texts.values], np.int32))

    def codes(columns: list[Codes]) -> Codes:
        pairs = zip(columns, recoded, strict=True)
        return joined([column if new is None else new[column] for column, new in pairs], np.int32)

    offsets = np.cumsum([0] + [len(part) for part in parts])
    names = {name for part in parts for name in part.tags}
    return Spans(
        texts=texts,
        trace_ids=list(trace_of),
        trace=joined(traces, np.int32),
        span_id=joined([part.span_id for part in parts], np.uint64),
        parent_id=joined([part.parent_id for part in parts], np.uint64),
        start_ns=joined([part.start_ns for part in parts], np.int64),
        duration_ns=joined([part.duration_ns for part in parts], np.int64),
        service=codes([part.service for part in parts]),
        operation=codes([part.operation for part in parts]),
        kind=joined([part.kind for part in parts], np.int8),
        error=joined([part.error for part in parts], np.bool_),
        shared=joined([part.shared for part in parts], np.bool_),
        tags={name: codes([part.tag(name) for part in parts]) for name in sorted(names)},
        link_row=joined([part.link_row + offsets[i] for i, part in enumerate(parts)], np.int32),
        link_trace=[trace_id for part in parts for trace_id in part.link_trace],
        link_span=joined([part.link_span for part in parts], np.uint64),
        notes=notes,
    )


def joined(columns: Sequence[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    """Columns behind one another as one of this type; without any, an empty one."""
    return np.concatenate([np.empty(0, dtype), *columns]).astype(dtype, copy=False)
