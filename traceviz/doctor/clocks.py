"""Clocks that differ: what a pod was asked to do begins before it was asked, or ends after it had answered."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from traceviz.analyze.groups import pod_labels
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import groups
from traceviz.doctor.words import millis
from traceviz.hops import Hops
from traceviz.notes import EXAMPLES, explain_further
from traceviz.parties import Party
from traceviz.reconstruct import SKEW_NS, Forest
from traceviz.roles import Role, on_callers_side
from traceviz.spans import Bools, Ints, Rows

CLOCK_SKEW = explain_further(
    "clock-skew",
    """Sign, in `doctor`: calls between two pods begin before they were made, or end after their answer had come, by
    over 1 ms and always the same way round. That Jaeger warns of clock skew is no sign: it does so wherever two hosts
    differ.

    Cause: the clocks of two nodes differ.

    What to do: look at chrony or ntpd on both nodes, and at virtual machines that were paused.

    Threshold: 1 ms, because within one host clocks agree to a few microseconds, and ends of spans are written down up
    to some hundred microseconds late. Nine of ten calls of the pair have to show it: a clock that is off is off in
    every call, and single spans end late for other reasons. Where pods are not known the workloads are compared. A
    clock that is behind is certain from five calls on, because nothing begins before it was asked for; one that is
    ahead stays likely, because a callee may have gone on after its answer.""",
)
describe(
    CLOCK_SKEW,
    "The clock of {service}{pod} is {way} that of {caller}{caller_pod}, by up to {by}: {calls} {sign}{more}.",
    "Look at the time synchronisation (chrony, ntpd) of the nodes that these pods run on. Latencies are right, each "
    "was measured by one clock; what happened first, and gaps between spans, is not.",
)

#: So many pairs of pods are held; of more, those with the smallest hashes, which are the same in any split.
MOST_PAIRS = 4096
#: A clock that is off is off in all calls; a tenth is for spans that ended late, and for a clock that was set
#: meanwhile.
AGREEING = 0.9
#: What one call does, and what several do, by the way in which the callee's clock is off.
_SIGNS = {
    "behind": ("begins before it was made", "begin before they were made"),
    "ahead": ("ends after its answer had come", "end after their answer had come"),
}
#: So many calls that agree cannot be by chance.
_CERTAIN = 5


class _Pods(NamedTuple):
    """A pod of a caller and a pod of its callee, or the workloads alone where pods are not known."""

    caller: Party
    callee: Party
    caller_pod: str
    callee_pod: str


@dataclass(slots=True)
class _Shift:
    """Calls that show the callee's clock to be off in one way, of all that could have shown it. `by_ns` is the largest
    difference that a call shows."""

    cases: int = 0
    of: int = 0
    by_ns: int = 0
    examples: tuple[str, ...] = ()

    def add(self, other: _Shift) -> None:
        self.cases += other.cases
        self.of += other.of
        self.by_ns = max(self.by_ns, other.by_ns)
        self.examples = tuple(sorted({*self.examples, *other.examples})[:EXAMPLES])

    @property
    def prevails(self) -> bool:
        """Nearly all calls show it."""
        return self.cases > 0 and self.cases >= AGREEING * self.of


class _Shifts(NamedTuple):
    """Both ways in which a callee's clock can be off."""

    behind: _Shift
    ahead: _Shift


