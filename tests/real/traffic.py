"""Many traces for a real Jaeger, as Envoy would have sent them: what was sent is known to the last id."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.real.processes import wait_until

SERVICES = ("istio-ingressgateway", "storefront", "basket", "pricing", "stock")
#: What the proxies of a trace report: the gateway its caller half, the last one its callee half, the others both.
SPANS = 2 * len(SERVICES) - 2
_AT_ONCE = 500


def trace_id(number: int) -> str:
    """The id of the trace of this number."""
    return f"{random.Random(number).getrandbits(128) | 1:032x}"


def traces(count: int, from_ns: int, to_ns: int) -> Iterator[list[dict[str, Any]]]:
    """So many traces within a window, the oldest first: half of them spread over it, half in ten bursts of 20 ms."""
    chance = random.Random(count)
    bursts = [chance.randrange(from_ns, to_ns) for _ in range(10)]
    starts = [
        chance.randrange(from_ns, to_ns)
        if number % 2
        else min(bursts[number % 10] + chance.randrange(20_000_000), to_ns - 1)
        for number in range(count)
    ]
    for number, start_ns in enumerate(sorted(starts)):
        yield _trace(number, start_ns // 1000)


def _trace(number: int, start_us: int) -> list[dict[str, Any]]:
    spans = []
    parent = None
    for depth, service in enumerate(SERVICES):
        halves = ["CLIENT"] if depth == 0 else ["SERVER", "CLIENT"]
        if depth == len(SERVICES) - 1:
            halves = ["SERVER"]
        for half in halves:
            span_id = f"{number * 16 + len(spans) + 1:016x}"
            onward = SERVICES[depth + 1] if half == "CLIENT" else service
            span = {
                "traceId": trace_id(number),
                "id": span_id,
                "kind": half,
                "name": f"{onward}.default.svc.cluster.local:80/*",
                "timestamp": start_us + 100 * len(spans),
                "duration": 20_000 - 2_000 * len(spans) - number % 1_000,
                "localEndpoint": {"serviceName": f"{service}.default", "ipv4": f"10.0.{depth}.7"},
                "tags": _tags(number, depth, service, half, onward),
            }
            spans.append(span if parent is None else span | {"parentId": parent})
            parent = span_id
    return spans


def _tags(number: int, depth: int, service: str, half: str, onward: str) -> dict[str, str]:
    kind = "sidecar" if depth else "router"
    direction = f"outbound|80||{onward}.default.svc.cluster.local" if half == "CLIENT" else "inbound|80||"
    return {
        "component": "proxy",
        "node_id": f"{kind}~10.0.{depth}.7~{service}-7d9f8-abcde.default~default.svc.cluster.local",
        "upstream_cluster": direction,
        "http.url": f"http://{onward}/api/items/{number}?page=1",
        "http.method": "GET",
        "http.protocol": "HTTP/1.1",
        "http.status_code": "200",
        "response_flags": "-",
        "guid:x-request-id": f"{number:08x}-0000-9000-8000-000000000000",
        "user_agent": "fortio.org/fortio-1.75.3",
        "request_size": "0",
        "response_size": "512",
        "peer.address": "10.0.0.1",
        "istio.canonical_service": service,
        "istio.canonical_revision": "v1",
        "istio.mesh_id": "cluster.local",
        "istio.namespace": "default",
    }


def send(zipkin_url: str, some: Iterator[Sequence[dict[str, Any]]]) -> None:
    """Post traces to a Zipkin receiver, many in one request."""
    address = urlsplit(zipkin_url)
    assert address.hostname
    connection = HTTPConnection(address.hostname, address.port, timeout=60)
    waiting: list[dict[str, Any]] = []
    for spans in some:
        waiting += spans
        if len(waiting) >= _AT_ONCE * SPANS:
            _post(connection, address.path, waiting)
            waiting = []
    if waiting:
        _post(connection, address.path, waiting)
    connection.close()


def _post(connection: HTTPConnection, path: str, spans: Sequence[dict[str, Any]]) -> None:
    connection.request("POST", path, json.dumps(spans), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status in (200, 202), said[:500]


def wait_until_stored(url: str, trace_ids: Sequence[str]) -> None:
    """Wait until the last of these traces can be asked for whole. What is posted waits in a queue of Jaeger v1's
    collector, which has room for 2,000 spans."""
    last = trace_ids[-2_000 // SPANS :]
    wait_until(lambda: all(_spans(url, trace_id) == SPANS for trace_id in last), 60, f"{url} has all that was sent")


def _spans(url: str, trace_id: str) -> int:
    answer = requests.get(f"{url}/api/traces/{trace_id}", params={"raw": "true"}, timeout=60)
    return len(answer.json()["data"][0]["spans"]) if answer.status_code == 200 else 0
