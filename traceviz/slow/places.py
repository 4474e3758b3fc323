"""Critical paths ▸ places: of which call, and on which side of it, each moment was that a user waited.

    user → front → cart          front's own time is front's, as the callee of the user's request
           ├─────────────┤       what lies between front's attempt and cart's half is the network's
              ├───────┤          where cart reported no half, all of that time is cart's: nobody else knows
                ├──┤             the time of a caller half outside of its attempts is its proxy's

An injected delay is the proxy's that carries the flag. Of a call that ran into a deadline the time belongs to what was
still running when it ran out, however deep, and is marked as waiting.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from traceviz.analyze.belonging import belonging
from traceviz.analyze.critical import Sections, critical_path
from traceviz.analyze.entries import Entries
from traceviz.analyze.shapes import SLACK_NS, ran_into_deadline
from traceviz.analyze.waits import user_roots, waiting_forest
from traceviz.hops import Hops
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.roles import Role, on_callers_side
from traceviz.spans import Bools, Ints, Rows

#: Whose the time is, of the two sides of a call.
Where = Literal["caller-proxy", "network", "callee-proxy", "callee"]
WHERES: tuple[Where, ...] = get_args(Where)
_CALLER_PROXY, _NETWORK, _CALLEE_PROXY, _CALLEE = range(len(WHERES))

#: Why a moment was waited for, as the spans alone tell it: "" is ordinary work.
Sign = Literal["", "delay-injected", "waits-for-timeout"]
SIGNS: tuple[Sign, ...] = get_args(Sign)
_DELAYED, _WAITING = 1, 2


#: Where the time is the caller's side's there is a place for each caller, else one for all of them.
OF_CALLER = frozenset({"caller-proxy", "network"})


class PlaceKey(NamedTuple):
    """A call's callee, and its caller where the time is the caller's side's; whose the time is, and its sign."""

    caller: Party | None
    callee: Party
    where: Where
    sign: Sign


class Places(NamedTuple):
    """The sections of the critical paths of requests, a value per section: the `row` of the forest, its `length_ns`,
    the `root` row of the request, `caller` (-1: from outside) and `callee` as indices of the hops' parties, the `hop`
    (-1: none was made, a program began by itself), `where` and `sign` as indices of WHERES and SIGNS."""

    row: Rows
    length_ns: Ints
    root: Rows
    caller: Rows
    callee: Rows
    hop: Rows
    where: Ints
    sign: Ints


def places(hops: Hops, entered: Entries) -> Places:
    """Where the time of all requests of a batch went, moment by moment: all of it adds up to what users waited."""
    forest = waiting_forest(hops)
    sections = critical_path(forest)
    asked = user_roots(hops, entered)[forest.root[sections.row]]
    sections = Sections(sections.row[asked], sections.start_ns[asked], sections.end_ns[asked])
    row = sections.row
    found = belonging(hops)
    hop = found.around[row]
    outgoing = on_callers_side(forest.role)[row] & (found.of_row[row] >= 0)
    where = np.where(outgoing, _between(hops, row, hop), _inside(forest)[row])
    sign = np.where(_delayed(hops, row, hop, outgoing), _DELAYED, 0)
    where = np.where((sign == _DELAYED) & outgoing, _CALLER_PROXY, where)
    where = np.where((sign == _DELAYED) & ~outgoing, _CALLEE_PROXY, where)
    waiting = _waiting(hops, entered, sections, hop)
    return Places(
        row,
        sections.end_ns - sections.start_ns,
        forest.root[row],
        of_hop(hops.caller, hop),
        np.where(hop >= 0, of_hop(hops.callee, hop), forest.workloads.of_row[row]),
        hop,
        where,
        np.where(waiting & (sign == 0), _WAITING, sign),
    )


def of_hop(column: Rows, hop: Rows) -> Rows:
    """A column of hops for each of these, -1 where there is none: a trace may have no hop at all."""
    return np.append(column, -1)[hop]


def _between(hops: Hops, row: Rows, hop: Rows) -> Ints:
    """Whose the time of a caller's own spans is, outside of what lies beneath them."""
    forest = hops.forest
    tried = np.zeros(len(forest), np.bool_)
    attempts = np.flatnonzero((forest.role == Role.ATTEMPT) & (forest.parent >= 0))
    tried[forest.parent[attempts]] = True
    # A program's span around its proxy's is the way between the two.
    head = of_hop(hops.caller_row, hop)
    at_proxy = tried[row] | ((head != row) & (forest.role[row] == Role.CLIENT) & (forest.role[head] == Role.CALLER))
    beyond = np.where(of_hop(hops.callee_row, hop) >= 0, _NETWORK, _CALLEE)
    return np.where(at_proxy, _CALLER_PROXY, beyond)


def _inside(forest: Forest) -> Ints:
    """Whose the time of every other span is: the callee's, or its proxy's where its program has a span of its own."""
    child = np.flatnonzero((forest.parent >= 0) & np.isin(forest.role, (Role.INSIDE, Role.SERVER)))
    parent = forest.parent[child]
    proxied = np.isin(forest.role[parent], (Role.CALLEE, Role.INSIDE)) & forest.workloads.same(child, parent)
    inside = np.full(len(forest), _CALLEE)
    inside[parent[proxied]] = _CALLEE_PROXY
    return inside


def _delayed(hops: Hops, row: Rows, hop: Rows, outgoing: Bools) -> Bools:
    """Time in which a proxy held a request back on purpose: its own span's, outside of the attempts beneath it."""
    forest, delayed = hops.forest, hops.outcomes.delayed
    # Without attempts of its own a caller half is the attempt as well: then all of the gap counts as the delay.
    head = of_hop(hops.caller_row, hop)
    at_caller = outgoing & (forest.role[row] != Role.ATTEMPT) & delayed[head]
    return np.where(outgoing, at_caller & (head >= 0), delayed[row])


def _waiting(hops: Hops, entered: Entries, sections: Sections, hop: Rows) -> Bools:
    """Sections of what was still running when a deadline above it ran out."""
    deadline = ran_into_deadline(hops, entered)
    if not deadline.any():
        return np.zeros(len(hop), np.bool_)
    # Hops stand after the hops above them: the nearest one that ran into a deadline, its own row included.
    above = np.full(len(hops) + 1, -1, np.int64)
    for one, (up, late) in enumerate(zip(hops.up.tolist(), deadline.tolist(), strict=True)):
        above[one] = one if late else above[up]
    late = above[hop]
    # By the clock of the caller's half, whose end is the deadline; without one the callee's own.
    end = hops.start_ns + hops.forest.shift_ns[hops.row] + np.where(hops.client_ns >= 0, hops.client_ns, hops.server_ns)
    waiting: Bools = (late >= 0) & (sections.end_ns >= end[late] - SLACK_NS)
    return waiting
