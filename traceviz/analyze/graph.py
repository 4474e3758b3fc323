"""Report ▸ the graph document: who calls whom, how slow and how broken is each call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from traceviz.analyze.blame import failing_hops
from traceviz.analyze.context_rows import ContextRow, context_rows
from traceviz.analyze.edges import EdgeCounts
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import EdgeName, Resolved
from traceviz.documents import Answers, Calls, Context, Edge, GraphDocument, Node
from traceviz.parties import Party


def graph_document(report: Report) -> GraphDocument:
    """The document of `traceviz graph -o json`."""
    resolved = Resolved(report)
    contexts = [] if report.contexts is None else context_rows(resolved, report.contexts)
    edges = edges_of(resolved, where_errors_start(resolved))
    waited = _waited(resolved)
    if waited is not None:
        for edge, name in zip(edges, resolved.edges, strict=True):
            edge["critical_share"] = _part(waited.edges[name], waited.total_ns)
            edge["critical_way_share"] = _part(waited.on_way[name], waited.total_ns)
    document: GraphDocument = {
        **resolved.head("graph"),  # type: ignore[typeddict-item]  # it has no key that is added below
        "nodes": nodes_of(resolved, edges),
        "edges": edges,
        "cycles": cycles(edges),
    }
    if report.group_by is not None and report.group_by != "service":
        document["group_by"] = report.group_by
        for node in document["nodes"]:
            node["workload"], node["group"] = resolved.identity(node["name"])
    if waited is not None:
        for node in document["nodes"]:
            node["critical_share"] = _part(waited.nodes[node["name"]], waited.total_ns)
    if report.contexts is not None:
        document["contexts"] = [_context(resolved, row) for row in contexts]
    return document


def where_errors_start(resolved: Resolved) -> set[tuple[str, str]]:
    """Caller and callee of the edges on which errors start."""
    return {(caller, row["callee"]) for row in failing_hops(resolved) for caller in row["callers"]}


def edges_of(resolved: Resolved, failing: Collection[tuple[str, str]]) -> list[Edge]:
    """The edges, in the order of `resolved.edges`, with the failing hops among them marked."""
    edges = [
        _edge(resolved, name, counts, (name.caller, name.callee) in failing) for name, counts in resolved.edges.items()
    ]
    if resolved.report.asked.join_requests:
        for edge, counts in zip(edges, resolved.edges.values(), strict=True):
            edge["joined"] = counts.joined
    return edges


def nodes_of(resolved: Resolved, edges: Sequence[Edge]) -> list[Node]:
    """What reported spans, and what these edges touch."""
    named = set(resolved.workloads) | {end for edge in edges for end in (edge["caller"], edge["callee"])}
    return [_node(resolved, name) for name in sorted(named)]


class _Waited(NamedTuple):
    """How long users waited, by the names of nodes."""

    total_ns: int
    nodes: Counter[str]
    edges: Counter[EdgeName]
    on_way: Counter[EdgeName]


def _waited(resolved: Resolved) -> _Waited | None:
    waits = resolved.report.waits
    if waits is None:
        return None
    waited = _Waited(waits.total_ns, Counter(), Counter(), Counter())
    for party, time in waits.workloads.items():
        waited.nodes[resolved.names[party]] += time
    for mine, theirs in ((waited.edges, waits.edges), (waited.on_way, waits.on_way)):
        for key, time in theirs.items():
            mine[EdgeName(resolved.names[key.caller], resolved.names[key.callee], key.asynchronous)] += time
    return waited


def _part(time: int, total: int) -> float | None:
    """A share, None where nobody waited. Edges that became one can have been within each other."""
    return min(round(time / total, 6), 1.0) if total else None


def _node(resolved: Resolved, name: str) -> Node:
    parties = {resolved.names.workload(party) for party in resolved.parties[name]}
    counts = resolved.workloads.get(name)
    return {
        "name": name,
        "kind": resolved.names.kind({party for one in parties for party in resolved.of_workload[one]}),
        "aliases": aliases(resolved, name),
        "versions": sorted(counts.versions) if counts else [],
        "calls": counts.received if counts else 0,
        "errors": counts.failed if counts else 0,
        "error_rate": _rate(counts.failed, counts.received) if counts else None,
        "entry_calls": counts.entered if counts else 0,
        "entered_by": dict(sorted(counts.entered_by.items())) if counts else {},
        "self_ms": counts.own_time.document() if counts else None,
    }


def aliases(resolved: Resolved, name: str) -> list[str]:
    """The names under which a node was reported, sorted: by its own spans, else by those who called it."""
    reports = name in resolved.workloads
    return sorted({_reported(party) for party in resolved.parties[name] if not reports or party.kind == "workload"})


def _reported(party: Party) -> str:
    return f"{party.service}.{party.namespace}" if party.kind == "host" and party.namespace else party.service


def _edge(resolved: Resolved, name: EdgeName, counts: EdgeCounts, failing: bool) -> Edge:
    return {
        "caller": name.caller,
        "callee": name.callee,
        **_calls(resolved, name.callee, name.asynchronous, counts),
        **_answers(counts, failing),  # type: ignore[typeddict-item]  # it lacks nothing that is required
    }


def _context(resolved: Resolved, row: ContextRow) -> Context:
    """The counts of an edge, in their place in the tree."""
    return {
        "parent": row.parent,
        "depth": row.depth,
        "node": row.node,
        "start": row.start,
        "caller": row.caller,
        **_calls(resolved, row.node, row.asynchronous, row.counts.calls),
        "self_ms": row.counts.own_time.document(),
        "self_share": row.self_share,
        **_answers(row.counts.calls, row.failing),
    }


def _calls(resolved: Resolved, callee: str | None, asynchronous: bool, counts: EdgeCounts) -> Calls:
    reports = callee in resolved.reporting
    seconds = _seconds(resolved.report)
    return {
        "kind": "async" if asynchronous else "sync",
        "seen_from": _seen_from(counts),
        "calls": counts.calls,
        "errors": counts.errors,
        "error_rate": _rate(counts.errors, counts.calls) or 0.0,
        "calls_per_s": round(counts.calls / seconds, 6) if seconds else None,
        "attempts": counts.attempts,
        "failed_attempts": counts.failed_attempts,
        "unanswered": counts.calls - counts.with_callee if reports else 0,
        "client_ms": counts.client.document(),
        "server_ms": counts.server.document(),
        "gap_ms": counts.gap.document(),
    }


def _answers(counts: EdgeCounts, failing: bool) -> Answers:
    return {
        "statuses": dict(sorted(counts.statuses.items())),
        "flags": dict(sorted(counts.flags.items())),
        "protocol": min(counts.protocols, key=lambda text: (-counts.protocols[text], text), default=None),
        "failing_hop": failing,
        "examples": {"error": counts.failed_examples, "slowest": [trace_id for _, trace_id in counts.slowest]},
    }


def _seen_from(counts: EdgeCounts) -> Literal["both", "caller", "callee"]:
    if counts.with_caller and counts.with_callee:
        return "both"
    return "caller" if counts.with_caller else "callee"


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _seconds(report: Report) -> float:
    """What rates are counted over: the time asked for, else that of the spans."""
    begin, end = report.asked.from_ns, report.asked.to_ns
    if begin is None or end is None:
        begin, end = report.first_ns, report.last_ns
    return 0.0 if begin is None or end is None else (end - begin) / 1e9


def cycles(edges: list[Edge]) -> list[list[str]]:
    """Nodes that call each other in circles, each circle sorted; one node alone where it calls itself."""
    import networkx as nx  # a tenth of a second, for the commands that need it

    graph = nx.DiGraph((edge["caller"], edge["callee"]) for edge in edges)
    components = (sorted(nodes) for nodes in nx.strongly_connected_components(graph))
    return sorted(nodes for nodes in components if len(nodes) > 1 or graph.has_edge(nodes[0], nodes[0]))
