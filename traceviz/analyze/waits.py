"""Hops ▸ what users waited for: the time of every span on the critical path of a user's request, and of every edge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from traceviz.analyze.critical import critical_path
from traceviz.analyze.edges import EdgeKey
from traceviz.analyze.entries import Entries, torn_off
from traceviz.analyze.groups import Sides, visits
from traceviz.hops import Hops
from traceviz.parties import Party
from traceviz.reconstruct import Forest, depths
from traceviz.roles import Role
from traceviz.spans import Bools, Ints


def user_roots(hops: Hops, entered: Entries) -> Bools:
    """The roots, per row of the forest, whose time somebody waited: those of users' requests, and in traces without one
    what programs did by themselves. Nobody waits for what comes out of a queue; of torn traces nobody knows."""
    forest = hops.forest
    of_user = np.zeros(len(forest), np.bool_)
    of_user[forest.root[hops.row[entered.user_root]]] = True
    has_user = np.zeros(len(forest.spans.trace_ids), np.bool_)
    has_user[forest.spans.trace[of_user]] = True
    root = np.flatnonzero((forest.parent < 0) & ~forest.duplicate)
    alone = (
        ~has_user[forest.spans.trace[root]]
        & ~torn_off(forest)[root]
        & (forest.role[root] != Role.CONSUMER)
        & ~forest.orphan[root]
    )
    of_user[root[alone]] = True
    return of_user


def waiting_forest(hops: Hops) -> Forest:
    """The forest in which users wait: trees whose parent is missing hang where their call was made, as far as that is
    known by time (`calls-joined-by-time`). Nobody would wait for what proxies call where the spans of the programs
    between them go somewhere else."""
    forest = hops.forest
    made = np.flatnonzero((hops.entry_row >= 0) & (hops.caller_row >= 0))
    root, entry = forest.root[hops.caller_row[made]], hops.entry_row[made]
    lost = forest.orphan[root] & (root != forest.root[entry])
    if not lost.any():
        return forest
    parent = forest.parent.copy()
    parent[root[lost][::-1]] = entry[lost][::-1]  # of several calls of one tree the first
    # With odd times trees may lie around each other; then they stay roots.
    parent[root[lost][~depths(parent)[1][root[lost]]]] = -1
    return replace(forest, parent=parent)


def waited_ns(hops: Hops, entered: Entries) -> Ints:
    """For every row of the forest how long it was what a user waited for, in ns. All of them add up to the time of the
    roots of users' requests."""
    forest = waiting_forest(hops)
    found = critical_path(forest)
    of_user = user_roots(hops, entered)[forest.root[found.row]]
    waited = np.zeros(len(hops.forest), np.int64)
    np.add.at(waited, found.row[of_user], (found.end_ns - found.start_ns)[of_user])
    return waited


@dataclass
class Waits:
    """How long users waited, in ns: in all, for what each workload did itself, while calls of each edge were under way,
    and, of that, for what was neither the callee's nor beneath it. What workloads did and what was on the way of calls
    add up to all of it, but for calls without a name. `Waits()` is the identity of `merge`."""

    total_ns: int = 0
    workloads: Counter[Party] = field(default_factory=Counter)
    edges: Counter[EdgeKey] = field(default_factory=Counter)
    on_way: Counter[EdgeKey] = field(default_factory=Counter)

    def merge(self, other: Waits) -> Waits:
        """Add what `other` counted, and give this one back."""
        self.total_ns += other.total_ns
        for name in ("workloads", "edges", "on_way"):
            getattr(self, name).update(getattr(other, name))
        return self

    def folded(self, into: Mapping[Party, Party]) -> Waits:
        """The same with parties counted as others."""
        result = Waits(self.total_ns)
        for party, waited in self.workloads.items():
            result.workloads[into.get(party, party)] += waited
        for name in ("edges", "on_way"):
            for key, waited in getattr(self, name).items():
                ends = key._replace(caller=into.get(key.caller, key.caller), callee=into.get(key.callee, key.callee))
                getattr(result, name)[ends] += waited
        return result


def count_waits(sides: Sides, entered: Entries) -> Waits:
    """What users waited for in a batch. A callee that was not seen is taken to have had all the time of its call."""
    hops, of_row = sides
    waited = waited_ns(hops, entered)
    headed = np.flatnonzero(hops.caller_row >= 0)[::-1]
    hop_of_head = np.full(len(hops.forest), -1, np.int64)
    hop_of_head[hops.caller_row[headed]] = headed
    visit = visits(hops)
    result = Waits()
    spent = [0] * len(hops)
    for row in np.flatnonzero(waited).tolist():
        time, head = int(waited[row]), int(hops.call_row[row])
        hop = int(hop_of_head[head]) if head >= 0 else -1
        result.total_ns += time
        if hop < 0:
            result.workloads[hops.parties[of_row[row]]] += time
            hop = int(hops.half_hop[visit[row]])
        elif hops.callee_row[hop] < 0:
            result.workloads[hops.parties[hops.callee[hop]]] += time
        else:
            result.on_way[_edge(hops, hop)] += time
        if hop >= 0:
            spent[hop] += time
    for hop in range(len(hops) - 1, -1, -1):  # a hop stands before those beneath it
        if spent[hop] and hops.up[hop] >= 0:
            spent[int(hops.up[hop])] += spent[hop]
    for hop in _outermost(hops, spent):
        result.edges[_edge(hops, hop)] += spent[hop]
    return result


def _edge(hops: Hops, hop: int) -> EdgeKey:
    caller, callee = hops.parties[hops.caller[hop]], hops.parties[hops.callee[hop]]
    return EdgeKey(caller, callee, bool(hops.asynchronous[hop]))


def _outermost(hops: Hops, spent: list[int]) -> Iterator[int]:
    """The calls that were waited for and are in no call of the same edge, whose time counts already."""
    beneath: dict[int, list[int]] = {}
    for hop in range(len(hops) - 1, -1, -1):
        if spent[hop]:
            beneath.setdefault(int(hops.up[hop]), []).append(hop)
    size = len(hops.parties)
    code = ((hops.caller * size + hops.callee) * 2 + hops.asynchronous).tolist()
    within: Counter[int] = Counter()
    waiting = [(hop, True) for hop in beneath.get(-1, [])]
    while waiting:
        hop, entering = waiting.pop()
        if not entering:
            within[code[hop]] -= 1
            continue
        if hops.caller[hop] >= 0 and not within[code[hop]]:
            yield hop
        within[code[hop]] += 1
        waiting.append((hop, False))
        waiting += [(below, True) for below in beneath.get(hop, [])]
