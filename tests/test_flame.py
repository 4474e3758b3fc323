"""Times and errors by calling context: cases drawn, and the laws that every sum over frames keeps."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import traceviz
from tests.builder import Row, attempt, forest, gateway, in_trace, inbound, outbound, span, spans
from tests.conftest import MESH, SHARED
from tests.test_laws import many, torn_meshes, traces_of
from traceviz.analyze import flame
from traceviz.analyze.contexts import DEEPEST
from traceviz.analyze.entries import entries
from traceviz.analyze.flame import FlameCounts
from traceviz.analyze.flame_document import flame_document
from traceviz.analyze.report import Report, report
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.self_time import self_times
from traceviz.analyze.shapes import count_shapes
from traceviz.analyze.waits import user_roots
from traceviz.documents import FlameDocument, FlameFrame
from traceviz.hops import hops
from traceviz.notes import Notes
from traceviz.reconstruct import Forest, reconstruct


def document(*batches: Forest) -> FlameDocument:
    """The document of these batches, each counted by itself, merged from the last one to the first."""
    whole, total = Report(), FlameCounts()
    for batch in reversed(batches):
        counts = FlameCounts()
        counts.count(hops(batch))
        total = total.merge(counts)
        whole.merge(report(batch))
    return flame_document(Resolved(whole), total)


def stacks(found: FlameDocument) -> dict[str, tuple[float, float, int]]:
    """`front GET / ▸ cart` ▸ critical and self time in ms, and errors."""
    ways: list[str] = []
    result = {}
    for frame in found["frames"]:
        own = " ".join(part for part in (kind(frame), frame["service"], frame["operation"]) if part)
        ways.append(own if frame["parent"] is None else f"{ways[frame['parent']]} ▸ {own}")
        result[ways[-1]] = (frame["critical_ns"] / 1e6, frame["self_ns"] / 1e6, frame["errors"])
    return result


def kind(frame: FlameFrame) -> str:
    return "" if frame["kind"] == "work" else frame["kind"]


def made(*rows: Row) -> dict[str, tuple[float, float, int]]:
    return stacks(document(forest(*rows)))


# Cases


def test_a_request_through_two_sidecars_is_two_frames_and_the_ways_between_them() -> None:
    """
    gateway ├────────────────────┤     0 to 20, waits for front from 1 to 19
    front     ├────────────────┤       of that cart's call from 4 to 14
    cart          ├──────┤             5 to 12
    """
    assert made(
        gateway("g", "front", url="http://shop/items/4711", method="GET", ms=20),
        inbound("f", "g", "front", url="http://shop/items/4711", method="GET", start=1, ms=18),
        outbound("f-c", "f", "front", "cart", url="http://cart/", method="GET", start=4, ms=10),
        inbound("c", "f-c", "cart", url="http://cart/", method="GET", start=5, ms=7),
    ) == {
        "istio-ingress GET /items/{id}": (0, 0, 0),
        "istio-ingress GET /items/{id} ▸ front GET /items/{id}": (8, 8, 0),
        "istio-ingress GET /items/{id} ▸ front GET /items/{id} ▸ cart GET /": (7, 7, 0),
        "istio-ingress GET /items/{id} ▸ front GET /items/{id} ▸ way cart": (3, 3, 0),
        "istio-ingress GET /items/{id} ▸ way front": (2, 2, 0),
    }


def test_of_calls_side_by_side_the_longer_one_is_critical_and_both_have_self_time() -> None:
    """
    front ├──────────┤
    a       ├───┤
    b       ├──────┤
    """
    found = made(
        span("f", service="front", operation="GET /", kind="server", ms=10),
        span("a", "f", service="a", operation="a", kind="server", start=2, ms=4),
        span("b", "f", service="b", operation="b", kind="server", start=2, ms=7),
    )
    assert found["front GET /"] == (3, 3, 0)
    assert found["front GET / ▸ a a"] == (0, 4, 0)
    assert found["front GET / ▸ b b"] == (7, 7, 0)


def test_spans_within_a_program_are_in_the_frame_of_its_visit() -> None:
    found = made(
        span("f", service="front", operation="GET /", kind="server", ms=10),
        span("i", "f", service="front", operation="render page", start=2, ms=6),
        span(
            "q",
            "i",
            service="front",
            operation="SELECT",
            kind="client",
            db_system="mysql",
            db_name="shop",
            ms=3,
            start=3,
        ),
    )
    assert found == {"front GET /": (7, 7, 0), "front GET / ▸ unseen shop SELECT": (3, 3, 0)}


def test_an_injected_delay_and_retries_are_time_of_the_call() -> None:
    found = made(
        span("f", service="front", operation="GET /", kind="server", ms=100),
        outbound("c", "f", "front", "cart", start=10, ms=60, flags="DI"),
        inbound("h", "c", "cart", start=60, ms=10, operation="cart"),
        outbound("r", "f", "front", "stock", start=75, ms=20, status="503", flags="UF,URX"),
        attempt("r1", "r", "front", "stock", start=76, ms=5, status="503", flags="UF"),
        attempt("r2", "r", "front", "stock", start=85, ms=5, status="503", flags="UF"),
    )
    assert found["front GET / ▸ delay cart"] == (50, 50, 0)
    assert found["front GET / ▸ cart cart"] == (10, 10, 0)
    unseen = "front GET / ▸ unseen stock stock.default.svc.cluster.local:80/*"
    assert found[unseen] == (20, 20, 1)


def test_a_failure_counts_where_it_started() -> None:
    """The callee's own half failed, or the call failed on its way although the callee answered well."""
    failed = {"status": "500", "error": True}
    found = made(
        gateway("g", "front", ms=20, **failed),
        inbound("f", "g", "front", operation="front", start=1, ms=18, **failed),
        outbound("f-c", "f", "front", "cart", start=4, ms=10, **failed),
        inbound("c", "f-c", "cart", operation="cart", start=5, ms=7, **failed),
        *in_trace(
            "u",
            gateway("g", "front", ms=20, status="503", flags="UC"),
            inbound("f", "g", "front", operation="front", start=1, ms=18),
        ),
    )
    assert {way.rpartition(" ▸ ")[2]: errors for way, (_, _, errors) in found.items() if errors} == {
        "cart cart": 1,
        "way front": 1,
    }


