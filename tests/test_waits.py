"""What users waited for, by workload and by edge: shares that add up, in any split, and only where somebody asks."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builder import Row, forest, gateway, inbound, outbound, span, spans
from tests.commands import called
from tests.conftest import MESH, SHARED
from tests.test_laws import many, torn_meshes, traces_of
from traceviz.analyze.entries import entries
from traceviz.analyze.report import Report, report
from traceviz.analyze.waits import user_roots
from traceviz.documents import GraphDocument
from traceviz.errors import UsageError
from traceviz.hops import hops
from traceviz.reconstruct import reconstruct

DELAY = str(MESH / "delay" / "v3" / "traces.json.gz")
SHOP = str(SHARED / "data/otel/shop_external_slow/v3/traces.json.gz")


def graph(*rows: Row) -> GraphDocument:
    return report(forest(*rows), critical=True).graph()


def shares(document: GraphDocument) -> dict[str, tuple[float | None, ...]]:
    nodes = {node["name"]: (node["critical_share"],) for node in document["nodes"]}
    edges = {
        f"{edge['caller']} → {edge['callee']}": (edge["critical_share"], edge["critical_way_share"])
        for edge in document["edges"]
    }
    return {**nodes, **edges}


def test_an_edge_has_what_is_beneath_it_and_a_node_what_it_did_itself() -> None:
    """
    gateway ├────────────────────┤     0 to 20
    front     ├────────────────┤       1 to 19
    call          ├────────┤           4 to 14
    cart           ├──────┤            5 to 12
    """
    assert shares(
        graph(
            gateway("g", "front", ms=20),
            inbound("f", "g", "front", start=1, ms=18),
            outbound("f-c", "f", "front", "cart", start=4, ms=10),
            inbound("c", "f-c", "cart", start=5, ms=7),
        )
    ) == {
        "istio-ingress": (0.0,),
        "front": (0.4,),
        "cart": (0.35,),
        "istio-ingress → front": (1.0, 0.1),
        "front → cart": (0.5, 0.15),
    }


def test_a_callee_that_was_not_seen_has_the_time_of_its_call() -> None:
    rows = [span("f", service="front", kind="server", ms=10), span("d", "f", service="front", kind="client", ms=4)]
    rows[1].tags.update(db_system="redis", db_name="items")
    assert shares(graph(*rows)) == {"front": (0.6,), "items": (0.4,), "front → items": (0.4, 0.0)}


def test_calls_within_calls_of_the_same_edge_count_once() -> None:
    """
    a ├────────────────┤   a calls b, b calls a, and that one b again
    b   ├────────────┤
    a     ├────────┤
    b       ├────┤
    """
    table = [span("s0", service="a", kind="server", ms=20)]
    for i, service in enumerate("bab", 1):
        table.append(span(f"s{i}", f"s{i - 1}", service=service, kind="server", start=2 * i, ms=20 - 4 * i))
    assert shares(graph(*table)) == {"a": (0.4,), "b": (0.6,), "a → b": (0.8, 0.0), "b → a": (0.6, 0.0)}


def test_without_users_there_is_no_share() -> None:
    rows = [outbound("o", "", "front", "cart", ms=8), inbound("c", "o", "cart", ms=8)]
    assert shares(graph(*rows)) == {"front": (None,), "cart": (None,), "front → cart": (None, None)}


@given(many | torn_meshes())
@settings(max_examples=200, deadline=None)
def test_workloads_and_ways_add_up_to_what_users_waited(table: list[Row]) -> None:
    tree = forest(*table)
    found = hops(tree)
    waits = report(tree, critical=True).waits
    assert waits is not None
    waited = int(tree.spans.duration_ns[user_roots(found, entries(found))].sum())
    assert waits.total_ns == waited
    assert waits.workloads.total() + waits.on_way.total() == waited
    assert all(waits.on_way[edge] <= waits.edges[edge] <= waited for edge in waits.on_way)


@given(many | torn_meshes(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_any_split_gives_the_same_shares(table: list[Row], chance: random.Random) -> None:
    whole = spans(table)
    part_of = [chance.randrange(3) for _ in whole.trace_ids]
    batches = [reconstruct(batch) for part in range(3) if len(batch := traces_of(whole, part_of, part))]
    merged = Report()
    for batch in batches:
        merged = merged.merge(report(batch, critical=True))
    assert json.dumps(merged.graph()) == json.dumps(report(reconstruct(whole), critical=True).graph())


def test_reports_with_and_without_do_not_add_up() -> None:
    tree = forest(span("s", kind="server"))
    with pytest.raises(UsageError, match="users waited"):
        report(tree, critical=True).merge(report(tree))


# The command


def test_shares_are_counted_only_where_somebody_asks() -> None:
    plain = json.loads(called("graph", DELAY, "-o", "json").out)
    assert all("critical_share" not in row for row in (*plain["edges"], *plain["nodes"]))
    asked = json.loads(called("graph", DELAY, "-o", "json", "--color-by", "critical").out)
    assert sum(node["critical_share"] for node in asked["nodes"]) + sum(
        edge["critical_way_share"] for edge in asked["edges"]
    ) == pytest.approx(1, abs=1e-4)
    stripped = [{k: v for k, v in edge.items() if "critical" not in k} for edge in asked["edges"]]
    assert stripped == plain["edges"]


def test_a_column_of_a_table_and_a_limit_can_be_the_share() -> None:
    lines = called("graph", DELAY, "--columns", "+critical_share", "--sort=-critical_share").text.splitlines()
    assert lines[3].endswith("critical_share")
    assert [line.split()[0] for line in lines[4:6]] == ["istio-ingress", "reviews"]
    assert lines[4].endswith("100 %")
    assert called("graph", DELAY, "--fail-on", "critical_share > 50%").code == 79
    assert called("graph", DELAY, "--fail-on", "critical_way_share > 60%").code == 0


def test_a_picture_by_what_users_waited_for_says_so_on_every_edge_and_in_its_legend() -> None:
    drawn = called("graph", DELAY, "-o", "dot", "--color-by", "critical").text
    assert "What users waited for" in drawn
    assert "56 % of waiting, 49 % on the way" in drawn
    assert "width of a line: share of the time that users waited" in drawn
    assert "errors in" not in drawn
    assert "tee" not in drawn
    assert "79 % of waiting" in called("graph", SHOP, "-o", "dot", "--color-by", "critical").text
    usual = called("graph", DELAY, "-o", "dot").text
    assert "of waiting" not in usual
    assert usual == called("graph", DELAY, "-o", "dot", "--color-by", "errors").text


@pytest.mark.parametrize("more", [["--view", "tree", "-o", "svg"], ["-o", "mermaid"], ["-o", "cytoscape"]])
def test_what_cannot_be_coloured_so_is_said(more: list[str]) -> None:
    ended = called("graph", DELAY, "--color-by", "critical", *more)
    assert ended.code == 2
    assert "users waited" in ended.err
