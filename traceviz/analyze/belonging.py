"""Hops ▸ to which call every span belongs: which one it proves, and inside of whose callee it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from traceviz.calls import calls
from traceviz.hops import Hops
from traceviz.notes import Notes
from traceviz.roles import Role
from traceviz.spans import Rows


class Belonging(NamedTuple):
    """For every row of the forest `of_row`, the hop that it proves, -1 for one inside of a program, and `around`, the
    hop that it belongs to, also inside of a callee; -1 for none."""

    of_row: Rows
    around: Rows


def belonging(hops: Hops) -> Belonging:
    """Where every span belongs."""
    forest = hops.forest
    found = calls(forest, Notes())  # what it notes was noted when the hops were made
    head_hop = np.full(len(forest), -1, np.int64)
    headed = np.flatnonzero(hops.caller_row >= 0)[::-1]
    head_hop[hops.caller_row[headed]] = headed  # of several hops with one head the first
    inside = found.within >= 0
    callee_hop = np.full(len(forest), -1, np.int64)
    callee_hop[inside] = np.where(
        found.half[found.within[inside]], hops.half_hop[found.within[inside]], head_hop[found.within[inside]]
    )
    half = hops.half_hop >= 0
    outgoing = found.head >= 0
    receiving = (forest.role == Role.INSIDE) | (forest.role == Role.SERVER)
    of_row = np.where(half, hops.half_hop, np.where(receiving, callee_hop, -1))
    # A gateway in the middle has one span for both halves: it stands for the call that it made.
    of_row[outgoing] = head_hop[found.head[outgoing]]
    of_row[forest.duplicate] = -1
    return Belonging(of_row, np.where(of_row >= 0, of_row, callee_hop))
