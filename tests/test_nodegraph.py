"""The graph for Grafana: what the data source Node Graph API asks for, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

import traceviz
from tests.commands import SEED, called
from tests.conftest import CASES, recorded
from tests.documents_made import HOSTILE, article, edge, empty, graph, hostile, kinds
from traceviz.errors import UsageError
from traceviz.render.ids import node_id
from traceviz.render.nodegraph import data, fields, nodegraph
from traceviz.render.palette import palette


def frames(document: Any) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """What the data source makes of both answers: nodes and edges by id. It takes `number` for numbers and everything
    else for text, and loses a value of which no field speaks."""
    read: list[dict[str, dict[str, Any]]] = []
    for kind in ("nodes", "edges"):
        types = {field["field_name"]: field["type"] for field in document[f"{kind}_fields"]}
        assert set(types.values()) <= {"string", "number"}
        assert len(types) == len(document[f"{kind}_fields"])
        rows = document[kind]
        for row in rows:
            assert list(row) == list(types)
            for name, value in row.items():
                expected = (int, float) if types[name] == "number" else (str,)
                assert value is None or (isinstance(value, expected) and not isinstance(value, bool)), name
        assert len({row["id"] for row in rows}) == len(rows)
        read.append({row["id"]: row for row in rows})
    assert {row[end] for row in read[1].values() for end in ("source", "target")} <= set(read[0])
    return read[0], read[1]


@pytest.mark.parametrize("case", CASES)
def test_every_recorded_graph_is_whole(case: str) -> None:
    report = recorded(case, "v3")
    document = report.graph()
    nodes, edges = frames(json.loads(str(traceviz.render(report, "nodegraph"))))
    assert list(nodes) == [node["name"] for node in document["nodes"]]
    assert [(row["source"], row["target"], row["detail__calls"]) for row in edges.values()] == [
        (said["caller"], said["callee"], said["calls"]) for said in document["edges"]
    ]
    for row, said in zip(edges.values(), document["edges"], strict=True):
        times = said["client_ms"]
        assert row["detail__client_ms_p95"] == (times["p95"] if times else None)


def test_the_arcs_of_every_node_add_up_to_one() -> None:
    for documents in (article(), kinds(), hostile()):
        for row in data(*documents)["nodes"]:
            arcs = [float(value or 0) for key, value in row.items() if key.startswith("arc__")]
            assert sum(arcs) == pytest.approx(1)
            assert row["arc__errors"] == (row["detail__error_rate"] or 0)
    colours = {field["field_name"]: field.get("color") for field in fields()["nodes_fields"]}
    assert (colours["arc__errors"], colours["arc__ok"]) == ("red", "green")
    unseen = {str(row["id"]): row["arc__unknown"] for row in data(*kinds())["nodes"]}
    assert (unseen["postgres"], unseen["orders"]) == (1, 0)


def test_what_stands_on_nodes_and_edges_has_its_unit() -> None:
    answer = data(*article())
    hop = next(row for row in answer["edges"] if (row["source"], row["target"]) == ("istio-ingress", "service-python"))
    assert hop["mainStat"] == "66 calls · 53 % err"
    assert hop["secondaryStat"] == "p50 2.1 ms · p95 5.0 ms"
    node = next(row for row in answer["nodes"] if row["id"] == "istio-ingress")
    assert (node["mainStat"], node["secondaryStat"], node["subTitle"]) == ("200 calls", "0 % err", "gateway")
    only = data(article()[0], label=("p99_ms",))["edges"][0]
    assert str(only["mainStat"]).startswith("p99 ")
    assert only["secondaryStat"] is None


def test_a_failing_hop_is_red_and_says_why() -> None:
    made, errors = article()
    rows = {(row["source"], row["target"]): row for row in data(made, errors)["edges"]}
    hop = rows["istio-ingress", "service-python"]
    assert str(hop["detail__failing_hop"]).startswith("× 1  istio-ingress → service-python: 53 %")
    assert hop["color"] == palette("light").line["failing"]
    assert rows["service-go", "service-redis"]["color"] == palette("light").line["healthy"]
    assert rows["service-go", "service-redis"]["detail__failing_hop"] is None
    dark = {(row["source"], row["target"]): row for row in data(made, errors, theme="dark")["edges"]}
    assert dark["istio-ingress", "service-python"]["color"] == palette("dark").line["failing"]
    blamed = next(row for row in data(made, errors)["nodes"] if row["id"] == "service-python")
    assert "mesh rules" in str(blamed["subTitle"])


def test_lines_are_as_broad_and_dashed_as_in_every_picture() -> None:
    rows = {(row["source"], row["target"]): row for row in data(*kinds())["edges"]}
    assert rows["orders", "postgres"]["thickness"] == 5
    assert rows["web", "orders"]["strokeDasharray"] is None
    queue, refused = rows["orders", "kafka: order-events"], rows["orders", "inventory"]
    assert len({queue["strokeDasharray"], refused["strokeDasharray"], None}) == 3


def test_ids_stay_when_other_nodes_come_and_no_two_are_alike() -> None:
    def ids(names: list[str]) -> dict[str, str]:
        rows = data(graph([edge("front", name) for name in names]))["edges"]
        return {str(row["target"]): str(row["id"]) for row in rows}

    alone, with_others = ids(["b"]), ids(["a", "b", "c"])
    assert with_others["b"] == alone["b"]
    alike = ["a\ud800", "a\ud801", "a\\ud800", "a�", 'a" → "b', "a → b", *HOSTILE]
    calls = [edge(caller, callee, kind=kind) for caller in alike for callee in alike for kind in ("sync", "async")]
    document = nodegraph(graph(calls))
    nodes, edges = frames(json.loads(document.encode()))
    assert len(nodes) == len(alike)
    assert len(edges) == len(calls)
    assert not set(nodes) & set(edges)
    assert node_id("istio-ingress") == "istio-ingress"


def test_a_graph_of_nothing_has_fields_and_no_rows() -> None:
    assert data(empty()) == {"nodes": [], "edges": []}
    assert len(fields()["nodes_fields"]) > 5


def test_a_label_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        data(article()[0], label=("nonsense",))


def test_the_command_writes_both_answers_in_one_document() -> None:
    ended = called("graph", SEED, "-o", "nodegraph")
    assert ended.code == 0
    nodes, edges = frames(json.loads(ended.out))
    assert len(nodes) == 7
    assert len(edges) == 8
    assert called("graph", SEED, "-o", "nodegraph").out == ended.out
