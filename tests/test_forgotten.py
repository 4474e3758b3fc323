"""A store that is emptied while it is asked is found out, whether a connection broke meanwhile or not."""

from __future__ import annotations

import time

import pytest

from tests.stores import US, Store, Stored, StoredSpan, memory
from tests.unruly import Exchange, good, unruly
from traceviz.asking.access import Access
from traceviz.asking.collect import Collection
from traceviz.asking.connection import Connection
from traceviz.asking.query import Jaeger
from traceviz.asking.search import Search
from traceviz.errors import SourceFailed
from traceviz.live import Keeps
from traceviz.selection import Selection
from traceviz.when import parse_instant

BEGIN_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
#: A trace every second for two minutes, and then nothing for one before, in a window of three minutes.
TRACES = [Stored(f"{i + 1:032x}", (StoredSpan("front", BEGIN_US + i * SECOND_US),)) for i in range(60, 180)]
WINDOW = (BEGIN_US * US, (BEGIN_US + 180 * SECOND_US) * US)


def collected(emptied_after: int | None) -> tuple[Collection, set[str], list[str]]:
    """The collection, the ids and the codes of notes from a store that is empty after so many searches."""
    full, empty = Store(memory, TRACES), Store(memory, [])

    def behave(exchange: Exchange) -> None:
        searches = sum("/traces?" in path for path in server.asked)
        gone = emptied_after is not None and searches > emptied_after
        exchange.send((empty if gone else full).of(exchange.path))

    with unruly(behave) as server, Jaeger(Access(server.url, timeout_s=5), "v3") as jaeger:
        keeps = Keeps(Selection(frozenset(["front"]), from_ns=WINDOW[0], to_ns=WINDOW[1]), jaeger.notes)
        collection = Collection(jaeger, ["front"], Search("front", *WINDOW), keeps, None, parallel=1, page=20)
        ids = {trace_id for answer in collection.answers() for trace_id in answer.spans.trace_ids}
        return collection, ids, [note["code"] for note in jaeger.notes.documents()]


def test_quiet_times_of_a_store_that_is_still_full_were_seen() -> None:
    collection, ids, codes = collected(None)
    assert len(ids) == len(TRACES)
    assert codes == []
    assert collection.coverage.document()["share"] == 1


@pytest.mark.parametrize("searches", range(2, 9))
def test_what_an_emptied_store_does_not_give_was_not_seen(searches: int) -> None:
    collection, ids, codes = collected(searches)
    assert 0 < len(ids) < len(TRACES)
    assert codes == ["traces-forgotten"]
    seen = collection.coverage.document()
    assert seen["failed"]
    for window in seen["windows"]:
        from_ns, to_ns = parse_instant(window["from"], 0), parse_instant(window["to"], 0)
        assert {trace.trace_id for trace in TRACES if from_ns <= trace.start_us * US < to_ns} <= ids


def test_a_server_that_is_gone_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceviz.asking.connection._PATIENCE_S", 1.5)
    with unruly(good) as server:
        connection = Connection(Access(server.url))
        connection.get("/api/services").close()
    waited_s = []
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(SourceFailed, match="connection refused"):
            connection.get("/api/services")
        waited_s.append(time.monotonic() - began)
    connection.close()
    assert waited_s[0] > 0.3
    assert max(waited_s[1:]) < 1.5
    assert sum(waited_s) < 2.5
    assert connection.lost == 1
