"""The demo's Jaeger answers what the recorded one answered."""

from __future__ import annotations

import gzip
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from traceviz.demo import DemoJaeger, Recording, serve_recording

RECORDED = pathlib.Path(__file__).parents[1].parent / "shared" / "data" / "mesh" / "seed_504"
REQUESTS: dict[str, Any] = json.loads((RECORDED / "requests.json").read_text())
SECOND = 10**9
Json = dict[str, Any]


def whole_recording(ends_at_ns: int | None = None) -> Recording:
    v1, v3 = ((RECORDED / api / "traces.json.gz").read_bytes() for api in ("v1", "v3"))
    return Recording.from_gzip(v1, v3, ends_at_ns)


@pytest.fixture(scope="module")
def replay() -> Iterator[DemoJaeger]:
    """The whole recording, at the times it was made."""
    with serve_recording(whole_recording()) as jaeger:
        yield jaeger


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoJaeger]:
    with serve_recording() as jaeger:
        yield jaeger


def get(url: str, **parameters: Any) -> requests.Response:
    return requests.get(url, params=parameters, timeout=10)


def unordered(value: Any) -> Any:
    """Jaeger's lists of names come in the order of a Go map."""
    return sorted(value, key=json.dumps) if isinstance(value, list) else value


def comparable(document: Json) -> Json:
    """The body without what differs between two answers of one Jaeger: the order of names, of a trace's spans and
    of a raw span's tags, and the numbering of processes."""
    for trace in document.get("data") or ():
        if isinstance(trace, dict) and "spans" in trace:
            processes = trace.pop("processes")
            for span in trace["spans"]:
                span["tags"] = unordered(span["tags"])
                span["process"] = processes[span.pop("processID")]
            trace["spans"] = unordered(trace["spans"])
    if document.get("total"):
        document["data"] = unordered(document["data"])
    return {key: unordered(value) if key in ("services", "operations") else value for key, value in document.items()}


# The demo has no dependencies: nothing asks for them.
@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "v1/dependencies.json.gz"])
def test_every_recorded_question_gets_the_recorded_answer(name: str, replay: DemoJaeger) -> None:
    recorded = REQUESTS[name]
    answer = get(replay.url + recorded["path"])
    assert answer.status_code == recorded["status"]
    assert answer.headers["Content-Type"] == recorded["content_type"]
    body = gzip.decompress((RECORDED / name).read_bytes())
    if name.endswith(".json.gz"):
        assert comparable(answer.json()) == comparable(json.loads(body))
        assert answer.content.endswith(b"\n") == body.endswith(b"\n")
    else:
        assert answer.text.startswith("<!DOCTYPE html>")
        assert body.startswith(b"<!DOCTYPE html>")


