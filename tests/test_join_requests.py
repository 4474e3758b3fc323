"""--join-requests: torn traces come out as if the headers had been passed on, and only where that is certain."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.builder import BEGIN_NS, Row, gateway, in_trace, inbound, number, outbound, spans, trace_id
from tests.commands import called
from tests.conftest import FORMATS, MESH
from tests.test_doctor_headers import fragment, request, spread
from tests.unruly import Exchange, unruly
from traceviz.asked import Asked
from traceviz.demo.answers import Answer
from traceviz.joining import joined
from traceviz.reconstruct import Forest, reconstruct
from traceviz.sources.join import gather
from traceviz.spans import concat
from traceviz.traces import Traces

LOST = str(MESH / "lost_headers" / FORMATS["zipkin"])
TRUTH = json.loads((MESH / "lost_headers" / "truth.json").read_text())


def together(*chunks: list[Row], bound: int = 250_000) -> tuple[Forest, Traces]:
    """The forest of chunks of rows after joining, and the traces with their notes."""
    with gather((spans(rows) for rows in chunks), bound) as gathered:
        traces = Traces(Asked(), gathered)
        with joined(traces):
            forest = reconstruct(concat(list(traces.batches())))
    forest.self_check()
    return forest, traces


def ids(forest: Forest) -> list[str]:
    return sorted(forest.spans.trace_ids)


def graph(*options: str) -> Any:
    run = called("graph", LOST, "-o", "json", *options)
    assert run.code == 0, run.err
    return run.json()


def test_the_recording_comes_out_as_its_truth() -> None:
    document = graph("--join-requests", "--service", "istio-ingress")
    edges = {(edge["caller"], edge["callee"]): edge for edge in document["edges"]}
    assert set(edges) == {(caller, callee) for caller, callees in TRUTH["calls"].items() for callee in callees}
    requests: dict[str, int] = {"istio-ingress": 150}
    for caller in ("istio-ingress", "inventory", "checkout", "catalog", "shipping", "reviews", "session", "users"):
        for callee in TRUTH["calls"][caller]:
            assert edges[caller, callee]["calls"] == requests[caller]
            requests[callee] = requests.get(callee, 0) + requests[caller]
    assert edges["billing", "email"]["calls"] == requests["billing"]
    assert all(edge["errors"] == 0 for edge in edges.values())
    assert {pair: edge["joined"] for pair, edge in edges.items() if edge["joined"]} == {("users", "email"): 150}
    assert (document["counts"]["traces"], document["counts"]["fragments"]) == (150, 0)
    assert [note["count"] for note in document["notes"] if note["code"] == "requests-joined-by-time"] == [150]


def test_without_the_option_documents_are_as_they_were() -> None:
    document = graph()
    assert all("joined" not in edge for edge in document["edges"])
    assert document["counts"]["fragments"] == 150


def test_a_selected_service_brings_the_torn_off_parts_of_its_requests() -> None:
    alone, whole = graph("--service", "istio-ingress"), graph("--service", "istio-ingress", "--join-requests")
    assert whole["counts"]["spans"] == alone["counts"]["spans"] + 300


def test_one_request_id_joins() -> None:
    forest, traces = together([*request(1, 0, request_id="r"), *fragment(1, 5, request_id="r")])
    assert ids(forest) == [trace_id("t0001")]
    assert traces.notes.count("requests-joined") == 1
    assert (forest.parent >= 0).sum() == len(forest) - 1
    assert not traces.notes.count("requests-not-joined")


def test_a_request_id_alone_does_not_join_what_lies_outside_of_the_request() -> None:
    forest, traces = together([*request(1, 0, request_id="r"), *fragment(1, 500, request_id="r")])
    assert len(ids(forest)) == 2
    assert traces.notes.count("requests-not-joined") == 1


def test_where_two_requests_of_one_id_are_possible_none_is_chosen() -> None:
    rows = [*request(1, 0, request_id="r"), *request(2, 1, request_id="r"), *fragment(1, 5, request_id="r")]
    forest, traces = together(rows)
    assert len(ids(forest)) == 3
    assert traces.notes.count("requests-not-joined") == 1


def test_time_joins_where_it_is_a_pattern() -> None:
    forest, traces = together(list(spread(10)))
    assert len(ids(forest)) == 10
    assert traces.notes.count("requests-joined-by-time") == 10


def test_time_does_not_join_a_few() -> None:
    forest, traces = together(list(spread(4)))
    assert len(ids(forest)) == 8
    assert traces.notes.count("requests-not-joined") == 4


def test_time_does_not_join_where_two_requests_were_under_way() -> None:
    rows = [*spread(10), *request(99, 3000 + 1)]
    forest, traces = together(rows)
    assert len(ids(forest)) == 12
    assert traces.notes.count("requests-not-joined") == 1


def test_a_part_of_a_part_comes_to_the_whole() -> None:
    deeper = in_trace("deeper", outbound("p", "", "db", "disk", start=6, ms=2, request_id="r"))
    rows = [*request(1, 0, request_id="r"), *fragment(1, 5, request_id="r"), *deeper]
    forest, traces = together(rows)
    assert ids(forest) == [trace_id("t0001")]
    assert traces.notes.count("requests-joined") == 2
    assert forest.depth.max() == 4


def test_traces_that_belong_to_each_other_stay_apart() -> None:
    def circle(name: str, other: str) -> list[Row]:
        out = outbound("o", "", name, other, start=0, ms=10, request_id="r")
        return in_trace(name, out, inbound("i", "o", other, start=0, ms=10, request_id="r"))

    forest, traces = together([*circle("a", "b"), *circle("b", "a")])
    assert len(ids(forest)) == 2
    assert traces.notes.count("requests-not-joined") == 2


def test_zipkins_shared_ids_are_joined_as_well() -> None:
    whole = in_trace(
        "whole",
        gateway("g", "app", start=0, ms=22, request_id="r"),
        inbound("g", "", "app", start=1, ms=20, request_id="r", shared=True),
    )
    part = in_trace(
        "part",
        outbound("o", "", "app", "db", start=5, ms=5, request_id="r"),
        inbound("o", "", "db", start=6, ms=3, request_id="r", shared=True),
    )
    forest, _ = together([*whole, *part])
    assert ids(forest) == [trace_id("whole")]
    assert (forest.parent < 0).sum() == 1


@pytest.mark.parametrize("bound", [1, 7, 40, 10_000])
def test_the_split_into_batches_changes_nothing(bound: int) -> None:
    chunks = [request(n, n * 1000.0, request_id=f"r{n}") for n in range(8)]
    chunks += [fragment(n, n * 1000.0 + 5, request_id=f"r{n}") for n in range(8)]
    random.Random(bound).shuffle(chunks)
    forest, traces = together(*chunks, bound=bound)
    assert len(ids(forest)) == 8
    assert traces.notes.count("requests-joined") == 8


def test_spans_that_came_twice_count_once() -> None:
    rows = [*request(1, 0, request_id="r"), *fragment(1, 5, request_id="r")]
    with gather([spans(rows), spans(rows)]) as gathered:
        traces = Traces(Asked(), gathered, copied={trace_id("t0001"), trace_id("fdb0001")})
        with joined(traces):
            assert sum(len(batch) for batch in traces.batches()) == len(rows)


def test_where_nothing_is_torn_nothing_changes() -> None:
    forest, traces = together(request(1, 0, callees="xy"))
    assert len(forest) == 6
    assert list(traces.notes) == []


def test_errors_say_what_users_felt_of_a_torn_off_failure(tmp_path: Path) -> None:
    rows = []
    for n in range(4):
        bad = {"status": "503", "error": True, "request_id": f"r{n}"}
        rows += in_trace(
            f"t{n}",
            gateway("g", "app", start=n * 100.0, ms=22, **bad),
            inbound("i", "g", "app", start=n * 100 + 1.0, ms=20, **bad),
        )
        rows += in_trace(f"f{n}", outbound("o", "", "app", "db", start=n * 100 + 5.0, ms=5, **(bad | {"flags": "UF"})))
    apart = reconstruct(spans(rows))
    whole, _ = together(rows)
    from traceviz.analyze.report import report

    assert [row["failed_traces"] for row in report(apart).errors()["failing_hops"] if row["callee"] == "db"] == [0]
    (row,) = report(whole).errors()["failing_hops"]
    assert (row["callee"], row["failed_traces"], row["chain"]) == ("db", 4, ["istio-ingress", "app", "db"])


def test_the_tree_of_a_torn_off_part_is_that_of_the_whole_request() -> None:
    part = graph("--join-requests")["notes"][-1]["examples"][0]
    alone = called("tree", part, LOST, "-o", "json").json()
    whole = called("tree", part, LOST, "-o", "json", "--join-requests").json()
    assert (len(alone["spans"]), len(whole["spans"])) == (2, 30)
    assert whole["trace_id"] != part
    assert {span["parent"] for span in whole["spans"]} >= {None, 0}


def test_the_picture_marks_what_was_joined() -> None:
    drawn = called("graph", LOST, "-o", "dot", "--join-requests").text
    assert drawn.count("odot") == 1
    assert "150 joined" in drawn
    assert "the trace was torn here" in drawn
    assert "odot" not in called("graph", LOST, "-o", "dot").text
    assert "150 joined" in called("graph", LOST, "-o", "mermaid", "--join-requests").text


def test_a_watch_does_not_join() -> None:
    run = called("graph", "http://127.0.0.1:9", "--join-requests", "--watch", "1s")
    assert run.code == 2
    assert "--join-requests" in run.err


def as_a_jaeger_has_it(rows: list[Row]) -> dict[str, Any]:
    """One trace as /api/traces gives it."""
    processes = {service: {"serviceName": service, "tags": []} for service in {row.service for row in rows}}
    tags = {"request_id": "guid:x-request-id", "cluster": "upstream_cluster", "canonical": "istio.canonical_service"}
    tags |= {"namespace": "istio.namespace", "status": "http.status_code", "flags": "response_flags"}
    found = []
    for row in rows:
        given = {"span.kind": row.kind, **{tags.get(name, name): text for name, text in row.tags.items() if text}}
        above = {"refType": "CHILD_OF", "traceID": trace_id(row.trace), "spanID": f"{number(row.parent):016x}"}
        found.append(
            {
                "traceID": trace_id(row.trace),
                "spanID": f"{number(row.id):016x}",
                "references": [above] if row.parent else [],
                "operationName": row.operation,
                "startTime": (BEGIN_NS // 1000) + round(row.start * 1000),
                "duration": round(row.ms * 1000),
                "processID": row.service,
                "tags": [{"key": key, "type": "string", "value": text} for key, text in given.items()],
            }
        )
    return {"traceID": trace_id(rows[0].trace), "spans": found, "processes": processes}


def test_of_a_jaeger_all_services_are_read_and_the_one_asked_for_is_shown() -> None:
    traces = [*(request(n, n * 1000.0, request_id=f"r{n}") for n in range(3))]
    traces += [*(fragment(n, n * 1000.0 + 5, request_id=f"r{n}") for n in range(3))]
    traces += [in_trace("other", outbound("o", "", "cron", "mail", start=10))]
    documents = [as_a_jaeger_has_it(rows) for rows in traces]

    def behave(exchange: Exchange) -> None:
        route, query = urlsplit(exchange.path)[2:4]
        if route.endswith("/services"):
            found: list[Any] = sorted({name for document in documents for name in document["processes"]})
        elif route.endswith("/traces"):
            service = parse_qs(query)["service"][0]
            found = [document for document in documents if service in document["processes"]]
        else:
            found = [document for document in documents if document["traceID"].endswith(route[-16:])]
        exchange.send(Answer(200, "application/json", json.dumps({"data": found}).encode()))

    window = ("--from", str(BEGIN_NS // 10**9 - 5), "--to", str(BEGIN_NS // 10**9 + 60))
    with unruly(behave) as server:
        asked = ("--url", server.url, "--api", "v1", "--service", "istio-ingress", *window)
        alone = called("graph", *asked, "-o", "json").json()
        whole = called("graph", *asked, "-o", "json", "--join-requests").json()
        part = called("tree", trace_id("fdb0001"), "--url", server.url, "--api", "v1", "-o", "json", "--join-requests")
    edges = {(edge["caller"], edge["callee"]): edge["joined"] for edge in whole["edges"]}
    assert edges == {("istio-ingress", "app"): 0, ("app", "db"): 3}
    assert [(edge["caller"], edge["callee"]) for edge in alone["edges"]] == [("istio-ingress", "app")]
    assert (whole["counts"]["traces"], whole["counts"]["spans"]) == (3, 12)
    assert part.json()["trace_id"] == trace_id("t0001")
    assert len(part.json()["spans"]) == 4
