"""Recordings that nobody here made or tuned anything for: every one of ../shared/data/public, counted anew from its raw
JSON by a few lines that know nothing of traceviz: a span whose parent is of another service is a call."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest

import traceviz
from tests.conftest import SHARED
from traceviz import Report

PUBLIC = SHARED / "data" / "public"


class Raw(NamedTuple):
    """What counting needs of one span. `remote` is what a Zipkin span says of the other end."""

    trace: str
    id: str
    parent: str
    service: str
    kind: str
    shared: bool = False
    remote: str = ""


@cache
def raw(file: str) -> list[Raw]:
    document = json.loads(gzip.decompress((PUBLIC / f"{file}.json.gz").read_bytes()))
    return list({"jaeger": _jaeger, "zipkin": _zipkin, "otlp": _otlp}[file.partition("/")[0]](document))


def _jaeger(document: Any) -> Iterator[Raw]:
    for trace in [document] if "spans" in document else document["data"]:
        for span in trace["spans"]:
            parent = next((one["spanID"] for one in span["references"] if one["refType"] == "CHILD_OF"), "")
            kind = next((tag["value"] for tag in span["tags"] if tag["key"] == "span.kind"), "")
            service = trace["processes"][span["processID"]]["serviceName"]
            yield Raw(trace["traceID"], span["spanID"], parent, service, kind)


def _zipkin(spans: list[Any]) -> Iterator[Raw]:
    for span in spans:
        remote = span.get("remoteEndpoint", {}).get("serviceName", "")
        remote = span.get("tags", {}).get("kafka.topic", remote)
        ids = span["traceId"], span["id"], span.get("parentId", "")
        service, shared = span.get("localEndpoint", {}).get("serviceName", ""), span.get("shared", False)
        yield Raw(*ids, service, span.get("kind", "").lower(), shared, remote)


def _otlp(document: Any) -> Iterator[Raw]:
    for resource in document.get("batches") or document["resourceSpans"]:
        attributes = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
        scopes = resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans")
        for span in [span for scope in scopes for span in scope["spans"]]:
            service = attributes["service.name"]["stringValue"]
            yield Raw(span["traceId"], span["spanId"], span.get("parentSpanId", ""), service, str(span["kind"]))


def crossings(file: str) -> dict[tuple[str, str], int]:
    """Calls by caller and callee: spans under another service's, or sharing the id of its client span. Namespaces of
    Istio's names (`reviews.default`) are left off."""
    by_id: dict[tuple[str, str], list[Raw]] = defaultdict(list)
    for span in raw(file):
        by_id[span.trace, span.id].append(span)
    found: Counter[tuple[str, str]] = Counter()
    for span in raw(file):
        alike = by_id[span.trace, span.id]
        if not span.kind and any(other.kind and other.service == span.service for other in alike):
            continue  # a piece of a span that was reported in pieces
        above = [other for other in alike if other.kind == "client" and not other.shared] if span.shared else []
        above = above or by_id[span.trace, span.parent]
        if above and all(other.service != span.service for other in above):
            found[above[-1].service.partition(".")[0], span.service.partition(".")[0]] += 1
    return dict(found)


def _is_shared(file: str, span: Raw) -> bool:
    return any(other.shared for other in raw(file) if (other.trace, other.id) == (span.trace, span.id))


@cache
def report(file: str) -> Report:
    return traceviz.load(str(PUBLIC / f"{file}.json.gz")).report()


def calls(file: str) -> dict[tuple[str, str], int]:
    return {(edge["caller"], edge["callee"]): edge["calls"] for edge in report(file).graph()["edges"]}


def nodes(file: str) -> dict[str, Any]:
    return {node["name"]: node for node in report(file).graph()["nodes"]}


def entries(file: str) -> dict[str, int]:
    return {name: node["entry_calls"] for name, node in nodes(file).items() if node["entry_calls"]}


def test_no_file_was_forgotten() -> None:
    files = {f"{path.parent.name}/{path.name.removesuffix('.json.gz')}" for path in PUBLIC.glob("*/*.json.gz")}
    assert files == {*SERVICES_ALONE, *OTHERS}


