"""Forest ▸ Hops: one row per call from one workload to another, whatever the number of spans that prove it.

A callee half beneath another workload without a head is a call seen from the callee only; a root that received
something is an entry: a hop without a caller. Between a producer and a consumer stands their queue.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np

from traceviz.calls import Calls, calls
from traceviz.checking import checked
from traceviz.notes import Notes, define
from traceviz.parties import Parties, Party
from traceviz.reconstruct import Forest, depths
from traceviz.roles import Role
from traceviz.shared_ids import example_traces
from traceviz.spans import Bools, Codes, Ints, Rows
from traceviz.verdict import Outcomes, outcomes

UNNAMED_CALLEE = define(
    "unnamed-callee",
    "{count} {count:call names|calls name} no callee and {count:makes|make} no edge",
    """A program's client span has no callee half, and no tag that says whom it called.

    Looked for, in this order: peer.service, the messaging destination, the database, server.address, the host of
    the URL. Set `peer.service` (or the attributes of the semantic conventions) in the client's instrumentation,
    or instrument the callee.""",
)
UNSEEN_BY_CALLER = define(
    "error-unseen-by-caller",
    "{count} {count:call|calls} failed at the callee and went well for the caller, whose half decides",
    """The callee's half is marked as an error, the caller's half is not.

    Of two halves the caller's decides. Often the callee's program marks an error that it handled, or the caller's
    instrumentation does not mark what it got. `errors` of the callee's node counts them.""",
)
UNKNOWN_FLAG = define(
    "unknown-flag",
    "{count} {count:span carries|spans carry} a response flag that is not in Envoy's list; it was not judged",
    """A proxy reported a response flag that is not among Envoy's.

    Extensions may register flags of their own. Whether such a call failed is judged by its status and its error
    tag alone.""",
)


