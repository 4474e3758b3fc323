"""Spans ▸ Forest: every row placed exactly once, or a named duplicate. One function per ugly case.

The order of repairs is the order of `reconstruct`; notes say where it matters. Rows are sorted first, so that
nothing here depends on the order in which spans were reported. The common case is column arithmetic; only rows
that an ugly case touches are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from traceviz import envoy
from traceviz.behind import behind_sidecars
from traceviz.checking import checked
from traceviz.notes import Notes, raises
from traceviz.roles import Role, Roles, from_proxy, on_callers_side, roles
from traceviz.shared_ids import (
    Family,
    equal_runs,
    example_traces,
    split_shared_ids,
    undo_shared_id_repair,
)
from traceviz.spans import TAGS, Bools, Ints, Kind, Rows, Spans
from traceviz.workloads import Workloads

#: A child that lies outside its parent by more than this, though it would fit, is a matter of clocks.
SKEW_NS = 1_000_000


@dataclass(frozen=True, eq=False)
class Forest:
    """Spans in their final order, and for every row its `role`, its `parent` (a row, -1 for a root), whether it
    is a `duplicate` of another row (then it has no place in the tree), whether it is an `orphan` (it names a
    parent that is not there), and `shift_ns`, by which its clock seems to be off, for drawing and order only.
    """

    spans: Spans
    role: Roles
    parent: Rows
    duplicate: Bools
    orphan: Bools
    shift_ns: Ints
    workloads: Workloads
    notes: Notes

    def __len__(self) -> int:
        return len(self.spans)

    @cached_property
    def depth(self) -> Rows:
        """Number of ancestors of every row."""
        return depths(self.parent)[0]

    @cached_property
    def root(self) -> Rows:
        """The topmost ancestor of every row, a root's own row."""
        return climb(np.where(self.parent >= 0, self.parent, np.arange(len(self))))

    @cached_property
    def order(self) -> Rows:
        """All rows but duplicates, trace by trace, each parent before its children, siblings by corrected start."""
        start = self.spans.start_ns + self.shift_ns
        children: dict[int, list[int]] = defaultdict(list)
        for row in np.lexsort((np.arange(len(self)), start))[::-1].tolist():
            if not self.duplicate[row]:
                children[int(self.parent[row])].append(row)
        by_trace = sorted(children.pop(-1, []), key=lambda row: -int(self.spans.trace[row]))
        stack, result = by_trace, []
        while stack:
            row = stack.pop()
            result.append(row)
            stack.extend(children.pop(row, ()))
        return np.array(result, np.int64)

    def self_check(self) -> None:
        """Raise AssertionError where a row is lost, placed twice, or its own ancestor. For tests."""
        assert len(self.parent) == len(self.role) == len(self.spans)
        assert (self.parent < len(self)).all()
        placed = ~self.duplicate
        assert (self.parent[self.duplicate] == -1).all()
        has_parent = self.parent >= 0
        assert placed[self.parent[has_parent]].all(), "a row hangs under a duplicate"
        assert (self.spans.trace[has_parent] == self.spans.trace[self.parent[has_parent]]).all()
        assert (self.role[placed] != Role.UNDECIDED).all()
        assert sorted(self.order.tolist()) == np.flatnonzero(placed).tolist()


@checked
def reconstruct(spans: Spans) -> Forest:
    """The Forest of whole traces."""
    spans = with_linked_parents(spans)
    spans = spans.take(canonical_order(spans))
    notes = Notes()
    role = roles(spans)
    workloads = Workloads(spans)
    duplicate = mark_duplicates(spans, notes)
    family = Family(spans, role, workloads, ~duplicate)
    parent, orphan = link_parents(family, notes)
    split_shared_ids(family, parent, notes)
    settle_undecided(spans, role, parent, workloads)
    # Cycles go before the repairs, which climb from parent to parent.
    break_cycles(spans, parent, notes)
    undo_shared_id_repair(family, parent, notes)
    workloads = behind_sidecars(spans, role, parent, _topmost_of_service(spans, parent), workloads, notes)
    shift = note_skew(spans, role, parent, workloads, notes)
    note_outliving_children(spans, role, parent, notes)
    note_several_roots(spans, parent, duplicate, notes)
    note_no_kinds(spans, duplicate, notes)
    return Forest(spans, role, parent, duplicate, orphan, shift, workloads, notes)


