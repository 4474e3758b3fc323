"""Traces of one read, told apart by the versions that they went through: `--baseline-version v1`.

Most workloads have one version, and that is often called v1. So only those count that have the version and another one:
traces that went through the version of these alone are the baseline, those that met another one are what is compared
with it. Which workloads have several versions is known after the last merge; until then traces are counted by all
(workload, version) that they met.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Generic, NamedTuple

import numpy as np

from traceviz.analyze.counting import Baseline, Counted, Counts
from traceviz.analyze.kept import kept
from traceviz.analyze.report import Report
from traceviz.errors import NothingFound
from traceviz.notes import Notes, define
from traceviz.reconstruct import Forest, reconstruct
from traceviz.sources.names import shown

#: So many combinations of versions are told apart.
MOST_COMBINATIONS = 64

WITHOUT_VERSION = define(
    "without-version",
    "{count} {count:trace was|traces were} not compared: {count:it|they} met no workload of which there is the version "
    "beside another one",
    """`--baseline-version v1` compares traces that went through v1 of a workload with those that went through another
    version of it. What went through none of them belongs to neither side.

    Sign: the count. Nothing to do, unless the versions are not in the spans: `istio.canonical_revision`,
    `service.version` and `version` are read.""",
)
COMBINATIONS_CUT = define(
    "combinations-cut",
    f"{{count}} {{count:trace was|traces were}} not compared: there are more than {MOST_COMBINATIONS} combinations of "
    "versions",
    f"""`--baseline-version` counts traces by the versions of all workloads that they met, {MOST_COMBINATIONS}
    combinations of them. With more, some are left out, which follows from their names alone.

    What to do: `--service` with the workload whose versions are meant, or a shorter `--since`.""",
)


class Member(NamedTuple):
    """A version of a workload."""

    workload: str
    namespace: str
    version: str


Combination = frozenset[Member]


class ByVersions(Generic[Counts]):
    """What is counted, by the combination of versions that traces met. `merge` is associative and commutative."""

    def __init__(self, fresh: Callable[[], Counts]) -> None:
        self._fresh = fresh
        self._counted: dict[Combination, Counted[Counts]] = {}
        self._left_out = 0

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give the Report of all of them."""
        of_combination: dict[Combination, list[int]] = defaultdict(list)
        for trace, combination in enumerate(_combinations(forest)):
            of_combination[combination].append(trace)
        whole = Report()
        whole.notes.merge(forest.spans.notes)
        for combination, traces in of_combination.items():
            counted = Counted(self._fresh())
            counted.add(reconstruct(forest.spans.take(np.isin(forest.spans.trace, traces))))
            whole.merge(counted.report)
            self._of(combination).merge(counted)
        self._bound()
        return whole

    def merge(self, other: ByVersions[Counts]) -> ByVersions[Counts]:
        """Add what was counted of other traces, and give these counts back."""
        for combination, counted in other._counted.items():
            self._of(combination).merge(counted)
        self._left_out += other._left_out
        self._bound()
        return self

    def sides(self, version: str, whole: Report) -> tuple[Counted[Counts], Baseline[Counts]]:
        """What met other versions, and what met this one; all notes of the `whole` are with the former.

        Raises NothingFound where there are no traces of either."""
        versions: dict[tuple[str, str], set[str]] = defaultdict(set)
        for combination in self._counted:
            for member in combination:
                versions[member.workload, member.namespace].add(member.version)
        several = {workload for workload, known in versions.items() if version in known and len(known) > 1}
        if not several:
            known = sorted({member.version for combination in self._counted for member in combination})
            hint = f"Versions: {', '.join(map(shown, known[:12]))}" if known else "No span says its version"
            raise NothingFound(f"no workload has version {shown(version)} beside another one", hint)
        now, before = Counted(self._fresh()), Counted(self._fresh())
        untouched = 0
        for combination, counted in self._counted.items():
            met = {member.version for member in combination if (member.workload, member.namespace) in several}
            if not met:
                untouched += counted.report.traces
                continue
            (before if met == {version} else now).merge(counted)
        for side, which in ((now, "other versions"), (before, f"version {shown(version)} alone")):
            if not side.report.traces:
                raise NothingFound(f"no trace went through {which}", "Ask for a longer time")
            side.report.asked = whole.asked
            side.report.notes = Notes()
        now.report.notes.merge(whole.notes)
        now.report.notes.add(WITHOUT_VERSION, untouched)
        now.report.notes.add(COMBINATIONS_CUT, self._left_out)
        return now, Baseline(before.report, before.counts, version)

    def _of(self, combination: Combination) -> Counted[Counts]:
        return self._counted.setdefault(combination, Counted(self._fresh()))

    def _bound(self) -> None:
        names = {repr(sorted(combination)): combination for combination in self._counted}
        if len(names) > MOST_COMBINATIONS:
            for name in names.keys() - kept(names, MOST_COMBINATIONS):
                self._left_out += self._counted.pop(names[name]).report.traces


def _combinations(forest: Forest) -> list[Combination]:
    """Per trace the versions that it met."""
    spans, texts = forest.spans, forest.spans.texts
    columns = np.stack((spans.trace, forest.workloads.of_row, spans.tag("version"))).astype(np.int64)
    found: list[set[Member]] = [set() for _ in spans.trace_ids]
    for trace, workload, version in np.unique(columns, axis=1).T.tolist():
        if version:
            key = forest.workloads.keys[workload]
            found[trace].add(Member(key.own_name, key.namespace, texts[version]))
    return [frozenset(members) for members in found]
