"""Places ▸ mergeable counts of where the time went: per place, per operation, and by the speed of the request.

Requests are told apart by what they asked for and by how long they took, in four steps a doubling, so that after the
last merge the fast ones of a window can be set against the others. Sums, sketches and bounded sets of names only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from traceviz.analyze.conditions import trait_columns
from traceviz.analyze.edges import groups, slowest
from traceviz.analyze.entries import entries
from traceviz.analyze.kept import kept
from traceviz.analyze.operations import operation_labels
from traceviz.analyze.report import Report, count_hops
from traceviz.analyze.sketch import Sketch, exact_sum
from traceviz.hops import Hops, hops
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.slow.places import OF_CALLER, SIGNS, WHERES, PlaceKey, Places, of_hop, places
from traceviz.spans import Ints, Rows

#: Of what is asked for at the entries, of operations on the path, and of the values of a trait of a place so many are
#: counted by themselves, all others as one: names may hold ids.
MOST_ENTRIES, MOST_OPERATIONS, MOST_VALUES = 64, 1000, 64
OTHERS = "\0"


class Entry(NamedTuple):
    """What a user asked for: the workload at the root of the request, and its operation."""

    workload: Party
    operation: str


class Speed(NamedTuple):
    """Requests of one kind that took about as long: four times the logarithm of their ns to base 2, rounded down."""

    entry: Entry
    step: int


class Work(NamedTuple):
    """An operation of a workload, with spans on critical paths."""

    workload: Party
    operation: str


class Trait(NamedTuple):
    """A version, a pod, an operation … of whoever a place belongs to."""

    name: str
    value: str


_Key = TypeVar("_Key")
_Owner = TypeVar("_Owner")


@dataclass(slots=True)
class PlaceCounts:
    """What is counted of one place: how long users waited there, a value per call, by the speed of the request and by
    the traits of whoever the place belongs to; in how many traces, also by caller; and the slowest of them."""

    traces: int = 0
    callers: Counter[Party] = field(default_factory=Counter)
    by_speed: dict[Speed, Sketch] = field(default_factory=dict)
    by_trait: dict[Trait, Sketch] = field(default_factory=dict)
    slowest: list[tuple[int, str]] = field(default_factory=list)

    def merge(self, other: PlaceCounts) -> None:
        """Add what `other` counted."""
        self.traces += other.traces
        self.callers.update(other.callers)
        add_sketches(self.by_speed, other.by_speed)
        add_sketches(self.by_trait, other.by_trait)
        self.slowest = slowest([*self.slowest, *other.slowest])


@dataclass(slots=True)
class WorkCounts:
    """How long users waited for an operation itself, and in how many traces."""

    total_ns: int = 0
    traces: int = 0

    def merge(self, other: WorkCounts) -> None:
        """Add what `other` counted."""
        self.total_ns += other.total_ns
        self.traces += other.traces


class SlowCounts:
    """Where the time of users' requests went. `merge` is associative and commutative, fresh counts are its identity.

    `requests` are their durations; those of all places, and those of all work, add up to them.
    """

    def __init__(self) -> None:
        self.requests: dict[Speed, Sketch] = {}
        self.places: dict[PlaceKey, PlaceCounts] = {}
        self.work: dict[Work, WorkCounts] = {}

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report."""
        found = hops(forest)
        self.count_hops(found)
        return count_hops(found)

    def count_hops(self, hops: Hops) -> None:
        """Count the hops of a batch that are found already."""
        found = places(hops, entries(hops))
        labels = operation_labels(hops.forest)
        speed = _add_requests(self.requests, hops, found, labels)
        for key, place in _of_places(hops, found, speed, labels).items():
            self.places.setdefault(key, PlaceCounts()).merge(place)
        for operation, work in _of_work(hops, found, labels).items():
            self.work.setdefault(operation, WorkCounts()).merge(work)
        self._bound()

    def merge(self, other: SlowCounts) -> SlowCounts:
        """Add what was counted of other traces, and give these counts back."""
        add_sketches(self.requests, other.requests)
        for key, place in other.places.items():
            self.places.setdefault(key, PlaceCounts()).merge(place)
        for operation, work in other.work.items():
            self.work.setdefault(operation, WorkCounts()).merge(work)
        self._bound()
        return self

    @property
    def waited_ns(self) -> int:
        """How long all users waited."""
        return sum(sketch.total_ns for sketch in self.requests.values())

    def self_check(self) -> None:
        """Raise AssertionError where moments were lost or counted twice. For tests."""
        by_place = sum(sketch.total_ns for place in self.places.values() for sketch in place.by_speed.values())
        assert by_place == self.waited_ns, "the places do not add up to what users waited"
        assert sum(work.total_ns for work in self.work.values()) == self.waited_ns

    def _bound(self) -> None:
        into = too_many((speed.entry for speed in self.requests), MOST_ENTRIES)
        self.requests = _of_entries(self.requests, into)
        for place in self.places.values():
            place.by_speed = _of_entries(place.by_speed, into)
            if others := too_many(place.by_trait, MOST_VALUES):
                place.by_trait = _regrouped(place.by_trait, {key: Trait(*other) for key, other in others.items()})
        if operations := too_many(self.work, MOST_OPERATIONS):
            work: dict[Work, WorkCounts] = {}
            for operation, counts in self.work.items():
                work.setdefault(Work(*operations.get(operation, operation)), WorkCounts()).merge(counts)
            self.work = work


