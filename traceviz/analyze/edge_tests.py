"""Two sides of an edge ▸ the tests of whether it changed: its errors, the middle and the tail of its times, and whether
it is there at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from traceviz.analyze.edges import EdgeCounts
from traceviz.analyze.significance import chance_of_shares, chance_of_times
from traceviz.analyze.sketch import Sketch
from traceviz.spans import Ints

#: What is certain may still be too small to matter, with a million calls. Times: a tenth, because two windows of one
#: healthy day differ by that much; and a tenth of a millisecond, because below that nobody waits. Errors: one call in a
#: thousand, which is the whole budget of 99.9 %.
LEAST_RATIO = 1.1
LEAST_NS = 100_000
LEAST_ERRORS = 0.001
#: The tail is what is slower than this share of the calls of both sides, and no fewer than so many calls, because one
#: or two on either side prove nothing.
_TAIL, _LEAST_TAIL = 0.95, 10

Field = Literal["error_rate_delta", "p50_ratio", "p95_ratio"]


class Outcome(NamedTuple):
    """A test: what it is of, the chance of such a difference where nothing changed, whether the edge got worse, and
    which fields of the row changed by so much that it matters; presence is no field."""

    of: Literal["presence", "errors", "times"]
    chance: float
    worse: bool
    fields: tuple[Field, ...] = ()


class Times(NamedTuple):
    """The times of both sides, as seen from the same end of their calls: of all calls, as `client_ms` or `server_ms` of
    an edge has them. Tested are those `that_went_well`."""

    seen_from: Literal["caller", "callee"]
    before: Sketch
    after: Sketch

    def percentiles_ns(self, share: float) -> tuple[float, float]:
        """The percentile before and after."""
        return self.before.percentiles_ns((share,))[0], self.after.percentiles_ns((share,))[0]

    def ratio(self, share: float) -> float | None:
        """The percentile after over that before; None where it was 0."""
        before, after = self.percentiles_ns(share)
        return after / before if before else None

    def that_went_well(self, before: EdgeCounts, after: EdgeCounts) -> Times:
        """The same of calls without an error: one that fails at once, or waits for its deadline, is an error and says
        nothing of how fast its callee answers. A fault that is gone made nothing slower."""
        part = "failed_client" if self.seen_from == "caller" else "failed_server"
        mine, theirs = self.before.without(getattr(before, part)), self.after.without(getattr(after, part))
        return Times(self.seen_from, mine, theirs)


def times_of(before: EdgeCounts, after: EdgeCounts) -> Times | None:
    """The callers' times where both sides have some, else the callees'; None where the sides have none in common."""
    if before.client.count and after.client.count:
        return Times("caller", before.client, after.client)
    if before.server.count and after.server.count:
        return Times("callee", before.server, after.server)
    return None


def presence(there: EdgeCounts, there_traces: int, elsewhere_traces: int) -> Outcome | None:
    """Whether an edge that was called in so many of the traces of one side could be missing among those of the other
    by chance."""
    with_it = there.errors_by_trace.traces
    chance = chance_of_shares(with_it, max(there_traces - with_it, 0), 0, elsewhere_traces)
    return None if chance is None else Outcome("presence", chance, worse=False)


def changes(before: EdgeCounts, after: EdgeCounts, times: Times | None) -> Iterator[Outcome]:
    """The tests of an edge that both sides have, without those that could not be significant however it went."""
    of_errors = _errors(before, after)
    if of_errors is not None:
        yield of_errors
    if times is not None:
        yield from _of_times(before, after, times.that_went_well(before, after))


def _errors(before: EdgeCounts, after: EdgeCounts) -> Outcome | None:
    # Of both sides together: a side without errors says nothing of how they come in traces.
    effect = before.errors_by_trace.added(after.errors_by_trace).design_effect
    failed, well = (before.errors, after.errors), (before.calls - before.errors, after.calls - after.errors)
    chance = chance_of_shares(failed[0], well[0], failed[1], well[1], effect)
    if chance is None:
        return None
    delta = after.errors / after.calls - before.errors / before.calls
    return Outcome("errors", chance, delta > 0, ("error_rate_delta",) if abs(delta) >= LEAST_ERRORS else ())


def _of_times(before: EdgeCounts, after: EdgeCounts, times: Times) -> Iterator[Outcome]:
    # Of both sides apart: that the sides differ must not look as if traces did.
    effect = max(before.times_by_trace.design_effect, after.times_by_trace.design_effect)
    _, mine, theirs = times.before.together(times.after)
    ranked = chance_of_times(mine, theirs, effect)
    if ranked is None:  # all alike, or so few that no share of them could be significant either
        return
    chance, slower = ranked
    middle, tail = (_large(times, share, worse=slower > 0.5) for share in (0.5, _TAIL))
    fields: tuple[Field, ...] = ("p50_ratio",) if middle else ("p95_ratio",) if tail else ()
    yield Outcome("times", chance, slower > 0.5, fields)
    beyond = _beyond(mine, theirs)
    tail_chance = chance_of_shares(*beyond, effect)
    if tail_chance is not None:
        worse = beyond[2] * (beyond[0] + beyond[1]) > beyond[0] * (beyond[2] + beyond[3])
        yield Outcome("times", tail_chance, worse, ("p95_ratio",) if _large(times, _TAIL, worse=worse) else ())


def _beyond(mine: Ints, theirs: Ints) -> tuple[int, int, int, int]:
    """How many calls before are in the tail of all and how many are not, and likewise after."""
    reached = np.cumsum(mine + theirs)
    number = int(reached[-1])
    rank = max(0, min(math.ceil(_TAIL * number), number - _LEAST_TAIL))
    limit = int(np.searchsorted(reached, rank)) + 1
    slow, late = int(mine[limit:].sum()), int(theirs[limit:].sum())
    return slow, int(mine.sum()) - slow, late, int(theirs.sum()) - late


def _large(times: Times, share: float, *, worse: bool) -> bool:
    """Whether a percentile moved in this direction by so much that it matters."""
    before, after = times.percentiles_ns(share)
    less, more = (before, after) if worse else (after, before)
    return more - less >= LEAST_NS and more >= LEAST_RATIO * less
