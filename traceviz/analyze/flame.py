"""Hops ▸ times and errors by calling context: what a flame graph, folded stacks and a profile are made of.

    gateway GET / ▸ front GET / ▸ cart GET /items/{id}             cart's own time, asked by front, asked by gateway
    gateway GET / ▸ front GET / ▸ to cart: network, proxy, queue   front's calls of cart, without what was cart's

A frame is what a workload was asked for in one go (a visit, see `analyze.groups`); beneath it are those that it called,
and, for the time of a call that is not its callee's, a frame of the call: its way there and back, a delay that was
injected on purpose, or all of it where the callee was not seen. Every span is in one frame, whatever the number of
spans in it, so that every sum over frames is the sum over spans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np

from traceviz.analyze.beginnings import Start
from traceviz.analyze.contexts import DEEPEST
from traceviz.analyze.entries import entries, torn_off
from traceviz.analyze.groups import of_visits, visits
from traceviz.analyze.operations import operation_labels
from traceviz.analyze.paths import bounded
from traceviz.analyze.self_time import self_times
from traceviz.analyze.shapes import count_shapes
from traceviz.analyze.waits import user_roots, waited_ns
from traceviz.documents import FrameKind
from traceviz.hops import Hops
from traceviz.notes import Notes
from traceviz.parties import Party
from traceviz.roles import Role
from traceviz.spans import Bools, Ints, Rows

MOST_FRAMES = 4096

KINDS: tuple[FrameKind, ...] = get_args(FrameKind)
_DIGIT = re.compile(r"\d")


class Frame(NamedTuple):
    """One step of a calling context. `party` is the workload, or the callee of a call, None where it has no name."""

    kind: FrameKind
    party: Party | None = None
    operation: str = ""


Path = tuple[Frame, ...]
FOLDED = Frame("folded")


@dataclass(slots=True)
class FrameCounts:
    """What is counted in one context, without those beneath it: time on the critical paths of users' requests, time in
    which none of its calls was under way, both in ns, and failures that started there."""

    critical_ns: int = 0
    self_ns: int = 0
    errors: int = 0

    def merge(self, other: FrameCounts) -> None:
        """Add what `other` counted."""
        self.critical_ns += other.critical_ns
        self.self_ns += other.self_ns
        self.errors += other.errors


class FlameCounts:
    """Times and errors by calling context. `merge` is associative and commutative, fresh counts are its identity. There
    are at most 4,096 contexts, none deeper than 32 calls; the others are counted in a folded one beneath their last."""

    def __init__(self) -> None:
        self.frames: dict[Path, FrameCounts] = {}

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        self._add(_counted(hops))

    def merge(self, other: FlameCounts) -> FlameCounts:
        """Add what was counted of other traces, and give these counts back."""
        self._add(other.frames)
        return self

    def _add(self, frames: dict[Path, FrameCounts]) -> None:
        for path, counts in frames.items():
            self.frames.setdefault(path, FrameCounts()).merge(counts)
        self.frames = bounded(self.frames, MOST_FRAMES, FOLDED, _names_one_of_many)


def _names_one_of_many(frame: Frame) -> bool:
    """Whether an operation may be one of very many, which go after all others: they hold an id, and so a digit."""
    return _DIGIT.search(frame.operation) is not None


def _counted(hops: Hops) -> dict[Path, FrameCounts]:
    forest = hops.forest
    entered = entries(hops)
    contexts = _Contexts(hops)
    visit = visits(hops)
    of_visit = contexts.of_visits(visit, user_roots(hops, entered))[visit]
    of_call = contexts.of_calls(of_visit)
    of_row = np.where(hops.call_row >= 0, of_call[hops.call_row], of_visit)
    placed = ~forest.duplicate

    started = np.flatnonzero(count_shapes(hops, entered, Notes()).started)
    half = hops.callee_row[started]
    at_callee = (half >= 0) & ((hops.caller_row[started] < 0) | hops.outcomes.failed[half])
    failed_in = np.where(at_callee, of_visit[half], of_call[hops.caller_row[started]])

    size = len(contexts)
    critical = _sums(of_row[placed], waited_ns(hops, entered)[placed], size)
    own = _sums(of_row[placed], self_times(forest)[placed], size)
    errors = np.bincount(failed_in, minlength=size).tolist()
    return {path: FrameCounts(*counts) for path, *counts in zip(contexts.paths(), critical, own, errors, strict=True)}


def _sums(group: Rows, values: Ints, size: int) -> list[int]:
    """The sum of each group, exact where 64 bits do not hold it: spans of centuries are met."""
    high, low = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(high, group, values >> 32)
    np.add.at(low, group, values & 0xFFFFFFFF)
    return [(above << 32) + below for above, below in zip(high.tolist(), low.tolist(), strict=True)]


class _Contexts:
    """The contexts of a batch as they are met: numbers for a frame, as codes, beneath another context."""

    def __init__(self, hops: Hops) -> None:
        self._hops = hops
        self._label = operation_labels(hops.forest)
        self._frames: list[tuple[int, int, int]] = []
        self._above: list[int] = []
        self._depth: list[int] = []
        self._index: dict[tuple[int, int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def of_visits(self, visit: Rows, user_root: Bools) -> Rows:
        """The context of every visit, at the place of its first row."""
        forest = self._hops.forest
        label = of_visits(forest, visit, self._label)
        own = forest.workloads.of_row
        start = _starts(self._hops, user_root)
        context = np.full(len(forest), -1, np.int64)
        first = np.flatnonzero((visit == np.arange(len(forest))) & ~forest.duplicate)
        first = first[np.argsort(forest.depth[first], kind="stable")]
        for row, parent, party, operation in zip(
            *(column[first].tolist() for column in (np.arange(len(forest)), forest.parent, own, label)), strict=True
        ):
            above = int(context[visit[parent]]) if parent >= 0 else self._beginning(start[row])
            context[row] = self._number(above, KINDS.index("work"), party, operation)
        return context

    def of_calls(self, of_visit: Rows) -> Rows:
        """The context of the time of every call that is not its callee's, at the place of its head."""
        hops = self._hops
        head = np.unique(hops.call_row[hops.call_row >= 0])
        hop = np.full(len(hops.forest), -1, np.int64)
        headed = np.flatnonzero(hops.caller_row >= 0)[::-1]
        hop[hops.caller_row[headed]] = headed
        callee, half = (np.append(column, -1)[hop[head]] for column in (hops.callee, hops.callee_row))
        delayed = hops.outcomes.delayed[head]
        kind = np.where(delayed, KINDS.index("delay"), np.where(half >= 0, KINDS.index("way"), KINDS.index("unseen")))
        # What was asked for stands in the callee's own frame, if there is one.
        operation = np.where(kind == KINDS.index("unseen"), self._label[head], 0)
        context = np.full(len(hops.forest), -1, np.int64)
        columns = (head, of_visit[head], kind, callee, operation)
        for row, *frame in zip(*(column.tolist() for column in columns), strict=True):
            context[row] = self._number(*frame)
        return context

    def _beginning(self, start: Start) -> int:
        return -1 if start == "entry" else self._number(-1, KINDS.index(start), -1, 0)

    def _number(self, above: int, kind: int, party: int, operation: int) -> int:
        depth = self._depth[above] + 1 if above >= 0 else 0
        if above >= 0 and self._frames[above][0] == KINDS.index("folded"):
            return above
        key = (above, kind, party, operation) if depth <= DEEPEST else (above, KINDS.index("folded"), -1, 0)
        number = self._index.setdefault(key, len(self._frames))
        if number == len(self._frames):
            self._frames.append(key[1:])
            self._above.append(above)
            self._depth.append(depth)
        return number

    def paths(self) -> list[Path]:
        """The path of every context."""
        parties, texts = self._hops.parties, self._hops.forest.spans.texts
        result: list[Path] = []
        for above, (kind, party, operation) in zip(self._above, self._frames, strict=True):
            frame = Frame(KINDS[kind], parties[party] if party >= 0 else None, texts[operation])
            result.append((*(result[above] if above >= 0 else ()), frame))
        return result


def _starts(hops: Hops, user_root: Bools) -> dict[int, Start]:
    """With what the tree of every root begins."""
    forest = hops.forest
    torn = torn_off(forest)
    signs: tuple[tuple[Start, Bools], ...] = (
        ("fragment", torn),
        ("orphan", forest.orphan),
        ("async", forest.role == Role.CONSUMER),
        ("entry", user_root),
    )
    starts: dict[int, Start] = dict.fromkeys(np.flatnonzero(forest.parent < 0).tolist(), "program")
    for start, chosen in signs:
        starts |= dict.fromkeys(np.flatnonzero(chosen & (forest.parent < 0)).tolist(), start)
    return starts
