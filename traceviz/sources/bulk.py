"""Ordinary traces of Jaeger's v1 JSON, 1,000 spans at a time: the rows of `jaeger.read`, in two thirds of the time.

Ordinary means: ids of 16 digits or less, times in whole microseconds of this age, at most one reference, CHILD_OF and
in the trace, processes that are there. All the rest is left to `jaeger.read`, record by record, and so is every
message: nothing is noted here. Tags are looked up by their bytes, because most of them were seen before.
"""

from __future__ import annotations

from itertools import chain

import msgspec
import numpy as np

from traceviz.building import SpansBuilder
from traceviz.sources import jaeger
from traceviz.sources.fields import UNDECODABLE, Unreadable, decoded, text_of, trace_id
from traceviz.spans import Codes, Ids

#: So many spans are taken at once: enough for numpy to pay, few enough to stay in the processor's cache.
_ROWS = 1000
_MOST_BYTES = 30_000_000
_EARLIEST_US, _LATEST_US, _LONGEST_US = 10**14, 10**16, 10**15
_NO_ID = "0" * 16


class _Span(msgspec.Struct, gc=False, rename=jaeger.NAMES):
    trace_id: str
    span_id: str
    operation: str
    start: int
    duration: int
    process_id: str
    references: list[jaeger.Reference] = []
    tags: list[msgspec.Raw] = []
    logs: list[msgspec.Raw] = []
    parent_id: None = None
    process: None = None


class _Trace(msgspec.Struct, gc=False):
    spans: list[_Span]
    processes: dict[str, msgspec.Raw]


_TRACE = msgspec.json.Decoder(_Trace)
_TAG = msgspec.json.Decoder(jaeger.Tag)
_PROCESS = msgspec.json.Decoder(jaeger.Process)


class Bulk:
    """Takes records and adds their spans to a builder, at the latest with `flush`."""

    def __init__(self, builder: SpansBuilder, chunk_spans: int) -> None:
        self._rows = min(_ROWS, chunk_spans)
        self._records: list[tuple[bytes, str]] = []
        self._spans: list[_Span] = []
        self._services: list[int] = []
        self._inherited: list[tuple[int, int]] = []
        self._tags = _Tags(builder)
        self._processes: dict[bytes, tuple[int, list[int]]] = {}
        self.use(builder)

    def use(self, builder: SpansBuilder) -> None:
        """Go on with another builder; what was added before has been flushed."""
        if self._tags.builder.texts is not builder.texts or self._tags.size > _MOST_BYTES:
            self._tags = _Tags(builder)
            self._processes = {}
        self._builder = builder
        self._traces: dict[str, int] = {}

    def add(self, data: bytes, where: str) -> None:
        """Take one record, as `jaeger.read` does."""
        try:
            trace = _TRACE.decode(data)
            processes = {name: self._process(bytes(raw)) for name, raw in trace.processes.items()}
            services = [processes[span.process_id][0] for span in trace.spans]
        except (*UNDECODABLE, Unreadable, KeyError):
            self.flush()
            jaeger.read(data, where, self._builder)
            return
        if any(inherited for _, inherited in processes.values()):
            for row, span in enumerate(trace.spans, len(self._spans)):
                self._inherited += [(row, entry) for entry in processes[span.process_id][1]]
        self._records.append((data, where))
        self._spans += trace.spans
        self._services += services
        if len(self._spans) >= self._rows:
            self.flush()

    def flush(self) -> None:
        """Add everything taken so far to the builder."""
        if not self._records:
            return
        try:
            self._add_columns()
        except (_NotOrdinary, Unreadable, OverflowError, *UNDECODABLE):
            for data, where in self._records:
                jaeger.read(data, where, self._builder)
        for taken in (self._records, self._spans, self._services, self._inherited):
            taken.clear()

    def _process(self, data: bytes) -> tuple[int, list[int]]:
        """Code of the service and the tags of a process, as entries of the builder."""
        known = self._processes.get(data)
        if known is None:
            process, builder = decoded(_PROCESS, data), self._builder
            entries = jaeger.inherited_entries(process, builder)
            known = self._processes[data] = builder.texts.code(process.service or ""), entries
        return known

    def _add_columns(self) -> None:
        """Add all spans, or raise before any of them is added."""
        spans, builder = self._spans, self._builder
        traces = [span.trace_id for span in spans]
        references = [span.references for span in spans]
        for one, trace in zip(references, traces, strict=True):
            if one and (len(one) > 1 or one[0].trace_id != trace or one[0].type != "CHILD_OF"):
                raise _NotOrdinary
        span_id = _ids([span.span_id for span in spans])
        parent_id = _ids([(one[0].span_id or _NO_ID) if one else _NO_ID for one in references])
        start = np.array([span.start for span in spans], np.int64)
        duration = np.array([span.duration for span in spans], np.int64)
        if not (
            span_id.all()
            and start.min() >= _EARLIEST_US
            and start.max() < _LATEST_US
            and duration.min() >= 0
            and duration.max() < _LONGEST_US
        ):
            raise _NotOrdinary
        tags = [span.tags for span in spans]
        counts = np.array([len(some) for some in tags], np.int64)
        looked_up = map(self._tags.__getitem__, map(bytes, chain.from_iterable(tags)))
        entries = np.fromiter(looked_up, np.int64, int(counts.sum()))
        rows = np.repeat(np.arange(len(spans), dtype=np.int32), counts)
        more = self._inherited + [
            (row, entry)
            for row, span in enumerate(spans)
            if span.logs
            for entry in jaeger.exception_entries(span.logs, builder)
        ]
        new = {text: trace_id(text, "") for text in dict.fromkeys(traces) if text not in self._traces}
        self._traces.update((text, builder.trace_number(name)) for text, name in new.items())
        builder.add_columns(
            trace=np.array([self._traces[text] for text in traces], np.int32),
            span_id=span_id,
            parent_id=parent_id,
            start_ns=start * 1000,
            duration_ns=duration * 1000,
            service=np.array(self._services, np.int32),
            operation=_codes(spans, builder),
            tag_rows=np.append(rows[entries > 0], np.array([row for row, _ in more], np.int32)),
            tags=np.append(entries[entries > 0], np.array([entry for _, entry in more], np.int64)),
        )


class _NotOrdinary(Exception):
    """The spans taken are left to `jaeger.read`."""


class _Tags(dict[bytes, int]):
    """The bytes of a tag ▸ its entry in the builder, 0 for tags that are not wanted or empty. `size` is in bytes."""

    def __init__(self, builder: SpansBuilder) -> None:
        self.builder = builder
        self.size = 0

    def __missing__(self, data: bytes) -> int:
        tag = _TAG.decode(data)
        text = text_of(tag.value) if tag.key in self.builder.slots else ""
        entry = self[data] = self.builder.packed(tag.key, text) if text else 0
        self.size += len(data) + 100
        return entry


def _ids(texts: list[str]) -> Ids:
    """Numbers of hex ids. `fromhex` passes over spaces, which the number of bytes tells."""
    if set(map(len, texts)) != {16}:
        texts = [text.zfill(16) for text in texts]
    try:
        numbers = np.frombuffer(bytes.fromhex("".join(texts)), ">u8")
    except ValueError:
        raise _NotOrdinary from None
    if len(numbers) != len(texts) or set(map(len, texts)) != {16}:
        raise _NotOrdinary
    return numbers.astype(np.uint64)


def _codes(spans: list[_Span], builder: SpansBuilder) -> Codes:
    code = builder.texts.code
    return np.array([code(span.operation) for span in spans], np.int32)