#: File ▸ nodes, edges, calls, traces that failed for their user: every call is between two services that report.
SERVICES_ALONE = {
    "jaeger/bookinfo_healthy": (4, 3, 3, 0),
    "jaeger/deathstarbench_socialnetwork": (12, 11, 220, 0),
    "jaeger/istio_helloworld_DC": (2, 1, 2, 0),
    "jaeger/jaeger_multi_out": (1, 0, 0, 0),
    "jaeger/traceweaver_hotel_load100_300": (6, 5, 1500, 0),
    "jaeger/traceweaver_media_load50_300": (10, 13, 3900, 0),
    "jaeger/traceweaver_node_load50_300": (6, 5, 1500, 0),
    "otlp/jaeger_multi_in": (1, 0, 0, 0),
    "otlp/tempo_bookinfo_istio": (5, 4, 4, 0),
    "zipkin/ascend": (3, 2, 2, 0),
    "zipkin/skew": (2, 1, 1, 0),
}
OTHERS = {
    "jaeger/bookinfo_ratings_outage_masked",
    "jaeger/jaegerui_overlapping_children_longer_than_parent",
    "zipkin/envoy",
    "zipkin/messaging-kafka",
    "zipkin/smartthings-mobile-web-install",
    "zipkin/yelp",
}


@pytest.mark.parametrize("file", SERVICES_ALONE)
def test_calls_are_the_spans_under_another_services_span(file: str) -> None:
    found = calls(file)
    assert found == crossings(file)
    failed = report(file).graph()["counts"]["failed_traces"]
    assert (len(nodes(file)), len(found), sum(found.values()), failed) == SERVICES_ALONE[file]


@pytest.mark.parametrize("file", sorted({*SERVICES_ALONE, *OTHERS}))
def test_every_span_and_every_trace_is_counted(file: str) -> None:
    counts = report(file).graph()["counts"]
    partial = next((note["count"] for note in report(file).graph()["notes"] if note["code"] == "partial-reports"), 0)
    assert (counts["traces"], counts["spans"] + partial) == (len({span.trace for span in raw(file)}), len(raw(file)))


@pytest.mark.parametrize(
    ("file", "entered"),
    [
        ("jaeger/bookinfo_healthy", {"istio-ingressgateway": 1}),
        ("jaeger/deathstarbench_socialnetwork", {"nginx-web-server": 20}),
        ("jaeger/istio_helloworld_DC", {}),
        ("jaeger/traceweaver_hotel_load100_300", {"frontend": 300}),
        ("jaeger/traceweaver_media_load50_300", {"nginx": 300}),
        ("otlp/tempo_bookinfo_istio", {"istio-ingressgateway": 1}),
        ("zipkin/ascend", {"mobile-gateway": 1}),
        ("zipkin/skew", {"servicea": 1}),
        ("zipkin/yelp", {"routing": 1}),
    ],
)
def test_requests_enter_where_nobody_is_before(file: str, entered: dict[str, int]) -> None:
    assert entries(file) == entered


@pytest.mark.parametrize("file", sorted({*SERVICES_ALONE, *OTHERS} - {"jaeger/istio_helloworld_DC"}))
def test_who_sent_it_is_said_where_it_is_known(file: str) -> None:
    known = {
        "jaeger/bookinfo_healthy": {"curl": 1},
        "jaeger/bookinfo_ratings_outage_masked": {"curl": 1},
        "otlp/tempo_bookinfo_istio": {"Go-http-client": 1},
        "zipkin/envoy": {"browser": 1},
    }
    users: Counter[str] = Counter()
    for node in nodes(file).values():
        users.update(node["entered_by"])
    assert dict(users) == known.get(file, {})


def test_a_200_at_the_root_hides_that_ratings_was_out() -> None:
    file = "jaeger/bookinfo_ratings_outage_masked"
    assert calls(file) == {
        ("istio-ingressgateway", "productpage"): 1,
        ("productpage", "reviews"): 1,
        ("reviews", "ratings"): 1,
    }
    (row,) = report(file).errors()["failing_hops"]
    facts = (row["caller"], row["callee"], row["reason"], row["failed_traces"], row["absorbed_traces"])
    assert facts == ("reviews", "ratings", "no-healthy-upstream", 0, 1)
    assert row["absorbed_by"] == {"reviews": 1}


