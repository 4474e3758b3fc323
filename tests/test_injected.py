"""Faults put into a healthy recording: `why` names the workload that has it, and how it is broken.

Half of a shop's recorded requests are the baseline. In every second one of the others each workload in turn gets a
fault, on the level of the spans: it works longer, the way to it becomes longer, it fails, or it is called more often.
Times are kept consistent: whoever waited waits longer, and what came later comes later. Without a fault nobody gets
half of the score.
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

    def beneath(self, span: Json) -> list[Json]:
        """The span and all that it waited for or began."""
        return [other for other in self.spans if other is span or any(one is span for one in self.above(other))]

    def add(self, spans: list[Json], ids: dict[str, str]) -> None:
        """Copies of spans, whose parents are copies where those have one."""
        for span in spans:
            for ref in span["references"]:
                ref["spanID"] = ids.get(ref["spanID"], ref["spanID"])
        self.spans += spans

    def longer(self, span: Json, by_us: int = DELAY_US) -> None:
        """It ends later: what began after its end begins later, and who waited for it ends later."""
        end = span["startTime"] + span["duration"]
        for other in self.spans:
            if other["startTime"] >= end:
                other["startTime"] += by_us
        for waited in (span, *self.above(span)):
            waited["duration"] += by_us


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


def is_called_more(trace: Trace, span: Json) -> None:
    """Its caller makes the call three times more, one after another."""
    call = trace.parent(span)
    above = None if call is None else trace.parent(call)
    if call is None or above is None:
        return
    once, length = trace.beneath(call), call["duration"] + 100
    end = call["startTime"] + call["duration"]
    for other in trace.spans:
        if other["startTime"] >= end and not any(other is one for one in once):
            other["startTime"] += 3 * length
    for waited in (above, *trace.above(above)):
        waited["duration"] += 3 * length
    for again in (1, 2, 3):
        copies = json.loads(json.dumps(once))
        for copy in copies:
            copy["startTime"] += again * length
            copy["spanID"] = f"{again:04x}{copy['spanID'][4:]}"
        trace.add(copies, {one["spanID"]: copy["spanID"] for one, copy in zip(once, copies, strict=True)})


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


def test_whoever_calls_more_often_is_named_and_not_those_beneath(tmp_path: Path) -> None:
    """Who is called more often asks others more often itself, and is not to blame."""
    before = counted(halves()[0], tmp_path / "before.json")
    for service in called():
        data, callers = halves()[1], set()
        for trace in map(Trace, data[::2]):
            for span in trace.served_by(service)[:1]:
                callers |= {trace.service(above) for above in [trace.parent(span)] if above is not None}
                is_called_more(trace, span)
        first = causes(data, before, tmp_path)[0]
        assert ({first["service"]}, first["reason"]) == (callers, "more-calls")


def causes(data: list[Json], before: Baseline[WhyCounts], path: Path) -> list[Cause]:
    now = counted(data, path / "now.json")
    return why_document(now.report, now.counts, before)["causes"]
