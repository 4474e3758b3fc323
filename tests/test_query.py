"""Asking a Jaeger over HTTP: both APIs, services, windows and limits."""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

import pytest

from tests.asking import ask, failure, traces_of
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
    silent,
    slams,
    unruly,
    v3_only,
    without,
)
from traceviz.demo import serve_recording
from traceviz.demo.answers import Answer
from traceviz.errors import NothingFound, SourceFailed
from traceviz.sources.query import (
    LIMIT_HIT,
    LIMIT_LOWERED,
    SERVICES_NOT_ASKED,
    Jaeger,
    fetch,
    services_asked,
)
from traceviz.spans import concat

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
    with serve_recording(RECORDING, base_path) as server, Jaeger(server.url + "/", api) as jaeger:
        assert jaeger.services() == MESH
        assert jaeger.api == ("v1" if api == "v1" else "v3")
        assert jaeger.operations("nothing") == []
        assert jaeger.operations("service-node.default") == [("service-node.default.svc.cluster.local:80/*", "server")]
        spans = concat(list(jaeger.traces(["istio-ingress"], *WINDOW, 1000)))
        spans.self_check()
        assert (len(spans.trace_ids), len(spans)) == (100, 533)
        assert len(jaeger.notes) == 0
        assert list(jaeger.traces(["nowhere"], *WINDOW, 1000)) == []


def test_the_api_is_known_without_asking_for_services_first() -> None:
    with unruly(good) as server, Jaeger(server.url) as jaeger:
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
        traces, jaeger = ask(server.url)
    assert (traces, jaeger.api) == (100, api)


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
            Jaeger(server.url, api) as jaeger,
        ):
            assert set(MESH) - set(jaeger.services()) <= {"jaeger"}
            whole = concat(list(fetch(jaeger, "istio-ingress", *WINDOW, 1500)))
            ids = [whole.trace_ids[trace] for trace in whole.trace]
            spans[api] = set(zip(ids, whole.span_id.tolist(), whole.start_ns.tolist(), strict=True))
            assert len(whole.trace_ids) == 200
            # This server looks at no limit: what is too much is cut here.
            assert len(traces_of(list(jaeger.traces(["istio-ingress"], *WINDOW, 20)))) == 20
            assert jaeger.notes.count(LIMIT_HIT) == 20
    assert spans["v3"] == spans["v1"]


def test_an_empty_list_of_services_is_an_empty_object_in_v3_and_null_in_v1() -> None:
    v1 = Answer(200, "application/json", b'{"data":null,"total":0,"limit":0,"offset":0,"errors":null}')
    for behave in (always(Answer(200, PLAIN, b"{}")), without("/api/", v1)):
        with unruly(behave) as server, Jaeger(server.url) as jaeger:
            assert jaeger.services() == []
            with pytest.raises(NothingFound, match=f"{server.url} knows no service yet"):
                services_asked(jaeger, None)


def test_a_window_is_asked_for_to_the_nanosecond_in_v3_and_never_narrower_in_v1() -> None:
    from_ns, to_ns = 1_795_394_829_631_244_001, 1_795_394_834_774_625_001
    for api, wanted in (
        (
            "v3",
            "/api/v3/traces?query.service_name=istio-ingress&query.start_time_min=2026-11-23T00%3A47%3A09.631244001Z"
            "&query.start_time_max=2026-11-23T00%3A47%3A14.774625001Z&query.num_traces=7",
        ),
        ("v1", "/api/traces?service=istio-ingress&start=1795394829631244&end=1795394834774626&limit=7"),
    ):
        with unruly(good) as server, Jaeger(server.url, api) as jaeger:  # type: ignore[arg-type]
            list(jaeger.traces(["istio-ingress"], from_ns, to_ns, 7))
            assert server.asked == [wanted]


def test_a_service_is_found_as_a_user_names_it() -> None:
    with unruly(good) as server:
        assert ask(server.url, "service-python")[0] == 29
        traces, jaeger = ask(server.url, "istio-ingressgateway.istio-system")
    assert traces == 100
    assert list(jaeger.notes) == ["gateway-assumed"]


def test_an_unknown_service_is_told_with_the_url_and_the_known_ones() -> None:
    with unruly(good) as server, pytest.raises(NothingFound) as caught:
        ask(server.url, "service-phyton")
    assert str(caught.value) == f"no service 'service-phyton' is known here at {server.url}"
    assert "'service-python.default'" in caught.value.remedy


