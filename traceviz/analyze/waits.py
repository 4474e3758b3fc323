"""Hops ▸ what users waited for: the time of every span on the critical path of a user's request."""

from __future__ import annotations

import numpy as np

from traceviz.analyze.critical import critical_path
from traceviz.analyze.entries import Entries
from traceviz.hops import Hops
from traceviz.spans import Bools, Ints


def user_roots(hops: Hops, entered: Entries) -> Bools:
    """Rows of the forest at which a user's request begins: how long they took is how long users waited."""
    roots = np.zeros(len(hops.forest), np.bool_)
    roots[hops.forest.root[hops.row[entered.user_root]]] = True
    return roots


def waited_ns(hops: Hops, entered: Entries) -> Ints:
    """For every row of the forest how long it was what a user waited for, in ns. All of them add up to the time of the
    roots of users' requests."""
    found = critical_path(hops.forest)
    of_user = user_roots(hops, entered)[hops.forest.root[found.row]]
    waited = np.zeros(len(hops.forest), np.int64)
    np.add.at(waited, found.row[of_user], (found.end_ns - found.start_ns)[of_user])
    return waited
