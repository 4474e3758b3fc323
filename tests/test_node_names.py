"""What nodes are called, once every form of every name is known."""

from __future__ import annotations

from collections import Counter

from tests.builder import forest, gateway, inbound, outbound, span
from traceviz.analyze.names import Names
from traceviz.analyze.report import report
from traceviz.notes import Notes
from traceviz.parties import Party


def workload(service: str, **columns: str) -> Party:
    return Party("workload", service, **columns)


def names(*parties: Party, notes: Notes | None = None) -> list[str]:
    resolved = Names(parties, {}, Notes() if notes is None else notes)
    return [resolved[party] for party in parties]


def test_a_namespace_is_folded_away_where_the_span_confirms_it() -> None:
    assert names(workload("productpage.default", namespace="default")) == ["productpage"]


def test_a_namespace_is_folded_away_where_a_cluster_confirms_it() -> None:
    assert (
        names(workload("productpage.default"), Party("host", "productpage", namespace="default")) == ["productpage"] * 2
    )


def test_a_name_with_dots_that_nothing_confirms_stays_whole() -> None:
    assert names(workload("api.example.com"), workload("api.example"), Party("external", "www.example.com")) == [
        "api.example.com",
        "api.example",
        "www.example.com",
    ]


def test_program_and_proxy_of_one_workload_are_one_node() -> None:
    assert (
        names(workload("basket"), workload("basket.default", namespace="default", canonical="basket")) == ["basket"] * 2
    )


def test_the_same_name_in_two_namespaces_stays_two_nodes_and_a_bare_one_a_third() -> None:
    notes = Notes()
    a, b = workload("reviews.a", namespace="a"), workload("reviews.b", namespace="b")
    assert names(a, b, workload("reviews"), notes=notes) == ["reviews.a", "reviews.b", "reviews"]
    assert notes.count("namespace-unknown") == 1


def test_one_service_name_for_several_workloads_gives_way_to_the_canonical_names() -> None:
    notes = Notes()
    found = names(workload("istio-proxy", canonical="web"), workload("istio-proxy", canonical="cart"), notes=notes)
    assert found == ["web", "cart"]
    assert notes.count("one-service-name") == 1


def test_one_service_name_for_several_workloads_gives_way_to_the_pods_without_canonical_names() -> None:
    assert names(workload("istio-proxy", deployment="web-v1"), workload("istio-proxy", deployment="cart-v2")) == [
        "web",
        "cart",
    ]


def test_versions_of_one_workload_are_one_node() -> None:
    assert (
        names(workload("reviews", deployment="reviews-v1"), workload("reviews", deployment="reviews-v2"))
        == ["reviews"] * 2
    )


def test_a_service_called_otherwise_than_the_workload_behind_it_is_that_workload() -> None:
    host, behind = Party("host", "checkout-svc", namespace="default"), workload("checkout")
    assert Names([host, behind], {host: Counter({behind: 5})}, Notes())[host] == "checkout"


def test_a_refused_call_is_at_the_node_that_answers_others_under_this_host() -> None:
    cluster = {"cluster": "outbound|80||cart-svc.default.svc.cluster.local"}
    document = report(
        forest(
            gateway("a", "shop", ms=90),
            inbound("b", "a", "shop", start=1, ms=80),
            outbound("c", "b", "shop", "cart", start=2, ms=10, **cluster),
            inbound("d", "c", "cart", start=3, ms=8),
            outbound("e", "b", "shop", "cart", start=20, ms=1, flags="UO", status="503", **cluster),
        )
    ).graph()
    edge = next(edge for edge in document["edges"] if edge["callee"] == "cart")
    assert (edge["calls"], edge["errors"], edge["unanswered"]) == (2, 1, 1)
    assert [node["name"] for node in document["nodes"]] == ["cart", "istio-ingress", "shop"]


def test_every_reported_form_stands_in_aliases() -> None:
    document = report(
        forest(inbound("a", "", "shop", ms=50), span("b", "a", service="shop", kind="server", start=1))
    ).graph()
    assert [(node["name"], node["aliases"]) for node in document["nodes"]] == [("shop", ["shop", "shop.default"])]


def test_kinds_of_nodes_are_told_apart() -> None:
    client = {"service": "shop", "kind": "client", "start": 1}
    document = report(
        forest(
            gateway("g", "shop", ms=90),
            span("a", "g", service="shop", kind="server", ms=80, start=1),
            span("b", "a", db_system="redis", **client),
            span("c", "a", server_address="api.example.com", **client),
            span("d", "a", server_address="somebody", **client),
            span("e", "a", service="shop", kind="producer", queue="orders", start=1),
            outbound("f", "a", "shop", "cart", service="shop", start=5, status="503", flags="UH"),
        )
    ).graph()
    assert {node["name"]: node["kind"] for node in document["nodes"]} == {
        "istio-ingress": "gateway",
        "shop": "service",
        "redis": "database",
        "api.example.com": "external",
        "somebody": "unknown",
        "orders": "queue",
        "cart": "service",
    }


def test_a_database_called_like_its_service_is_a_node_of_its_own() -> None:
    database, queue = Party("database", "orders"), Party("queue", "orders")
    assert names(workload("orders"), database, queue) == ["orders", "orders (database)", "orders (queue)"]
    assert names(database, queue) == ["orders (database)", "orders (queue)"]
    assert names(database) == ["orders"]
