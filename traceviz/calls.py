"""Which spans belong to one call: its head on the caller's side, its callee halves, and what is inside a callee."""

from __future__ import annotations

import re
from bisect import bisect
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from traceviz import envoy
from traceviz.notes import Notes, raises
from traceviz.reconstruct import Forest, climb
from traceviz.roles import Role, on_callers_side
from traceviz.shared_ids import example_traces
from traceviz.spans import Bools, Rows


class Calls(NamedTuple):
    """Who belongs to which call. A call's *head* is the span that stands for it on the caller's side: the proxy's
    caller half, or a program's own client span where no proxy follows. All arrays have a value per row of the forest.

    `head`: the head of the call that an outgoing row is part of, -1 for others. `is_head`: rows that stand for a
    call. `half`: callee halves and entries. `answers`: the head that a callee half answers, -1 where it has none.
    `within`: the callee half under which a row is, or the head of another workload whose callee half is missing.
    `outer`: the outermost of a program's client spans around a head, its own row where there is none.
    """

    head: Rows
    is_head: Bools
    half: Bools
    answers: Rows
    within: Rows
    outer: Rows


def calls(forest: Forest, notes: Notes) -> Calls:
    """Sort the rows of a forest into calls."""
    parent, size = forest.parent, len(forest)
    rows = np.arange(size)
    placed = ~forest.duplicate
    child = parent >= 0
    same = np.zeros(size, np.bool_)
    same[child] = forest.workloads.same(rows[child], parent[child])
    role = forest.role.copy()
    role[opened_connections(forest, same, notes)] = Role.INTERNAL
    out = on_callers_side(role) & placed

    # A program's client span over its own proxy's caller half, or over an inner client span, is the same call.
    wrapping = np.zeros(size, np.bool_)
    inner = child & same & ((role == Role.CALLER) | (role == Role.CLIENT))
    wrapping[parent[inner]] = True
    wrapping &= role == Role.CLIENT
    attempt = (role == Role.ATTEMPT) & child & same
    attempt[attempt] = role[parent[attempt]] == Role.CALLER
    # By what a producer reaches its queue is the same call as well, like a queue of a cloud that is asked over HTTP.
    within_client = inner & (role == Role.CLIENT)
    outermost = climb(np.where(within_client | _beneath_producer(forest, same), parent, rows))
    carried = (role == Role.CLIENT) & (role[outermost] == Role.PRODUCER)
    wrapping &= ~carried
    is_head = out & ~wrapping & ~attempt & ~carried
    created, sent = _sent_together(forest, is_head & (role == Role.PRODUCER))
    is_head[created] = False

    head = np.where(is_head, rows, -1)
    head[attempt] = parent[attempt]
    head[carried] = outermost[carried]
    head[created] = sent
    wrapped = np.flatnonzero(inner & wrapping[parent])[::-1]
    inward = rows.copy()
    inward[parent[wrapped]] = wrapped
    head[wrapping] = climb(inward)[wrapping]

    outer = climb(np.where(inner & wrapping[parent], parent, rows))

    # Spans inside a workload are transparent: what they did, the workload did.
    internal = ((role == Role.INTERNAL) | (role == Role.INSIDE)) & child & same
    anchor = climb(np.where(internal, parent, rows))
    above = np.where(child, anchor[parent], -1)
    under_call = (above >= 0) & out[above]
    foreign = np.zeros(size, np.bool_)
    known = above >= 0
    foreign[known] = ~forest.workloads.same(rows[known], above[known])
    receiving = ~out & placed & ~internal
    named_kind = (role == Role.CALLEE) | (role == Role.SERVER) | (role == Role.CONSUMER)
    half = receiving & ((above < 0) | foreign | (under_call & named_kind))
    answers = np.where(half & under_call, head[above], -1)
    # Who takes from a queue while doing something else takes.
    taking = receiving & (role == Role.CONSUMER) & known & ~half
    half |= taking & (role[above] == Role.SERVER)
    nested = np.flatnonzero(taking & (role[above] == Role.CONSUMER))
    _process_each(half, answers, nested[np.argsort(forest.depth[nested], kind="stable")], above)

    # A call of another workload right beneath a call: the callee half between them was not seen, but for a gateway
    # in the middle, whose one span is both halves.
    border = child & out & ~same & out[parent]
    passing = border & is_head & forest.workloads.mask("router")
    half |= passing
    answers[passing] = head[parent[passing]]
    enclosing = np.where(border, head[parent], np.where(child & half[parent], parent, -1))
    within = enclosing[climb(np.where((enclosing >= 0) | ~child, rows, parent))]
    # What a gateway's proxy asks by itself (authorization, rate limits) belongs to the user's request above it.
    beside = child & is_head & same & (within < 0) & is_head[parent] & (role[parent] == Role.CALLER)
    within[beside] = parent[beside]
    found = Calls(head, is_head, half, answers, within, outer)
    return join_by_time(forest, found, notes)


