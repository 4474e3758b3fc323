"""Hops of one trace ▸ its call tree: the calls in drawing order, what proves each, what each callee did itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from traceviz.analyze.belonging import belonging
from traceviz.analyze.critical import Sections
from traceviz.analyze.edges import union_lengths
from traceviz.hops import Hops
from traceviz.spans import Bools, Ints, Rows


@dataclass(frozen=True, eq=False)
class CallTree:
    """The calls of a trace. `order` are its hops, each before those that its callee made, siblings by their start;
    `place` is where each hop stands in it, `depth` how many calls are above it. `of_row` is the hop that a span proves,
    -1 for one inside of a program; `around` is the hop that a span belongs to, also inside of a callee."""

    hops: Hops
    order: Rows
    place: Rows
    depth: Rows
    of_row: Rows
    around: Rows


def call_tree(hops: Hops) -> CallTree:
    """The call tree of one trace's hops."""
    order, depth = _drawn(hops)
    place = np.full(len(hops), -1, np.int64)
    place[order] = np.arange(len(order))
    return CallTree(hops, order, place, depth, *belonging(hops))


def starts_ns(hops: Hops) -> Ints:
    """When each call began, clocks corrected."""
    corrected: Ints = hops.start_ns + hops.forest.shift_ns[hops.row]
    return corrected


def _drawn(hops: Hops) -> tuple[Rows, Rows]:
    """All hops, each before those below it, siblings by their start; and the depth of every hop."""
    by_start = np.lexsort((np.arange(len(hops)), hops.row, starts_ns(hops)))[::-1]
    below: dict[int, list[int]] = defaultdict(list)
    for hop, up in zip(by_start.tolist(), hops.up[by_start].tolist(), strict=True):
        below[up].append(hop)
    depth = np.zeros(len(hops), np.int64)
    order: list[int] = []
    stack = [(hop, 0) for hop in below.pop(-1, [])]
    while stack:
        hop, deep = stack.pop()
        order.append(hop)
        depth[hop] = deep
        stack.extend((child, deep + 1) for child in below.pop(hop, ()))
    return np.array(order, np.int64), depth


def proofs(tree: CallTree) -> list[list[int]]:
    """The rows that prove every hop, in their order: its head with its attempts, its callee halves."""
    hops = tree.hops
    headed, halves, rows = (np.flatnonzero(one >= 0) for one in (hops.caller_row, hops.half_hop, tree.of_row))
    hop = np.concatenate((headed, hops.half_hop[halves], tree.of_row[rows]))
    row = np.concatenate((hops.caller_row[headed], halves, rows))
    pairs = np.unique(np.stack((hop, row), axis=1), axis=0)
    found: list[list[int]] = [[] for _ in range(len(hops))]
    for one, proof in pairs.tolist():
        found[one].append(proof)
    return found


def own_times(hops: Hops) -> Ints:
    """What of its time every callee waited for none of the calls that it made, in ns; -1 where its half was not seen.

    Calls count with their caller's half, else their callee's, and what came out of a queue holds nobody up.
    """
    spans, half = hops.forest.spans, hops.callee_row
    made = np.flatnonzero((hops.entry_row >= 0) & hops.waited_for)
    entry = hops.entry_row[made]
    start = starts_ns(hops)[made]
    end = start + np.where(hops.client_ns >= 0, hops.client_ns, hops.server_ns)[made]
    entered = spans.start_ns[entry] + hops.forest.shift_ns[entry]
    rows, covered = union_lengths(
        entry, np.maximum(start, entered), np.minimum(end, entered + spans.duration_ns[entry])
    )
    busy = np.zeros(len(spans), np.int64)
    busy[rows] = covered
    return np.where(half >= 0, spans.duration_ns[half] - busy[half], -1)


def waited_on(tree: CallTree, sections: Sections) -> Bools:
    """Hops that the critical path goes through: it lies in their spans, in their callees, or in calls beneath."""
    hops = tree.hops
    through = np.zeros(len(hops), np.bool_)
    around = tree.around[sections.row]
    through[around[around >= 0]] = True
    root = hops.forest.root[hops.row]
    # Hops stand after the hops above them.
    for hop in np.flatnonzero((hops.up >= 0) & hops.waited_for)[::-1].tolist():
        up = hops.up[hop]
        through[up] |= through[hop] and root[up] == root[hop]
    return through
