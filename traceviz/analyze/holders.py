"""Who held the time before a deadline: of a call that was given up, the call at or beneath it that took most of it.

The rule: go down only into a call that covers more than half of its caller's time before the deadline, of several into
the one that covers most, and of equal ones into the first. Where that stops is who held the time.

Walked for one call after the other that is a square cost: in a chain of failing calls each has a deadline of its own
and a long way down. But a call is gone down into for one stretch of deadlines only: with earlier ones it covers too
little yet or another one covers more, with later ones too little any more. So all ways lead through one tree, whose
branches are open from one instant to another:

    deadline ▸ 40    a ┬─ b  open 11 – 79    ┬─ c  open 21 – 39        a ▸ b, and not c
                       └─ d  open 80 – 99    └─ e  never               a ▸ d with the deadline 90

A way down keeps to the main branches, those with the most calls, by doubling as in `reconstruct.depths`, and leaves
them for a smaller one no more often than a number can be halved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from traceviz.spans import Bools, Ints, Rows

_LAST = np.iinfo(np.int64).max


class _Branches(NamedTuple):
    """Calls that can be gone down into, `call` beneath `above`, while the deadline is from `opens` to `closes`. Those
    of one caller stand behind one another and do not overlap, the earliest first."""

    above: Rows
    call: Rows
    opens: Ints
    closes: Ints

    def chosen(self, kept: Bools | Rows) -> _Branches:
        return _Branches(*(column[kept] for column in self))


def holders(up: Rows, begin: Ints, end: Ints, asked: Rows) -> Rows:
    """For each of the calls in `asked`, which were given up when they ended, the call that held its time.

    `up` is the call above each, which stands before it, and -1 where there is none or nobody waited.
    """
    branches = _branches(up, begin, end)
    levels, main = _main_branches(branches, len(up))
    smaller = branches.chosen(~main)
    at, deadline = asked.copy(), np.minimum(end[asked], _LAST - 1)
    waiting = np.arange(len(asked))
    while len(waiting):
        here, until = at[waiting], deadline[waiting]
        for down, opens, closes in reversed(levels):
            here = np.where((opens[here] <= until) & (until <= closes[here]), down[here], here)
        turning = _open_branch(smaller, here, until)
        at[waiting] = np.where(turning >= 0, turning, here)
        waiting = waiting[turning >= 0]
    return at


def _branches(up: Rows, begin: Ints, end: Ints) -> _Branches:
    """What is open when. Of its caller's time before a deadline a call covers what goes by from `since` on, as long as
    it lasts; the caller's time itself goes on."""
    call = np.flatnonzero(up >= 0)
    since = np.maximum(begin[call], begin[up[call]])
    lasting = end[call] - since
    order = np.lexsort((call, since, up[call]))
    order = order[lasting[order] > 0]
    # Who comes later covers more one day only if it lasts longer than all before it.
    longest = np.empty(len(call), np.int64)
    longest[np.lexsort((-call, lasting))] = np.arange(len(call))
    key = up[call[order]] * len(call) + longest[order]
    order = order[np.diff(np.maximum.accumulate(key), prepend=-1) > 0]
    call, since, lasting = call[order], since[order], lasting[order]
    above = up[call]

    opens = _sum(since, since - begin[above] + 1)
    closes = _sum(begin[above] - 1, _sum(lasting, lasting))
    siblings = above[1:] == above[:-1]
    outdone = _sum(since[1:], lasting[:-1] + (call[1:] > call[:-1]))
    opens[1:] = np.where(siblings, np.maximum(opens[1:], outdone), opens[1:])
    closes[:-1] = np.where(siblings, np.minimum(closes[:-1], outdone - 1), closes[:-1])
    return _Branches(above, call, opens, closes).chosen(opens <= closes)


def _sum(one: Ints, other: Ints) -> Ints:
    """The sum of times, the end of time where it lies beyond."""
    left: Ints = _LAST - np.maximum(one, 0)
    return one + np.minimum(other, left)


def _main_branches(branches: _Branches, size: int) -> tuple[list[tuple[Rows, Ints, Ints]], Bools]:
    """For one, two, four, ... main branches down from every call: where they lead, and from when until when all of them
    are open; and which of the branches are main ones."""
    above = np.full(size, -1, np.int64)
    above[branches.call] = branches.above
    beneath = [1] * size
    for call, caller in zip(range(size - 1, -1, -1), above[::-1].tolist(), strict=True):
        if caller >= 0:
            beneath[caller] += beneath[call]
    weight = np.array(beneath, np.int64)[branches.call]
    order = np.lexsort((weight, branches.above))
    heaviest = order[np.diff(branches.above[order], append=size) > 0]
    main = np.zeros(len(order), np.bool_)
    main[heaviest] = True

    down, opens, closes = np.arange(size), np.full(size, _LAST), np.full(size, -1, np.int64)
    some = branches.chosen(main)
    down[some.above], opens[some.above], closes[some.above] = some.call, some.opens, some.closes
    levels = []
    while (opens <= closes).any():
        levels.append((down, opens, closes))
        opens, closes = np.maximum(opens, opens[down]), np.minimum(closes, closes[down])
        down = down[down]
    return levels, main


def _open_branch(branches: _Branches, calls: Rows, deadlines: Ints) -> Rows:
    """The branch beneath each of the calls that is open at its deadline, -1 for none."""
    instants = np.unique(branches.opens)
    keys = branches.above * (len(instants) + 1) + np.searchsorted(instants, branches.opens, "right")
    wanted = calls * (len(instants) + 1) + np.searchsorted(instants, deadlines, "right")
    last = np.searchsorted(keys, wanted, "right") - 1
    found = np.full(len(calls), -1, np.int64)
    known = np.flatnonzero(last >= 0)
    branch = last[known]
    opened = (branches.above[branch] == calls[known]) & (deadlines[known] <= branches.closes[branch])
    found[known[opened]] = branches.call[branch[opened]]
    return found
