"""Hops ▸ mergeable counts of how every workload behaves: what it does when it is asked for something.

Per operation of a workload: how long it was at work itself, how often it marked an error of its own, and what it did
beneath that (calls, spans of its program). Per way from one workload to another: how long calls were on their way.
After the last merge two of these are compared (`why.evidence`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from traceviz.analyze.belonging import belonging
from traceviz.analyze.edges import EXAMPLES, groups, own_times, slowest
from traceviz.analyze.groups import visits as first_rows
from traceviz.analyze.kept import kept
from traceviz.analyze.operations import operation_labels
from traceviz.analyze.report import Report, count_hops
from traceviz.analyze.sketch import Sketch
from traceviz.hops import Hops, hops
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.roles import on_callers_side
from traceviz.slow.counts import Work, too_many
from traceviz.spans import Bools, Ints, Rows

#: Of one workload so many operations are counted by themselves, and so many things that one of them does.
MOST_OPERATIONS, MOST_DEEDS = 256, 256


class Deed(NamedTuple):
    """Something that a workload does when it is asked: it calls somebody, or has a span of its own of this name."""

    called: Party | None
    operation: str


class WayKey(NamedTuple):
    """Calls of an operation on their way from one workload to another."""

    caller: Party
    callee: Party
    operation: str


class Bare(NamedTuple):
    """A visit in which little was done: how many deeds, in which trace, and which ones."""

    number: int
    trace_id: str
    deeds: frozenset[Deed]


@dataclass(slots=True)
class Timed:
    """Times in ns, and the slowest with their traces."""

    times: Sketch = field(default_factory=Sketch)
    slowest: list[tuple[int, str]] = field(default_factory=list)

    def merge(self, other: Timed) -> None:
        """Add what `other` counted."""
        self.times.merge(other.times)
        self.slowest = slowest([*self.slowest, *other.slowest])


@dataclass(slots=True)
class Visits:
    """How often an operation was asked for and `marked` as an error of the workload's own, how long the workload itself
    was at work (`own`), and in how many visits it did what: in all, and in those that went `well`. Traces that show it:
    the slowest, five with a mark, and the `barest` five, in which least was done."""

    visits: int = 0
    marked: int = 0
    own: Timed = field(default_factory=Timed)
    deeds: Counter[Deed] = field(default_factory=Counter)
    deeds_well: Counter[Deed] = field(default_factory=Counter)
    marked_in: list[str] = field(default_factory=list)
    barest: list[Bare] = field(default_factory=list)

    def merge(self, other: Visits) -> None:
        """Add what `other` counted."""
        self.visits += other.visits
        self.marked += other.marked
        self.own.merge(other.own)
        self.deeds.update(other.deeds)
        self.deeds_well.update(other.deeds_well)
        self.marked_in = sorted({*self.marked_in, *other.marked_in})[:EXAMPLES]
        self.barest = barest([*self.barest, *other.barest])
        self.bound()

    def bound(self) -> None:
        """Leave out deeds of which there are too many; which those are follows from their names alone."""
        names = {repr(deed): deed for deed in self.deeds}
        if len(names) > MOST_DEEDS:
            left = {names[name] for name in kept(names, MOST_DEEDS)}
            self.deeds = Counter({deed: count for deed, count in self.deeds.items() if deed in left})
            self.deeds_well = Counter({deed: count for deed, count in self.deeds_well.items() if deed in left})


def barest(visits: Iterable[Bare]) -> list[Bare]:
    """Of every trace the visit in which least was done, and of these five."""
    found: dict[str, Bare] = {}
    for visit in sorted(visits, key=lambda bare: (bare.number, bare.trace_id, sorted(map(repr, bare.deeds)))):
        found.setdefault(visit.trace_id, visit)
    return list(found.values())[:EXAMPLES]


class BehaviourCounts:
    """How everybody behaves. `merge` is associative and commutative, fresh counts are its identity."""

    def __init__(self) -> None:
        self.visits: dict[Work, Visits] = {}
        self.ways: dict[WayKey, Timed] = {}

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report."""
        found = hops(forest)
        self.count_hops(found)
        return count_hops(found)

    def count_hops(self, hops: Hops) -> None:
        """Count the hops of a batch that are found already."""
        counted = BehaviourCounts()
        labels = operation_labels(hops.forest)
        _add_visits(hops, labels, counted.visits)
        _add_unreported(hops, labels, counted.visits)
        _add_ways(hops, labels, counted.ways)
        self.merge(counted)

    def merge(self, other: BehaviourCounts) -> BehaviourCounts:
        """Add what was counted of other traces, and give these counts back."""
        for work, visits in other.visits.items():
            self.visits.setdefault(work, Visits()).merge(visits)
        for way, timed in other.ways.items():
            self.ways.setdefault(way, Timed()).merge(timed)
        self._bound()
        return self

    def _bound(self) -> None:
        into = too_many(self.visits, MOST_OPERATIONS)
        into |= too_many(((way.callee, way.operation) for way in self.ways), MOST_OPERATIONS)
        if not into:
            return
        visits: dict[Work, Visits] = {}
        for work, several in self.visits.items():
            visits.setdefault(Work(*into.get(work, work)), Visits()).merge(several)
        ways: dict[WayKey, Timed] = {}
        for way, timed in self.ways.items():
            callee, operation = into.get((way.callee, way.operation), (way.callee, way.operation))
            ways.setdefault(WayKey(way.caller, callee, operation), Timed()).merge(timed)
        self.visits, self.ways = visits, ways


