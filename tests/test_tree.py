"""One trace ▸ its document: spans and calls in drawing order, with the verdict that `traceviz errors` gives."""

from __future__ import annotations

import json
import random
import time
from functools import cache
from typing import Any

import numpy as np
import pytest

import traceviz
from tests.builder import BEGIN_NS, Row, attempt, gateway, inbound, outbound, span, spans
from tests.conftest import CASES, FORMATS, MESH, SHARED
from tests.schemas import faults
from traceviz.analyze.report import report
from traceviz.analyze.tree import tree_document
from traceviz.asked import Asked
from traceviz.building import SpansBuilder
from traceviz.documents import TreeDocument
from traceviz.errors import NothingFound, UsageError
from traceviz.library import LoadedForest
from traceviz.notes import Notes
from traceviz.one_trace import of_trace
from traceviz.reconstruct import Forest, reconstruct
from traceviz.render.export import to_json
from traceviz.spans import Spans
from traceviz.when import rfc3339


def tree(*rows: Row) -> TreeDocument:
    return checked(reconstruct(spans(rows)))


def checked(forest: Forest) -> TreeDocument:
    """The document, after a look at what holds of every one."""
    forest.self_check()
    document = tree_document(forest, Asked(), Notes())
    assert faults(json.loads(to_json(document))) == []
    for place, one in enumerate(document["spans"]):
        above = one["parent"]
        assert above is None or (above < place and document["spans"][above]["depth"] == one["depth"] - 1)
        assert 0 <= one["self_ms"] <= one["duration_ms"]
        assert one["call"] is None or place in document["calls"][one["call"]]["spans"]
    for place, call in enumerate(document["calls"]):
        above = call["parent"]
        assert above is None or (above < place and document["calls"][above]["depth"] == call["depth"] - 1)
        assert call["error"] or not call["failing"]
        assert (call["reason"] is None) == (call["where"] is None) == (not call["failing"])
    proving = {place for call in document["calls"] if call["failing"] for place in call["spans"]}
    assert {place for place, one in enumerate(document["spans"]) if one["failing"]} == proving
    assert_verdict(document, forest)
    return document


def assert_verdict(document: TreeDocument, forest: Forest) -> None:
    """Failing, reason, where, blame, text and how many calls are those of `traceviz errors` for this trace alone."""
    rows = report(forest).errors()["failing_hops"]
    assert document["text"] == (rows[0]["text"] if rows else None)
    failing = [call for call in document["calls"] if call["failing"]]
    assert len(failing) == sum(row["calls"] for row in rows)
    for row in rows:
        own = [
            call
            for call in failing
            if (call["callee"], call["where"], call["reason"], call["blame"])
            == (row["callee"], row["where"], row["reason"], row["blame"])
        ]
        assert len(own) == row["calls"]
        assert {call["caller"] for call in own if call["caller"]} == set(row["callers"])


def drawn(document: TreeDocument) -> list[str]:
    """The calls as indented lines."""
    return [f"{'  ' * call['depth']}{call['caller']} → {call['callee']}" for call in document["calls"]]


def roles(document: TreeDocument) -> list[tuple[int, str, int | None]]:
    return [(one["depth"], one["role"], one["call"]) for one in document["spans"]]


# Spans and calls of hand-made traces


def test_a_trace_in_which_nobody_is_called_is_its_spans() -> None:
    document = tree(span("a", kind="client", service=""))
    assert document["calls"] == []
    assert [one["call"] for one in document["spans"]] == [None]


