"""Recordings of a real mesh: the edges that Envoy's spans hold, the hop that was broken, the same in every format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import oracle
from tests.conftest import CASES, FORMATS, MESH, recorded

#: Cases in which a hop fails, and what `errors` has to say first: caller, callee, reason. From truth.json.
FAILING = {
    "abort": ("currency", "cart", "fault-injected"),
    "absent": ("billing", "users", "connection-failed"),
    "bug": ("email", "ads", "application-error"),
    "down": ("billing", "ratings", "connection-failed"),
    "no_endpoints": ("audit", "reviews", "no-healthy-upstream"),
    "no_route": ("ads", "email", "application-error"),  # the rare 500 beside it is all that users felt
    "otel_abort": ("basket", "pricing", "fault-injected"),
    "otel_bug": ("basket", "pricing", "application-error"),
    "otel_some": ("basket", "pricing", "application-error"),
    "overflow": ("inventory", "checkout", "circuit-breaker"),
    "own_bug_beside_tolerated": ("istio-ingress", "storefront", "application-error"),
    "retries": ("basket", "pricing", "application-error"),
    "retries_shared": ("basket", "pricing", "application-error"),
    "retries_spawned": ("basket", "pricing", "application-error"),
    "seed_504": ("istio-ingress", "service-python", "fault-injected"),
    "seed_504_jaeger_v1": ("istio-ingress", "service-python", "fault-injected"),
    "timeout": ("currency", "ads", "timeout"),
    "timeout_inner": ("storefront", "basket", "timeout"),
    "two_faults": ("productpage", "reviews", "fault-injected"),
    "version_bug": ("productpage", "reviews", "application-error"),
}
HEALTHY = ("none", "delay", "slow", "otel_slow", "version_slow", "lost_headers")


def test_every_recorded_case_is_either_failing_or_healthy() -> None:
    assert sorted([*FAILING, *HEALTHY]) == CASES


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_edges_calls_and_errors_are_those_of_envoys_own_spans(case: str, form: str) -> None:
    document = recorded(case, form).graph()
    counted = {(edge["caller"], edge["callee"]): (edge["calls"], edge["errors"]) for edge in document["edges"]}
    assert counted == oracle.edges(MESH / case / FORMATS[form])
    assert len(counted) == len(document["edges"])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", FAILING)
def test_the_first_failing_hop_is_the_broken_one(case: str, form: str) -> None:
    first = recorded(case, form).errors()["failing_hops"][0]
    assert (first["caller"], first["callee"], first["reason"]) == FAILING[case]


@pytest.mark.parametrize("case", FAILING)
def test_the_first_failing_hop_agrees_with_the_recorded_truth(case: str) -> None:
    cause = json.loads((MESH / case / "truth.json").read_text())["root_cause"]
    row = next(
        row
        for row in recorded(case, "v1").errors()["failing_hops"]
        if row["callee"] == cause.get("callee", row["callee"])
    )
    if case == "no_route":
        assert (row["caller"], row["callee"], row["reason"]) == (cause["caller"], cause["callee"], "no-route")
        return
    assert row["rank"] == 1
    assert row["blame"] == (cause.get("callee") or cause["service"])
    assert row["caller"] == cause.get("caller", row["caller"])
    assert cause.get("flag", "") in row["flags"] or "flag" not in cause


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", HEALTHY)
def test_nothing_is_blamed_where_nothing_failed(case: str, form: str) -> None:
    assert recorded(case, form).errors()["failing_hops"] == []


@pytest.mark.parametrize("case", CASES)
def test_users_got_what_the_load_generator_saw(case: str) -> None:
    codes = json.loads((MESH / case / "truth.json").read_text())["codes"]
    counts = recorded(case, "v1").graph()["counts"]
    assert counts["traces"] == sum(codes.values())
    assert counts["failed_traces"] == sum(number for code, number in codes.items() if int(code) >= 500)
    assert counts["fragments"] == 0


@pytest.mark.parametrize("case", CASES)
def test_v1_and_v3_give_the_same_graph_and_failing_hops(case: str) -> None:
    one, other = recorded(case, "v1"), recorded(case, "v3")
    assert _without_notes_and_source(one.graph()) == _without_notes_and_source(other.graph())
    assert one.errors()["failing_hops"] == other.errors()["failing_hops"]


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("otel")])
def test_zipkin_gives_the_same_graph_and_failing_hops_as_jaeger(case: str) -> None:
    one, other = recorded(case, "v1"), recorded(case, "zipkin")
    assert _without_notes_and_source(one.graph()) == _without_notes_and_source(other.graph())
    assert one.errors()["failing_hops"] == other.errors()["failing_hops"]


@pytest.mark.parametrize("case", ["otel_abort", "otel_bug", "otel_slow", "otel_some"])
def test_programs_spans_between_the_proxies_change_no_call(case: str) -> None:
    def proxies_view(form: str) -> list[dict[str, Any]]:
        left_out = {"protocol", "server_ms", "gap_ms", "failing_hop", "calls_per_s"}
        return [{k: v for k, v in edge.items() if k not in left_out} for edge in recorded(case, form).graph()["edges"]]

    assert proxies_view("v1") == proxies_view("zipkin")


def test_a_retry_that_saved_a_call_counts_attempts_and_no_error() -> None:
    for case in ("retries", "retries_spawned", "retries_shared"):
        edge = next(e for e in recorded(case, "v1").graph()["edges"] if e["callee"] == "pricing")
        assert edge["calls"] < edge["attempts"]
        assert edge["errors"] < edge["failed_attempts"] < edge["attempts"]
        assert edge["flags"].get("URX", 0) == edge["errors"]


def test_failing_calls_of_one_version_are_said_to_be_of_that_version() -> None:
    shared = recorded("version_bug", "v1").errors()["failing_hops"][0]["concentrated_in"]
    assert shared["version"] == {"value": "v3", "share": 1.0}


def test_calls_that_never_reached_their_callee_are_unanswered() -> None:
    edges = {(e["caller"], e["callee"]): e for e in recorded("seed_504", "v1").graph()["edges"]}
    refused = edges["istio-ingress", "service-python"]
    assert (refused["calls"], refused["errors"], refused["unanswered"]) == (66, 35, 35)
    assert refused["error_rate"] == pytest.approx(35 / 66, abs=1e-6)
    assert refused["statuses"] == {"200": 31, "504": 35}
    assert refused["flags"] == {"FI": 35}
    assert refused["server_ms"] is not None
    assert refused["server_ms"]["count"] == 31
    # users never ran: nobody knows it to report, so nothing went unanswered that would have been answered.
    absent = next(e for e in recorded("absent", "v1").graph()["edges"] if e["callee"] == "users")
    assert absent["unanswered"] == 0
    assert absent["seen_from"] == "caller"


def test_an_injected_delay_is_in_no_gap() -> None:
    edge = next(
        e
        for e in recorded("seed_504", "v1").graph()["edges"]
        if (e["caller"], e["callee"]) == ("service-js", "service-go")
    )
    assert edge["flags"]["DI"] > 0
    assert edge["gap_ms"] is not None
    assert edge["gap_ms"]["count"] == edge["calls"] - edge["flags"]["DI"]
    assert edge["gap_ms"]["max"] < 100


def _without_notes_and_source(document: Any) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("notes", "source")}