def test_without_a_service_every_one_but_jaegers_own_is_asked_for_and_each_trace_given_once() -> None:
    with unruly(good) as server:
        traces, jaeger = ask(server.url, None)
        asked = [path.split("service_name=")[1].split("&")[0] for path in server.asked if "service_name" in path]
    assert traces == 100
    assert asked == [name for name in MESH if name != "jaeger"]
    assert len(jaeger.notes) == 0


def test_the_limit_holds_over_all_services_and_says_whom_it_left_out() -> None:
    with unruly(good) as server:
        traces, jaeger = ask(server.url, None, limit=30)
    assert traces == 30
    assert jaeger.notes.count(LIMIT_HIT) == 30
    assert jaeger.notes.count(SERVICES_NOT_ASKED) == 6


def test_a_limit_reached_by_a_later_service_is_cut_there() -> None:
    with unruly(good) as server, Jaeger(server.url) as jaeger:
        services = ["service-lua.default", "service-go.default", "service-redis.default"]
        alone = [len(traces_of(list(jaeger.traces([name], *WINDOW, 1000)))) for name in services]
        assert len(jaeger.notes) == 0
        parts = list(jaeger.traces(services, *WINDOW, alone[0] + 5))
        assert len(set(traces_of(parts))) == len(traces_of(parts)) == alone[0] + 5
        assert jaeger.notes.count(LIMIT_HIT) == alone[0] + 5
        assert jaeger.notes.count(SERVICES_NOT_ASKED) == 1


@pytest.mark.parametrize(("limit", "noted"), [(99, 99), (100, 100), (101, 0)])
def test_as_many_traces_as_the_limit_is_noted_because_there_may_be_more(limit: int, noted: int) -> None:
    with unruly(good) as server:
        traces, jaeger = ask(server.url, limit=limit)
    assert traces == min(limit, 100)
    assert jaeger.notes.count(LIMIT_HIT) == noted


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_a_limit_the_storage_refuses_is_halved_until_it_is_taken(api: Any) -> None:
    with unruly(good) as server, Jaeger(server.url, api) as jaeger:
        assert len(traces_of(list(jaeger.traces(["istio-ingress", "jaeger"], *WINDOW, 1_000_000)))) == 100
        assert len(server.asked) == 4 + 1 + 1
        assert jaeger.notes.count(LIMIT_LOWERED) == 4
        assert "1,000,000 refused" in jaeger.notes.documents()[0]["examples"]


def test_a_storage_that_refuses_every_limit_is_a_failure_and_not_an_endless_loop() -> None:
    said = json.dumps({"error": {"httpCode": 500, "message": "search depth must be greater than 0"}}).encode()
    error, url = failure(for_searches(always(Answer(500, PLAIN, said))))
    assert isinstance(error, SourceFailed)
    assert f"{url} answered 500 Internal Server Error to GET /api/v3/traces: search depth must be" in str(error)


def test_traces_that_come_once_the_limit_was_lowered_and_filled_are_noted() -> None:
    depth = json.dumps({"error": {"httpCode": 500, "message": "search depth must be lower"}}).encode()

    def at_most_50(exchange: Exchange) -> None:
        limit = int(exchange.path.rpartition("=")[2])
        exchange.send(GOOD.of(exchange.path) if limit <= 50 else Answer(500, PLAIN, depth))

    with unruly(for_searches(at_most_50)) as server:
        traces, jaeger = ask(server.url, limit=80)
    assert traces == 40
    assert jaeger.notes.count(LIMIT_HIT) == 40


def test_a_gzipped_answer_is_read_whoever_unpacks_it() -> None:
    packed = gzip.compress(GOOD.of("/api/traces?service=istio-ingress&start=0&limit=1000").body)
    answer = Answer(200, PLAIN, packed)
    for headers in ({"Content-Encoding": "gzip"}, None):
        with unruly(for_searches(always(answer, headers))) as server, Jaeger(server.url, "v1") as jaeger:
            assert len(traces_of(list(jaeger.traces(["istio-ingress"], *WINDOW, 1000)))) == 100


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    busy = always(Answer(status, PLAIN, b"busy"), {"Retry-After": "0"})
    with unruly(at_first(busy)) as server:
        assert ask(server.url)[0] == 100
        assert len(server.asked) == 4


def test_a_broken_connection_is_tried_again() -> None:
    with unruly(at_first(slams, times=2)) as server:
        assert ask(server.url)[0] == 100


def test_a_server_that_is_too_slow_is_not_asked_again() -> None:
    with unruly(silent) as server, pytest.raises(SourceFailed, match=r"gave no answer within 0\.2 s"):
        ask(server.url, timeout_s=0.2)
    assert len(server.asked) == 1
