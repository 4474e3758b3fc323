"""headers-not-forwarded: the right service, towards the right callees, and nobody else."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.builder import Row, forest, gateway, in_trace, inbound, outbound
from tests.checked import found, judged, recorded
from tests.conftest import CASES, FORMATS, MESH, SHARED
from traceviz.analyze.report import report
from traceviz.analyze.resolved import Resolved
from traceviz.codes import explanation
from traceviz.doctor.check import Found
from traceviz.doctor.headers import HEADERS, HeaderCounts
from traceviz.hops import hops
from traceviz.torn import FEWEST_OCCASIONS


def request(number: int, at: float, *, ms: float = 20, request_id: str = "", callees: str = "") -> list[Row]:
    """A request from the gateway to `app`, which calls `callees`, a letter each, with its headers."""
    rows = [
        gateway("g", "app", start=at, ms=ms + 2, request_id=request_id),
        inbound("i", "g", "app", start=at + 1, ms=ms, request_id=request_id),
    ]
    for place, callee in enumerate(callees):
        call = outbound(f"o{place}", "i", "app", callee, start=at + 2 + place, ms=1, request_id=request_id)
        rows += [call, inbound(f"r{place}", f"o{place}", callee, start=at + 2.1 + place, ms=0.8, request_id=request_id)]
    return in_trace(f"t{number:04}", *rows)


def fragment(number: int, at: float, callee: str = "db", *, request_id: str = "", ms: float = 5) -> list[Row]:
    """A call of `app` that began a trace of its own."""
    rows = [
        outbound("o", "", "app", callee, start=at, ms=ms, request_id=request_id),
        inbound("i", "o", callee, start=at + 0.5, ms=ms - 1, request_id=request_id),
    ]
    return in_trace(f"f{callee[:2]}{number:04}", *rows)


def spread(number: int, **more: str) -> Iterator[Row]:
    """So many requests, one a second, each with a call torn off."""
    for n in range(number):
        yield from request(n, n * 1000.0, **more)
        yield from fragment(n, n * 1000.0 + 5)


def only(findings: list[Found]) -> Found:
    assert len(findings) == 1, findings
    return findings[0]


def test_one_request_id_in_two_traces_is_proof() -> None:
    seen = only(found(HeaderCounts, [*request(1, 0, request_id="r1"), *fragment(1, 5, request_id="r1")]))
    assert (seen.service, seen.towards, seen.proof, seen.level) == ("app", ("db",), "certain", "problem")
    assert (seen.count, seen.share) == (1, 1.0)
    assert seen.examples == (forest(*fragment(1, 5)).spans.trace_ids[0],)


def test_other_request_ids_prove_nothing() -> None:
    assert found(HeaderCounts, [*request(1, 0, request_id="r1"), *fragment(1, 5, request_id="r2")]) == []


def test_a_request_id_within_one_trace_proves_nothing() -> None:
    rows = request(1, 0, request_id="r1", callees="xy")
    assert found(HeaderCounts, rows) == []


def test_a_request_id_that_another_pod_was_given_proves_nothing() -> None:
    other = in_trace("x", inbound("i", "", "other", request_id="r1"), outbound("o", "i", "other", "app"))
    assert found(HeaderCounts, [*other, *fragment(1, 5, request_id="r1")]) == []


def test_calls_that_began_a_trace_within_a_request_again_and_again_are_likely_torn_off() -> None:
    seen = only(found(HeaderCounts, list(spread(FEWEST_OCCASIONS))))
    assert (seen.service, seen.towards, seen.proof) == ("app", ("db",), "likely")
    assert (seen.count, seen.share) == (FEWEST_OCCASIONS, 1.0)


def test_a_few_times_may_be_chance() -> None:
    assert found(HeaderCounts, list(spread(FEWEST_OCCASIONS - 1))) == []


def test_many_calls_in_one_request_are_one_occasion() -> None:
    rows = request(1, 0, ms=900)
    for n in range(50):
        rows += fragment(n, 10 + n * 10.0)
    rows += request(2, 50_000)
    assert found(HeaderCounts, rows) == []


def test_a_program_that_also_calls_by_itself_is_not_blamed_for_chance() -> None:
    dice = random.Random(7)
    rows = [row for n in range(300) for row in request(n, n * 30.0, ms=20)]
    for n in range(300):
        rows += fragment(n, dice.uniform(0, 300 * 30))
    assert found(HeaderCounts, rows) == []


def test_where_requests_always_overlap_their_number_tells() -> None:
    dice = random.Random(8)
    begins = [dice.uniform(0, 60_000) for _ in range(6000)]
    rows = [row for n, at in enumerate(begins) for row in request(n, at, ms=30)]
    torn_off = [row for n, at in enumerate(begins[:3000]) for row in fragment(n, at + 10)]
    assert only(found(HeaderCounts, rows + torn_off)).service == "app"
    by_itself = [row for n in range(3000) for row in fragment(n, dice.uniform(0, 60_000))]
    assert found(HeaderCounts, rows + by_itself) == []


def test_who_receives_nothing_calls_by_itself() -> None:
    rows = [row for n in range(50) for row in fragment(n, n * 100.0)]
    assert found(HeaderCounts, rows) == []


def test_a_leaf_is_no_sign() -> None:
    rows = [row for n in range(50) for row in request(n, n * 100.0)]
    assert found(HeaderCounts, rows) == []


def test_a_gateway_begins_every_trace() -> None:
    rows = []
    for n in range(50):
        rows += in_trace(f"t{n:04}", gateway("g", "app", start=n * 100, request_id=f"r{n}"), inbound("i", "g", "app"))
        rows += in_trace(f"u{n:04}", gateway("g", "web", start=n * 100 + 1, ms=2, request_id=f"r{n}"))
    assert found(HeaderCounts, rows) == []


def test_a_span_whose_parent_is_missing_lost_no_headers() -> None:
    rows = []
    for n in range(50):
        rows += request(n, n * 1000.0, request_id=f"r{n}")
        rows += in_trace(f"f{n:04}", outbound("o", "gone", "app", "db", start=n * 1000 + 5, request_id=f"r{n}"))
    assert found(HeaderCounts, rows) == []


def test_callees_towards_which_headers_are_passed_on_are_told_apart() -> None:
    rows = []
    for n in range(10):
        rows += request(n, n * 1000.0, request_id=f"r{n}", callees="xy")
        rows += fragment(n, n * 1000.0 + 5, request_id=f"r{n}")
    seen = only(found(HeaderCounts, rows))
    assert (seen.towards, seen.count, seen.share) == (("db",), 10, 1.0)
    assert seen.values["calls"] == "all 10 calls to db"
    assert seen.values["paths"] == " Calls to x and y keep them."


def test_calls_to_one_callee_may_be_torn_off_in_part() -> None:
    rows = []
    for n in range(10):
        rows += request(n, n * 1000.0, request_id=f"r{n}", callees="x")
        rows += fragment(n, n * 1000.0 + 5, "x", request_id=f"r{n}") if n % 2 else []
    seen = only(found(HeaderCounts, rows))
    assert (seen.towards, seen.count, seen.share) == (("x",), 5, round(5 / 15, 6))
    assert seen.values["calls"] == "5 of 15 calls to x"


def test_paths_that_lose_headers_are_named() -> None:
    rows = []
    for n in range(20):
        path, callees = ("/old", "") if n % 2 else ("/new", "x")
        asked = {"url": f"http://app{path}/{n}", "method": "GET", "request_id": f"r{n}"}
        here = request(n, n * 1000.0, request_id=f"r{n}", callees=callees)
        here[1].tags.update(asked)
        rows += here
        rows += [] if callees else fragment(n, n * 1000.0 + 5, "x", request_id=f"r{n}")
    seen = only(found(HeaderCounts, rows))
    assert seen.values["paths"].startswith(
        " Only requests for GET /old/{id} lose them, those for GET /new/{id} do not."
    )


def test_batches_in_any_order_give_the_same() -> None:
    batches = [[*request(n, n * 1000.0, request_id=f"r{n}")] for n in range(30)]
    batches += [[*fragment(n, n * 1000.0 + 5, request_id=f"r{n}")] for n in range(20)]
    batches += [[*fragment(n, n * 1000.0 + 8, "cache")] for n in range(30)]
    at_once = found(HeaderCounts, [row for rows in batches for row in rows])
    assert [seen.proof for seen in at_once] == ["certain", "likely"]
    for seed in range(3):
        random.Random(seed).shuffle(batches)
        assert found(HeaderCounts, *batches) == at_once


def test_what_is_kept_is_bounded_and_says_so() -> None:
    rows = []
    for n in range(400):
        rows += request(n, n * 20_000.0, request_id=f"r{n}")
        rows += fragment(n, n * 20_000.0 + 5, request_id=f"r{n}")
    one = forest(*rows)
    counts = HeaderCounts(bound=300)
    counts.count(hops(one))
    resolved = Resolved(report(one))
    seen = only(list(counts.found(resolved)))
    assert (seen.service, seen.towards, seen.proof) == ("app", ("db",), "certain")
    assert 200 <= seen.count <= 400
    assert resolved.notes.count("headers-looked-at-in-part") in (4, 8, 16)


def test_a_bounded_sample_is_the_same_in_any_order() -> None:
    batches = [
        forest(*request(n, n * 20_000.0, request_id=f"r{n}"), *fragment(n, n * 20_000.0 + 5, request_id=f"r{n}"))
        for n in range(200)
    ]
    answers = []
    for seed in range(3):
        random.Random(seed).shuffle(batches)
        answers.append(judged(lambda: HeaderCounts(bound=150), batches))
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == 1


def test_merging_leaves_the_other_counts_as_they_are() -> None:
    one = forest(*request(1, 0, request_id="r1"), *fragment(1, 5, request_id="r1"))
    counts, total = HeaderCounts(), HeaderCounts()
    counts.count(hops(one))
    resolved = Resolved(report(one))
    before = list(counts.found(resolved))
    total.merge(counts)
    assert list(total.found(resolved)) == list(counts.found(resolved)) == before


def test_odd_times_are_no_trouble() -> None:
    rows = [*request(1, 0, ms=0), *fragment(1, 5, ms=10**12), *fragment(2, -(10**11), ms=2)]
    assert found(HeaderCounts, rows) == []


def test_users_lost_the_headers_in_the_recording() -> None:
    seen = only(recorded(HeaderCounts, str(MESH / "lost_headers" / FORMATS["zipkin"])))
    assert (seen.service, seen.towards, seen.count, seen.share) == ("users", ("email",), 150, 1.0)
    assert (seen.level, seen.proof) == ("problem", "likely")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_nobody_else_is_accused(case: str, form: str) -> None:
    expected = 1 if (case, form) == ("lost_headers", "zipkin") else 0
    assert len(recorded(HeaderCounts, str(MESH / case / FORMATS[form]))) == expected


@pytest.mark.parametrize("name", ["nezha/*/*.json.gz", "otel/*/v1/traces.json.gz", "public/*/*.json*"])
def test_recordings_of_others_accuse_nobody(name: str) -> None:
    paths = sorted((SHARED / "data").glob(name))
    assert len(paths) > 3
    for path in paths:
        assert recorded(HeaderCounts, str(path)) == [], path


def test_the_explanation_names_every_header() -> None:
    text = explanation("headers-not-forwarded")
    assert [name for name in HEADERS if name not in text] == []
