"""Calls out of spans: one row per call, whatever proves it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.builder import Row, attempt, forest, gateway, inbound, outbound, span
from traceviz.hops import Hops, hops
from traceviz.verdict import read_grpc


class Call(NamedTuple):
    """What the tests compare of a hop."""

    caller: str | None
    callee: str
    failed: bool = False
    attempts: int = 1
    failed_attempts: int = 0


def found(*rows: Row) -> Hops:
    """The checked hops of these spans."""
    result = hops(forest(*rows))
    result.self_check()
    return result


def calls(*rows: Row) -> list[Call]:
    """All hops, entries as well, by caller and callee."""
    table = found(*rows)
    return sorted(
        (
            Call(
                table.parties[table.caller[i]].service if table.caller[i] >= 0 else None,
                table.parties[table.callee[i]].service,
                bool(table.failed[i]),
                int(table.attempts[i]),
                int(table.failed_attempts[i]),
            )
            for i in range(len(table))
        ),
        key=repr,
    )


def test_two_halves_of_a_call_are_one_hop() -> None:
    assert calls(gateway("a", "shop", ms=30), inbound("b", "a", "shop", start=1, ms=28)) == [
        Call("istio-ingress.default", "shop.default")
    ]


def test_each_half_measures_its_own_latency_and_the_gap_is_between_them() -> None:
    table = found(gateway("a", "shop", ms=30), inbound("b", "a", "shop", start=1, ms=28))
    assert (table.client_ns[0], table.server_ns[0], table.gap_ns[0]) == (30_000_000, 28_000_000, 2_000_000)


@pytest.mark.parametrize("flag", ["FI", "UH", "UF", "UO"])
def test_a_call_that_never_reached_its_callee_is_named_from_the_cluster(flag: str) -> None:
    rows = (inbound("b", "", "shop"), outbound("c", "b", "shop", "cart", status="503", flags=flag, error=True))
    assert calls(*rows) == [Call("shop.default", "cart", True, 1, 1), Call(None, "shop.default")]


def test_a_404_nr_without_tag_and_cluster_is_a_failure_named_by_its_url() -> None:
    rejected = {"cluster": "", "operation": "reviews", "status": "404", "flags": "NR", "kind": "server"}
    rows = (inbound("b", "", "cart"), outbound("c", "b", "cart", "x", url="http://reviews/env", **rejected))
    assert calls(*rows) == [Call("cart.default", "reviews", True, 1, 1), Call(None, "cart.default")]


def test_at_a_gateway_a_404_nr_is_named_by_its_operation_and_never_by_its_own_front_door() -> None:
    rows = (
        gateway("a", "x", cluster="", operation="shop:80/*", url="http://shop.example.com/", status="404", flags="NR"),
    )
    assert calls(*rows) == [Call("istio-ingress.default", "shop", True, 1, 1)]


GATEWAYS = {
    "one client span": [gateway("a", "shop", ms=30), inbound("d", "a", "shop", start=2, ms=20)],
    "a server span and a client child": [
        gateway("a", "shop", ms=30, kind="server"),
        attempt("b", "a", "istio-ingress", "shop", start=1, ms=28),
        inbound("d", "b", "shop", start=2, ms=20),
    ],
    "the child with a semicolon, since 1.31": [
        gateway("a", "shop", ms=30, kind="server"),
        attempt(
            "b", "a", "istio-ingress", "shop", start=1, ms=28,
            operation="router outbound|80||shop.default.svc.cluster.local; egress",
        ),
        inbound("d", "b", "shop", start=2, ms=20),
    ],
}  # fmt: skip


@pytest.mark.parametrize("rows", GATEWAYS.values(), ids=GATEWAYS)
def test_gateways_of_all_three_shapes_make_one_call_to_their_callee(rows: list[Row]) -> None:
    assert calls(*rows) == [Call("istio-ingress.default", "shop.default")]


def test_retries_are_one_call_with_attempts_by_the_attempts_own_spans() -> None:
    rows = [
        outbound("a", "", "basket", "pricing", ms=50, kind="server"),
        attempt("t1", "a", "basket", "pricing", start=1, ms=9, status="503", error=True),
        inbound("h1", "t1", "pricing", start=2, ms=7, status="503", error=True),
        attempt("t2", "a", "basket", "pricing", start=20, ms=9),
        inbound("h2", "t2", "pricing", start=21, ms=7),
    ]
    assert calls(*rows) == [Call("basket.default", "pricing.default", False, 2, 1)]
    table = found(*rows)
    assert table.server_ns[0] == 7_000_000
    assert table.gap_ns[0] == 2_000_000, "the gap is of the last attempt"


def test_retries_are_one_call_with_attempts_by_the_callee_halves_where_attempts_have_no_spans() -> None:
    rows = [
        outbound("a", "", "basket", "pricing", ms=50, status="503", flags="URX", error=True),
        inbound("h1", "a", "pricing", start=2, ms=7, status="503", error=True),
        inbound("h2", "a", "pricing", start=12, ms=7, status="503", error=True),
        inbound("h3", "a", "pricing", start=22, ms=7, status="503", error=True),
    ]
    assert calls(*rows) == [Call("basket.default", "pricing.default", True, 3, 3)]
    assert found(*rows).gap_ns[0] == -1, "no span tells when the last attempt was sent"


def test_attempts_that_met_pods_of_two_versions_are_attempts_of_one_call() -> None:
    def pod(version: str) -> str:
        return f"sidecar~10.0.0.3~pricing-{version}-5f7c8b7d9-x2x4z.default~default.svc.cluster.local"

    rows = [
        outbound("a", "", "basket", "pricing", ms=50),
        inbound("h1", "a", "pricing", start=2, ms=7, status="503", error=True, node_id=pod("v1")),
        inbound("h2", "a", "pricing", start=12, ms=7, node_id=pod("v2")),
    ]
    assert [(c.attempts, c.failed_attempts, c.failed) for c in calls(*rows)] == [(2, 1, False)]


def test_callee_halves_of_different_workloads_under_one_caller_half_are_separate_hops() -> None:
    rows = [
        outbound("a", "", "shop", "cart", ms=50),
        inbound("h1", "a", "cart", start=2),
        inbound("h2", "a", "stock", start=20),
    ]
    assert calls(*rows) == [Call("shop.default", "cart.default"), Call("shop.default", "stock.default")]


def test_programs_own_spans_between_the_proxies_change_no_call() -> None:
    rows = [
        inbound("in", "", "shop", ms=90),
        span("s", "in", service="shop", kind="server", start=1, ms=85),
        span("i", "s", service="shop", kind="internal", start=2, ms=80),
        span("c", "i", service="shop", kind="client", start=3, ms=50),
        outbound("o", "c", "shop", "cart", start=4, ms=48),
        inbound("h", "o", "cart", start=5, ms=46),
        span("p", "h", service="cart", kind="server", start=6, ms=40),
    ]
    assert calls(*rows) == [Call("shop.default", "cart.default"), Call(None, "shop.default")]


def test_programs_without_proxies_pair_client_and_server_over_internal_spans() -> None:
    rows = [
        span("s", service="web", kind="server", ms=90),
        span("c", "s", service="web", kind="client", start=3, ms=50, server_address="cart"),
        span("n", "c", service="web", kind="internal", start=4, ms=40),
        span("h", "n", service="cart", kind="server", start=5, ms=30),
    ]
    assert calls(*rows) == [Call("web", "cart"), Call(None, "web")]


def test_a_server_under_another_workloads_span_is_a_call_seen_from_the_callee_only() -> None:
    table = found(
        span("a", service="web", kind="server", ms=50), span("b", "a", service="cart", kind="server", start=5)
    )
    assert calls(
        span("a", service="web", kind="server", ms=50), span("b", "a", service="cart", kind="server", start=5)
    ) == [
        Call("web", "cart"),
        Call(None, "web"),
    ]
    assert sorted(table.caller_row.tolist()) == [-1, -1]


def test_spans_without_any_kind_make_calls_where_the_service_changes() -> None:
    rows = [span("a", service="web"), span("b", "a", service="web"), span("c", "b", service="db")]
    assert calls(*rows) == [Call("web", "db"), Call(None, "web")]


def test_passthrough_with_one_service_name_for_every_pod_takes_the_caller_from_its_node_id() -> None:
    def proxy(name: str) -> dict[str, str]:
        node = f"sidecar~10.0.0.9~{name}-v1-5f7c8b7d9-x2x4z.shop~shop.svc.cluster.local"
        return {"service": "istio-proxy", "node_id": node, "canonical": "", "namespace": ""}

    def passed_through(name: str, url: str) -> dict[str, str]:
        return {"cluster": "PassthroughCluster", "url": url, **proxy(name)}

    rows = [
        inbound("a", "", "x", ms=50, **proxy("front")),
        outbound("b", "a", "x", "y", start=1, ms=40, **passed_through("front", "http://cart.shop:80/")),
        inbound("c", "b", "y", start=2, ms=30, **proxy("cart")),
        outbound("d", "c", "x", "y", start=3, ms=5, **passed_through("cart", "http://api.example.com/v1")),
    ]
    table = found(*rows)
    ends = [
        (table.parties[c].deployment if c >= 0 else None, table.parties[d].deployment or table.parties[d].service)
        for c, d in zip(table.caller.tolist(), table.callee.tolist(), strict=True)
    ]
    assert ends == [(None, "front-v1"), ("front-v1", "cart-v1"), ("cart-v1", "api.example.com")]


@pytest.mark.parametrize(
    ("tags", "kind", "name"),
    [
        ({"peer_service": "billing", "server_address": "10.0.0.1"}, "host", "billing"),
        ({"queue": "orders", "queue_system": "kafka"}, "queue", "orders"),
        ({"db_system": "postgresql", "db_name": "users", "server_address": "db1"}, "database", "users"),
        ({"db_system": "redis", "server_address": "cache1"}, "database", "cache1"),
        ({"db_system": "redis"}, "database", "redis"),
        ({"server_address": "api.bank.example", "url": "https://api.bank.example/pay"}, "external", "api.bank.example"),
        ({"url": "https://user@api.bank.example:8443/pay?x=1"}, "external", "api.bank.example"),
    ],
)
def test_a_programs_call_without_a_callee_half_is_named_in_this_order(
    tags: dict[str, str], kind: str, name: str
) -> None:
    table = found(span("a", service="web", kind="server"), span("b", "a", service="web", kind="client", **tags))
    party = table.parties[int(table.callee[1])]
    assert (party.kind, party.service) == (kind, name)


def test_a_client_span_that_names_nobody_makes_no_edge_and_is_counted() -> None:
    table = found(span("a", service="web", kind="server"), span("b", "a", service="web", kind="client"))
    assert len(table) == 1
    assert table.notes.count("unnamed-callee") == 1


def test_an_orphan_makes_no_hop_with_a_guessed_caller() -> None:
    assert calls(gateway("a", "shop", ms=50), inbound("c", "gone", "cart", start=5)) == [
        Call("istio-ingress.default", "shop"),
        Call(None, "cart.default"),
    ]


def test_a_call_whose_parent_is_missing_is_joined_to_the_one_callee_around_it() -> None:
    rows = [
        gateway("a", "shop", ms=90),
        inbound("b", "a", "shop", start=1, ms=80),
        outbound("c", "gone", "shop", "cart", start=5, ms=20),
    ]
    table = found(*rows)
    assert table.up.tolist() == [-1, 0]
    assert table.notes.count("calls-joined-by-time") == 1
    assert table.forest.parent.tolist() == [-1, 0, -1], "the span stays a root"
    twice = found(*rows, inbound("d", "a", "shop", start=2, ms=70))
    assert twice.up[twice.caller_row >= 0].tolist() == [-1, -1], "which of two it was cannot be known"


def test_trees_that_lie_around_themselves_or_each_other_are_joined_in_no_circle() -> None:
    own = found(
        span("a", "gone", service="b", kind="client", start=2, ms=1, error=True),
        inbound("c", "a", "b", start=2, ms=3),
    )
    assert own.up.tolist() == [-1]
    pair = found(
        outbound("a", "gone", "x", "y", start=2, ms=4),
        inbound("c", "a", "y", start=1, ms=9),
        outbound("d", "lost", "y", "x", start=2, ms=4),
        inbound("e", "d", "x", start=1, ms=9),
    )
    assert sorted(pair.up.tolist()) in ([-1, 0], [-1, 1])


def test_what_was_called_beneath_a_missing_callee_half_hangs_below_that_call() -> None:
    table = found(gateway("a", "shop", ms=50), outbound("b", "a", "shop", "cart", start=5))
    assert table.up.tolist() == [-1, 0]


QUEUE = {"queue": "orders", "queue_system": "kafka"}


def test_between_a_producer_and_its_consumer_stands_the_queue() -> None:
    table = found(
        span("a", service="shop", kind="server"),
        span("p", "a", service="shop", kind="producer", **QUEUE),
        span("c", "p", service="billing", kind="consumer", start=50, **QUEUE),
    )
    names = [party.service for party in table.parties]
    ends = [(names[c] if c >= 0 else None, names[d]) for c, d in zip(table.caller, table.callee, strict=True)]
    assert ends == [(None, "shop"), ("shop", "orders"), ("orders", "billing")]
    assert table.asynchronous.tolist() == [False, True, True]
    assert table.up.tolist() == [-1, 0, 1]
    assert table.gap_ns.tolist() == [-1, -1, -1]


def test_a_consumer_in_a_trace_of_its_own_took_from_its_queue() -> None:
    assert calls(span("c", service="billing", kind="consumer", **QUEUE)) == [Call("orders", "billing")]


def test_a_consumer_that_names_no_queue_took_from_its_producers() -> None:
    table = [span("p", service="shop", kind="producer", **QUEUE), span("c", "p", service="billing", kind="consumer")]
    assert calls(*table) == [Call("orders", "billing"), Call("shop", "orders")]


def test_a_callee_that_failed_while_its_caller_was_content_is_a_note_and_no_retry() -> None:
    rows = [
        span("c", service="web", kind="client"),
        span("s", "c", service="cart", kind="server", start=1, ms=5, error=True),
    ]
    assert calls(*rows) == [Call("web", "cart")]
    assert found(*rows).notes.count("error-unseen-by-caller") == 1


def test_a_callee_that_nobody_names_is_whoever_went_on_calling_beneath() -> None:
    rows = [
        span("a", service="one", kind="client"),
        span("b", "a", service="two", kind="client", start=1, ms=5, server_address="db1"),
    ]
    assert calls(*rows) == [Call("one", "two"), Call("two", "db1")]


def test_a_producer_whose_consumer_was_not_seen_ends_at_the_queue() -> None:
    assert calls(span("p", service="shop", kind="producer", **QUEUE)) == [Call("shop", "orders")]


@pytest.mark.parametrize(
    ("columns", "failed"),
    [
        ({"status": "404"}, False),
        ({"status": "404", "error": True}, False),  # which no Envoy says; a Jaeger made it of the status
        ({"status": "500"}, True),
        ({"status": "0"}, True),
        ({"status": "200", "error": True}, True),
        ({"status": "200", "grpc": "14"}, True),
        ({"status": "200", "grpc": "UNAVAILABLE"}, True),
        ({"status": "200", "grpc": "5"}, False),
        ({"status": "404", "flags": "NR"}, True),
        ({"status": "200", "flags": "DI"}, False),
        ({"status": "200", "flags": "DC"}, False),
        ({"status": "0", "flags": "DC"}, True),
        ({"status": "200", "flags": "RFCF"}, False),
        ({"status": "429", "flags": "RL"}, True),
        ({"status": "200", "flags": "XYZ"}, False),
        ({"status": "200", "flags": "DI,FI"}, True),
    ],
)
def test_failed_is_what_design_says(columns: dict[str, object], failed: bool) -> None:
    assert found(gateway("a", "shop", **columns)).failed.tolist() == [failed]


def test_a_flag_of_the_callees_proxy_makes_the_call_a_failure_though_its_caller_saw_a_bare_4xx() -> None:
    rows = (gateway("a", "shop", status="429"), inbound("b", "a", "shop", start=1, ms=5, status="429", flags="RL"))
    assert found(*rows).failed.tolist() == [True]


def test_a_flag_that_envoy_does_not_have_is_noted() -> None:
    table = found(gateway("a", "shop", flags="DI,XYZ"))
    assert [note["examples"] for note in table.notes.documents()] == [["XYZ"]]


def test_a_gateway_in_the_middle_is_both_halves_with_one_span() -> None:
    egress = {"service": "egress.default", "canonical": "egress"}
    table = found(
        outbound("a", "", "shop", "egress", ms=50),
        gateway("b", "api", "a", start=1, ms=40, **egress),
        inbound("c", "b", "api", start=2, ms=30),
    )
    names = [party.canonical for party in table.parties]
    assert [(names[c], names[d]) for c, d in zip(table.caller, table.callee, strict=True)] == [
        ("shop", "egress"),
        ("egress", "api"),
    ]
    assert table.server_ns.tolist() == [40_000_000, 30_000_000]


def test_program_and_proxy_are_one_workload_where_only_the_cluster_names_the_namespace() -> None:
    bare = {"node_id": "", "canonical": "", "namespace": ""}
    rows = [
        inbound("a", "", "shop", ms=90, **bare),
        span("b", "a", service="shop", kind="server", start=1, ms=80),
        span("c", "b", service="shop", kind="client", start=2, ms=60),
        outbound("d", "c", "shop", "cart", start=3, ms=50, **bare),
        inbound("e", "d", "cart", start=4, ms=40, **bare),
    ]
    assert calls(*rows) == [Call("shop.default", "cart.default"), Call(None, "shop.default")]


@pytest.mark.parametrize(
    ("text", "number"), [("DeadlineExceeded", 4), ("UNAVAILABLE", 14), ("Ok", 0), ("7", 7), ("x", -1)]
)
def test_grpcs_codes_are_read_in_every_spelling(text: str, number: int) -> None:
    assert read_grpc(text) == number


def test_a_program_that_marks_its_own_4xx_as_an_error_means_it() -> None:
    rows = (span("a", service="shop", kind="client", status="404", error=True, peer_service="stock"),)
    assert found(*rows).failed.tolist() == [True]
