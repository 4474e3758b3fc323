"""Kinds of traces of which there is no recording: `fixtures/made`, written by hand from what Istio, Envoy and the
semantic conventions say (fixtures/README.md names the lines)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import traceviz
from tests.builder import BEGIN_NS, Row, forest, gateway, in_trace, inbound, number, outbound, span, spans, trace_id
from tests.commands import called
from tests.conftest import ROOT
from traceviz.analyze.report import report
from traceviz.control_plane import without_control_plane
from traceviz.documents import GraphDocument
from traceviz.keeping.anonymize import Anonymizer
from traceviz.notes import Notes
from traceviz.reconstruct import reconstruct

MADE = ROOT / "fixtures" / "made"
WAYPOINT = "waypoint~10.244.0.19~waypoint-5f89fbb8b5-nxxmj.default~default.svc.cluster.local"


def graph(case: str, **options: Any) -> GraphDocument:
    return traceviz.load(str(MADE / f"{case}.json"), **options).report().graph()


def edges(document: GraphDocument) -> list[tuple[str, str, int, int]]:
    return [(edge["caller"], edge["callee"], edge["calls"], edge["errors"]) for edge in document["edges"]]


def notes(document: Any) -> dict[str, int]:
    return {note["code"]: note["count"] for note in document["notes"]}


def waypoint(id: str, parent: str, callee: str, **columns: object) -> Row:
    """A waypoint's span of a request to `callee`."""
    host = f"{callee}.default.svc.cluster.local"
    own = {"service": "waypoint.default", "component": "proxy", "canonical": "waypoint", "namespace": "default"}
    sent = {"cluster": f"inbound-vip|9080|http|{host};", "destination": callee, "destination_namespace": "default"}
    return span(
        id, parent, **{"kind": "server", "status": "200", "flags": "-", "node_id": WAYPOINT, **own, **sent, **columns}
    )


# Ambient: a waypoint speaks for the workloads behind it


def test_a_waypoint_stands_for_each_workload_behind_it() -> None:
    document = graph("ambient_waypoint")
    assert edges(document) == [
        ("istio-ingressgateway", "productpage", 1, 0),
        ("productpage", "details", 1, 0),
        ("productpage", "reviews", 1, 0),
        ("reviews", "ratings", 1, 1),
    ]
    assert {node["name"]: node["kind"] for node in document["nodes"] if node["kind"] != "service"} == {
        "istio-ingressgateway": "gateway"
    }
    (row,) = traceviz.load(str(MADE / "ambient_waypoint.json")).report().errors()["failing_hops"]
    assert (row["caller"], row["callee"], row["reason"], row["where"]) == (
        "reviews",
        "ratings",
        "connection-failed",
        "callee",
    )


@pytest.mark.parametrize(
    "below",
    [
        [span("c", "b", service="reviews", kind="server", start=3, ms=4)],
        [inbound("c", "b", "reviews", start=3, ms=4)],
        [],
    ],
    ids=["its program reports", "its sidecar reports", "nobody reports"],
)
def test_who_is_behind_a_waypoint_is_called_once_whoever_reports(below: list[Row]) -> None:
    rows = [gateway("a", "reviews", ms=9), waypoint("b", "a", "reviews", start=1, ms=7), *below]
    (edge,) = report(forest(*rows)).graph()["edges"]
    assert (edge["caller"], edge["callee"], edge["calls"], edge["attempts"]) == ("istio-ingress", "reviews", 1, 1)
    assert edge["seen_from"] == "both"


def test_a_waypoint_without_istios_tags_is_known_by_its_cluster() -> None:
    rows = [gateway("a", "reviews"), waypoint("b", "a", "reviews", destination="", destination_namespace="")]
    assert edges(report(forest(*rows)).graph()) == [("istio-ingress", "reviews", 1, 0)]


def test_what_a_waypoint_rejected_was_sent_to_whom_it_stands_before() -> None:
    rows = [gateway("a", "reviews", status="404"), waypoint("b", "a", "reviews", cluster="", status="404", flags="NR")]
    assert edges(report(forest(*rows)).graph()) == [("istio-ingress", "reviews", 1, 1)]


# Mixer: hidden, counted, and shown where somebody asks