#: `connect`, `tcp.connect`, `pg-pool.connect`, `redis-connect`, `dns.lookup`: what instrumentations call it.
_OPENING = re.compile(r"(?:.*[.\s_:-])?connect|dns[.\s_-](?:lookup|resolve)\w*", re.IGNORECASE)


@raises(
    "connections-opened",
    "{count} {count:span|spans} of opening a connection or of resolving a name {count:counts|count} as no call",
)
def opened_connections(forest: Forest, same: Bools, notes: Notes) -> Bools:
    """A client span is about a connection, not about a request.

    Sign: it is called `connect` or `dns.lookup`, with or without a prefix, says no method, no URL, no status and no
    RPC, did not fail, and nothing of another workload hangs under it.

    Cause: instrumentations of databases, pools and sockets make a span of opening a connection beside those of the
    queries on it. Counted as calls they would be as many as there were connections.

    What to do: nothing. The time stays in its caller's own; one that failed counts as a failed call.
    """
    spans, parent = forest.spans, forest.parent
    named = envoy.look_up(spans.operation, spans.texts, lambda text: bool(_OPENING.fullmatch(text[:100])), np.bool_)
    opening: Bools = named & (forest.role == Role.CLIENT) & ~spans.error & ~forest.duplicate
    for column in ("method", "url", "status", "grpc", "rpc", "rpc_service"):
        opening &= spans.tag(column) == 0
    below = np.flatnonzero((parent >= 0) & ~same)
    opening[parent[below]] = False
    notes.add("connections-opened", int(opening.sum()), example_traces(spans, spans.trace[opening]))
    return opening


def _process_each(half: Bools, answers: Rows, nested: Rows, above: Rows) -> None:
    """What is processed under a receipt of the same workload counts, message by message, and not the receipt around it:
    one of one message is no second call, and that of a batch is not the only one. Parents come first in `nested`."""
    half[nested] = True
    for row in nested.tolist():
        answers[row] = answers[above[row]]
    half[above[nested]] = False
    answers[above[nested]] = -1


def _sent_together(forest: Forest, producing: Bools) -> tuple[Rows, Rows]:
    """Messages that were created one by one, and the span that sent them, as a batch as a rule: the next one of the
    same workload to the same queue. That one is the call."""
    spans, own = forest.spans, forest.workloads.of_row
    operation = envoy.look_up(
        spans.tag("queue_operation"), spans.texts, lambda text: text.lower() == "create", np.bool_
    )
    created = np.flatnonzero(producing & operation)
    if not len(created):
        return created, created
    sends: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    queue = spans.tag("queue")
    for row in np.flatnonzero(producing & ~operation).tolist():
        sends[int(spans.trace[row]), int(own[row]), int(queue[row])].append(row)
    found = np.full(len(created), -1, np.int64)
    for index, row in enumerate(created.tolist()):
        known = sends[int(spans.trace[row]), int(own[row]), int(queue[row])]
        # Rows are in the order of their starts.
        at = bisect(known, row)
        found[index] = known[at] if at < len(known) else -1
    return created[found >= 0], found[found >= 0]