def add_sketches(mine: dict[_Key, Sketch], theirs: Mapping[_Key, Sketch]) -> None:
    """Add sketches of equal keys; `theirs` stay as they are."""
    for key, sketch in theirs.items():
        mine.setdefault(key, Sketch()).merge(sketch)


def added_up(sketches: Iterable[Sketch]) -> Sketch:
    """One sketch of all."""
    result = Sketch()
    for sketch in sketches:
        result.merge(sketch)
    return result


def too_many(named: Iterable[tuple[_Owner, str]], most: int) -> dict[tuple[_Owner, str], tuple[_Owner, str]]:
    """Names of which an owner has more than so many are counted as one, `OTHERS`: where each of them goes."""
    names: dict[_Owner, set[str]] = defaultdict(set)
    for owner, name in named:
        if name != OTHERS:
            names[owner].add(name)
    return {
        (owner, name): (owner, OTHERS) for owner, several in names.items() for name in several - kept(several, most)
    }


def _regrouped(sketches: Mapping[_Key, Sketch], into: Mapping[Any, _Key]) -> dict[_Key, Sketch]:
    result: dict[_Key, Sketch] = {}
    for key, sketch in sketches.items():
        result.setdefault(into.get(key, key), Sketch()).merge(sketch)
    return result


def _of_entries(
    sketches: dict[Speed, Sketch], into: Mapping[tuple[Party, str], tuple[Party, str]]
) -> dict[Speed, Sketch]:
    moved = {speed: Speed(Entry(*into[speed.entry]), speed.step) for speed in sketches if speed.entry in into}
    return _regrouped(sketches, moved) if moved else sketches


class _Speeds(NamedTuple):
    """The speeds of a batch, and for every row of the forest the one of the request whose root it is."""

    speeds: list[Speed]
    of_root: Rows


def _add_requests(requests: dict[Speed, Sketch], hops: Hops, found: Places, labels: Ints) -> _Speeds:
    """Count the requests, and give back how fast each was."""
    forest = hops.forest
    spans, texts = forest.spans, forest.spans.texts
    roots = np.unique(found.root)
    steps = np.floor(4 * np.log2(np.maximum(spans.duration_ns[roots], 1))).astype(np.int64)
    keys = np.stack((forest.workloads.of_row[roots].astype(np.int64), labels[roots], steps), axis=1)
    different, number = np.unique(keys, axis=0, return_inverse=True)
    speeds = [Speed(Entry(hops.parties[workload], texts[label]), step) for workload, label, step in different.tolist()]
    for one, durations in groups(number.reshape(-1), spans.duration_ns[roots]):
        requests.setdefault(speeds[one], Sketch()).merge(Sketch(durations))
    of_root = np.full(len(forest), -1, np.int64)
    of_root[roots] = number.reshape(-1)
    return _Speeds(speeds, of_root)


