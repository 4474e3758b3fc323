"""Ways between workloads that became slower ▸ at which of their two ends it lies.

    front → cart  slower        one end has all three in common: front. Blaming cart, ads and stock
    front → ads   slower        would need three faults at once.
    front → stock slower
    stock → rates as before

A way alone says nothing; then it is the callee, at which calls queue. So the end is looked for that explains most: a
workload as the callee of all that call it, as the caller of all that it calls, or as both. Ways of it that stayed as
they were speak against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

#: So many troubles are told apart; what is left after them is the callees'.
MOST_TROUBLES = 100


class Way(NamedTuple):
    """From a caller to a callee."""

    caller: str
    callee: str


def culprits(strength: Mapping[Way, float]) -> dict[Way, str]:
    """The end of every way at which the trouble lies, for all ways with a strength above 0. Ways that stayed as they
    were have to be given, too, with 0."""
    left = dict(strength)
    blamed: dict[Way, str] = {}
    for _ in range(MOST_TROUBLES):
        # What is less than half as strong as the strongest is no part of the same trouble.
        half = max(left.values(), default=0.0) / 2
        if not half:
            break
        ways = max(_candidates(left, half), key=lambda one: (sum(left[way] - half for way in one.ways), one.rank))
        for way in ways.ways:
            if left.pop(way) > 0:
                blamed[way] = ways.end
    return blamed | {way: way.callee for way, how in left.items() if how > 0}


class _Candidate(NamedTuple):
    """A workload and the ways that it would explain; where several explain as much, the callee of few goes first."""

    end: str
    ways: list[Way]
    rank: tuple[int, str]


def _candidates(left: Mapping[Way, float], half: float) -> list[_Candidate]:
    """The ends of ways that are part of the strongest trouble."""
    ends = {end for way, how in left.items() if how > half for end in way}
    received: dict[str, list[Way]] = {end: [] for end in ends}
    made: dict[str, list[Way]] = {end: [] for end in ends}
    for way in sorted(left):
        if way.callee in ends:
            received[way.callee].append(way)
        if way.caller in ends:
            made[way.caller].append(way)
    found = []
    for end in sorted(ends):
        # Who calls itself is at both ends of that way, which counts once.
        both = [*received[end], *(way for way in made[end] if way.callee != end)]
        for preference, ways in ((2, received[end]), (1, made[end]), (0, both)):
            if ways:
                found.append(_Candidate(end, ways, (preference, end)))
    return found