def test_a_request_through_proxies_is_calls_with_both_halves() -> None:
    document = tree(
        gateway("g", "front", ms=20),
        inbound("f", "g", "front", start=1, ms=18),
        outbound("c", "f", "front", "back", start=4, ms=10),
        inbound("b", "c", "back", start=5, ms=8),
    )
    assert drawn(document) == ["istio-ingress → front", "  front → back"]
    assert roles(document) == [(0, "caller", 0), (1, "callee", 0), (2, "caller", 1), (3, "callee", 1)]
    first, second = document["calls"]
    assert (first["duration_ms"], first["server_ms"], first["gap_ms"], first["self_ms"]) == (20, 18, 2, 8)
    assert (second["start_ms"], second["self_ms"], second["spans"]) == (4, 8, [2, 3])
    assert [one["self_ms"] for one in document["spans"]] == [2, 8, 2, 8]
    assert document["duration_ms"] == 20
    assert all(one["on_critical_path"] for one in (*document["spans"], *document["calls"]))


def test_an_entry_seen_from_its_server_alone_has_no_caller() -> None:
    document = tree(span("s", service="web", kind="server", ms=10), span("w", "s", service="web", kind="internal"))
    assert drawn(document) == ["None → web"]
    assert roles(document) == [(0, "callee", 0), (1, "program", None)]
    assert document["calls"][0]["on_critical_path"], "through what its program did"
    assert not document["spans"][0]["on_critical_path"]


def test_programs_and_their_proxies_prove_one_call_together() -> None:
    document = tree(
        gateway("g", "front", ms=30),
        inbound("i", "g", "front", start=1, ms=28),
        span("p", "i", service="front", kind="server", start=2, ms=26),
        span("c", "p", service="front", kind="client", start=3, ms=20),
        outbound("o", "c", "front", "back", start=4, ms=18),
        inbound("b", "o", "back", start=5, ms=16),
    )
    assert drawn(document) == ["istio-ingress → front", "  front → back"]
    assert [call["spans"] for call in document["calls"]] == [[0, 1, 2], [3, 4, 5]]
    assert [one["role"] for one in document["spans"]] == ["caller", "callee", "callee", "caller", "caller", "callee"]


def test_the_callees_proxy_calling_its_own_program_is_inside_the_callee() -> None:
    document = tree(
        gateway("g", "front", ms=20),
        inbound("f", "g", "front", ms=18),
        inbound("r", "f", "front", operation="router inbound|80|| egress", ms=16),
    )
    assert roles(document) == [(0, "caller", 0), (1, "callee", 0), (2, "callee", 0)]


def test_attempts_are_spans_of_one_call() -> None:
    document = tree(
        gateway("g", "front", ms=40),
        attempt("a1", "g", "istio-ingress", "front", start=1, ms=10, status="503", flags="UF"),
        inbound("f1", "a1", "front", start=2, ms=8, status="503", error=True),
        attempt("a2", "g", "istio-ingress", "front", start=20, ms=15),
        inbound("f2", "a2", "front", start=21, ms=13),
    )
    assert drawn(document) == ["istio-ingress → front"]
    call = document["calls"][0]
    assert call["failed_attempts"] == 1
    assert (call["attempts"], call["error"], call["failing"], call["flags"]) == (2, False, False, ["UF"])
    assert [one["role"] for one in document["spans"]] == ["caller", "attempt", "callee", "attempt", "callee"]
    assert call["spans"] == [0, 1, 2, 3, 4]


def test_a_call_that_was_refused_on_its_way_is_the_one_that_broke() -> None:
    document = tree(
        gateway("g", "front", ms=20, status="500", error=True),
        inbound("f", "g", "front", ms=18, status="500", error=True),
        outbound("c", "f", "front", "back", start=4, ms=1, status="503", flags="UH", error=True),
    )
    front, back = document["calls"]
    assert (front["error"], front["failing"]) == (True, False)
    assert (back["reason"], back["where"], back["blame"]) == ("no-healthy-upstream", "caller-proxy", "back")
    assert (back["seen_from"], back["server_ms"], back["gap_ms"], back["self_ms"]) == ("caller", None, None, None)
    assert [one["failing"] for one in document["spans"]] == [False, False, True]
    assert document["text"] is not None
    assert document["text"].startswith("front → back failed with 503: ")


