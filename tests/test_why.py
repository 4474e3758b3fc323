"""`traceviz why`: which workload to look at first, out of errors, slow hops, lost headers and changed behaviour."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import labelled
from tests.builder import Row, forest, gateway, in_trace, inbound, outbound, span, spans, trace_id
from tests.commands import called
from tests.conftest import MESH, ROOT, SHARED
from tests.test_laws import many, torn_meshes
from tests.unruly import RECORDING, good, unruly
from traceviz.analyze.counting import Baseline
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.documents import Cause, WhyDocument
from traceviz.library import load
from traceviz.reconstruct import reconstruct
from traceviz.why.behaviour import MOST_DEEDS, MOST_OPERATIONS, BehaviourCounts
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document
from traceviz.why.evidence import Evidence, compare, more_often, named

OTEL = SHARED / "data" / "otel"


def counted(rows: list[Row]) -> Baseline:
    counts = WhyCounts()
    return Baseline(counts.count(reconstruct(spans(rows))), counts)


def document_of(now: Baseline, before: Baseline | None) -> WhyDocument:
    return why_document(now.report, now.counts, before)


def why(now: list[Row], before: list[Row] | None = None) -> list[Cause]:
    return document_of(counted(now), None if before is None else counted(before))["causes"]


def of_file(path: str, before: str | None = None) -> WhyDocument:
    def read(name: str) -> Baseline:
        counts = WhyCounts()
        return Baseline(counts.count(load(name)), counts)

    return document_of(read(path), None if before is None else read(before))


def compare_all(now: BehaviourCounts, before: BehaviourCounts, rows: list[Row]) -> list[Evidence]:
    names = Resolved(counted(rows).report).names
    return compare(named(now, names), named(before, names), 1e6)


def request(
    number: int, *, ms: float = 10, gap: float = 1, calls: tuple[str, ...] = ("disk",), marked: bool = False
) -> list[Row]:
    """A request through app to db, which takes `ms`, calls others and has a span of its own; `gap` lies before it."""
    rows = [
        gateway("g", "app", ms=200),
        inbound("i", "g", "app", ms=200),
        outbound("o", "i", "app", "db", start=5, ms=ms + gap + 20),
        inbound("d", "o", "db", start=5 + gap, ms=ms + 20),
        span("q", "d", service="db", operation="query", start=6 + gap, ms=1, error=marked),
    ]
    for n, callee in enumerate(calls):
        rows.append(outbound(f"c{n}", "d", "db", callee, start=8 + gap + 3 * n, ms=2))
        rows.append(inbound(f"e{n}", f"c{n}", callee, start=8 + gap + 3 * n, ms=2))
    return in_trace(f"r{number:04}", *rows)


def requests(number: int, **more: Any) -> list[Row]:
    return [row for n in range(number) for row in request(n, **more)]


# Behaviour against a baseline


def test_example_traces_show_what_is_said() -> None:
    """Of 100 requests the last 10 are slow and call nobody; of others the last 10 are marked."""
    some = [row for n in range(90) for row in request(n)]
    odd = [row for n in range(90, 100) for row in request(n, ms=160, calls=())]
    marked = [row for n in range(90, 100) for row in request(n, marked=True)]
    shown = {cause["service"]: cause["examples"] for cause in why([*some, *odd], requests(100))}
    last = {row.trace for row in odd}
    assert shown["db"]
    assert set(shown["db"]) <= {trace_id(trace) for trace in last}
    found = counted([*some, *odd]).counts.behaviour
    evidence = compare_all(found, counted(requests(100)).counts.behaviour, [*some, *odd])
    for one in evidence:
        assert set(one.examples) <= {trace_id(trace) for trace in last}, one
        assert one.examples, one
    assert {cause["reason"] for cause in why([*some, *marked], requests(100))} == {"application-error"}
    assert set(why([*some, *marked], requests(100))[0]["examples"]) <= {trace_id(trace) for trace in last}


def test_who_is_at_work_longer_is_named_with_how_much_longer() -> None:
    cause = why(requests(20, ms=160), requests(20))[0]
    assert (cause["service"], cause["kind"], cause["reason"]) == ("db", "latency", "slow")
    assert "in 20 of 20 calls" in cause["text"]
    assert cause["score"] > 0.8
    assert cause["examples"]


def test_who_was_always_slow_is_not() -> None:
    assert why(requests(20, ms=160), requests(20, ms=160)) == []


def test_calls_that_are_longer_on_their_way_speak_against_the_callee() -> None:
    cause = why(requests(20, gap=100), requests(20))[0]
    assert (cause["service"], cause["caller"], cause["reason"]) == ("db", "app", "network")


def test_a_failure_that_only_the_callee_marks_is_evidence() -> None:
    cause = why(requests(20, marked=True), requests(20))[0]
    assert (cause["service"], cause["kind"], cause["reason"]) == ("db", "error", "application-error")
    assert "failed by itself in 100 % of 20 calls, before in 0 % of 20" in cause["text"]


def test_a_failed_request_of_a_user_takes_no_mark_off_the_last_visit() -> None:
    """Nobody made the call that came in, and its place is no row's from the end."""

    def failing(number: int) -> list[Row]:
        front = inbound("f", None, "front", ms=20, status=500, error=True)
        call = outbound("o", "f", "front", "back", start=1, ms=18, status=500, error=True)
        return in_trace(f"r{number:04}", front, call, inbound("b", "o", "back", start=2, ms=16, status=500, error=True))

    counts = BehaviourCounts()
    counts.count(reconstruct(spans([row for n in range(20) for row in failing(n)])))
    marks = {work.workload.canonical or work.workload.service: visits.marked for work, visits in counts.visits.items()}
    assert marks == {"front": 0, "back": 20}