def test_a_stream_that_its_client_closed_is_the_only_failure_of_helloworld() -> None:
    (row,) = report("jaeger/istio_helloworld_DC").errors()["failing_hops"]
    assert (row["caller"], row["callee"], row["reason"], row["traces"]) == ("sleep", "helloworld", "client-gone", 1)
    assert report("jaeger/istio_helloworld_DC").graph()["counts"]["fragments"] == 2


@pytest.mark.parametrize("file", ["jaeger/deathstarbench_socialnetwork", "jaeger/traceweaver_media_load50_300"])
def test_traces_without_any_span_kind_say_so_and_their_time_is_shared_out(file: str) -> None:
    notes = {note["code"]: note["count"] for note in report(file).graph()["notes"]}
    assert notes["no-span-kind"] == len({span.trace for span in raw(file)})
    for edge in report(file).graph()["edges"]:
        assert (edge["seen_from"], edge["client_ms"]) == ("callee", None)
    entry = next(node for node in nodes(file).values() if node["entry_calls"])
    # What its callees took is not its own; nginx waits for all of them.
    longest = max(edge["server_ms"]["p50"] for edge in report(file).graph()["edges"] if edge["caller"] == entry["name"])
    assert entry["self_ms"]["p50"] < longest * 2


def test_topics_of_kafka_are_the_queues_and_not_kafka_itself() -> None:
    file = "zipkin/messaging-kafka"
    wanted: Counter[tuple[str, str]] = Counter()
    above = {span.id: span for span in raw(file)}
    for span in raw(file):
        if span.kind == "producer":
            wanted[span.service, span.remote] += 1
        elif span.kind == "consumer":
            assert span.parent not in above or above[span.parent].kind == "producer"
            wanted[span.remote, span.service] += 1
    assert calls(file) == dict(wanted)
    assert {name: node["kind"] for name, node in nodes(file).items()} == {
        "central.messages": "queue",
        "command-messages": "queue",
        "messages": "queue",
        "servicea": "service",
        "serviceb": "service",
    }
    assert report(file).errors()["failing_hops"] == []


def test_the_databases_of_smartthings_are_nodes_of_their_own_and_no_piece_of_a_span_is_a_call() -> None:
    file = "zipkin/smartthings-mobile-web-install"
    between = {pair: count for pair, count in calls(file).items() if nodes(file)[pair[1]]["kind"] == "service"}
    wanted = crossings(file)
    # Five pods of pusher took the one message that bouncer sent.
    assert wanted.pop(("bouncer", "pusher")) == 5
    assert between.pop(("bouncer", "pusher")) == 1
    assert between == wanted
    stored = Counter(span.service for span in raw(file) if span.kind == "client" and span.remote == span.service)
    assert {pair[0]: count for pair, count in calls(file).items() if nodes(file)[pair[1]]["kind"] == "database"} == (
        dict(stored)
    )
    (row,) = report(file).errors()["failing_hops"]
    assert (row["caller"], row["callee"], row["statuses"]) == ("execution", "alice", {"404": 1})


def test_what_yelps_services_only_name_is_dashed_and_what_reports_is_not() -> None:
    file = "zipkin/yelp"
    named = Counter(
        (span.service, span.remote) for span in raw(file) if span.kind == "client" and not _is_shared(file, span)
    )
    unseen = {(edge["caller"], edge["callee"]): edge["calls"] for edge in report(file).graph()["edges"]}
    unseen = {pair: count for pair, count in unseen.items() if not nodes(file)[pair[1]]["calls"]}
    assert unseen == dict(named)
    assert calls(file)["mobile_api", "spectre"] == 1


def test_a_front_proxy_alone_is_an_entry_and_no_call() -> None:
    assert calls("zipkin/envoy") == {}
    assert [node["entry_calls"] for node in nodes("zipkin/envoy").values()] == [1]


def test_a_message_whose_receivers_went_on_reached_them() -> None:
    file = "jaeger/jaegerui_overlapping_children_longer_than_parent"
    assert calls(file) == {("service-one", "service-two"): 1}
    assert [edge["kind"] for edge in report(file).graph()["edges"]] == ["async"]
