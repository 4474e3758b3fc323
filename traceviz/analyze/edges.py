"""Hops ▸ what is counted of every edge and of every workload. Sums and sketches only, so that it can be merged."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from traceviz import envoy
from traceviz.agents import agent
from traceviz.analyze.clustering import Clustering, clusterings, log_durations
from traceviz.analyze.entries import Entries
from traceviz.analyze.groups import Sides
from traceviz.analyze.sketch import Sketch
from traceviz.hops import Hops
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Bools, Ints, Rows
from traceviz.torn import joined_hops

EXAMPLES = 5


class EdgeKey(NamedTuple):
    """Who called whom, and whether anybody waited."""

    caller: Party
    callee: Party
    asynchronous: bool


@dataclass(slots=True)
class EdgeCounts:
    """Everything that is counted of one edge; durations in ns.

    What stands last is for comparisons, and counted of edges alone, not of contexts: the times of calls that failed,
    which are among the others, and how errors, and the times of calls that went well, come in traces.
    """

    calls: int = 0
    errors: int = 0
    attempts: int = 0
    failed_attempts: int = 0
    joined: int = 0
    with_caller: int = 0
    with_callee: int = 0
    client: Sketch = field(default_factory=Sketch)
    server: Sketch = field(default_factory=Sketch)
    gap: Sketch = field(default_factory=Sketch)
    statuses: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    protocols: Counter[str] = field(default_factory=Counter)
    failed_examples: list[str] = field(default_factory=list)
    slowest: list[tuple[int, str]] = field(default_factory=list)
    failed_client: Sketch = field(default_factory=Sketch)
    failed_server: Sketch = field(default_factory=Sketch)
    errors_by_trace: Clustering = field(default_factory=Clustering)
    times_by_trace: Clustering = field(default_factory=Clustering)

    def merge(self, other: EdgeCounts) -> None:
        """Add what `other` counted."""
        for name in ("calls", "errors", "attempts", "failed_attempts", "joined", "with_caller", "with_callee"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for sums in ("client", "server", "gap", "failed_client", "failed_server", "errors_by_trace", "times_by_trace"):
            getattr(self, sums).merge(getattr(other, sums))
        for counter in ("statuses", "flags", "protocols"):
            getattr(self, counter).update(getattr(other, counter))
        self.failed_examples = sorted({*self.failed_examples, *other.failed_examples})[:EXAMPLES]
        self.slowest = slowest([*self.slowest, *other.slowest])


@dataclass(slots=True)
class WorkloadCounts:
    """What is counted of one workload: what its own halves received, from which users, and its self time in ns."""

    spans: int = 0
    received: int = 0
    failed: int = 0
    entered: int = 0
    entered_by: Counter[str] = field(default_factory=Counter)
    own_time: Sketch = field(default_factory=Sketch)
    versions: set[str] = field(default_factory=set)

    def merge(self, other: WorkloadCounts) -> None:
        """Add what `other` counted."""
        for name in ("spans", "received", "failed", "entered"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.entered_by.update(other.entered_by)
        self.own_time.merge(other.own_time)
        self.versions |= other.versions


def count_edges(hops: Hops) -> dict[EdgeKey, EdgeCounts]:
    """The counts of every edge. Hops without a caller are entries and make no edge."""
    chosen = np.flatnonzero(hops.caller >= 0)
    size = len(hops.parties)
    code = (hops.caller[chosen] * size + hops.callee[chosen]) * 2 + hops.asynchronous[chosen]
    codes, edge = np.unique(code, return_inverse=True)
    keys = [EdgeKey(hops.parties[c // 2 // size], hops.parties[c // 2 % size], bool(c % 2)) for c in codes.tolist()]
    counts = [EdgeCounts() for _ in keys]
    add_calls(hops, chosen, edge, counts)
    _add_what_is_compared(hops, chosen, edge, counts)
    return dict(zip(keys, counts, strict=True))


def _add_what_is_compared(hops: Hops, chosen: Rows, edge: Rows, counts: Sequence[EdgeCounts]) -> None:
    failed = hops.failed[chosen]
    for name, values in (("failed_client", hops.client_ns), ("failed_server", hops.server_ns)):
        for number, failed_ns in groups(edge[failed], values[chosen][failed]):
            setattr(counts[number], name, Sketch(failed_ns[failed_ns >= 0]))
    trace = hops.forest.spans.trace[hops.row[chosen]].astype(np.int64)
    duration = _duration(hops)[chosen]
    well = (duration >= 0) & ~failed
    errors = clusterings(edge, trace, failed.astype(np.int64), len(counts))
    times = clusterings(edge[well], trace[well], log_durations(duration[well]), len(counts))
    for one, of_errors, of_times in zip(counts, errors, times, strict=True):
        one.errors_by_trace, one.times_by_trace = of_errors, of_times


def _duration(hops: Hops) -> Ints:
    """How long each call took, as its caller saw it, else as its callee did."""
    duration: Ints = np.where(hops.client_ns >= 0, hops.client_ns, hops.server_ns)
    return duration


def add_calls(hops: Hops, chosen: Rows, group: Rows, counts: Sequence[EdgeCounts]) -> None:
    """Count the chosen hops: each in the counts of its group, which are empty."""
    _add_sums(hops, chosen, group, counts)
    for name, values in (("client", hops.client_ns), ("server", hops.server_ns), ("gap", hops.gap_ns)):
        for number, times in groups(group, values[chosen]):
            setattr(counts[number], name, Sketch(times[times >= 0]))
    labels = {"statuses": status_labels(hops), "flags": flag_labels(hops), "protocols": protocol_labels(hops)}
    for name, (texts, text) in labels.items():
        _add_texts(group, texts, text[chosen], counts, name)
    _add_examples(hops.forest, hops.row[chosen], _duration(hops)[chosen], hops.failed[chosen], group, counts)


def add_spans(hops: Hops, rows: Rows, group: Rows, counts: Sequence[EdgeCounts]) -> None:
    """Count these spans of the forest, with which something began, as calls that only their callee saw; each in the
    counts of its group, which are empty."""
    spans, outcomes = hops.forest.spans, hops.outcomes
    failed = outcomes.failed[rows]
    numbers = np.bincount(group, minlength=len(counts)).tolist()
    errors = np.bincount(group, failed, minlength=len(counts)).astype(np.int64).tolist()
    for count, number, wrong in zip(counts, numbers, errors, strict=True):
        count.calls = count.attempts = count.with_callee = number
        count.errors = count.failed_attempts = wrong
    for number, times in groups(group, spans.duration_ns[rows]):
        counts[number].server = Sketch(times)
    _add_texts(group, _STATUSES, _statuses(hops)[rows], counts, "statuses")
    flags = envoy.table(spans.tag("flags"), spans.texts, lambda text: bool(envoy.read_flags(text)), np.bool_)
    flagged = np.where(flags[spans.tag("flags")[rows]], spans.tag("flags")[rows], 0).astype(np.int64)
    _add_texts(group, spans.texts.values, flagged, counts, "flags")
    _add_texts(group, _PROTOCOLS, _protocols(hops, rows), counts, "protocols")
    _add_examples(hops.forest, rows, spans.duration_ns[rows], failed, group, counts)


def _add_sums(hops: Hops, chosen: Rows, edge: Rows, counts: Sequence[EdgeCounts]) -> None:
    columns: dict[str, npt.NDArray[Any]] = {
        "calls": np.ones(len(chosen), np.int64),
        "errors": hops.failed[chosen],
        "attempts": hops.attempts[chosen],
        "failed_attempts": hops.failed_attempts[chosen],
        "joined": joined_hops(hops)[chosen],
        "with_caller": hops.caller_row[chosen] >= 0,
        "with_callee": hops.callee_row[chosen] >= 0,
    }
    for name, column in columns.items():
        for number, value in enumerate(np.bincount(edge, column, minlength=len(counts)).tolist()):
            setattr(counts[number], name, int(value))


def groups(group: Rows, values: Ints) -> list[tuple[int, Ints]]:
    """The values of every group that has one."""
    order = np.argsort(group, kind="stable")
    numbers, starts = np.unique(group[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(values[order], starts[1:]), strict=True)) if len(numbers) else []


def _add_texts(edge: Rows, texts: list[str], codes: Ints, counts: Sequence[EdgeCounts], name: str) -> None:
    """Count texts per edge; flags hold several texts, joined by commas. Code 0 is no text."""
    size = len(texts)
    pairs, numbers = np.unique(edge * size + codes, return_counts=True)
    for pair, number in zip(pairs.tolist(), numbers.tolist(), strict=True):
        if pair % size:
            counter: Counter[str] = getattr(counts[pair // size], name)
            for text in texts[pair % size].split(","):
                counter[text] += number


def _add_examples(
    forest: Forest, rows: Rows, duration: Ints, failed: Bools, group: Rows, counts: Sequence[EdgeCounts]
) -> None:
    trace_ids, trace = forest.spans.trace_ids, forest.spans.trace[rows]
    for number, traces in groups(group[failed], trace[failed].astype(np.int64)):
        counts[number].failed_examples = [trace_ids[i] for i in np.unique(traces)[:EXAMPLES]]
    for number, positions in groups(group, np.arange(len(rows))):
        times = duration[positions]
        if len(times) > 4 * EXAMPLES:
            floor = np.partition(times, len(times) - EXAMPLES)[len(times) - EXAMPLES]
            positions = positions[times >= floor]
        counts[number].slowest = slowest([(int(duration[i]), trace_ids[trace[i]]) for i in positions.tolist()])


def slowest(calls: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The slowest call of each trace, five of them: longest first, then by trace id."""
    longest: dict[str, int] = {}
    for duration, trace_id in calls:
        longest[trace_id] = max(duration, longest.get(trace_id, -1))
    best = heapq.nsmallest(EXAMPLES, ((-duration, trace_id) for trace_id, duration in longest.items()))
    return [(-duration, trace_id) for duration, trace_id in best]