def test_mixers_spans_are_hidden_and_counted() -> None:
    document = graph("mixer")
    assert edges(document) == [("istio-ingressgateway", "productpage", 1, 0), ("productpage", "details", 1, 0)]
    assert (document["counts"]["traces"], document["counts"]["spans"]) == (1, 4)
    assert notes(document) == {"control-plane-hidden": 6}


def test_mixers_spans_are_shown_with_control_plane() -> None:
    document = graph("mixer", control_plane=True)
    assert ("productpage", "istio-policy", 1, 0) in edges(document)
    assert (document["counts"]["traces"], document["counts"]["spans"]) == (2, 10)
    assert notes(document) == {"program-behind-proxy": 1}, "of istio-mixer, behind the sidecar of istio-policy"


@pytest.mark.parametrize("command", ["graph", "errors", "tree"])
def test_the_option_is_one_of_graph_errors_and_tree(command: str) -> None:
    file = str(MADE / "mixer.json")
    only = ["5af7"] if command == "tree" else []
    hidden = called(command, *only, file, "-o", "json").json()
    shown = called(command, *only, file, "-o", "json", "--control-plane").json()
    assert (notes(hidden), notes(shown)) == ({"control-plane-hidden": 5 if only else 6}, {"program-behind-proxy": 1})
    assert (hidden["counts"]["spans"], shown["counts"]["spans"]) == (4, 9 if only else 10)


def test_a_trace_that_is_all_mixers_is_shown_where_it_is_named_and_its_service_where_it_is_asked_for() -> None:
    file = str(MADE / "mixer.json")
    assert called("tree", "6af7", file, "-o", "json").json()["counts"]["spans"] == 1
    document = called("graph", file, "--service", "istio-telemetry", "-o", "json").json()
    assert [node["name"] for node in document["nodes"]] == ["istio-telemetry"]


def test_where_only_control_plane_is_left_that_is_said_with_the_way_out(tmp_path: Path) -> None:
    document = json.loads((MADE / "mixer.json").read_text())
    file = tmp_path / "mixer.json"
    file.write_text(json.dumps({"data": document["data"][1:]}))
    ended = called("graph", str(file))
    assert ended.code == 3
    assert "--control-plane shows it" in ended.err


def test_mixers_services_can_be_asked_for() -> None:
    listed = called("services", str(MADE / "mixer.json"), "-o", "json").json()
    assert {"istio-policy", "istio-mixer", "istio-telemetry"} <= {row["name"] for row in listed["services"]}
    assert all(row["node"] for row in listed["services"])


def test_what_hung_under_a_hidden_span_hangs_under_what_is_left_above_it() -> None:
    rows = [
        gateway("a", "shop"),
        outbound("m", "a", "istio-ingress", "istio-policy"),
        span("n", "m", service="istio-mixer"),
        inbound("b", "n", "shop"),
        *in_trace("u", span("x", "y", service="istio-mixer"), span("y", "x", service="jaeger-query"), span("z", "x")),
    ]
    hidden = Notes()
    left = without_control_plane(spans(rows), hidden)
    assert {int(own): int(parent) for own, parent in zip(left.span_id, left.parent_id, strict=True)} == {
        number("a"): 0,
        number("b"): number("a"),
        number("z"): 0,
    }
    assert hidden.count("control-plane-hidden") == 4


@pytest.mark.parametrize("service", ["istio-mixer", "istio-policy.istio-system", "jaeger-query", "jaeger"])
def test_jaegers_and_mixers_services_are_known_by_their_names(service: str) -> None:
    assert not len(without_control_plane(spans([span("a", service=service)]), Notes()))


@pytest.mark.parametrize("service", ["mixer", "policy", "jaegermeister", "istio-policy-ui", "istio-ingress"])
def test_other_services_stay(service: str) -> None:
    assert len(without_control_plane(spans([span("a", service=service)]), Notes())) == 1


# Conventions, queues and clouds


