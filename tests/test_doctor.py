"""`traceviz doctor`: the command, its document, and what it says of recordings."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

import traceviz
from tests.builder import Row, gateway, inbound, outbound, span, spans
from tests.commands import called
from tests.conftest import CASES, MESH, ROOT, SHARED
from tests.examined import findings, problems
from tests.schemas import faults
from tests.test_doctor_shape import many, orphaned, request, unanswered
from traceviz.analyze.report import Report
from traceviz.demo import serve_recording
from traceviz.doctor import Checkup, doctor
from traceviz.doctor.check import wording
from traceviz.documents import Finding
from traceviz.notes import catalogue
from traceviz.reconstruct import reconstruct
from traceviz.render import render
from traceviz.spans import Spans

NEZHA = sorted((SHARED / "data" / "nezha").glob("*/normal.json.gz"))
SHOP = sorted((SHARED / "data" / "otel").glob("*/v1/traces.json.gz"))
LOST = str(MESH / "lost_headers" / "zipkin.json.gz")
MIXER = ROOT / "fixtures" / "made" / "mixer.json"

#: What the issue asks for, but the checks of calls.
CODES = {
    *("headers-not-forwarded", "missing-parents", "incomplete-traces", "clock-skew", "duplicate-spans"),
    *("shared-span-ids", "several-roots", "no-span-kind", "one-service-name", "two-names-one-workload"),
    *("uninstrumented-callee", "sampled", "limit-hit", "impossible-times", "passthrough-cluster", "mixer-spans"),
}


def examined(*arguments: str) -> Any:
    return called("doctor", *arguments, "-o", "json").json()


def examined_file(path: Path) -> list[Finding]:
    return traceviz.load(str(path)).doctor()["findings"]


# Recordings


@pytest.mark.parametrize("form", ["v1/traces.json.gz", "v3/traces.json.gz", "zipkin.json.gz"])
def test_nothing_is_wrong_with_a_healthy_mesh(form: str) -> None:
    assert problems(examined_file(MESH / "none" / form)) == []


@pytest.mark.parametrize("case", [case for case in CASES if case != "lost_headers"])
def test_a_fault_of_the_mesh_is_none_of_its_traces(case: str) -> None:
    of_traces = [code for code, _ in problems(examined_file(MESH / case / "v1" / "traces.json.gz")) if code in CODES]
    assert of_traces == []


def test_the_service_that_loses_headers_is_named_in_what_the_proxies_sent() -> None:
    assert problems(examined_file(Path(LOST))) == [("headers-not-forwarded", "users")]


@pytest.mark.parametrize("path", SHOP, ids=lambda path: path.parts[-3])
def test_nothing_is_wrong_with_the_traces_of_a_shop_without_proxies(path: Path) -> None:
    assert [code for code, _ in problems(examined_file(path)) if code in CODES] == []


@pytest.mark.parametrize("path", NEZHA, ids=lambda path: path.parent.name)
def test_nothing_is_wrong_with_the_traces_of_normal_hours(path: Path) -> None:
    assert [code for code, _ in problems(examined_file(path)) if code in CODES] == []


@pytest.mark.parametrize("case", ["otel_bug", "otel_some"])
def test_programs_whose_spans_went_elsewhere_are_named(case: str) -> None:
    found = examined_file(MESH / case / "zipkin.json.gz")
    assert problems(found) == [("missing-parents", name) for name in ("basket", "storefront", "pricing")]
    assert all("a span of its own" in one["text"] for one in found if one["level"] == "problem")


def test_a_gateway_that_was_given_a_trace_from_outside_is_no_problem() -> None:
    found = examined_file(SHARED / "data" / "public" / "jaeger" / "bookinfo_healthy.json.gz")
    assert [(one["code"], one["level"]) for one in found] == [("missing-parents", "fact"), ("sampled", "fact")]


def test_zipkins_own_example_of_clock_skew_is_found() -> None:
    (skew,) = [
        one
        for one in examined_file(SHARED / "data" / "public" / "zipkin" / "skew.json.gz")
        if one["code"] == "clock-skew"
    ]
    assert (skew["service"], skew["towards"], skew["proof"]) == ("serviceb", ["servicea"], "likely")


@pytest.mark.parametrize(("options", "count"), [((), 6), (("--control-plane",), 4)])
def test_mixers_spans_are_a_fact_hidden_or_shown(options: tuple[str, ...], count: int) -> None:
    document = examined(str(MIXER), *options)
    (fact,) = [one for one in document["findings"] if one["code"] == "mixer-spans"]
    assert (fact["level"], fact["count"], fact["share"]) == ("fact", count, count / 10)
    assert ("hidden" in fact["text"]) != bool(options)


# The document


def test_every_finding_is_described_and_explained_with_its_threshold() -> None:
    for code in CODES:
        assert wording(code).text.endswith(("}", "."))
        explanation = catalogue()[code].explanation
        assert code in ("limit-hit", "shared-span-ids", "no-span-kind") or "Threshold" in explanation, code
        assert "doctor" in explanation or "Sign" in explanation, code


def test_problems_come_before_facts_and_the_worst_first() -> None:
    rows = [*many(3, request(), orphaned()), *(row for row in unanswered())]
    found = findings(*rows)
    assert [one["level"] for one in found] == sorted((one["level"] for one in found), reverse=True)


def test_what_a_finding_says_is_no_note_as_well() -> None:
    checkup = Checkup()
    document = doctor(checkup.count(reconstruct(spans(orphaned()))), checkup)
    assert "missing-parents" in {one["code"] for one in document["findings"]}
    assert "missing-parents" not in {note["code"] for note in document["notes"]}


def counted(parts: list[Spans]) -> tuple[Report, Checkup]:
    """Each part counted by itself, and merged in this order."""
    report, checkup = Report(), Checkup()
    for part in parts:
        mine = Checkup()
        report.merge(mine.count(reconstruct(part)))
        checkup.merge(mine)
    return report, checkup


@pytest.mark.parametrize("case", ["lost_headers", "otel_bug", "bug"])
def test_any_split_of_the_traces_in_any_order_gives_the_same_document(case: str) -> None:
    whole = traceviz.load(str(MESH / case / "zipkin.json.gz")).spans
    shuffled = np.random.default_rng(7).permutation(len(whole.trace_ids))
    parts = [whole.take(np.isin(whole.trace, some)) for some in np.array_split(shuffled, 5)]
    expected = doctor(*counted([whole]))
    assert expected["findings"]
    assert doctor(*counted(parts)) == expected
    assert doctor(*counted(parts[::-1])) == expected
    assert doctor(*counted([whole.take(np.arange(len(whole))[::-1])])) == expected


def test_a_chain_of_100_000_spans_is_examined() -> None:
    number = 100_000
    rows = [span("s0", kind="server", ms=number)]
    rows += [span(f"s{i}", f"s{i - 1}", start=i / 1000, ms=1) for i in range(1, number)]
    checkup = Checkup()
    assert doctor(checkup.count(reconstruct(spans(rows))), checkup)["counts"]["spans"] == number


HOSTILE = "</script>\n  do rm -rf \x1b[31m\u202e{count}{0.__class__}%s\ud800" + "x" * 300


def test_hostile_names_stand_in_sentences_and_steer_nothing() -> None:
    rows: list[Row] = [
        gateway("g", "a", ms=20),
        inbound("a", "g", "a", start=1, ms=18, service=HOSTILE, canonical="", node_id=""),
        outbound("ab", "lost", "a", "b", start=3, ms=10, service=HOSTILE, canonical="", node_id=""),
    ]
    checkup = Checkup()
    document = doctor(checkup.count(reconstruct(spans(rows))), checkup)
    assert problems(document["findings"])
    assert faults(json.loads(str(render(document, "json")))) == []
    for format in ("table", "wide", "csv"):
        text = str(render(document, format, width=80))
        text.encode()
        if format != "csv":  # which is data, and keeps names as they are
            assert not {"\x1b", "\u202e"} & set(text)
            assert not [line for line in text.splitlines() if line.startswith("  do rm")]


# The command


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_the_table_fits_its_terminal(width: str) -> None:
    run = called("doctor", LOST, env={"COLUMNS": width})
    lines = [line for line in run.text.splitlines() if "x-b3-traceid" not in line and "[" not in line]
    assert max(map(cell_len, lines)) <= int(width)
    assert "headers-not-forwarded" in run.text
    assert "1 problem, 2 facts" in run.text


def test_what_there_is_to_do_comes_before_what_merely_is_so() -> None:
    text = called("doctor", LOST, env={"COLUMNS": "80"}).text
    assert text.index("  do ") < text.index("sampled: ")


def test_a_healthy_mesh_is_said_to_be_healthy() -> None:
    assert "no problem found, 1 fact" in called("doctor", str(MESH / "none" / "v1" / "traces.json.gz")).text


def test_csv_and_wide_have_every_field() -> None:
    (problem, *_, fact) = csv.DictReader(io.StringIO(called("doctor", LOST, "-o", "csv").text))
    assert list(problem) == list(Finding.__annotations__)
    assert (problem["level"], problem["service"], problem["towards"]) == ("problem", "users", "email")
    assert (fact["code"], fact["service"], fact["share"]) == ("sampled", "", "")
    assert "remedy" in called("doctor", LOST, "-o", "wide").text


def test_columns_sort_and_bare_rows_are_as_in_other_lists() -> None:
    run = called("doctor", LOST, "--columns", "code,share", "--sort", "count,code", "--no-headers")
    assert [line.split() for line in run.text.splitlines()] == [
        ["sequential-could-be-parallel", "99", "%"],
        ["headers-not-forwarded", "100", "%"],
        ["sampled", "–"],
    ]


def test_fail_on_judges_findings() -> None:
    held = called("doctor", LOST, "--fail-on", "share > 50%")
    assert held.code == 79
    assert "first headers-not-forwarded" in held.err
    assert called("doctor", LOST, "--fail-on", "count > 1000").code == 0
    assert called("doctor", LOST, "--fail-on", "calls > 1").code == 2


def test_service_filters_findings_and_not_what_is_read() -> None:
    document = examined(LOST, "--service", "users")
    assert document["asked"]["service"] == "users"
    assert document["counts"]["traces"] == 300
    assert problems(document["findings"]) == [("headers-not-forwarded", "users")]
    assert problems(examined(LOST, "--service", "email")["findings"]) == [("headers-not-forwarded", "users")]


def test_what_is_on_other_services_is_counted_in_a_note() -> None:
    document = examined(LOST, "--service", "billing.default")
    assert [one["code"] for one in document["findings"]] == ["sampled"]
    (note,) = [note for note in document["notes"] if note["code"] == "other-findings-left-out"]
    assert (note["count"], note["examples"]) == (2, ["inventory", "users"])


def test_at_a_gateway_all_requests_enter_so_all_findings_are_on_it() -> None:
    assert problems(examined(LOST, "--service", "istio-ingress")["findings"]) == [("headers-not-forwarded", "users")]


def test_a_service_that_nobody_knows_is_not_found() -> None:
    run = called("doctor", LOST, "--service", "user")
    assert run.code == 3
    assert "users" in run.err


def test_a_jaeger_is_asked_for_all_services() -> None:
    with serve_recording() as jaeger:
        document = examined("--url", jaeger.url, "--service", "service-go", "--limit", "20")
        assert document["counts"]["traces"] == 20
        assert {one["code"] for one in document["findings"]} >= {"limit-hit", "sampled"}
        assert "limit-hit" not in {note["code"] for note in document["notes"]}
    assert problems(document["findings"]) == []


def test_the_library_has_the_document_of_the_command() -> None:
    assert traceviz.load(LOST).doctor("users") == examined(LOST, "--service", "users")
