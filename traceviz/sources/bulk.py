"""Ordinary traces, 1,000 spans at a time: the rows that `jaeger.read` and `otlp.read` give, in a third of the time.

Ordinary means: ids of 16 digits, times of this age in whole units, at most one parent and in the same trace, a process
or resource that is there. All the rest is left to the readers of single records, and so is every message: nothing is
noted here. Tags are looked up by their bytes, because most of them were seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from traceviz.building import SpansBuilder
from traceviz.sources.fields import UNDECODABLE, Unreadable, trace_id
from traceviz.spans import Codes, Ids, Ints

#: So many spans are taken at once: enough for numpy to pay, few enough to stay in the processor's cache.
_ROWS = 1000
_MOST_BYTES = 30_000_000
_EARLIEST_NS, _LATEST_NS, _LONGEST_NS = 10**17, 10**19, 10**18
_NO_ID = "0" * 16


class NotOrdinary(Exception):
    """What was taken is left to the reader of single records."""


_NOT_ADDED = (NotOrdinary, Unreadable, OverflowError, *UNDECODABLE)


@dataclass(slots=True)
class Columns:
    """Spans that are not added yet, a list a column. Parents are "" for none; `start` and `duration` count in the
    form's own unit; `tags` is the JSON of each span's list of them, `more` are entries of the builder, by row."""

    trace: list[str]
    span_id: list[str]
    parent_id: list[str]
    start: list[int]
    duration: list[int]
    service: list[int]
    operation: list[str]
    kind: list[int]
    failed: list[bool]
    tags: list[msgspec.Raw]
    more: list[tuple[int, int]]


#: What the spans of a process or a resource have in common: the code of the service, and the tags as entries.
Origin = tuple[int, Sequence[int]]
#: What a process or a resource is, in bytes ▸ Origin.
OriginOf = Callable[[msgspec.Raw], Origin]


@dataclass(frozen=True)
class Form:
    """What is different between formats.

    `record` and `answer` decode one record and a whole answer of a server with all its records, and raise what
    decoding raises. `size` is the number of spans in a record, `columns` are those of records, or raises NotOrdinary.
    `tag` gives name and text of a tag, `read` reads a record by itself. Times count in `unit_ns`.
    """

    record: Callable[[bytes], Any]
    answer: Callable[[bytes], Sequence[Any]]
    size: Callable[[Any], int]
    columns: Callable[[Sequence[Any], OriginOf, SpansBuilder], Columns]
    origin: Callable[[bytes, SpansBuilder], Origin]
    tag: Callable[[bytes], tuple[str, str]]
    read: Callable[[bytes, str, SpansBuilder], None]
    unit_ns: int


class Bulk:
    """Takes records and adds their spans to a builder, at the latest with `flush`."""

    def __init__(self, form: Form, builder: SpansBuilder, chunk_spans: int = _ROWS) -> None:
        self._form = form
        self._rows = min(_ROWS, chunk_spans)
        self._taken: list[tuple[bytes, str]] = []
        self._records: list[Any] = []
        self._spans = 0
        self._tags = _Tags(form, builder)
        self._origins: dict[bytes, Origin] = {}
        self.use(builder)

    def use(self, builder: SpansBuilder) -> None:
        """Go on with another builder; what was added before has been flushed."""
        if self._tags.builder.texts is not builder.texts or self._tags.size > _MOST_BYTES:
            self._tags = _Tags(self._form, builder)
            self._origins = {}
        self._builder = builder
        self._traces: dict[str, int] = {}

    def add(self, data: bytes, where: str) -> None:
        """Take one record, as the form's reader does."""
        try:
            record = self._form.record(data)
        except UNDECODABLE:
            self.flush()
            self._form.read(data, where, self._builder)
            return
        self._taken.append((data, where))
        self._records.append(record)
        self._spans += self._form.size(record)
        if self._spans >= self._rows:
            self.flush()

    def flush(self) -> None:
        """Add everything taken so far to the builder."""
        try:
            self._add(self._records)
        except _NOT_ADDED:
            for data, where in self._taken:
                self._form.read(data, where, self._builder)
        self._taken.clear()
        self._records.clear()
        self._spans = 0

    def whole_answer(self, body: bytes) -> bool:
        """Add all spans of a server's answer; False where something in it is not ordinary, and then what was added to
        the builder is of no use."""
        records: list[Any] = []
        spans = 0
        try:
            for record in self._form.answer(body):
                records.append(record)
                spans += self._form.size(record)
                if spans >= self._rows:
                    self._add(records)
                    records, spans = [], 0
            self._add(records)
        except _NOT_ADDED:
            return False
        return True

    def _origin(self, raw: msgspec.Raw) -> Origin:
        data = bytes(raw)
        known = self._origins.get(data)
        if known is None:
            known = self._origins[data] = self._form.origin(data, self._builder)
        return known

    def _add(self, records: Sequence[Any]) -> None:
        """Add all spans of records, or raise before any of them is added."""
        builder, unit_ns = self._builder, self._form.unit_ns
        columns = self._form.columns(records, self._origin, builder)
        if not columns.trace:
            return
        span_id, parent_id = _ids(columns.span_id), _ids([text or _NO_ID for text in columns.parent_id])
        start, duration = np.array(columns.start, np.int64), np.array(columns.duration, np.int64)
        if not (
            span_id.all()
            and start.min() >= _EARLIEST_NS // unit_ns
            and start.max() < _LATEST_NS // unit_ns
            and duration.min() >= 0
            and duration.max() < _LONGEST_NS // unit_ns
        ):
            raise NotOrdinary
        tag_rows, tags = self._entries(columns.tags)
        more = np.array(columns.more, np.int64).reshape(-1, 2)
        new = {text: trace_id(text, "") for text in dict.fromkeys(columns.trace) if text not in self._traces}
        self._traces.update((text, builder.trace_number(name)) for text, name in new.items())
        code = builder.texts.code
        builder.add_columns(
            trace=np.array([self._traces[text] for text in columns.trace], np.int32),
            span_id=span_id,
            parent_id=parent_id,
            start_ns=start * unit_ns,
            duration_ns=duration * unit_ns,
            service=np.array(columns.service, np.int32),
            operation=np.array([code(text) for text in columns.operation], np.int32),
            kind=np.array(columns.kind, np.int8),
            error=np.array(columns.failed, np.bool_),
            tag_rows=np.append(more[:, 0].astype(np.int32), tag_rows),
            tags=np.append(more[:, 1], tags),
        )

    def _entries(self, lists: Sequence[msgspec.Raw]) -> tuple[Codes, Ints]:
        """Rows and entries of all tags that are wanted."""
        try:
            pieces = list(_cut(lists))
            entries = [self._tags[piece] for piece in chain.from_iterable(pieces)]
        except (NotOrdinary, *UNDECODABLE):
            pieces = [[bytes(tag)[1:-1] for tag in _LIST.decode(tags)] for tags in lists]
            entries = [self._tags[piece] for piece in chain.from_iterable(pieces)]
        every = np.array(entries, np.int64)
        rows = np.repeat(np.arange(len(lists), dtype=np.int32), [len(some) for some in pieces])
        return rows[every > 0], every[every > 0]