def test_shifted_to_now_both_apis_give_the_same_traces_at_the_same_times() -> None:
    ends_at_ns = time.time_ns() - 3 * SECOND
    with serve_recording(whole_recording(ends_at_ns)) as jaeger:
        v1 = get(jaeger.url + "/api/traces", service="istio-ingress", limit=1500).json()
        v3 = get(
            jaeger.url + "/api/v3/traces",
            **{
                "query.service_name": "istio-ingress",
                "query.start_time_min": "2000-01-01T00:00:00Z",
                "query.start_time_max": "2100-01-01T00:00:00.123456789+01:00",
                "query.num_traces": 1500,
            },
        ).json()
    spans_v1 = {
        (s["traceID"], s["spanID"]): (s["startTime"], [log["timestamp"] for log in s["logs"]])
        for trace in v1["data"]
        for s in trace["spans"]
    }
    spans_v3 = {
        (s["traceId"], s["spanId"]): (
            int(s["startTimeUnixNano"]) // 1000,
            [int(event["timeUnixNano"]) // 1000 for event in s.get("events", ())],
        )
        for group in v3["result"]["resourceSpans"]
        for scope in group["scopeSpans"]
        for s in scope["spans"]
    }
    assert len(spans_v1) == 1075
    assert spans_v1 == spans_v3
    last_us = max(s["startTime"] + s["duration"] for trace in v1["data"] for s in trace["spans"])
    assert 0 <= ends_at_ns // 1000 - last_us <= 1


def test_the_packaged_recording_ended_a_few_seconds_ago_and_is_inside_the_last_ten_minutes(demo: DemoJaeger) -> None:
    now_us = time.time_ns() // 1000
    found = get(demo.url + "/api/traces", service="istio-ingress", start=now_us - 600 * 10**6, end=now_us, limit=1000)
    traces = found.json()["data"]
    assert len(traces) == 100
    ends = [s["startTime"] + s["duration"] for trace in traces for s in trace["spans"]]
    assert len(ends) == 533
    assert now_us - 60 * 10**6 < max(ends) < now_us
    assert demo.recording.to_ns // 1000 == max(ends)


def test_about_half_the_calls_to_service_python_fail_in_the_packaged_recording(demo: DemoJaeger) -> None:
    traces = get(demo.url + "/api/traces", service="service-python.default", limit=1000).json()["data"]
    traces += get(demo.url + "/api/traces", service="istio-ingress", limit=1000).json()["data"]
    statuses: dict[str, list[str]] = {}
    for trace in {trace["traceID"]: trace for trace in traces}.values():
        for span in trace["spans"]:
            tags = {tag["key"]: tag["value"] for tag in span["tags"]}
            if tags.get("upstream_cluster", "").startswith("outbound|80||service-python."):
                caller = trace["processes"][span["processID"]]["serviceName"]
                statuses.setdefault(caller, []).append(tags["http.status_code"])
    assert {caller: (len(all_), all_.count("504")) for caller, all_ in statuses.items()} == {
        "istio-ingress": (34, 17),
        "service-js.default": (30, 18),
    }


def test_a_search_finds_only_traces_with_one_span_that_meets_every_condition(replay: DemoJaeger) -> None:
    url = replay.url + "/api/traces"
    window: dict[str, int] = {"start": replay.recording.from_ns // 1000, "end": replay.recording.to_ns // 1000}
    everything = len(get(url, service="service-go.default", limit=500, **window).json()["data"])
    for narrower in (
        {"minDuration": "10ms"},
        {"maxDuration": "2ms"},
        {"operation": "service-redis.default.svc.cluster.local:80/*", "maxDuration": "3ms"},
        {"tag": "http.status_code:200", "operation": "nothing"},
        {"tags": '{"upstream_cluster": "outbound|80||service-redis.default.svc.cluster.local", "x": "y"}'},
        {"start": window["end"] - 2 * 10**6},
        {"end": window["start"] + 2 * 10**6},
    ):
        found = get(url, **{"service": "service-go.default", "limit": 500, **window, **narrower}).json()["data"]
        assert len(found) < everything, narrower
    fully_met = {"tag": "http.status_code:200", "minDuration": "0s", "maxDuration": "1h"}
    assert len(get(url, service="service-go.default", limit=500, **window, **fully_met).json()["data"]) == everything


def test_the_limit_keeps_the_newest(replay: DemoJaeger) -> None:
    window = {"start": replay.recording.from_ns // 1000, "end": replay.recording.to_ns // 1000}
    twenty = get(replay.url + "/api/traces", service="istio-ingress", limit=20, **window).json()["data"]
    forty = get(replay.url + "/api/traces", service="istio-ingress", limit=40, **window).json()["data"]
    assert twenty == forty[:20]
    assert min(t["spans"][0]["startTime"] for t in twenty) > max(t["spans"][-1]["startTime"] for t in forty[30:])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/traces?service=x&limit=0", 500, "search depth must be"),
        ("/api/traces?service=x&limit=100001", 500, "search depth must be"),
        ("/api/traces?service=x&minDuration=soon", 400, "minDuration"),
        ("/api/traces?service=x&tag=error", 400, "expecting key:value"),
        ("/api/traces?service=x&tags=%5B1%5D", 400, "malformed 'tags'"),
        ("/api/traces?service=x&tags=%7B", 400, "malformed 'tags'"),
        ("/api/operations", 400, "'service' is required"),
        ("/api/v3/traces?query.start_time_min=2026-11-23T00:00:00Z&query.start_time_max=now", 400, "service_name"),
        (
            "/api/v3/traces?query.service_name=x&query.start_time_min=2026-11-23T00:00:00Z&query.start_time_max=now",
            400,
            "query.start_time_max",
        ),
        (
            "/api/v3/traces?query.service_name=x&query.start_time_min=2026-11-23T0&query.start_time_max=2027-11-23T00:00:00Z",
            400,
            "query.start_time_min",
        ),
        ("/api/v3/traces?query.service_name=x&query.nonsense=1", 501, "query.nonsense"),
        ("/api/traces?service=x&nonsense=1", 501, "nonsense"),
    ],
)
def test_a_bad_question_is_refused_with_what_is_wrong(path: str, status: int, said: str, demo: DemoJaeger) -> None:
    answer = get(demo.url + path)
    assert answer.status_code == status
    assert said in answer.text


def test_with_a_base_path_every_route_begins_with_it() -> None:
    with serve_recording(base_path="/jaeger/") as jaeger:
        assert jaeger.url.endswith("/jaeger")
        assert "istio-ingress" in get(jaeger.url + "/api/v3/services").json()["services"]
        outside = get(jaeger.url.removesuffix("/jaeger") + "/api/v3/services")
        assert (outside.status_code, outside.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_operations_are_told_apart_by_kind(demo: DemoJaeger) -> None:
    url = demo.url + "/api/operations"
    kinds = {o["spanKind"] for o in get(url, service="service-go.default").json()["data"]}
    assert kinds == {"client", "server"}
    only = get(url, service="service-go.default", spanKind="server").json()["data"]
    assert {o["spanKind"] for o in only} == {"server"}
