"""Asking a Jaeger over HTTP: both APIs, services, windows and limits."""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

import pytest

from tests.asking import ask, failure
from tests.unruly import (
    GOOD,
    HTML,
    NOT_FOUND,
    RECORDING,
    WINDOW,
    Behaviour,
    Exchange,
    always,
    at_first,
    for_searches,
    good,
    searched,
    silent,
    slams,
    unruly,
    v3_only,
    without,
)
from traceviz.asking.access import Access
from traceviz.asking.query import LIMIT_LOWERED, Jaeger, services_asked
from traceviz.asking.search import Search
from traceviz.demo import serve_recording
from traceviz.demo.answers import Answer
from traceviz.errors import NothingFound, SourceFailed
from traceviz.live import LIMIT_HIT

MESH = [
    "istio-ingress",
    "jaeger",
    "service-go.default",
    "service-js.default",
    "service-lua.default",
    "service-node.default",
    "service-python.default",
    "service-redis.default",
]
PLAIN = "text/plain; charset=utf-8"
MESH_DATA = pathlib.Path(__file__).parents[1].parent / "shared" / "data" / "mesh"


@pytest.mark.parametrize("api", ["auto", "v3", "v1"])
@pytest.mark.parametrize("base_path", ["", "/jaeger"])
def test_both_apis_give_all_services_operations_and_traces(api: Any, base_path: str) -> None:
    with serve_recording(RECORDING, base_path) as server, Jaeger(Access(server.url + "/"), api) as jaeger:
        assert jaeger.services() == MESH
        assert jaeger.api == ("v1" if api == "v1" else "v3")
        assert jaeger.operations("nothing") == []
        assert jaeger.operations("service-node.default") == [("service-node.default.svc.cluster.local:80/*", "server")]
        page = jaeger.page(Search("istio-ingress", *WINDOW), 1000)
        page.spans.self_check()
        assert (len(page.spans.trace_ids), len(page.spans), page.full) == (100, 533, False)
        assert jaeger.page(Search("istio-ingress", *WINDOW), 100).full
        assert len(jaeger.notes) == 0
        assert len(jaeger.page(Search("nowhere", *WINDOW), 1000).spans) == 0
        one = jaeger.trace(page.spans.trace_ids[0]).spans
        assert one.trace_ids == page.spans.trace_ids[:1]
        assert len(jaeger.trace("0" * 31 + "1").spans) == 0


def test_the_api_is_known_without_asking_for_services_first() -> None:
    with unruly(good) as server, Jaeger(Access(server.url)) as jaeger:
        assert len(jaeger.operations("istio-ingress")) == 3
        assert [path.partition("?")[0] for path in server.asked] == ["/api/v3/services", "/api/v3/operations"]


@pytest.mark.parametrize(
    ("behave", "api"),
    [
        (v3_only, "v3"),
        (without("/api/v3/", NOT_FOUND), "v1"),
        (without("/api/v3/", HTML), "v1"),
        (without("/api/v3/", Answer(501, PLAIN, b"not implemented")), "v1"),
    ],
)
def test_the_api_that_is_there_is_found_by_the_body_of_its_answer(behave: Behaviour, api: str) -> None:
    with unruly(behave) as server:
        assert len(ask(server.url).ids) == 100
        with Jaeger(Access(server.url)) as jaeger:
            jaeger.services()
            assert jaeger.api == api


@pytest.mark.parametrize("case", ["seed_504", "seed_504_jaeger_v1"])
def test_the_recorded_answers_of_two_real_jaegers_give_the_same_spans_over_both_apis(case: str) -> None:
    requests = json.loads((MESH_DATA / case / "requests.json").read_text())
    recorded = {
        answer["path"].partition("?")[0]: Answer(
            answer["status"], answer["content_type"], gzip.decompress((MESH_DATA / case / name).read_bytes())
        )
        for name, answer in requests.items()
        if name.endswith(("/traces.json.gz", "/services.json.gz"))
    }
    spans = {}
    for api in ("v3", "v1"):
        with (
            unruly(lambda exchange: exchange.send(recorded[exchange.path.partition("?")[0]])) as server,
            Jaeger(Access(server.url), api) as jaeger,
        ):
            assert set(MESH) - set(jaeger.services()) <= {"jaeger"}
            whole = jaeger.page(Search("istio-ingress", *WINDOW), 1500).spans
            ids = [whole.trace_ids[trace] for trace in whole.trace]
            spans[api] = set(zip(ids, whole.span_id.tolist(), whole.start_ns.tolist(), strict=True))
            assert len(whole.trace_ids) == 200
    assert spans["v3"] == spans["v1"]


def test_an_empty_list_of_services_is_an_empty_object_in_v3_and_null_in_v1() -> None:
    v1 = Answer(200, "application/json", b'{"data":null,"total":0,"limit":0,"offset":0,"errors":null}')
    for behave in (always(Answer(200, PLAIN, b"{}")), without("/api/", v1)):
        with unruly(behave) as server, Jaeger(Access(server.url)) as jaeger:
            assert jaeger.services() == []
            with pytest.raises(NothingFound, match=f"{server.url} knows no service yet"):
                services_asked(jaeger, None)


def test_a_window_is_asked_for_to_the_nanosecond_in_v3_and_never_narrower_in_v1() -> None:
    from_ns, to_ns = 1_795_394_829_631_244_001, 1_795_394_834_774_625_001
    for api, wanted in (
        (
            "v3",
            "/api/v3/traces?query.service_name=istio-ingress&query.start_time_min=2026-11-23T00%3A47%3A09.631244001Z"
            "&query.start_time_max=2026-11-23T00%3A47%3A14.774625001Z&query.num_traces=7&query.raw_traces=true",
        ),
        ("v1", "/api/traces?service=istio-ingress&start=1795394829631244&end=1795394834774626&limit=7&raw=true"),
    ):
        with unruly(good) as server, Jaeger(Access(server.url), api) as jaeger:  # type: ignore[arg-type]
            jaeger.page(Search("istio-ingress", from_ns, to_ns), 7)
            assert server.asked == [wanted]


