"""Calls that one request made one after another, or at the same time: the siblings under one span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from traceviz.hops import Hops
from traceviz.roles import Role
from traceviz.spans import Ints, Rows


@dataclass(frozen=True, eq=False)
class Siblings:
    """Calls that somebody waited for, sorted by `under`, the span that they were made in, and by start. All columns
    have a value per call: `hop` is its place in the hops, `begin` and `end` are by the caller's clock."""

    hop: Rows
    under: Rows
    begin: Ints
    end: Ints

    def groups(self) -> list[slice]:
        """The calls under each span."""
        edges = np.flatnonzero(self.under[1:] != self.under[:-1]) + 1
        starts = [0, *edges.tolist()] if len(self.under) else []
        return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(self.under)], strict=False)]


def siblings(hops: Hops) -> Siblings:
    """All calls whose caller's span is known, under what was asked of the caller: the half that it received, or where
    it received nothing the span of its own with which all began."""
    forest, row = hops.forest, hops.caller_row
    root = forest.root[row]
    began_itself = (hops.entry_row < 0) & (root != row) & (forest.role[root] == Role.INTERNAL)
    under = np.where(began_itself, root, hops.entry_row)
    chosen = np.flatnonzero((row >= 0) & (under >= 0) & ~hops.asynchronous)
    begin, end = forest.spans.start_ns[row[chosen]], forest.spans.end_ns[row[chosen]]
    # One head may stand for several hops, and is one call.
    _, first = np.unique(row[chosen], return_index=True)
    single = np.sort(first)
    chosen, begin, end = chosen[single], begin[single], end[single]
    order = np.lexsort((chosen, end, begin, under[chosen]))
    return Siblings(chosen[order], under[chosen[order]], begin[order], end[order])
