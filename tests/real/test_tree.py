"""`traceviz tree` on requests of the article's mesh, read by the real command from real Jaegers.

What is expected comes from Envoy's counters, from fortio, and from the answer of Jaeger's v1 API, read here on its own:
a request of a proxy is one span, and one with a cluster `outbound|…` is a call of the workload that the proxy serves.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import requests

from tests.commands import called, installed
from tests.real.article import ABORT_STATUS, DELAY_S, INGRESS
from tests.real.experiments import EdgeCount, Outcome
from tests.real.jaegers import RealJaeger
from tests.real.test_article import experiments

pytestmark = pytest.mark.real

APIS = pytest.mark.parametrize("api", ["v3", "v1"])


class RawCall(NamedTuple):
    """A call as its caller's proxy reported it: µs, and the tags as they are."""

    caller: str
    callee: str
    start_us: int
    duration_us: int
    status: str
    flags: str


class RawTrace(NamedTuple):
    """The calls of a trace, the first one first."""

    trace_id: str
    calls: list[RawCall]

    @property
    def failed(self) -> bool:
        """Whether the ingress got no answer that it could pass on as a good one."""
        return int(self.calls[0].status) >= 500

    @property
    def found(self) -> Counter[tuple[str, str, str]]:
        """How often who called whom with which answer."""
        return Counter((call.caller, call.callee, call.status) for call in self.calls)


def raw_traces(jaeger: RealJaeger) -> list[RawTrace]:
    """Every request through the ingress that a Jaeger has."""
    answer = requests.get(f"{jaeger.url}/api/traces?service={INGRESS}&limit=50000", timeout=60)
    return [RawTrace(trace["traceID"].zfill(32), raw_calls(trace)) for trace in answer.json()["data"]]


def raw_calls(trace: Any) -> list[RawCall]:
    """The calls that proxies made."""
    calls = []
    for span in trace["spans"]:
        tags = {tag["key"]: str(tag["value"]) for tag in span["tags"]}
        if not tags["upstream_cluster"].startswith("outbound|"):
            continue
        caller = trace["processes"][span["processID"]]["serviceName"].split(".")[0]
        callee = tags["upstream_cluster"].split("|")[3].split(".")[0]
        timed = (span["startTime"], span["duration"])
        calls.append(RawCall(caller, callee, *timed, tags["http.status_code"], tags["response_flags"]))
    return sorted(calls, key=lambda call: call.start_us)


def tree(jaeger: RealJaeger, *arguments: str) -> Any:
    """The JSON of a tree."""
    return installed("tree", *arguments, "--url", jaeger.url, "-o", "json").json()


def found(document: Any) -> Counter[tuple[str, str, str]]:
    """How often who called whom with which answer, as the tree has it."""
    return Counter((call["caller"], call["callee"], call["status"]) for call in document["calls"])


def same(document: Any) -> Any:
    """What of a tree does not depend on how its trace was named."""
    return {key: document[key] for key in ("trace_id", "duration_ms", "counts", "spans", "calls", "text", "link")}


@APIS
@experiments("both", "down")
def test_the_trees_of_all_requests_add_up_to_what_envoy_counted(outcome: Outcome, jaeger: RealJaeger, api: str) -> None:
    raw = raw_traces(jaeger)
    assert len(raw) == outcome.requests
    calls: Counter[tuple[str, str]] = Counter()
    errors, aborted, delayed = calls.copy(), calls.copy(), calls.copy()
    failed = spans = 0
    for trace in raw:
        document = called("tree", trace.trace_id, "--url", jaeger.url, "--api", api, "-o", "json").json()
        assert document["trace_id"] == trace.trace_id
        assert found(document) == trace.found
        assert document["counts"]["failed_traces"] == trace.failed
        failed += trace.failed
        spans += len(document["spans"])
        for call in document["calls"]:
            edge = (call["caller"], call["callee"])
            calls[edge] += 1
            errors[edge] += call["error"]
            aborted[edge] += "FI" in call["flags"]
            delayed[edge] += "DI" in call["flags"]
    assert (failed, spans) == (outcome.refused, outcome.spans)
    assert {edge: EdgeCount(calls[edge], errors[edge], aborted[edge], delayed[edge]) for edge in calls} == outcome.edges


@experiments("both")
def test_a_call_has_the_time_and_the_flags_that_its_proxy_reported(outcome: Outcome, jaeger: RealJaeger) -> None:
    raw = max(raw_traces(jaeger), key=lambda trace: len(trace.calls))
    document = tree(jaeger, raw.trace_id)
    begin_us = raw.calls[0].start_us
    assert sorted(
        (call["callee"], call["start_ms"], call["duration_ms"], call["flags"]) for call in document["calls"]
    ) == sorted(
        (
            call.callee,
            pytest.approx((call.start_us - begin_us) / 1000),
            pytest.approx(call.duration_us / 1000),
            [] if call.flags == "-" else call.flags.split(","),
        )
        for call in raw.calls
    )


