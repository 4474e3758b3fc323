"""deadline-shorter-than-callee: callers that give up before their callee is done, and not now and then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from traceviz import envoy
from traceviz.analyze.reasons import TIMEOUT_ERROR, TIMEOUTS
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sketch import Sketch
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Merged, Tally, groups, runs
from traceviz.doctor.words import millis
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party
from traceviz.spans import Bools, Ints
from traceviz.verdict import DEADLINE_EXCEEDED

#: So many calls, and so many of all, make a habit.
FEWEST = 5
HABIT = 0.2
_ROUNDING_NS = 1_000_000

SHORT_DEADLINE = define(
    "deadline-shorter-than-callee",
    "{count} {count:call was|calls were} given up while the callee was still at work",
    """A caller waits for less time than its callee takes, again and again.

    Sign: the caller's half has response flag UT, gRPC status 4 or the error of a time-out, and the callee's half went
    on until then or longer, or says that its caller had left (DC). Where the callee was never reached, or had answered
    in time, the deadline is not what is wrong, and nothing is counted.

    Cause: a timeout in a VirtualService, a client or a gRPC deadline that was chosen for another callee, or before the
    callee became slower. The callee works for nobody, and where the caller retries it does so several times.

    What to do: make the callee faster, or the deadline longer than what it takes; and each deadline longer than those
    of the calls beneath it. A callee that learns of the deadline (gRPC) can stop in time.

    Threshold: 5 calls, and a fifth of all calls of this caller to this callee: then it is no rare slow answer, which
    deadlines are there for.""",
)
describe(
    SHORT_DEADLINE,
    "{service} gives up on {towards} after {deadline}, in {share} of its calls ({count}); {towards} is then at work "
    "for {takes}{well}.",
    "Find out what {towards} does in that time (traceviz tree --failing shows it), or give it longer: the timeout in "
    "the VirtualService of {towards}, or of the client in {service}, has to be above {needed}.",
)


@dataclass(slots=True)
class _Times:
    """Of calls that were given up: how long the caller waited, and the callee was at work; of others how long it took.
    `cut` counts callees that stopped when they were left."""

    waited: Sketch = field(default_factory=Sketch)
    worked: Sketch = field(default_factory=Sketch)
    well: Sketch = field(default_factory=Sketch)
    cut: int = 0

    def merge(self, other: _Times) -> None:
        """Add other calls."""
        self.waited.merge(other.waited)
        self.worked.merge(other.worked)
        self.well.merge(other.well)
        self.cut += other.cut


class DeadlineCounts:
    """Calls that were given up while their callee was at work, by caller and callee."""

    def __init__(self) -> None:
        self._calls: Tally[tuple[Party, Party]] = Tally()
        self._times: Merged[tuple[Party, Party], _Times] = Merged(_Times)

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        late, cut = given_up(hops)
        size = len(hops.parties)
        pairs = hops.caller * size + hops.callee
        seen = (hops.caller_row >= 0) & (hops.caller >= 0) & ~hops.asynchronous
        by_pair = np.flatnonzero(seen)
        by_pair = by_pair[np.argsort(pairs[by_pair], kind="stable")]
        for few in runs(pairs[by_pair]):
            rows = by_pair[few]
            some = rows[late[rows]]
            if not len(some):
                continue
            others = rows[~late[rows] & ~hops.failed[rows] & (hops.callee_row[rows] >= 0)]
            number = int(pairs[some[0]])
            self._times[hops.parties[number // size], hops.parties[number % size]].merge(
                _Times(
                    Sketch(hops.client_ns[some]),
                    Sketch(hops.server_ns[some]),
                    Sketch(hops.server_ns[others]),
                    int(cut[some].sum()),
                )
            )
        for chosen, is_late in ((np.flatnonzero(seen), False), (np.flatnonzero(late), True)):
            for group in groups(hops.forest, hops.row[chosen], pairs[chosen]) if len(chosen) else ():
                cases = self._calls[hops.parties[group.number // size], hops.parties[group.number % size]]
                if is_late:
                    cases.add(group.size, examples=group.examples)
                else:
                    cases.add(of=group.size)

    def merge(self, other: DeadlineCounts) -> DeadlineCounts:
        """Add what was counted of other traces."""
        self._calls.merge(other._calls)
        self._times.merge(other._times)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """Callers with a deadline that is too short."""
        times = self._times.under(resolved.pair)
        met = self._calls.under(resolved.pair).met()
        for (caller, callee), cases in sorted(met):
            if cases.count >= FEWEST and cases.count >= HABIT * cases.of:
                yield Found(
                    code=SHORT_DEADLINE,
                    level="problem",
                    service=caller,
                    towards=(callee,),
                    count=cases.count,
                    share=cases.share,
                    proof="certain",
                    examples=cases.examples,
                    values=_said(times[caller, callee]),
                )


def given_up(hops: Hops) -> tuple[Bools, Bools]:
    """The hops whose caller gave up while the callee was at work, and among them those whose callee stopped then."""
    spans, head, half = hops.forest.spans, hops.caller_row, hops.callee_row
    flags, errors = spans.tag("flags"), spans.tag("error_type")
    both = (head >= 0) & (half >= 0) & ~hops.asynchronous & hops.failed
    by_proxy = envoy.look_up(flags, spans.texts, lambda text: bool(envoy.read_flags(text) & TIMEOUTS), np.bool_)
    by_error = envoy.look_up(errors, spans.texts, lambda text: bool(TIMEOUT_ERROR.search(text)), np.bool_)
    signs = by_proxy | by_error | (hops.outcomes.grpc == DEADLINE_EXCEEDED)
    left = envoy.look_up(flags, spans.texts, lambda text: "DC" in envoy.read_flags(text), np.bool_)
    # Who left without a word, and not because it was left itself, had a deadline of its own.
    outlived = hops.server_ns > hops.client_ns + _ROUNDING_NS
    gave_up = both & (signs[head] | (outlived & ~left[head]))
    at_work: Ints = hops.server_ns + _ROUNDING_NS
    cut = gave_up & left[half]
    return gave_up & ((at_work >= hops.client_ns) | cut), cut


def _said(times: _Times) -> dict[str, str]:
    """What is said of times. A callee that stopped when it was left would have taken longer."""
    (deadline,), (worked, longest) = times.waited.percentiles_ns((0.5,)), times.worked.percentiles_ns((0.5, 0.95))
    at_least = "at least " if times.cut * 2 > times.worked.count else ""
    well, needed = "", longest
    if times.well.count:
        (usual, most) = times.well.percentiles_ns((0.5, 0.95))
        well = f", and where it was waited for took {millis(round(usual))} (p50) to {millis(round(most))} (p95)"
        needed = max(longest, most)
    return {
        "deadline": millis(round(deadline)),
        "takes": f"{at_least}{millis(round(worked))} (p50)",
        "well": well,
        "needed": millis(round(needed)),
    }