def test_what_is_no_users_request_stands_under_what_it_began_with_and_is_nobodys_wait() -> None:
    found = made(
        *in_trace("a", outbound("o", "", "front", "cart", ms=8), inbound("c", "o", "cart", operation="cart", ms=8)),
        *in_trace("b", span("q", service="mail", operation="send", kind="consumer", queue="mails", ms=5)),
        *in_trace("c", span("p", service="shop", operation="GET /", kind="server", ms=9)),
        *in_trace("c", span("l", "gone", service="late", operation="late", kind="server", start=1, ms=2)),
    )
    host = "front cart.default.svc.cluster.local:80/*"
    assert found == {
        "async": (0, 0, 0),
        "async ▸ mail send": (0, 5, 0),
        "fragment": (0, 0, 0),
        f"fragment ▸ {host}": (0, 0, 0),
        f"fragment ▸ {host} ▸ cart cart": (0, 8, 0),
        "orphan": (0, 0, 0),
        "orphan ▸ late late": (0, 2, 0),
        "shop GET /": (9, 9, 0),
    }


def test_a_consumer_beneath_its_producer_is_in_its_context_and_holds_nobody_up() -> None:
    found = made(
        span("f", service="front", operation="GET /", kind="server", ms=10),
        span("p", "f", service="front", operation="send", kind="producer", queue="mails", start=2, ms=1),
        span("c", "p", service="mail", operation="process", kind="consumer", queue="mails", start=4, ms=5),
    )
    assert found["front GET /"] == (9, 9, 0)
    assert found["front GET / ▸ mail process"] == (0, 5, 0)


def test_a_call_whose_callee_nobody_names_is_still_a_frame() -> None:
    rows = [span("f", service="front", kind="server", ms=10), span("c", "f", service="front", kind="client", ms=4)]
    assert made(*rows) == {"front op": (6, 6, 0), "front op ▸ unseen op": (4, 4, 0)}


# Bounds


def test_deeper_calls_are_one_frame_and_no_time_is_lost() -> None:
    depth = DEEPEST + 20
    rows = [
        span(f"s{i:02}", f"s{i - 1:02}" if i else "", service=f"s{i:02}", kind="server", start=i, ms=200 - 2 * i)
        for i in range(depth)
    ]
    found = document(forest(*rows))
    assert max(frame["depth"] for frame in found["frames"]) == DEEPEST + 1
    assert sum(frame["critical_ns"] for frame in found["frames"]) == 200_000_000
    (note,) = [note for note in found["notes"] if note["code"] == "frames-folded"]
    assert note["examples"] == [f"s{DEEPEST} op"]