@experiments("both")
def test_a_trace_is_found_by_its_id_the_start_of_it_and_the_url_of_its_page(
    outcome: Outcome, jaeger: RealJaeger
) -> None:
    raw = raw_traces(jaeger)
    assert {trace.failed for trace in raw} == {True, False}
    for trace in (next(one for one in raw if one.failed), next(one for one in raw if not one.failed)):
        wanted = tree(jaeger, trace.trace_id)
        assert found(wanted) == trace.found
        assert wanted["link"] == f"{jaeger.url}/trace/{trace.trace_id}"
        assert requests.get(wanted["link"], timeout=60).ok
        page = installed("tree", wanted["link"], "-o", "json").json()
        assert same(page) == same(wanted)
        for name in (trace.trace_id.upper(), start_of(trace.trace_id, raw), f"{wanted['link']}?uiFind=x"):
            assert same(tree(jaeger, name)) == same(wanted)


def start_of(trace_id: str, raw: list[RawTrace]) -> str:
    """The shortest start, of at least six digits, that no other trace's id has."""
    lengths = range(6, len(trace_id))
    return next(
        trace_id[:length] for length in lengths if sum(one.trace_id.startswith(trace_id[:length]) for one in raw) == 1
    )


@APIS
@experiments("both")
def test_failing_is_the_newest_request_that_the_user_got_no_answer_to_and_names_the_fault(
    outcome: Outcome, jaeger: RealJaeger, api: str
) -> None:
    newest = max((trace for trace in raw_traces(jaeger) if trace.failed), key=lambda trace: trace.calls[0].start_us)
    document = tree(jaeger, "--service", INGRESS, "--failing", "--api", api)
    assert (document["trace_id"], found(document)) == (newest.trace_id, newest.found)
    broken = [call for call in document["calls"] if call["failing"]]
    assert broken[0] == document["calls"][0]
    for call in broken:
        assert (call["callee"], call["status"], call["flags"]) == ("service-python", str(ABORT_STATUS), ["FI"])
        assert (call["reason"], call["where"], call["blame"]) == ("fault-injected", "caller-proxy", "service-python")
    assert document["text"].startswith(f"{INGRESS} → service-python failed with {ABORT_STATUS}: a fault was injected")


@APIS
@experiments("both")
def test_slowest_is_the_longest_request_and_its_critical_path_goes_through_the_delay(
    outcome: Outcome, jaeger: RealJaeger, api: str
) -> None:
    slowest = max(raw_traces(jaeger), key=lambda trace: trace.calls[0].duration_us)
    document = tree(jaeger, "--service", INGRESS, "--slowest", "--api", api)
    assert (document["trace_id"], found(document)) == (slowest.trace_id, slowest.found)
    assert document["duration_ms"] == pytest.approx(slowest.calls[0].duration_us / 1000)
    delayed = [call for call in document["calls"] if "DI" in call["flags"]]
    assert [(call["caller"], call["callee"]) for call in delayed] == [("service-js", "service-go")]
    assert delayed[0]["duration_ms"] >= DELAY_S * 1000 > delayed[0]["server_ms"]
    assert delayed[0]["on_critical_path"]


@experiments("both")
def test_the_terminal_and_the_picture_mark_the_fault(outcome: Outcome, jaeger: RealJaeger, tmp_path: Path) -> None:
    chosen = ("--url", jaeger.url, "--service", INGRESS, "--failing")
    shown = installed("tree", *chosen, env={"COLUMNS": "100"})
    assert (shown.code, shown.text.count("×►")) == (0, 2), "the call, and the legend"
    assert f"{ABORT_STATUS} FI" in shown.text
    assert "look first at service-python" in shown.text
    file = tmp_path / "tree.svg"
    assert installed("tree", *chosen, "-O", str(file)).code == 0
    words = " ".join(ElementTree.parse(file).getroot().itertext()).replace("\N{NO-BREAK SPACE}", " ")
    assert "× fault-injected" in words


@experiments("down")
def test_the_call_to_the_program_that_was_killed_is_marked_and_not_those_above_it(
    outcome: Outcome, jaeger: RealJaeger
) -> None:
    document = tree(jaeger, "--service", INGRESS, "--failing")
    (broken,) = (call for call in document["calls"] if call["failing"])
    assert (broken["caller"], broken["callee"], broken["blame"]) == ("service-go", "service-redis", "service-redis")
    assert (broken["reason"], broken["where"]) == ("connection-failed", "callee")
    assert broken["depth"] > 0
    assert all(call["error"] for call in document["calls"] if call["depth"] < broken["depth"])


@experiments("none")
def test_a_trace_that_is_not_there_is_said_and_ends_with_3(outcome: Outcome, jaeger: RealJaeger) -> None:
    known = {trace.trace_id for trace in raw_traces(jaeger)}
    absent = "0123456789abcdef" * 2
    assert absent not in known
    for name, said in (
        (absent, f"{jaeger.url} has no trace {absent}"),
        (f"{jaeger.url}/trace/{absent}", f"{jaeger.url} has no trace {absent}"),
        ("0123456789abcdef", "has an id that begins with 0123456789abcdef"),
    ):
        ended = installed("tree", name, "--url", jaeger.url)
        assert (ended.code, ended.text) == (3, "")
        assert said in ended.err
    ended = installed("tree", "--service", INGRESS, "--failing", "--url", jaeger.url)
    assert (ended.code, ended.text) == (3, "")
    assert f"no call failed in the {outcome.requests:,} traces" in ended.err
