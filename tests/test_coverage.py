"""What is said of the window that was asked for: seen only where every service was, and kept over an interruption."""

from __future__ import annotations

import json

import pytest

from traceviz.asking.coverage import Coverage
from traceviz.asking.windows import Window

S = 10**9


def window(from_s: float, to_s: float) -> Window:
    return Window(round(from_s * S), round(to_s * S))


def at(seconds: float) -> str:
    return f"1970-01-01T00:00:{seconds:09.6f}Z"


def test_a_time_is_seen_where_every_service_was() -> None:
    coverage = Coverage(window(0, 10), ["front", "back"])
    assert coverage.document() == {"share": 0.0, "windows": [], "full": [], "failed": []}
    coverage.see("front", window(0, 10))
    assert coverage.document()["share"] == 0
    assert coverage.done() == 0.5
    coverage.see("back", window(6, 10))
    coverage.see("back", window(2, 4))
    assert coverage.document()["windows"] == [{"from": at(2), "to": at(4)}, {"from": at(6), "to": at(10)}]
    assert coverage.document()["share"] == 0.6
    assert coverage.missing("back") == [window(4, 6), window(0, 2)]
    assert coverage.missing("front") == []


def test_what_stayed_full_or_failed_is_named_and_not_seen() -> None:
    coverage = Coverage(window(0, 10), ["front"])
    coverage.see("front", window(5, 10))
    coverage.fill("front", window(4.9995, 5))
    coverage.fail("front", window(1, 2))
    coverage.fail("front", window(2, 4.9995))
    document = coverage.document()
    assert document["share"] == 0.5
    assert document["full"] == [{"service": "front", "from": at(4.9995), "to": at(5)}]
    assert document["failed"] == [{"service": "front", "from": at(1), "to": at(4.9995)}]
    # What failed is asked for again, what was full would be full again.
    assert coverage.missing("front") == [window(0, 4.9995)]
    assert coverage.done() == 0.9


def test_nothing_older_than_the_wanted_traces_is_missing_or_said_to_be_seen() -> None:
    coverage = Coverage(window(0, 10), ["front"])
    coverage.see("front", window(3, 10))
    coverage.end_at(7 * S)
    assert coverage.document()["windows"] == [{"from": at(7), "to": at(10)}]
    assert coverage.document()["share"] == 0.3
    coverage.end_at(5 * S)
    assert coverage.horizon_ns == 7 * S


def test_a_stopped_collection_goes_on_where_it_was() -> None:
    before = Coverage(window(0, 10), ["front", "back"])
    before.see("front", window(4, 10))
    before.fill("front", window(3.999, 4))
    before.fail("front", window(1, 2))
    before.see("back", window(0, 10))
    read = Coverage.from_json(json.loads(json.dumps(before.to_json())))
    assert (read.asked, read.services) == (window(0, 10), ["front", "back"])
    later = Coverage(window(0, 20), ["front", "new"])
    later.adopt(read)
    assert later.missing("front") == [window(10, 20), window(0, 3.999)]
    assert later.missing("new") == [window(0, 20)]
    assert later.document()["failed"] == []


@pytest.mark.parametrize("document", [{}, {"asked": [1], "services": [], "seen": {}, "full": {}}, {"asked": None}])
def test_what_is_no_coverage_is_refused(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Coverage.from_json(document)
