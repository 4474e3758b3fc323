"""A Report grouped by version ▸ the document of `traceviz diff --by-version v1 v2`.

Compared are the workloads that have both versions, under their names without versions: calls to one of them by the
version that got them, and its own calls to others by the version that made them. All other edges, also of workloads
that happen to have one of these versions alone, would only compare a workload with itself; they are counted and left
out.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from traceviz.analyze.diff import Side, compared, head_of, side_of
from traceviz.analyze.edges import EdgeKey
from traceviz.analyze.graph import where_errors_start
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import EdgeName, Resolved
from traceviz.documents import DiffDocument
from traceviz.errors import NothingFound, UsageError
from traceviz.notes import Notes, define
from traceviz.sources.names import shown

WITHOUT_VERSIONS = define(
    "edges-without-versions",
    "{count} {count:edge was|edges were} not compared: no workload at {count:its|their} ends has both versions",
    """`diff --by-version` compares calls to and from the workloads that have spans of both versions.

    Sign: the examples are edges between others. Nothing tells their calls apart by these versions.

    What to do: nothing; `--before` and `--after`, or two files, compare all edges.""",
)
OTHER_VERSIONS = define(
    "calls-of-other-versions",
    "{count} {count:call|calls} of workloads that are compared {count:was|were} left out: of another version, or of "
    "one that is not known",
    """`diff --by-version` compares the calls of two versions, and the workload has others as well, or spans that say no
    version.

    Sign: the examples are such edges.

    Cause: a third version; or calls that never arrived, which no version can be told of; or spans without
    `istio.canonical_revision`, `service.version` and `version`.

    What to do: where calls failed before they arrived, `traceviz errors` has them.""",
)


def diff_versions(report: Report, before: str, after: str) -> DiffDocument:
    """The document of two versions of one report, which is grouped by version.

    Raises NothingFound where no workload has both, UsageError where the report is not grouped so.
    """
    if report.group_by != "version":
        raise UsageError("versions are compared in a report that is grouped by version", 'report(group_by="version")')
    if before == after:
        raise UsageError(f"{shown(before)} is one version, and two are compared")
    named = Resolved(report)
    both = _with_both(named, before, after)
    notes = Notes()
    notes.merge(report.notes)
    _note_what_is_left_out(named, both, (before, after), notes)
    document = compared(_side(named, both, before), _side(named, both, after), notes)
    # One report, read once: what is known of all of it is known of neither side alone.
    document["counts"] = named.head("diff")["counts"]
    return document


def _with_both(named: Resolved, before: str, after: str) -> set[str]:
    """The workloads that have spans of both versions."""
    versions: dict[str, set[str]] = defaultdict(set)
    for party in named.report.workloads:
        if party.group:
            versions[named.names.workload(party)].add(party.group)
    both = {workload for workload, found in versions.items() if {before, after} <= found}
    if not both:
        several = sorted(workload for workload, found in versions.items() if len(found) > 1)
        listed = "; ".join(
            f"{shown(workload)} has {', '.join(sorted(versions[workload])[:6])}" for workload in several[:6]
        )
        raise NothingFound(
            f"no workload has spans of both versions, {shown(before)} and {shown(after)}",
            listed or "No workload has spans of two versions",
        )
    return both


def _version(named: Resolved, both: set[str], edge: EdgeKey) -> str | None:
    """The version that the calls of an edge are of, "" where it is not known; None where none is compared."""
    for party in (edge.callee, edge.caller):
        if named.names.workload(party) in both:
            return party.group
    return None


def _note_what_is_left_out(named: Resolved, both: set[str], versions: tuple[str, str], notes: Notes) -> None:
    without, other = set(), Counter[str]()
    for edge, counts in named.report.edges.items():
        said = f"{named.names.workload(edge.caller)} → {named.names.workload(edge.callee)}"
        version = _version(named, both, edge)
        if version is None:
            without.add(said)
        elif version not in versions:
            other[said] += counts.calls
    notes.add(WITHOUT_VERSIONS, len(without), without)
    notes.add(OTHER_VERSIONS, other.total(), other)


def _side(named: Resolved, both: set[str], version: str) -> Side:
    """The calls of one version, as a report under the names of the whole one."""
    report, workload_of = named.report, named.names.workload
    edges = {key: counts for key, counts in report.edges.items() if _version(named, both, key) == version}
    ends = {workload_of(party) for key in edges for party in (key.caller, key.callee)} - both
    own = {party: counts for party, counts in report.workloads.items() if party.group == version}
    own = {party: counts for party, counts in own.items() if workload_of(party) in both}
    others = {party: counts for party, counts in report.workloads.items() if workload_of(party) in ends}
    of_version = Report(
        asked=report.asked,
        first_ns=report.first_ns,
        last_ns=report.last_ns,
        edges=edges,
        workloads=own | others,
        hosts=report.hosts,
        group_by="service",
    )
    received = Counter[str]()
    for party, counts in own.items():
        received[workload_of(party)] += counts.received
    resolved = Resolved(of_version, [report])
    head = head_of(resolved)
    spans = sum(counts.spans for counts in own.values())
    head["counts"] = {"traces": None, "spans": spans, "failed_traces": None, "fragments": None, "services": len(both)}
    head["version"] = version

    def requests(edge: EdgeName) -> int:
        """How many requests of this version could have led to a call of the edge."""
        return received[edge.callee if edge.callee in both else edge.caller]

    return side_of(resolved, _failing(named, both, version), head, requests)


def _failing(named: Resolved, both: set[str], version: str) -> set[tuple[str, str]]:
    """The edges on which errors of this version start."""
    found = set()
    for ends in where_errors_start(named):
        (caller, made_by), (callee, got_by) = (named.identity(name) for name in ends)
        if (got_by if callee in both else made_by) == version:
            found.add((caller, callee))
    return found
