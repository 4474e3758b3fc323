"""Traces that came without spans which there must have been."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.answered import answered
from traceviz.doctor.check import Found, describe, level_of
from traceviz.doctor.tally import Cases, Tally, groups
from traceviz.hops import Hops
from traceviz.notes import EXAMPLES, define
from traceviz.parties import Party

INCOMPLETE_TRACES = define(
    "incomplete-traces",
    "{count} {count:trace lacks|traces lack} spans that there must have been",
    """Spans of a trace are not there, although something else shows that they were made.

    Sign: a call was answered well, and the callee has no span in that trace, although it reports in others (`service`
    is the callee). Or all roots of a trace, two or more, name parents that are missing, so that its beginning is gone.

    Cause: spans were lost (a collector's or an exporter's queue overflowed, a pod was killed before it had sent them),
    a pod of the callee without a sidecar or with another sampling rate, a store that reads only a part of a long trace,
    traces so new that their spans are still on the way.

    What to do: look at the dropped spans of the collector (`otelcol_exporter_send_failed_spans`,
    `jaeger_collector_spans_dropped_total`) and at the pods of the callee; ask for a window that ended a minute ago.

    Threshold: below 1 % of the calls, or of the traces, it is a fact: spans that come late are lost so in any window
    that ends now. From there on shares and latencies of the callee are no longer those of all its calls.""",
)
describe(INCOMPLETE_TRACES, "{what}: spans were lost, or are still on their way.", "{remedy}")


class IncompleteTraces:
    """Calls answered without a callee half, by caller and callee, and traces without their beginning."""

    def __init__(self) -> None:
        self._calls: Tally[tuple[Party, Party]] = Tally()
        self._headless = Cases()

    def count(self, hops: Hops) -> None:
        count_answered(hops, self._calls)
        forest = hops.forest
        trace, size = forest.spans.trace, len(forest.spans.trace_ids)
        root = (forest.parent < 0) & ~forest.duplicate
        whole = np.bincount(trace[root & ~forest.orphan], minlength=size)
        headless = np.flatnonzero((np.bincount(trace[root], minlength=size) > 1) & (whole == 0))
        examples = [forest.spans.trace_ids[i] for i in headless[:EXAMPLES].tolist()]
        self._headless.add(len(headless), size, examples)

    def merge(self, other: IncompleteTraces) -> IncompleteTraces:
        self._calls.merge(other._calls)
        self._headless.add(other._headless.count, other._headless.of, other._headless.examples)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        called = self._calls.under(lambda ends: resolved.names.workload(ends[1]))
        for callee, cases in called.met():
            if callee in resolved.reporting:
                yield _found(
                    callee,
                    cases,
                    f"{cases.count} of {cases.of} calls that {callee} answered well have no span of it, although it "
                    "reports others",
                    f"See whether all pods of {callee} have a sidecar, or the same instrumentation and sampling, and "
                    "whether its exporter or the collector drops spans.",
                )
        if self._headless.count:
            yield _found(
                None,
                self._headless,
                f"{self._headless.count} of {self._headless.of} traces have lost their beginning: all their roots name "
                "parents that are missing",
                "Ask for a longer window, or later; see whether the collector drops spans.",
            )


def _found(service: str | None, cases: Cases, what: str, remedy: str) -> Found:
    return Found(
        INCOMPLETE_TRACES,
        level_of(cases.count, cases.of),
        service,
        (),
        cases.count,
        cases.share,
        "certain",
        cases.examples,
        {"what": what, "remedy": remedy},
    )


def count_answered(hops: Hops, calls: Tally[tuple[Party, Party]]) -> None:
    """Count by caller and callee the calls that were answered well, and as cases those without a callee half."""
    arrived = answered(hops) & (hops.caller >= 0)
    ends = hops.caller * len(hops.parties) + hops.callee
    for rows, is_case in ((np.flatnonzero(arrived), False), (np.flatnonzero(arrived & (hops.callee_row < 0)), True)):
        for group in groups(hops.forest, hops.row[rows], ends[rows]):
            caller, callee = divmod(group.number, len(hops.parties))
            cases = calls[hops.parties[caller], hops.parties[callee]]
            if is_case:
                cases.add(group.size, examples=group.examples)
            else:
                cases.add(of=group.size)