def test_calls_that_failed_alike_are_all_marked() -> None:
    fan = [
        outbound(f"c{i}", "f", "front", "back", start=2 + 3 * i, ms=2, status="503", flags="UH", error=True)
        for i in range(4)
    ]
    document = tree(gateway("g", "front", ms=20, status="500"), inbound("f", "g", "front", ms=18, status="500"), *fan)
    assert [call["failing"] for call in document["calls"]] == [False, True, True, True, True]


def test_calls_alike_in_branches_that_failed_alike_are_all_marked() -> None:
    rows = [gateway("g", "front", ms=60, status="500"), inbound("f", "g", "front", ms=58, status="500")]
    for i in range(3):
        at = 2 + 10 * i
        rows += [
            outbound(f"m{i}", "f", "front", "mid", start=at, ms=8, status="500", error=True),
            inbound(f"n{i}", f"m{i}", "mid", start=at, ms=7, status="500", error=True),
            outbound(f"b{i}", f"n{i}", "mid", "back", start=at + 1, ms=1, status="503", flags="UH"),
            outbound(f"d{i}", f"n{i}", "mid", "back", start=at + 3, ms=1, status="503", flags="UH"),
        ]
    document = tree(*rows)
    assert [call["failing"] for call in document["calls"]] == [False, *([False, True, True] * 3)]


def test_what_came_out_of_a_queue_stands_below_what_was_put_into_it_and_holds_nobody_up() -> None:
    queue = {"queue": "orders", "queue_system": "kafka"}
    document = tree(
        span("s", service="shop", kind="server", ms=10),
        span("p", "s", service="shop", kind="producer", start=2, ms=3, **queue),
        span("c", "p", service="mail", kind="consumer", start=3, ms=30, **queue),
        span("d", "c", service="mail", kind="client", start=4, ms=20, db_system="redis", db_name="mails"),
    )
    assert drawn(document) == ["None → shop", "  shop → orders", "    orders → mail", "      mail → mails"]
    assert [call["kind"] for call in document["calls"]] == ["sync", "async", "async", "sync"]
    assert [call["on_critical_path"] for call in document["calls"]] == [True, True, False, False]
    assert [call["self_ms"] for call in document["calls"]] == [7, None, 10, None]
    assert [one["self_ms"] for one in document["spans"]] == [7, 3, 10, 20]
    assert document["duration_ms"] == 33


def test_an_orphan_stays_a_root_and_both_are_drawn_by_their_start() -> None:
    document = tree(
        span("late", "gone", service="b", kind="server", start=30, ms=5), span("s", service="a", kind="server", ms=10)
    )
    assert drawn(document) == ["None → a", "None → b"]
    assert [one["parent"] for one in document["spans"]] == [None, None]
    assert {note["code"] for note in document["notes"]} == {"missing-parents", "several-roots"}


def test_a_circle_of_parents_is_cut_and_nothing_is_lost() -> None:
    document = tree(span("a", "b", service="a", kind="server", ms=10), span("b", "a", service="a", start=1, ms=3))
    assert [one["depth"] for one in document["spans"]] == [0, 1]
    assert "cycles" in {note["code"] for note in document["notes"]}


def test_duplicates_are_left_out_and_noted() -> None:
    rows = [gateway("g", "front", ms=20), inbound("f", "g", "front", start=1, ms=18)]
    document = tree(*rows, *rows)
    assert document["spans"] == tree(*rows)["spans"]
    assert document["calls"] == tree(*rows)["calls"]
    assert "duplicate-spans" in {note["code"] for note in document["notes"]}


def test_halves_of_two_workloads_under_one_head_are_two_calls() -> None:
    document = tree(
        gateway("g", "front", ms=20),
        inbound("f", "g", "front", start=1, ms=5),
        inbound("h", "g", "other", start=8, ms=5),
    )
    assert drawn(document) == ["istio-ingress → front", "istio-ingress → other"]
    assert [call["spans"] for call in document["calls"]] == [[0, 1], [0, 2]]
    assert [one["call"] for one in document["spans"]] == [0, 0, 1]


