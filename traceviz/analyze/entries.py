"""Where requests entered: which root hops are a user's, and which traces are torn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from traceviz.hops import Hops
from traceviz.roles import Role
from traceviz.spans import Bools, Rows


@dataclass(frozen=True, eq=False)
class Entries:
    """Per hop: `user_root`, a request of a user's begins here; `gateway`, its caller is a gateway's proxy.
    Per trace: `failed`, what the user got; `fragment`, no user's request is in it. `entered` are the
    workloads (indices of the forest's keys) at which a request entered, one a request."""

    user_root: Bools
    gateway: Bools
    failed: Bools
    fragment: Bools
    entered: Rows


def entries(hops: Hops) -> Entries:
    """The entries of all traces.

    A root that is a sidecar's outbound half is a fragment of a torn trace. Roots whose parent is missing count
    only where their trace has no other: then the earliest is the entry, as for a caller from outside who
    sent a `traceparent` of its own.
    """
    forest = hops.forest
    # What came out of a queue was nobody's request; somebody put it there in another trace.
    top = (hops.up < 0) & hops.waited_for
    root = _roots(hops)
    torn = (forest.role[root] == Role.CALLER) & ~forest.workloads.mask("router")[root]
    torn |= forest.role[root] == Role.ATTEMPT
    whole = top & ~torn & ~forest.orphan[root]
    size = len(forest.spans.trace_ids)
    has_whole = np.zeros(size, np.bool_)
    has_whole[hops.trace[whole]] = True

    orphans = np.flatnonzero(top & ~torn & forest.orphan[root] & ~has_whole[hops.trace])
    orphans = orphans[np.argsort(hops.row[orphans], kind="stable")]
    _, first = np.unique(hops.trace[orphans], return_index=True)
    user_root = whole.copy()
    user_root[orphans[first]] = True

    failed = np.zeros(size, np.bool_)
    failed[hops.trace[user_root & hops.failed]] = True
    entered = np.zeros(size, np.bool_)
    entered[hops.trace[user_root]] = True
    fragment = np.zeros(size, np.bool_)
    fragment[hops.trace[top & torn]] = True
    gateway = np.zeros(len(hops), np.bool_)
    has_head = hops.caller_row >= 0
    gateway[has_head] = forest.workloads.mask("router")[hops.caller_row[has_head]]

    received = user_root & (hops.caller_row < 0)
    # One head may stand for several hops; the request entered once.
    through = np.unique(hops.caller_row[user_root & gateway])
    gates = forest.workloads.of_row[np.concatenate((hops.callee_row[received], through))]
    return Entries(user_root, gateway, failed, fragment & ~entered, gates.astype(np.int64))


def _roots(hops: Hops) -> Rows:
    """The root row of every hop's tree."""
    parent = hops.forest.parent
    step = np.where(parent >= 0, parent, np.arange(len(parent)))
    while True:
        further = step[step]
        if (further == step).all():
            return step[hops.row]
        step = further