def status_labels(hops: Hops) -> tuple[list[str], Ints]:
    """What was answered, as text and code per hop: HTTP's status, or "grpc N". The caller's half goes first."""
    both = _statuses(hops)
    head, half = hops.caller_row, hops.callee_row
    codes = np.where(head >= 0, both[head], 0)
    codes = np.where((codes == 0) & (half >= 0), both[half], codes)
    return _STATUSES, codes


#: What can be answered, by code: 0 is nothing known.
_STATUSES = ["", *(str(status) for status in range(1000)), *(f"grpc {number}" for number in range(100))]


def _statuses(hops: Hops) -> Ints:
    """What was answered, per row of the forest."""
    outcomes = hops.outcomes
    answered: Ints = np.where(outcomes.grpc >= 0, 1000 + outcomes.grpc, outcomes.status) + 1
    return answered


def flag_labels(hops: Hops) -> tuple[list[str], Ints]:
    """The union of both halves' flags, as comma-joined text and code per hop."""
    flags, texts = hops.forest.spans.tag("flags"), hops.forest.spans.texts
    meaning = envoy.table(flags, texts, lambda text: bool(envoy.read_flags(text)), np.bool_)
    head = np.where((hops.caller_row >= 0) & meaning[flags[hops.caller_row]], flags[hops.caller_row], 0)
    half = np.where((hops.callee_row >= 0) & meaning[flags[hops.callee_row]], flags[hops.callee_row], 0)
    pairs, inverse = np.unique(head.astype(np.int64) * len(texts) + half, return_inverse=True)
    labels = [""]
    codes = np.zeros(len(pairs), np.int64)
    for i, pair in enumerate(pairs.tolist()):
        if pair:
            union = envoy.read_flags(texts[pair // len(texts)]) | envoy.read_flags(texts[pair % len(texts)])
            codes[i] = len(labels)
            labels.append(",".join(sorted(union)))
    return labels, codes[inverse]


def protocol_labels(hops: Hops) -> tuple[list[str], Ints]:
    """The protocol of every hop, as text and code; code 0 where it is not known."""
    return _PROTOCOLS, _protocols(hops, hops.row)


_PROTOCOLS = ["", "http", "grpc", "messaging", "db"]


def _protocols(hops: Hops, row: Rows) -> Ints:
    spans, role = hops.forest.spans, hops.forest.role[row]
    rpc = envoy.look_up(spans.tag("rpc"), spans.texts, lambda text: text.lower() == "grpc", np.bool_)
    web = (hops.outcomes.status >= 0) | (spans.tag("url") != 0) | (spans.tag("method") != 0)
    codes = np.where(web[row], 1, 0)
    codes[(hops.outcomes.grpc[row] >= 0) | rpc[row]] = 2
    codes[(spans.tag("queue_system")[row] != 0) | (role == Role.PRODUCER) | (role == Role.CONSUMER)] = 3
    codes[(spans.tag("db_system")[row] != 0) | (spans.tag("db_name")[row] != 0)] = 4
    return codes


def count_workloads(sides: Sides, entries: Entries) -> dict[Party, WorkloadCounts]:
    """The counts of every workload that reported spans."""
    hops, of_row = sides
    forest = hops.forest
    spans = forest.spans
    reporting, own_number = np.unique(of_row, return_inverse=True)
    counts = [WorkloadCounts() for _ in reporting]
    halves = np.flatnonzero(hops.half_hop >= 0)
    # A gateway's listener is its own half of the user's request.
    own = np.concatenate((halves, np.unique(hops.caller_row[entries.listener])))
    size = len(counts)
    columns = {
        "spans": np.bincount(own_number[~forest.duplicate], minlength=size),
        "received": np.bincount(own_number[own], minlength=size),
        "failed": np.bincount(own_number[own], hops.outcomes.failed[own], minlength=size),
        "entered": np.bincount(own_number[entries.entered], minlength=size),
    }
    for name, values in columns.items():
        for number, value in enumerate(values.tolist()):
            setattr(counts[number], name, int(value))
    agents = envoy.look_up(spans.tag("user_agent"), spans.texts, lambda text: spans.texts.code(agent(text)), np.int64)
    for number, group in groups(own_number[entries.entered], agents[entries.entered]):
        counts[number].entered_by.update(spans.texts[code] for code in group.tolist() if code)
    for number, times in groups(own_number[halves], own_times(hops)[halves]):
        counts[number].own_time = Sketch(times)
    pairs = np.unique(own_number * len(spans.texts) + spans.tag("version"))
    for number, version in zip((pairs // len(spans.texts)).tolist(), (pairs % len(spans.texts)).tolist(), strict=True):
        if version:
            counts[number].versions.add(spans.texts[version])
    return {hops.parties[party]: count for party, count in zip(reporting.tolist(), counts, strict=True)}


def own_times(hops: Hops) -> Ints:
    """Self time of every callee half: its duration minus the time in which a call that it made was under way."""
    own: Ints = np.maximum(hops.forest.spans.duration_ns - busy_times(hops), 0)
    return own


def busy_times(hops: Hops) -> Ints:
    """For every row of the forest how long a call that was made under it, as a callee half, was under way."""
    spans = hops.forest.spans
    # Of a call that only its callee saw, the callee's time counts, by the caller's clock.
    made = np.flatnonzero((hops.entry_row >= 0) & hops.waited_for)
    parent, child = hops.entry_row[made], hops.row[made]
    shift = hops.forest.shift_ns[child] - hops.forest.shift_ns[parent]
    start = np.maximum(spans.start_ns[child] + shift, spans.start_ns[parent])
    end = np.minimum(spans.end_ns[child] + shift, spans.end_ns[parent])
    busy = np.zeros(len(spans), np.int64)
    rows, covered = union_lengths(parent, start, end)
    busy[rows] = covered
    return busy


def union_lengths(group: Rows, start: Ints, end: Ints) -> tuple[Rows, Ints]:
    """Per group the length of the union of its intervals [start, end): the groups, and their lengths."""
    kept = end > start
    group, start, end = group[kept], start[kept], end[kept]
    order = np.lexsort((start, group))
    group, start, end = group[order], start[order], end[order]
    groups, first = np.unique(group, return_index=True)
    if not len(groups):
        return groups, np.zeros(0, np.int64)
    # Ranks keep one running maximum from crossing into the next group, whatever the size of the times.
    ranked = np.argsort(np.argsort(end, kind="stable"), kind="stable")
    number = np.searchsorted(groups, group)
    reach = np.maximum.accumulate(number * len(end) + ranked) - number * len(end)
    latest = np.sort(end, kind="stable")[reach]
    before = np.concatenate(([0], latest[:-1]))
    before[first] = start[first]
    covered = np.maximum(latest - np.maximum(start, before), 0)
    return groups, np.add.reduceat(covered, first)


def count_hosts(hops: Hops) -> dict[Party, Counter[Party]]:
    """Which workload answered under which host of the mesh, and which stood behind a sidecar of another name;
    and which queue its producer called otherwise than its consumer."""
    forest = hops.forest
    spans = forest.spans
    both = np.flatnonzero((hops.caller_row >= 0) & (hops.callee_row >= 0))
    cluster = spans.tag("cluster")[hops.caller_row[both]]
    size = len(spans.texts)
    pairs, numbers = np.unique(hops.callee[both] * size + cluster, return_counts=True)
    hosts: dict[Party, Counter[Party]] = defaultdict(Counter)
    for pair, number in zip(pairs.tolist(), numbers.tolist(), strict=True):
        host = envoy.read_host(envoy.read_cluster(spans.texts[pair % size]).host)
        if host.namespace:
            hosts[Party("host", host.name, namespace=host.namespace)][hops.parties[pair // size]] += number
    for (program, sidecar), number in forest.workloads.stood_behind.items():
        keys = forest.workloads.keys
        hosts[Party("workload", *keys[program])][Party("workload", *keys[sidecar])] += number
    for (consumed, produced), number in hops.queues_as_produced().items():
        hosts[hops.parties[consumed]][hops.parties[produced]] += number
    return dict(hosts)
