"""A Report under its final names: nodes and edges as a person knows them. Derived after the last merge."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import NamedTuple

from traceviz import when
from traceviz.analyze.conditions import PairCounts
from traceviz.analyze.edges import EdgeCounts, WorkloadCounts
from traceviz.analyze.names import Names
from traceviz.analyze.report import Report
from traceviz.documents import Document
from traceviz.notes import Notes
from traceviz.parties import Party


class EdgeName(NamedTuple):
    """An edge by the names of its nodes."""

    caller: str
    callee: str
    asynchronous: bool


class Resolved:
    """What a report says, by node names. `notes` are the report's and those of naming."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.notes = Notes()
        self.notes.merge(report.notes)
        parties = set(report.workloads)
        for edge in report.edges:
            parties |= {edge.caller, edge.callee}
        parties |= set(report.answers)
        for shape in report.shapes:
            for failure in shape:
                parties |= {failure.callee, *failure.path}
                parties |= {party for party in (failure.caller, failure.blame) if party is not None}
        self.names = Names(parties, report.hosts, self.notes)
        self.parties: dict[str, set[Party]] = defaultdict(set)
        for party in parties:
            self.parties[self.names[party]].add(party)

    @cached_property
    def edges(self) -> dict[EdgeName, EdgeCounts]:
        """Counts by edge, sorted by caller and callee."""
        merged: dict[EdgeName, EdgeCounts] = {}
        for key, counts in self.report.edges.items():
            name = EdgeName(self.names[key.caller], self.names[key.callee], key.asynchronous)
            merged.setdefault(name, EdgeCounts()).merge(counts)
        return dict(sorted(merged.items()))

    @cached_property
    def workloads(self) -> dict[str, WorkloadCounts]:
        """Counts by node, of nodes that reported spans of their own."""
        merged: dict[str, WorkloadCounts] = {}
        for party, counts in self.report.workloads.items():
            merged.setdefault(self.names[party], WorkloadCounts()).merge(counts)
        return dict(sorted(merged.items()))

    @cached_property
    def pairs(self) -> dict[tuple[str, str], PairCounts]:
        """How often a node failed, and did not, while a node that it called had failed."""
        merged: dict[tuple[str, str], PairCounts] = defaultdict(lambda: [0, 0])
        for pair, (failed, well) in self.report.pairs.items():
            counts = merged[self.names[pair.workload], self.names[pair.called]]
            counts[:] = [counts[0] + failed, counts[1] + well]
        return merged

    @cached_property
    def answers(self) -> dict[str, PairCounts]:
        """How often a node failed, and did not, in all."""
        merged: dict[str, PairCounts] = defaultdict(lambda: [0, 0])
        for party, (failed, well) in self.report.answers.items():
            counts = merged[self.names[party]]
            counts[:] = [counts[0] + failed, counts[1] + well]
        return merged

    @cached_property
    def traits(self) -> dict[tuple[str | None, str, str, str], dict[str, Counter[bool]]]:
        """Calls by caller, callee, side and trait: value ▸ how many calls with and without a failure."""
        merged: dict[tuple[str | None, str, str, str], dict[str, Counter[bool]]] = defaultdict(dict)
        for key, counts in self.report.traits.items():
            caller = None if key.caller is None else self.names[key.caller]
            values = merged[caller, self.names[key.callee], key.side, key.trait]
            values[key.value] = values.get(key.value, Counter()) + counts
        return merged

    def calls_received(self, callers: list[str], callee: str, *, from_outside: bool) -> int:
        """How many calls these callers made to the callee, and from outside how many requests entered there."""
        entered = self.workloads[callee].entered if from_outside and callee in self.workloads else 0
        return entered + sum(
            counts.calls for edge, counts in self.edges.items() if edge.callee == callee and edge.caller in callers
        )

    def head(self, command: str) -> Document:
        """The head of a document of this command."""
        report, asked = self.report, self.report.asked
        return {
            "schema": f"traceviz/{command}/1",
            "source": list(asked.source),
            "asked": asked.document(),
            "seen": asked.seen,
            "window": {"from": _instant(report.first_ns), "to": _instant(report.last_ns)},
            "counts": {
                "traces": report.traces,
                "spans": report.spans,
                "failed_traces": report.failed_traces,
                "fragments": report.fragments,
                "services": len(self.workloads),
            },
            "notes": self.notes.documents(),
        }


def _instant(ns: int | None) -> str | None:
    return None if ns is None else when.rfc3339(ns)
