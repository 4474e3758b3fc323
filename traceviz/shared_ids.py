"""Several spans with one id: told apart, and Jaeger's own attempt at it undone.

Zipkin lets both halves of a call have one id, and proxies that spawn upstream spans add to it. Only rows whose id is
shared are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from traceviz.notes import Notes, raises
from traceviz.roles import Role, Roles, on_callers_side
from traceviz.spans import Bools, Kind, Rows, Spans
from traceviz.workloads import Workloads


class Family:
    """Rows by (trace, span id), and the choice among several rows of one id."""

    def __init__(self, spans: Spans, role: Roles, workloads: Workloads, placed: Bools) -> None:
        self.spans, self.role, self.workloads, self.placed = spans, role, workloads, placed
        ids, codes = np.unique(np.concatenate((spans.span_id, spans.parent_id)), return_inverse=True)
        own, named = codes[: len(spans)], codes[len(spans) :]
        trace = spans.trace.astype(np.int64) * len(ids)
        self._own, self._named = trace + own, trace + named
        self._rows = np.flatnonzero(placed & (spans.span_id != 0))
        self._rows = self._rows[np.argsort(self._own[self._rows], kind="stable")]
        self._keys = self._own[self._rows]
        self.end_ns = spans.end_ns
        self.cluster = spans.tag("cluster")

    def named(self) -> tuple[Rows, Rows, Rows]:
        """For every row: the first candidate for its parent (-1: none), how many there are, and where they
        start in `members`."""
        left = np.searchsorted(self._keys, self._named, "left")
        count = np.searchsorted(self._keys, self._named, "right") - left
        count[(self.spans.parent_id == 0) | ~self.placed] = 0
        first = np.full(len(self.spans), -1, np.int64)
        found = count > 0
        first[found] = self._rows[left[found]]
        return first, count, left

    def members(self, left: int, count: int) -> list[int]:
        """The candidates that `named` counted."""
        return [int(row) for row in self._rows[left : left + count]]

    def shared(self) -> list[list[int]]:
        """Groups of rows with one id in one trace."""
        runs = equal_runs(np.arange(len(self._keys)), self._keys)
        return [[int(row) for row in self._rows[run]] for run in runs]

    @cached_property
    def out(self) -> list[bool]:
        """Whether a row is on the caller's side."""
        return [bool(out) for out in on_callers_side(self.role)]

    @cached_property
    def _times(self) -> tuple[list[int], list[int]]:
        return self.spans.start_ns.tolist(), self.end_ns.tolist()

    @cached_property
    def _workload(self) -> list[int]:
        return [int(key) for key in self.workloads.of_row]

    def same(self, row: int, other: int) -> bool:
        """Whether two rows belong to one workload."""
        return self.workloads.same_keys(self._workload[row], self._workload[other])

    def best(self, row: int, candidates: list[int]) -> int:
        """The candidate in whose time `row` starts; of several the one that started last, of none the nearest."""
        if len(candidates) == 1:
            return candidates[0]
        start, end = self._times
        when = start[row]

        def closeness(candidate: int) -> tuple[bool, int, int]:
            holds = start[candidate] <= when <= end[candidate]
            return (not holds, abs(when - start[candidate]), candidate)

        return min(candidates, key=closeness)


def parent_of_shared_id(family: Family, row: int, candidates: list[int]) -> int:
    """Which of several spans with the parent's id is meant: what follows from the roles, then time."""
    role, cluster = family.role, family.cluster

    def prefer(chosen: list[int]) -> list[int]:
        return chosen or candidates

    if role[row] == Role.ATTEMPT:
        callers = [c for c in candidates if role[c] == Role.CALLER]
        candidates = prefer([c for c in callers if cluster[c] == cluster[row]] or callers)
    elif role[row] == Role.CALLEE:
        candidates = prefer([c for c in candidates if family.out[c]])
    else:
        # What a workload does hangs under its own half, not under the half of the one who called it.
        own = [c for c in candidates if not family.out[c] and family.same(row, c)]
        candidates = prefer(own or [c for c in candidates if role[c] in (Role.SERVER, Role.CALLEE, Role.INSIDE)])
    return family.best(row, candidates)


@raises(
    "shared-span-ids", "{count} span {count:id is|ids are} shared by both halves of a call, as Zipkin does; told apart"
)
def split_shared_ids(family: Family, parent: Rows, notes: Notes) -> None:
    """Both halves of a call have one span id.

    Zipkin's way: the callee goes on under the id that its caller sent. The halves are told apart by kind, and
    the callee's half hangs under its caller's. Several callee halves of one id are attempts of one call; where a
    proxy spawns upstream spans, several different calls of a program share the id of the span that they hang
    under. Nothing to repair on your side.
    """
    spans = family.spans
    owning = (((spans.kind == Kind.CLIENT) | (spans.kind == Kind.PRODUCER)) & ~spans.shared).tolist()
    sharing = ((spans.kind != Kind.UNSET) | spans.shared).tolist()
    for group in family.shared():
        owners = [row for row in group if owning[row]]
        sharers = [row for row in group if sharing[row] and not owning[row]]
        if not owners or not sharers:
            continue
        notes.add("shared-span-ids", 1, example_traces(spans, spans.trace[group[:1]]))
        for row in sharers:
            parent[row] = family.best(row, owners)