def _add_visits(hops: Hops, labels: Ints, counts: dict[Work, Visits]) -> None:
    """Count what workloads that report spans were asked for."""
    forest = hops.forest
    texts, size = forest.spans.texts, len(forest.spans.texts)
    first = np.flatnonzero((hops.half_hop >= 0) & ~forest.duplicate)
    if not len(first):
        return
    visit, of_row = first_rows(hops), belonging(hops).of_row
    marked = _marked(hops, visit)
    work, number = np.unique(
        forest.workloads.of_row[first].astype(np.int64) * size + labels[first], return_inverse=True
    )
    of_visit = np.full(len(forest), -1, np.int64)
    of_visit[first] = number
    counted = [Visits() for _ in work]
    own = own_times(hops)[first]
    for one, at in groups(number, np.arange(len(first))):
        rows = first[at]
        counted[one].visits = len(rows)
        counted[one].marked = int(marked[rows].sum())
        counted[one].own = _timed(hops, rows, own[at])
        counted[one].marked_in = _traces(hops, rows[marked[rows]])
    done: dict[int, set[Deed]] = defaultdict(set)
    for deed, pairs in _deeds(hops, visit, of_row, labels):
        for row in pairs.tolist():
            done[row].add(deed)
        own_visit = pairs[of_visit[pairs] >= 0]
        for chosen, name in ((own_visit, "deeds"), (own_visit[~marked[own_visit]], "deeds_well")):
            for one, times in zip(*np.unique(of_visit[chosen], return_counts=True), strict=True):
                getattr(counted[one], name)[deed] += int(times)
    for one, at in groups(number, np.arange(len(first))):
        counted[one].barest = _barest(hops, first[at], done)
    for code, visited in zip(work.tolist(), counted, strict=True):
        visited.bound()
        counts[Work(hops.parties[code // size], texts[code % size])] = visited


def _marked(hops: Hops, visit: Rows) -> Bools:
    """Visits, by their first row, with a failed span of the workload's own and no failed call beneath."""
    forest = hops.forest
    inside = np.flatnonzero(hops.outcomes.failed & ~on_callers_side(forest.role) & ~forest.duplicate)
    marked = np.zeros(len(forest), np.bool_)
    marked[visit[inside]] = True
    made_in = _made_in(hops, visit)
    marked[made_in[(made_in >= 0) & hops.failed & hops.waited_for]] = False
    return marked


def _made_in(hops: Hops, visit: Rows) -> Rows:
    """The first row of the visit in which each call was made."""
    return np.where(hops.caller_row >= 0, visit[hops.caller_row], hops.entry_row)


def _deeds(hops: Hops, visit: Rows, of_row: Rows, labels: Ints) -> list[tuple[Deed, Rows]]:
    """Everything that is done in visits, each with the visits in which it is, by their first rows."""
    forest = hops.forest
    rows = np.arange(len(forest))
    spans = np.flatnonzero(
        (visit != rows) & ~forest.duplicate & (~on_callers_side(forest.role) | (of_row < 0)) & (hops.half_hop < 0)
    )
    found = [
        (Deed(None, forest.spans.texts[code]), np.unique(several))
        for code, several in groups(labels[spans], visit[spans])
    ]
    made_in = _made_in(hops, visit)
    # What comes out of a queue is done by whoever takes it.
    calls = np.flatnonzero((made_in >= 0) & hops.waited_for)
    found += [
        (Deed(hops.parties[callee], ""), np.unique(several))
        for callee, several in groups(hops.callee[calls], made_in[calls])
    ]
    return found


def _add_unreported(hops: Hops, labels: Ints, counts: dict[Work, Visits]) -> None:
    """Count what was asked of databases, queues and hosts outside, as their callers saw it."""
    reporting = np.array([party.kind == "workload" for party in hops.parties], np.bool_)
    asked = np.flatnonzero((hops.callee_row < 0) & (hops.client_ns >= 0) & ~reporting[hops.callee])
    size, texts = len(hops.forest.spans.texts), hops.forest.spans.texts
    code = hops.callee[asked] * size + labels[hops.caller_row[asked]]
    for one, at in groups(code, np.arange(len(asked))):
        some = asked[at]
        work = Work(hops.parties[one // size], texts[one % size])
        counts[work] = Visits(
            visits=len(some),
            marked=int(hops.failed[some].sum()),
            own=_timed(hops, hops.caller_row[some], hops.client_ns[some]),
            marked_in=_traces(hops, hops.caller_row[some[hops.failed[some]]]),
        )


def _add_ways(hops: Hops, labels: Ints, counts: dict[WayKey, Timed]) -> None:
    """Count how long calls were on their way."""
    timed = np.flatnonzero((hops.gap_ns >= 0) & (hops.caller >= 0))
    operation = labels[hops.callee_row[timed]]
    size, texts = len(hops.forest.spans.texts), hops.forest.spans.texts
    code = (hops.caller[timed] * len(hops.parties) + hops.callee[timed]) * size + operation
    for one, at in groups(code, np.arange(len(timed))):
        caller, callee = divmod(one // size, len(hops.parties))
        way = WayKey(hops.parties[caller], hops.parties[callee], texts[one % size])
        counts[way] = _timed(hops, hops.row[timed[at]], hops.gap_ns[timed[at]])


def _timed(hops: Hops, rows: Rows, times: Ints) -> Timed:
    """The times of these rows."""
    trace_ids, trace = hops.forest.spans.trace_ids, hops.forest.spans.trace
    each = zip(times.tolist(), trace[rows].tolist(), strict=True)
    return Timed(Sketch(times), slowest([(time, trace_ids[number]) for time, number in each]))


def _traces(hops: Hops, rows: Rows) -> list[str]:
    spans = hops.forest.spans
    return sorted({spans.trace_ids[trace] for trace in spans.trace[rows].tolist()})[:EXAMPLES]


def _barest(hops: Hops, rows: Rows, done: Mapping[int, set[Deed]]) -> list[Bare]:
    spans = hops.forest.spans
    least: dict[str, tuple[int, list[int]]] = {}
    for row in rows.tolist():
        number, trace_id = len(done.get(row, ())), spans.trace_ids[spans.trace[row]]
        if trace_id not in least or number < least[trace_id][0]:
            least[trace_id] = (number, [])
        if number == least[trace_id][0]:
            least[trace_id][1].append(row)
    chosen = sorted(least.items(), key=lambda item: (item[1][0], item[0]))[:EXAMPLES]
    return barest(
        Bare(number, trace_id, frozenset(done.get(row, ()))) for trace_id, (number, some) in chosen for row in some
    )
