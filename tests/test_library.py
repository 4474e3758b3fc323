"""What library users call, beyond the doctest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import graphviz
import networkx as nx
import pytest

import traceviz
from tests.commands import called, environment
from tests.conftest import FORMATS, MESH, recorded
from tests.unruly import WINDOW, always, for_windows_around, good, unruly, wants
from traceviz.demo import serve_recording
from traceviz.demo.answers import Answer
from traceviz.errors import NothingFound, SourceFailed, UsageError

SEED = str(MESH / "seed_504" / "v1" / "traces.json.gz")


def test_a_report_turns_into_networkx_with_the_fields_of_contract() -> None:
    graph = recorded("seed_504", "v1").to_networkx()
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.nodes["istio-ingress"]["kind"] == "gateway"
    edge = graph.edges["istio-ingress", "service-python", "sync"]
    assert (edge["calls"], edge["errors"]) == (66, 35)
    assert nx.is_directed_acyclic_graph(graph)


def test_a_report_turns_into_a_graphviz_source() -> None:
    report = recorded("seed_504", "v1")
    source = traceviz.to_graphviz(report)
    assert isinstance(source, graphviz.Source)
    assert source.source.strip() == str(traceviz.render(report, "dot")).strip()


def test_reports_of_two_files_add_up_to_that_of_both() -> None:
    other = str(MESH / "none" / "v1" / "traces.json.gz")
    both = traceviz.load([SEED, other]).report()
    added = traceviz.load(SEED).report().merge(traceviz.load(other).report())
    without_head = [{**doc, "source": [], "asked": {}} for doc in (both.graph(), added.graph())]
    assert without_head[0]["edges"] == without_head[1]["edges"]
    assert without_head[0]["counts"] == without_head[1]["counts"]
    assert both.errors()["failing_hops"] == added.errors()["failing_hops"]


@pytest.mark.parametrize(
    "options",
    [
        {"service": "istio-ingress", "limit": 7},
        {"everything": True},
        {"service": "service-redis", "min_duration": "3ms", "max_duration": "1s"},
        {"service": "service-go", "operation": "service-redis.default.svc.cluster.local:80/*"},
        {"tags": {"http.status_code": "504", "response_flags": "FI"}, "api": "v1"},
        {"complete": 0, "ui_url": "https://jaeger.example.com"},
    ],
    ids=str,
)
def test_load_takes_the_options_of_the_command_line(options: dict[str, Any]) -> None:
    words = {"everything": ("--all",), "tags": [f"{name}={value}" for name, value in options.get("tags", {}).items()]}
    with unruly(good) as server:
        report = traceviz.load(server.url, from_=str(WINDOW[0]), to=str(WINDOW[1]), **options).report()
        arguments = ["--url", server.url, "--from", str(WINDOW[0]), "--to", str(WINDOW[1])]
        for name, value in options.items():
            if name == "tags":
                arguments += [word for tag in words["tags"] for word in ("--tag", tag)]
            else:
                arguments += words.get(name) or ("--" + name.replace("_", "-"), str(value))
        assert report.graph() == called("graph", *arguments, "-o", "json").json()
        assert report.errors() == called("errors", *arguments, "-o", "json").json()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"service": "nowhere"}, NothingFound),
        ({"since": "soon"}, UsageError),
        ({"tags": {"error": "maybe"}}, UsageError),
        ({"limit": 1, "everything": True}, UsageError),
        ({"min_duration": "2s", "max_duration": "1s"}, UsageError),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_an_error_of_traceviz(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        traceviz.load(SEED, **options)


def test_a_limit_takes_the_newest_of_a_file() -> None:
    assert len(traceviz.load(SEED, limit=1).spans.trace_ids) == 1


def test_a_jaeger_is_reached_as_access_says(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    access = traceviz.Access(bearer_token_file=token, headers={"X-Scope": "traces"}, tenant="acme")
    with unruly(wants("Authorization", "Bearer t0ken", Answer(401, "text/plain", b"Jwt is missing"))) as server:
        traces = traceviz.load(server.url, from_=str(WINDOW[0]), to=str(WINDOW[1]), access=access).spans.trace_ids
        assert len(traces) == 100
        assert {"X-Scope": "traces", "x-tenant": "acme"}.items() <= server.headers[-1].items()
        fetched = traceviz.fetch(
            server.url, tmp_path / "a.jsonl", from_=str(WINDOW[0]), to=str(WINDOW[1]), access=access
        )
        assert fetched.traces == 100
        with pytest.raises(SourceFailed):
            traceviz.load(server.url)


def test_what_was_fetched_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with unruly(good) as server:
        which: dict[str, Any] = {"service": "istio-ingress", "from_": str(WINDOW[0]), "to": str(WINDOW[1]), "limit": 20}
        fetched = traceviz.fetch(server.url, file, **which)
        live = traceviz.load(server.url, **which).report()
    assert (fetched.path, fetched.traces, fetched.complete, fetched.interrupted) == (str(file), 20, True, False)
    assert "limit-hit" in fetched.notes
    back = traceviz.load(str(file)).report()
    assert {**back.graph(), "source": []} == {**live.graph(), "source": []}
    assert {**back.errors(), "source": []} == {**live.errors(), "source": []}


def test_an_anonymised_fetch_hides_names(tmp_path: Path) -> None:
    with serve_recording() as jaeger:
        traceviz.fetch(jaeger.url, tmp_path / "a.jsonl", anonymize=True)
    names = {node["name"] for node in traceviz.load(str(tmp_path / "a.jsonl")).report().graph()["nodes"]}
    assert len(names) == 7
    assert not any(name.startswith("service-") for name in names)


def test_a_fetch_is_resumed_by_the_same_call(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    broken = always(Answer(500, "text/plain", b"all shards failed"))
    which: dict[str, Any] = {"from_": str(WINDOW[0]), "to": str(WINDOW[1]), "resume": True}
    with unruly(for_windows_around(WINDOW[0] + 10**9, broken)) as server:
        fetched = traceviz.fetch(server.url, file, **which)
        assert not fetched.complete
        port = int(server.url.rpartition(":")[2])
    with unruly(good, port) as server:
        assert traceviz.fetch(server.url, file, **which).complete
        asked = len(server.asked)
        assert traceviz.fetch(server.url, file, **which).traces == 100
        assert len(server.asked) == asked
        with pytest.raises(UsageError, match="--service"):
            traceviz.fetch(server.url, file, service="service-go", **which)
        with pytest.raises(UsageError, match="exclude"):
            traceviz.fetch(server.url, file, anonymize=True, **which)
        with pytest.raises(UsageError, match="is there already"):
            traceviz.fetch(server.url, file)


def test_only_a_jaeger_is_fetched_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no URL"):
        traceviz.fetch(SEED, tmp_path / "a.jsonl")


def test_nothing_is_printed_and_no_signal_is_handled(tmp_path: Path) -> None:
    """In a process of its own: neither pytest's capture nor another test's logging stands between."""
    program = """
import signal, sys, traceviz
handled = []
signal.signal = lambda *handler: handled.append(handler)
access = traceviz.Access(insecure=True, headers={"X-Scope": "traces"})
report = traceviz.load(sys.argv[1], service="service-go", access=access).report()
fetched = traceviz.fetch(sys.argv[1], sys.argv[2], limit=3, access=access)
sys.exit(not (report.traces and fetched.traces == 3 and not handled))
"""
    with serve_recording() as jaeger:
        process = subprocess.run(
            [sys.executable, "-c", program, jaeger.url, str(tmp_path / "a.jsonl")],
            env=environment(),
            capture_output=True,
            check=False,
        )
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")


def test_join_requests_puts_torn_traces_together_as_on_the_command_line() -> None:
    torn = str(MESH / "lost_headers" / FORMATS["zipkin"])
    apart, together = traceviz.load(torn), traceviz.load(torn, join_requests=True)
    assert len(together.spans.trace_ids) < len(apart.spans.trace_ids)
    told = called("graph", torn, "--join-requests", "-o", "json").json()
    assert together.report().graph() == told
    assert together.asked.join_requests
