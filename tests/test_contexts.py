"""The service tree: every service in each context that it is called in, from where requests begin."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import traceviz
from tests.builder import Row, forest, gateway, in_trace, inbound, outbound, span, spans
from tests.commands import SEED, called, environment
from tests.conftest import MESH, SHARED
from tests.documents_made import HOSTILE
from tests.test_laws import many, torn_meshes, traces_of
from traceviz.analyze.contexts import DEEPEST, FOLDED, Contexts, merge_contexts
from traceviz.analyze.entries import entries
from traceviz.analyze.narrow_contexts import around, often_called, without
from traceviz.analyze.paths import bounded
from traceviz.analyze.report import Report, report
from traceviz.documents import Context, GraphDocument
from traceviz.hops import hops
from traceviz.reconstruct import reconstruct
from traceviz.render.layout import draw

BUG = str(MESH / "version_bug" / "v1" / "traces.json.gz")


def tree(*rows: Row) -> list[Context]:
    return report(forest(*rows), view="tree").graph()["contexts"]


def drawn(contexts: list[Context]) -> list[str]:
    """A line a context: two spaces a level, `×` where errors start, name, calls and errors."""
    return [
        "  " * one["depth"]
        + ("× " if one["failing_hop"] else "")
        + f"{one['node']} {one['calls']}"
        + (f" {one['errors']} failed" if one["errors"] else "")
        + (f" ({one['start']})" if one["start"] not in (None, "entry") else "")
        for one in contexts
    ]


def test_a_service_stands_once_for_each_way_that_leads_to_it() -> None:
    assert drawn(traceviz.load(SEED).report(view="tree").graph()["contexts"]) == [
        "istio-ingress 200 35 failed",
        "  service-go 73",
        "    service-redis 73",
        "  × service-python 66 35 failed",
        "    service-lua 31",
        "    service-node 31",
        "  service-js 61",
        "    service-go 61",
        "      service-redis 61",
        "    × service-python 61 34 failed",
        "      service-lua 27",
        "      service-node 27",
    ]


def test_own_time_holds_the_delay_that_was_injected_on_the_way() -> None:
    contexts = traceviz.load(SEED).report(view="tree").graph()["contexts"]
    slowest = max(contexts, key=lambda one: one["self_share"] or 0)
    assert (slowest["node"], slowest["flags"].get("DI", 0) > 0, (slowest["self_share"] or 0) > 0.7) == (
        "service-go",
        True,
        True,
    )
    assert sum(one["self_share"] or 0 for one in contexts) == pytest.approx(1, abs=1e-4)


@given(many | torn_meshes())
@settings(max_examples=120, deadline=None)
def test_the_contexts_of_an_edge_add_up_to_the_edge(table: list[Row]) -> None:
    document = report(forest(*table), view="tree").graph()
    contexts = document["contexts"]
    found: dict[tuple[str | None, str | None, str], Counter[str]] = {}
    failing = set()
    for place, one in enumerate(contexts):
        assert (one["parent"] is None) == (one["start"] is not None)
        if one["parent"] is not None:
            assert one["parent"] < place
            assert one["depth"] == contexts[one["parent"]]["depth"] + 1
            key = (one["caller"], one["node"], one["kind"])
            counted = found.setdefault(key, Counter())
            for field in ("calls", "errors", "attempts", "failed_attempts", "unanswered"):
                counted[field] += one[field]
            failing |= {(one["caller"], one["node"])} if one["failing_hop"] else set()
    expected = {
        (edge["caller"], edge["callee"], edge["kind"]): Counter(
            {field: edge[field] for field in ("calls", "errors", "attempts", "failed_attempts", "unanswered")}
        )
        for edge in document["edges"]
    }
    assert found == expected
    assert failing == {(edge["caller"], edge["callee"]) for edge in document["edges"] if edge["failing_hop"]}


@given(many | torn_meshes())
@settings(max_examples=60, deadline=None)
def test_every_request_of_a_user_begins_a_tree(table: list[Row]) -> None:
    result = report(forest(*table), view="tree")
    document = result.graph()
    began = sum(one["calls"] for one in document["contexts"] if one["start"] == "entry")
    assert began >= sum(node["entry_calls"] for node in document["nodes"])
    assert {one["start"] for one in document["contexts"]} <= {None, "entry", "program", "async", "orphan", "fragment"}
    for root in (one for one in document["contexts"] if one["start"]):
        assert root["calls"] > 0


@given(many | torn_meshes(), st.integers(0, 4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_bounding_commutes_with_adding_up(table: list[Row], most: int, chance: random.Random) -> None:
    def counted(rows: Any) -> Contexts:
        return report(reconstruct(rows), view="tree").contexts or {}

    def said(contexts: Contexts) -> dict[Any, tuple[int, int, int]]:
        return {path: (one.calls.calls, one.calls.errors, one.own_time.total_ns) for path, one in contexts.items()}

    whole = spans(table)
    part_of = [chance.randrange(3) for _ in whole.trace_ids]
    merged: Contexts = {}
    for part in chance.sample(range(3), 3):
        batch = traces_of(whole, part_of, part)
        if len(batch):
            merged = bounded(merge_contexts(merged, bounded(counted(batch), most, FOLDED)), most, FOLDED)
    expected = bounded(counted(whole), most, FOLDED)
    assert said(merged) == said(expected)
    assert sum(path[-1].callee is not None for path in merged) <= most
    assert sum(one.calls.calls for one in merged.values()) == sum(one.calls.calls for one in counted(whole).values())


def test_services_that_call_each_other_100_000_calls_deep_are_folded_and_counted() -> None:
    rows = [span("0", service="a", kind="server")]
    for number in range(1, 100_000):
        service = "ab"[number % 2]
        rows.append(span(f"{number:x}", f"{number - 1:x}", service=service, kind="server"))
    begun = time.monotonic()
    found = report(forest(*rows), view="tree")
    document = found.graph()
    contexts = document["contexts"]
    assert time.monotonic() - begun < 60
    assert (len(contexts), contexts[-1]["depth"], contexts[-1]["node"]) == (DEEPEST + 2, DEEPEST + 1, None)
    assert sum(one["calls"] for one in contexts) == 100_000
    note = next(note for note in document["notes"] if note["code"] == "contexts-folded")
    assert note["count"] == contexts[-1]["calls"] == 100_000 - DEEPEST - 1
    lines = str(traceviz.render(found, "table")).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("… deeper calls" in line for line in lines)


def test_an_error_beneath_what_is_folded_is_marked_on_the_fold() -> None:
    rows = [span("0", service="a", kind="server", error=True)]
    for number in range(1, 2 * DEEPEST):
        rows.append(span(f"{number:x}", f"{number - 1:x}", service="ab"[number % 2], kind="server", error=True))
    assert [one["node"] for one in tree(*rows) if one["failing_hop"]] == [None]


def test_an_error_is_marked_in_the_tree_in_which_it_started_and_not_in_another_one_with_the_same_way() -> None:
    failed = {"status": "500"}
    contexts = tree(
        *in_trace(
            "t",
            inbound("f", "", "front", **failed),
            outbound("c", "f", "front", "cart", **failed),
            inbound("i", "c", "cart", **failed),
        ),
        *in_trace(
            "u",
            outbound("c", "", "front", "cart", **failed),
            inbound("i", "c", "cart", **failed),
            outbound("d", "i", "cart", "stock", **failed),
            inbound("s", "d", "stock", **failed),
        ),
    )
    assert drawn(contexts) == [
        "front 1 1 failed",
        "  × cart 1 1 failed",
        "front 1 1 failed (fragment)",
        "  cart 1 1 failed",
        "    × stock 1 1 failed",
    ]


def test_trees_begin_with_requests_with_fragments_with_orphans_and_out_of_queues() -> None:
    queue = {"queue": "orders", "queue_system": "kafka"}
    contexts = tree(
        *in_trace("t", gateway("g", "front"), inbound("f", "g", "front")),
        *in_trace("u", outbound("c", "", "front", "cart"), inbound("i", "c", "cart")),
        *in_trace("v", span("m", service="billing", kind="consumer", **queue)),
        *in_trace(
            "w",
            span("j", service="job", kind="client"),
            span("k", "j", service="job", kind="internal"),
            span("c", "k", service="job", kind="client", peer_service="cart"),
        ),
        *in_trace("x", gateway("g", "front"), inbound("f", "g", "front"), inbound("o", "gone", "cart")),
    )
    assert [one for one in drawn(contexts) if not one.startswith(" ")] == [
        "istio-ingress 2",
        "job 1 (program)",
        "orders 1 (async)",
        "cart 1 (orphan)",
        "front 1 (fragment)",
    ]
    text = str(traceviz.render(Report().merge(report(forest(gateway("g", "a")), view="tree")), "table"))
    assert "fragment" not in text


def test_what_was_put_into_a_queue_goes_on_behind_it() -> None:
    queue = {"queue": "orders", "queue_system": "kafka"}
    contexts = tree(
        span("s", service="shop", kind="server"),
        span("p", "s", service="shop", kind="producer", **queue),
        span("c", "p", service="billing", kind="consumer", **queue),
    )
    assert drawn(contexts) == ["shop 1", "  orders 1", "    billing 1"]
    assert [one["kind"] for one in contexts] == ["sync", "async", "async"]


def test_a_document_without_the_tree_has_no_contexts_and_json_of_a_tree_is_as_its_schema_says() -> None:
    for source in (SEED, str(SHARED / "data" / "otel" / "shop_healthy" / "v1" / "traces.json.gz")):
        for group in ("service", "version", "namespace", "pod", "operation"):
            document: GraphDocument = called(
                "graph", source, "--view", "tree", "--group-by", group, "-o", "json"
            ).json()
            names = {node["name"] for node in document["nodes"]}
            assert {one["node"] for one in document["contexts"]} <= names
    assert "contexts" not in called("graph", SEED, "-o", "json").json()


def test_the_tree_fits_its_terminal() -> None:
    for source in (SEED, BUG, str(SHARED / "data" / "otel" / "shop_healthy" / "v1" / "traces.json.gz")):
        for width in ("40", "80", "200"):
            for group in ("service", "operation"):
                ended = called(
                    "graph", source, "--view", "tree", "--group-by", group, env=environment({"COLUMNS": width})
                )
                assert max(map(len, ended.text.splitlines())) <= int(width), (source, width, group)
                assert ended.text.count("└─ ") >= 3


def test_a_hidden_context_goes_with_what_is_beneath_it_and_a_hidden_beginning_alone() -> None:
    contexts = traceviz.load(BUG).report(view="tree").graph()["contexts"]
    assert [one["node"] for one in contexts] == ["istio-ingress", "productpage", "reviews", "ratings", "details"] or [
        one["node"] for one in contexts
    ] == ["istio-ingress", "productpage", "details", "reviews", "ratings"]
    assert [(one["node"], one["depth"]) for one in without(contexts, {"istio-ingress", "reviews"})] == [
        ("productpage", 0),
        ("details", 1),
    ]
    assert {one["node"] for one in around(contexts, {"reviews"}, 1)} == {"productpage", "reviews", "ratings"}
    assert [one["node"] for one in around(contexts, {"details"}, 0)] == ["details"]
    assert often_called(contexts, 181) == []
    assert often_called(contexts, 180) == contexts


def test_the_command_line_narrows_and_judges_the_tree() -> None:
    document = called("graph", SEED, "--view", "tree", "--hide", "service-js", "--min-calls", "40", "-o", "json").json()
    assert drawn(document["contexts"]) == [
        "istio-ingress 200 35 failed",
        "  service-go 73",
        "    service-redis 73",
        "  × service-python 66 35 failed",
    ]
    # 35 of 66 calls in one context, 34 of 61 in the other
    held = called("graph", SEED, "--view", "tree", "--fail-on", "error_rate > 55%")
    assert held.code == 79
    assert "service-js → service-python" in held.err
    assert called("graph", SEED, "--view", "tree", "--fail-on", "self_share > 70%").code == 79
    rows = called("graph", SEED, "--view", "tree", "-o", "csv").text.splitlines()
    assert rows[0].startswith("parent,depth,node,start,caller,kind")
    assert len(rows) == 13


@pytest.mark.parametrize("format", ["dot", "svg", "mermaid", "table", "wide", "json"])
def test_hostile_names_are_as_harmless_in_a_tree(format: str) -> None:
    rows = [gateway("g", "front"), inbound("f", "g", "front")]
    for number, name in enumerate(HOSTILE):
        rows.append(span(f"h{number}", "f", service=name, kind="server", operation=name, start=number))
    found = report(forest(*rows), view="tree")
    text = traceviz.render(found, format)
    assert isinstance(text, str)
    assert "\x1b" not in text
    assert "\u202e" not in text or format == "json"
    assert "<script" not in text or format != "svg"
    text.encode()
    if format == "dot":
        assert b"<svg" in draw(text, "svg")


def test_a_picture_of_the_tree_has_a_node_for_every_context() -> None:
    drawn_dot = called("graph", SEED, "--view", "tree", "-o", "dot").text
    assert drawn_dot.count("service-redis") >= 2
    assert sum(line.strip().startswith("N") and " -> " in line for line in drawn_dot.splitlines()) == 11
    # each of the two failing hops is marked where it started, and the first alone as the first
    assert drawn_dot.count("× 1  fault-injected") == 1
    assert drawn_dot.count("× 2  fault-injected (absorbed)") == 1
    assert drawn_dot.count("look at its mesh rules first") == 1


def test_entries_are_the_spans_at_which_requests_entered() -> None:
    found = hops(forest(gateway("g", "front"), inbound("f", "g", "front")))
    assert len(entries(found).entered) == 1