@raises(
    "shared-id-repair-undone",
    "{count} {count:span|spans} hung under a sibling after Jaeger's repair of shared ids; put back",
)
def undo_shared_id_repair(family: Family, parent: Rows, notes: Notes) -> None:
    """Jaeger's repair of shared ids hung spans under a sibling.

    Jaeger gives every server half that shares its client's id a new id, and hangs all children of the shared id
    under the last server that it met. Where a call was retried, or where a proxy spawns upstream spans, that puts
    calls under a sibling call. Undone: a caller half under a caller half of its own workload, and a callee half
    under a callee half of its own, belong one level up; an attempt goes to the caller half with its cluster and
    its time; what a callee did goes to the half in whose time it started. Nothing to repair on your side.
    """
    role, spans = family.role, family.spans
    before = parent.copy()
    raised = _raise_siblings(family, parent)
    if len(raised):
        _share_out(family, parent, set(before[raised].tolist()))
    _return_attempts(family, parent, set(before[raised].tolist()))
    moved = np.flatnonzero((parent != before) & (role != Role.UNDECIDED))
    notes.add("shared-id-repair-undone", len(moved), example_traces(spans, spans.trace[moved]))


def _raise_siblings(family: Family, parent: Rows) -> Rows:
    """Lift caller halves out of caller halves and callee halves out of callee halves of the same workload."""
    role, raised = family.role, np.zeros(len(parent), np.bool_)
    rows = np.flatnonzero((parent >= 0) & ((role == Role.CALLER) | (role == Role.CALLEE)))
    while len(rows):
        above = parent[rows]
        rows = rows[(above >= 0) & (role[above] == role[rows])]
        rows = rows[family.workloads.same(rows, parent[rows])]
        # Before a sidecar may stand its waypoint, which hangs above it by right.
        rows = rows[~family.workloads.mask("waypoint")[parent[rows]]]
        # A root has no level above: its children of the same role stay where they are.
        rows = rows[parent[parent[rows]] >= 0]
        raised[rows] = True
        parent[rows] = parent[parent[rows]]
    return np.flatnonzero(raised)


def _share_out(family: Family, parent: Rows, hosts: set[int]) -> None:
    """Give each child of a callee half, out of which others were lifted, to the half in whose time it started."""
    role = family.role
    for host in sorted(hosts):
        if role[host] != Role.CALLEE:
            continue
        halves = [
            int(row)
            for row in np.flatnonzero((parent == parent[host]) & (role == Role.CALLEE))
            if family.same(int(row), host)
        ]
        for child in np.flatnonzero(parent == host).tolist():
            parent[child] = family.best(child, halves)


def _return_attempts(family: Family, parent: Rows, hosts: set[int]) -> None:
    """Give attempts to the caller half with their cluster and their time."""
    role, spans = family.role, family.spans
    cluster, start = spans.tag("cluster"), spans.start_ns
    rows = np.flatnonzero((role == Role.ATTEMPT) & (parent >= 0))
    above = parent[rows]
    at_home = (role[above] == Role.CALLER) & (cluster[above] == cluster[rows])
    at_home &= (start[above] <= start[rows]) & (start[rows] <= family.end_ns[above])
    at_home &= ~np.isin(above, np.fromiter(hosts, np.int64, len(hosts)))
    astray = rows[~at_home].tolist()
    if not astray:
        return
    callers: dict[tuple[int, int], list[int]] = defaultdict(list)
    for caller in np.flatnonzero(role == Role.CALLER).tolist():
        callers[int(parent[caller]), int(cluster[caller])].append(caller)
    for row in astray:
        host = int(parent[row])
        family_heads = {host, int(parent[host])} - {-1}
        candidates = [
            caller
            for head in sorted(family_heads)
            for caller in callers[head, int(cluster[row])]
            if caller != row and family.same(caller, row)
        ]
        if candidates:
            parent[row] = family.best(row, candidates)


def equal_runs(order: Rows, *columns: npt.NDArray[Any]) -> list[slice]:
    """Runs of two and more rows in `order` that agree in all columns."""
    if len(order) < 2:
        return []
    equal = np.ones(len(order) - 1, np.bool_)
    for column in columns:
        ordered = column[order]
        equal &= ordered[1:] == ordered[:-1]
    edges = np.diff(np.concatenate(([0], equal.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [slice(start, end + 1) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def example_traces(spans: Spans, traces: npt.NDArray[Any]) -> list[str]:
    """The five smallest ids among traces (rows are sorted by trace id, so are the indices)."""
    return [spans.trace_ids[i] for i in np.unique(traces)[:5]]