@dataclass(frozen=True, eq=False)
class Hops:
    """One row per call, in the order of traces, a hop before the hops below it. -1 stands for "there is none".

    Rows of the forest: `caller_row` the head, `callee_row` the callee half of the last attempt.
    `outer_row` is the outermost of the caller's client spans around the head.
    `caller` (-1 for an entry) and `callee` index `parties`. `halves` counts callee halves, `up` is the hop whose
    callee made this call, `entry_row` the callee half of it under which it was made. `client_ns` and `server_ns`
    are what each half measured, `gap_ns` the part of the (last) attempt that was not the callee's. `attempts` and
    `failed_attempts` count tries of this call, `failed` is the verdict on the call. Two columns have a value per row of
    the forest: `half_hop`, the hop that a callee half belongs to, and `call_row`, the head of the call that a span is a
    part of on its caller's side (the head itself, an attempt, a client span around it).
    """

    forest: Forest
    parties: list[Party]
    caller: Rows
    callee: Rows
    caller_row: Rows
    outer_row: Rows
    callee_row: Rows
    halves: Rows
    up: Rows
    entry_row: Rows
    asynchronous: Bools
    attempts: Ints
    failed_attempts: Ints
    client_ns: Ints
    server_ns: Ints
    gap_ns: Ints
    failed: Bools
    outcomes: Outcomes
    half_hop: Rows
    call_row: Rows
    notes: Notes

    def __len__(self) -> int:
        return len(self.caller)

    @cached_property
    def row(self) -> Rows:
        """The span that stands for the hop: the head, else the callee half."""
        return np.where(self.caller_row >= 0, self.caller_row, self.callee_row)

    @cached_property
    def trace(self) -> Codes:
        """The trace of every hop."""
        return self.forest.spans.trace[self.row]

    @cached_property
    def start_ns(self) -> Ints:
        """When the call started, by the clock of the side that stands for it."""
        return self.forest.spans.start_ns[self.row]

    @cached_property
    def waited_for(self) -> Bools:
        """Somebody waited for the outcome: not so for what a consumer took from a queue."""
        waited: Bools = ~self.asynchronous | (self.caller_row >= 0)
        return waited

    def queues_as_produced(self) -> Counter[tuple[int, int]]:
        """How often the queue that a consumer names, as a party, is the one of its system that the producer names."""
        role = self.forest.role[self.row]
        taken = np.flatnonzero((role == Role.CONSUMER) & (self.up >= 0) & (self.caller >= 0))
        taken = taken[role[self.up[taken]] == Role.PRODUCER]
        pairs = Counter(zip(self.caller[taken].tolist(), self.callee[self.up[taken]].tolist(), strict=True))
        queues = {number: party.canonical for number, party in enumerate(self.parties) if party.kind == "queue"}
        return Counter(
            {
                (consumed, produced): number
                for (consumed, produced), number in pairs.items()
                if consumed in queues and produced in queues and queues[consumed] == queues[produced]
            }
        )

    def self_check(self) -> None:
        """Raise AssertionError where columns do not fit each other. For tests."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and field.name not in ("half_hop", "call_row"):
                assert len(value) == len(self), field.name
        assert (self.callee >= 0).all()
        assert (self.up < np.arange(len(self))).all() or not len(self), "a hop stands before the hop above it"
        assert ((self.caller_row >= 0) | (self.callee_row >= 0)).all()
        assert (self.failed_attempts <= self.attempts).all()


class _Pairs(NamedTuple):
    """Heads with their halves, a row per hop: -1 where there is no head or no half. `half_hop` has a value per row of
    the forest."""

    head_row: Rows
    callee_row: Rows
    halves: Rows
    half_hop: Rows

    @property
    def row(self) -> Rows:
        """The span that stands for each hop."""
        return np.where(self.head_row >= 0, self.head_row, self.callee_row)


@checked
def hops(forest: Forest) -> Hops:
    """All calls of a forest."""
    notes = Notes()
    found = calls(forest, notes)
    verdicts = outcomes(forest)
    notes.add(UNKNOWN_FLAG, int(verdicts.unknown_flag.sum()), sorted(verdicts.unknown_flags)[:5])
    parties = Parties(forest)
    pairs = _pair(forest, found)
    callee = _callees(forest, pairs, parties, found)
    unnamed = callee < 0
    nameless = forest.spans.trace[pairs.head_row[unnamed]]
    notes.add(UNNAMED_CALLEE, len(nameless), example_traces(forest.spans, nameless))
    pairs, callee = _chosen(forest, pairs, callee, ~unnamed)
    above = _above(forest, found, pairs)
    # A hop stands before the hops below it, and they all behind one another by trace.
    order = np.lexsort((depths(above)[0], forest.spans.trace[pairs.row]))
    number = _renumbered(order, len(order))
    pairs, callee = _in_order(pairs, order), callee[order]
    return _assemble(forest, found, verdicts, parties, pairs, callee, number[above[order]], notes)


def _pair(forest: Forest, found: Calls) -> _Pairs:
    """Heads with their callee halves. Halves of one workload under one head are attempts of one call; of different
    workloads, separate hops. A consumer answers nobody: what it took from the queue is a hop of its own."""
    consuming = forest.role == Role.CONSUMER
    answering = np.flatnonzero(found.half & (found.answers >= 0) & ~consuming)
    group = _identities(forest)[forest.workloads.of_row[answering]]
    order = np.lexsort((answering, group, found.answers[answering]))
    answering, group = answering[order], group[order]
    heads = found.answers[answering]
    begins = np.ones(len(answering), np.bool_)
    begins[1:] = (heads[1:] != heads[:-1]) | (group[1:] != group[:-1])
    number = np.cumsum(begins) - 1
    last = np.flatnonzero(np.concatenate((begins[1:], [True]))) if len(answering) else np.zeros(0, np.int64)
    counts = np.bincount(number, minlength=len(last))

    answered = np.zeros(len(forest), np.bool_)
    answered[heads] = True
    alone = np.flatnonzero(found.is_head & ~answered)
    unasked = np.flatnonzero(found.half & ((found.answers < 0) | consuming))
    half_hop = np.full(len(forest), -1, np.int64)
    half_hop[answering] = number
    half_hop[unasked] = len(last) + len(alone) + np.arange(len(unasked))
    return _Pairs(
        head_row=np.concatenate((heads[last], alone, np.full(len(unasked), -1))),
        callee_row=np.concatenate((answering[last], np.full(len(alone), -1), unasked)),
        halves=np.concatenate((counts, np.zeros(len(alone), np.int64), np.ones(len(unasked), np.int64))),
        half_hop=half_hop,
    )


def _identities(forest: Forest) -> Rows:
    """Workload keys by what they are called: pods of several versions of one workload are one."""
    keys: dict[tuple[str, str], int] = {}
    return np.array(
        [keys.setdefault((key.own_name, key.namespace), len(keys)) for key in forest.workloads.keys], np.int64
    )


def _callees(forest: Forest, pairs: _Pairs, parties: Parties, found: Calls) -> Rows:
    """Who received each hop: whoever reported it, else whom the caller names, else whoever went on calling right
    beneath it, so that only its half is missing."""
    named = np.flatnonzero(pairs.callee_row < 0)
    heads = pairs.head_row[named]
    callee = np.where(pairs.callee_row >= 0, parties.of_row[pairs.callee_row], -1)
    callee[named] = parties.named_by(_naming(forest, heads))
    nameless = named[callee[named] < 0]
    callee[nameless] = parties.named_by(pairs.head_row[nameless])
    went_on = np.full(len(found.head), -1, np.int64)
    beneath = np.flatnonzero(found.is_head & (found.within >= 0))
    beneath = beneath[found.is_head[found.within[beneath]]][::-1]
    foreign = ~forest.workloads.same(beneath, found.within[beneath])
    went_on[found.within[beneath[foreign]]] = parties.of_row[beneath[foreign]]
    callee[named] = np.where(callee[named] >= 0, callee[named], went_on[heads])
    return callee


def _naming(forest: Forest, heads: Rows) -> Rows:
    """The spans that name the callees of these heads: where a program's client span is in another one of its own, like
    HTTP in a database's, and that one says what it is about, the outermost that does."""
    spans, role, parent = forest.spans, forest.role, forest.parent
    about = np.zeros(len(forest), np.bool_)
    for column in ("peer_service", "queue", "queue_system", "db_name", "db_system"):
        about |= spans.tag(column) != 0
    inner = np.flatnonzero((role == Role.CLIENT) & (parent >= 0) & (role[parent] == Role.CLIENT))
    inner = inner[forest.workloads.same(inner, parent[inner])]
    naming = np.arange(len(forest))
    for row in inner[np.argsort(forest.depth[inner], kind="stable")].tolist():
        above = int(naming[parent[row]])
        if about[above]:
            naming[row] = above
    return naming[heads]


