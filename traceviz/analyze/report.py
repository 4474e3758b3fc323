"""Report: plain data about any number of traces, mergeable. Names, starts and ranks are derived after the merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from traceviz.analyze.conditions import (
    PairCounts,
    PairKey,
    TraitKey,
    Values,
    count_answers,
    count_pairs,
    count_traits,
    merge_traits,
)
from traceviz.analyze.contexts import Contexts, count_contexts, merge_contexts
from traceviz.analyze.edges import EdgeCounts, EdgeKey, WorkloadCounts, count_edges, count_hosts, count_workloads
from traceviz.analyze.entries import entries
from traceviz.analyze.fewer_groups import folded_edges, folded_shapes, folded_traits, folded_workloads, folding
from traceviz.analyze.frames import ROWS, frame
from traceviz.analyze.groups import GroupBy, grouped
from traceviz.analyze.shapes import Shape, ShapeCount, count_shapes
from traceviz.analyze.waits import Waits, count_waits
from traceviz.asked import Asked
from traceviz.checking import checked
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.errors import UsageError
from traceviz.hops import Hops, hops
from traceviz.notes import Notes, define
from traceviz.parties import Party
from traceviz.reconstruct import Forest
from traceviz.spans import Rows

if TYPE_CHECKING:
    import networkx as nx
    import pandas

TORN = define(
    "torn-traces",
    "{count} {count:trace is a fragment|traces are fragments} of a torn trace: what users got is not in there",
    """The root of the trace is a sidecar's outbound call, so somebody called that workload, in another trace.

    Usually a program that does not pass the tracing headers on (x-request-id, x-b3-*, b3, traceparent) from the
    request that it got to the calls that it makes. Whether a user felt a failure in a fragment cannot be known.

    What to do: `traceviz doctor` names the program and the headers (`headers-not-forwarded`).""",
)


#: How a graph is shown: as it is, or as the tree of all contexts.
View = Literal["graph", "tree"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass
class Report:
    """Everything that is known about the traces of one or many batches. `Report()` is the identity of `merge`.

    `group_by` is what workloads are told apart by, None where no trace was counted. `contexts` and `waits` are None
    where they were not counted.
    """

    asked: Asked = field(default_factory=Asked)
    traces: int = 0
    spans: int = 0
    failed_traces: int = 0
    fragments: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    edges: dict[EdgeKey, EdgeCounts] = field(default_factory=dict)
    workloads: dict[Party, WorkloadCounts] = field(default_factory=dict)
    hosts: dict[Party, Counter[Party]] = field(default_factory=dict)
    shapes: dict[Shape, ShapeCount] = field(default_factory=dict)
    pairs: dict[PairKey, PairCounts] = field(default_factory=dict)
    answers: dict[Party, PairCounts] = field(default_factory=dict)
    traits: dict[TraitKey, Values] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    group_by: GroupBy | None = None
    contexts: Contexts | None = None
    waits: Waits | None = None

    def merge(self, other: Report) -> Report:
        """Add what `other` knows about other traces, and give this report back.

        Associative and commutative: any split of the traces, merged in any order, gives the same documents.
        What was asked is taken from the first report that says it. Raises UsageError for reports that count
        differently, because they do not add up.
        """
        self._count_alike(other)
        if self.asked == Asked():
            self.asked = other.asked
        for name in ("traces", "spans", "failed_traces", "fragments"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first_ns = _or_none(min, self.first_ns, other.first_ns)
        self.last_ns = _or_none(max, self.last_ns, other.last_ns)
        _merge_edges(self.edges, other.edges)
        _merge_workloads(self.workloads, other.workloads)
        for shape, count in other.shapes.items():
            if shape in self.shapes:
                self.shapes[shape].merge(count)
            else:
                self.shapes[shape] = replace(count)
        for pair, numbers in other.pairs.items():
            self.pairs[pair] = _added(self.pairs.get(pair), numbers)
        for party, numbers in other.answers.items():
            self.answers[party] = _added(self.answers.get(party), numbers)
        for host, answered in other.hosts.items():
            self.hosts[host] = self.hosts.get(host, Counter()) + answered
        merge_traits(self.traits, other.traits)
        if self.contexts is not None and other.contexts is not None:
            self.contexts = merge_contexts(self.contexts, other.contexts)
        if self.waits is not None and other.waits is not None:
            self.waits.merge(other.waits)
        self.notes.merge(other.notes)
        return self.bounded()

    def bounded(self) -> Report:
        """Count groups beyond so many a workload as one, and give this report back."""
        parties = chain(self.workloads, *((edge.caller, edge.callee) for edge in self.edges))
        if into := folding(parties):
            self.edges = folded_edges(self.edges, into)
            self.workloads = folded_workloads(self.workloads, into)
            self.traits = folded_traits(self.traits, into)
            self.shapes = folded_shapes(self.shapes, into)
            self.waits = None if self.waits is None else self.waits.folded(into)
        return self

    def _count_alike(self, other: Report) -> None:
        """Take over what an empty report does not say yet."""
        if other.group_by is None:
            return
        if self.group_by is None:
            self.group_by = other.group_by
            self.contexts = None if other.contexts is None else {}
            self.waits = None if other.waits is None else Waits()
        if self.group_by != other.group_by:
            raise UsageError(f"reports grouped by {self.group_by} and by {other.group_by} do not add up")
        if (self.contexts is None) != (other.contexts is None):
            raise UsageError("a report with contexts and one without do not add up")
        if (self.waits is None) != (other.waits is None):
            raise UsageError("a report of what users waited for and one without that do not add up")

    def graph(self) -> GraphDocument:
        """The document of `traceviz graph -o json`: nodes, edges, cycles."""
        # The documents are made of reports: these three are here for the reader of a library alone.
        from traceviz.analyze.graph import graph_document

        return graph_document(self)

    def errors(self) -> ErrorsDocument:
        """The document of `traceviz errors -o json`: the failing hops, ranked."""
        from traceviz.analyze.blame import errors_document

        return errors_document(self)

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """The graph document as a networkx graph: nodes and edges by name, with CONTRACT's fields as attributes.

        The key of an edge is its kind, "sync" or "async".
        """
        import networkx as nx  # a tenth of a second, for those who need it

        document = self.graph()
        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in document["nodes"]:
            graph.add_node(node["name"], **node)
        for edge in document["edges"]:
            graph.add_edge(edge["caller"], edge["callee"], key=edge["kind"], **edge)
        return graph

    def self_check(self) -> None:
        """Raise AssertionError where counts do not add up. For tests."""
        assert self.failed_traces <= self.traces
        assert self.fragments <= self.traces
        assert (self.first_ns is None) == (self.last_ns is None)
        assert self.first_ns is None or self.last_ns is None or self.first_ns <= self.last_ns
        for edge, counts in self.edges.items():
            assert 0 <= counts.errors <= counts.calls <= counts.attempts, edge
            assert 0 <= counts.failed_attempts <= counts.attempts, edge
            assert max(counts.with_caller, counts.with_callee) <= counts.calls, edge
            assert counts.with_caller + counts.with_callee >= counts.calls, edge
            assert counts.client.count <= counts.with_caller, edge
            assert counts.server.count <= counts.with_callee, edge
            assert counts.statuses.total() <= counts.calls, edge
        for party, received in self.workloads.items():
            assert 0 <= received.failed <= received.received, party
            assert received.entered_by.total() <= received.entered, party
        assert sum(seen.count for seen in self.shapes.values()) <= self.traces
        assert all(seen.count > 0 and len(seen.periods) == len(shape) for shape, seen in self.shapes.items())

    def to_dataframe(self, rows: Literal["edges", "nodes", "failing_hops"] = "edges") -> pandas.DataFrame:
        """The edges of the graph, its nodes, or the failing hops as a pandas DataFrame, a row each.

        Columns are named as in JSON, with dots (`client_ms.p95`); what is not known is `<NA>`. Raises MissingPackage
        where there is no pandas, and UsageError for other rows.
        """
        if rows not in ROWS:
            raise UsageError(f"there is no DataFrame of {rows!r}", f"rows: {', '.join(ROWS)}")
        document = self.errors() if rows == "failing_hops" else self.graph()
        return frame(cast(Mapping[str, Any], document)[rows], ROWS[rows])


#: How a forest is counted: `report`, with what it takes given.
Count = Callable[[Forest], Report]


def report(forest: Forest, *, group_by: GroupBy = "service", view: View = "graph", critical: bool = False) -> Report:
    """The Report of a forest of whole traces, with workloads told apart by `group_by`.

    Contexts, which take time and room, are counted for the view that shows them, and what users waited for where
    `critical` asks for it.
    """
    return count_hops(hops(forest), group_by=group_by, view=view, critical=critical)


@checked
def count_hops(found: Hops, *, group_by: GroupBy = "service", view: View = "graph", critical: bool = False) -> Report:
    """The same of hops that are found already."""
    return count_with_places(found, group_by=group_by, view=view, critical=critical)[0]


def count_with_places(
    found: Hops, *, group_by: GroupBy = "service", view: View = "graph", critical: bool = False
) -> tuple[Report, Rows]:
    """The same, and the place of every hop in the failure shape of its trace, -1 where it is in none."""
    forest = found.forest
    entered = entries(found)
    sides = grouped(found, group_by)
    spans = forest.spans
    notes = Notes()
    for some in (spans.notes, forest.notes, found.notes):
        notes.merge(some)
    notes.add(TORN, int(entered.fragment.sum()), [spans.trace_ids[i] for i in np.flatnonzero(entered.fragment)[:5]])
    failures = count_shapes(sides.hops, entered, notes)
    placed = ~forest.duplicate
    timed = spans.start_ns > 0
    result = Report(
        group_by=group_by,
        traces=len(spans.trace_ids),
        spans=int(placed.sum()),
        failed_traces=int(entered.failed.sum()),
        fragments=int(entered.fragment.sum()),
        # A span without a time stretches no window.
        first_ns=int(spans.start_ns[timed].min()) if timed.any() else None,
        last_ns=int(spans.end_ns[timed].max()) if timed.any() else None,
        edges=count_edges(sides.hops),
        workloads=count_workloads(sides, entered),
        hosts=count_hosts(found),
        shapes=failures.shapes,
        # Whether a failure makes another workload fail is a matter of the two, whatever they are grouped by.
        pairs=count_pairs(found),
        answers=count_answers(found),
        traits=count_traits(sides.hops, failures.started),
        contexts=count_contexts(sides, entered) if view == "tree" else None,
        waits=count_waits(sides, entered) if critical else None,
        notes=notes,
    )
    return result.bounded(), failures.place


def _merge_edges(mine: dict[EdgeKey, EdgeCounts], theirs: dict[EdgeKey, EdgeCounts]) -> None:
    for key, counts in theirs.items():
        mine.setdefault(key, EdgeCounts()).merge(counts)


def _merge_workloads(mine: dict[Party, WorkloadCounts], theirs: dict[Party, WorkloadCounts]) -> None:
    for key, counts in theirs.items():
        mine.setdefault(key, WorkloadCounts()).merge(counts)


def _added(mine: PairCounts | None, theirs: PairCounts) -> PairCounts:
    return [a + b for a, b in zip(mine or [0, 0], theirs, strict=True)]


def _or_none(choose: Callable[[list[int]], int], one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None
