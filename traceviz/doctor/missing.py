"""Spans whose parents are not there: the call above them is not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe, level_of
from traceviz.doctor.tally import Tally, workload_groups, workload_sizes
from traceviz.hops import Hops
from traceviz.notes import explain_further
from traceviz.parties import Party
from traceviz.roles import Role, on_callers_side
from traceviz.spans import Bools

MISSING_PARENTS = explain_further(
    "missing-parents",
    """Sign, in `doctor`: such spans by their service, and their share of its spans that name a parent. Where a trace
    has no other root its caller is outside, with a trace of its own, which is a fact.

    What to do: let all who call the service send their spans to this Jaeger, programs as well as proxies, and sample
    alike.

    Threshold: a problem from 1 % of the spans that name a parent; below that a fact, because in any window that ends
    now some spans are still on their way.""",
)
describe(
    MISSING_PARENTS,
    "{count} {count:span|spans} of {service} {count:names a parent that is|name parents that are} not among the spans "
    "read, {share} of those that name one: {meaning}.",
    "{remedy}",
)


#: Whose span is missing: the caller's; one of the workload itself; or the caller's, who is outside of these traces.
Whose = Literal["caller", "own", "outside"]


class MissingParents:
    """Orphans by their workload and by whose span is missing; of all its spans that name a parent."""

    def __init__(self) -> None:
        self._orphans: Tally[tuple[Party, Whose]] = Tally()
        self._naming: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        forest = hops.forest
        trace, root = forest.spans.trace, (forest.parent < 0) & ~forest.duplicate
        alone = np.bincount(trace[root], minlength=len(forest.spans.trace_ids))[trace] == 1
        # What goes out of a workload hangs under something that it did itself.
        inward = on_callers_side(forest.role) | (forest.role == Role.INTERNAL) | (forest.role == Role.INSIDE)
        orphan = forest.orphan & root
        chosen: dict[Whose, Bools] = {
            "caller": orphan & ~alone & ~inward,
            "own": orphan & ~alone & inward,
            "outside": orphan & alone,
        }
        for whose, rows in chosen.items():
            for group in workload_groups(hops, rows):
                self._orphans[hops.parties[group.number], whose].add(group.size, examples=group.examples)
        for number, size in workload_sizes(hops, (forest.spans.parent_id != 0) & ~forest.duplicate):
            self._naming[hops.parties[number]].add(of=size)

    def merge(self, other: MissingParents) -> MissingParents:
        self._orphans.merge(other._orphans)
        self._naming.merge(other._naming)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        naming = self._naming.under(resolved.names.workload)
        for (service, whose), cases in self._orphans.under(lambda key: (resolved.names.workload(key[0]), key[1])).met():
            of = naming[service].of
            yield Found(
                MISSING_PARENTS,
                "fact" if whose == "outside" else level_of(cases.count, of),
                service,
                (),
                cases.count,
                round(cases.count / of, 6),
                "certain",
                cases.examples,
                {"meaning": _MEANING[whose], "remedy": _REMEDY[whose].format(service=service)},
            )


_MEANING: dict[Whose, str] = {
    "caller": "who called it there is not known, and no edge shows those calls",
    "own": "they are what it did or whom it called, so that it is a span of its own that is missing above them",
    "outside": "each is the only root of its trace, so that the request came with a trace of its caller's, who reports "
    "elsewhere or not at all",
}
_REMEDY: dict[Whose, str] = {
    "caller": "See whether all who call {service} send their spans to this Jaeger, programs as well as proxies, and "
    "sample as it does. The newest traces may still be on their way: ask again.",
    "own": "See where the program {service} sends its own spans (OTEL_EXPORTER_OTLP_ENDPOINT), and let them come to "
    "this Jaeger, too; or switch its tracer off, and let it pass the headers on as they came.",
    "outside": "Nothing, if callers outside send tracing headers of their own.",
}
