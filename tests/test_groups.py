"""`--group-by`: workloads told apart, and what is counted of their groups adds up to what is counted of them."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import traceviz
from tests.builder import Row, forest, gateway, in_trace, inbound, outbound, span, spans
from tests.commands import SEED, called
from tests.conftest import MESH
from tests.test_laws import many, torn_meshes, traces_of
from traceviz import Report
from traceviz.analyze.fewer_groups import MOST_COUNTED
from traceviz.analyze.group_names import MOST_GROUPS
from traceviz.analyze.groups import GROUP_BY, GroupBy
from traceviz.analyze.report import report
from traceviz.documents import GraphDocument
from traceviz.errors import UsageError
from traceviz.reconstruct import reconstruct

BUG = str(MESH / "version_bug" / "v1" / "traces.json.gz")
SPLITTING: tuple[GroupBy, ...] = ("version", "namespace", "operation")


def edges(document: GraphDocument) -> dict[tuple[str, str], int]:
    return {(edge["caller"], edge["callee"]): edge["calls"] for edge in document["edges"]}


def names(document: GraphDocument) -> list[str]:
    return [node["name"] for node in document["nodes"]]


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything of edges or nodes that adds up."""
    whole: Counter[str] = Counter()
    for row in rows:
        for field in ("calls", "errors", "attempts", "failed_attempts", "unanswered", "entry_calls"):
            whole[field] += row.get(field, 0)
        for times in ("client_ms", "server_ms", "gap_ms", "self_ms"):
            whole[times] += row[times]["count"] if row.get(times) else 0
        for counted in ("statuses", "flags"):
            for key, number in row.get(counted, {}).items():
                whole[f"{counted} {key}"] += number
    return {**whole, "failing": any(row.get("failing_hop") for row in rows)}


@given(many | torn_meshes(), st.sampled_from(SPLITTING))
@settings(max_examples=60, deadline=None)
def test_the_groups_of_a_workload_add_up_to_the_workload(table: list[Row], by: GroupBy) -> None:
    whole, split = report(forest(*table)).graph(), report(forest(*table), group_by=by).graph()
    workload = {node["name"]: node["workload"] for node in split["nodes"]}
    assert set(workload.values()) == set(names(whole))
    for edge in whole["edges"]:
        of_it = [
            dict(one)
            for one in split["edges"]
            if (workload[one["caller"]], workload[one["callee"]], one["kind"])
            == (edge["caller"], edge["callee"], edge["kind"])
        ]
        assert summed(of_it) == summed([dict(edge)])
    assert len({tuple(map(workload.get, (one["caller"], one["callee"]))) for one in split["edges"]}) <= len(
        whole["edges"]
    )
    for node in whole["nodes"]:
        of_node = [dict(one) for one in split["nodes"] if one["workload"] == node["name"]]
        assert summed(of_node) == summed([dict(node)])
    assert split["counts"] == whole["counts"]


@given(many | torn_meshes())
@settings(max_examples=40, deadline=None)
def test_pods_add_up_to_everything(table: list[Row]) -> None:
    whole, split = report(forest(*table)).graph(), report(forest(*table), group_by="pod").graph()
    for part in ("nodes", "edges"):
        assert summed(cast(dict[str, Any], split)[part]) == summed(cast(dict[str, Any], whole)[part])