def test_old_and_new_names_of_attributes_say_the_same() -> None:
    document = graph("old_and_new_names")
    assert edges(document) == [
        ("web", "accounts", 2, 0),
        ("web", "ads", 2, 0),
        ("web", "api.bank.example", 2, 0),
        ("web", "cart", 2, 2),
        ("web", "mails", 2, 0),
    ]
    found = {edge["callee"]: (edge["protocol"], edge["statuses"]) for edge in document["edges"]}
    assert found == {
        "accounts": ("db", {}),
        "ads": (None, {}),
        "api.bank.example": ("http", {"200": 2}),
        "cart": ("grpc", {"grpc 14": 2}),
        "mails": ("messaging", {}),
    }
    (row,) = traceviz.load(str(MADE / "old_and_new_names.json")).report().errors()["failing_hops"]
    assert (row["caller"], row["callee"], row["reason"], row["failed_traces"]) == (
        "web",
        "cart",
        "connection-failed",
        2,
    )
    assert [node["entered_by"] for node in document["nodes"] if node["entry_calls"]] == [{"k6": 2}]


def test_of_a_batch_every_message_counts_once_though_it_is_received_and_processed() -> None:
    document = graph("kafka_batch_by_links")
    assert edges(document) == [("orders", "shipping", 2, 0), ("shipping", "shipments", 1, 0), ("shop", "orders", 2, 0)]
    assert document["counts"]["failed_traces"] == 0


def test_services_of_a_cloud_are_called_once_and_by_their_names() -> None:
    document = graph("cloud_services")
    assert edges(document) == [
        ("orders", "invoicing", 1, 0),
        ("shop", "S3", 1, 0),
        ("shop", "dynamodb", 1, 0),
        ("shop", "orders", 1, 0),
        ("shop", "resize", 1, 0),
    ]
    kinds = {node["name"]: node["kind"] for node in document["nodes"]}
    assert (kinds["S3"], kinds["dynamodb"], kinds["orders"], kinds["resize"]) == (
        "external",
        "database",
        "queue",
        "service",
    )


def test_a_link_into_the_own_trace_is_a_parent_in_every_format(tmp_path: Path) -> None:
    shop, ship = ("0" * 15 + "1"), ("0" * 15 + "2")
    time = BEGIN_NS
    jaeger = {
        "traceID": trace_id("t"),
        "processes": {"p": {"serviceName": "shop"}, "q": {"serviceName": "ship"}},
        "spans": [
            {"spanID": shop, "operationName": "send", "startTime": time // 1000, "duration": 9, "processID": "p",
             "tags": [{"key": "span.kind", "value": "producer"}, {"key": "messaging.destination.name", "value": "x"}]},
            {"spanID": ship, "operationName": "work", "startTime": time // 1000, "duration": 9, "processID": "q",
             "references": [{"refType": "FOLLOWS_FROM", "traceID": trace_id("t"), "spanID": shop}],
             "tags": [{"key": "span.kind", "value": "consumer"}]},
        ],
    }  # fmt: skip

    def resource(service: str, span: dict[str, Any]) -> dict[str, Any]:
        name = {"key": "service.name", "value": {"stringValue": service}}
        timed = {"startTimeUnixNano": str(time), "endTimeUnixNano": str(time + 9000), "traceId": trace_id("t")}
        return {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [{**timed, **span}]}]}

    queue = {"key": "messaging.destination.name", "value": {"stringValue": "x"}}
    sent = {"spanId": shop, "name": "send", "kind": 4, "attributes": [queue]}
    taken = {"spanId": ship, "name": "work", "kind": 5, "links": [{"traceId": trace_id("t"), "spanId": shop}]}
    otlp = {"resourceSpans": [resource("shop", sent), resource("ship", taken)]}
    found = []
    for name, document in (("jaeger", {"data": [jaeger]}), ("otlp", otlp)):
        (tmp_path / name).write_text(json.dumps(document))
        made = traceviz.load(str(tmp_path / name)).report().graph()
        found.append({**made, "source": []})
    assert found[0] == found[1]
    assert edges(found[0]) == [("shop", "x", 1, 0), ("x", "ship", 1, 0)]


