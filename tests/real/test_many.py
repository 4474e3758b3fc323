"""20,000 traces in a real Jaeger, of which one search gives 200: all of them come, each once, in bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.commands import Ended, started
from tests.real import traffic
from tests.real.jaegers import RealJaeger, Version
from traceviz.asking.collect import PAGE
from traceviz.asking.search import Api

pytestmark = pytest.mark.real

TRACES = 20_000
HOUR_NS = 3600 * 10**9
#: The APIs that each Jaeger is asked by; the last v1 has v3 too, but nobody is pointed to it there.
APIS: dict[Version, tuple[Api, ...]] = {"v2": ("v3", "v1"), "v1": ("v1",)}
#: What is noted of them: only that the gateway's name was guessed.
EXPECTED = {"gateway-assumed"}


class Holding(NamedTuple):
    """A Jaeger, the ids of all traces that were sent to it with their starts in µs, and a window that has them."""

    jaeger: RealJaeger
    starts_us: dict[str, int]
    from_ns: int
    to_ns: int


@pytest.fixture(scope="module", params=APIS)
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holding]:
    """One of both, holding everything."""
    with RealJaeger(tmp_path_factory.mktemp("many"), request.param) as jaeger:
        yield holding(jaeger)


def holding(jaeger: RealJaeger) -> Holding:
    """Send the traces."""
    to_ns = time.time_ns() // 10**9 * 10**9
    from_ns = to_ns - HOUR_NS
    starts_us: dict[str, int] = {}

    def noted() -> Iterator[list[dict[str, Any]]]:
        for spans in traffic.traces(TRACES, from_ns, to_ns):
            starts_us[spans[0]["traceId"]] = spans[0]["timestamp"]
            yield spans

    traffic.send(jaeger.zipkin_url, noted())
    assert len(starts_us) == TRACES
    traffic.wait_until_stored(jaeger.url, list(starts_us))
    return Holding(jaeger, starts_us, from_ns, to_ns)


def run(command: str, held: Holding, api: Api, from_us: int, *options: str) -> tuple[Ended, float]:
    """Run a command over all that began since, and its peak memory in MB."""
    window = ("--from", str(from_us), "--to", str(held.to_ns // 1000))
    to = ("--url", held.jaeger.url, "--api", api, "--service", "istio-ingress")
    process = started(command, *to, *window, "--all", *options)
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(process.returncode, out, err), usage.ru_maxrss / 1024


def in_file(path: Path) -> tuple[Counter[str], int]:
    """How often each trace stands in a dump, and the number of spans; read without traceviz."""
    lines: Counter[str] = Counter()
    spans = 0
    with gzip.open(path) as file:
        header = json.loads(next(file))["traceviz"]
        assert {note["code"] for note in header["notes"]} == EXPECTED
        for text in file:
            line = json.loads(text)
            ids = list(ids_of(line))
            lines.update(set(ids))
            spans += len(ids)
    return lines, spans


def ids_of(line: dict[str, Any]) -> Iterator[str]:
    """The trace id of every span of a line, in either form."""
    for trace in line.get("data", ()):
        yield from (span["traceID"].zfill(32) for span in trace["spans"])
    for resource in line.get("resourceSpans", ()):
        for scope in resource["scopeSpans"]:
            yield from (span["traceId"] for span in scope["spans"])


def test_fetch_keeps_every_trace_once_with_all_its_spans(held: Holding, tmp_path: Path) -> None:
    assert PAGE * 20 < TRACES
    for api in APIS[held.jaeger.version]:
        file = tmp_path / f"{api}.jsonl.gz"
        ended, _ = run("fetch", held, api, held.from_ns // 1000, "-O", str(file))
        assert ended.code == 0, ended.err
        lines, spans = in_file(file)
        assert lines.keys() == held.starts_us.keys()
        assert set(lines.values()) == {1}
        assert spans == TRACES * traffic.SPANS


def test_graph_counts_all_of_them_and_needs_no_more_memory_than_for_half(held: Holding) -> None:
    middle_us = sorted(held.starts_us.values())[TRACES // 2]
    peaks_mb = []
    for from_us in (middle_us, held.from_ns // 1000):
        ended, peak_mb = run("graph", held, APIS[held.jaeger.version][0], from_us, "-o", "json")
        document = ended.json()
        expected = sum(start_us >= from_us for start_us in held.starts_us.values())
        assert document["counts"]["traces"] == expected
        assert document["counts"]["spans"] == expected * traffic.SPANS
        assert (document["seen"]["share"], document["seen"]["full"], document["seen"]["failed"]) == (1, [], [])
        assert {note["code"] for note in document["notes"]} == EXPECTED
        peaks_mb.append(peak_mb)
    assert peaks_mb[1] < 1.2 * peaks_mb[0]