@given(many | torn_meshes(), st.sampled_from(GROUP_BY), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_neither_order_nor_batches_change_a_grouped_report(
    table: list[Row], by: GroupBy, chance: random.Random
) -> None:
    def said(result: Report) -> str:
        return json.dumps([result.graph(), result.errors()])

    def counted(rows: Any) -> Report:
        return report(reconstruct(rows), group_by=by, view="tree")

    whole = spans(table)
    expected = said(counted(whole))
    shuffled = table[:]
    chance.shuffle(shuffled)
    assert said(counted(spans(shuffled))) == expected
    part_of = [chance.randrange(3) for _ in whole.trace_ids]
    merged = Report()
    for part in chance.sample(range(3), 3):
        batch = traces_of(whole, part_of, part)
        if len(batch):
            merged.merge(counted(batch))
    assert said(merged) == expected


def test_a_version_with_a_bug_is_the_one_that_fails() -> None:
    found = traceviz.load(BUG).report(group_by="version")
    document = found.graph()
    assert document["group_by"] == "version"
    assert [edge["callee"] for edge in document["edges"] if edge["failing_hop"]] == ["reviews@v3"]
    assert [node["name"] for node in document["nodes"] if node["entry_calls"]] == ["istio-ingress@v1"]
    first = found.errors()["failing_hops"][0]
    assert (first["caller"], first["callee"], first["calls"]) == ("productpage@v1", "reviews@v3", 33)
    of_reviews = {node["name"]: node for node in document["nodes"] if node["workload"] == "reviews"}
    assert {name: (node["group"], node["versions"], node["errors"]) for name, node in of_reviews.items()} == {
        "reviews@v1": ("v1", ["v1"], 0),
        "reviews@v2": ("v2", ["v2"], 0),
        "reviews@v3": ("v3", ["v3"], 33),
    }


def test_calls_that_never_arrived_are_of_no_version_and_still_of_their_workload() -> None:
    found = traceviz.load(SEED).report(group_by="version")
    document = found.graph()
    assert edges(document)["istio-ingress@v1", "service-python@(not seen)"] == 35
    assert edges(document)["istio-ingress@v1", "service-python@v1"] == 31
    node = next(node for node in document["nodes"] if node["name"] == "service-python@(not seen)")
    assert (node["kind"], node["workload"], node["group"], node["calls"]) == ("service", "service-python", None, 0)
    edge = next(edge for edge in document["edges"] if edge["callee"] == node["name"])
    assert (edge["unanswered"], edge["failing_hop"]) == (edge["calls"], True)
    text = found.errors()["failing_hops"][0]["text"]
    assert "53 % of 66 calls failed" in text
    assert "the fault rule for service-python in its VirtualService" in text


def test_a_workload_without_a_version_says_so() -> None:
    rows = [
        gateway("g", "front", version="v1"),
        inbound("f", "g", "front"),
        outbound("c", "f", "front", "cart"),
        inbound("i", "c", "cart", version="v2"),
        span("d", "i", service="cart.default", kind="client", db_system="redis", db_name="sessions"),
    ]
    document = report(forest(*rows), group_by="version").graph()
    assert names(document) == ["cart@v2", "front@(no version)", "istio-ingress@v1", "sessions"]
    assert [(note["code"], note["count"], note["examples"]) for note in document["notes"]] == [
        ("group-unknown", 1, ["front"])
    ]


def test_a_programs_spans_are_in_the_group_of_the_proxy_beside_them() -> None:
    rows = [
        gateway("g", "cart", version="v1"),
        inbound("i", "g", "cart", version="v2"),
        span("p", "i", service="cart", kind="server"),
        span("q", "p", service="cart", kind="internal"),
        outbound("o", "q", "cart", "stock"),
        inbound("s", "o", "stock"),
        span("t", "s", service="stock", kind="server", version="2.0"),
    ]
    document = report(forest(*rows), group_by="version").graph()
    assert edges(document) == {("cart@v2", "stock@2.0"): 1, ("istio-ingress@v1", "cart@v2"): 1}
    assert names(document) == ["cart@v2", "istio-ingress@v1", "stock@2.0"]


def test_namespaces_stand_before_names() -> None:
    rows = [
        gateway("g", "cart"),
        inbound("i", "g", "cart"),
        span("p", "i", service="cart", kind="client", server_address="api.example.com"),
        *in_trace("u", span("x", service="helper", kind="server")),
    ]
    document = report(forest(*rows), group_by="namespace").graph()
    assert names(document) == ["(no namespace)/helper", "api.example.com", "default/cart", "default/istio-ingress"]
    assert [node["group"] for node in document["nodes"]] == [None, None, "default", "default"]


def test_two_workloads_of_one_name_stand_in_their_namespaces() -> None:
    def of(namespace: str, trace: str) -> list[Row]:
        node = f"sidecar~10.0.0.2~redis-0.{namespace}~{namespace}.svc.cluster.local"
        service = f"redis.{namespace}"
        return in_trace(
            trace,
            inbound("i", "", "redis", service=service, namespace=namespace, node_id=node),
        )

    tree = forest(*of("a", "t"), *of("b", "u"))
    assert names(report(tree).graph()) == ["redis.a", "redis.b"]
    assert names(report(tree, group_by="namespace").graph()) == ["a/redis", "b/redis"]
    assert names(report(tree, group_by="pod").graph()) == ["redis-0.a", "redis-0.b"]


def test_an_operation_is_known_of_a_call_that_never_arrived() -> None:
    asked = {"url": "http://cart/cart/4711", "method": "GET"}
    rows = [
        *in_trace("t", gateway("g", "cart", **asked), inbound("i", "g", "cart", **asked)),
        *in_trace("u", gateway("g", "cart", status="503", flags="UH", **asked)),
    ]
    document = report(forest(*rows), group_by="operation").graph()
    assert edges(document) == {("istio-ingress: GET /cart/{id}", "cart: GET /cart/{id}"): 2}
    assert document["edges"][0]["unanswered"] == 1


def test_the_rarest_groups_are_one_node_with_a_note() -> None:
    rows: list[Row] = []
    for number in range(MOST_GROUPS + 30):
        name = f"visit {'a' * number}"
        for repeated in range(2 if number < MOST_GROUPS else 1):
            rows += in_trace(f"t{number}-{repeated}", span("s", service="shop", kind="server", operation=name))
    document = report(forest(*rows), group_by="operation").graph()
    assert len(document["nodes"]) == MOST_GROUPS + 1
    other = next(node for node in document["nodes"] if node["name"] == "shop: (other)")
    assert (other["calls"], other["group"]) == (30, None)
    assert [(note["code"], note["count"], note["examples"]) for note in document["notes"]] == [
        ("groups-folded", 30, ["shop"])
    ]


def test_operations_without_an_end_are_counted_together_whatever_the_batches() -> None:
    rows: list[Row] = []
    for number in range(MOST_COUNTED + 100):
        name = "buy" if number < 5 else f"visit x{number}"
        failed = {"error": not number % 7}
        half = span("s", "c", service="shop", kind="server", operation=name, **failed)
        rows += in_trace(f"t{number}", span("c", service="web", kind="client", operation="GET", **failed), half)

    def counted(some: list[Row]) -> Report:
        return report(forest(*some), group_by="operation", view="tree")

    whole = counted(rows)
    document = whole.graph()
    calls = {node["name"]: node["calls"] for node in document["nodes"]}
    assert sum(calls.values()) == MOST_COUNTED + 100
    assert calls["shop: buy"] == 5
    assert len(calls) == MOST_GROUPS + 2
    assert {note["code"]: note["examples"] for note in document["notes"]}["groups-cut"] == ["shop"]
    assert len(whole.workloads) == len(whole.edges) + 1 == MOST_COUNTED + 2
    thirds = [rows[:700], rows[700:1400], rows[1400:]]
    for parts in (thirds, thirds[::-1]):
        merged = Report()
        for part in parts:
            merged.merge(counted(part))
        assert len(merged.edges) == len(whole.edges)
        assert json.dumps([merged.graph(), merged.errors()]) == json.dumps([document, whole.errors()])


def test_without_grouping_a_document_is_as_it_was() -> None:
    document = called("graph", SEED, "-o", "json").json()
    assert document == called("graph", SEED, "-o", "json", "--group-by", "service", "--view", "graph").json()
    assert not {"group_by", "contexts"} & document.keys()
    assert not any({"workload", "group"} & node.keys() for node in document["nodes"])


def test_a_workload_is_hidden_and_focused_with_all_its_groups() -> None:
    def shown(*options: str) -> list[str]:
        return names(called("graph", BUG, "--group-by", "version", "-o", "json", *options).json())

    assert shown("--hide", "reviews") == ["details@v1", "istio-ingress@v1", "productpage@v1", "ratings@v1"]
    assert shown("--hide", "reviews@v1", "--focus", "ratings") == ["ratings@v1", "reviews@v2", "reviews@v3"]
    assert shown("--focus", "reviews", "--depth", "0") == ["reviews@v1", "reviews@v2", "reviews@v3"]
    unknown = called("graph", BUG, "--group-by", "version", "--hide", "reviews@v4")
    assert unknown.code == 3
    assert "reviews@v3" in unknown.err
    assert called("graph", BUG, "--group-by", "version", "--fail-on", "error_rate > 50%").code == 79
    assert called("graph", BUG, "--fail-on", "error_rate > 50%").code == 0


def test_reports_that_are_grouped_differently_do_not_add_up() -> None:
    loaded = traceviz.load(SEED)
    with pytest.raises(UsageError, match="do not add up"):
        loaded.report(group_by="version").merge(loaded.report())
    with pytest.raises(UsageError, match="do not add up"):
        loaded.report(view="tree").merge(loaded.report())
    assert Report().merge(loaded.report(group_by="pod")).graph() == loaded.report(group_by="pod").graph()
    with pytest.raises(UsageError, match="never"):
        loaded.report(group_by=cast(Any, "colour"))


def test_a_namespace_is_a_frame_around_its_nodes() -> None:
    drawn = called("graph", SEED, "--group-by", "namespace", "-o", "dot").text
    assert drawn.count("subgraph cluster_frame") == 1
    frame = drawn[drawn.index("subgraph cluster_frame1") :]
    assert frame[: frame.index("\n    }")].count("default/") >= 7
    assert "cluster_frame" not in called("graph", SEED, "--group-by", "version", "-o", "dot").text


def test_groups_can_be_as_hostile_as_names() -> None:
    version = 'v1"]; </script><b>\x1b[31m\u202e\n&'
    rows = [gateway("g", "cart", version=version), inbound("i", "g", "cart", version=version)]
    found = report(forest(*rows), group_by="version")
    svg = str(traceviz.render(found, "svg"))
    assert "<script" not in svg
    assert "\x1b" not in svg + str(traceviz.render(found, "table"))
    assert names(found.graph()) == [f"cart@{version}", f"istio-ingress@{version}"]
    assert np.all([edge["calls"] == 1 for edge in found.graph()["edges"]])