def with_linked_parents(spans: Spans) -> Spans:
    """The spans, where one without a parent that has links into its own trace hangs under the first of them, as in
    Jaeger's v1 JSON, which makes no difference between the two."""
    if not len(spans.link_row):
        return spans
    number = {trace_id: index for index, trace_id in enumerate(spans.trace_ids)}
    linked = np.array([number.get(trace_id, -1) for trace_id in spans.link_trace], np.int64)
    row = spans.link_row
    meant = (linked == spans.trace[row]) & (spans.parent_id[row] == 0) & (spans.link_span != spans.span_id[row])
    if not meant.any():
        return spans
    parent_id = spans.parent_id.copy()
    # Of several links the first one is assigned last.
    parent_id[row[meant][::-1]] = spans.link_span[meant][::-1]
    return replace(spans, parent_id=parent_id)


def canonical_order(spans: Spans) -> Rows:
    """The rows by trace id, start, span id; where these are equal, by everything else that a span says."""
    rank = np.argsort(np.argsort(np.array(spans.trace_ids))) if spans.trace_ids else np.zeros(0, np.int64)
    trace = rank[spans.trace]
    order = np.lexsort((spans.span_id, spans.start_ns, trace))
    for group in equal_runs(order, trace, spans.start_ns, spans.span_id):
        order[group] = sorted(order[group].tolist(), key=lambda row: _content(spans, row))
    return order


def _content(spans: Spans, row: int) -> tuple[Any, ...]:
    texts = spans.texts
    return (
        int(spans.parent_id[row]),
        int(spans.kind[row]),
        texts[int(spans.service[row])],
        texts[int(spans.operation[row])],
        texts[int(spans.tags["cluster"][row])] if "cluster" in spans.tags else "",
        -int(spans.duration_ns[row]),
        bool(spans.error[row]),
        bool(spans.shared[row]),
        *(texts[int(spans.tags[name][row])] if name in spans.tags else "" for name in TAGS),
    )


@raises("duplicate-spans", "{count} {count:span was|spans were} reported twice and {count:counts|count} once")
def mark_duplicates(spans: Spans, notes: Notes) -> Bools:
    """A span was reported twice, word for word.

    Collectors send a batch again after a time-out, a trace stands in two files or in two windows. Duplicates
    are equal in everything that is read of a span, never merely by id: in raw Zipkin several different calls
    share one trace, id, kind and service. The second one is set aside; nothing else changes.
    """
    duplicate = np.zeros(len(spans), np.bool_)
    differing: list[int] = []
    rows = np.arange(len(spans))
    for group in equal_runs(rows, spans.trace, spans.start_ns, spans.span_id):
        seen: dict[tuple[Any, ...], int] = {}
        whole: set[tuple[Any, ...]] = set()
        for row in rows[group].tolist():
            content = _content(spans, row)
            if content in whole:
                duplicate[row] = True
                notes.add("duplicate-spans", 1, [spans.trace_ids[spans.trace[row]]])
            elif content[:5] in seen:
                differing.append(row)
            whole.add(content)
            seen.setdefault(content[:5], row)
    mark_differing_duplicates(spans, differing, duplicate, notes)
    mark_partial_reports(spans, duplicate, notes)
    return duplicate


@raises(
    "differing-duplicates",
    "{count} {count:span was|spans were} reported again with other contents; the longest report counts",
)
def mark_differing_duplicates(spans: Spans, rows: list[int], duplicate: Bools, notes: Notes) -> None:
    """A span was reported twice, and the reports differ.

    Same trace, id, parent, kind, service, operation, cluster and start, but another duration or other tags: a
    span that was flushed before it ended and again afterwards. The longest report stands; the others are set
    aside as duplicates.
    """
    for row in rows:
        duplicate[row] = True
        notes.add("differing-duplicates", 1, [spans.trace_ids[spans.trace[row]]])


@raises(
    "partial-reports",
    "{count} {count:report|reports} of a span without kind and times {count:counts|count} as part of the whole one",
)
def mark_partial_reports(spans: Spans, duplicate: Bools, notes: Notes) -> None:
    """A span was reported in pieces, as Zipkin allows.

    One report of a trace, an id and a service has neither kind nor start nor duration, and there is another one that
    has. The first is set aside, so that no call is counted twice. Its tags are not read. Nothing to repair.
    """
    partial = (spans.kind == Kind.UNSET) & (spans.start_ns == 0) & (spans.duration_ns == 0) & ~duplicate
    if not partial.any():
        return
    columns = (spans.trace.astype(np.int64), spans.span_id.astype(np.int64), spans.service.astype(np.int64))
    whole = set(zip(*(column[spans.start_ns > 0].tolist() for column in columns), strict=True))
    for row in np.flatnonzero(partial).tolist():
        if tuple(int(column[row]) for column in columns) in whole:
            duplicate[row] = True
            notes.add("partial-reports", 1, [spans.trace_ids[spans.trace[row]]])


