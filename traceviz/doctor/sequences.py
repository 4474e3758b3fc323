"""n-plus-one and sequential-could-be-parallel: calls that one request makes one after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from traceviz.analyze.operations import operation_labels
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.siblings import Siblings, siblings
from traceviz.doctor.tally import Merged, Tally
from traceviz.doctor.words import millis
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party

#: More similar calls than this, one after another, are one call too many for each thing of a list.
MOST_SIMILAR = 10
#: Where they take so much of the caller's time they are a problem.
HALF = 0.5
#: Two calls follow each other at once where there is less time between them.
GAP_NS = 1_000_000
GAP_SHARE = 0.1
#: Worth saying where so much of the caller's time could be saved.
WORTHWHILE = 0.2

N_PLUS_ONE = define(
    "n-plus-one",
    "{count} {count:request|requests} made more than 10 similar calls, one after another",
    """A program asks for a list and then, one by one, for each thing in it.

    Sign: within one request more than 10 calls to one callee for the same operation, of which none begins before the
    one before it has ended. Calls that are made at the same time do not count, nor do those that failed: those are
    retries.

    Cause: a loop around a call; objects that load what they hold when it is touched.

    What to do: ask for all of them in one call (a batch endpoint, `WHERE id IN (…)`, a join, a data loader), keep the
    answers, or make the calls at the same time.

    Threshold: more than 10, as in Jaeger's own skill for this; pages with a few things on them stay below. It is a
    problem where these calls take half of the caller's time and more: with fewer there is more to win elsewhere.""",
)
describe(
    N_PLUS_ONE,
    "{service} calls {towards} again and again within one request: up to {most} calls of {operation}, one after "
    "another, in {count} {count:request|requests} ({share}). They take {time} of its time there.",
    "Ask {towards} for all of it in one call, or make the calls at the same time.",
)
SEQUENTIAL = define(
    "sequential-could-be-parallel",
    "{count} {count:request|requests} called several services one right after another",
    """A program calls different callees one after another, with nothing to do in between.

    Sign: within one request calls to different callees, each beginning right after the one before has ended, within
    1 ms or a tenth of the shorter one; and these callees are never called at the same time by this caller.

    Cause: code that waits for each answer before it asks the next one.

    What to do: where a call does not need the answer of the one before, make them at the same time (asyncio.gather,
    Promise.all, errgroup). Whether it does, no trace can tell: that is why this is a fact and no problem.

    Threshold: at least a fifth of the caller's time in these requests could be saved, if of two such calls the shorter
    one cost nothing; less is lost among everything else.""",
)
describe(
    SEQUENTIAL,
    "{service} calls {towards} one right after another, and never at the same time, in {count} "
    "{count:request|requests} ({share}). If they do not need each other's answers, up to {saved} of its time there "
    "could be saved: {each} a request.",
    "Where one call does not need the answer of another, make them at the same time (asyncio.gather, Promise.all, "
    "errgroup).",
)

_Pair = tuple[Party, Party]


@dataclass(slots=True)
class _Row:
    """The longest row of similar calls, of which operation; how long all of them took, and their callers' requests."""

    longest: int = 0
    operation: str = ""
    taken_ns: int = 0
    of_ns: int = 0

    def merge(self, other: _Row) -> None:
        """Add other requests."""
        if (other.longest, other.operation) > (self.longest, self.operation):
            self.longest, self.operation = other.longest, other.operation
        self.taken_ns += other.taken_ns
        self.of_ns += other.of_ns


class RepeatCounts:
    """Requests with rows of similar calls, of all requests that called this callee, by caller and callee."""

    def __init__(self) -> None:
        self._requests: Tally[_Pair] = Tally()
        self._rows: Merged[_Pair, _Row] = Merged(_Row)

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        forest, some = hops.forest, siblings(hops)
        label = operation_labels(forest)[hops.row[some.hop]]
        callee = hops.callee[some.hop]
        pairs = np.unique(np.stack((some.under, hops.caller[some.hop], callee)), axis=1)
        ends, number = np.unique(pairs[1:], axis=1, return_counts=True)
        for (caller, called), of in zip(ends.T.tolist(), number.tolist(), strict=True):
            self._requests[hops.parties[caller], hops.parties[called]].add(of=of)
        well = np.flatnonzero(~hops.failed[some.hop])
        order = well[np.lexsort((some.begin[well], label[well], callee[well], some.under[well]))]
        keys = np.stack((some.under, callee, label))[:, order]
        edges = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
        for members in np.split(order, edges):
            if len(members) > MOST_SIMILAR:
                self._count_row(hops, some, members, forest.spans.texts[int(label[members[0]])])

    def _count_row(self, hops: Hops, some: Siblings, members: np.ndarray, operation: str) -> None:
        """Count calls of one operation under one span, if many of them follow one another."""
        length = taken = 0
        free_at = None
        for begin, end in sorted(zip(some.begin[members].tolist(), some.end[members].tolist(), strict=True), key=_end):
            if free_at is None or begin >= free_at:
                length, taken, free_at = length + 1, taken + end - begin, end
        if length <= MOST_SIMILAR:
            return
        spans, under = hops.forest.spans, int(some.under[members[0]])
        hop = int(some.hop[members[0]])
        pair = hops.parties[hops.caller[hop]], hops.parties[hops.callee[hop]]
        self._requests[pair].add(1, examples=[spans.trace_ids[spans.trace[under]]])
        row = _Row(length, operation, taken, max(int(spans.duration_ns[under]), taken))
        self._rows[pair].merge(row)

    def merge(self, other: RepeatCounts) -> RepeatCounts:
        """Add what was counted of other traces."""
        self._requests.merge(other._requests)
        self._rows.merge(other._rows)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """Callers with rows of similar calls."""
        rows = self._rows.under(resolved.pair)
        for (caller, callee), cases in sorted(self._requests.under(resolved.pair).met()):
            row = rows[caller, callee]
            share = row.taken_ns / max(row.of_ns, 1)
            yield Found(
                code=N_PLUS_ONE,
                level="problem" if share >= HALF else "fact",
                service=caller,
                towards=(callee,),
                count=cases.count,
                share=cases.share,
                proof="certain",
                examples=cases.examples,
                values={
                    "most": f"{row.longest:,}",
                    "operation": row.operation or "(no name)",
                    "time": f"{share:.0%}".replace("%", " %"),
                },
            )


