"""Forest ▸ the critical path of every root: what a request waited for, moment by moment, as Jaeger's page finds it.

From the end of a span back to its start: in the time after the child that finished last the span itself was at work,
before that it waited for the child, before the child's start for the one that had finished just before that start.

    A ├────────────────────────┤
    B    ├──────┤                    B and C follow each other, so A waited for both;
    C               ├──────┤         D went on beside C and ended before it: nobody waited for D alone
    D             ├────┤
      ═══        ═══        ══  A
         ════════                B
                    ════════     C

Children are cut to the time of their parent, what lies outside of it is left out with everything beneath. A consumer
beneath its producer is nobody's wait, and left out as well. A child has to end before, not at, the start of the one
that was waited for next. All of it is column arithmetic: the longest chain and the widest fan take n log n steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Bools, Ints, Rows


@dataclass(frozen=True, eq=False)
class Sections:
    """The parts of time in which each span was what its root waited for: rows of the forest, from and to in ns.

    In the order of traces, roots and time. Those of one root follow each other without a gap from its start to its end;
    none is empty. Times are corrected by the forest's `shift_ns`.
    """

    row: Rows
    start_ns: Ints
    end_ns: Ints

    def __len__(self) -> int:
        return len(self.row)


def critical_path(forest: Forest) -> Sections:
    """The critical path of every root of a forest, all traces at once."""
    start, end, kept = _within_parents(forest)
    waits = _waits(forest, start, end, kept)
    on_path = _with_all_above(forest, waits.child | ((forest.parent < 0) & ~forest.duplicate))

    # A span is at work from its start, or the end of the child before, up to its end, or the start of the child after.
    of_itself = np.flatnonzero(on_path)
    after_child = np.flatnonzero(on_path & waits.child)
    row = np.concatenate((of_itself, forest.parent[after_child]))
    before = np.concatenate((waits.last_child[of_itself], waits.before[after_child]))
    begun = np.where(before >= 0, end[before], start[row])
    ended = np.concatenate((end[of_itself], start[after_child]))
    order = np.lexsort((begun, forest.root[row], forest.spans.trace[row]))
    order = order[(begun < ended)[order]]
    return Sections(row[order], begun[order], ended[order])


def _within_parents(forest: Forest) -> tuple[Ints, Ints, Bools]:
    """Start and end of every span, cut to the time of all its ancestors, and whether anything of it is left there. A
    span that takes no time is left where it lies inside."""
    begun = forest.spans.start_ns + forest.shift_ns
    start, end = begun.copy(), begun + forest.spans.duration_ns
    ancestor = forest.parent.copy()
    while True:
        climbing = np.flatnonzero(ancestor >= 0)
        if not len(climbing):
            break
        target = ancestor[climbing]
        start[climbing] = np.maximum(start[climbing], start[target])
        end[climbing] = np.minimum(end[climbing], end[target])
        ancestor[climbing] = ancestor[target]
    moment = (forest.spans.duration_ns == 0) & (start == end) & (forest.parent >= 0)
    moment[moment] = begun[moment] < end[forest.parent[moment]]
    return start, end, (start < end) | moment


class _Waits(NamedTuple):
    """Which children a span waited for, as if it was on the path itself. A value per row, rows or -1: `last_child` that
    finished last, `before`, the sibling that finished last before this child began, and whether `child` is one that its
    parent waited for."""

    last_child: Rows
    before: Rows
    child: Bools


def _waits(forest: Forest, start: Ints, end: Ints, kept: Bools) -> _Waits:
    parent, role = forest.parent, forest.role
    rows = np.flatnonzero((parent >= 0) & kept)
    taken = (role[rows] == Role.CONSUMER) & (role[parent[rows]] == Role.PRODUCER)
    rows = rows[~taken]
    # By the end; of several that end together the one that began first comes last, and is taken.
    began = forest.spans.start_ns[rows] + forest.shift_ns[rows]
    rows = rows[np.lexsort((-rows, -began, end[rows], parent[rows]))]
    above = parent[rows]
    last_child = np.full(len(forest), -1, np.int64)
    last_child[above] = rows  # the last one of each parent stays
    before = np.full(len(forest), -1, np.int64)
    earlier = _ended_before(above, end[rows], start[rows])
    before[rows] = np.where(earlier >= 0, rows[earlier], -1)
    return _Waits(last_child, before, _reached(last_child[last_child >= 0], before))


def _ended_before(group: Rows, end: Ints, start: Ints) -> Rows:
    """For every element the place of the last one of its group that ended before it started, -1 for none. Elements are
    sorted by group and end."""
    size = len(group)
    is_end = np.repeat(np.array([True, False]), size)
    groups = np.concatenate((group, group))
    # At one time starts go first: what ends then did not end before.
    order = np.lexsort((is_end, np.concatenate((end, start)), groups))
    ended = np.cumsum(is_end[order])
    place = np.full(2 * size, -1, np.int64)
    place[order] = ended - 1
    found = place[size:]
    # Nothing of the own group ended before: the place found is another group's.
    return np.where((found >= 0) & (group[found] == group), found, -1)


def _reached(begin: Rows, step: Rows) -> Bools:
    """The rows that are reached from `begin` by steps, by doubling: every round knows ways twice as long."""
    reached = np.zeros(len(step), np.bool_)
    reached[begin] = True
    jump = step.copy()
    while True:
        moving = np.flatnonzero(jump >= 0)
        if not len(moving):
            return reached
        target = jump[moving]
        reached[target[reached[moving]]] = True
        jump[moving] = jump[target]


def _with_all_above(forest: Forest, chosen: Bools) -> Bools:
    """The chosen rows all of whose ancestors are chosen."""
    whole, ancestor = chosen.copy(), forest.parent.copy()
    while True:
        climbing = np.flatnonzero(ancestor >= 0)
        if not len(climbing):
            return whole
        target = ancestor[climbing]
        whole[climbing] &= whole[target]
        ancestor[climbing] = ancestor[target]