def test_a_failure_that_a_hop_tells_with_its_flags_is_told_so() -> None:
    """db's proxy does not reach db, and app does without it."""
    now = []
    for n in range(20):
        call = outbound("o", "i", "app", "db", start=5, ms=9, status=503, error=True)
        half = inbound("d", "o", "db", start=5, ms=8, status=503, flags="UF", error=True)
        now += in_trace(f"r{n}", gateway("g", "app", ms=200), inbound("i", "g", "app", ms=200), call, half)
    cause = why(now, requests(20))[0]
    assert (cause["service"], cause["reason"]) == ("db", "connection-failed")
    assert "Look at whether db runs" in cause["text"]
    assert any("failed by itself in 100 % of 20 calls" in text for text in cause["evidence"])


@pytest.mark.parametrize(("flag", "service"), [("NR", "app"), ("DF", "app"), ("UH", "db"), ("FI", "db")])
def test_who_was_not_reached_did_not_fail_by_itself(flag: str, service: str) -> None:
    """app calls db, which it does not get to, and does without."""

    def refused(number: int) -> list[Row]:
        rows = [gateway("g", "app", ms=200), inbound("i", "g", "app", ms=200)]
        call = outbound("o", "i", "app", "db", start=5, ms=1, status=503, flags=flag, error=True)
        return in_trace(f"r{number}", *rows, call)

    causes = why([row for n in range(20) for row in refused(n)], requests(20))
    assert causes[0]["service"] == service
    assert not [text for cause in causes for text in cause["evidence"] if "by itself" in text]


def test_who_no_longer_calls_whom_it_called_is_named() -> None:
    cause = why(requests(20, calls=()), requests(20))[0]
    assert (cause["service"], cause["kind"], cause["reason"]) == ("db", "error", "stopped-calling")
    assert "does not call disk in 100 % of 20 calls, before in 0 % of 20" in cause["text"]


def test_who_calls_somebody_else_instead_has_not_stopped() -> None:
    assert [one for one in why(requests(20, calls=("ram",)), requests(20)) if one["reason"] == "stopped-calling"] == []


def test_what_only_failed_visits_did_is_nothing_that_anybody_stops_doing() -> None:
    """Before, db failed half the time and called the error page then; now it goes well."""

    of_errors = {"calls": ("page",), "marked": True}
    before = [row for n in range(20) for row in request(n, **(of_errors if n % 2 else {}))]
    assert [cause["reason"] for cause in why(requests(20), before) if cause["kind"] == "error"] == []


def test_a_caller_that_stops_because_its_callee_is_slow_is_explained_by_that() -> None:
    """app calls db and then mail; since db is slow, mail is no longer called."""

    def through(number: int, ms: float, mail: bool) -> list[Row]:
        rows = [gateway("g", "app", ms=400), inbound("i", "g", "app", ms=400)]
        rows += [outbound("o", "i", "app", "db", start=5, ms=ms), inbound("d", "o", "db", start=5, ms=ms)]
        if mail:
            rows += [outbound("m", "i", "app", "mail", start=370, ms=9), inbound("n", "m", "mail", start=370, ms=9)]
        return in_trace(f"r{number}", *rows)

    now = [row for n in range(20) for row in through(n, 350, False)]
    before = [row for n in range(20) for row in through(n, 5, True)]
    causes = why(now, before)
    assert causes[0]["service"] == "db"
    assert all(cause["reason"] != "stopped-calling" for cause in causes)


def test_one_more_call_the_other_way_is_always_taken_into_account() -> None:
    assert more_often(1, 1, 0, 1) == 0
    assert more_often(3, 3, 0, 8) == pytest.approx(0.75 - 1 / 9)
    assert more_often(0, 10, 5, 10) == 0


