"""With what a tree of calls begins: with a request of a user, else with what else is known of its first span."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from traceviz.analyze.entries import Entries, torn_off
from traceviz.analyze.groups import visits
from traceviz.hops import Hops
from traceviz.spans import Ints, Rows

#: A user's request, what a program did by itself, what came out of a queue, a span whose parent is missing, a fragment
#: of a torn trace.
Start = Literal["entry", "program", "async", "orphan", "fragment"]
STARTS: tuple[Start, ...] = get_args(Start)


class Beginnings(NamedTuple):
    """For every hop above which there is none: what begins there (an index of `STARTS`), and the first span of the
    caller's visit, -1 where the caller has no span."""

    start: Ints
    row: Rows


def beginnings(hops: Hops, entries: Entries) -> Beginnings:
    """With what every tree of calls begins."""
    forest = hops.forest
    above = np.where(hops.caller_row >= 0, hops.caller_row, forest.parent[hops.row])
    seen = (hops.caller >= 0) & (above >= 0)
    seen[seen] = np.array([party.kind == "workload" for party in hops.parties], np.bool_)[hops.caller[seen]]
    row = np.where(seen, visits(hops)[above], -1)
    root = forest.root[hops.row]
    torn = torn_off(forest)[root]
    start = np.select(
        [entries.user_root, ~hops.waited_for, forest.orphan[root], torn],
        [STARTS.index("entry"), STARTS.index("async"), STARTS.index("orphan"), STARTS.index("fragment")],
        STARTS.index("program"),
    )
    # One root makes one tree, whatever the number of its calls that count as requests.
    top = np.flatnonzero((hops.up < 0) & (row >= 0))
    first = np.full(len(forest), len(STARTS), np.int64)
    np.minimum.at(first, row[top], start[top])
    return Beginnings(np.where(row >= 0, first[row], start), row)
