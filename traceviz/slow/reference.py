"""What a window is compared with: the requests of a baseline, or its own fast ones of the same kind.

Entries are requests for one operation of one workload, by node names: only what users asked for on both sides is
compared, each kind of request with its own, so that another mix of requests is no change.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.sketch import Sketch
from traceviz.slow.counts import SlowCounts, Speed, add_sketches

#: Fast requests are about the faster half of a kind. Fewer than a tenth of them, or than five, are no kind of request
#: but exceptions, and are set against nothing.
FAST = 0.5
LEAST_SHARE, LEAST_REQUESTS = 0.1, 5


class EntryName(NamedTuple):
    """What was asked for, by names."""

    node: str
    operation: str


@dataclass(frozen=True)
class Requests:
    """Some requests of a window by entry, and which speeds they have: all of them, or only the fast ones."""

    durations: Mapping[EntryName, Sketch]
    speeds: Mapping[Speed, EntryName]

    def at(self, by_speed: Mapping[Speed, Sketch]) -> dict[EntryName, Sketch]:
        """The times of a place in these requests, by entry."""
        found: dict[EntryName, Sketch] = {}
        for speed, sketch in by_speed.items():
            if speed in self.speeds:
                found.setdefault(self.speeds[speed], Sketch()).merge(sketch)
        return found


def all_requests(counts: SlowCounts, names: NodeNames) -> Requests:
    """All requests of a window."""
    speeds = {speed: EntryName(names[speed.entry.workload], speed.entry.operation) for speed in counts.requests}
    return _of_speeds(counts, speeds)


def fast_and_slow(counts: SlowCounts, everything: Requests) -> tuple[Requests, Requests]:
    """The fast requests of each kind, and the others. Kinds that were all about as fast have none of both."""
    steps: dict[EntryName, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for speed, entry in everything.speeds.items():
        steps[entry][speed.step] += counts.requests[speed].count
    limits = {entry: _limit(of_step) for entry, of_step in steps.items()}
    apart = {entry: limit for entry, limit in limits.items() if limit is not None}
    fast = {speed: entry for speed, entry in everything.speeds.items() if speed.step <= apart.get(entry, -1)}
    slow = {speed: entry for speed, entry in everything.speeds.items() if entry in apart and speed.step > apart[entry]}
    return _of_speeds(counts, fast), _of_speeds(counts, slow)


def _limit(of_step: Mapping[int, int]) -> int | None:
    """The slowest step of the fast requests, so that they are as near to half of all as steps allow; None where too few
    are on one side of every such limit."""
    total, reached = sum(of_step.values()), 0
    least = max(LEAST_REQUESTS, LEAST_SHARE * total)
    best: tuple[float, int] | None = None
    for step in sorted(of_step):
        reached += of_step[step]
        if min(reached, total - reached) >= least:
            best = min(best or (math.inf, 0), (abs(reached - FAST * total), step))
    return None if best is None else best[1]


def _of_speeds(counts: SlowCounts, speeds: Mapping[Speed, EntryName]) -> Requests:
    durations: dict[EntryName, Sketch] = {}
    for speed, entry in speeds.items():
        add_sketches(durations, {entry: counts.requests[speed]})
    return Requests(durations, speeds)
