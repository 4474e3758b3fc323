"""The article's experiments in a real mesh, read by the real command from real Jaegers.

Every number that is expected comes from Envoy's own counters and from fortio.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands import installed
from tests.real.article import ABORT_STATUS, DELAY_S, EXPERIMENTS, INGRESS, PROGRAMS
from tests.real.experiments import Outcome
from tests.real.jaegers import RealJaeger

pytestmark = pytest.mark.real


def experiments(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("ran", names, indirect=True)


def asked(jaeger: RealJaeger, command: str, *options: str) -> Any:
    """The JSON that a command gives for a Jaeger."""
    return installed(command, "--url", jaeger.url, *options, "-o", "json").json()


@pytest.mark.parametrize("api", ["v3", "v1"])
@experiments(*EXPERIMENTS)
def test_every_edge_has_the_calls_errors_and_faults_that_envoy_counted(
    outcome: Outcome, jaeger: RealJaeger, api: str
) -> None:
    document = asked(jaeger, "graph", "--service", INGRESS, "--api", api)
    found = {
        (edge["caller"], edge["callee"]): (
            edge["calls"],
            edge["errors"],
            edge["flags"].get("FI", 0),
            edge["flags"].get("DI", 0),
        )
        for edge in document["edges"]
    }
    assert found == {
        edge: (count.calls, count.errors, count.aborted, count.delayed) for edge, count in outcome.edges.items()
    }
    assert document["counts"]["spans"] == outcome.spans


@experiments(*EXPERIMENTS)
def test_a_trace_is_a_request_of_fortio_and_failed_where_fortio_got_no_2xx(
    outcome: Outcome, jaeger: RealJaeger
) -> None:
    for command in ("graph", "errors"):
        counts = asked(jaeger, command, "--service", INGRESS)["counts"]
        assert (counts["traces"], counts["failed_traces"]) == (outcome.requests, outcome.refused)
        assert (counts["services"], counts["fragments"]) == (len(PROGRAMS) + 1, 0)


@experiments("abort", "both")
def test_an_injected_abort_is_blamed_on_the_rule_for_service_python(outcome: Outcome, jaeger: RealJaeger) -> None:
    felt, absorbed = asked(jaeger, "errors", "--since", "10m")["failing_hops"]
    at_ingress, at_js = (outcome.edges[caller, "service-python"].aborted for caller in (INGRESS, "service-js"))
    assert outcome.codes[ABORT_STATUS] == outcome.refused == at_ingress
    for hop, caller, count in ((felt, INGRESS, at_ingress), (absorbed, "service-js", at_js)):
        assert (hop["caller"], hop["callee"], hop["blame"]) == (caller, "service-python", "service-python")
        assert (hop["reason"], hop["where"]) == ("fault-injected", "caller-proxy")
        assert (hop["calls"], hop["traces"]) == (count, count)
        assert hop["statuses"] == {str(ABORT_STATUS): count}
        assert hop["flags"] == {"FI": count}
    assert (felt["rank"], felt["failed_traces"], felt["explains"]) == (1, at_ingress, 1.0)
    assert (absorbed["failed_traces"], absorbed["absorbed_by"]) == (0, {"service-js": at_js})


@experiments("down")
def test_a_program_that_was_killed_is_blamed_and_not_those_who_called_it(outcome: Outcome, jaeger: RealJaeger) -> None:
    (hop,) = asked(jaeger, "errors", "--since", "10m")["failing_hops"]
    assert (hop["callee"], hop["blame"]) == ("service-redis", "service-redis")
    assert (hop["reason"], hop["where"]) == ("connection-failed", "callee")
    assert hop["calls"] == outcome.edges["service-go", "service-redis"].errors
    assert (hop["failed_traces"], hop["explains"]) == (outcome.refused, 1.0)
    assert hop["absorbed_by"] == {"service-js": outcome.edges["service-js", "service-go"].errors}


@experiments("none", "delay")
def test_nothing_is_blamed_where_every_request_was_answered(outcome: Outcome, jaeger: RealJaeger) -> None:
    assert outcome.refused == 0
    assert asked(jaeger, "errors", "--since", "10m")["failing_hops"] == []


@experiments("delay", "both")
def test_an_injected_delay_is_seen_by_the_caller_and_not_by_the_callee(outcome: Outcome, jaeger: RealJaeger) -> None:
    edges = {(edge["caller"], edge["callee"]): edge for edge in asked(jaeger, "graph")["edges"]}
    delayed, undelayed = edges["service-js", "service-go"], edges[INGRESS, "service-go"]
    assert outcome.edges["service-js", "service-go"].delayed > 0
    assert delayed["client_ms"]["p95"] >= DELAY_S * 1000
    assert delayed["server_ms"]["p95"] < DELAY_S * 1000
    assert undelayed["client_ms"]["p95"] < DELAY_S * 1000


@experiments("none")
def test_without_a_service_every_service_is_asked_for(outcome: Outcome, jaeger: RealJaeger) -> None:
    named, all_of_them = (asked(jaeger, "graph", "--all", *options) for options in (("--service", INGRESS), ()))
    assert all_of_them["edges"] == [
        {**edge, "calls_per_s": other["calls_per_s"]}
        for edge, other in zip(named["edges"], all_of_them["edges"], strict=True)
    ]
    assert all_of_them["counts"] == named["counts"]
    assert all_of_them["counts"]["traces"] == outcome.requests
