"""Where requests entered: which root hops are a user's, and which traces are torn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from traceviz.hops import Hops
from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Bools, Rows


@dataclass(frozen=True, eq=False)
class Entries:
    """Per hop: `user_root`, a request of a user's begins here; `listener`, and its caller is the proxy that the user
    asked, a gateway as a rule. Per trace: `failed`, what the user got; `fragment`, no user's request is in it.
    `entered` are the spans of the workloads at which a request entered, one a request."""

    user_root: Bools
    listener: Bools
    failed: Bools
    fragment: Bools
    entered: Rows


def entries(hops: Hops) -> Entries:
    """The entries of all traces.

    A root that is a sidecar's outbound half is a fragment of a torn trace; the root of a proxy that does not say
    what it is may be a front proxy. Roots whose parent is missing count only where their trace has no other: then
    the earliest is the entry, as for a caller from outside who sent a `traceparent` of its own.
    """
    forest, row = hops.forest, hops.row
    root = forest.root[row]
    at_root = (row == root) | ((forest.role[root] == Role.CLIENT) & (forest.parent[row] == root))
    # What came out of a queue was nobody's request; somebody put it there in another trace.
    top = (hops.up < 0) & hops.waited_for & at_root
    torn = torn_off(forest)[root]
    whole = top & ~torn & ~forest.orphan[root]
    size = len(forest.spans.trace_ids)
    has_whole = np.zeros(size, np.bool_)
    has_whole[hops.trace[whole]] = True

    orphans = np.flatnonzero(top & ~torn & forest.orphan[root] & ~has_whole[hops.trace])
    orphans = orphans[np.argsort(row[orphans], kind="stable")]
    _, first = np.unique(hops.trace[orphans], return_index=True)
    user_root = whole.copy()
    user_root[orphans[first]] = True

    failed = np.zeros(size, np.bool_)
    failed[hops.trace[user_root & hops.failed]] = True
    entered = np.zeros(size, np.bool_)
    entered[hops.trace[user_root]] = True
    fragment = np.zeros(size, np.bool_)
    fragment[hops.trace[top & torn]] = True

    listener = user_root & (hops.caller_row >= 0) & (forest.role[row] == Role.CALLER) & (row == root)
    received = user_root & (hops.caller_row < 0)
    # One head may stand for several hops; the request entered once.
    through = np.unique(hops.caller_row[listener])
    return Entries(
        user_root, listener, failed, fragment & ~entered, np.concatenate((hops.callee_row[received], through))
    )


def torn_off(forest: Forest) -> Bools:
    """Rows with which a fragment of a torn trace would begin: a sidecar's outbound half, or an attempt of it."""
    role = forest.role
    torn: Bools = ((role == Role.CALLER) & forest.workloads.mask("sidecar")) | (role == Role.ATTEMPT)
    return torn
