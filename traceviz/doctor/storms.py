"""retry-storm: retries of retries, so that one call becomes many further down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from traceviz.analyze.operations import operation_labels
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import RARE, Found, describe
from traceviz.doctor.siblings import siblings
from traceviz.doctor.tally import Merged, Tally, groups, runs
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party
from traceviz.spans import Ints

#: A proxy with Istio's own settings makes 3 attempts of a call.
ATTEMPTS_OF_ONE_PROXY = 3

RETRY_STORM = define(
    "retry-storm",
    "{count} {count:call was|calls were} retried at several places one above the other: one call became more than "
    "3 further down",
    """A caller retries a call, and its callee, for each of the attempts, retries the calls that it makes.

    Sign: along a chain of calls the numbers of attempts are multiplied; retries that a program makes by itself, the
    same call again after one that failed, count as well.

    Cause: retries at every level, as meshes and client libraries have them without being asked. Three attempts at each
    of three levels are 27 calls to whoever fails, who then has 27 times the load.

    What to do: retry at one level only, nearest to what fails or at the edge; a retry budget; no retries of what timed
    out; `retries: {attempts: 0}` in the VirtualServices in between.

    Threshold: attempts at two levels or more that multiply to more than 3, which is what one proxy with Istio's own
    settings makes of a call. It is a problem where a hundredth of the calls of an edge is so, else a fact.""",
)
describe(
    RETRY_STORM,
    "{count} {count:call|calls} from {service} to {towards} ({share}) {count:was|were} part of retries that multiply: "
    "{chain} makes {worst} attempts of one call.",
    "Let one of them retry, not each: retries: {{attempts: 0}} in the VirtualServices in between, or no retries in the "
    "clients there.",
)

_Pair = tuple[Party, Party]
#: Who tried how often to reach whom, the first one first.
_Way = tuple[tuple[Party, int, Party], ...]
_LONGEST = 16


@dataclass(slots=True)
class _Worst:
    """The chain that makes most attempts of one call, and how many."""

    attempts: int = 0
    way: _Way = ()

    def merge(self, other: _Worst) -> None:
        """Keep the worse one."""
        self.attempts, self.way = max((self.attempts, self.way), (other.attempts, other.way))


class StormCounts:
    """Calls within retries that multiply, by caller and callee, and the worst chain of each."""

    def __init__(self) -> None:
        self._calls: Tally[_Pair] = Tally()
        self._worst: Merged[_Pair, _Worst] = Merged(_Worst)

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        tries = _tries(hops)
        called = np.flatnonzero(hops.caller >= 0)
        size = len(hops.parties)
        pairs = hops.caller * size + hops.callee
        for group in groups(hops.forest, hops.row[called], pairs[called]) if len(called) else ():
            self._calls[hops.parties[group.number // size], hops.parties[group.number % size]].add(of=group.size)
        if not (tries > 1).any():
            return
        product, levels = _multiplied(tries, hops.up)
        stormy = called[(product[called] > ATTEMPTS_OF_ONE_PROXY) & (levels[called] > 1) & (tries[called] > 1)]
        for group in groups(hops.forest, hops.row[stormy], pairs[stormy]) if len(stormy) else ():
            pair = hops.parties[group.number // size], hops.parties[group.number % size]
            self._calls[pair].add(group.size, examples=group.examples)
        stormy = stormy[np.argsort(pairs[stormy], kind="stable")]
        for few in runs(pairs[stormy]):
            members = stormy[few]
            worst = members[product[members] == product[members].max()]
            way = max(_way(hops, tries, hop) for hop in worst[:_LONGEST].tolist())
            pair = hops.parties[hops.caller[members[0]]], hops.parties[hops.callee[members[0]]]
            self._worst[pair].merge(_Worst(int(product[worst[0]]), way))

    def merge(self, other: StormCounts) -> StormCounts:
        """Add what was counted of other traces."""
        self._calls.merge(other._calls)
        self._worst.merge(other._worst)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """The edges with retries of retries."""
        names = resolved.names
        worst = self._worst.under(resolved.pair)
        for (caller, callee), cases in sorted(self._calls.under(resolved.pair).met()):
            most = worst[caller, callee]
            tried = [f"{names[one]} (×{number})" for one, number, _ in most.way]
            yield Found(
                code=RETRY_STORM,
                level="problem" if cases.count >= RARE * cases.of else "fact",
                service=caller,
                towards=(callee,),
                count=cases.count,
                share=cases.share,
                proof="certain",
                examples=cases.examples,
                values={"chain": " → ".join([*tried, callee]), "worst": f"{most.attempts:,}"},
            )


def _tries(hops: Hops) -> Ints:
    """How often each call was tried in all, a program's own retries included: the same call again, after it failed."""
    tries = hops.attempts.astype(np.int64).copy()
    failed = hops.failed
    if not failed.any():
        return tries
    label = operation_labels(hops.forest)[hops.row]
    some = siblings(hops)
    order = np.lexsort((some.begin, label[some.hop], hops.callee[some.hop], some.under))
    hop, under, begin, end = some.hop[order], some.under[order], some.begin[order], some.end[order]
    same = (under[1:] == under[:-1]) & (hops.callee[hop[1:]] == hops.callee[hop[:-1]])
    same &= (label[hop[1:]] == label[hop[:-1]]) & failed[hop[:-1]] & (begin[1:] >= end[:-1])
    number = np.concatenate(([0], np.cumsum(~same))) if len(hop) else np.zeros(0, np.int64)
    total = np.bincount(number, tries[hop]).astype(np.int64)
    tries[hop] = total[number]
    return tries


def _multiplied(tries: Ints, up: Ints) -> tuple[Ints, Ints]:
    """Of each hop the product of the tries of itself and all hops above it, at most 10^9, and how many of them were
    tried more than once. A hop stands after the hop above it."""
    product, levels = tries.tolist(), (tries > 1).astype(np.int64).tolist()
    for hop, above in enumerate(up.tolist()):
        if above >= 0:
            product[hop] = min(product[hop] * product[above], 10**9)
            levels[hop] += levels[above]
    return np.array(product, np.int64), np.array(levels, np.int64)


def _way(hops: Hops, tries: Ints, hop: int) -> _Way:
    """Who retried above a hop and at it, the last so many."""
    found: list[tuple[Party, int, Party]] = []
    while hop >= 0 and len(found) < _LONGEST:
        if tries[hop] > 1 and hops.caller[hop] >= 0:
            found.append((hops.parties[hops.caller[hop]], int(tries[hop]), hops.parties[hops.callee[hop]]))
        hop = int(hops.up[hop])
    return tuple(reversed(found))
