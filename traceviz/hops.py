"""Forest ▸ Hops: one row per call from one workload to another, whatever the number of spans that prove it.

A call's *head* is the span that stands for it on the caller's side: the proxy's caller half, or a program's own
client span where no proxy follows. Its *callee halves* are the spans that received it. A callee half beneath
another workload without a head is a call seen from the callee only; a root that received something is an
entry: a hop without a caller.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from traceviz import envoy
from traceviz.notes import Notes, define
from traceviz.reconstruct import Forest, Rows
from traceviz.roles import Role, on_callers_side
from traceviz.spans import Bools, Codes, Ints
from traceviz.verdict import Outcomes, outcomes

UNNAMED_CALLEE = define(
    "unnamed-callee",
    "{count} calls name no callee and make no edge",
    """A program's client span has no callee half, and no tag that says whom it called.

    Looked for, in this order: peer.service, the messaging destination, the database, server.address, the host of
    the URL. Set `peer.service` (or the attributes of the semantic conventions) in the client's instrumentation,
    or instrument the callee.""",
)
UNKNOWN_FLAG = define(
    "unknown-flag",
    "{count} spans carry a response flag that is not in Envoy's list; it was not judged",
    """A proxy reported a response flag that is not among Envoy's.

    Extensions may register flags of their own. Whether such a call failed is judged by its status and its error
    tag alone.""",
)

PartyKind = Literal["workload", "host", "database", "queue", "external", "unknown"]


class Party(NamedTuple):
    """One end of a call: a workload that reported spans, or a callee that was only named by its caller.

    For a workload the fields are those of `Workload`; for the others `service` is the name (a host without
    its namespace, a database, a queue) and `namespace` the host's namespace where it says one.
    """

    kind: PartyKind
    service: str
    canonical: str = ""
    deployment: str = ""
    namespace: str = ""
    proxy: str = ""


@dataclass(frozen=True, eq=False)
class Hops:
    """One row per call, in the order of traces, a hop before the hops below it. -1 stands for "there is none".

    Rows of the forest: `caller_row` the head, `callee_row` the callee half of the last attempt.
    `caller` (-1 for an entry) and `callee` index `parties`. `halves` counts callee halves, `up` is the hop whose
    callee made this call, `entry_row` the callee half of it under which it was made. `client_ns` and `server_ns`
    are what each half measured, `gap_ns` the part of the (last) attempt that was not the callee's. `attempts` and
    `failed_attempts` count tries of this call, `failed` is the verdict on the call. `half_hop` has a value per
    row of the forest: the hop that a callee half belongs to.
    """

    forest: Forest
    parties: list[Party]
    caller: Rows
    callee: Rows
    caller_row: Rows
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

    def self_check(self) -> None:
        """Raise AssertionError where columns do not fit each other. For tests."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and field.name != "half_hop":
                assert len(value) == len(self), field.name
        assert (self.callee >= 0).all()
        assert (self.up < np.arange(len(self))).all() or not len(self), "a hop stands before the hop above it"
        assert ((self.caller_row >= 0) | (self.callee_row >= 0)).all()
        assert (self.failed_attempts <= self.attempts).all()


class _Calls(NamedTuple):
    """Who belongs to which call. All arrays have a value per row of the forest.

    `head`: the head of the call that an outgoing row is part of, -1 for others. `is_head`: rows that stand for a
    call. `half`: callee halves and entries. `answers`: the head that a callee half answers, -1 where it has none.
    `within`: the callee half under which a row is, or the head of another workload whose callee half is missing.
    """

    head: Rows
    is_head: Bools
    half: Bools
    answers: Rows
    within: Rows


def hops(forest: Forest) -> Hops:
    """All calls of a forest."""
    notes = Notes()
    calls = _calls(forest)
    verdicts = outcomes(forest)
    notes.add(UNKNOWN_FLAG, int(verdicts.unknown_flag.sum()), sorted(verdicts.unknown_flags)[:5])
    head_row, callee_row, halves, half_hop = _pair(forest, calls)
    parties, workload_party = _workload_parties(forest)

    named = np.flatnonzero((head_row >= 0) & (callee_row < 0))
    callee = np.where(callee_row >= 0, workload_party[forest.workloads.of_row[callee_row]], -1)
    callee[named] = _named_callees(forest, head_row[named], parties)
    unnamed = callee < 0
    notes.add(UNNAMED_CALLEE, int(unnamed.sum()), _traces(forest, head_row[unnamed]))
    return _assemble(
        forest,
        calls,
        verdicts,
        parties,
        workload_party,
        ~unnamed,
        head_row,
        callee_row,
        halves,
        half_hop,
        callee,
        notes,
    )


