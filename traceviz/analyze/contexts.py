"""Hops ▸ counts per context: every service once for each way of calls that leads to it from where requests begin.

    (entry: gateway) ▸ (gateway → front) ▸ (front → cart)          42 calls of cart from front, for requests

A context is its path, so that the contexts of any batches can be added up. Where no request of a user begins a tree
begins as well: at what a program did by itself, at what came out of a queue, at a fragment of a torn trace, at a span
whose parent is missing. There are only so many contexts, and none is deeper than `DEEPEST`: calls beyond that count in
a last step without a callee. Which contexts are kept follows from their paths alone, never from the order of merges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from traceviz.analyze.beginnings import STARTS, Start, beginnings
from traceviz.analyze.edges import EdgeCounts, add_calls, add_spans, busy_times, groups, union_lengths
from traceviz.analyze.entries import Entries
from traceviz.analyze.groups import Sides
from traceviz.analyze.paths import bounded
from traceviz.analyze.sketch import Sketch
from traceviz.hops import Hops
from traceviz.parties import Party
from traceviz.spans import Ints, Rows

#: Calls of calls below the first span of a tree, and contexts of one report.
DEEPEST = 32
MOST_CONTEXTS = 4096


class Step(NamedTuple):
    """One step of a path: a call, or the `start` of a tree at a callee that nobody called. Without a callee it stands
    for all calls beneath the step before it that were too deep or too many."""

    caller: Party | None
    callee: Party | None
    asynchronous: bool = False
    start: Start | None = None


Path = tuple[Step, ...]
FOLDED = Step(None, None)


@dataclass(slots=True)
class ContextCounts:
    """What is counted in one context: its calls as those of an edge, and the time of each that no call beneath it
    covers, in ns."""

    calls: EdgeCounts = field(default_factory=EdgeCounts)
    own_time: Sketch = field(default_factory=Sketch)

    def merge(self, other: ContextCounts) -> None:
        """Add what `other` counted."""
        self.calls.merge(other.calls)
        self.own_time.merge(other.own_time)


Contexts = dict[Path, ContextCounts]


def count_contexts(sides: Sides, entries: Entries) -> Contexts:
    """The contexts of all hops of a batch."""
    hops = sides.hops
    beginning = beginnings(hops, entries)
    tree = _Tree(hops)
    context, root = tree.placed(beginning.start)
    counts = [ContextCounts() for _ in tree.steps]
    add_calls(hops, np.arange(len(hops)), context, [count.calls for count in counts])
    for number, times in groups(context, _own_times(hops)):
        counts[number].own_time = Sketch(times)
    _add_roots(hops, beginning.row, root, counts)
    return bounded(dict(zip(tree.paths(), counts, strict=True)), MOST_CONTEXTS, FOLDED)


def merge_contexts(mine: Contexts, theirs: Contexts) -> Contexts:
    """Both added up; `mine` is used up by that."""
    for path, counts in theirs.items():
        mine.setdefault(path, ContextCounts()).merge(counts)
    return bounded(mine, MOST_CONTEXTS, FOLDED)


class _Tree:
    """The contexts of a batch as they are met: `steps`, and for each the context that it is in."""

    def __init__(self, hops: Hops) -> None:
        self._hops = hops
        self.steps: list[tuple[int, int, bool, int]] = []
        self._above: list[int] = []
        self._depth: list[int] = []
        self._index: dict[tuple[int, int, int, bool, int], int] = {}

    def placed(self, start: Ints) -> tuple[Rows, Rows]:
        """The context of every hop, and that of its caller where a tree begins there, else -1."""
        hops = self._hops
        context: list[int] = []
        root = np.full(len(hops), -1, np.int64)
        columns = (hops.up, hops.caller, hops.callee, hops.asynchronous, start)
        for hop, (up, caller, callee, asynchronous, begin) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            if up >= 0:
                context.append(self._step(context[up], caller, callee, asynchronous, -1))
            elif caller < 0:
                context.append(self._step(-1, -1, callee, asynchronous, begin))
            else:
                root[hop] = self._step(-1, -1, caller, False, begin)
                context.append(self._step(int(root[hop]), caller, callee, asynchronous, -1))
        return np.array(context, np.int64), root

    def _step(self, above: int, caller: int, callee: int, asynchronous: bool, start: int) -> int:
        depth = self._depth[above] + 1 if above >= 0 else 0
        if above >= 0 and self.steps[above][1] < 0:
            return above
        key = (above, caller, callee, asynchronous, start) if depth <= DEEPEST else (above, -1, -1, False, -1)
        number = self._index.setdefault(key, len(self.steps))
        if number == len(self.steps):
            self.steps.append(key[1:])
            self._above.append(above)
            self._depth.append(depth)
        return number

    def paths(self) -> list[Path]:
        """The path of every context."""
        parties = self._hops.parties
        result: list[Path] = []
        for above, (caller, callee, asynchronous, start) in zip(self._above, self.steps, strict=True):
            step = Step(
                parties[caller] if caller >= 0 else None,
                parties[callee] if callee >= 0 else None,
                asynchronous,
                STARTS[start] if start >= 0 else None,
            )
            result.append((*(result[above] if above >= 0 else ()), step))
        return result


def _own_times(hops: Hops) -> Ints:
    """The time of every call that no call beneath it covers: the callee's own, and whatever lies between the two."""
    halves = np.flatnonzero(hops.half_hop >= 0)
    busy = np.bincount(hops.half_hop[halves], busy_times(hops)[halves], minlength=len(hops))
    busy = np.minimum(busy, 2.0**62).astype(np.int64)  # several halves of centuries each are more than 64 bits hold
    own: Ints = np.maximum(np.where(hops.client_ns >= 0, hops.client_ns, hops.server_ns) - busy, 0)
    return own


def _add_roots(hops: Hops, row: Rows, root: Rows, counts: list[ContextCounts]) -> None:
    """Count the callers with which trees begin, each of their visits once."""
    spans = hops.forest.spans
    seen = np.flatnonzero((root >= 0) & (row >= 0))
    first, at = np.unique(row[seen], return_index=True)
    contexts, number = np.unique(root[seen][at], return_inverse=True)
    # Requests that were counted as hops can be in the same contexts.
    beginning = [ContextCounts() for _ in contexts]
    add_spans(hops, first, number, [count.calls for count in beginning])
    made = seen[hops.caller_row[seen] >= 0]
    child, parent = hops.caller_row[made], row[made]
    begin = np.maximum(spans.start_ns[child], spans.start_ns[parent])
    busy = np.zeros(len(spans), np.int64)
    rows, covered = union_lengths(parent, begin, np.minimum(spans.end_ns[child], spans.end_ns[parent]))
    busy[rows] = covered
    for group, times in groups(number, np.maximum(spans.duration_ns[first] - busy[first], 0)):
        beginning[group].own_time = Sketch(times)
    for context, count in zip(contexts.tolist(), beginning, strict=True):
        counts[context].merge(count)
    # What a queue is taken from is known, and not when it was put there.
    for context in root[(root >= 0) & (row < 0)].tolist():
        counts[context].calls.calls += 1
        counts[context].calls.attempts += 1
