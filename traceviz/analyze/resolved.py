"""A Report under its final names: nodes and edges as a person knows them. Derived after the last merge."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from traceviz import when
from traceviz.analyze.conditions import PairCounts, Values, add_values
from traceviz.analyze.edges import EdgeCounts, WorkloadCounts
from traceviz.analyze.group_names import NodeNames
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
    """What a report says, by node names. `notes` are the report's and those of `naming`.

    Where it is one of several that are compared, the others are `beside` it: a name that says how a node is told from
    others must be the same in all of them.
    """

    def __init__(self, report: Report, beside: Iterable[Report] = ()) -> None:
        self.report = report
        self.naming = Notes()
        parties = _parties(report)
        named = set(parties)
        spans = Counter({party: counts.spans for party, counts in report.workloads.items()})
        hosts = dict(report.hosts)
        for other in beside:
            named |= _parties(other)
            spans.update({party: counts.spans for party, counts in other.workloads.items()})
            for host, answered in other.hosts.items():
                hosts[host] = hosts.get(host, Counter()) + answered
        self.names = NodeNames(named, spans, hosts, report.group_by or "service", self.naming)
        self.notes = Notes()
        self.notes.merge(report.notes)
        self.notes.merge(self.naming)
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
    def reporting(self) -> set[str]:
        """Nodes of workloads that reported spans, also where nothing is left of a workload but calls that did not
        arrive."""
        known = self.names.reporting
        return {name for name, parties in self.parties.items() if known & {self.names.workload(one) for one in parties}}

    def identity(self, name: str) -> tuple[str, str | None]:
        """The workload that a node is of, and what tells it apart; None where that is not known."""
        parties = sorted(self.parties[name])
        groups = {self.names.group(party) for party in parties}
        return self.names.workload(parties[0]), groups.pop() if len(groups) == 1 else None

    @cached_property
    def of_workload(self) -> dict[str, set[Party]]:
        """All parties of a workload, whatever their groups."""
        parties: dict[str, set[Party]] = defaultdict(set)
        for several in self.parties.values():
            for party in several:
                parties[self.names.workload(party)].add(party)
        return parties

    @cached_property
    def pairs(self) -> dict[tuple[str, str], PairCounts]:
        """How often a workload failed, and did not, while a workload that it called had failed."""
        merged: dict[tuple[str, str], PairCounts] = defaultdict(lambda: [0, 0])
        for pair, (failed, well) in self.report.pairs.items():
            counts = merged[self.names.workload(pair.workload), self.names.workload(pair.called)]
            counts[:] = [counts[0] + failed, counts[1] + well]
        return merged

    @cached_property
    def answers(self) -> dict[str, PairCounts]:
        """How often a workload failed, and did not, in all."""
        merged: dict[str, PairCounts] = defaultdict(lambda: [0, 0])
        for party, (failed, well) in self.report.answers.items():
            counts = merged[self.names.workload(party)]
            counts[:] = [counts[0] + failed, counts[1] + well]
        return merged

    @cached_property
    def traits(self) -> dict[tuple[str | None, str, str, str], Values]:
        """Values by caller, callee, side and trait, with how many calls in which a failure started and others."""
        merged: dict[tuple[str | None, str, str, str], Values] = defaultdict(dict)
        for key, values in self.report.traits.items():
            caller = None if key.caller is None else self.names[key.caller]
            add_values(merged[caller, self.names[key.callee], key.side, key.trait], values)
        return merged

    def calls_received(self, callers: list[str], callee: str, *, from_outside: bool) -> int:
        """How many calls these callers made to the callee, and from outside how many requests entered there."""
        entered = self.workloads[callee].entered if from_outside and callee in self.workloads else 0
        # Calls that did not arrive are in no group, and are to be seen among all calls of that workload.
        callees = {callee} if callee in self.workloads else self._of_one_workload(callee)
        return entered + sum(
            counts.calls for edge, counts in self.edges.items() if edge.callee in callees and edge.caller in callers
        )

    def shown_workload(self, name: str) -> str:
        """Who there is to look at behind a node: the workload, where the node is only what did not arrive at it."""
        return self.identity(name)[0] if name in self.reporting and name not in self.workloads else name

    def _of_one_workload(self, name: str) -> set[str]:
        """The nodes of the workload that a node is of."""
        return {self.names[party] for party in self.of_workload[self.identity(name)[0]]}

    def pair(self, ends: tuple[Party, Party]) -> tuple[str, str]:
        """The nodes of a caller and its callee."""
        return self.names[ends[0]], self.names[ends[1]]

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
                "services": len(self.names.reporting),
            },
            "notes": self.notes.documents(),
        }


def _parties(report: Report) -> set[Party]:
    """Everybody whom a report knows."""
    parties = set(report.workloads)
    for edge in report.edges:
        parties |= {edge.caller, edge.callee}
    parties |= set(report.answers)
    for path in report.contexts or ():
        parties |= {party for step in path for party in (step.caller, step.callee) if party is not None}
    for shape in report.shapes:
        for failure in shape:
            parties |= {failure.callee, *failure.path}
            parties |= {party for party in (failure.caller, failure.blame) if party is not None}
    return parties


def _instant(ns: int | None) -> str | None:
    return None if ns is None else when.rfc3339(ns)
