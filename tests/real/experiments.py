"""One experiment: break something, send requests with fortio, and what Envoy and fortio counted meanwhile.

What is expected of traceviz comes from here: from Envoy's counters and fortio's result, never from spans.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import requests

from tests.real import programs
from tests.real.article import EDGES, INGRESS, PATHS, Edge, Experiment
from tests.real.istio import outbound
from tests.real.jaegers import RealJaeger
from tests.real.mesh import Counters, Mesh
from tests.real.processes import wait_until

#: Envoy sends its spans every 5 seconds, or five at a time.
FLUSHED_S = 30


@dataclass(frozen=True)
class EdgeCount:
    """What the caller's Envoy counted of the calls to one callee; `aborted` and `delayed` are injected faults."""

    calls: int
    errors: int
    aborted: int
    delayed: int


@dataclass(frozen=True)
class Outcome:
    """What became of an experiment: fortio's answers by status, Envoy's counts by edge, and how many spans it made."""

    experiment: Experiment
    codes: Counter[int]
    edges: dict[Edge, EdgeCount]
    spans: int

    @property
    def requests(self) -> int:
        """How many requests fortio sent, each a trace."""
        return self.codes.total()

    @property
    def refused(self) -> int:
        """How many of them were not answered with 2xx."""
        return sum(count for status, count in self.codes.items() if status // 100 != 2)


def run(mesh: Mesh, experiment: Experiment, jaegers: Sequence[RealJaeger], times: int) -> Outcome:
    """Do the experiment with `times` requests to each path; returns when every Jaeger has every span of it."""
    mesh.switch(experiment)
    mesh.relay.targets = [jaeger.zipkin_url for jaeger in jaegers]
    mesh.relay.forget()
    before = mesh.counters()
    codes: Counter[int] = Counter()
    for path in PATHS:
        codes += fortio(mesh.url + path, times)
    counted = _difference(before, mesh.counters())
    outcome = Outcome(experiment, codes, _edges(counted, experiment), _requests_seen(counted))
    wait_until(
        lambda: len(mesh.relay.spans) >= outcome.spans, FLUSHED_S, f"all {outcome.spans} spans came to the collector"
    )
    assert len(mesh.relay.spans) == outcome.spans, "a request of a proxy is one span"
    assert mesh.relay.troubles == []
    for jaeger in jaegers:
        wait_until(functools.partial(_holds, jaeger, outcome.spans), 30, f"{jaeger.url} has all spans")
    return outcome


def fortio(url: str, times: int) -> Counter[int]:
    """Send so many requests, four at a time, as fast as they are answered: status ▸ how often."""
    command = [str(programs.fortio()), "load", "-quiet", "-json", "-", "-c", "4", "-n", str(times), "-qps", "0", url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return Counter({int(status): count for status, count in json.loads(ended.stdout)["RetCodes"].items()})


def _difference(before: Counters, after: Counters) -> dict[str, Counter[str]]:
    return {
        name: Counter({counter: value - before[name].get(counter, 0) for counter, value in counters.items()})
        for name, counters in after.items()
    }


def _edges(counted: dict[str, Counter[str]], experiment: Experiment) -> dict[Edge, EdgeCount]:
    """Edges that were called. An aborted call never gets as far as the cluster's counters."""
    edges = {}
    for caller, callee in EDGES:
        proxy, cluster = counted[caller], f"cluster.{outbound(callee)}"
        # Envoy counts faults per listener, so an experiment has at most one edge of each kind per caller.
        aborted = proxy["http.outbound.fault.aborts_injected"] if (caller, callee) in experiment.aborts else 0
        delayed = proxy["http.outbound.fault.delays_injected"] if (caller, callee) in experiment.delays else 0
        calls = proxy[f"{cluster}.upstream_rq_total"] + aborted
        if calls:
            edges[caller, callee] = EdgeCount(calls, proxy[f"{cluster}.upstream_rq_5xx"] + aborted, aborted, delayed)
    return edges


def _requests_seen(counted: dict[str, Counter[str]]) -> int:
    """Requests that came to a listener of a proxy; each makes a span."""
    listeners = [f"http.{direction}.downstream_rq_total" for direction in ("inbound", "outbound")]
    return sum(proxy[listener] for proxy in counted.values() for listener in listeners)


def _holds(jaeger: RealJaeger, spans: int) -> bool:
    """Does it have so many spans of requests through the ingress by now?"""
    answer = requests.get(f"{jaeger.url}/api/traces?service={INGRESS}&limit=50000", timeout=60)
    return sum(len(trace["spans"]) for trace in answer.json()["data"] or ()) == spans
