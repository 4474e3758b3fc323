"""What library users call: `load` and `fetch`, reports and drawings of what was loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import graphviz

from traceviz import fetching
from traceviz.analyze.by_version import diff_versions as compared_versions
from traceviz.analyze.counting import Baseline, Counts
from traceviz.analyze.diff import diff as compared
from traceviz.analyze.groups import GROUP_BY, GroupBy
from traceviz.analyze.report import VIEWS, Report, View, report
from traceviz.asked import Asked
from traceviz.asking.access import Access
from traceviz.doctor import Checkup, doctor
from traceviz.documents import DiffDocument, DoctorDocument, SlowDocument, TreeDocument, WhyDocument
from traceviz.errors import NothingFound, UsageError
from traceviz.fetching import Fetched
from traceviz.keeping.anonymize import Anonymizer
from traceviz.keeping.dump import is_begun
from traceviz.notes import Notes
from traceviz.one_trace import OneTrace, of_trace, only_trace_named
from traceviz.reconstruct import Forest, reconstruct
from traceviz.render import render as render_document
from traceviz.slow.counts import SlowCounts
from traceviz.slow.document import slow_document
from traceviz.sources.names import shown
from traceviz.spans import concat
from traceviz.target import jaeger_meant, open_target
from traceviz.trace_name import read_trace_name
from traceviz.traces import listed
from traceviz.wanted import DEFAULT_COMPLETE, read_wanted
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document


@dataclass(frozen=True, eq=False)
class LoadedForest(Forest):
    """The Forest of everything that a target holds; `report()` counts it."""

    asked: Asked
    reading: Notes

    def report(self, *, group_by: GroupBy = "service", view: View = "graph") -> Report:
        """The Report of these traces, to be merged with others that were counted alike, drawn, or turned into networkx.

        `group_by` ("version", "namespace", "pod", "operation") tells the workloads apart; with `view` "tree" every
        service is also counted in each context that it is called in, and drawn so. Raises UsageError for others.
        """
        check_choice("group_by", group_by, GROUP_BY)
        check_choice("view", view, VIEWS)
        result = report(self, group_by=group_by, view=view)
        result.asked = self.asked
        result.notes.merge(self.reading)
        return result

    def _counted(self, counts: Counts) -> tuple[Report, Counts]:
        result = counts.count(self)
        result.asked = self.asked
        result.notes.merge(self.reading)
        return result, counts

    def doctor(self, service: str | None = None) -> DoctorDocument:
        """The document of `traceviz doctor -o json`: what is wrong with these traces, or what of it is on one service.
        Load all services for it: what is torn off a service's traces has no span of it."""
        result, checkup = self._counted(Checkup())
        return doctor(result, checkup, service)

    def slow(self, baseline: LoadedForest | None = None) -> SlowDocument:
        """The document of `traceviz slow -o json`: where the time went that users waited, against other traces or these
        traces' own fast requests."""
        before = None if baseline is None else Baseline(*baseline._counted(SlowCounts()))
        return slow_document(*self._counted(SlowCounts()), before)

    def why(self, baseline: LoadedForest | None = None) -> WhyDocument:
        """The document of `traceviz why -o json`: which workload to look at first, compared with other traces where
        they are given."""
        before = None if baseline is None else Baseline(*baseline._counted(WhyCounts()))
        return why_document(*self._counted(WhyCounts()), before)

    def tree(self, trace: str) -> TreeDocument:
        """The document of `traceviz tree -o json` of one of these traces, by its id, the start of it, or the URL of its
        page. Raises NothingFound where none is meant, UsageError where several are, or the text names no trace."""
        name = read_trace_name(trace)
        if name is None:
            raise UsageError(f"{shown(trace)} is no id of a trace", "32 hex digits, or the start of them")
        remedy = "They are the trace_ids of the forest's spans"
        trace_id = only_trace_named(name, self.spans.trace_ids, remedy, listed(self.asked.source))
        return OneTrace(of_trace(self.spans, trace_id), self.asked, self.reading).document()


