"""Any traces in any storage, any window, any limit: all of them come, each once, or it is said which part did not."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stores import (
    US,
    Storage,
    Store,
    Stored,
    StoredSpan,
    cassandra,
    clickhouse,
    elasticsearch,
    end_excluded,
    looks_at_no_limit,
    looks_at_no_window,
    memory,
)
from tests.unruly import Exchange, Unruly, searched, unruly
from traceviz.asking.access import Access
from traceviz.asking.collect import Collection
from traceviz.asking.oversight import Oversight
from traceviz.asking.query import Jaeger
from traceviz.asking.search import Search
from traceviz.demo.answers import Answer
from traceviz.live import Keeps
from traceviz.notes import Notes
from traceviz.selection import Selection
from traceviz.when import parse_instant

#: Storages that look at windows and limits, whatever they pick.
STORAGES: dict[str, Storage] = {
    storage.__name__: storage for storage in (memory, elasticsearch, cassandra, clickhouse, end_excluded)
}
BEGIN_US = 1_700_000_000_000_000
SERVICES = ("front", "back", "base")


class Serving:
    """One server for all examples: what it holds is exchanged, answers come after delays of `dice`."""

    def __init__(self) -> None:
        self.server = Unruly("")
        self.store = Store(memory, [])
        self.dice: random.Random | None = None

    def behave(self, exchange: Exchange) -> None:
        answer = self.store.of(exchange.path)
        if self.dice:
            time.sleep(self.dice.random() * 0.005)
        exchange.send(answer)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    held = Serving()
    with unruly(held.behave) as held.server:
        yield held


@dataclass
class Came:
    """What a collection gave: the ids of every answer, those wanted of them, what was seen of the window."""

    answers: list[list[str]]
    ids: set[str]
    seen: Any
    notes: list[Any]
    limit_hit: bool
    horizon_us: int
    searches: int


def collected(
    serving: Serving,
    store: Store,
    services: Sequence[str],
    window: tuple[int, int],
    limit: int | None,
    page: int,
    api: Literal["v3", "v1"] = "v3",
    dice: random.Random | None = None,
) -> Came:
    """Collect the traces of a store."""
    serving.store, serving.dice = store, dice
    serving.server.asked.clear()
    from_ns, to_ns = window[0] * US, window[1] * US
    with Jaeger(Access(serving.server.url, timeout_s=5), api) as jaeger:
        keeps = Keeps(Selection(frozenset(services), from_ns=from_ns, to_ns=to_ns), jaeger.notes)
        collection = Collection(jaeger, services, Search("", from_ns, to_ns), keeps, limit, page=page)
        answers = [sorted(answer.spans.trace_ids) for answer in collection.answers()]
        ids = {trace_id for answer in answers for trace_id in answer}
        kept = collection.kept()
        return Came(
            answers,
            ids if kept is None else ids & kept,
            collection.coverage.document(),
            jaeger.notes.documents(),
            collection.limit_hit,
            collection.coverage.horizon_ns // US,
            len(store.searches),
        )


def wanted(traces: Sequence[Stored], services: Sequence[str], window: tuple[int, int]) -> dict[str, Stored]:
    """The traces with a span of one of the services in the window."""
    return {t.trace_id: t for t in traces if any(t.found(s, window[0] * US, window[1] * US) for s in services)}


def newest(traces: dict[str, Stored], limit: int | None) -> set[str]:
    """Those that began last."""
    ranked = sorted(traces.values(), key=lambda trace: (-trace.start_us, trace.trace_id))
    return {trace.trace_id for trace in ranked[:limit]}


@st.composite
def some_traces(draw: st.DrawFn) -> list[Stored]:
    """Traces of up to three services: many in one ms, some that are long, spread over a second or an hour."""
    spread_us = draw(st.sampled_from([1_500, 1_000_000, 3_600_000_000]))
    when = st.one_of(st.integers(0, spread_us), st.integers(spread_us // 2, spread_us // 2 + 2_500))
    after = st.one_of(st.integers(0, 3_000), st.integers(0, spread_us))
    span = st.tuples(st.sampled_from(SERVICES), after)
    traces = []
    for number in range(draw(st.integers(0, 60))):
        start_us = BEGIN_US + draw(when)
        services = draw(st.lists(span, min_size=1, max_size=5))
        spans = [StoredSpan(s, start_us + us, None if i == 0 else 0) for i, (s, us) in enumerate(services)]
        traces.append(Stored(f"{number * 7919 % 10007 + 1:032x}", tuple(spans)))
    return traces


@st.composite
def windows(draw: st.DrawFn, traces: Sequence[Stored]) -> tuple[int, int]:
    """µs from and to, often the very start of a span."""
    starts = [span.start_us for trace in traces for span in trace.spans] or [BEGIN_US]
    end = st.one_of(st.sampled_from(starts), st.integers(min(starts) - 5_000, max(starts) + 5_000))
    first, last = sorted((draw(end), draw(end)))
    return first, max(last, first + 1)


def claimed_windows_are_complete(came: Came, wanted: dict[str, Stored], services: Sequence[str]) -> bool:
    """Whether every trace with a span in a seen window is there, but for those that a limit makes too old."""
    for window in came.seen["windows"]:
        from_ns, to_ns = parse_instant(window["from"], 0), parse_instant(window["to"], 0)
        for trace in wanted.values():
            if not any(trace.found(service, from_ns, to_ns - 1) for service in services):
                continue
            if trace.trace_id not in came.ids and (not came.limit_hit or trace.start_us > came.horizon_us):
                return False
    return True


def most_searches(store: Store, services: Sequence[str], window: tuple[int, int], page: int) -> float:
    """How many searches there may be: the quarters of the window of each service, and for every page of spans the
    parts of one, down to where they are."""
    page, refused = (page, 0) if store.most > page else (3, 8 * 5)
    halvings = math.ceil(math.log2(max((window[1] - window[0]) / 1000, 1))) + 1
    pages = sum(s.service in services for t in store.traces for s in t.spans) / page
    return refused + 4 * len(services) + 3 * 2 * halvings * pages


@pytest.mark.parametrize("storage", STORAGES)
@given(data=st.data())
@settings(max_examples=25)
def test_any_traces_in_any_window_with_any_page_and_limit_come_or_it_is_said(
    serving: Serving, storage: str, data: st.DataObject
) -> None:
    traces = data.draw(some_traces())
    window = data.draw(windows(traces))
    services = data.draw(st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3, unique=True))
    limit = data.draw(st.none() | st.integers(1, 70))
    page = data.draw(st.integers(1, 30))
    api: Literal["v3", "v1"] = data.draw(st.sampled_from(["v3", "v1"]))
    store = Store(STORAGES[storage], traces, data.draw(st.sampled_from([10_000, 5])))

    came = collected(serving, store, services, window, limit, page, api)

    truth = wanted(traces, services, window)
    expected = newest(truth, limit)
    everything = [trace_id for answer in came.answers for trace_id in answer]
    assert len(everything) == len(set(everything)), "a trace came twice"
    assert came.ids <= truth.keys()
    assert came.ids == expected or (came.seen["full"] and store.most == 5)
    assert came.seen["failed"] == []
    assert came.limit_hit == (len(truth) > len(expected)) or came.seen["full"] or len(truth) == limit
    assert claimed_windows_are_complete(came, truth, services)
    assert {note["code"] for note in came.notes} <= {"limit-lowered"}
    assert came.searches <= most_searches(store, services, window, page)


@pytest.mark.parametrize("storage", STORAGES)
@given(data=st.data())
@settings(max_examples=5)
def test_what_comes_in_which_order_does_not_hang_on_which_answer_is_first(
    serving: Serving, storage: str, data: st.DataObject
) -> None:
    traces = data.draw(some_traces())
    window = data.draw(windows(traces))
    limit = data.draw(st.none() | st.integers(1, 70))
    page = data.draw(st.integers(3, 30))
    runs = [
        collected(serving, Store(STORAGES[storage], traces), SERVICES, window, limit, page, dice=dice)
        for dice in (None, random.Random(1), random.Random(2))
    ]
    for run in runs[1:]:
        run.searches = runs[0].searches  # some are asked in advance and not wanted then
        assert run == runs[0]


def burst(count: int, service: str = "front", apart_us: int = 0, spans: int = 1) -> list[Stored]:
    """Traces that began one after the other, each of some spans."""
    return [
        Stored(f"{i + 1:032x}", tuple(StoredSpan(service, BEGIN_US + i * apart_us, None) for _ in range(spans)))
        for i in range(count)
    ]


def hour(traces: Sequence[Stored]) -> tuple[int, int]:
    """The hour in whose middle the traces are."""
    return BEGIN_US - 1_800_000_000, BEGIN_US + 1_800_000_000


@pytest.mark.parametrize("storage", [memory, elasticsearch, cassandra, clickhouse])
def test_traces_of_one_millisecond_are_asked_for_with_a_higher_limit(serving: Serving, storage: Storage) -> None:
    traces = burst(300)
    came = collected(serving, Store(storage, traces), ["front"], hour(traces), None, 10)
    assert len(came.ids) == 300
    assert came.seen["share"] == 1
    assert came.searches < 250


@pytest.mark.parametrize("storage", [memory, elasticsearch, cassandra, clickhouse])
def test_more_traces_in_a_millisecond_than_a_search_may_give_are_a_window_that_stayed_full(
    serving: Serving, storage: Storage
) -> None:
    traces = burst(30)
    came = collected(serving, Store(storage, traces, 10), ["front"], hour(traces), None, 10)
    assert len(came.ids) >= 10
    begin = parse_instant(came.seen["full"][0]["from"], 0), parse_instant(came.seen["full"][-1]["to"], 0)
    assert begin[0] <= BEGIN_US * US < begin[1]
    assert begin[1] - begin[0] <= 4_000_000
    assert 0.999 < came.seen["share"] < 1
    assert came.seen["windows"]
    assert came.searches < 250


def test_a_storage_that_indexes_spans_gives_all_of_traces_that_have_many_of_a_service(serving: Serving) -> None:
    traces = burst(40, apart_us=10_000, spans=7)
    came = collected(serving, Store(cassandra, traces), ["front"], hour(traces), None, 10)
    assert len(came.ids) == 40
    assert came.seen["share"] == 1
    assert came.searches < 30


def test_what_looks_at_no_window_is_not_asked_without_end(serving: Serving) -> None:
    traces = burst(100, apart_us=1_000_000)
    came = collected(serving, Store(looks_at_no_window, traces), ["front"], hour(traces), None, 10)
    assert len(came.ids) == 10
    assert came.seen["full"]
    assert came.searches < 60


def test_what_looks_at_no_window_gives_none_from_outside_of_it(serving: Serving) -> None:
    traces = burst(5, apart_us=1_000_000)
    came = collected(serving, Store(looks_at_no_window, traces), ["front"], (BEGIN_US, BEGIN_US + 1), None, 10)
    assert came.ids == {traces[0].trace_id}
    assert [(note["code"], note["count"]) for note in came.notes] == [("not-as-asked", 4)]


def test_what_looks_at_no_limit_is_asked_for_its_quarters_once(serving: Serving) -> None:
    traces = burst(100, apart_us=1_000_000)
    came = collected(serving, Store(looks_at_no_limit, traces), ["front"], hour(traces), None, 10)
    assert (len(came.ids), came.seen["share"]) == (100, 1)
    assert came.searches == 5  # of which one is whether it still knows anything, because three were empty
    came = collected(serving, Store(looks_at_no_limit, traces), ["front"], hour(traces), 7, 10)
    assert came.ids == {trace.trace_id for trace in traces[-7:]}
    assert came.limit_hit


def test_a_limit_needs_few_searches_of_a_long_window(serving: Serving) -> None:
    traces = burst(500, apart_us=7_000_000)
    came = collected(serving, Store(elasticsearch, traces), ["front"], hour(traces), 20, 200)
    assert len(came.ids) == 20
    assert came.searches <= 12  # of which most were asked in advance


def test_each_page_is_asked_for_about_twice(serving: Serving) -> None:
    traces = burst(2000, apart_us=1_700_000)
    came = collected(serving, Store(memory, traces), ["front"], hour(traces), None, 100)
    assert len(came.ids) == 1059
    assert came.searches <= 5 * 1059 / 100


def collecting(
    url: str, window: tuple[int, int], page: int, oversight: Oversight | None = None
) -> tuple[set[str], Collection, Notes]:
    """The ids that come of a server that may fail."""
    from_ns, to_ns = window[0] * US, window[1] * US
    with Jaeger(Access(url, timeout_s=5), "v3") as jaeger:
        keeps = Keeps(Selection(frozenset(["front"]), from_ns=from_ns, to_ns=to_ns), jaeger.notes)
        search = Search("", from_ns, to_ns)
        collection = Collection(jaeger, ["front"], search, keeps, None, page=page, oversight=oversight)
        ids = {trace_id for answer in collection.answers() for trace_id in answer.spans.trace_ids}
        return ids, collection, jaeger.notes


def test_where_the_newest_part_fails_the_rest_is_read() -> None:
    traces = burst(100, apart_us=10_000_000)
    store = Store(memory, traces)
    window = (BEGIN_US, BEGIN_US + 1_000_000_000)
    bad_ns = (BEGIN_US + 750_000_000) * US

    def behave(exchange: Exchange) -> None:
        if "/traces?" in exchange.path and searched(exchange.path)[1] > bad_ns + 2_000_000:
            exchange.send(Answer(500, "text/plain", b"no shards"))
        else:
            exchange.send(store.of(exchange.path))

    with unruly(behave) as server:
        ids, collection, notes = collecting(server.url, window, 10)
        assert len(server.asked) < 120
    assert ids == {trace.trace_id for trace in traces[:76]}
    assert collection.coverage.document()["share"] == 0.75
    assert notes.count("searches-failed") == 16
    assert "gave-up" not in notes


def test_where_nothing_but_the_beginning_came_the_rest_is_given_up() -> None:
    traces = burst(100, apart_us=10_000_000)
    store = Store(memory, traces)
    window = (BEGIN_US, BEGIN_US + 1_000_000_000)
    bad_ns = (BEGIN_US + 900_000_000) * US

    def behave(exchange: Exchange) -> None:
        if "/traces?" not in exchange.path or searched(exchange.path)[0] > bad_ns - 2_000_000:
            exchange.send(store.of(exchange.path))
        else:
            exchange.send(Answer(500, "text/plain", b"no shards"))

    with unruly(behave) as server:
        ids, collection, notes = collecting(server.url, window, 10)
        assert len(server.asked) < 120
    assert ids
    assert ids <= {trace.trace_id for trace in traces[89:]}
    assert notes.count("gave-up") > 0
    seen = collection.coverage.document()
    assert 0 < seen["share"] < 0.11
    assert sum(parse_instant(w["to"], 0) - parse_instant(w["from"], 0) for w in seen["failed"]) == round(
        (1 - seen["share"]) * 10**12
    )


def test_what_came_before_a_stop_is_used_although_something_newer_had_not() -> None:
    traces = burst(100, apart_us=10_000_000)
    store = Store(memory, traces)
    window = (BEGIN_US, BEGIN_US + 1_000_000_000)
    oversight = Oversight()

    def behave(exchange: Exchange) -> None:
        if "/traces?" in exchange.path:
            from_ns, to_ns, _ = searched(exchange.path)
            if from_ns > window[0] * US and to_ns > window[1] * US:
                threading.Timer(1, oversight.stop.set).start()
                exchange.closing.wait(20)
        exchange.send(store.of(exchange.path))

    with unruly(behave) as server:
        ids, collection, notes = collecting(server.url, window, 30, oversight)
    assert 10 < len(ids) < 90
    assert "interrupted" in notes
    assert 0.1 < collection.coverage.document()["share"] < 0.9
