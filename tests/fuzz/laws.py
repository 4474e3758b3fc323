"""What must hold of spans whatever they are, at every stage from them to documents: else an AssertionError."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from traceviz.analyze.critical import critical_path
from traceviz.analyze.report import Report, count_hops
from traceviz.analyze.tree import tree_document
from traceviz.asked import Asked
from traceviz.doctor import doctor
from traceviz.hops import hops
from traceviz.joining import homes, joined
from traceviz.notes import Notes
from traceviz.reconstruct import Forest, reconstruct
from traceviz.slow.document import slow_document
from traceviz.sources import gather
from traceviz.spans import Spans, concat
from traceviz.traces import Traces
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document


class Counted(NamedTuple):
    """What was counted of some traces for all commands."""

    report: Report
    rest: WhyCounts

    def merge(self, other: Counted) -> None:
        """Add what was counted of other traces."""
        self.report.merge(other.report)
        self.rest.merge(other.rest)


def through(spans: Spans) -> Counted:
    """What is counted of spans. Every stage checks itself, where checks are on."""
    spans.self_check()
    forest = reconstruct(spans)
    assert len(forest) == len(spans)
    noted = ("duplicate-spans", "differing-duplicates", "partial-reports")
    assert forest.duplicate.sum() == sum(forest.notes.count(code) for code in noted)
    found = hops(forest)
    _the_critical_path_has_no_gap(forest)
    rest = WhyCounts()
    for counts in (rest.slow, rest.behaviour, rest.checkup):
        counts.count_hops(found)
    rest.slow.self_check()
    return Counted(count_hops(found, view="tree"), rest)


def documents(counted: Counted) -> str:
    """Everything that is said of what was counted; raises for what JSON cannot say."""
    result, rest = counted
    said = (result.graph(), result.errors(), doctor(result, rest.checkup), slow_document(result, rest.slow))
    return json.dumps([*said, why_document(result, rest)], allow_nan=False)


def trees(spans: Spans) -> None:
    """The document of `traceviz tree` of every trace, with all of its spans."""
    for number in range(len(spans.trace_ids)):
        forest = reconstruct(spans.take(spans.trace == number))
        document = tree_document(forest, Asked(), Notes())
        assert len(document["spans"]) == len(forest) - forest.duplicate.sum()
        json.dumps(document, allow_nan=False)


def put_together(chunks: list[Spans], bound: int) -> tuple[Spans, Notes]:
    """The spans of chunks with torn traces put together, and what was noted. No span is lost, and none that was not
    torn off is in another trace than it was reported in."""
    with gather(chunks, bound) as gathered:
        traces = Traces(Asked(), gathered, control_plane=True)
        with joined(traces):
            batches = list(traces.batches())
    spans = concat(batches)
    assert len(spans) == sum(map(len, chunks))
    assert sum(len(batch.trace_ids) for batch in batches) == len(spans.trace_ids), "a trace stands in two batches"
    moved = [one for one, home in homes(spans) if one != home]
    assert len(moved) == traces.notes.count("requests-joined") + traces.notes.count("requests-joined-by-time")
    assert {one for one, _ in homes(spans)} == {one for chunk in chunks for one in chunk.trace_ids}
    return spans, traces.notes


def _the_critical_path_has_no_gap(forest: Forest) -> None:
    """The sections of a root follow each other from its start to its end."""
    found = critical_path(forest)
    root = forest.root[found.row]
    first = np.append(True, root[1:] != root[:-1])[: len(root)]
    last = np.append(root[1:] != root[:-1], True)[: len(root)]
    begin = forest.spans.start_ns + forest.shift_ns
    assert (found.start_ns < found.end_ns).all()
    assert (found.start_ns[first] == begin[root[first]]).all()
    assert (found.end_ns[last] == (begin + forest.spans.duration_ns)[root[last]]).all()
    assert (found.start_ns[~first] == found.end_ns[~last]).all()
    lasting = (forest.parent < 0) & ~forest.duplicate & (forest.spans.duration_ns > 0)
    assert sorted(root[first].tolist()) == np.flatnonzero(lasting).tolist()