def _chosen(forest: Forest, pairs: _Pairs, callee: Rows, kept: Bools) -> tuple[_Pairs, Rows]:
    """The kept hops, by row."""
    order = np.lexsort((pairs.callee_row, pairs.row, forest.spans.trace[pairs.row]))
    order = order[kept[order]]
    return _in_order(pairs, order), callee[order]


def _in_order(pairs: _Pairs, order: Rows) -> _Pairs:
    half_hop = _renumbered(order, len(pairs.head_row))[pairs.half_hop]
    return _Pairs(pairs.head_row[order], pairs.callee_row[order], pairs.halves[order], half_hop)


def _renumbered(order: Rows, size: int) -> Rows:
    """Where each of `size` hops went; -1, the last entry, stays -1."""
    number = np.full(size + 1, -1, np.int64)
    number[order] = np.arange(len(order))
    return number


def _head_hops(forest: Forest, pairs: _Pairs) -> Rows:
    """The hop of every head. Several hops may have one head; what was done beneath it without a callee half belongs
    to its first hop."""
    headed = np.flatnonzero(pairs.head_row >= 0)[::-1]
    head_hop = np.full(len(forest), -1, np.int64)
    head_hop[pairs.head_row[headed]] = headed
    return head_hop


def _above(forest: Forest, found: Calls, pairs: _Pairs) -> Rows:
    """The hop whose callee made each hop; for what was consumed the hop that put it into the queue."""
    row, head_hop = pairs.row, _head_hops(forest, pairs)
    within = found.within[row]
    above = np.where(within >= 0, np.where(found.half[within], pairs.half_hop[within], head_hop[within]), -1)
    produced = (forest.role[row] == Role.CONSUMER) & (found.answers[row] >= 0)
    above[produced] = head_hop[found.answers[row[produced]]]
    return above


