"""Joins traces whose spans are scattered over chunks, files and windows: in memory up to a bound, beyond it on disk."""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from traceviz.notes import Notes, define
from traceviz.spans import Codes, Spans, Texts, concat

MIXED_TRACE_IDS = define(
    "mixed-trace-ids",
    "{count} {count:trace was|traces were} reported under 64 bits of the id by some programs and under "
    "128 bits by others; joined",
    """Some programs of the mesh cut trace ids to 64 bits, so that one trace arrives under two ids.

    Ids whose lower 64 bits are equal, one of them with nothing above, are taken as one trace with the long id, where
    there is only one such long id. To repair it, let every program pass 128 bits on (B3: 32 hex digits).""",
)

_PARTITIONS = 64
_LEVELS = 5
_ROUTER = "router~"
_ZEROS = "0" * 16


class Gathered:
    """What `gather` collected. A context manager: leaving it removes the temporary folder, if there was one.

    `first_ns` and `last_ns` are the earliest start and the latest end of spans that have a time, None where none has.
    `services` counts spans by the name of their service (spans without one are left out), `gateways` are the
    services that a proxy with a `node_id` of `router~…` reported for. `notes` are those of all chunks, and after
    `batches()` was read to its end also `mixed-trace-ids`. `bound` is how many spans are kept in memory.
    """

    def __init__(self, bound: int) -> None:
        self.notes = Notes()
        self.spans = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.services: dict[str, int] = {}
        self.gateways: set[str] = set()
        self.bound = max(bound, 1)
        self._kept: list[Spans] = []
        self._waiting = 0
        self._store: _Store | None = None
        self._mixed_noted = False

    def __enter__(self) -> Gathered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the spans and remove the temporary folder."""
        self._kept.clear()
        if self._store:
            self._store.close()

    def batches(self) -> Iterator[Spans]:
        """Whole traces, each in exactly one batch, of at most `bound` spans unless one trace has more.

        May be called again. The batches carry no notes of the chunks; those are in `notes`.
        """
        noted, self._mixed_noted = self._mixed_noted, True
        if self._store:
            self._settle(self._store)
        groups = self._store.groups(self.bound) if self._store else iter([self._kept])
        for group in groups:
            batch, mixed = _joined(group)
            if not noted:
                self.notes.add(MIXED_TRACE_IDS, len(mixed), mixed)
            yield from _cut(batch, self.bound)

    def add(self, chunk: Spans) -> None:
        """Take one more chunk."""
        self.notes.merge(chunk.notes)
        if not len(chunk):
            return
        self._measure(chunk)
        self.spans += len(chunk)
        self._kept.append(chunk)
        self._waiting += len(chunk)
        if self._store is None and self.spans > self.bound:
            self._store = _Store()
        # A file for each partition: many small chunks are written together.
        if self._store is not None and self._waiting >= self.bound // 2:
            self._settle(self._store)

    def _settle(self, store: _Store) -> None:
        """Write what waits."""
        if self._kept:
            store.add(concat(self._kept))
        self._kept.clear()
        self._waiting = 0

    def _measure(self, chunk: Spans) -> None:
        timed = chunk.start_ns > 0
        if timed.any():
            first, last = int(chunk.start_ns[timed].min()), int(chunk.end_ns[timed].max())
            self.first_ns = first if self.first_ns is None else min(first, self.first_ns)
            self.last_ns = last if self.last_ns is None else max(last, self.last_ns)
        counts = np.bincount(chunk.service)
        named = np.flatnonzero(counts)
        services = Counter(self.services)
        services.update({chunk.texts[code]: int(counts[code]) for code in named.tolist() if code})
        self.services = dict(services)
        nodes = chunk.tag("node_id")
        routers = [code for code in np.unique(nodes).tolist() if chunk.texts[code].startswith(_ROUTER)]
        codes = np.unique(chunk.service[np.isin(nodes, routers)]).tolist()
        self.gateways.update(chunk.texts[code] for code in codes if code)


def gather(chunks: Iterable[Spans], bound: int = 250_000) -> Gathered:
    """Read all chunks. More than `bound` spans go to a temporary folder, by trace, so that memory holds about one
    batch; errors of the chunks' source come through, and leave no folder behind."""
    gathered = Gathered(bound)
    try:
        for chunk in chunks:
            gathered.add(chunk)
    except BaseException:
        gathered.close()
        raise
    return gathered