# Without a baseline, and out of the other commands


def test_errors_slow_hops_and_lost_headers_stand_in_one_list() -> None:
    document = of_file(str(MESH / "two_faults" / "v3" / "traces.json.gz"))
    assert [(one["service"], one["kind"]) for one in document["causes"][:2]] == [
        ("reviews", "error"),
        ("ratings", "latency"),
    ]
    lost = of_file(str(MESH / "lost_headers" / "zipkin.json.gz"))
    users = next(cause for cause in lost["causes"] if cause["service"] == "users")
    assert any("does not pass the tracing headers on to email" in text for text in users["evidence"])


@pytest.mark.parametrize(
    ("case", "service"),
    [
        ("abort", "cart"),
        ("absent", "users"),
        ("bug", "ads"),
        ("delay", "shipping"),
        ("down", "ratings"),
        ("no_endpoints", "reviews"),
        ("otel_abort", "pricing"),
        ("otel_slow", "rates"),
        ("overflow", "checkout"),
        ("own_bug_beside_tolerated", "storefront"),
        ("retries", "pricing"),
        ("seed_504", "service-python"),
        ("slow", "cart"),
        ("timeout", "ads"),
        ("timeout_inner", "basket"),
        ("two_faults", "reviews"),
        ("version_bug", "reviews"),
        ("version_slow", "reviews"),
    ],
)
@pytest.mark.parametrize("baseline", [None, "none"])
def test_what_is_broken_in_a_mesh_goes_first(case: str, service: str, baseline: str | None) -> None:
    healthy = None if baseline is None else str(MESH / baseline / "v3" / "traces.json.gz")
    document = of_file(str(MESH / case / "v3" / "traces.json.gz"), healthy)
    assert document["causes"][0]["service"] == service


@pytest.mark.parametrize(
    ("case", "service"),
    [
        ("shop_db_error", "shippingdb"),
        ("shop_deadline", "payment"),
        ("shop_exception_old_names", "catalog"),
        ("shop_external_slow", "api.bank.example"),
        ("shop_grpc_refused", "catalog"),
        ("shop_network_slow", "shipping"),
    ],
)
@pytest.mark.parametrize("compared", [False, True])
def test_what_is_broken_in_a_shop_goes_first(case: str, service: str, compared: bool) -> None:
    healthy = str(OTEL / "shop_healthy" / "v3" / "traces.json.gz") if compared else None
    document = of_file(str(OTEL / case / "v3" / "traces.json.gz"), healthy)
    assert document["causes"][0]["service"] == service


def test_against_healthy_traffic_nothing_stands_out() -> None:
    """Half of a healthy recording against the other half."""
    whole = load(str(MESH / "none" / "v3" / "traces.json.gz"))
    names = whole.spans.trace_ids
    sides = []
    for part in (0, 1):
        counts = WhyCounts()
        kept = [number % 2 == part for number in range(len(names))]
        chosen = whole.spans.take(np.array(kept)[whole.spans.trace])
        sides.append(Baseline(counts.count(reconstruct(chosen)), counts))
    assert max((cause["score"] for cause in document_of(sides[0], sides[1])["causes"]), default=0.0) < 0.1


# Laws


@given(many | torn_meshes(), many, st.randoms(use_true_random=False))
def test_any_split_of_the_traces_gives_the_same_document(
    rows: list[Row], earlier: list[Row], chance: random.Random
) -> None:
    before = counted(earlier)
    whole = document_of(counted(rows), before)
    names = sorted({row.trace for row in rows})
    chance.shuffle(names)
    report, counts = Report(), WhyCounts()
    for name in names:
        part = counted([row for row in rows if row.trace == name])
        report.merge(part.report)
        counts.merge(part.counts)
    assert why_document(report, counts, before) == whole


def test_operations_and_deeds_without_an_end_are_bounded() -> None:
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(400)]
    rows = [row for n, name in enumerate(names) for row in in_trace(f"t{n}", span("a", kind="server", operation=name))]
    rows += in_trace(
        "z", span("r", kind="server"), *(span(f"s{n}", "r", operation=name) for n, name in enumerate(names))
    )
    counts = BehaviourCounts()
    counts.count(forest(*rows))
    assert len(counts.visits) == MOST_OPERATIONS + 1
    assert max(len(visits.deeds) for visits in counts.visits.values()) == MOST_DEEDS


# Labelled faults