def _beneath_producer(forest: Forest, same: Bools) -> Bools:
    beneath: Bools = same & (forest.role == Role.CLIENT) & (forest.role[forest.parent] == Role.PRODUCER)
    return beneath


@raises(
    "calls-joined-by-time",
    "{count} {count:call|calls} whose parent is missing {count:was|were} taken as made by the callee around them",
)
def join_by_time(forest: Forest, found: Calls, notes: Notes) -> Calls:
    """A workload's call names a parent that is not there, and the workload was being called meanwhile.

    Usual where programs have spans of their own that are sent somewhere else: between a callee's proxy and its
    calls a span is missing. The span stays a root. But where exactly one call to the same workload, in the same
    trace, was under way all the time, its failure is taken to have been felt there; without that every trace would
    end at the first program. Send the programs' spans to the same Jaeger to be sure.
    """
    spans, root = forest.spans, forest.root
    lost = np.flatnonzero(found.is_head & forest.orphan[root] & (found.within < 0))
    if not len(lost):
        return found
    halves: dict[tuple[int, int], list[int]] = defaultdict(list)
    own = forest.workloads.of_row
    for row in np.flatnonzero(found.half & np.isin(spans.trace, spans.trace[lost])).tolist():
        halves[int(spans.trace[row]), int(own[row])].append(row)
    begin, end, roots = spans.start_ns.tolist(), spans.end_ns.tolist(), root.tolist()
    around: dict[tuple[int, int], _Enclosing] = {}
    trees = _Trees()
    within = found.within.copy()
    for row in lost.tolist():
        place = int(spans.trace[row]), int(own[row])
        if place not in around:
            some = sorted(half for key in forest.workloads.kin(place[1]) for half in halves.get((place[0], key), ()))
            around[place] = _Enclosing(some, begin, end)
        half = around[place].only(begin[row], end[row])
        # With odd times a tree may lie around itself, or two around each other.
        if half >= 0 and trees.top(roots[half]) != roots[row]:
            within[row] = half
            trees.join(roots[row], roots[half])
            notes.add("calls-joined-by-time", 1, [spans.trace_ids[spans.trace[row]]])
    return found._replace(within=within)


class _Enclosing:
    """Spans, in the order of their starts, of which the only one around another is asked for."""

    def __init__(self, rows: list[int], begin: list[int], end: list[int]) -> None:
        self._begins = [begin[row] for row in rows]
        #: Of all up to each: which one ends last, when that is, and when the one that ends next to last.
        self._latest: list[tuple[int, int, int]] = []
        longest, last, next_to_last = -1, -1, -1
        for row in rows:
            if end[row] > last:
                longest, last, next_to_last = row, end[row], last
            else:
                next_to_last = max(next_to_last, end[row])
            self._latest.append((longest, last, next_to_last))

    def only(self, begin: int, end: int) -> int:
        """The one that is under way from `begin` to `end`, -1 if there are none or several."""
        place = bisect(self._begins, begin) - 1
        if place < 0:
            return -1
        longest, last, next_to_last = self._latest[place]
        return longest if next_to_last < end <= last else -1


class _Trees:
    """Which trees were put into which others, each into the one that it was put into last."""

    def __init__(self) -> None:
        self._into: dict[int, int] = {}
        self._up: dict[int, int] = {}

    def top(self, tree: int) -> int:
        """The tree at the end of the way. The way is shorter the next time."""
        way = []
        while tree in self._up:
            way.append(tree)
            tree = self._up[tree]
        self._up.update(dict.fromkeys(way, tree))
        return tree

    def join(self, tree: int, other: int) -> None:
        """Put a tree into another one."""
        is_new = tree not in self._into
        is_other = self._into.get(tree) != other
        self._into[tree] = other
        if is_new:
            self._up[tree] = other
        elif is_other:
            self._up = dict(self._into)
