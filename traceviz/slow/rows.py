"""Counts and names ▸ the rows of `traceviz slow`: places by what they are called, against what they were before.

Where the time is the callee's, or its proxy's, there is one row for all its callers; where it is the caller's proxy's
or the network's, one for each caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from traceviz.analyze.culprits import Way, culprits
from traceviz.analyze.edges import slowest
from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.sketch import Sketch
from traceviz.slow import reasons
from traceviz.slow.all_calls import AllCalls
from traceviz.slow.counts import PlaceCounts, SlowCounts, Trait, add_sketches, added_up
from traceviz.slow.moved import Comparison, Moved
from traceviz.slow.places import Where
from traceviz.slow.reference import EntryName, Requests, all_requests, fast_and_slow


class RowKey(NamedTuple):
    """Whose time it is; `caller` is None where the row is for all callers."""

    caller: str | None
    callee: str
    where: Where
    sign: str


@dataclass
class Row:
    """What is added up for one row. `times` are those of all requests; `moved` is how it moved, None where there is
    nothing to compare it with."""

    callers: Counter[str] = field(default_factory=Counter)
    places: list[PlaceCounts] = field(default_factory=list)
    traces: int = 0
    times: Sketch = field(default_factory=Sketch)
    by_trait: dict[Trait, Sketch] = field(default_factory=dict)
    slowest: list[tuple[int, str]] = field(default_factory=list)
    moved: Moved | None = None

    def add(self, place: PlaceCounts, names: NodeNames) -> None:
        """Add a place."""
        for caller, traces in place.callers.items():
            self.callers[names[caller]] += traces
        self.places.append(place)
        self.traces += place.traces
        self.times.merge(added_up(place.by_speed.values()))
        add_sketches(self.by_trait, place.by_trait)
        self.slowest = slowest([*self.slowest, *place.slowest])

    def at(self, requests: Requests) -> dict[EntryName, Sketch]:
        """Its times in some requests, by entry."""
        found: dict[EntryName, Sketch] = {}
        for place in self.places:
            add_sketches(found, requests.at(place.by_speed))
        return found


def read_rows(counts: SlowCounts, names: NodeNames) -> dict[RowKey, Row]:
    """The rows of a window, by name."""
    rows: dict[RowKey, Row] = {}
    for place_key, place in sorted(counts.places.items(), key=lambda item: repr(item[0])):
        caller = None if place_key.caller is None else names[place_key.caller]
        key = RowKey(caller, names[place_key.callee], place_key.where, place_key.sign)
        rows.setdefault(key, Row()).add(place, names)
    return rows


class Compared(NamedTuple):
    """What rows were compared with: how many requests of the reference, which entries it does not have, and how long
    users waited for those that it has."""

    requests: int
    missing: list[EntryName]
    waited_ns: int


def compare_with_baseline(
    rows: Mapping[RowKey, Row], counts: SlowCounts, baseline: SlowCounts, names: NodeNames, calls: AllCalls
) -> Compared:
    """Say of every row how it moved against a baseline."""
    now, before = all_requests(counts, names), all_requests(baseline, names)
    earlier = read_rows(baseline, names)
    comparison = Comparison(now, before)
    for key, row in rows.items():
        moved = comparison.moved(row.at(now), earlier[key].at(before) if key in earlier else {})
        if moved and not key.sign:
            moved = calls.checked(key.caller, key.callee, key.where, moved, comparison.least_ns)
        row.moved = moved
    missing = sorted(now.durations.keys() - before.durations.keys())
    return Compared(_number(before), missing, comparison.waited_ns)


def compare_within(rows: Mapping[RowKey, Row], counts: SlowCounts, names: NodeNames) -> Compared:
    """Say of every row how slow requests differ from the window's own fast ones."""
    fast, slow = fast_and_slow(counts, all_requests(counts, names))
    comparison = Comparison(slow, fast)
    for row in rows.values():
        row.moved = comparison.moved(row.at(slow), row.at(fast))
    return Compared(_number(fast), [], comparison.waited_ns)


def _number(requests: Requests) -> int:
    return sum(sketch.count for sketch in requests.durations.values())


def reason_of(key: RowKey, row: Row, *, own: bool) -> str:
    """Its code. Slow requests often ask for more than fast ones (`own`), which makes nobody slow: only against other
    traces are more calls a reason."""
    if key.sign:
        return key.sign
    if row.moved and row.moved.more_calls and key.where == "callee" and not own:
        return reasons.MORE_CALLS
    return {"network": reasons.NETWORK, "callee": reasons.SLOW}.get(key.where, reasons.PROXY)


def ends_of_ways(rows: Iterable[tuple[RowKey, Row]]) -> dict[Way, str]:
    """Of every way on which time passed the end that it is looked for at."""
    strength: dict[Way, float] = {}
    for key, row in rows:
        if key.where == "network" and key.caller is not None:
            found = row.moved.slower if row.moved else None
            strength[Way(key.caller, key.callee)] = found.strength if found else 0.0
    blamed = culprits(strength)
    return {way: blamed.get(way, way.callee) for way in strength}