@raises(
    "missing-parents",
    "{count} {count:span names|spans name} a parent that is not there and {count:stays a root|stay roots}",
)
def link_parents(family: Family, notes: Notes) -> tuple[Rows, Bools]:
    """A span names a parent that is not among the spans read.

    The parent was not reported, was sampled away, lies outside the window that the store reads, or belongs to
    whoever called from outside with a trace of their own. The span stays a root and the call above it is
    unknown; no hop is guessed. `traceviz` can only ask for what the store has: look at the sampling of the
    caller, and whether it reports at all.
    """
    first, count, left = family.named()
    parent = first.copy()
    for row in np.flatnonzero(count > 1).tolist():
        parent[row] = family.members(int(left[row]), int(count[row])).parent_of(row)
    orphan = (count == 0) & (family.spans.parent_id != 0) & family.placed
    trace = family.spans.trace
    notes.add("missing-parents", int(orphan.sum()), example_traces(family.spans, trace[orphan]))
    return parent, orphan


def settle_undecided(spans: Spans, role: Roles, parent: Rows, workloads: Workloads) -> None:
    """A proxy's span without a cluster, like a 404 NR that was rejected before a cluster was chosen.

    It is the caller's half where it is a root or the child of its own workload, else the callee's half. What was
    sent to its own workload is what a sidecar received.
    """
    rows = np.flatnonzero(role == Role.UNDECIDED)
    above = parent[rows]
    own = np.ones(len(rows), np.bool_)
    has_parent = above >= 0
    own[has_parent] = workloads.same(rows[has_parent], above[has_parent])
    for index in np.flatnonzero(own).tolist():
        own[index] = not _sent_to_itself(spans, workloads, int(rows[index]))
    role[rows] = np.where(own, Role.CALLER, Role.CALLEE)


def _sent_to_itself(spans: Spans, workloads: Workloads, row: int) -> bool:
    """Whether a sidecar's span names its own workload as the one that was asked for."""
    workload = workloads.keys[int(workloads.of_row[row])]
    url, operation = (spans.texts[int(column[row])] for column in (spans.tag("url"), spans.operation))
    host = envoy.read_host(envoy.url_host(url or operation)).name
    return workload.proxy == "sidecar" and host in (workload.own_name, workload.base, workload.service)


@raises("cycles", "{count} {count:circle|circles} of parents {count:was|were} cut; the earliest span of each is a root")
def break_cycles(spans: Spans, parent: Rows, notes: Notes) -> None:
    """Spans that are their own ancestors, or their own parent.

    A tracer that mixes up ids, or a span id that equals the trace id and was used twice. The circle is cut above
    its earliest span, which becomes a root, so that no span is lost.
    """
    _, resolved = depths(parent)
    done = resolved.copy()
    for row in np.flatnonzero(~resolved).tolist():
        path, at = [], row
        on_path: set[int] = set()
        while not done[at] and at not in on_path:
            on_path.add(at)
            path.append(at)
            at = int(parent[at])
        if not done[at]:
            circle = path[path.index(at) :]
            parent[min(circle)] = -1
            notes.add("cycles", 1, example_traces(spans, spans.trace[circle[:1]]))
        done[path] = True


@raises(
    "clock-skew",
    "{count} {count:call lies|calls lie} outside the caller's time; moved for drawing, never inside a latency",
)
def note_skew(spans: Spans, role: Roles, parent: Rows, workloads: Workloads, notes: Notes) -> Ints:
    """A callee's half starts before its caller's, or ends after it, though it would fit inside.

    The clocks of two hosts differ. For drawing and order the callee and all that it did are moved to the middle
    of the caller's time. Latencies are never touched: each was measured by one clock. Look at NTP on the nodes
    of the two pods. A callee that outlives a caller who gave up is no matter of clocks and is left alone; so is what
    was taken from a queue after it had been put there.
    """
    shift = np.zeros(len(spans), np.int64)
    rows = np.flatnonzero((parent >= 0) & ~on_callers_side(role))
    rows = rows[~workloads.same(rows, parent[rows])]
    above = parent[rows]
    early = spans.start_ns[above] - spans.start_ns[rows]
    late = spans.end_ns[rows] - spans.end_ns[above]
    slack = spans.duration_ns[above] - spans.duration_ns[rows]
    queued = (role[rows] == Role.CONSUMER) | (role[above] == Role.PRODUCER)
    late[queued], slack[queued] = 0, 0
    skewed = (np.maximum(early, late) > SKEW_NS) & (slack >= 0)
    rows, slack, early = rows[skewed], slack[skewed], early[skewed]
    if len(rows):
        own = np.zeros(len(spans), np.int64)
        own[rows] = early + slack // 2
        shift = _inherited(own, parent)
        notes.add("clock-skew", len(rows), example_traces(spans, spans.trace[rows]))
    return shift


