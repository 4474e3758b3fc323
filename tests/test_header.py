"""The first line of a dump: nothing of it changes on its way through a file, whatever is in it is said or counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceviz.asked import Asked
from traceviz.asking.coverage import Coverage
from traceviz.asking.windows import Window
from traceviz.notes import catalogue
from traceviz.sources.fields import Unreadable
from traceviz.sources.header import UNFINISHED_FETCH, UNKNOWN_NOTE, Header

TEXT = st.text(st.characters(codec="utf-8"))
SEEN = Coverage(Window(0, 10**9), ["front"]).document()
INSTANT = st.none() | st.integers(0, 2**63 - 1)


def line(**said: Any) -> bytes:
    return json.dumps({"traceviz": said}).encode()


ASKED = st.builds(
    Asked,
    source=st.lists(TEXT).map(tuple),
    from_ns=INSTANT,
    to_ns=INSTANT,
    service=st.none() | TEXT,
    limit=st.none() | st.integers(0, 2**40),
    ui_url=st.none() | TEXT,
    operation=st.none() | TEXT,
    tags=st.lists(TEXT).map(tuple),
    min_duration_ns=st.none() | st.integers(0, 2**50),
    max_duration_ns=st.none() | st.integers(0, 2**50),
    seen=st.none() | st.just(SEEN),
)


@given(ASKED, st.booleans(), st.lists(TEXT).map(tuple), TEXT)
def test_what_is_written_is_read_to_the_nanosecond(
    asked: Asked, complete: bool, copied: tuple[str, ...], example: str
) -> None:
    written = Header(asked, complete=complete, copied=copied)
    written.notes.add("limit-hit", 3, [example, "b"])
    data = written.to_json()
    read = Header.from_json(data)
    assert b"\n" not in data
    assert (read.asked, read.complete, read.copied) == (asked, complete, copied)
    assert read.notes.documents() == written.notes.documents()
    assert read.to_json() == data


def test_the_line_is_what_the_contract_says() -> None:
    asked = Asked(("http://localhost:16686",), 10**18, None, "front", 20, min_duration_ns=1_500_000, tags=("a=b",))
    written = Header(asked, copied=("1f",))
    written.notes.add(UNFINISHED_FETCH, 1, ["x"])
    assert json.loads(written.to_json()) == {
        "traceviz": {
            "asked": {
                "from": "2001-09-09T01:46:40.000000Z",
                "to": None,
                "service": "front",
                "limit": 20,
                "operation": None,
                "tags": ["a=b"],
                "min_duration_ms": 1.5,
                "max_duration_ms": None,
                "seen": None,
            },
            "notes": written.notes.documents(),
            "source": ["http://localhost:16686"],
            "ui_url": None,
            "complete": True,
            "copied": ["1f"],
        }
    }


def test_what_is_left_out_is_not_known_and_what_is_new_is_passed_over() -> None:
    read = Header.from_json(line(source=["a"], asked={"from": None, "mood": "good"}, colour={"red": 1}))
    assert read.asked == Asked(("a",))
    assert (read.complete, read.copied, len(read.notes)) == (True, (), 0)


def test_notes_of_another_version_are_counted() -> None:
    entry = {"count": 7, "text": "…", "examples": ["1f"]}
    codes = ["limit-hit", "seen-in-the-stars", "fallen-off-the-edge"]
    assert "limit-hit" in catalogue()
    read = Header.from_json(line(notes=[{"code": code, **entry} for code in codes]))
    assert [(note["code"], note["count"], note["examples"]) for note in read.notes.documents()] == [
        ("limit-hit", 7, ["1f"]),
        (UNKNOWN_NOTE, 2, ['"fallen-off-the-edge"', '"seen-in-the-stars"']),
    ]


def test_names_that_are_no_text_are_written_all_the_same() -> None:
    written = Header(Asked(("dump-\udcff.json",)))
    assert Header.from_json(written.to_json()).asked.source == ("dump-?.json",)


@pytest.mark.parametrize(
    ("said", "path", "what"),
    [
        ({"asked": {"from": "now"}}, ".traceviz.asked.from", '"now"'),
        ({"asked": {"to": "1700000000"}}, ".traceviz.asked.to", '"1700000000"'),
        ({"asked": {"to": "2026-02-31T00:00:00Z"}}, ".traceviz.asked.to", "2026-02-31"),
        ({"asked": {"limit": -1}}, ".traceviz.asked.limit", "-1"),
        ({"asked": {"max_duration_ms": 1e300}}, ".traceviz.asked.max_duration_ms", "1e+300"),
        ({"asked": {"seen": {"share": 1}}}, ".traceviz.asked.seen", '{"share": 1}'),
        ({"notes": [{"code": "limit-hit", "count": "many"}]}, ".traceviz.notes[0].count", '"many"'),
        ({"source": "dump.json"}, ".traceviz.source", '"dump.json"'),
        ({"complete": None}, ".traceviz.complete", "null"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path_and_value(said: dict[str, Any], path: str, what: str) -> None:
    with pytest.raises(Unreadable, match=r"\S") as error:
        Header.from_json(line(**said))
    assert error.value.path == path
    assert what in str(error.value)