def _of_places(hops: Hops, found: Places, speed: _Speeds, labels: Ints) -> dict[PlaceKey, PlaceCounts]:
    """The places of a batch. A call that was waited for at one place several times over is one value."""
    if not len(found.row):
        return {}
    columns = np.stack((found.caller, found.callee, found.where, found.sign, found.root, found.hop), axis=1)
    calls, number = np.unique(columns, axis=0, return_inverse=True)
    waited = np.zeros(len(calls), np.int64)
    np.add.at(waited, number.reshape(-1), found.length_ns)
    own = np.isin(calls[:, 2], [WHERES.index(where) for where in WHERES if where in OF_CALLER])
    ends = np.column_stack((np.where(own, calls[:, 0], -1), calls[:, 1:4]))
    ends, place = np.unique(ends, axis=0, return_inverse=True)
    place, root = place.reshape(-1), calls[:, 4]
    keys = [_key(hops, *row) for row in ends.tolist()]
    counts = [PlaceCounts() for _ in keys]
    trace = hops.forest.spans.trace[root]
    for one, several in groups(place, np.arange(len(calls))):
        counts[one].traces = len(np.unique(trace[several]))
        for caller, traces in groups(calls[several, 0], trace[several].astype(np.int64)):
            if caller >= 0:
                counts[one].callers[hops.parties[caller]] += len(np.unique(traces))
        counts[one].slowest = slowest(
            [(int(waited[i]), hops.forest.spans.trace_ids[trace[i]]) for i in several.tolist()]
        )
        for fast, times in groups(speed.of_root[root[several]], waited[several]):
            counts[one].by_speed[speed.speeds[fast]] = Sketch(times)
    _add_traits(hops, calls, waited, place, labels, counts)
    return dict(zip(keys, counts, strict=True))


def _key(hops: Hops, caller: int, callee: int, where: int, sign: int) -> PlaceKey:
    who = hops.parties[caller] if caller >= 0 else None
    return PlaceKey(who, hops.parties[callee], WHERES[where], SIGNS[sign])


def _add_traits(hops: Hops, calls: Rows, waited: Ints, place: Rows, labels: Ints, counts: list[PlaceCounts]) -> None:
    """By what those whose the places are can be told apart: callers where it is their proxies, else callees."""
    hop, root = calls[:, 5], calls[:, 4]
    caller_row, callee_row = of_hop(hops.caller_row, hop), of_hop(hops.callee_row, hop)
    row = np.where(calls[:, 2] == WHERES.index("caller-proxy"), caller_row, callee_row)
    row = np.where(hop >= 0, row, root)
    # Who reported no half is known by what it was asked for alone.
    asked = np.where((hop >= 0) & (callee_row < 0), caller_row, row)
    texts = hops.forest.spans.texts
    for trait, column in {**trait_columns(hops), "operation": labels}.items():
        rows = asked if trait == "operation" else row
        value = np.where(rows >= 0, column[rows], 0)
        for code, times in groups(place * len(texts) + value, waited):
            if text := texts[code % len(texts)]:
                counts[code // len(texts)].by_trait[Trait(trait, text)] = Sketch(times)


def _of_work(hops: Hops, found: Places, labels: Ints) -> dict[Work, WorkCounts]:
    """How long users waited for each operation of each workload, by the spans themselves."""
    forest = hops.forest
    texts = forest.spans.texts
    code = forest.workloads.of_row[found.row].astype(np.int64) * len(texts) + labels[found.row]
    trace = forest.spans.trace[found.row].astype(np.int64)
    result: dict[Work, WorkCounts] = {}
    for one, at in groups(code, np.arange(len(code))):
        work = Work(hops.parties[one // len(texts)], texts[one % len(texts)])
        result[work] = WorkCounts(exact_sum(found.length_ns[at]), len(np.unique(trace[at])))
    return result