class SequenceCounts:
    """Calls to different callees that followed each other at once, by caller and both callees."""

    def __init__(self) -> None:
        self._requests: Tally[Party] = Tally()
        self._saved: dict[tuple[Party, Party, Party], int] = {}
        self._together: set[tuple[Party, Party, Party]] = set()
        self._taken: dict[Party, int] = {}

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        some, spans = siblings(hops), hops.forest.spans
        callers, callees = hops.caller[some.hop].tolist(), hops.callee[some.hop].tolist()
        begin, end = some.begin.tolist(), some.end.tolist()
        requests: dict[int, list[int]] = {}
        for group in some.groups():
            requests.setdefault(callers[group.start], []).append(int(some.under[group.start]))
            latest = group.start
            follows = False
            for place in range(group.start + 1, group.stop):
                key = _three(hops, callers[place], callees[latest], callees[place])
                shorter = min(end[latest] - begin[latest], end[place] - begin[place])
                gap = begin[place] - end[latest]
                if callees[latest] != callees[place] and gap < 0:
                    self._together.add(key)
                elif callees[latest] != callees[place] and gap <= max(GAP_NS, GAP_SHARE * shorter) and shorter > 0:
                    self._saved[key] = self._saved.get(key, 0) + shorter
                    follows = True
                if end[place] >= end[latest]:
                    latest = place
            if follows:
                under = int(some.under[group.start])
                caller = hops.parties[callers[group.start]]
                self._requests[caller].add(1, examples=[spans.trace_ids[spans.trace[under]]])
                self._taken[caller] = self._taken.get(caller, 0) + int(spans.duration_ns[under])
        for number, under_rows in requests.items():
            self._requests[hops.parties[number]].add(of=len(under_rows))

    def merge(self, other: SequenceCounts) -> SequenceCounts:
        """Add what was counted of other traces."""
        self._requests.merge(other._requests)
        self._together |= other._together
        for key, saved in other._saved.items():
            self._saved[key] = self._saved.get(key, 0) + saved
        for caller, taken in other._taken.items():
            self._taken[caller] = self._taken.get(caller, 0) + taken
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """Callers that could save time."""
        names = resolved.names
        together = {tuple(names[party] for party in key) for key in self._together}
        saved: dict[str, int] = {}
        towards: dict[str, set[str]] = {}
        taken: dict[str, int] = {}
        for key, ns in self._saved.items():
            caller, one, other = (names[party] for party in key)
            if one != other and (caller, one, other) not in together:
                saved[caller] = saved.get(caller, 0) + ns
                towards.setdefault(caller, set()).update((one, other))
        for party, ns in self._taken.items():
            taken[names[party]] = taken.get(names[party], 0) + ns
        for caller, cases in sorted(self._requests.under(lambda party: names[party]).met()):
            if saved.get(caller, 0) >= WORTHWHILE * max(taken[caller], 1):
                yield Found(
                    code=SEQUENTIAL,
                    level="fact",
                    service=caller,
                    towards=tuple(sorted(towards[caller])),
                    count=cases.count,
                    share=cases.share,
                    proof="likely",
                    examples=cases.examples,
                    values={
                        "saved": f"{min(saved[caller] / max(taken[caller], 1), 1):.0%}".replace("%", " %"),
                        "each": millis(saved[caller] // cases.count),
                    },
                )


def _end(times: tuple[int, int]) -> tuple[int, int]:
    return times[1], times[0]


def _three(hops: Hops, caller: int, one: int, other: int) -> tuple[Party, Party, Party]:
    """A caller with two callees, in an order of their own."""
    first, second = sorted((hops.parties[one], hops.parties[other]))
    return hops.parties[caller], first, second
