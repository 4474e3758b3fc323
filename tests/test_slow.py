"""`traceviz slow`: whose every moment is that users waited, what changed since, and what the rows say of it."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builder import Row, attempt, forest, gateway, in_trace, inbound, outbound, span, spans
from tests.commands import called
from tests.conftest import CASES, MESH, SHARED
from tests.test_laws import many, torn_meshes
from traceviz.analyze.counting import Baseline
from traceviz.analyze.entries import entries
from traceviz.analyze.report import Report
from traceviz.documents import SlowDocument, SlowHop
from traceviz.hops import hops
from traceviz.library import load
from traceviz.reconstruct import Forest, reconstruct
from traceviz.render import OF_CONTEXTS, render
from traceviz.slow import reasons
from traceviz.slow.counts import OTHERS, SlowCounts
from traceviz.slow.document import slow_document
from traceviz.slow.places import SIGNS, WHERES, places
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

OTEL = SHARED / "data" / "otel"


def waited(*rows: Row) -> dict[tuple[str | None, str, str, str], float]:
    """ms that users waited, by caller, callee, where and sign."""
    tree = forest(*rows)
    found = hops(tree)
    where = places(found, entries(found))
    result: dict[tuple[str | None, str, str, str], float] = {}
    names = [party.service.removesuffix(".default") for party in found.parties]
    columns = (where.caller, where.callee, where.where, where.sign, where.length_ns)
    for caller, callee, place, sign, length in zip(*(column.tolist() for column in columns), strict=True):
        key = (names[caller] if caller >= 0 else None, names[callee], WHERES[place], SIGNS[sign])
        result[key] = result.get(key, 0.0) + length / 1e6
    return result


def counted(tree: Forest) -> tuple[Report, SlowCounts]:
    counts = SlowCounts()
    report = counts.count(tree)
    counts.self_check()
    return report, counts


def slow(rows: Iterable[Row], before: Iterable[Row] | None = None) -> SlowDocument:
    baseline = None if before is None else Baseline(*counted(reconstruct(spans(before))))
    return slow_document(*counted(reconstruct(spans(rows))), baseline)


def first(document: SlowDocument) -> SlowHop:
    return document["slow_hops"][0]


# Places, moment by moment


def test_the_time_between_the_halves_is_the_networks_and_the_callees_half_is_its_own() -> None:
    """
    gateway ├───────────────────┤        0 – 20
    app       ├───────────────┤          2 – 18
    gateway→app: 4 ms on the way, app: 16 ms
    """
    assert waited(gateway("g", "app", ms=20), inbound("a", "g", "app", start=2, ms=16)) == {
        ("istio-ingress", "app", "network", ""): 4,
        ("istio-ingress", "app", "callee", ""): 16,
    }


def test_a_callee_that_reported_no_half_has_all_the_time_of_its_call() -> None:
    """
    app     ├───────────────┤            0 – 20
    app→db      ├──────┤                 4 – 12, db reports nothing
    """
    rows = (
        span("a", service="app", kind="server", ms=20),
        span("d", "a", service="app", kind="client", start=4, ms=8, db_system="redis"),
    )
    assert waited(*rows) == {(None, "app", "callee", ""): 12, ("app", "redis", "callee", ""): 8}


def test_outside_of_its_attempts_the_time_is_the_callers_proxys() -> None:
    """
    app's proxy  ├──────────────────┤    0 – 20
    attempt          ├──────────┤        4 – 16
    db                 ├──────┤          6 – 14
    """
    rows = (
        gateway("g", "app", ms=22),
        inbound("i", "g", "app", ms=22),
        outbound("o", "i", "app", "db", ms=20),
        attempt("t", "o", "app", "db", start=4, ms=12),
        inbound("d", "t", "db", start=6, ms=8),
    )
    assert waited(*rows) == {
        ("istio-ingress", "app", "callee", ""): 2,
        ("app", "db", "caller-proxy", ""): 8,
        ("app", "db", "network", ""): 4,
        ("app", "db", "callee", ""): 8,
    }


def test_between_a_callees_proxy_and_its_program_the_time_is_the_proxys() -> None:
    """
    app's proxy   ├────────────────┤     0 – 20
    app's program    ├──────────┤        3 – 15
    """
    rows = (
        gateway("g", "app", ms=20),
        inbound("i", "g", "app", ms=20),
        span("p", "i", service="app", kind="server", start=3, ms=12),
    )
    found = waited(*rows)
    assert found["istio-ingress", "app", "callee-proxy", ""] == 8
    assert sum(time for (_, _, where, _), time in found.items() if where == "callee") == 12


def test_an_injected_delay_is_the_proxys_that_carries_the_flag() -> None:
    rows = (
        gateway("g", "app", ms=230),
        inbound("i", "g", "app", ms=230),
        outbound("o", "i", "app", "db", start=5, ms=220, flags="DI"),
        inbound("d", "o", "db", start=210, ms=10),
    )
    found = waited(*rows)
    assert found["app", "db", "caller-proxy", "delay-injected"] == 210
    assert found["app", "db", "callee", ""] == 10


def test_a_delay_before_an_attempt_is_told_from_the_way_of_the_attempt() -> None:
    rows = (
        gateway("g", "app", ms=230),
        inbound("i", "g", "app", ms=230),
        outbound("o", "i", "app", "db", start=5, ms=220, flags="DI"),
        attempt("t", "o", "app", "db", start=205, ms=18),
        inbound("d", "t", "db", start=208, ms=10),
    )
    found = waited(*rows)
    assert found["app", "db", "caller-proxy", "delay-injected"] == 202
    assert found["app", "db", "network", ""] == 8


def test_up_to_a_deadline_users_wait_for_what_was_still_running_beneath() -> None:
    """
    app→db  ├──────────────────╳           5 – 205, gives up (UT)
    db      ├──────────────────╳ DC
    db→disk    ├─────────────────────┤     20 – 300, goes on
    """
    rows = (
        gateway("g", "app", ms=210, status="504"),
        inbound("i", "g", "app", ms=210, status="504"),
        outbound("o", "i", "app", "db", start=5, ms=200, status="504", flags="UT"),
        inbound("d", "o", "db", start=5, ms=200, status="0", flags="DC"),
        outbound("e", "d", "db", "disk", start=20, ms=280),
        inbound("f", "e", "disk", start=20, ms=280),
    )
    found = waited(*rows)
    assert found["db", "disk", "callee", "waits-for-timeout"] == 185
    assert found["app", "db", "callee", ""] == 15


def test_where_nobody_answered_the_deadline_was_waited_for_the_callee() -> None:
    rows = (
        gateway("g", "app", ms=210, status="504"),
        inbound("i", "g", "app", ms=210, status="504"),
        outbound("o", "i", "app", "db", start=5, ms=200, status="504", flags="UT"),
    )
    assert waited(*rows)["app", "db", "callee", "waits-for-timeout"] == 200


def test_what_comes_out_of_a_queue_and_what_is_torn_off_was_no_users_wait() -> None:
    torn = [outbound("o", "", "app", "db", ms=50), inbound("d", "o", "db", ms=40)]
    taken = [span("c", service="mailer", kind="consumer", ms=70, queue="orders", queue_system="kafka")]
    user = [span("u", service="web", kind="server", ms=10)]
    rows = [*in_trace("x", *torn), *in_trace("y", *taken), *in_trace("z", *user)]
    assert waited(*rows) == {(None, "web", "callee", ""): 10}


def test_where_no_user_is_in_a_trace_what_a_program_does_by_itself_counts() -> None:
    rows = (
        span("j", service="cron", operation="nightly", ms=30),
        span("c", "j", service="cron", kind="client", start=5, ms=20),
        span("s", "c", service="app", kind="server", start=6, ms=18),
    )
    assert waited(*rows) == {
        (None, "cron", "callee", ""): 10,
        ("cron", "app", "network", ""): 2,
        ("cron", "app", "callee", ""): 18,
    }


def test_where_the_spans_of_programs_are_missing_calls_within_the_time_of_one_were_waited_for() -> None:
    """
    app's proxy     ├──────────────────┤     0 – 100
    (app's program sends its spans elsewhere)
    app→db             ├────────┤            20 – 80, its parent is missing
    db                  ├──────┤             22 – 78
    """
    rows = (
        gateway("g", "app", ms=100),
        inbound("i", "g", "app", ms=100),
        outbound("o", "lost", "app", "db", start=20, ms=60),
        inbound("d", "o", "db", start=22, ms=56),
    )
    assert waited(*rows) == {
        ("istio-ingress", "app", "callee", ""): 40,
        ("app", "db", "network", ""): 4,
        ("app", "db", "callee", ""): 56,
    }


# Laws


@pytest.mark.parametrize("case", CASES)
def test_the_shares_of_recorded_meshes_add_up_to_the_time_that_users_waited(case: str) -> None:
    report, counts = counted(load(str(MESH / case / "v1" / "traces.json.gz")))
    document = slow_document(report, counts)
    assert sum(row["share"] for row in document["slow_hops"]) == pytest.approx(1, abs=1e-4)
    assert sum(row["share"] for row in document["critical_path"]) == pytest.approx(1, abs=1e-6)
    assert [row["rank"] for row in document["slow_hops"]] == list(range(1, len(document["slow_hops"]) + 1))


@given(many | torn_meshes())
def test_no_moment_is_lost_or_counted_twice_in_any_trace(rows: list[Row]) -> None:
    tree = reconstruct(spans(rows))
    found = hops(tree)
    where = places(found, entries(found))
    roots = np.unique(where.root)
    assert where.length_ns.sum() == tree.spans.duration_ns[roots].sum()
    counted(tree)


@given(many | torn_meshes(), st.randoms(use_true_random=False))
def test_counts_of_any_split_of_the_traces_give_the_same_document(rows: list[Row], chance: random.Random) -> None:
    whole = slow(rows)
    names = sorted({row.trace for row in rows})
    chance.shuffle(names)
    report, counts = Report(), SlowCounts()
    for name in names:
        part_report, part = counted(reconstruct(spans([row for row in rows if row.trace == name])))
        report.merge(part_report)
        counts.merge(part)
    assert slow_document(report, counts) == whole


def test_the_order_of_spans_and_the_format_change_nothing() -> None:
    documents = []
    for form in ("v1", "v3"):
        document = slow_document(*counted(load(str(MESH / "delay" / form / "traces.json.gz"))))
        documents.append((document["slow_hops"], document["critical_path"]))
    assert documents[0] == documents[1]


def test_operations_without_an_end_are_bounded_and_that_is_said() -> None:
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    rows = [
        row for n, name in enumerate(names) for row in in_trace(f"t{n:03}", span("a", kind="server", operation=name))
    ]
    report, counts = counted(reconstruct(spans(rows)))
    assert len({speed.entry for speed in counts.requests}) == 65
    assert OTHERS in {speed.entry.operation for speed in counts.requests}
    document = slow_document(report, counts)
    assert {note["code"] for note in document["notes"]} == {"operations-cut"}


# Rows


def request(
    number: int, *, ms: float = 10, gap: float = 1, delay: float = 0, calls: int = 1, **callee: Any
) -> list[Row]:
    """A user's request through app to db: db takes `ms`, `gap` lies between, `calls` of them one after another."""
    each = ms + gap + delay
    whole = 5 + calls * (each + 0.5)
    rows = [gateway("g", "app", ms=whole), inbound("i", "g", "app", ms=whole)]
    for n in range(calls):
        begin = 2 + n * (each + 0.5)
        more = {"flags": "DI"} if delay else {}
        rows.append(outbound(f"o{n}", "i", "app", "db", start=begin, ms=each, **more))
        rows.append(inbound(f"d{n}", f"o{n}", "db", start=begin + delay + gap / 2, ms=ms, **callee))
    return in_trace(f"r{number:04}", *rows)


def requests(number: int, begin: int = 0, **more: Any) -> list[Row]:
    return [row for n in range(number) for row in request(begin + n, **more)]


def test_against_a_baseline_what_changed_goes_before_what_is_always_slow() -> None:
    """db always takes 100 ms; the way to it took 1 ms and takes 30."""
    document = slow(requests(20, ms=100, gap=30), requests(20, ms=100, gap=1))
    row = first(document)
    assert (row["caller"], row["callee"], row["where"], row["reason"]) == ("app", "db", "network", "network")
    assert row["explains"] == pytest.approx(1.0)
    assert row["share"] < 0.25
    assert row["baseline_ms"] is not None
    assert row["baseline_ms"]["p50"] == 1
    assert document["baseline"] is not None
    assert not document["baseline"]["own"]


def test_without_one_what_takes_most_goes_first_and_fast_requests_stand_beside_it() -> None:
    document = slow([*requests(10, ms=10), *requests(10, 100, ms=100)])
    row = first(document)
    assert (row["callee"], row["reason"]) == ("db", "slow")
    assert row["baseline_ms"] is not None
    assert row["baseline_ms"]["p50"] == 10
    assert "in fast requests it was 10 ms" in row["text"]
    assert [note["code"] for note in document["notes"]] == ["own-fast-requests"]


def test_requests_that_all_take_about_as_long_are_compared_with_nothing() -> None:
    document = slow(requests(10))
    assert document["baseline"] is None
    assert {row["explains"] for row in document["slow_hops"]} == {None}


def test_a_delay_that_is_new_explains_what_users_wait_longer() -> None:
    row = first(slow(requests(10, delay=200), requests(10)))
    assert (row["reason"], row["where"], row["blame"]) == ("delay-injected", "caller-proxy", "db")
    assert row["slower_share"] == 1
    assert "fault rule for db" in row["text"]


def test_half_of_the_calls_and_the_slow_ones_are_told_apart_where_they_differ() -> None:
    mixed = [*requests(10, ms=10), *requests(10, 100, ms=100)]
    assert "half of the calls within 10 ms, one in twenty 100 ms or more, in 20 requests" in first(slow(mixed))["text"]
    assert ": 10 ms a call, in 10 requests" in first(slow(requests(10, ms=10)))["text"]


def test_more_calls_than_before_are_the_callers_doing() -> None:
    row = first(slow(requests(10, calls=8), requests(10, calls=2)))
    assert (row["reason"], row["where"], row["blame"]) == ("more-calls", "caller", "app")
    assert row["calls_per_request"] == 8
    assert row["baseline_calls_per_request"] == 2
    assert "8.0 calls a request, 2.0 before" in row["text"]


def test_more_calls_beneath_are_the_doing_of_whoever_makes_more_of_them() -> None:
    """shop asks app eight times instead of twice; app asks db once, as ever, and db has most of the time."""

    def through(number: int, calls: int) -> list[Row]:
        rows = [gateway("g", "shop", ms=400), inbound("i", "g", "shop", ms=400)]
        for n in range(calls):
            begin = 1 + 40 * n
            rows.append(outbound(f"o{n}", "i", "shop", "app", start=begin, ms=39))
            rows.append(inbound(f"a{n}", f"o{n}", "app", start=begin, ms=39))
            rows.append(outbound(f"p{n}", f"a{n}", "app", "db", start=begin + 2, ms=35))
            rows.append(inbound(f"d{n}", f"p{n}", "db", start=begin + 2, ms=35))
        return in_trace(f"r{number}", *rows)

    now = [row for n in range(10) for row in through(n, 8)]
    document = slow(now, [row for n in range(10) for row in through(n, 2)])
    more = [row for row in document["slow_hops"] if row["reason"] == "more-calls"]
    assert {row["callee"]: row["blame"] for row in more} == {"db": "shop", "app": "shop"}
    assert first(document)["callee"] == "db"
    assert "why shop makes so many calls" in first(document)["text"]


def test_whoever_hands_more_to_a_queue_makes_more_calls() -> None:
    """Nobody waits for the consumer, and the sender for every message to be taken."""

    def sending(number: int, messages: int) -> list[Row]:
        queue = {"queue": "orders", "queue_system": "rabbitmq", "kind": "producer"}
        rows = [gateway("g", "shop", ms=200), inbound("i", "g", "shop", ms=200)]
        rows += [span(f"p{n}", "i", service="shop", start=1 + 10 * n, ms=9, **queue) for n in range(messages)]
        return in_trace(f"r{number}", *rows)

    now, before = ([row for n in range(10) for row in sending(n, messages)] for messages in (16, 4))
    row = first(slow(now, before))
    assert (row["callee"], row["reason"], row["blame"]) == ("orders", "more-calls", "shop")


def test_who_is_waited_for_since_what_it_calls_is_slow_makes_no_more_calls() -> None:
    """app calls cart and ads at the same time: ads took 20 ms, cart 15. Now what cart calls takes 30 ms more, so that
    cart is on the critical path, which it never was; ads was waited for in one request of ten less long."""

    def through(number: int, stock: float, ads: float) -> list[Row]:
        cart = stock + 10
        whole = 4 + max(cart, ads)
        return in_trace(
            f"r{number}",
            gateway("g", "app", ms=whole),
            inbound("i", "g", "app", ms=whole),
            outbound("o", "i", "app", "cart", start=2, ms=cart),
            inbound("c", "o", "cart", start=2, ms=cart),
            outbound("p", "c", "cart", "stock", start=10, ms=stock),
            inbound("s", "p", "stock", start=10, ms=stock),
            outbound("q", "i", "app", "ads", start=2, ms=ads),
            inbound("a", "q", "ads", start=2, ms=ads),
        )

    before = [row for n in range(20) for row in through(n, 5, 12 if n < 2 else 20)]
    document = slow([row for n in range(20) for row in through(n, 35, 20)], before)
    row = first(document)
    assert (row["callee"], row["reason"], row["slower_share"]) == ("stock", "slow", pytest.approx(0.905, abs=0.01))
    assert "more-calls" not in {row["reason"] for row in document["slow_hops"]}
    cart = next(row for row in document["slow_hops"] if row["callee"] == "cart")
    assert cart["slower_share"] == 0


def test_more_calls_are_told_also_where_the_only_one_before_was_hidden_beside_a_longer_one() -> None:
    """app calls cart while it calls ads, which takes longer; now it calls cart eight times."""

    def through(number: int, calls: int) -> list[Row]:
        whole = 4 + max(30, 10 * calls)
        rows = [gateway("g", "app", ms=whole), inbound("i", "g", "app", ms=whole)]
        rows += [outbound("q", "i", "app", "ads", start=2, ms=30), inbound("a", "q", "ads", start=2, ms=30)]
        for n in range(calls):
            begin = 2 + 10 * n
            rows.append(outbound(f"o{n}", "i", "app", "cart", start=begin, ms=9))
            rows.append(inbound(f"c{n}", f"o{n}", "cart", start=begin, ms=9))
        return in_trace(f"r{number}", *rows)

    row = first(
        slow([row for n in range(10) for row in through(n, 8)], [row for n in range(10) for row in through(n, 1)])
    )
    assert (row["callee"], row["reason"], row["blame"]) == ("cart", "more-calls", "app")


def test_calls_that_are_as_many_and_longer_are_slow() -> None:
    assert first(slow(requests(10, calls=2, ms=40), requests(10, calls=2, ms=10)))["reason"] == "slow"


def test_another_mix_of_requests_is_no_change() -> None:
    """Twice as many long requests, and each kind takes what it took."""

    def of_kind(operation: str, number: int, begin: int, ms: float) -> list[Row]:
        return [
            row
            for n in range(number)
            for row in in_trace(f"{operation}{begin + n}", span("a", kind="server", operation=operation, ms=ms))
        ]

    before = [*of_kind("long", 10, 0, 500), *of_kind("short", 20, 0, 5)]
    now = [*of_kind("long", 20, 0, 500), *of_kind("short", 10, 0, 5)]
    assert {row["explains"] for row in slow(now, before)["slow_hops"]} == {None}


def test_one_odd_request_is_no_kind_of_fast_ones() -> None:
    document = slow([*requests(40, ms=10), *requests(1, 100, ms=0.1)])
    assert document["baseline"] is None


def test_where_users_wait_no_longer_nothing_explains_that_they_do() -> None:
    document = slow(requests(20, ms=10, gap=3), requests(20, ms=100, gap=1))
    assert {row["explains"] for row in document["slow_hops"]} == {None}
    assert all("wait longer" not in row["text"] for row in document["slow_hops"])
    assert "requests take no longer than in the baseline" in str(render(document, "table"))


def test_what_became_slower_goes_first_also_where_something_else_became_faster() -> None:
    """db takes 40 ms less, the way to it 30 ms more: users wait no longer, and the way is what to look at."""
    document = slow(requests(20, ms=60, gap=31), requests(20, ms=100, gap=1))
    assert {row["explains"] for row in document["slow_hops"]} == {None}
    assert (first(document)["callee"], first(document)["reason"]) == ("db", "network")
    assert first(document)["share"] < 0.5


def test_the_first_places_are_listed_however_small_their_part_is() -> None:
    rows = [span("r", service="web", kind="server", ms=400)]
    for n in range(200):
        rows.append(span(f"c{n}", "r", service="web", kind="client", start=1 + n * 1.9, ms=1.8))
        rows.append(span(f"s{n}", f"c{n}", service=f"s{n}", kind="server", start=1 + n * 1.9, ms=1.8))
    text = str(render(slow(rows), "table"))
    assert "more places with" in text
    assert sum("slow" in line.split() for line in text.splitlines()) >= 10


def test_what_was_noted_of_the_baseline_is_said() -> None:
    report, counts = counted(reconstruct(spans(requests(10))))
    before, counts_before = counted(reconstruct(spans(requests(10))))
    before.notes.add("limit-hit", 1)
    baseline = slow_document(report, counts, Baseline(before, counts_before))["baseline"]
    assert baseline is not None
    assert [note["code"] for note in baseline["notes"]] == ["limit-hit"]


def test_a_baseline_without_such_requests_is_said_and_fast_ones_are_taken() -> None:
    other = in_trace("o", span("x", service="elsewhere", kind="server"))
    document = slow([*requests(10, ms=10), *requests(10, 100, ms=100)], other)
    assert {note["code"] for note in document["notes"]} == {"nothing-to-compare", "own-fast-requests"}
    assert document["baseline"] is not None
    assert document["baseline"]["own"]


def test_the_version_that_the_time_sits_in_is_named_and_no_other() -> None:
    rows = [*requests(20, ms=10, version="v1"), *requests(10, 100, ms=200, version="v2")]
    shared = first(slow(rows))["concentrated_in"]
    assert shared["version"]["value"] == "v2"
    assert shared["version"]["share"] == pytest.approx(2000 / 2200)
    evenly = [*requests(20, ms=10, version="v1"), *requests(20, 100, ms=10, version="v2")]
    assert "version" not in first(slow(evenly))["concentrated_in"]


def test_of_several_slow_ways_from_one_caller_the_caller_is_blamed() -> None:
    def through(number: int, gap: float) -> list[Row]:
        rows = [gateway("g", "app", ms=400), inbound("i", "g", "app", ms=400)]
        for n, callee in enumerate(("cart", "ads", "stock")):
            rows.append(outbound(f"o{n}", "i", "app", callee, start=5 + n * 110, ms=10 + gap))
            rows.append(inbound(f"d{n}", f"o{n}", callee, start=5 + n * 110 + gap / 2, ms=10))
        return in_trace(f"w{number}", *rows)

    document = slow(
        [row for n in range(10) for row in through(n, 80)], [row for n in range(10) for row in through(n, 1)]
    )
    ways = [row for row in document["slow_hops"] if row["reason"] == "network" and row["callee"] != "app"]
    assert [row["blame"] for row in ways] == ["app", "app", "app"]


def test_every_reason_is_given_somewhere() -> None:
    rows: list[SlowHop] = []
    for case in ("delay", "timeout", "retries_spawned", "otel_slow"):
        rows += slow_document(*counted(load(str(MESH / case / "v3" / "traces.json.gz"))))["slow_hops"]
    rows += slow(requests(10, calls=8), requests(10, calls=2))["slow_hops"]
    assert {row["reason"] for row in rows} == set(reasons.LOOK_AT)


# Recordings


@pytest.mark.parametrize(
    ("case", "blame", "reason"),
    [
        ("mesh/delay", "shipping", "delay-injected"),
        ("mesh/slow", "cart", "slow"),
        ("mesh/version_slow", "reviews", "slow"),
        ("mesh/two_faults", "ratings", "slow"),
        ("mesh/otel_slow", "rates", "slow"),
        ("mesh/timeout", "ads", "waits-for-timeout"),
        ("mesh/seed_504", "service-go", "delay-injected"),
        ("otel/shop_external_slow", "api.bank.example", "slow"),
        ("otel/shop_network_slow", "shipping", "network"),
        ("otel/shop_deadline", "payment", "waits-for-timeout"),
    ],
)
@pytest.mark.parametrize("compared", ["alone", "with none", "with healthy"])
def test_the_hop_that_makes_users_wait_goes_first(case: str, blame: str, reason: str, compared: str) -> None:
    healthy = {"with none": MESH / "none", "with healthy": OTEL / "shop_healthy"}.get(compared)
    baseline = None if healthy is None else Baseline(*counted(load(str(healthy / "v3" / "traces.json.gz"))))
    document = slow_document(*counted(load(str(SHARED / "data" / case / "v3" / "traces.json.gz"))), baseline)
    row = first(document)
    assert (row["blame"], row["reason"]) == (blame, reason)
    if case == "mesh/version_slow":
        assert row["concentrated_in"]["version"]["value"] == "v2"
    if case == "otel/shop_network_slow":
        assert (row["caller"], row["callee"]) == ("checkout", "shipping")


@pytest.mark.parametrize("case", ["delay", "slow", "version_slow", "two_faults", "timeout", "otel_slow"])
def test_zipkins_spans_name_the_same_hop(case: str) -> None:
    """In otel_slow the spans of the programs are not among them."""
    paths = [str(MESH / case / name) for name in ("zipkin.json.gz", "v3/traces.json.gz")]
    from_zipkin, from_jaeger = (first(slow_document(*counted(load(path)))) for path in paths)
    assert (from_zipkin["blame"], from_zipkin["reason"]) == (from_jaeger["blame"], from_jaeger["reason"])


HOSTILE = ("</script>", "a;b", "\x1b[31mred", "right\u202eleft", "new\nline", "=cmd()", "%s {0}", "\ud800")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_strangers_steer_nothing(name: str) -> None:
    rows = [span("a", service=name, kind="server", operation=name), span("b", "a", service=f"{name}2", kind="client")]
    counts = WhyCounts()
    report = counts.count(forest(*rows))
    for document in (slow_document(report, counts.slow), why_document(report, counts)):
        for format in ("table", "wide", "json"):
            assert not set(str(render(document, format))) & set("\x1b\u202e\ud800"), format
        # Cells keep the letters of names, for programs; formulas are no formulas.
        cells = next(csv.DictReader(io.StringIO(str(render(document, "csv")))))
        shown = name.replace("\ud800", "�")
        assert cells.get("callee", cells.get("service")) == (f"'{shown}" if shown.startswith("=") else shown)
        assert "\nline" not in str(render(document, "table"))


@pytest.mark.parametrize("format", OF_CONTEXTS)
def test_calling_contexts_are_written_in_every_format_and_twice_the_same(format: str, tmp_path: Path) -> None:
    path, file = str(MESH / "seed_504" / "v3" / "traces.json.gz"), tmp_path / "out"
    done = called("slow", path, "-o", format, "-O", str(file))
    if format == "pdf" and done.code == 70:
        pytest.skip("a PDF needs the system's dot")
    assert done.code == 0, done.err
    written = file.read_bytes()
    assert written
    called("slow", path, "-o", format, "-O", str(file))
    assert file.read_bytes() == written or format == "pdf"


def test_a_suffix_means_a_profile_and_rows_are_judged_beside_it(tmp_path: Path) -> None:
    path, file = str(MESH / "seed_504" / "v3" / "traces.json.gz"), tmp_path / "critical.pb.gz"
    assert called("slow", path, "-O", str(file), "--fail-on", "share > 70%").code == 79
    assert gzip.decompress(file.read_bytes())
    folded = called("slow", path, "-o", "folded").text
    assert "injected delay" in folded
    assert called("slow", path, "-o", "folded", "--baseline", path).code == 2
