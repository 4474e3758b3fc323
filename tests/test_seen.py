"""Which traces came before, remembered in few bytes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builder import Row, span, spans
from traceviz.asking import seen
from traceviz.asking.seen import SeenTraces, fingerprints, key
from traceviz.spans import Spans

IDS = st.integers(0, 40).map(lambda n: f"{n * 0x1_0000_0001:032x}")
PAGES = st.lists(st.dictionaries(IDS, st.integers(0, 3), max_size=12), max_size=20)


@pytest.mark.parametrize("fresh", [1, 7, 50_000])
@given(pages=PAGES)
@settings(max_examples=50)
def test_a_trace_is_new_once_and_changed_where_its_spans_are_not_those_that_came_first(
    fresh: int, pages: list[dict[str, int]]
) -> None:
    before = seen._FRESH
    seen._FRESH = fresh
    try:
        remembered, known = SeenTraces(), dict[str, int]()
        for page in pages:
            new, changed = remembered.add(list(page), np.array(list(page.values()), np.uint64))
            assert new.tolist() == [trace_id not in known for trace_id in page]
            assert changed.tolist() == [known.get(trace_id, value) != value for trace_id, value in page.items()]
            known = page | known
        assert len(remembered) == len(known)
    finally:
        seen._FRESH = before


def test_a_million_traces_take_16_bytes_each() -> None:
    remembered = SeenTraces()
    for start in range(0, 1_000_000, 100_000):
        ids = [f"{number:032x}" for number in range(start, start + 100_000)]
        new, _ = remembered.add(ids, np.arange(start, start + 100_000, dtype=np.uint64))
        assert new.all()
    assert len(remembered) == 1_000_000
    assert remembered._old_ids.nbytes + remembered._old_prints.nbytes <= 16_000_000
    assert sys.getsizeof(remembered._fresh) < 5_000_000


def test_both_halves_of_an_id_count() -> None:
    ids = [f"{high:016x}{low:016x}" for high in range(50) for low in range(50)]
    assert len({key(trace_id) for trace_id in ids}) == 2500


@given(st.permutations(range(6)))
def test_the_fingerprint_of_a_trace_does_not_hang_on_the_order_of_its_spans(order: list[int]) -> None:
    rows = [span(str(i), "" if i == 0 else "0", start=i, trace="ab"[i % 2]) for i in range(6)]
    prints = [dict(zip(s.trace_ids, fingerprints(s).tolist(), strict=True)) for s in (spans(rows), _in(rows, order))]
    assert prints[0] == prints[1]


def test_the_fingerprint_tells_spans_apart() -> None:
    rows = [span("a"), span("b", "a", start=1)]
    others = [
        rows[:1],
        [*rows, span("c", "a", start=1)],
        [rows[0], span("b", "a", start=2)],
        [rows[0], span("b", "a", start=1, kind="server")],
    ]
    whole = fingerprints(spans(rows)).tolist()
    assert all(fingerprints(spans(other)).tolist() != whole for other in others)


def _in(rows: list[Row], order: list[int]) -> Spans:
    return spans([rows[i] for i in order])