_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def _cut(lists: Iterable[msgspec.Raw]) -> Iterator[list[bytes]]:
    """The tags of every list without their braces, found by what stands between two of them where nothing is indented.

    A piece that was cut inside of a text or of a value is no JSON once it has its braces again: what it lacks is not a
    brace. So it cannot be taken for a tag, and raises when it is looked up.
    """
    for tags in lists:
        data = bytes(tags)
        if data.startswith(b"[{") and data.endswith(b"}]"):
            yield data[2:-2].split(b"},{")
        elif data in (b"[]", b""):
            yield []
        else:
            raise NotOrdinary


class _Tags(dict[bytes, int]):
    """A tag in bytes, without its braces ▸ its entry in the builder, 0 for tags that are not wanted or empty. `size`
    is in bytes."""

    def __init__(self, form: Form, builder: SpansBuilder) -> None:
        self.builder = builder
        self.size = 0
        self._tag = form.tag
        self._slots = builder.slots

    def __missing__(self, data: bytes) -> int:
        name, text = self._tag(b"{%b}" % data)
        slot = self._slots.get(name) if text else None
        entry = self[data] = 0 if slot is None else self.builder.packed_slot(slot, text)
        self.size += len(data) + 100
        return entry


def _ids(texts: list[str]) -> Ids:
    """Numbers of hex ids. `fromhex` passes over spaces, which the number of bytes tells."""
    if set(map(len, texts)) != {16}:
        texts = [text.zfill(16) for text in texts]
    try:
        numbers = np.frombuffer(bytes.fromhex("".join(texts)), ">u8")
    except ValueError:
        raise NotOrdinary from None
    if len(numbers) != len(texts) or set(map(len, texts)) != {16}:
        raise NotOrdinary
    return numbers.astype(np.uint64)
