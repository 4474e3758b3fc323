"""What is selected of a target: the same options against files and a Jaeger, files in any form, links and sources."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import traceviz
from tests.commands import SEED, called
from tests.conftest import MESH
from tests.unruly import always, for_searches, good, refusing_url, unruly
from traceviz.asking.access import Access
from traceviz.demo import DemoJaeger, serve_recording
from traceviz.demo.answers import Answer
from traceviz.errors import NothingFound, NothingReadable, UsageError
from traceviz.target import open_target
from traceviz.wanted import Wanted

Json = dict[str, Any]
PLAIN = gzip.decompress(Path(SEED).read_bytes())
#: The 200 traces as v1 gave them, and the µs at which each began.
TRACES: list[Json] = json.loads(PLAIN)["data"]
STARTS = sorted(min(span["startTime"] for span in trace["spans"]) for trace in TRACES)
END = max(span["startTime"] + span["duration"] for trace in TRACES for span in trace["spans"])


def graph(*arguments: str, stdin: bytes = b"", **env: str) -> Json:
    """The document of `traceviz graph -o json`."""
    document: Json = called("graph", *arguments, "-o", "json", stdin=stdin, env=env).json()
    return document


def codes(document: Json) -> list[str]:
    return [note["code"] for note in document["notes"]]


def seen(document: Json) -> Json:
    """What the document says of the traffic, whatever was asked and of whom."""
    return {key: value for key, value in document.items() if key not in ("source", "asked", "notes")}


def rfc3339(us: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z"


# Services


def of_service(*names: str) -> int:
    """How many of the recorded traces have a span of one of these services."""
    return sum(any(process["serviceName"] in names for process in trace["processes"].values()) for trace in TRACES)


@pytest.mark.parametrize("asked", ["service-go.default", "service-go", "service-go.default.svc.cluster.local"])
def test_a_service_keeps_whole_traces_by_its_name_or_its_first_label(asked: str) -> None:
    document = graph(SEED, "--service", asked)
    assert document["asked"]["service"] == asked
    assert document["counts"]["traces"] == of_service("service-go.default")
    assert document["counts"]["traces"] < len(TRACES)
    assert {"istio-ingress", "service-js", "service-redis"} <= {node["name"] for node in document["nodes"]}


def test_a_first_label_means_every_namespace() -> None:
    with_two = [trace for trace in TRACES if len(trace["processes"]) > 1][:4]
    renamed = json.dumps({"data": with_two[:2]}) + json.dumps({"data": with_two[2:]}).replace(".default", ".other")
    document = graph("-", "--service", "service-go", stdin=renamed.encode())
    expected = sum(
        any(process["serviceName"] == "service-go.default" for process in trace["processes"].values())
        for trace in with_two
    )
    assert document["counts"]["traces"] == expected > 0


@pytest.mark.parametrize("asked", ["istio-ingress", "istio-ingressgateway", "ingressgateway", "istio-ingress.prod"])
def test_a_gateways_usual_names_mean_the_only_gateway_there_is(asked: str) -> None:
    file = PLAIN.replace(b'"istio-ingress"', b'"front-door.edge"')
    document = graph("-", "--service", asked, stdin=file)
    assert document["counts"]["traces"] == len(TRACES)
    assert codes(document) == ["gateway-assumed"]
    assert "front-door.edge" in document["notes"][0]["examples"][0]


def test_two_gateways_are_told_apart_by_the_user() -> None:
    renamed = json.dumps({"data": TRACES[:100]}) + json.dumps({"data": TRACES[100:]}).replace(
        '"istio-ingress"', '"other-door"'
    )
    run = called("graph", "-", "--service", "ingressgateway", stdin=renamed.encode())
    assert run.code == 3
    assert "several gateways: 'istio-ingress', 'other-door'" in run.err


# Times


def test_since_counts_back_from_the_last_span_of_files() -> None:
    document = graph(SEED, "--since", "1500ms")
    asked = document["asked"]
    assert (asked["from"], asked["to"]) == (rfc3339(END - 1_500_000), rfc3339(END))
    spans = [[span["startTime"] for span in trace["spans"]] for trace in TRACES]
    expected = sum(any(start >= END - 1_500_000 for start in starts) for starts in spans)
    assert document["counts"]["traces"] == expected
    assert 0 < expected < len(TRACES)


def test_from_and_to_select_by_the_start_of_a_span_and_keep_traces_whole() -> None:
    middle, later = STARTS[80], STARTS[120]
    for begin, end in ((rfc3339(middle), rfc3339(later)), (str(middle), str(later))):
        document = graph(SEED, "--from", begin, "--to", end)
        spans = [[span["startTime"] for span in trace["spans"]] for trace in TRACES]
        expected = [trace for trace, s in zip(TRACES, spans, strict=True) if any(middle <= at <= later for at in s)]
        assert document["counts"]["traces"] == len(expected)
        assert document["counts"]["spans"] == sum(len(trace["spans"]) for trace in expected)
        assert (document["asked"]["from"], document["asked"]["to"]) == (rfc3339(middle), rfc3339(later))


def test_without_options_files_are_read_whole_and_nothing_was_asked() -> None:
    document = graph(SEED)
    assert document["counts"]["traces"] == len(TRACES)
    assert not any(document["asked"].values())
    assert document["seen"] is None
    assert document["source"] == [SEED]
    assert document["notes"] == []


def test_the_window_follows_from_what_is_said_and_from_the_end() -> None:
    assert Wanted(since_ns=60, to_ns=500).window(1000, None) == (440, 500)
    assert Wanted(since_ns=60).window(1000, None) == (940, 1000)
    assert Wanted(to_ns=500).window(1000, 100) == (400, 500)
    assert Wanted(from_ns=700).window(1000, 100) == (700, 1000)
    assert Wanted(from_ns=700).window(1000, None) == (700, None)
    assert Wanted().window(1000, 100) == (900, 1000)
    assert Wanted(since_ns=5000).window(1000, None) == (0, 1000)  # not before 1970
    assert Wanted().window(1000, None) == (None, None)


# Limits


def test_a_limit_takes_the_newest_and_counts_the_others() -> None:
    document = graph(SEED, "--limit", "30")
    assert document["counts"]["traces"] == 30
    assert document["asked"]["limit"] == 30
    assert document["window"]["from"] == rfc3339(STARTS[-30])
    assert [(note["code"], note["count"]) for note in document["notes"]] == [("older-traces-left-out", 170)]


def test_a_limit_counts_only_traces_that_were_selected_otherwise() -> None:
    document = graph(SEED, "--service", "service-go", "--to", rfc3339(STARTS[150]), "--limit", "5")
    assert document["counts"]["traces"] == 5
    assert document["window"]["from"] <= rfc3339(STARTS[150])
    assert {"istio-ingress", "service-go"} <= {node["name"] for node in document["nodes"]}


def test_a_limit_that_is_not_reached_leaves_no_note() -> None:
    assert graph(SEED, "--limit", "200")["notes"] == []


# Files


def test_standard_input_gzip_globs_and_plain_files_are_one(tmp_path: Path) -> None:
    expected = seen(graph(SEED))
    (tmp_path / "plain.json").write_bytes(PLAIN)
    (tmp_path / "zipped").write_bytes(gzip.compress(PLAIN))
    for name in ("plain.json", "zipped"):
        assert seen(graph(str(tmp_path / name))) == expected
    assert seen(graph("-", stdin=PLAIN)) == expected
    assert seen(graph("-", stdin=gzip.compress(PLAIN))) == expected
    assert seen(graph(str(tmp_path / "pl*.json"))) == expected


def test_a_trace_scattered_over_files_is_one_trace(tmp_path: Path) -> None:
    for number in range(3):
        parts = [{**trace, "spans": trace["spans"][number::3]} for trace in TRACES]
        (tmp_path / f"{number}.json").write_text(json.dumps({"data": [part for part in parts if part["spans"]]}))
    names = [str(tmp_path / f"{number}.json") for number in (2, 0, 1)]
    document = graph(*names)
    assert seen(document) == seen(graph(SEED))
    assert document["source"] == names
    assert seen(graph(str(tmp_path / "*.json"))) == seen(document)


def test_the_same_file_twice_changes_nothing_but_a_note() -> None:
    document = graph(SEED, SEED)
    assert seen(document) == seen(graph(SEED))
    assert codes(document) == ["duplicate-spans"]


def test_links_lead_to_the_page_that_was_named() -> None:
    def links(*arguments: str, **env: str) -> list[str]:
        run = called("errors", SEED, *arguments, "-o", "json", env=env)
        found: list[str] = run.json()["failing_hops"][0]["links"]
        return found

    trace = min(trace["traceID"] for trace in TRACES if "FI" in json.dumps(trace) and len(trace["processes"]) == 1)
    assert links() == []
    assert links("--ui-url", "https://ui.example.com/jaeger/")[0] == f"https://ui.example.com/jaeger/trace/{trace}"
    assert links("--url", "http://me:secret@jaeger:16686/")[0] == f"http://jaeger:16686/trace/{trace}"
    assert links(TRACEVIZ_URL="http://jaeger:16686")[0] == f"http://jaeger:16686/trace/{trace}"
    assert links("--ui-url", "http://ui", "--url", "http://jaeger")[0] == f"http://ui/trace/{trace}"


# A Jaeger


@pytest.fixture(scope="module", params=["", "/jaeger"])
def jaeger(request: pytest.FixtureRequest) -> Iterator[DemoJaeger]:
    with serve_recording(base_path=request.param) as served:
        yield served


@pytest.mark.parametrize("api", ["auto", "v1", "v3"])
def test_a_jaeger_gives_the_same_by_either_api(jaeger: DemoJaeger, api: str) -> None:
    document = graph("--url", jaeger.url, "--api", api, "--service", "istio-ingress")
    assert (document["counts"]["traces"], document["counts"]["failed_traces"]) == (100, 17)
    assert document["source"] == [jaeger.url]
    assert document["asked"]["limit"] == 1000
    edges = {(edge["caller"], edge["callee"]): (edge["calls"], edge["errors"]) for edge in document["edges"]}
    assert edges["istio-ingress", "service-python"] == (34, 17)
    assert len(edges) == 8


def test_a_jaeger_is_named_by_option_environment_or_target(jaeger: DemoJaeger) -> None:
    expected = seen(graph("--url", jaeger.url, "--service", "istio-ingress"))["counts"]
    assert seen(graph("--service", "istio-ingress", TRACEVIZ_URL=jaeger.url))["counts"] == expected
    assert seen(graph(jaeger.url, "--service", "istio-ingress"))["counts"] == expected
    over = graph("--url", jaeger.url, TRACEVIZ_URL=refusing_url())
    assert over["source"] == [jaeger.url]


def test_since_counts_back_from_now_against_a_jaeger(jaeger: DemoJaeger) -> None:
    document = graph("--url", jaeger.url, "--since", "6s", "--service", "istio-ingress")
    begin, end = (datetime.fromisoformat(document["asked"][key]) for key in ("from", "to"))
    assert end - begin == timedelta(seconds=6)
    assert abs((datetime.now(end.tzinfo) - end).total_seconds()) < 30
    assert document["counts"]["traces"] < 100
    hour = graph("--url", jaeger.url)["asked"]
    assert datetime.fromisoformat(hour["to"]) - datetime.fromisoformat(hour["from"]) == timedelta(hours=1)


def test_without_a_service_every_service_is_asked_for_and_each_trace_counts_once(jaeger: DemoJaeger) -> None:
    assert graph("--url", jaeger.url)["counts"]["traces"] == 100


def test_a_limit_that_a_jaeger_filled_is_said(jaeger: DemoJaeger) -> None:
    document = graph("--url", jaeger.url, "--service", "istio-ingress", "--limit", "10")
    assert document["counts"]["traces"] == 10
    assert codes(document) == ["limit-hit"]


def test_links_lead_to_the_jaeger_that_was_asked(jaeger: DemoJaeger) -> None:
    row = called("errors", "--url", jaeger.url, "-o", "json").json()["failing_hops"][0]
    assert row["links"] == [f"{jaeger.url}/trace/{trace}" for trace in row["examples"]]


def test_a_password_in_a_url_is_never_repeated() -> None:
    with unruly(good) as server:
        url = server.url.replace("http://", "http://me:secret@")
        answers = [
            called("errors", "--url", url, "-o", "json", "--from", "0"),
            called("errors", "--url", url, "--service", "nobody"),
            called("errors", "--url", url, "--to", "now-40d"),
            called("errors", url, SEED),
        ]
    answers.append(called("graph", "--url", url))
    assert [run.code for run in answers] == [0, 3, 3, 2, 69]
    for run in answers:
        assert "secret" not in run.text + run.err
    with unruly(good) as server, pytest.raises(NothingFound) as caught:
        traceviz.load(server.url.replace("http://", "http://me:secret@"), to="now-40d")
    assert "secret" not in str(caught.value)


def test_a_jaeger_and_files_are_not_read_together() -> None:
    with pytest.raises(UsageError, match="together"), open_target(["http://localhost:1", SEED], Wanted()):
        pass


def test_every_selected_trace_is_in_exactly_one_batch() -> None:
    with open_target([str(MESH / "seed_504" / "zipkin.json.gz")], Wanted(service="istio-ingress", limit=50)) as traces:
        ids = [trace_id for spans in traces.batches() for trace_id in spans.trace_ids]
    assert len(ids) == len(set(ids)) == 50


def test_a_jaeger_of_whose_traces_nothing_can_be_read_says_what_was_wrong() -> None:
    unreadable = Answer(
        200, "application/json", b'{"result": {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "what"}]}]}]}}'
    )
    with (
        unruly(for_searches(always(unreadable))) as jaeger,
        pytest.raises(NothingReadable, match="could be read"),
        open_target([], Wanted(service="istio-ingress"), Access(jaeger.url)) as traces,
    ):
        traces.report()


def test_where_one_service_name_stands_for_all_a_workload_is_selected_by_its_own_name(tmp_path: Path) -> None:
    renamed = json.loads(PLAIN)
    for trace in renamed["data"]:
        for process in trace["processes"].values():
            process["serviceName"] = "istio-proxy"
    path = tmp_path / "one-name.json"
    path.write_text(json.dumps(renamed))
    report = traceviz.load(str(path), service="service-lua").report()
    assert report.graph()["counts"]["traces"] == 58
    assert {node["name"] for node in report.graph()["nodes"]} >= {"istio-ingress", "service-python", "service-lua"}
    with pytest.raises(NothingFound):
        traceviz.load(str(path), service="service-rust")


def test_a_service_that_is_no_gateway_sees_only_calls_that_arrived_and_that_is_said() -> None:
    assert "only-arrived-calls" in codes(graph(SEED, "--service", "service-python"))
    assert "only-arrived-calls" not in codes(graph(SEED, "--service", "istio-ingress"))