@raises("outliving-children", "{count} {count:span ends|spans end} after the span above")
def note_outliving_children(spans: Spans, role: Roles, parent: Rows, notes: Notes) -> None:
    """A child ends after its parent, or is longer than it.

    Work that goes on after the answer was sent, a caller that gave up before its callee had finished, or clocks
    that differ. Times are kept as they were reported; time after the parent's end counts for nobody above.
    """
    rows = np.flatnonzero((parent >= 0) & (role != Role.CONSUMER))
    late = rows[spans.end_ns[rows] > spans.end_ns[parent[rows]] + SKEW_NS]
    notes.add("outliving-children", len(late), example_traces(spans, spans.trace[late]))


@raises("several-roots", "{count} {count:trace has|traces have} more than one root")
def note_several_roots(spans: Spans, parent: Rows, duplicate: Bools, notes: Notes) -> None:
    """A trace has several spans without a parent.

    Parents are missing, or a program started the same trace twice. The earliest root that misses no parent is
    the entry; the others are drawn beside it.
    """
    rooted = np.bincount(spans.trace[(parent < 0) & ~duplicate], minlength=len(spans.trace_ids))
    several = np.flatnonzero(rooted > 1)
    notes.add("several-roots", len(several), example_traces(spans, several))


@raises(
    "no-span-kind",
    "{count} {count:trace has|traces have} no span kinds; calls show where the service changes, and databases, queues "
    "and outside hosts not at all",
)
def note_no_kinds(spans: Spans, duplicate: Bools, notes: Notes) -> None:
    """No span of a trace says what it is: client, server, producer or consumer.

    Usual for instrumentation made by hand (OpenTracing without the tag `span.kind`). A call is then known only by its
    callee's span under another service's, so that the caller's time is not, and what has no spans of its own cannot be
    seen: a database looks like work of its caller. Set `span.kind` where the program calls and is called.
    """
    said = np.bincount(spans.trace, from_proxy(spans) | (spans.kind != Kind.UNSET), minlength=len(spans.trace_ids))
    several = np.bincount(spans.trace[~duplicate], minlength=len(spans.trace_ids)) > 1
    silent = np.flatnonzero((said == 0) & several)
    notes.add("no-span-kind", len(silent), example_traces(spans, silent))


def _topmost_of_service(spans: Spans, parent: Rows) -> Rows:
    """For every row the topmost ancestor that is reached over spans of its service only."""
    rows = np.arange(len(parent))
    own = (parent >= 0) & (spans.service == spans.service[parent])
    return climb(np.where(own, parent, rows))


def depths(parent: Rows) -> tuple[Rows, Bools]:
    """Number of ancestors of every row, and whether the row reaches a root at all.

    By doubling: every round knows ancestors twice as far up, so a chain of 100,000 takes 17 rounds.
    """
    ancestor = parent.copy()
    depth = (parent >= 0).astype(np.int64)
    for _ in range(max(1, len(parent)).bit_length() + 1):
        climbing = np.flatnonzero(ancestor >= 0)
        if not len(climbing):
            break
        target = ancestor[climbing]
        depth[climbing] += depth[target]
        ancestor[climbing] = ancestor[target]
    return depth, ancestor < 0


def climb(step: Rows) -> Rows:
    """Follow `step` until it stays where it is."""
    while True:
        further = step[step]
        if (further == step).all():
            return step
        step = further


def _inherited(own: Ints, parent: Rows) -> Ints:
    """Sum of `own` over a row and all its ancestors."""
    total, ancestor = own.copy(), parent.copy()
    while True:
        climbing = np.flatnonzero(ancestor >= 0)
        if not len(climbing):
            return total
        target = ancestor[climbing]
        total[climbing] += total[target]
        ancestor[climbing] = ancestor[target]