def test_a_service_is_found_as_a_user_names_it() -> None:
    with unruly(good) as server:
        assert len(ask(server.url, "service-python").ids) == 29
        came = ask(server.url, "istio-ingressgateway.istio-system")
    assert len(came.ids) == 100
    assert list(came.notes) == ["gateway-assumed"]


def test_an_unknown_service_is_told_with_the_url_and_the_known_ones() -> None:
    with unruly(good) as server, pytest.raises(NothingFound) as caught:
        ask(server.url, "service-phyton")
    assert str(caught.value) == f"no service 'service-phyton' is known here at {server.url}"
    assert "'service-python.default'" in caught.value.remedy


def test_without_a_service_every_one_but_jaegers_own_is_asked_for_and_each_trace_given_once() -> None:
    with unruly(good) as server:
        came = ask(server.url, None)
        asked = [path.split("service_name=")[1].split("&")[0] for path in server.asked if "service_name" in path]
    assert len(came.ids) == 100
    assert sorted(asked) == [name for name in MESH if name != "jaeger"]
    assert len(came.notes) == 0


def test_operation_and_durations_go_to_the_server() -> None:
    search = Search("istio-ingress", *WINDOW, "service-js:80/*", 1_500_000, 2 * 10**9)
    for api, wanted in (
        ("v3", "&query.operation_name=service-js%3A80%2F%2A"),
        ("v3", "&query.duration_min=1500000ns&query.duration_max=2000000000ns"),
        ("v1", "&operation=service-js%3A80%2F%2A"),
        ("v1", "&minDuration=1500000ns&maxDuration=2000000000ns"),
    ):
        with unruly(good) as server, Jaeger(Access(server.url), api) as jaeger:  # type: ignore[arg-type]
            jaeger.page(search, 10)
            assert wanted in server.asked[0]


@pytest.mark.parametrize("limit", [1, 30, 99])
def test_the_limit_is_of_the_newest_traces_over_all_services(limit: int) -> None:
    with unruly(good) as server:
        came = ask(server.url, None, limit=limit)
    newest = sorted(RECORDING.traces, key=lambda trace: -min(span.start_ns for span in trace.spans))[:limit]
    assert sorted(came.ids) == sorted(trace.trace_id.zfill(32) for trace in newest)
    assert came.notes.count(LIMIT_HIT) == limit


@pytest.mark.parametrize("limit", [100, 101, None])
def test_a_limit_that_left_nothing_out_is_no_note(limit: int | None) -> None:
    with unruly(good) as server:
        came = ask(server.url, limit=limit)
    assert len(came.ids) == 100
    assert len(came.notes) == 0
    assert came.seen is not None
    assert came.seen["share"] == 1.0


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_a_limit_the_storage_refuses_is_halved_until_it_is_taken(api: Any) -> None:
    with unruly(good) as server, Jaeger(Access(server.url), api) as jaeger:
        for service in ("istio-ingress", "jaeger"):
            assert jaeger.page(Search(service, *WINDOW), 1_000_000).limit == 62_500
        assert len(server.asked) == 4 + 1 + 1
        assert jaeger.notes.count(LIMIT_LOWERED) == 4
        assert "1,000,000 refused" in jaeger.notes.documents()[0]["examples"]


def test_a_storage_that_refuses_every_limit_is_a_failure_and_not_an_endless_loop() -> None:
    said = json.dumps({"error": {"httpCode": 500, "message": "search depth must be greater than 0"}}).encode()
    error, url = failure(for_searches(always(Answer(500, PLAIN, said))))
    assert isinstance(error, SourceFailed)
    assert f"{url} answered 500 Internal Server Error to GET /api/v3/traces: search depth must be" in str(error)


def test_all_traces_come_by_pages_where_the_storage_allows_less_than_there_are() -> None:
    depth = json.dumps({"error": {"httpCode": 500, "message": "search depth must be lower"}}).encode()

    def at_most_50(exchange: Exchange) -> None:
        exchange.send(GOOD.of(exchange.path) if searched(exchange.path)[2] <= 50 else Answer(500, PLAIN, depth))

    with unruly(for_searches(at_most_50)) as server:
        came = ask(server.url)
    assert len(came.ids) == 100
    assert list(came.notes) == [LIMIT_LOWERED]


def test_a_gzipped_answer_is_read_whoever_unpacks_it() -> None:
    packed = gzip.compress(GOOD.of("/api/traces?service=istio-ingress&start=0&limit=1000").body)
    answer = Answer(200, PLAIN, packed)
    for headers in ({"Content-Encoding": "gzip"}, None):
        with unruly(for_searches(always(answer, headers))) as server, Jaeger(Access(server.url), "v1") as jaeger:
            assert len(jaeger.page(Search("istio-ingress", *WINDOW), 1000).spans.trace_ids) == 100


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    busy = always(Answer(status, PLAIN, b"busy"), {"Retry-After": "0"})
    with unruly(at_first(busy)) as server:
        assert len(ask(server.url).ids) == 100
        assert len(server.asked) == 4


def test_a_broken_connection_is_tried_again() -> None:
    with unruly(at_first(slams)) as server:
        assert len(ask(server.url).ids) == 100


def test_a_server_that_is_too_slow_is_not_asked_again() -> None:
    with unruly(silent) as server, pytest.raises(SourceFailed, match=r"gave no answer within 0\.2 s"):
        ask(server.url, timeout_s=0.2)
    assert len(server.asked) == 1
