"""Traces that begin more than once, with nothing missing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Tally, workload_groups, workload_sizes
from traceviz.hops import Hops
from traceviz.notes import explain_further
from traceviz.parties import Party

SEVERAL_ROOTS = explain_further(
    "several-roots",
    """Sign, in `doctor`: spans that name no parent in a trace that had begun already, by their service. Roots whose
    parents are missing are told under missing-parents, and not here.

    Cause: a program that passes the trace id on without the id of a span, or with an empty x-b3-parentspanid; a job
    that uses one trace id for all its runs; a client that repeats a request with the headers of its first one.

    What to do: pass all of the headers on (`traceviz explain headers-not-forwarded` lists them).

    Threshold: one, because no tracer begins a trace twice.""",
)
describe(
    SEVERAL_ROOTS,
    "{count} {count:span|spans} of {service} {count:begins|begin} anew in a trace that had begun already, naming no "
    "parent, {share} of all that it begins: what it does there hangs under nothing.",
    "See what {service} passes on or takes over: with the trace id it needs the id of the span (x-b3-spanid, or the "
    "whole of b3 or traceparent), and an empty x-b3-parentspanid must not be sent. A job must not use one trace id "
    "for all its runs.",
)


class SeveralRoots:
    """Roots without a missing parent that are not the first of their trace, by workload; of all such roots."""

    def __init__(self) -> None:
        self._roots: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        forest = hops.forest
        root = (forest.parent < 0) & ~forest.duplicate & ~forest.orphan
        rows = np.flatnonzero(root)
        _, first = np.unique(forest.spans.trace[rows], return_index=True)
        later = root.copy()
        later[rows[first]] = False
        for group in workload_groups(hops, later):
            self._roots[hops.parties[group.number]].add(group.size, examples=group.examples)
        for number, size in workload_sizes(hops, root):
            self._roots[hops.parties[number]].add(of=size)

    def merge(self, other: SeveralRoots) -> SeveralRoots:
        self._roots.merge(other._roots)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        for service, cases in self._roots.under(resolved.names.workload).met():
            yield Found(SEVERAL_ROOTS, "problem", service, (), cases.count, cases.share, "certain", cases.examples, {})
