"""What collecting costs, beside the same requests made by a client that throws the answers away.

A real Jaeger holds 10,000 traces. traceviz collects all of them, with a page of 200; the bare client then asks for the
same URLs with the same headers, in the same order, as many at a time. Both run in fresh processes, one after the other
again and again; their time begins after start-up, ends with the last byte used, and is the wall's, because what is
asked is how much longer somebody waits. The CPU time of the client alone is printed beside it.

That is measured in two places. "Apart" the Jaeger has one processor and the clients have the others, as it is where a
Jaeger runs on another machine: at most 1.1 on v1 and 1.5 on v3 is wanted there. "Together" they share all processors,
and on a machine with few of them, which the Jaeger keeps busy, every moment of work of the client is one of waiting.
The figures are printed; what is asserted is above them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.commands import environment
from tests.real import traffic
from tests.real.jaegers import RealJaeger, Version
from tests.unruly import Exchange, Unruly, unruly
from traceviz.asking.search import Api
from traceviz.demo.answers import Answer

pytestmark = pytest.mark.bench

TRACES = 10_000
HOUR_NS = 3600 * 10**9
RUNS = 3
PARALLEL = 4

COLLECT = """
import gc
gc.set_threshold(500_000)  # as the command line does
from traceviz.live import open_jaeger
from traceviz.asking.access import Access
from traceviz.asking.oversight import Oversight
from traceviz.wanted import Wanted
began, worked = time.perf_counter(), time.process_time()
wanted = Wanted("istio-ingress", from_ns=given["from_ns"], to_ns=given["to_ns"], everything=True, api=given["api"])
with open_jaeger(Access(given["url"], parallel=given["parallel"]), wanted, Oversight()) as traces:
    got = traces.gathered.spans
"""
ASK = """
import requests
from concurrent.futures import ThreadPoolExecutor
began, worked = time.perf_counter(), time.process_time()
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=given["parallel"]))
session.headers = given["headers"]
def ask(path):
    with session.get(given["url"] + path, stream=True) as answer:
        return sum(map(len, answer.iter_content(65536)))
with ThreadPoolExecutor(given["parallel"]) as pool:
    got = sum(pool.map(ask, given["paths"]))
"""
BEFORE = "import json, sys, time; given = json.load(open(sys.argv[1]))"
AFTER = "print(json.dumps([time.perf_counter() - began, time.process_time() - worked, got]))"


class Cost(NamedTuple):
    """What a fresh process took, in seconds on the wall and of CPU, and the spans or bytes that it got."""

    wall_s: float
    cpu_s: float
    got: int


def cost(program: str, given: Path) -> Cost:
    """Run a program in a fresh process."""
    code = "\n".join((BEFORE, program, AFTER))
    run = subprocess.run(
        [sys.executable, "-c", code, str(given)], stdout=subprocess.PIPE, env=environment(), check=True
    )
    return Cost(*json.loads(run.stdout))


def asked_of(jaeger: RealJaeger, given: dict[str, object], file: Path) -> Unruly:
    """What collecting asks for: paths in their order, and headers."""

    def forward(exchange: Exchange) -> None:
        answer = requests.get(jaeger.url + exchange.path, timeout=60)
        exchange.send(Answer(answer.status_code, answer.headers["Content-Type"], answer.content))

    with unruly(forward) as between:
        file.write_text(json.dumps(given | {"url": between.url}))
        assert cost(COLLECT, file).got == TRACES * traffic.SPANS
    return between


@contextmanager
def on(processors: set[int]) -> Iterator[None]:
    """Let what is started meanwhile run on these processors alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("place", ["apart", "together"])
@pytest.mark.parametrize(("version", "api", "at_most"), [("v1", "v1", 1.1), ("v2", "v3", 1.5)])
def test_collecting_takes_little_longer_than_the_same_requests_alone(
    version: Version, api: Api, at_most: float, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = sorted(os.sched_getaffinity(0))
    if place == "apart" and len(every) < 2:
        pytest.skip("there is but one processor")
    its, ours = ({every[0]}, set(every[1:])) if place == "apart" else (set(every), set(every))
    to_ns = time.time_ns()
    from_ns = to_ns - HOUR_NS
    window = {"api": api, "from_ns": from_ns, "to_ns": to_ns, "parallel": PARALLEL}
    file = tmp_path / "given.json"
    with ExitStack() as stack:
        with on(its):
            jaeger = stack.enter_context(RealJaeger(tmp_path, version))
        stack.enter_context(on(ours))
        traffic.send(jaeger.zipkin_url, traffic.traces(TRACES, from_ns, to_ns - 10**9))
        traffic.wait_until_stored(jaeger.url, [traffic.trace_id(number) for number in range(TRACES)])
        asked = asked_of(jaeger, window, file)
        headers = {name: asked.headers[0][name] for name in ("User-Agent", "Accept", "Accept-Encoding")}
        file.write_text(json.dumps(window | {"url": jaeger.url, "paths": asked.asked, "headers": headers}))
        pairs = [(cost(COLLECT, file), cost(ASK, file)) for _ in range(RUNS)]
    mine, bare = (Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in zip(*pairs, strict=True))
    ratio = mine.wall_s / bare.wall_s
    with capsys.disabled():
        print(f"\n{TRACES:,} traces of Jaeger {version} by API {api}, {place}, {len(asked.asked)} requests", end="")
        print(f", {bare.got / 1e6:.0f} MB: {ratio:.2f} × the bare client's time", end="")
        print(f" ({mine.wall_s:.2f} to {bare.wall_s:.2f} s, CPU {mine.cpu_s:.2f} to {bare.cpu_s:.2f} s)")
    assert all(cost.got == TRACES * traffic.SPANS for cost, _ in pairs)
    assert ratio < 3 * at_most