def _calls(forest: Forest) -> _Calls:
    role, parent, size = forest.role, forest.parent, len(forest)
    rows = np.arange(size)
    placed = ~forest.duplicate
    child = parent >= 0
    same = np.zeros(size, np.bool_)
    same[child] = forest.workloads.same(rows[child], parent[child])
    out = on_callers_side(role) & placed

    # A program's client span over its own proxy's caller half, or over an inner client span, is the same call.
    wrapping = np.zeros(size, np.bool_)
    inner = child & same & ((role == Role.CALLER) | (role == Role.CLIENT))
    wrapping[parent[inner]] = True
    wrapping &= role == Role.CLIENT
    attempt = (role == Role.ATTEMPT) & child & same
    attempt[attempt] = role[parent[attempt]] == Role.CALLER
    is_head = out & ~wrapping & ~attempt

    head = np.where(is_head, rows, -1)
    head[attempt] = parent[attempt]
    wrapped = np.flatnonzero(inner & wrapping[parent])[::-1]
    inward = rows.copy()
    inward[parent[wrapped]] = wrapped
    head[wrapping] = _climb(inward)[wrapping]

    # Spans inside a workload are transparent: what they did, the workload did.
    internal = ((role == Role.INTERNAL) | (role == Role.INSIDE)) & child & same
    anchor = _climb(np.where(internal, parent, rows))
    above = np.where(child, anchor[parent], -1)
    under_call = (above >= 0) & out[above]
    foreign = np.zeros(size, np.bool_)
    known = above >= 0
    foreign[known] = ~forest.workloads.same(rows[known], above[known])
    receiving = ~out & placed & ~internal
    named_kind = (role == Role.CALLEE) | (role == Role.SERVER) | (role == Role.CONSUMER)
    half = receiving & ((above < 0) | foreign | (under_call & named_kind))
    answers = np.where(half & under_call, head[above], -1)

    # A call of another workload right beneath a call: the callee half between them was not seen.
    border = child & out & ~same & out[parent]
    enclosing = np.where(border, head[parent], np.where(child & half[parent], parent, -1))
    within = enclosing[_climb(np.where((enclosing >= 0) | ~child, rows, parent))]
    return _Calls(head, is_head, half, answers, within)


def _climb(step: Rows) -> Rows:
    """Follow `step` until it stays where it is."""
    while True:
        further = step[step]
        if (further == step).all():
            return step
        step = further


def _pair(forest: Forest, calls: _Calls) -> tuple[Rows, Rows, Rows, Rows]:
    """Heads with their callee halves: head row, last callee row and number of halves of every hop, and the hop
    of every half (by row). Halves of one workload under one head are attempts of one call; of different
    workloads, separate hops."""
    answering = np.flatnonzero(calls.half & (calls.answers >= 0))
    group = _identities(forest)[forest.workloads.of_row[answering]]
    order = np.lexsort((answering, group, calls.answers[answering]))
    answering, group = answering[order], group[order]
    heads = calls.answers[answering]
    begins = np.ones(len(answering), np.bool_)
    begins[1:] = (heads[1:] != heads[:-1]) | (group[1:] != group[:-1])
    number = np.cumsum(begins) - 1
    last = np.flatnonzero(np.concatenate((begins[1:], [True]))) if len(answering) else np.zeros(0, np.int64)
    counts = np.bincount(number, minlength=len(last))

    answered = np.zeros(len(forest), np.bool_)
    answered[heads] = True
    alone = np.flatnonzero(calls.is_head & ~answered)
    unasked = np.flatnonzero(calls.half & (calls.answers < 0))
    head_row = np.concatenate((heads[last], alone, np.full(len(unasked), -1)))
    callee_row = np.concatenate((answering[last], np.full(len(alone), -1), unasked))
    halves = np.concatenate((counts, np.zeros(len(alone), np.int64), np.ones(len(unasked), np.int64)))

    half_hop = np.full(len(forest), -1, np.int64)
    half_hop[answering] = number
    half_hop[unasked] = len(last) + len(alone) + np.arange(len(unasked))
    return head_row, callee_row, halves, half_hop


def _identities(forest: Forest) -> Rows:
    """Workload keys by what they are called: pods of several versions of one workload are one."""
    keys: dict[tuple[str, str], int] = {}
    return np.array(
        [keys.setdefault((key.own_name, key.namespace), len(keys)) for key in forest.workloads.keys], np.int64
    )


def _workload_parties(forest: Forest) -> tuple[list[Party], Rows]:
    parties = [Party("workload", *key) for key in forest.workloads.keys]
    return parties, np.arange(len(parties))


def _named_callees(forest: Forest, head_row: Rows, parties: list[Party]) -> Rows:
    """The party that each of these heads names, -1 where it names none; new parties are appended."""
    spans, role, texts = forest.spans, forest.role, forest.spans.texts
    gateway = forest.workloads.mask("router")
    hosts = envoy.table(spans.tag("url"), texts, lambda url: texts.code(envoy.url_host(url)), np.int64)
    names = ("cluster", "peer_service", "queue", "queue_system", "db_name", "db_system", "server_address")
    columns = [spans.tag(name)[head_row].astype(np.int64) for name in names]
    columns += [hosts[spans.tag("url")[head_row]], spans.operation[head_row].astype(np.int64)]
    proxy = (role[head_row] == Role.CALLER) | (role[head_row] == Role.ATTEMPT)
    columns += [proxy.astype(np.int64), gateway[head_row].astype(np.int64)]
    index: dict[Party, int] = {}
    seen: dict[tuple[int, ...], int] = {}
    result = np.full(len(head_row), -1, np.int64)
    for i, codes in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if codes not in seen:
            party = _named_callee(*(texts[code] for code in codes[:9]), proxy=bool(codes[9]), gateway=bool(codes[10]))
            if party is not None and party not in index:
                index[party] = len(parties)
                parties.append(party)
            seen[codes] = -1 if party is None else index[party]
        result[i] = seen[codes]
    return result


