"""Two Reports ▸ the document of `traceviz diff`: which edges came, went, got worse or better beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from traceviz.analyze.edge_tests import Field, Outcome, Times, changes, presence, times_of
from traceviz.analyze.edges import EdgeCounts
from traceviz.analyze.graph import edges_of, nodes_of, where_errors_start
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import EdgeName, Resolved
from traceviz.analyze.significance import ALPHA, holm
from traceviz.documents import Asked, Change, Changes, DiffDocument, DiffEdge, DiffNode, DiffSide, Edge, Node, Window
from traceviz.errors import UsageError
from traceviz.notes import Notes, define

TOO_FEW_CALLS = define(
    "too-few-calls",
    "{count} {count:edge has|edges have} too few calls without an error on one side to tell a change of their times "
    "from chance",
    """`diff` found an edge on both sides, with so few calls that went well on one of them that no difference of their
    times, however large, would be beyond chance. It is `same` unless its errors say otherwise, which means that nobody
    knows.

    Sign: the examples are such edges; `p_value` in the JSON is null where nothing of an edge could be told.

    What to do: more traces: a longer window on that side, `--limit` or `--all`.""",
)
TIMES_OF_CALLEE = define(
    "times-of-callee",
    "{count} {count:edge was|edges were} compared by the callee's times: on a side or on both no caller measured any",
    """`diff` compares what callers measured. Where a side has no caller's half, the callee's times of both sides are
    taken, without network and proxies in between. `times_from` in the JSON says it for every edge.

    Sign: the examples are such edges. What comes out of a queue has no caller that measures, and is not among them.

    What to do: nothing, unless the caller is yours to instrument.""",
)
TIMES_UNLIKE = define(
    "times-not-comparable",
    "the times of {count} {count:edge|edges} were not compared: one side has the caller's only, the other the callee's",
    """A call takes longer for its caller than for its callee, so that these times say nothing about a change.

    Sign: the examples are such edges, `p50_ratio` and `p95_ratio` in the JSON are null. Errors were compared.

    Cause: between the two sides a service got its instrumentation or its sidecar, or lost it.""",
)

_FIELDS: tuple[Field, ...] = get_args(Field)


@dataclass(frozen=True)
class Side:
    """One side of a comparison, under names that both sides share. `traces` is how many traces of this side, or
    requests, could have had a call of an edge."""

    resolved: Resolved
    edges: dict[EdgeName, Edge]
    nodes: dict[str, Node]
    head: DiffSide
    traces: Callable[[EdgeName], int]


def diff(before: Report, after: Report) -> DiffDocument:
    """The document of `traceviz diff -o json`. Raises UsageError where the reports are not grouped alike."""
    if before.group_by and after.group_by and before.group_by != after.group_by:
        raise UsageError(
            f"a report grouped by {before.group_by} and one grouped by {after.group_by} cannot be compared"
        )
    sides = _side(before, after), _side(after, before)
    notes = Notes()
    notes.merge(before.notes)
    notes.merge(after.notes)
    document = compared(sides[0], sides[1], notes)
    group_by = before.group_by or after.group_by
    if group_by is not None and group_by != "service":
        document["group_by"] = group_by
    return document


def compared(before: Side, after: Side, notes: Notes) -> DiffDocument:
    """The document of two sides; `notes` are those that the sides brought along."""
    edges = _edges(before, after, notes)
    notes.merge(before.resolved.naming)
    heads = before.head, after.head
    names = before.resolved.names
    return {
        "schema": "traceviz/diff/1",
        "source": list(dict.fromkeys(name for head in heads for name in head["source"])),
        "asked": _asked(before.head["asked"], after.head["asked"]),
        "seen": None,
        "window": _window(before.head["window"], after.head["window"]),
        "counts": {
            "traces": before.resolved.report.traces + after.resolved.report.traces,
            "spans": before.resolved.report.spans + after.resolved.report.spans,
            "failed_traces": before.resolved.report.failed_traces + after.resolved.report.failed_traces,
            "fragments": before.resolved.report.fragments + after.resolved.report.fragments,
            "services": len(names.reporting),
        },
        "notes": notes.documents(),
        "before": before.head,
        "after": after.head,
        "changes": changes_of(edges),
        "nodes": _nodes(before, after),
        "edges": edges,
    }


def changes_of(edges: Sequence[DiffEdge]) -> Changes:
    """How many of these edges changed, and how."""
    kinds = Counter(edge["change"] for edge in edges)
    return {
        "added": kinds["added"],
        "removed": kinds["removed"],
        "worse": kinds["worse"],
        "better": kinds["better"],
        "same": kinds["same"],
        "significant": sum(edge["significant"] for edge in edges),
    }


def differs(document: DiffDocument) -> bool:
    """Whether a difference was found: an edge that was added or removed, or that changed beyond chance."""
    changes = document["changes"]
    return bool(changes["added"] or changes["removed"] or changes["significant"])


def side_of(
    resolved: Resolved, failing: set[tuple[str, str]], head: DiffSide, traces: Callable[[EdgeName], int]
) -> Side:
    """A side with its edges and nodes as `graph` has them."""
    edges = edges_of(resolved, failing)
    named = dict(zip(resolved.edges, edges, strict=True))
    return Side(resolved, named, {node["name"]: node for node in nodes_of(resolved, edges)}, head, traces)


def head_of(resolved: Resolved) -> DiffSide:
    """What was read for a side."""
    head: Any = resolved.head("diff")
    named = {resolved.names.workload(party) for party in resolved.report.workloads}
    head["counts"]["services"] = len(named)
    return {key: head[key] for key in ("source", "asked", "seen", "window", "counts")}  # type: ignore[return-value]  # all its keys


def _side(report: Report, other: Report) -> Side:
    resolved = Resolved(report, [other])
    return side_of(resolved, where_errors_start(resolved), head_of(resolved), lambda _: report.traces)


@dataclass(frozen=True)
class _Pair:
    """An edge on both sides, and the tests of it."""

    name: EdgeName
    before: EdgeCounts | None
    after: EdgeCounts | None
    times: Times | None
    outcomes: list[Outcome]

    def __str__(self) -> str:
        return f"{self.name.caller} → {self.name.callee}"


def _pair(name: EdgeName, before: Side, after: Side) -> _Pair:
    mine, theirs = before.resolved.edges.get(name), after.resolved.edges.get(name)
    if mine is not None and theirs is not None:
        times = times_of(mine, theirs)
        return _Pair(name, mine, theirs, times, list(changes(mine, theirs, times)))
    there, side, other = (mine, before, after) if mine is not None else (theirs, after, before)
    assert there is not None
    outcome = presence(there, side.traces(name), other.traces(name))
    return _Pair(name, mine, theirs, None, [] if outcome is None else [outcome])


def _edges(before: Side, after: Side, notes: Notes) -> list[DiffEdge]:
    pairs = [_pair(name, before, after) for name in sorted(before.edges.keys() | after.edges.keys())]
    _note_what_is_not_known(pairs, notes)
    corrected = iter(holm([one.chance for pair in pairs for one in pair.outcomes]))
    edges = []
    for pair in pairs:
        outcomes = [one._replace(chance=next(corrected)) for one in pair.outcomes]
        edges.append(_edge(pair, before.edges.get(pair.name), after.edges.get(pair.name), outcomes))
    return edges


def _note_what_is_not_known(pairs: Sequence[_Pair], notes: Notes) -> None:
    both = [pair for pair in pairs if pair.before is not None and pair.after is not None]
    told = [pair for pair in both if any(one.of == "times" for one in pair.outcomes)]
    unlike = [pair for pair in both if pair.times is None and _timed(pair.before) and _timed(pair.after)]
    by_callee = [pair for pair in both if pair.times is not None and pair.times.seen_from == "callee"]
    # Out of a queue nobody calls who could measure.
    of_callee = [pair for pair in by_callee if not pair.name.asynchronous]
    few = [pair for pair in both if pair not in told and pair not in unlike]
    notes.add(TOO_FEW_CALLS, len(few), map(str, few))
    notes.add(TIMES_OF_CALLEE, len(of_callee), map(str, of_callee))
    notes.add(TIMES_UNLIKE, len(unlike), map(str, unlike))


def _timed(counts: EdgeCounts | None) -> bool:
    return counts is not None and bool(counts.client.count or counts.server.count)


def _edge(pair: _Pair, before: Edge | None, after: Edge | None, outcomes: Sequence[Outcome]) -> DiffEdge:
    certain = [one for one in outcomes if one.chance < ALPHA]
    changed: list[str] = [field for field in _FIELDS if any(field in one.fields for one in certain)]
    delta = None if before is None or after is None else round(after["error_rate"] - before["error_rate"], 6)
    return {
        "caller": pair.name.caller,
        "callee": pair.name.callee,
        "kind": "async" if pair.name.asynchronous else "sync",
        "change": _change(pair, certain),
        "before": before,
        "after": after,
        "error_rate_delta": delta,
        "p50_ratio": _ratio(pair.times, 0.50),
        "p95_ratio": _ratio(pair.times, 0.95),
        "significant": bool(changed) or any(one.of == "presence" for one in certain),
        "changed": changed,
        "p_value": min((_written(one.chance) for one in outcomes), default=None),
        "times_from": None if pair.times is None else pair.times.seen_from,
    }


def _change(pair: _Pair, certain: Sequence[Outcome]) -> Change:
    """Errors go first: calls that fail at once are no better for it. A worse time goes before a better one, as an
    average that fell does not help those in the tail."""
    if pair.before is None:
        return "added"
    if pair.after is None:
        return "removed"
    large = [one for one in certain if one.fields]
    deciding = [one for one in large if one.of == "errors"] or large
    if not deciding:
        return "same"
    return "worse" if any(one.worse for one in deciding) else "better"


def _ratio(times: Times | None, share: float) -> float | None:
    ratio = None if times is None else times.ratio(share)
    return None if ratio is None else round(ratio, 4)


def _written(chance: float) -> float:
    return float(f"{chance:.3g}")


def _nodes(before: Side, after: Side) -> list[DiffNode]:
    nodes: list[DiffNode] = []
    for name in sorted(before.nodes.keys() | after.nodes.keys()):
        mine, theirs = before.nodes.get(name), after.nodes.get(name)
        parties = {party for side in (before, after) for party in side.resolved.parties.get(name, ())}
        workloads = {before.resolved.names.workload(party) for party in parties}
        known = {
            party for side in (before, after) for one in workloads for party in side.resolved.of_workload.get(one, ())
        }
        nodes.append({"name": name, "kind": before.resolved.names.kind(known), "before": mine, "after": theirs})
    return nodes


def _asked(before: Asked, after: Asked) -> Asked:
    """What was asked of both sides: the time from the first to the last, and every condition that they share."""
    asked: dict[str, Any] = {key: value if value == after[key] else None for key, value in before.items()}  # type: ignore[literal-required]  # keys of the same type
    window = _window({"from": before["from"], "to": before["to"]}, {"from": after["from"], "to": after["to"]})
    return {**asked, "from": window["from"], "to": window["to"], "tags": asked["tags"] or []}  # type: ignore[typeddict-item]  # all its keys


def _window(before: Window, after: Window) -> Window:
    """From the first to the last; null where that is not known of one side."""
    return {"from": _of_both(min, before["from"], after["from"]), "to": _of_both(max, before["to"], after["to"])}


def _of_both(choose: Callable[[str, str], str], before: str | None, after: str | None) -> str | None:
    return None if before is None or after is None else choose(before, after)
