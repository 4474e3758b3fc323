"""Spans are built here: readers hand over one span after the other, columns come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from traceviz.checking import checked
from traceviz.errors import UsageError
from traceviz.notes import Notes
from traceviz.spans import TAGS, Bools, Codes, Ids, Ints, Kind, Spans, Texts, extra_column, joined

#: A slot is a column of the builder and a rank in it, the lower the better: a tag name of the span by its place
#: in `TAGS`, then the same names of its process or resource, then what a reader found elsewhere.
RANKS = 16
INHERITED = 6
_DEDUCED = 15

#: Tags that end in a column of their own; the builder turns their text into it.
_SPECIAL = {"error": ("error",), "kind": ("span.kind",), "otel_status": ("otel.status_code",)}
_COLUMNS = {name: number for number, name in enumerate([*_SPECIAL, *TAGS])}
_NOT_AN_ERROR = ("", "false", "0")

#: Tag name ▸ slot, of the tags that are always read.
_SLOTS: dict[str, int] = {
    tag: _COLUMNS[column] * RANKS + rank
    for column, tags in {**_SPECIAL, **TAGS}.items()
    for rank, tag in enumerate(tags)
}


def deduced(column: str) -> int:
    """The slot for a value of a column of `TAGS` that counts where no tag says it."""
    return _COLUMNS[column] * RANKS + _DEDUCED


_CODE_BITS = 32
_MOST_SLOTS = 2**15  # they are sorted as int16
_Row = tuple[int, int, int, int, int, int, int, int, bool, bool, int]
#: The columns of a `_Row`, then the rows and the entries of tags.
_DTYPES: tuple[type, ...] = (
    *(np.int32, np.uint64, np.uint64, np.int64, np.int64, np.int32, np.int32, np.int8, np.bool_, np.bool_),
    *(np.int32, np.int64),
)
_Part = tuple[npt.NDArray[Any], ...]


def _with_slots_for(extra_tags: Iterable[str]) -> Mapping[str, int]:
    """The slots of all tags to read; one that is not read anyway is in a column behind all others."""
    more = [tag for tag in sorted(extra_tags) if tag not in _SLOTS]
    if not more:
        return _SLOTS
    slots = {tag: number * RANKS for number, tag in enumerate(more, len(_COLUMNS))}
    if slots[more[-1]] + RANKS > _MOST_SLOTS:
        raise UsageError(f"{len(more):,} tags are more than can be read at once", "Select by fewer tags")
    return {**_SLOTS, **slots}


class SpansBuilder:
    """Collects spans one by one and makes a `Spans` of them. Readers fill it; nobody reads it.

    `add` gives the row; `tag` and `link` add to a row. Ids are what the reader normalised them to:
    trace ids as 32 hex digits, span ids as integers below 2**64, times in ns.

    Readers, for whom tags are most of the work, append to `tags` themselves what `packed` gives, always for the row
    added last, and look it up in `known` (tag name ▸ text ▸ what `packed` gave) before they ask. The lowest slot of a
    column with a text wins, then the one that came first. The tags `error`, `span.kind` and `otel.status_code` become
    `error` and `kind`. `slots` has the slot of every tag that is read, to which a reader adds `INHERITED` for a tag
    of a process or a resource.

    `extra_tags` are names of tags that each get a column of their own, `extra_column`, whether a span has them or not;
    they may be among those that are read anyway. Raises UsageError for more of them than there are slots.
    """

    def __init__(self, texts: Texts | None = None, extra_tags: Iterable[str] = ()) -> None:
        self.texts = Texts() if texts is None else texts
        self.notes = Notes()
        self.tags: list[int] = []
        self.extra_tags = frozenset(extra_tags)
        self.slots = _with_slots_for(self.extra_tags)
        self.known: dict[str, dict[str, int]] = {tag: {} for tag in self.slots}
        self._later: list[tuple[int, int]] = []
        self._trace_of: dict[str, int] = {}
        self._rows: list[_Row] = []
        self._sealed: list[_Part] = []
        self._sealed_rows = 0
        self._links: list[tuple[int, str, int]] = []

    def __len__(self) -> int:
        return self._sealed_rows + len(self._rows)

    def trace_number(self, trace_id: str) -> int:
        """The number that stands for a trace in the column `trace`."""
        return self._trace_of.setdefault(trace_id, len(self._trace_of))

    def add(
        self,
        trace_id: str,
        span_id: int,
        parent_id: int,
        start_ns: int,
        duration_ns: int,
        service: str,
        operation: str,
        kind: int = 0,
        error: bool = False,
        shared: bool = False,
    ) -> int:
        """Add one span and give its row."""
        code = self.texts.code
        trace = self._trace_of.setdefault(trace_id, len(self._trace_of))  # as trace_number, without the call
        first_tag = len(self.tags)
        service_code, operation_code = code(service), code(operation)
        row = (trace, span_id, parent_id, start_ns, duration_ns, service_code, operation_code, kind, error, shared)
        self._rows.append((*row, first_tag))
        return len(self) - 1

    def add_columns(
        self,
        trace: Codes,
        span_id: Ids,
        parent_id: Ids,
        start_ns: Ints,
        duration_ns: Ints,
        service: Codes,
        operation: Codes,
        kind: npt.NDArray[np.int8],
        error: Bools,
        tag_rows: Codes,
        tags: Ints,
    ) -> None:
        """Add many spans. `trace` holds what `trace_number` gives, `tags` what `packed` gives, for the span of these
        that `tag_rows` counts from 0."""
        self._seal()
        rows = len(span_id)
        shared = np.zeros(rows, np.bool_)
        columns = (trace, span_id, parent_id, start_ns, duration_ns, service, operation, kind, error, shared)
        self._sealed.append((*columns, tag_rows + np.int32(self._sealed_rows), tags))
        self._sealed_rows += rows

    def _seal(self) -> None:
        """Turn the spans that were added one by one into columns."""
        if not self._rows:
            return
        *columns, first_tag = zip(*self._rows, strict=True)
        rows = self._sealed_rows + np.arange(len(first_tag), dtype=np.int32)
        tag_rows = np.repeat(rows, np.diff([*first_tag, len(self.tags)]))
        arrays: list[npt.NDArray[Any]] = [
            np.array(column, dtype) for column, dtype in zip(columns, _DTYPES, strict=False)
        ]
        self._sealed.append((*arrays, tag_rows, np.array(self.tags, np.int64)))
        self._sealed_rows += len(self._rows)
        self._rows.clear()
        self.tags.clear()

    def packed(self, tag: str, text: str) -> int:
        """A tag of `slots` with its text, as an entry of `tags`."""
        texts = self.known[tag]
        entry = texts.get(text)
        if entry is None:
            entry = texts[text] = self.packed_slot(self.slots[tag], text)
        return entry

    def packed_slot(self, slot: int, text: str) -> int:
        """A text under a slot, as an entry of `tags`."""
        return slot << _CODE_BITS | self.texts.code(text)

    def tag(self, row: int, column: str, text: str) -> None:
        """Set a column of `TAGS` for any row; the first text that is not empty wins."""
        self._later.append((row, self.packed_slot(_COLUMNS[column] * RANKS, text)))

    def link(self, row: int, trace_id: str, span_id: int) -> None:
        """Keep a reference of a row that is not its parent."""
        self._links.append((row, trace_id, span_id))

    @checked
    def build(self) -> Spans:
        """The Spans of everything added. The builder is spent afterwards."""
        self._seal()
        columns: Iterable[_Part] = zip(*self._sealed, strict=True) if self._sealed else [()] * len(_DTYPES)
        arrays: list[npt.NDArray[Any]] = [joined(column, dtype) for column, dtype in zip(columns, _DTYPES, strict=True)]
        trace, span_id, parent_id, start, duration, service, operation, kind, error, shared, rows, entries = arrays
        if self._later:
            later = np.array(self._later, np.int64)
            rows, entries = np.append(rows, later[:, 0].astype(np.int32)), np.append(entries, later[:, 1])
        slots = (entries >> _CODE_BITS).astype(np.int16)
        codes = (entries & (1 << _CODE_BITS) - 1).astype(np.int32)
        tags = self._tag_columns(rows, slots, codes)
        special = {name: tags.pop(name, None) for name in _SPECIAL}
        tags |= {extra_column(tag): self._extra_column(tag, rows, slots, codes) for tag in sorted(self.extra_tags)}
        said = slots == _SLOTS["error"]
        return Spans(
            texts=self.texts,
            trace_ids=list(self._trace_of),
            trace=trace,
            span_id=span_id,
            parent_id=parent_id,
            start_ns=start,
            duration_ns=duration,
            service=service,
            operation=operation,
            kind=self._kinds(kind, special["kind"]),
            error=self._errors(error, rows[said], codes[said], special["otel_status"]),
            shared=shared,
            tags=tags,
            link_row=np.array([row for row, _, _ in self._links], np.int32),
            link_trace=[trace_id for _, trace_id, _ in self._links],
            link_span=np.array([span for _, _, span in self._links], np.uint64),
            notes=self.notes,
        )

    def _tag_columns(self, rows: Codes, slots: npt.NDArray[np.int16], codes: Codes) -> dict[str, Codes]:
        """The winning code of every column that any row has."""
        given = np.flatnonzero(codes)[::-1]
        # Worst first, and what came first last: an assignment to repeated rows keeps the last.
        order = given[np.argsort(-slots[given], kind="stable")]
        rows, codes, falling = rows[order], codes[order], -slots[order]
        tags = {}
        for name, number in _COLUMNS.items():
            worst, best = -(number * RANKS + RANKS - 1), -number * RANKS
            first, last = np.searchsorted(falling, worst, "left"), np.searchsorted(falling, best, "right")
            if first < last:
                column = np.zeros(len(self), np.int32)
                column[rows[first:last]] = codes[first:last]
                tags[name] = column
        return tags

    def _extra_column(self, tag: str, rows: Codes, slots: npt.NDArray[np.int16], codes: Codes) -> Codes:
        """The code of one tag, the span's own before the one of its process, and of several the first."""
        column = np.zeros(len(self), np.int32)
        for slot in (self.slots[tag] + INHERITED, self.slots[tag]):
            given = np.flatnonzero((slots == slot) & (codes > 0))[::-1]
            column[rows[given]] = codes[given]
        return column

    def _kinds(self, kind: npt.NDArray[np.int8], column: Codes | None) -> npt.NDArray[np.int8]:
        """The kind that was given to `add`, else the one in `span.kind`."""
        if column is None:
            return kind
        found, which = np.unique(column, return_inverse=True)
        numbers = [Kind.__members__.get(self.texts[code].upper(), Kind.UNSET) for code in found.tolist()]
        return np.where(kind == 0, np.array(numbers, np.int8)[which], kind)

    def _errors(self, error: Bools, rows: Codes, codes: Codes, otel_status: Codes | None) -> Bools:
        """Rows with any tag `error` that is not "false" (a span may have several), or status ERROR."""
        found, which = np.unique(codes, return_inverse=True)
        failed = np.array([self.texts[code].lower() not in _NOT_AN_ERROR for code in found.tolist()], np.bool_)
        error[rows[failed[which]]] = True
        if otel_status is not None:
            error |= otel_status == self.texts.codes.get("ERROR", -1)
        return error