def test_a_link_to_itself_or_into_another_trace_is_no_parent() -> None:
    def linked(trace: str, to: str) -> list[tuple[str, str, int, int]]:
        one = spans([span("a", service="shop", kind="producer", queue="x"), span("b", service="ship", kind="consumer")])
        row = int((one.span_id == number("b")).argmax())
        whole = replace(
            one,
            link_row=np.array([row], np.int32),
            link_trace=[trace_id(trace)],
            link_span=np.array([number(to)], np.uint64),
        )
        return edges(report(reconstruct(whole)).graph())

    assert linked("t", "a") == [("shop", "x", 1, 0), ("x", "ship", 1, 0)]
    assert linked("t", "b") == linked("u", "a") == [("shop", "x", 1, 0)]


def test_a_span_that_zipkin_got_in_pieces_is_one_span(tmp_path: Path) -> None:
    ids = {"traceId": "1" * 16, "id": "2" * 16, "parentId": "1" * 16}
    start = BEGIN_NS // 1000
    client = {**ids, "kind": "CLIENT", "timestamp": start, "duration": 9, "localEndpoint": {"serviceName": "shop"}}
    server = {**client, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "stock"}}
    piece = {**ids, "name": "post", "localEndpoint": {"serviceName": "stock"}}
    file = tmp_path / "pieces.json"
    file.write_text(json.dumps([client, server, piece]))
    document = traceviz.load(str(file)).report().graph()
    assert edges(document) == [("shop", "stock", 1, 0)]
    assert notes(document)["partial-reports"] == 1


def test_braves_jdbc_span_is_a_call_to_a_database(tmp_path: Path) -> None:
    call = {
        "traceId": "1" * 16,
        "id": "2" * 16,
        "kind": "CLIENT",
        "timestamp": BEGIN_NS // 1000,
        "duration": 9,
        "localEndpoint": {"serviceName": "bookie"},
        "remoteEndpoint": {"serviceName": "bookie"},
        "tags": {"sql.query": "select 1"},
    }
    file = tmp_path / "jdbc.json"
    file.write_text(json.dumps([call]))
    document = traceviz.load(str(file)).report().graph()
    assert edges(document) == [("bookie", "bookie (database)", 1, 0)]


def test_a_search_answer_says_of_its_traces_that_there_are_no_spans_in_it(tmp_path: Path) -> None:
    found = {
        "traceID": "2f3e0cee77ae5dc9c17ade3689eb2e54",
        "rootServiceName": "shop",
        "startTimeUnixNano": "1684778327699392724",
        "spanSets": [{"spans": [{"spanID": "563d623c76514f8e"}], "matched": 1}],
    }
    file = tmp_path / "search.json"
    file.write_text(json.dumps({"traces": [found, found], "metrics": {"inspectedBytes": "1"}}))
    ended = called("graph", str(file))
    assert ended.code == 65
    assert "$.traces[0]: expected a trace or a span" in ended.err
    assert "2 traces or spans could not be read" in ended.err


@pytest.mark.parametrize("envelope", ["batches", "trace", "resourceSpans"])
def test_tempos_answers_are_read_in_every_envelope(tmp_path: Path, envelope: str) -> None:
    resources = json.loads((MADE / "cloud_services.json").read_text())["resourceSpans"]
    for resource in resources:
        for one in resource["scopeSpans"][0]["spans"]:
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in one:
                    one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    answer = {"trace": {"resourceSpans": resources}} if envelope == "trace" else {envelope: resources}
    file = tmp_path / "tempo.json"
    file.write_text(json.dumps(answer))
    assert edges(traceviz.load(str(file)).report().graph()) == edges(graph("cloud_services"))


@pytest.mark.parametrize("case", ["ambient_waypoint", "cloud_services", "kafka_batch_by_links", "old_and_new_names"])
def test_under_pseudonyms_the_graph_has_the_same_shape(case: str, tmp_path: Path) -> None:
    def shape(document: GraphDocument) -> list[tuple[str, str, int, int]]:
        kinds = {node["name"]: node["kind"] for node in document["nodes"]}
        return sorted(
            (kinds[caller], kinds[callee], calls, errors) for caller, callee, calls, errors in edges(document)
        )

    file = tmp_path / "renamed.json"
    file.write_bytes(Anonymizer(b"k" * 32).line((MADE / f"{case}.json").read_bytes()))
    renamed = traceviz.load(str(file)).report().graph()
    assert shape(renamed) == shape(graph(case))
    assert not {node["name"] for node in renamed["nodes"]} & {"shop", "reviews", "orders", "accounts", "resize"}