def test_a_callees_self_time_counts_calls_that_only_their_callee_reported() -> None:
    document = tree(
        span("s", service="a", kind="server", ms=20), span("t", "s", service="b", kind="server", start=5, ms=10)
    )
    assert drawn(document) == ["None → a", "  a → b"]
    assert (document["calls"][1]["seen_from"], document["calls"][0]["self_ms"]) == ("callee", 10)


def test_a_span_without_a_time_stands_at_the_beginning_and_stretches_nothing() -> None:
    builder = SpansBuilder()
    builder.add("0" * 31 + "1", 1, 0, BEGIN_NS, 10_000_000, "a", "op")
    builder.add("0" * 31 + "1", 2, 1, 0, 1_000_000, "a", "op")
    document = checked(reconstruct(builder.build()))
    assert document["duration_ms"] == 10
    assert {one["start_ms"] for one in document["spans"]} == {0}


def test_a_callee_whose_clock_is_off_is_drawn_within_its_caller() -> None:
    document = tree(gateway("g", "front", ms=20), inbound("f", "g", "front", start=-50, ms=10))
    assert [one["start_ms"] for one in document["spans"]] == [0, 5]
    assert document["duration_ms"] == 20
    assert document["window"] == {"from": rfc3339(BEGIN_NS), "to": rfc3339(BEGIN_NS + 20 * 10**6)}


def test_statuses_flags_and_kinds_stand_as_they_were_reported() -> None:
    document = tree(
        gateway("g", "front", ms=20, status="200", flags="DI,DC"),
        span("f", "g", service="front", kind="server", ms=10, grpc="UNAVAILABLE"),
        span("n", "f", service="front"),
    )
    one, two, three = document["spans"]
    assert (one["status"], one["flags"], one["kind"]) == ("200", ["DC", "DI"], "client")
    assert (two["status"], two["error"], two["flags"]) == ("grpc 14", True, [])
    assert (three["status"], three["kind"]) == (None, None)


def test_a_way_that_is_long_keeps_both_ends() -> None:
    rows = [gateway("g", "s0", ms=1000, status="500")]
    for i in range(100):
        rows.append(
            inbound(f"i{i}", f"o{i - 1}" if i else "g", f"s{i}", start=i, ms=900 - 2 * i, status="500", error=True)
        )
        rows.append(outbound(f"o{i}", f"i{i}", f"s{i}", f"s{i + 1}", start=i, ms=900 - 2 * i, status="500", error=True))
    document = tree(*rows)
    assert [place for place, call in enumerate(document["calls"]) if call["failing"]] == [100]
    assert max(call["depth"] for call in document["calls"]) == 100


def test_a_failure_that_a_long_way_leads_to_is_told_with_both_ends_of_it() -> None:
    rows = [gateway("g", "s0", ms=1000)]
    for i in range(100):
        rows.append(inbound(f"i{i}", f"o{i - 1}" if i else "g", f"s{i}", start=i, ms=900 - 2 * i))
        status = "503" if i == 99 else "200"
        rows.append(outbound(f"o{i}", f"i{i}", f"s{i}", f"s{i + 1}", start=i, ms=900 - 2 * i, status=status))
    (row,) = report(reconstruct(spans(rows))).errors()["failing_hops"]
    ends = [*(f"s{i}" for i in range(31)), *(f"s{i}" for i in range(68, 101))]
    assert row["chain"] == ["istio-ingress", *ends]


# Recordings


@cache
def loaded(path: str) -> LoadedForest:
    return traceviz.load(path)


