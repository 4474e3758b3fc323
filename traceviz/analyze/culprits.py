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


class Way(NamedTuple):
    """From a caller to a callee."""

    caller: str
    callee: str


def culprits(strength: Mapping[Way, float]) -> dict[Way, str]:
    """The end of every way at which the trouble lies, for all ways with a strength above 0. Ways that stayed as they
    were have to be given, too, with 0."""
    left = dict(strength)
    blamed: dict[Way, str] = {}
    while left and max(left.values()) > 0:
        # What is less than half as strong as the strongest is no part of the same trouble.
        half = max(left.values()) / 2
        ways = max(_candidates(left), key=lambda one: (sum(left[way] - half for way in one.ways), one.rank))
        for way in ways.ways:
            if left.pop(way) > 0:
                blamed[way] = ways.end
    return blamed


class _Candidate(NamedTuple):
    """A workload and the ways that it would explain; where several explain as much, the callee of few goes first."""

    end: str
    ways: list[Way]
    rank: tuple[int, str]


def _candidates(left: Mapping[Way, float]) -> list[_Candidate]:
    ends: dict[str, tuple[list[Way], list[Way]]] = {}
    for way in sorted(left):
        ends.setdefault(way.callee, ([], []))[0].append(way)
        ends.setdefault(way.caller, ([], []))[1].append(way)
    found = []
    for end, (received, made) in ends.items():
        for preference, ways in ((2, received), (1, made), (0, [*received, *made])):
            if ways:
                found.append(_Candidate(end, ways, (preference, end)))
    return found
