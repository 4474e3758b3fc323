"""Traces that came without some of their parents are asked for by id, where that brings anything, up to a bound."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builder import span, spans, trace_id
from tests.stores import US, Storage, Store, Stored, StoredSpan, cutting, memory
from tests.unruly import Exchange, unruly
from traceviz.asking.access import Access
from traceviz.asking.complete import incomplete
from traceviz.asking.oversight import Oversight
from traceviz.live import open_jaeger
from traceviz.wanted import Wanted

BEGIN_US = 1_700_000_000_000_000
LATER_US = BEGIN_US + 60_000_000


def long_trace(number: int) -> Stored:
    """A trace that begins a minute before the window, in which two more of its spans lie."""
    return Stored(
        f"{number + 1:032x}",
        (
            StoredSpan("front", BEGIN_US + number, None, 70_000_000),
            StoredSpan("back", LATER_US + number, 0),
            StoredSpan("base", LATER_US + number + 5, 1),
        ),
    )


def orphan(number: int) -> Stored:
    """A trace whose root the storage does not have."""
    return Stored(f"{number + 1:032x}", (StoredSpan("back", LATER_US + number, 7), StoredSpan("base", LATER_US, 0)))


@dataclass
class Came:
    sizes: Counter[str]
    notes: dict[str, int]
    by_id: int


def ask(storage: Storage, traces: Sequence[Stored], bound: int = 100, limit: int | None = None) -> Came:
    """Everything of `back` in the minute after LATER_US."""
    store = Store(storage, traces)
    window: dict[str, Any] = {"from_ns": LATER_US * US, "to_ns": (LATER_US + 60_000_000) * US}
    wanted = Wanted("back", **window, limit=limit, everything=limit is None, complete=bound)

    def behave(exchange: Exchange) -> None:
        exchange.send(store.of(exchange.path))

    with unruly(behave) as server, open_jaeger(Access(server.url), wanted, Oversight()) as opened:
        sizes = Counter(part.trace_ids[i] for part in opened.batches() for i in part.trace.tolist())
        notes = {note["code"]: note["count"] for note in opened.notes.documents()}
        return Came(sizes, notes, sum("/traces/" in path for path in server.asked))


def test_traces_that_a_search_gave_in_part_come_whole() -> None:
    came = ask(cutting(30_000_000), [long_trace(i) for i in range(30)])
    assert len(came.sizes) == 30
    assert set(came.sizes.values()) == {3}
    assert came.by_id == 30
    assert came.notes["completed-by-id"] == 30
    assert "not-asked-again" not in came.notes


def test_no_more_are_asked_for_than_the_bound_and_that_is_said() -> None:
    came = ask(cutting(30_000_000), [long_trace(i) for i in range(30)], bound=12)
    assert Counter(came.sizes.values()) == {3: 12, 2: 18}
    assert came.by_id == 12
    assert (came.notes["completed-by-id"], came.notes["not-asked-again"]) == (12, 18)


def test_none_is_asked_for_with_a_bound_of_0() -> None:
    came = ask(cutting(30_000_000), [long_trace(i) for i in range(5)], bound=0)
    assert (came.by_id, set(came.sizes.values())) == (0, {2})
    assert "completed-by-id" not in came.notes


def test_only_traces_that_are_wanted_are_completed() -> None:
    came = ask(cutting(30_000_000), [long_trace(i) for i in range(30)], limit=4)
    assert came.by_id == 4
    assert list(came.sizes.values()) == [3] * 4


def test_a_storage_that_gives_whole_traces_is_asked_in_vain_only_a_few_times() -> None:
    came = ask(memory, [orphan(i) for i in range(60)])
    assert set(came.sizes.values()) == {2}
    assert came.by_id <= 8 + 4
    assert not came.notes.keys() & {"completed-by-id", "not-asked-again"}


def test_completing_ends_when_it_is_stopped() -> None:
    store = Store(cutting(30_000_000), [long_trace(i) for i in range(30)])
    oversight = Oversight()

    def behave(exchange: Exchange) -> None:
        if "/traces/" in exchange.path:
            oversight.stop.set()
            exchange.closing.wait(20)
        exchange.send(store.of(exchange.path))

    window: dict[str, Any] = {"from_ns": LATER_US * US, "to_ns": (LATER_US + 60_000_000) * US}
    began = time.monotonic()
    with unruly(behave) as server, open_jaeger(Access(server.url), Wanted("back", **window), oversight) as opened:
        assert opened.interrupted
        assert "interrupted" in opened.notes
        assert sum(len(part.trace_ids) for part in opened.batches()) == 30
        assert time.monotonic() - began < 5


def test_whole_traces_are_not_asked_for_again() -> None:
    assert ask(memory, [long_trace(i) for i in range(5)]).by_id == 0


def test_a_trace_that_came_in_parts_is_whole_and_no_span_stands_in_it_twice() -> None:
    # Too many traces for one search, and every search of a part of the window sees another part of the long one.
    spread = [StoredSpan("back", LATER_US + i * 10_000_000, None if i == 0 else i - 1) for i in range(5)]
    short = [Stored(f"{i + 2:032x}", (StoredSpan("back", LATER_US + i * 100_000),)) for i in range(500)]
    came = ask(cutting(12_000_000), [Stored(f"{1:032x}", tuple(spread)), *short], bound=0)
    assert len(came.sizes) == 501
    assert came.sizes[f"{1:032x}"] == 5
    assert came.notes == {"copies-differed": 1, "only-arrived-calls": 1}


@pytest.mark.parametrize("parent", ["", "a", "b"])
def test_a_trace_is_incomplete_where_a_parent_is_not_in_it(parent: str) -> None:
    rows = [span("a"), span("b", "a"), span("c", parent)]
    assert incomplete(spans(rows)) == {}
    torn = [*rows, span("d", "nowhere"), span("d", "elsewhere"), span("e", "c", trace="other")]
    assert incomplete(spans(torn)) == {trace_id("t"): 5, trace_id("other"): 1}
