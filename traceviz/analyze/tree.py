"""One trace ▸ the document of `traceviz tree`: its spans, and its calls with the verdict of `traceviz errors`."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from traceviz import envoy
from traceviz.analyze.blame import failing_hops, row_key, starts
from traceviz.analyze.critical import Sections, critical_path
from traceviz.analyze.edges import protocol_labels, status_labels
from traceviz.analyze.operations import operation_labels
from traceviz.analyze.report import count_with_places
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.self_time import self_times
from traceviz.analyze.tree_calls import CallTree, call_tree, own_times, proofs, starts_ns, waited_on
from traceviz.asked import Asked
from traceviz.documents import FailingHop, TreeCall, TreeDocument, TreeSpan
from traceviz.hops import hops
from traceviz.notes import Notes
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Ints, Kind, Rows
from traceviz.verdict import Outcomes
from traceviz.when import rfc3339

SpanRole = Literal["caller", "attempt", "callee", "program"]
SpanKind = Literal["internal", "server", "client", "producer", "consumer"]

_KINDS: dict[int, SpanKind | None] = {
    Kind.UNSET: None,
    Kind.INTERNAL: "internal",
    Kind.SERVER: "server",
    Kind.CLIENT: "client",
    Kind.PRODUCER: "producer",
    Kind.CONSUMER: "consumer",
}
_ROLES: dict[int, SpanRole] = {
    Role.CALLER: "caller",
    Role.ATTEMPT: "attempt",
    Role.CALLEE: "callee",
    Role.INSIDE: "callee",
    Role.CLIENT: "caller",
    Role.SERVER: "callee",
    Role.PRODUCER: "caller",
    Role.CONSUMER: "callee",
    Role.INTERNAL: "program",
}


def tree_document(forest: Forest, asked: Asked, reading: Notes) -> TreeDocument:
    """The document of `traceviz tree -o json`, of a forest of one trace; `reading` was noted when it was read."""
    found = hops(forest)
    counted, places = count_with_places(found)
    counted.asked = asked
    counted.notes.merge(reading)
    resolved = Resolved(counted)
    failing = failing_hops(resolved)
    tree = call_tree(found)
    broken = _broken(places, resolved, failing)
    proving = proofs(tree)
    sections = critical_path(forest)
    begin_ns, end_ns = (int(instants[0]) for instants in extents(forest))
    proof_of_broken = {row for hop in broken for row in proving[hop]}
    trace_id = forest.spans.trace_ids[0]
    head = resolved.head("tree")
    if begin_ns > 0:  # clocks corrected, as every start in the lists counts from it
        head["window"] = {"from": rfc3339(begin_ns), "to": rfc3339(end_ns)}
    return {
        **head,
        "trace_id": trace_id,
        "duration_ms": (end_ns - begin_ns) / 1e6,
        "spans": _spans(tree, resolved, sections, proof_of_broken, begin_ns),
        "calls": _calls(tree, resolved, sections, proving, broken, begin_ns),
        "text": failing[0]["text"] if failing else None,
        "link": f"{asked.ui_url}/trace/{trace_id}" if asked.ui_url else None,
    }


def extents(forest: Forest) -> tuple[Ints, Ints]:
    """The first start and the last end of every trace, in ns, clocks corrected; spans without a time do not count, and
    a trace without any time is from 0 to 0."""
    spans = forest.spans
    start = spans.start_ns + forest.shift_ns
    timed = (start > 0) & ~forest.duplicate
    first = np.full(len(spans.trace_ids), np.iinfo(np.int64).max)
    last = np.zeros(len(spans.trace_ids), np.int64)
    np.minimum.at(first, spans.trace[timed], start[timed])
    np.maximum.at(last, spans.trace[timed], (start + spans.duration_ns)[timed])
    first[first > last] = 0
    return first, last


def _broken(places: Rows, resolved: Resolved, failing: list[FailingHop]) -> dict[int, FailingHop]:
    """The hops at which an error started, each with the row of `traceviz errors` that it is counted in; `places` are
    those of all hops in the failure shape."""
    rows = {row_key(row): row for row in failing}
    of_place = {
        place: rows[key]
        for shape in resolved.report.shapes  # of one trace there is one, or none
        for key, several in starts(resolved, shape).items()
        for place in several
    }
    return {hop: of_place[place] for hop, place in enumerate(places.tolist()) if place in of_place}


def _spans(tree: CallTree, resolved: Resolved, sections: Sections, broken: set[int], begin_ns: int) -> list[TreeSpan]:
    hops = tree.hops
    forest = hops.forest
    spans, order = forest.spans, forest.order
    place = _places(order, len(forest))
    critical = np.zeros(len(forest), np.bool_)
    critical[sections.row] = True
    statuses = _statuses(hops.outcomes)
    flags = _flags(forest)
    service = [resolved.names[Party("workload", *key)] for key in forest.workloads.keys]
    start = spans.start_ns + forest.shift_ns
    columns: dict[str, list[int]] = {
        "parent": place[forest.parent].tolist(),
        "depth": forest.depth.tolist(),
        "service": forest.workloads.of_row.tolist(),
        "operation": spans.operation.tolist(),
        "kind": spans.kind.tolist(),
        "role": forest.role.tolist(),
        "start": np.where(start > 0, start - begin_ns, 0).tolist(),
        "duration": spans.duration_ns.tolist(),
        "self": self_times(forest).tolist(),
        "flags": spans.tag("flags").tolist(),
        "call": np.append(tree.place, -1)[tree.of_row].tolist(),
    }
    failed, on_path, span_id = hops.outcomes.failed.tolist(), critical.tolist(), spans.span_id.tolist()
    return [
        {
            "span_id": f"{span_id[row]:016x}",
            "parent": _index(columns["parent"][row]),
            "depth": columns["depth"][row],
            "service": service[columns["service"][row]],
            "operation": spans.texts[columns["operation"][row]],
            "kind": _KINDS[columns["kind"][row]],
            "role": _ROLES[columns["role"][row]],
            "start_ms": columns["start"][row] / 1e6,
            "duration_ms": columns["duration"][row] / 1e6,
            "self_ms": columns["self"][row] / 1e6,
            "error": failed[row],
            "status": statuses[row],
            "flags": sorted(flags[columns["flags"][row]]),
            "on_critical_path": on_path[row],
            "failing": row in broken,
            "call": _index(columns["call"][row]),
        }
        for row in order.tolist()
    ]


def _calls(
    tree: CallTree,
    resolved: Resolved,
    sections: Sections,
    proving: list[list[int]],
    broken: dict[int, FailingHop],
    begin_ns: int,
) -> list[TreeCall]:
    hops = tree.hops
    forest = hops.forest
    spans = forest.spans
    place = _places(forest.order, len(forest)).tolist()
    names = [resolved.names[party] for party in hops.parties]
    (statuses, status), (protocols, protocol) = status_labels(hops), protocol_labels(hops)
    flags, row_flags = _flags(forest), spans.tag("flags").tolist()
    answering = np.where(hops.callee_row >= 0, hops.callee_row, hops.caller_row)
    start = starts_ns(hops)
    columns: dict[str, list[int]] = {
        "parent": np.where(hops.up >= 0, tree.place[hops.up], -1).tolist(),
        "depth": tree.depth.tolist(),
        "caller": hops.caller.tolist(),
        "callee": hops.callee.tolist(),
        "operation": operation_labels(forest)[answering].tolist(),
        "start": np.where(start > 0, start - begin_ns, 0).tolist(),
        "client": hops.client_ns.tolist(),
        "server": hops.server_ns.tolist(),
        "gap": hops.gap_ns.tolist(),
        "self": own_times(hops).tolist(),
        "attempts": hops.attempts.tolist(),
        "failed_attempts": hops.failed_attempts.tolist(),
        "status": status.tolist(),
        "protocol": protocol.tolist(),
    }
    heads, halves = (hops.caller_row >= 0).tolist(), (hops.callee_row >= 0).tolist()
    asynchronous, failed, on_path = hops.asynchronous.tolist(), hops.failed.tolist(), waited_on(tree, sections).tolist()
    made: list[TreeCall] = []
    for hop in tree.order.tolist():
        row = broken.get(hop)
        client, server, caller = columns["client"][hop], columns["server"][hop], columns["caller"][hop]
        made.append(
            {
                "parent": _index(columns["parent"][hop]),
                "depth": columns["depth"][hop],
                "caller": None if caller < 0 else names[caller],
                "callee": names[columns["callee"][hop]],
                "kind": "async" if asynchronous[hop] else "sync",
                "seen_from": "both" if heads[hop] and halves[hop] else "caller" if heads[hop] else "callee",
                "operation": spans.texts[columns["operation"][hop]],
                "start_ms": columns["start"][hop] / 1e6,
                "duration_ms": (client if client >= 0 else server) / 1e6,
                "server_ms": _ms(server),
                "gap_ms": _ms(columns["gap"][hop]),
                "self_ms": _ms(columns["self"][hop]),
                "attempts": columns["attempts"][hop],
                "failed_attempts": columns["failed_attempts"][hop],
                "error": failed[hop],
                "status": statuses[columns["status"][hop]] or None,
                "flags": sorted(set[str]().union(*(flags[row_flags[proof]] for proof in proving[hop]))),
                "protocol": protocols[columns["protocol"][hop]] or None,
                "on_critical_path": on_path[hop],
                "failing": row is not None,
                "reason": None if row is None else row["reason"],
                "where": None if row is None else row["where"],
                "blame": None if row is None else row["blame"],
                "spans": sorted(place[proof] for proof in proving[hop]),
            }
        )
    return made


def _places(order: Rows, size: int) -> Rows:
    """Where each of `size` rows stands in the order, -1 for those that do not; -1, the last entry, stays -1."""
    place = np.full(size + 1, -1, np.int64)
    place[order] = np.arange(len(order))
    return place


def _statuses(outcomes: Outcomes) -> list[str | None]:
    """What was answered, per row: HTTP's status, or "grpc N"."""
    both = zip(outcomes.grpc.tolist(), outcomes.status.tolist(), strict=True)
    return [f"grpc {grpc}" if grpc >= 0 else str(status) if status >= 0 else None for grpc, status in both]


def _flags(forest: Forest) -> npt.NDArray[np.object_]:
    """The flags that each text of the column means."""
    flags = forest.spans.tag("flags")
    return envoy.table(flags, forest.spans.texts, envoy.read_flags, np.object_)


def _index(place: int) -> int | None:
    return None if place < 0 else place


def _ms(ns: int) -> float | None:
    return None if ns < 0 else ns / 1e6
