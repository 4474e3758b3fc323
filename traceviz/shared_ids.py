"""Several spans with one id: told apart, and Jaeger's own attempt at it undone.

Zipkin lets both halves of a call have one id, and proxies that spawn upstream spans add to it. Only rows whose id is
shared are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from traceviz.nearest import Nearest
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
        self._members: dict[int, SharedId] = {}
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

    def members(self, left: int, count: int) -> SharedId:
        """The candidates that `named` counted."""
        known = self._members.get(left)
        if known is None:
            known = self._members[left] = SharedId(self, self._rows[left : left + count].tolist())
        return known

    def shared(self) -> list[list[int]]:
        """Groups of rows with one id in one trace."""
        runs = equal_runs(np.arange(len(self._keys)), self._keys)
        return [[int(row) for row in self._rows[run]] for run in runs]

    @cached_property
    def out(self) -> list[bool]:
        """Whether a row is on the caller's side."""
        return [bool(out) for out in on_callers_side(self.role)]

    @cached_property
    def start(self) -> list[int]:
        """When every row starts, in ns."""
        return [int(start) for start in self.spans.start_ns]

    @cached_property
    def _end(self) -> list[int]:
        return [int(end) for end in self.end_ns]

    @cached_property
    def workload(self) -> list[int]:
        """The key of every row's workload, as an index."""
        return [int(key) for key in self.workloads.of_row]

    def nearest(self, rows: Iterable[int]) -> Nearest:
        """Rows that are to be asked for the one around a moment."""
        return Nearest(rows, self.start, self._end)


class ByWorkload:
    """Rows among which those of one workload are asked for the one around a moment."""

    def __init__(self, family: Family, rows: Iterable[int]) -> None:
        self._family = family
        self._rows: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            self._rows[family.workload[row]].append(row)
        self._known: dict[int, Nearest] = {}

    def of(self, row: int) -> Nearest:
        """Those of the workload that a row is of."""
        key = self._family.workload[row]
        if key not in self._known:
            kin = self._family.workloads.kin(key) if len(self._rows) else []
            self._known[key] = self._family.nearest(one for other in kin for one in self._rows.get(other, ()))
        return self._known[key]


class SharedId:
    """Several spans of one id, among which others look for their parent."""

    def __init__(self, family: Family, rows: list[int]) -> None:
        self._family, self._rows = family, rows

    def parent_of(self, row: int) -> int:
        """Which one is meant: what follows from the roles, then time; the row itself if there is no other."""
        family, role = self._family, self._family.role
        if role[row] == Role.ATTEMPT:
            choices = [self._by_cluster.get(int(family.cluster[row]), self._callers), self._callers]
        elif role[row] == Role.CALLEE:
            choices = [self._calling]
        else:
            # What a workload does hangs under its own half, not under the half of the one who called it.
            choices = [self._answering.of(row), self._receiving]
        found = (choice.at(family.start[row], but=row) for choice in (*choices, self._all))
        return next((one for one in found if one >= 0), row)

    @cached_property
    def _by_cluster(self) -> dict[int, Nearest]:
        rows: dict[int, list[int]] = defaultdict(list)
        for row in self._callers.rows:
            rows[int(self._family.cluster[row])].append(row)
        return {cluster: self._family.nearest(some) for cluster, some in rows.items()}

    @cached_property
    def _callers(self) -> Nearest:
        return self._of_roles(Role.CALLER)

    @cached_property
    def _receiving(self) -> Nearest:
        return self._of_roles(Role.SERVER, Role.CALLEE, Role.INSIDE)

    @cached_property
    def _calling(self) -> Nearest:
        return self._family.nearest(row for row in self._rows if self._family.out[row])

    @cached_property
    def _answering(self) -> ByWorkload:
        return ByWorkload(self._family, (row for row in self._rows if not self._family.out[row]))

    @cached_property
    def _all(self) -> Nearest:
        return self._family.nearest(self._rows)

    def _of_roles(self, *roles: Role) -> Nearest:
        return self._family.nearest(row for row in self._rows if self._family.role[row] in roles)


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
        around = family.nearest(owners)
        for row in sharers:
            parent[row] = around.at(family.start[row])


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
    below: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(np.isin(family.spans.trace, family.spans.trace[sorted(hosts)])).tolist():
        below[int(parent[row])].append(row)
    halves: dict[int, ByWorkload] = {}
    for host in sorted(hosts):
        if role[host] != Role.CALLEE:
            continue
        above = int(parent[host])
        if above not in halves:
            halves[above] = ByWorkload(family, (row for row in below[above] if role[row] == Role.CALLEE))
        around = halves[above].of(host)
        for child in below.pop(host, []):
            half = around.at(family.start[child])
            parent[child] = half
            below[half].append(child)
            halves.pop(half, None)


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
    known = {place: ByWorkload(family, rows) for place, rows in callers.items()}
    for row in astray:
        which = int(cluster[row])
        places = [(head, which) for head in {int(parent[row]), int(parent[parent[row]])} - {-1}]
        found = [known[place].of(row).at(family.start[row]) for place in places if place in known]
        around = family.nearest(one for one in found if one >= 0).at(family.start[row])
        if around >= 0:
            parent[row] = around


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