def _assemble(
    forest: Forest,
    found: Calls,
    verdicts: Outcomes,
    parties: Parties,
    pairs: _Pairs,
    callee: Rows,
    above: Rows,
    notes: Notes,
) -> Hops:
    spans, role = forest.spans, forest.role
    head_row, callee_row, halves, half_hop = pairs
    has_head, has_half = head_row >= 0, callee_row >= 0
    row, within = pairs.row, found.within[pairs.row]
    consumed = role[row] == Role.CONSUMER
    asynchronous = consumed | (role[row] == Role.PRODUCER)

    tries = _attempts(forest, found, verdicts, half_hop, _head_hops(forest, pairs), len(row))
    client_ns = np.where(has_head, spans.duration_ns[head_row], -1)
    server_ns = np.where(has_half, spans.duration_ns[callee_row], -1)
    failed = np.where(has_head, verdicts.failed[head_row], verdicts.failed[callee_row])
    failed |= has_head & has_half & verdicts.refused[callee_row]
    outer_row = np.where(has_head & (found.outer[head_row] != head_row), found.outer[head_row], -1)
    failed |= _failed_around(verdicts, outer_row, failed)
    unseen = has_head & has_half & ~failed & verdicts.failed[callee_row]
    notes.add(UNSEEN_BY_CALLER, int(unseen.sum()), example_traces(spans, spans.trace[row[unseen]]))
    attempts = np.maximum(np.maximum(tries.number, halves), 1)
    gap = _gaps(tries, client_ns, server_ns, halves, has_head & has_half)
    gap[has_head & verdicts.delayed[head_row]] = -1
    return Hops(
        forest=forest,
        parties=parties.known,
        caller=_callers(parties, found, row, head_row, consumed, callee, above),
        callee=callee,
        caller_row=head_row,
        outer_row=outer_row,
        callee_row=callee_row,
        halves=halves,
        up=above,
        entry_row=np.where((within >= 0) & found.half[within], within, -1),
        asynchronous=asynchronous,
        attempts=attempts,
        # Of a call that went well, the last attempt went well, whatever its callee says.
        failed_attempts=np.where(failed, np.maximum(tries.failed, 1), np.minimum(tries.failed, attempts - 1)),
        client_ns=client_ns,
        server_ns=server_ns,
        gap_ns=gap,
        failed=failed,
        outcomes=verdicts,
        half_hop=half_hop,
        call_row=found.head,
        notes=notes,
    )


def _failed_around(verdicts: Outcomes, outer_row: Rows, failed: Bools) -> Bools:
    """Hops that went well and failed for the program all the same: it could not read the answer, or waited no longer.
    Of several tries within one client span that failed it is the last one, if no other failed. What the program makes
    of a 4xx is told by the call itself."""
    status = verdicts.status[outer_row]
    around = np.flatnonzero((outer_row >= 0) & verdicts.failed[outer_row] & ~((status >= 400) & (status < 500)))
    last = np.full(len(verdicts.failed), -1, np.int64)
    last[outer_row[around]] = around
    last[outer_row[around[failed[around]]]] = -1
    result = np.zeros(len(failed), np.bool_)
    result[last[last >= 0]] = True
    return result


def _callers(
    parties: Parties, found: Calls, row: Rows, head_row: Rows, consumed: Bools, callee: Rows, above: Rows
) -> Rows:
    """Who made each hop, -1 for an entry: the head's workload, else the workload that it was made within; for what
    was consumed the queue, as the consumer names it, else as its producer does."""
    within = found.within[row]
    called_from = np.where(head_row >= 0, head_row, within)
    caller = np.where(called_from >= 0, parties.of_row[called_from], -1)
    taken = np.flatnonzero(consumed)
    queue = parties.named_by(row[taken])
    produced = above[taken] >= 0
    from_producer = np.where(produced & (found.answers[row[taken]] >= 0), callee[above[taken]], -1)
    queue = np.where(queue >= 0, queue, from_producer)
    caller[taken] = np.where(queue >= 0, queue, caller[taken])
    return caller


class _Attempts(NamedTuple):
    """Per hop: attempts that have spans of their own, how many tries failed, the last attempt's duration."""

    number: Ints
    failed: Ints
    last_ns: Ints


def _attempts(forest: Forest, found: Calls, verdicts: Outcomes, half_hop: Rows, head_hop: Rows, size: int) -> _Attempts:
    spans = forest.spans
    rows = np.flatnonzero((forest.role == Role.ATTEMPT) & ~found.is_head & ~forest.duplicate)
    hop = head_hop[found.head[rows]]
    rows, hop = rows[hop >= 0], hop[hop >= 0]
    count = np.bincount(hop, minlength=size)
    failed = np.bincount(hop, verdicts.failed[rows], minlength=size).astype(np.int64)
    last = np.full(size, -1, np.int64)
    last[hop] = spans.duration_ns[rows]

    # Without spans of their own, attempts are known by the callee halves that they reached.
    halves = np.flatnonzero(half_hop >= 0)
    failed_halves = np.bincount(half_hop[halves], verdicts.failed[halves], minlength=size).astype(np.int64)
    failed = np.where(count > 0, failed, failed_halves)
    return _Attempts(count, failed, last)


def _gaps(tries: _Attempts, client_ns: Ints, server_ns: Ints, halves: Rows, both: Bools) -> Ints:
    """Caller's time of the last attempt minus callee's; -1 where one clock did not see both, or where the callee
    went on after its caller had left."""
    outer = np.where(tries.number > 0, tries.last_ns, np.where(halves == 1, client_ns, -1))
    gap = outer - server_ns
    return np.where(both & (outer >= 0) & (gap >= 0), gap, -1)