@pytest.mark.parametrize("system", labelled.SYSTEMS)
def test_labelled_faults_are_named_more_often_than_by_anything_simpler(system: str) -> None:
    some = [window for window in labelled.windows() if window.system == system]
    ours = labelled.hits(labelled.by_why, some)
    floor = {"OnlineBoutique": (0.71, 0.82), "TrainTicket": (0.27, 0.62)}[system]
    assert ours.top_1 / ours.windows > floor[0]
    assert ours.top_3 / ours.windows > floor[1]
    for other in (labelled.hits(labelled.by_self_time, some), labelled.hits(labelled.by_loudness, some)):
        assert (ours.top_1, ours.top_3) > (other.top_1, other.top_3)


def test_the_table_of_labelled_faults_is_what_is_measured_today() -> None:
    found = labelled.MARKS.search(labelled.PAGE.read_text())
    assert found is not None
    assert found[1] == labelled.table()


# Commands


def test_baselines_are_files_times_and_versions() -> None:
    path = str(MESH / "version_slow" / "v3" / "traces.json.gz")
    for given_baseline in (
        ["--baseline", path],
        ["--baseline-version", "v1"],
        ["--since", "2s", "--baseline-since", "6s"],
    ):
        for command in ("why", "slow", "errors"):
            document = called(command, path, *given_baseline, "-o", "json").json()
            assert document["baseline"] is not None
            assert not document["baseline"]["own"]


def test_another_version_is_a_baseline_of_the_requests_that_met_it_alone() -> None:
    path = str(MESH / "version_slow" / "v3" / "traces.json.gz")
    document = called("slow", path, "--baseline-version", "v1", "-o", "json").json()
    row = document["slow_hops"][0]
    assert (row["blame"], row["concentrated_in"]["version"]["value"]) == ("reviews", "v2")
    assert document["counts"]["traces"] + document["baseline"]["traces"] == 180
    assert called("slow", path, "--baseline-version", "v9").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--baseline", "a.json", "--baseline-since", "1d"],
        ["--baseline-since", "1d"],
        ["--since", "10m", "--baseline-since", "5m"],
        ["--baseline-since", "what"],
    ],
)
def test_baselines_that_make_no_sense_are_errors_of_usage(arguments: list[str]) -> None:
    path = str(MESH / "none" / "v3" / "traces.json.gz")
    done = called("why", path, *arguments)
    assert done.code == 2
    assert done.err.startswith("traceviz: ")


def test_a_row_that_fail_on_holds_for_ends_with_79() -> None:
    path = str(MESH / "slow" / "v3" / "traces.json.gz")
    assert called("slow", path, "--fail-on", "share > 50%").code == 79
    assert called("slow", path, "--fail-on", "share > 99%").code == 0
    done = called("why", path, "--fail-on", "score > 0.5")
    assert done.code == 79
    assert "first cart" in done.err


@pytest.mark.parametrize("command", ["slow", "why", "errors"])
def test_another_jaeger_never_gets_the_login_of_the_first(command: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    window = ["--from", str(RECORDING.from_ns // 1000), "--to", str(RECORDING.to_ns // 1000)]
    with unruly(good) as one, unruly(good) as other:
        login = ["--bearer-token-file", str(tmp_path / "token")]
        done = called(command, "--url", one.url, *window, *login, "--baseline", other.url, "-o", "json")
        assert done.code == 0, done.err
        assert {headers["Authorization"] for headers in one.headers} == {"Bearer s3cret"}
        assert other.headers
        assert not any("Authorization" in headers for headers in other.headers)


def test_beside_files_a_jaeger_gets_the_login_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    window = ["--from", str(RECORDING.from_ns // 1000), "--to", str(RECORDING.to_ns // 1000)]
    path = str(ROOT / "traceviz" / "demo" / "recording" / "v1.json.gz")
    with unruly(good) as jaeger:
        login = ["--bearer-token-file", str(tmp_path / "token")]
        done = called("slow", path, *window, *login, "--baseline", jaeger.url, "-o", "json")
        assert {headers["Authorization"] for headers in jaeger.headers} == {"Bearer s3cret"}
        assert all(row["links"] == [] for row in done.json()["slow_hops"])


def test_what_was_cut_off_a_baseline_is_said(tmp_path: Path) -> None:
    path = ROOT / "traceviz" / "demo" / "recording" / "v1.json.gz"
    cut = tmp_path / "cut.json"
    cut.write_bytes(gzip.decompress(path.read_bytes())[:-5000])
    done = called("slow", str(path), "--baseline", str(cut))
    assert done.code == 0
    assert "of the baseline" in done.err
    document = called("why", str(path), "--baseline", str(cut), "-o", "json").json()
    assert "cut-off" in {note["code"] for note in document["baseline"]["notes"]}


@pytest.mark.parametrize("arguments", [["--by", "self"], ["--theme", "dark"]])
def test_what_is_about_flame_graphs_is_refused_for_tables(arguments: list[str]) -> None:
    assert called("slow", str(MESH / "none" / "v3" / "traces.json.gz"), *arguments).code == 2