def load(
    target: str | Sequence[str],
    *,
    service: str | None = None,
    operation: str | None = None,
    min_duration: str | None = None,
    max_duration: str | None = None,
    tags: Mapping[str, str] | None = None,
    since: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    limit: int | None = None,
    everything: bool = False,
    complete: int = DEFAULT_COMPLETE,
    api: Literal["auto", "v3", "v1"] = "auto",
    ui_url: str | None = None,
    control_plane: bool = False,
    join_requests: bool = False,
    access: Access | None = None,
) -> LoadedForest:
    """Read traces: the URL of a Jaeger, or file names, globs and `-`, selected as the command line does.

    `since` and the durations of a span are texts like "10m", `from_` and `to` instants (RFC 3339, epoch, "now-1h").
    `operation`, durations and `tags` ({"http.status_code": "504"}) have to be on one and the same span of the service.
    A Jaeger gives the newest 1,000 traces of the last hour where nothing is said; `limit` another number of them,
    `everything` all; `control_plane` also gives the spans of Istio's Mixer and of Jaeger itself; `join_requests`
    puts torn traces of one request together. `complete` is how many traces with missing parents are asked for again by
    id. `access` says how to reach it and as whom; variables and
    contexts are the command line's, and not looked at.

    Everything is held in memory. Raises a `TracevizError` where nothing could be reached, read or found.
    """
    conditions = (service, operation, min_duration, max_duration, _written(tags), since, from_, to)
    wanted = read_wanted(*conditions, limit, everything, complete, api, ui_url, control_plane, join_requests)
    with open_target([target] if isinstance(target, str) else target, wanted, access) as traces:
        batches = list(traces.batches())
        if not batches:
            raise NothingFound(f"there is no trace in {', '.join(traces.asked.source)} for what was asked")
        forest = reconstruct(concat(batches))
        reading = Notes()
        reading.merge(traces.notes)
        reading.merge(traces.gathered.notes)
        columns = {field.name: getattr(forest, field.name) for field in fields(Forest)}
        return LoadedForest(**columns, asked=traces.asked, reading=reading)


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    service: str | None = None,
    operation: str | None = None,
    min_duration: str | None = None,
    max_duration: str | None = None,
    tags: Mapping[str, str] | None = None,
    since: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    limit: int | None = None,
    everything: bool = False,
    complete: int = DEFAULT_COMPLETE,
    api: Literal["auto", "v3", "v1"] = "auto",
    ui_url: str | None = None,
    access: Access | None = None,
    anonymize: bool = False,
    resume: bool = False,
) -> Fetched:
    """Write a Jaeger's traces, selected as `load` does, to a file (.jsonl or .jsonl.gz), a trace a line. `load` reads
    them back. Memory does not grow with them.

    `anonymize` replaces names, hosts, URLs and ids by pseudonyms, and keeps shape, times, statuses and flags. Where the
    fetch was interrupted, or a part of the window failed (`complete` is False in what comes back), the same call with
    `resume` goes on with the file; without it, a file that is there already is an error.

    Raises a `TracevizError` where nothing could be reached or found, or the file cannot be written.
    """
    conditions = (service, operation, min_duration, max_duration, _written(tags), since, from_, to)
    wanted = read_wanted(*conditions, limit, everything, complete, api, ui_url)
    jaeger = jaeger_meant([url], access or Access())
    if jaeger is None:
        raise UsageError(f"{shown(url)} is no URL of a Jaeger", "It begins with http:// or https://")
    if resume and anonymize:
        raise UsageError(
            "resume and anonymize exclude each other: other pseudonyms would stand in the rest of the file"
        )
    if resume and is_begun(path):
        return fetching.resume(jaeger, wanted, path)
    return fetching.fetch(jaeger, wanted, path, anonymizer=Anonymizer() if anonymize else None)


def render(
    report: Report | TreeDocument | DiffDocument, format: str, *, theme: Literal["light", "dark"] = "light"
) -> str | bytes:
    """The service graph of a report, a call tree or a comparison, as "svg", "png", "pdf", "dot", "mermaid", "json",
    "csv", "table" or "wide"; the graph also as "nodegraph" (Grafana) or "cytoscape".

    Text formats give str, drawings and PDF bytes. Raises `DrawingFailed` where the layout engine does.
    """
    if not isinstance(report, Report):
        return render_document(report, format, theme=theme)
    return render_document(report.graph(), format, errors=report.errors(), ui_url=report.asked.ui_url, theme=theme)


def diff(before: Report | LoadedForest, after: Report | LoadedForest) -> DiffDocument:
    """The document of `traceviz diff -o json`: which edges were added, removed, got worse or better between two reports
    that are grouped alike, and which of it is beyond chance. `render` draws it. Raises UsageError for others."""
    one, other = (side.report() if isinstance(side, LoadedForest) else side for side in (before, after))
    return compared(one, other)


def diff_versions(report: Report, before: str, after: str) -> DiffDocument:
    """The same of two versions in one report, which is grouped by version: the calls to and from each of them.

    Raises NothingFound where no workload has both, UsageError where the report is not grouped so."""
    return compared_versions(report, before, after)


def to_graphviz(report: Report, *, theme: Literal["light", "dark"] = "light") -> graphviz.Source:
    """The service graph as a `graphviz.Source`: a notebook shows it, and the system's Graphviz renders it with any of
    its engines and formats. `render` needs no Graphviz."""
    return graphviz.Source(str(render(report, "dot", theme=theme)))


def check_choice(name: str, given: str, choices: Sequence[str]) -> None:
    """Raise UsageError where what was given is none of the choices."""
    if given not in choices:
        raise UsageError(f"{name} is never {shown(str(given))}", f"It is one of {', '.join(choices)}")


def _written(tags: Mapping[str, str] | None) -> list[str]:
    return [f"{name}={value}" for name, value in (tags or {}).items()]
