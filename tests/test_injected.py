"""Faults put into a healthy recording: `why` names the workload that has it, and how it is broken.

Half of a shop's recorded requests are the baseline. In every second one of the others each workload in turn gets a
fault, on the level of the spans: it works longer, the way to it becomes longer, or it fails. Times are kept consistent:
whoever waited waits longer, and what came later comes later. Without a fault nobody gets half of the score.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from traceviz.analyze.counting import Baseline
from traceviz.documents import Cause
from traceviz.library import load
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

RECORDING = ROOT / "fixtures" / "shop_healthy.json.gz"
DELAY_US = 30_000

Json = dict[str, Any]


def tags(span: Json) -> Json:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


class Trace:
    """A trace of Jaeger's v1 JSON, whose spans are changed in place."""

    def __init__(self, trace: Json) -> None:
        self.spans: list[Json] = trace["spans"]
        self._processes = trace["processes"]
        self._by_id = {span["spanID"]: span for span in self.spans}

    def service(self, span: Json) -> str:
        return str(self._processes[span["processID"]]["serviceName"])

    def parent(self, span: Json) -> Json | None:
        return next(
            (self._by_id.get(ref["spanID"]) for ref in span["references"] if ref["refType"] == "CHILD_OF"), None
        )

    def served_by(self, service: str) -> list[Json]:
        """The callee's halves of calls to a service, of which somebody waits for the answer."""
        return [s for s in self.spans if self.service(s) == service and tags(s).get("span.kind") == "server"]

    def above(self, span: Json) -> Iterator[Json]:
        """Who waited for it, from its caller's half up."""
        at = self.parent(span)
        while at is not None:
            yield at
            at = self.parent(at)

    def longer(self, span: Json) -> None:
        """It ends later: what began after its end begins later, and who waited for it ends later."""
        end = span["startTime"] + span["duration"]
        for other in self.spans:
            if other["startTime"] >= end:
                other["startTime"] += DELAY_US
        for waited in (span, *self.above(span)):
            waited["duration"] += DELAY_US


def works_longer(trace: Trace, span: Json) -> None:
    trace.longer(span)


def way_is_longer(trace: Trace, span: Json) -> None:
    """Its caller's half alone is longer: the answer comes late."""
    if (caller := trace.parent(span)) is not None:
        trace.longer(caller)


def fails(trace: Trace, span: Json) -> None:
    """It fails, and so does everybody who waited for it."""
    for failed in (span, *trace.above(span)):
        failed["tags"] += [{"key": "error", "type": "bool", "value": True}]


def counted(data: list[Json], path: Path) -> Baseline[WhyCounts]:
    path.write_text(json.dumps({"data": data}))
    counts = WhyCounts()
    return Baseline(counts.count(load(str(path))), counts)


def halves() -> tuple[list[Json], list[Json]]:
    data = json.loads(gzip.decompress(RECORDING.read_bytes()))["data"]
    return data[::2], data[1::2]


def called() -> list[str]:
    """Who is called by somebody in most requests."""
    traces = [Trace(trace) for trace in halves()[1]]
    names = sorted({trace.service(span) for trace in traces for span in trace.spans})
    reached = {name: sum(any(t.parent(s) for s in t.served_by(name)) for t in traces) for name in names}
    return [name for name in names if reached[name] > len(traces) / 2]


@pytest.mark.parametrize(
    ("fault", "reason"), [(works_longer, "slow"), (way_is_longer, "network"), (fails, "application-error")]
)
def test_the_workload_with_the_fault_is_named(
    fault: Callable[[Trace, Json], None], reason: str, tmp_path: Path
) -> None:
    usual, healthy = halves()
    before = counted(usual, tmp_path / "before.json")
    chance = causes(healthy, before, tmp_path)[0]["score"]
    named = {}
    for service in called():
        data = halves()[1]
        for trace in map(Trace, data[::2]):
            for span in trace.served_by(service)[:1]:
                fault(trace, span)
        first = causes(data, before, tmp_path)[0]
        assert first["score"] > 2 * chance
        named[service] = (first["service"], first["reason"])
    assert named == {service: (service, reason) for service in called()}
    assert len(named) >= 4


def causes(data: list[Json], before: Baseline[WhyCounts], path: Path) -> list[Cause]:
    now = counted(data, path / "now.json")
    return why_document(now.report, now.counts, before)["causes"]