class ClockSkew:
    """What the calls of each pair of pods say of their clocks."""

    def __init__(self) -> None:
        self._pairs: dict[_Pods, _Shifts] = {}
        self._sampled = False

    def count(self, hops: Hops) -> None:
        forest = hops.forest
        rows, above = _called(forest)
        pods, number = _pods(hops, rows, above)
        begins = forest.spans.start_ns[rows] - forest.spans.start_ns[above]
        ends = forest.spans.end_ns[rows] - forest.spans.end_ns[above]
        # Whoever did not wait, or gave up, says nothing about the end; a callee that takes longer than its call works
        # on after its answer, and that is no matter of clocks.
        waited = on_callers_side(forest.role)[above] & ~hops.outcomes.failed[above]
        late = waited & (ends > SKEW_NS) & (ends <= begins)
        behind = _shifts(forest, rows, number, len(pods), -begins, begins < -SKEW_NS, np.ones(len(rows), np.bool_))
        ahead = _shifts(forest, rows, number, len(pods), ends, late, waited)
        for pair, *ways in zip(pods, behind, ahead, strict=True):
            self._add(pair, _Shifts(*ways))
        self._cut()

    def merge(self, other: ClockSkew) -> ClockSkew:
        for pair, shifts in other._pairs.items():
            self._add(pair, shifts)
        self._sampled |= other._sampled
        self._cut()
        return self

    def _add(self, pair: _Pods, shifts: _Shifts) -> None:
        mine = self._pairs.setdefault(pair, _Shifts(_Shift(), _Shift()))
        for way, more in zip(mine, shifts, strict=True):
            way.add(more)

    def _cut(self) -> None:
        if len(self._pairs) > MOST_PAIRS:
            self._sampled = True
            for pair in heapq.nlargest(len(self._pairs) - MOST_PAIRS, self._pairs, key=_hash):
                del self._pairs[pair]

    def found(self, resolved: Resolved) -> Iterable[Found]:
        shifted: dict[tuple[str, str, str], list[tuple[_Pods, _Shift]]] = defaultdict(list)
        for pods, shifts in self._pairs.items():
            ends = (resolved.names.workload(pods.caller), resolved.names.workload(pods.callee))
            for way, shift in zip(_Shifts._fields, shifts, strict=True):
                if shift.prevails:
                    shifted[*ends, way].append((pods, shift))
        for (caller, callee, way), pairs in shifted.items():
            yield self._found(caller, callee, way, pairs)

    def _found(self, caller: str, callee: str, way: str, pairs: list[tuple[_Pods, _Shift]]) -> Found:
        whole = _Shift()
        for _, shift in pairs:
            whole.add(shift)
        worst = min(pairs, key=lambda pair: (-pair[1].by_ns, pair[0]))[0]
        more = f", on {len(pairs)} pairs of pods" if len(pairs) > 1 else ""
        if self._sampled:
            more += f" (of {MOST_PAIRS:,} pairs that were looked at)"
        return Found(
            CLOCK_SKEW,
            "problem",
            callee,
            (caller,),
            whole.cases,
            round(whole.cases / whole.of, 6),
            "certain" if way == "behind" and whole.cases >= _CERTAIN else "likely",
            whole.examples,
            {
                "caller": caller,
                "pod": f" (pod {worst.callee_pod})" if worst.callee_pod else "",
                "caller_pod": f" ({worst.caller_pod})" if worst.caller_pod else "",
                "way": "behind" if way == "behind" else "ahead of",
                "by": millis(whole.by_ns),
                "calls": "the only call" if whole.of == 1 else f"{whole.cases:,} of {whole.of:,} calls",
                "sign": _SIGNS[way][whole.of > 1],
                "more": more,
            },
        )


def _called(forest: Forest) -> tuple[Rows, Rows]:
    """Spans of callees, and the span of another workload right above each. Within one pod there is one clock."""
    rows = np.flatnonzero((forest.parent >= 0) & ~on_callers_side(forest.role) & (forest.role != Role.CONSUMER))
    rows = rows[(forest.spans.start_ns[rows] > 0) & (forest.spans.start_ns[forest.parent[rows]] > 0)]
    rows = rows[~forest.workloads.same(rows, forest.parent[rows])]
    pod = pod_labels(forest)
    rows = rows[(pod[rows] == 0) | (pod[rows] != pod[forest.parent[rows]])]
    return rows, forest.parent[rows]


def _pods(hops: Hops, rows: Rows, above: Rows) -> tuple[list[_Pods], Rows]:
    """The pairs of pods that these calls are between, and the number of the pair of each."""
    forest, texts = hops.forest, hops.forest.spans.texts
    of_row = forest.workloads.of_row * np.int64(len(texts)) + pod_labels(forest)
    known, which = np.unique(of_row[np.concatenate((above, rows))], return_inverse=True)
    ends = [(hops.parties[number // len(texts)], texts[number % len(texts)]) for number in known.tolist()]
    pairs, number = np.unique(which[: len(rows)] * len(ends) + which[len(rows) :], return_inverse=True)
    pods = [(*ends[pair // len(ends)], *ends[pair % len(ends)]) for pair in pairs.tolist()]
    return [_Pods(caller, callee, pod, callee_pod) for caller, pod, callee, callee_pod in pods], number


def _shifts(
    forest: Forest, rows: Rows, number: Rows, size: int, by_ns: Ints, shows: Bools, could: Bools
) -> list[_Shift]:
    """Of each pair, by its number, how many calls show a difference in one way, and how many could."""
    cases = np.bincount(number[shows], minlength=size).tolist()
    of = np.bincount(number[could], minlength=size).tolist()
    most = np.zeros(size, np.int64)
    np.maximum.at(most, number[shows], by_ns[shows])
    shown = {group.number: group.examples for group in groups(forest, rows[shows], number[shows])}
    return [_Shift(cases[i], of[i], int(most[i]), shown.get(i, ())) for i in range(size)]


def _hash(pair: _Pods) -> bytes:
    return blake2b(repr(pair).encode("utf-8", "surrogatepass"), digest_size=16).digest()
