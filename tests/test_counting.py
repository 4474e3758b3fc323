"""What is counted beside a report: merged without a trace of it in what was merged, and told apart by version."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.conftest import MESH
from traceviz import load
from traceviz.analyze.counting import Countable, Counted, ReportAlone
from traceviz.commands.slow import Profiled
from traceviz.doctor import Checkup
from traceviz.reconstruct import Forest, reconstruct
from traceviz.slow.counts import SlowCounts
from traceviz.slow.document import slow_document
from traceviz.why.behaviour import BehaviourCounts
from traceviz.why.by_version import ByVersions
from traceviz.why.counts import WhyCounts

COUNTS: tuple[Callable[[], Any], ...] = (
    ReportAlone,
    SlowCounts,
    BehaviourCounts,
    Checkup,
    WhyCounts,
    Profiled,
    partial(ByVersions, SlowCounts),
)


def thirds(case: str) -> list[Forest]:
    spans = load(str(MESH / case / "v3" / "traces.json.gz")).spans
    return [reconstruct(spans.take(spans.trace % 3 == part)) for part in range(3)]


def counted(fresh: Callable[[], Countable], *forests: Forest) -> Counted[Any]:
    result = Counted(fresh())
    for forest in forests:
        result.add(forest)
    return result


@pytest.mark.parametrize("fresh", COUNTS)
def test_what_is_merged_stays_as_it_is_whatever_is_added_later(fresh: Callable[[], Countable]) -> None:
    first, second, third = (counted(fresh, forest) for forest in thirds("two_faults"))
    before = [pickle.dumps(one) for one in (first, second)]
    for _ in range(2):
        shown = Counted(fresh())
        for one in (first, second, third):
            shown.merge(one)
    assert [pickle.dumps(one) for one in (first, second)] == before


def test_versions_are_told_apart_alike_in_one_batch_and_in_several() -> None:
    parts = thirds("version_slow")
    whole = reconstruct(load(str(MESH / "version_slow" / "v3" / "traces.json.gz")).spans)
    by_version = partial(ByVersions, SlowCounts)
    merged = counted(by_version, parts[0])
    merged.merge(counted(by_version, *parts[1:]))
    documents = []
    for read in (counted(by_version, whole), merged):
        now, before = read.counts.sides("v1", read.report)
        documents.append(slow_document(now.report, now.counts, before))
    assert documents[0] == documents[1]


def test_what_is_noted_of_all_traces_is_noted_once() -> None:
    spans = load(str(MESH / "version_slow" / "v3" / "traces.json.gz")).spans
    forest = reconstruct(spans.take(np.arange(len(spans)) % 17 != 0))  # parents are missing
    read = counted(partial(ByVersions, SlowCounts), forest)
    noted = ReportAlone().count(forest).notes.documents()
    assert noted
    now, before = read.counts.sides("v1", read.report)
    assert read.report.notes.documents() == noted
    assert [note for note in now.report.notes.documents() if note["code"] != "without-version"] == noted
    assert before.report.notes.documents() == []