def _named_callee(
    cluster: str,
    peer_service: str,
    queue: str,
    queue_system: str,
    db_name: str,
    db_system: str,
    server_address: str,
    host: str,
    operation: str,
    *,
    proxy: bool,
    gateway: bool,
) -> Party | None:
    """Whom a call without a callee half went to, as its caller says."""
    if proxy:
        cluster_host = envoy.read_cluster(envoy.routed_cluster(operation) or cluster).host
        # A gateway's URL names its own front door.
        named = cluster_host or ("" if gateway else host) or operation.partition("/")[0].partition(":")[0]
        return _host_party(named) if named else Party("unknown", operation or "unknown")
    if peer_service:
        return _host_party(peer_service)
    if queue or queue_system:
        return Party("queue", queue or queue_system)
    if db_system or db_name:
        return Party("database", db_name or server_address or db_system)
    named = server_address or host
    return _host_party(named) if named else None


def _host_party(text: str) -> Party:
    host = envoy.read_host(text)
    if host.external:
        return Party("external", host.name)
    return Party("host", host.name, namespace=host.namespace)


def _assemble(
    forest: Forest,
    calls: _Calls,
    verdicts: Outcomes,
    parties: list[Party],
    workload_party: Rows,
    kept: Bools,
    head_row: Rows,
    callee_row: Rows,
    halves: Rows,
    half_hop: Rows,
    callee: Rows,
    notes: Notes,
) -> Hops:
    spans, role = forest.spans, forest.role
    row = np.where(head_row >= 0, head_row, callee_row)
    order = np.lexsort((row, forest.depth[row], spans.trace[row]))
    order = order[kept[order]]
    new_number = np.full(len(row) + 1, -1, np.int64)
    new_number[order] = np.arange(len(order))
    head_row, callee_row, halves, callee, row = (x[order] for x in (head_row, callee_row, halves, callee, row))
    half_hop = np.where(half_hop >= 0, new_number[half_hop], -1)

    has_head, has_half = head_row >= 0, callee_row >= 0
    # Several hops may have one head; what was done beneath it without a callee half belongs to its first hop.
    head_hop = np.full(len(forest), -1, np.int64)
    head_hop[head_row[has_head][::-1]] = np.flatnonzero(has_head)[::-1]

    within = calls.within[row]
    above = np.where(within >= 0, np.where(calls.half[within], half_hop[within], head_hop[within]), -1)
    called_from = np.where(has_head, head_row, np.where(within >= 0, within, -1))
    caller = np.where(called_from >= 0, workload_party[forest.workloads.of_row[called_from]], -1)

    tries = _attempts(forest, calls, verdicts, half_hop, head_hop, len(order))
    asynchronous = role[row] == Role.PRODUCER
    asynchronous[has_half] |= role[callee_row[has_half]] == Role.CONSUMER
    client_ns = np.where(has_head, spans.duration_ns[head_row], -1)
    server_ns = np.where(has_half, spans.duration_ns[callee_row], -1)
    failed = np.where(has_head, verdicts.failed[head_row], verdicts.failed[callee_row])
    failed |= has_head & has_half & verdicts.refused[callee_row]
    failed_attempts = np.maximum(tries.failed, failed)
    gap = _gaps(tries, client_ns, server_ns, halves, has_head & has_half & ~asynchronous)
    gap[has_head & verdicts.delayed[head_row]] = -1
    return Hops(
        forest=forest,
        parties=parties,
        caller=caller,
        callee=callee,
        caller_row=head_row,
        callee_row=callee_row,
        halves=halves,
        up=above,
        entry_row=np.where((within >= 0) & calls.half[within], within, -1),
        asynchronous=asynchronous,
        attempts=np.maximum(np.maximum(tries.number, halves), 1),
        failed_attempts=failed_attempts,
        client_ns=client_ns,
        server_ns=server_ns,
        gap_ns=gap,
        failed=failed,
        outcomes=verdicts,
        half_hop=half_hop,
        notes=notes,
    )


class _Attempts(NamedTuple):
    """Per hop: attempts that have spans of their own, how many tries failed, the last attempt's duration."""

    number: Ints
    failed: Ints
    last_ns: Ints


def _attempts(
    forest: Forest, calls: _Calls, verdicts: Outcomes, half_hop: Rows, head_hop: Rows, size: int
) -> _Attempts:
    spans = forest.spans
    rows = np.flatnonzero((forest.role == Role.ATTEMPT) & ~calls.is_head & ~forest.duplicate)
    hop = head_hop[calls.head[rows]]
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


def _traces(forest: Forest, rows: Rows) -> list[str]:
    spans: Any = forest.spans
    return [spans.trace_ids[i] for i in np.unique(spans.trace[rows])[:5]]