def some(forest: Forest, number: int) -> list[str]:
    ids = sorted(forest.spans.trace_ids)
    return ids[:: max(1, len(ids) // number)]


def document_of(forest: Forest, trace_id: str) -> TreeDocument:
    return checked(reconstruct(of_trace(forest.spans, trace_id)))


@pytest.mark.parametrize("case", CASES)
def test_the_same_trace_gives_the_same_tree_in_every_format(case: str) -> None:
    """But for what a format cannot say: Jaeger numbers shared ids anew, its older API knows whole µs alone, and the
    programs sent Zipkin no spans."""
    forms = [loaded(str(MESH / case / form)) for form in FORMATS.values()]
    for trace_id in some(forms[0], 8):
        v1, v3, *zipkin = (document_of(form, trace_id) for form in forms if trace_id in form.spans.trace_ids)
        assert told(v3) == told(v1)
        for other in zipkin:
            assert told(other) == told(v1) or len(other["spans"]) < len(v1["spans"])


def told(document: TreeDocument) -> dict[str, Any]:
    without = {name: value for name, value in document.items() if name != "notes"}
    unlike = {"span_id", "start_ms", "duration_ms", "self_ms"}
    told_spans = [{key: value for key, value in one.items() if key not in unlike} for one in document["spans"]]
    return without | {"spans": told_spans}


OTHERS = sorted(
    str(path.relative_to(SHARED / "data"))
    for pattern in ("otel/*/*/traces.json.gz", "public/*/*.json.gz")
    for path in (SHARED / "data").glob(pattern)
)


@pytest.mark.parametrize("name", OTHERS)
def test_every_trace_of_other_recordings_has_a_tree(name: str) -> None:
    forest = loaded(str(SHARED / "data" / name))
    for trace_id in some(forest, 6):
        document_of(forest, trace_id)


def test_the_order_of_spans_changes_nothing() -> None:
    rng = random.Random(3)
    for case in ("retries_spawned", "otel_bug", "timeout_inner"):
        forest = loaded(str(MESH / case / FORMATS["v1"]))
        for trace_id in some(forest, 4):
            whole = of_trace(forest.spans, trace_id)
            order = list(range(len(whole)))
            rng.shuffle(order)
            assert document_of(forest, trace_id) == checked(reconstruct(shuffled(whole, order)))


def shuffled(whole: Spans, order: list[int]) -> Spans:
    return whole.take(np.array(order, np.int64))


def test_a_library_user_names_a_trace_as_on_the_command_line() -> None:
    forest = loaded(str(MESH / "retries_spawned" / FORMATS["v1"]))
    wanted = max(forest.spans.trace_ids)
    document = forest.tree(wanted[:9])
    assert document == forest.tree(f"http://localhost:16686/trace/{wanted}")
    assert document["trace_id"] == wanted
    assert document["source"] == list(forest.asked.source)
    assert json.loads(str(traceviz.render(document, "json"))) == json.loads(to_json(document))
    with pytest.raises(NothingFound):
        forest.tree("f" * 32)
    with pytest.raises(UsageError):
        forest.tree("no id")


# Size


@pytest.mark.parametrize("shape", ["chain", "fan"])
def test_a_hundred_thousand_spans_take_seconds(shape: str) -> None:
    size = 100_000
    builder = SpansBuilder()
    for i in range(size):
        kind = 2 if i == 0 or (shape == "chain" and i % 2 == 0) else 3
        above = 0 if i == 0 else i if shape == "chain" else 1
        service = f"s{(i + 1) // 2 % 7}" if shape == "chain" else "s0"
        row = builder.add(
            "0" * 31 + "1",
            i + 1,
            above,
            BEGIN_NS + i,
            2 * (size - i) if i else 4 * size,
            service,
            "op",
            kind,
            i % 5 == 0,
        )
        builder.tag(row, "peer_service", f"s{(i + 3) // 2 % 7}")
    forest = reconstruct(builder.build())
    begun = time.process_time()
    document = tree_document(forest, Asked(), Notes())
    assert time.process_time() - begun < 40
    assert len(document["spans"]) == size
    assert max(one["depth"] for one in document["spans"]) == (size - 1 if shape == "chain" else 1)
    assert len(document["calls"]) == (size // 2 + 1 if shape == "chain" else size)
