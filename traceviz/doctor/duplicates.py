"""Spans that were reported more than once."""

from __future__ import annotations

from collections.abc import Iterable

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe, level_of
from traceviz.doctor.tally import Tally, workload_groups, workload_sizes
from traceviz.hops import Hops
from traceviz.notes import explain_further
from traceviz.parties import Party

DUPLICATE_SPANS = explain_further(
    "duplicate-spans",
    """Sign, in `doctor`: spans that were reported again, by their service, with the same contents or with others.

    What to do: see whether spans reach the store in two ways (two exporters, two collectors), and whether senders
    repeat batches because the collector is slow.

    Threshold: a problem from 1 % of the reports; below that a fact, because a batch that is sent again after a time-out
    is as it should be.""",
)
describe(
    DUPLICATE_SPANS,
    "{count} {count:span|spans} of {service} {count:was|were} reported again, {share} of all that it reported; here "
    "each counts once, in Jaeger's own pages twice.",
    "See whether spans reach this store in two ways (two exporters, two collectors, an agent beside a direct export), "
    "or whether the collector is so slow that senders repeat their batches. The same trace in two files is nothing to "
    "mend.",
)


class DuplicateSpans:
    """Duplicates by workload, of all reports; not those of a span reported in pieces, as Zipkin allows."""

    def __init__(self) -> None:
        self._spans: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        forest = hops.forest
        timed = forest.spans.start_ns > 0
        for group in workload_groups(hops, forest.duplicate & timed):
            self._spans[hops.parties[group.number]].add(group.size, examples=group.examples)
        for number, size in workload_sizes(hops, timed):
            self._spans[hops.parties[number]].add(of=size)

    def merge(self, other: DuplicateSpans) -> DuplicateSpans:
        self._spans.merge(other._spans)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        for service, cases in self._spans.under(resolved.names.workload).met():
            yield Found(
                DUPLICATE_SPANS,
                level_of(cases.count, cases.of),
                service,
                (),
                cases.count,
                cases.share,
                "certain",
                cases.examples,
                {},
            )