class _Store:
    """Spans on disk, in partitions by the lower 64 bits of their trace ids, so that both forms of an id meet."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="traceviz-")
        self._names = 0
        self._pieces: dict[int, list[tuple[Path, int]]] = {}

    def close(self) -> None:
        self._folder.cleanup()

    def add(self, chunk: Spans) -> None:
        """Write a chunk, a file for each partition that it has rows of."""
        for part, piece in _parts(chunk, 0):
            self._pieces.setdefault(part, []).append(self._write(piece))

    def groups(self, bound: int) -> Iterator[list[Spans]]:
        """The pieces of one partition or several, of about `bound` rows, whole traces only."""
        group: list[Path] = []
        rows = 0
        for pieces in self._partitions(bound):
            size = sum(count for _, count in pieces)
            if group and rows + size > bound:
                yield [_load(path) for path in group]
                group, rows = [], 0
            group += [path for path, _ in pieces]
            rows += size
        if group:
            yield [_load(path) for path in group]

    def _partitions(self, bound: int) -> Iterator[list[tuple[Path, int]]]:
        """The partitions, those that are larger than the bound split up again by further bits."""
        waiting = [(0, self._pieces[part]) for part in sorted(self._pieces, reverse=True)]
        while waiting:
            level, pieces = waiting.pop()
            if sum(count for _, count in pieces) <= bound or level + 1 >= _LEVELS:
                yield pieces
                continue
            smaller: dict[int, list[tuple[Path, int]]] = {}
            for path, _ in pieces:
                for part, piece in _parts(_load(path), level + 1):
                    smaller.setdefault(part, []).append(self._write(piece))
            waiting += [(level + 1, smaller[part]) for part in sorted(smaller, reverse=True)]

    def _write(self, piece: Spans) -> tuple[Path, int]:
        self._names += 1
        path = Path(self._folder.name) / str(self._names)
        with path.open("wb") as file:
            pickle.dump(_compact(piece), file, protocol=pickle.HIGHEST_PROTOCOL)
        return path, len(piece)


def _load(path: Path) -> Spans:
    with path.open("rb") as file:
        spans = pickle.load(file)
    assert isinstance(spans, Spans)
    return spans


def _parts(spans: Spans, level: int) -> Iterator[tuple[int, Spans]]:
    """The rows of every partition that there are rows of; another level looks at other bits."""
    low = np.array([int(trace_id[16:], 16) for trace_id in spans.trace_ids], np.uint64)
    # An odd factor spreads ids that differ in few bits, such as hand-made ones, over the upper bits.
    mixed = low * np.uint64(0x9E3779B97F4A7C15)
    part_of = (mixed >> np.uint64(64 - 6 * (level + 1))) % np.uint64(_PARTITIONS)
    parts = part_of[spans.trace].astype(np.int64)
    order = np.argsort(parts, kind="stable")
    found, starts = np.unique(parts[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    for part, start, end in zip(found.tolist(), starts.tolist(), ends, strict=True):
        yield part, spans.take(order[start:end])


def _compact(spans: Spans) -> Spans:
    """The same rows with only the texts that they use, and without notes."""
    columns = {"service": spans.service, "operation": spans.operation, **spans.tags}
    used = np.unique(np.concatenate([*columns.values(), np.zeros(1, np.int32)]))
    new: Codes = np.zeros(len(spans.texts), np.int32)
    new[used] = np.arange(len(used), dtype=np.int32)
    fresh = {name: new[column] for name, column in columns.items()}
    return replace(
        spans,
        texts=Texts(spans.texts[code] for code in used.tolist()),
        service=fresh.pop("service"),
        operation=fresh.pop("operation"),
        tags=fresh,
        notes=Notes(),
    )


def _joined(parts: list[Spans]) -> tuple[Spans, list[str]]:
    """All rows as one Spans without notes, both forms of a trace's id joined, and the ids for which that was done."""
    batch = replace(concat(parts), notes=Notes())
    forms: dict[str, list[str]] = {}
    for trace_id in batch.trace_ids:
        forms.setdefault(trace_id[16:], []).append(trace_id)
    long_of = {}
    for low, ids in forms.items():
        if len(ids) == 2 and _ZEROS + low in ids:
            long_of[_ZEROS + low] = max(ids)
    if not long_of:
        return batch, []
    number_of: dict[str, int] = {}
    new = [number_of.setdefault(long_of.get(trace_id, trace_id), len(number_of)) for trace_id in batch.trace_ids]
    trace: Codes = np.array(new, np.int32)[batch.trace]
    link_trace = [long_of.get(trace_id, trace_id) for trace_id in batch.link_trace]
    return replace(batch, trace_ids=list(number_of), trace=trace, link_trace=link_trace), sorted(long_of.values())


def _cut(batch: Spans, bound: int) -> Iterator[Spans]:
    """The batch in pieces of whole traces and at most `bound` rows where traces allow; nothing for no rows."""
    if len(batch) <= bound:
        if len(batch):
            yield batch
        return
    group_of: list[int] = []
    group = rows = 0
    for size in np.bincount(batch.trace, minlength=len(batch.trace_ids)).tolist():
        if rows and rows + size > bound:
            group, rows = group + 1, 0
        group_of.append(group)
        rows += size
    groups = np.array(group_of, np.int32)[batch.trace]
    order = np.argsort(groups, kind="stable")
    for piece in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        yield batch.take(piece)
