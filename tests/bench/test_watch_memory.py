"""A watch runs for days: what it holds in memory must not grow with the rounds.

The installed command follows a server that has new traces all the time; the server is in this process, so that what
is measured is the command's own.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.commands import started
from tests.unruly import NOT_FOUND, RECORDING, Exchange, Unruly, unruly
from traceviz.demo.answers import Answer

pytestmark = pytest.mark.bench

EVERY_US = 20_000
SETTLE_S = 1
SINCE_S = 5
WARM_UP = 100
ROUNDS = 200
STATUS = Path("/proc/self/status")


def running(number: int) -> dict[str, Any]:
    """A recorded trace that begins at so many times 20 ms after 1970, under an id of its own."""
    recorded = RECORDING.traces[number % len(RECORDING.traces)].v1
    trace_id = f"{number:032x}"
    shift_us = number * EVERY_US - min(span["startTime"] for span in recorded["spans"])
    spans = [
        {
            **span,
            "traceID": trace_id,
            "startTime": span["startTime"] + shift_us,
            "references": [{**reference, "traceID": trace_id} for reference in span["references"]],
        }
        for span in recorded["spans"]
    ]
    return {**recorded, "traceID": trace_id, "spans": spans}


def behave(exchange: Exchange) -> None:
    """A Jaeger of v1 whose traces never end, each of them all there 0.2 s after it has begun."""
    route, query = urlsplit(exchange.path)[2:4]
    if route == "/api/services":
        data: list[Any] = RECORDING.services()
    elif route == "/api/traces":
        start, end, limit = (int(parse_qs(query)[name][0]) for name in ("start", "end", "limit"))
        last = min(end, time.time_ns() // 1000 - 200_000) // EVERY_US
        first = max(-(-start // EVERY_US), last - limit + 1)
        data = [running(number) for number in range(last, first - 1, -1)]
    else:
        exchange.send(NOT_FOUND)
        return
    exchange.send(Answer(200, "application/json", json.dumps({"data": data, "errors": None}).encode()))


@contextmanager
def watching(command: str) -> Iterator[tuple[Unruly, subprocess.Popen[bytes]]]:
    """A server, and a command that follows it."""
    times = ("--watch", "100ms", "--settle", f"{SETTLE_S}s", "--since", f"{SINCE_S}s")
    with unruly(behave) as server:
        asked = ("--url", server.url, "--api", "v1", "--service", "istio-ingress")
        process = started(command, *asked, *times, "-o", "json")
        try:
            yield server, process
        finally:
            process.terminate()
            process.communicate()


def resident_kb(process: subprocess.Popen[bytes]) -> int:
    """What a process holds in memory."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says so what a process holds")
@pytest.mark.parametrize("command", ["graph", "errors", "why"])
def test_memory_stays_flat_over_200_rounds(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with watching(command) as (server, process):
        assert process.stdout is not None
        counts, held_kb, asked = [], [], []
        for _ in range(WARM_UP + ROUNDS):
            counts.append(json.loads(process.stdout.readline())["counts"]["traces"])
            held_kb.append(resident_kb(process))
            asked.append(len(server.asked))
    warm_kb, most_kb = max(held_kb[:WARM_UP]), max(held_kb[WARM_UP:])
    with capsys.disabled():
        print(f"\n{command}: {warm_kb / 1024:.1f} MB after {WARM_UP} rounds, at most {most_kb / 1024:.1f} MB", end="")
        print(f" in {ROUNDS} more, of {counts[-1]} traces each", end="")
    shown = SINCE_S * 10**6 // EVERY_US
    assert all(0.8 * shown <= count <= 1.1 * shown for count in counts[WARM_UP:])
    assert most_kb <= 1.1 * warm_kb
    later = [urlsplit(path) for path in server.asked[asked[0] :]]
    searches = [parse_qs(path.query) for path in later if path.path == "/api/traces"]
    assert len(searches) >= WARM_UP + ROUNDS
    # The first round read all of the window; the others ask for the settle time, and for what has passed since.
    lengths_us = [int(search["end"][0]) - int(search["start"][0]) for search in searches]
    assert max(lengths_us) < 2 * SETTLE_S * 10**6