def test_of_too_many_contexts_those_with_ids_in_their_names_are_folded_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flame, "MOST_FRAMES", 6)
    rows = [row for i in range(20) for row in _asked(f"t{i:02}", f"find of user{i:02}x")]
    rows += _asked("plain", "list")
    found = document(forest(*rows))
    shown = stacks(found)
    assert "web list ▸ db find" in shown
    assert shown["folded"][0] > 0
    assert len(shown) <= 2 * 6 + 1  # one of each kept one for what is beneath it
    assert sum(critical for critical, _, _ in shown.values()) == 21 * 10


def _asked(trace: str, operation: str) -> list[Row]:
    return in_trace(
        trace,
        span("w", service="web", operation=operation, kind="server", ms=10),
        span("d", "w", service="db", operation="find", kind="server", start=1, ms=3),
    )


@pytest.mark.parametrize("most", [1, 3, 10])
def test_any_split_gives_the_same_document_however_few_are_kept(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flame, "MOST_FRAMES", most)
    rng = random.Random(most)
    rows = []
    for trace in range(30):
        for number in range(rng.randint(1, 8)):
            above = f"s{rng.randrange(number)}" if number else ""
            times = {"start": number, "ms": rng.randint(1, 30)}
            name = f"op {rng.choice('abc1')}"
            rows.append(
                span(f"s{number}", above, service=rng.choice("abcd"), operation=name, trace=f"t{trace}", **times)
            )
    whole = spans(rows)
    part_of = [rng.randrange(4) for _ in whole.trace_ids]
    batches = [reconstruct(batch) for part in range(4) if len(batch := traces_of(whole, part_of, part))]
    assert document(*batches) == document(*reversed(batches)) == document(reconstruct(whole))


# Laws


def sums(found: FlameDocument) -> tuple[int, int, int]:
    frames = found["frames"]
    return (
        sum(frame["critical_ns"] for frame in frames),
        sum(frame["self_ns"] for frame in frames),
        sum(frame["errors"] for frame in frames),
    )


def added_up(tree: Forest) -> tuple[int, int, int]:
    """How long users waited, the self time of all spans, and the failures that started somewhere."""
    found = hops(tree)
    entered = entries(found)
    roots = user_roots(found, entered)
    return (
        int(tree.spans.duration_ns[roots].sum()),
        int(self_times(tree)[~tree.duplicate].sum()),
        int(count_shapes(found, entered, Notes()).started.sum()),
    )


@given(many | torn_meshes())
@settings(max_examples=300, deadline=None)
def test_frames_add_up_to_what_users_waited_to_all_self_time_and_to_all_failures(table: list[Row]) -> None:
    tree = forest(*table)
    assert sums(document(tree)) == added_up(tree)


@pytest.mark.parametrize(
    "path",
    sorted([*MESH.glob("*/v3/traces.json.gz"), *(SHARED / "data/otel").glob("*/v3/traces.json.gz")]),
    ids=lambda path: path.parts[-3],
)
def test_recorded_frames_add_up(path: Path) -> None:
    tree = traceviz.load(str(path))
    found = document(tree)
    assert sums(found) == added_up(tree)
    assert all(frame["parent"] is None or frame["parent"] < place for place, frame in enumerate(found["frames"]))


@given(many)
@settings(max_examples=50, deadline=None)
def test_fresh_counts_are_the_identity_of_merge(table: list[Row]) -> None:
    counts = FlameCounts()
    counts.count(hops(forest(*table)))
    assert FlameCounts().merge(counts).frames == counts.frames
    assert counts.merge(FlameCounts()).frames == counts.frames


def test_times_of_centuries_are_added_up_exactly() -> None:
    centuries = 2.0**62 / 1e6
    rows: Iterable[Row] = (
        span("s", trace=f"t{i}", kind="server", start=-centuries / 4, ms=centuries) for i in range(9)
    )
    (frame,) = document(forest(*rows))["frames"]
    assert frame["critical_ns"] == frame["self_ns"] == 9 * 2**62


def test_a_hundred_thousand_spans_take_seconds() -> None:
    """In one chain: no recursion, and no path longer than the deepest."""
    from traceviz.building import SpansBuilder

    size = 100_000
    builder = SpansBuilder()
    for i in range(size):
        builder.add("0" * 31 + "1", i + 1, i, 10**18 + i, 2 * (size - i), f"s{i % 7}", "op")
    counts = FlameCounts()
    counts.count(hops(reconstruct(builder.build())))
    assert sum(one.critical_ns for one in counts.frames.values()) == 2 * size
    assert np.max([len(path) for path in counts.frames]) == DEEPEST + 2
