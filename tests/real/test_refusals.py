"""A 404 that users got is no failure, whatever a Jaeger makes of it on its way through either API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.commands import called
from tests.real import traffic
from tests.real.jaegers import RealJaeger, Version

pytestmark = pytest.mark.real

TRACES = 20


@pytest.fixture(params=["v2", "v1"], scope="module")
def jaeger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealJaeger]:
    """A Jaeger in which the gateway answered 404 to every second request."""
    version: Version = request.param
    now_ns = time.time_ns()
    with RealJaeger(tmp_path_factory.mktemp("refusals"), version) as jaeger:
        some = list(traffic.traces(TRACES, now_ns - 60 * 10**9, now_ns - 10**9))
        traffic.send(jaeger.zipkin_url, map(_refused, some))
        traffic.wait_until_stored(jaeger.url, [spans[0]["traceId"] for spans in some])
        yield jaeger


def _refused(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if int(spans[0]["id"], 16) // 16 % 2:
        for span in spans[:2]:
            span["tags"]["http.status_code"] = "404"
    return spans


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_nothing_failed_and_nothing_is_blamed(jaeger: RealJaeger, api: str) -> None:
    errors = called("errors", "--url", jaeger.url, "--api", api, "--service", "istio-ingress", "-o", "json").json()
    assert errors["counts"]["traces"] == TRACES
    assert (errors["counts"]["failed_traces"], errors["failing_hops"]) == (0, [])
    graph = called("graph", "--url", jaeger.url, "--api", api, "--service", "istio-ingress", "-o", "json").json()
    assert graph["edges"][1]["statuses"] == {"200": 10, "404": 10}
