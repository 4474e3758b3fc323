"""Distributions: exact while small, within 1 % when large, the same whatever the order of merges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceviz.analyze import sketch
from traceviz.analyze.edges import union_lengths
from traceviz.analyze.sketch import EXACT, Sketch

SHARES = (0.5, 0.9, 0.95, 0.99)


def nearest_rank(values: list[int], share: float) -> int:
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
@settings(max_examples=100, deadline=None)
def test_small_distributions_are_exact(values: list[int]) -> None:
    held = Sketch(np.array(values))
    assert held.percentiles_ns(SHARES) == [nearest_rank(values, share) for share in SHARES]
    assert (held.count, held.total_ns, held.max_ns) == (len(values), sum(values), max(values))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 3.0, 8.0]))
@settings(max_examples=20, deadline=None)
def test_large_distributions_are_within_one_percent(seed: int, spread: float) -> None:
    values = np.random.default_rng(seed).lognormal(15, spread, EXACT + 500).clip(0, 2.0**60).astype(np.int64)
    found = Sketch(values).percentiles_ns(SHARES)
    for share, value in zip(SHARES, found, strict=True):
        assert value == pytest.approx(nearest_rank(values.tolist(), share), rel=0.0101, abs=1)


@given(
    st.lists(st.lists(st.integers(0, 10**9), max_size=40), min_size=1, max_size=6), st.randoms(use_true_random=False)
)
@settings(max_examples=100, deadline=None)
def test_any_order_of_merges_gives_the_same(parts: list[list[int]], chance: object) -> None:
    whole = Sketch(np.array([value for part in parts for value in part], np.int64))
    chance.shuffle(parts)  # type: ignore[attr-defined]
    merged = Sketch()
    for part in parts:
        merged.merge(Sketch(np.array(part, np.int64)))
    assert merged.document() == whole.document()


def test_merges_across_the_bound_forget_in_which_order_it_was_crossed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "EXACT", 10)
    parts = [np.arange(1, size) * 1000 for size in (3, 12, 6, 40)]
    results = []
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)):
        merged = Sketch()
        for index in order:
            merged.merge(Sketch(parts[index]))
        results.append(merged.document())
    assert results[0] == results[1] == results[2]


def test_nothing_measured_is_null_and_never_0() -> None:
    assert Sketch().document() is None
    assert Sketch(np.array([0])).document() == dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), 0.0) | {
        "count": 1
    }


def test_absurd_durations_do_not_overflow() -> None:
    held = Sketch(np.full(5, 2**62))
    assert held.total_ns == 5 * 2**62


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20), st.integers(-20, 20)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_length_of_a_union_counts_every_moment_once(intervals: list[tuple[int, int, int]]) -> None:
    group, start, end = (
        (np.array(column, np.int64) for column in zip(*intervals, strict=True))
        if intervals
        else [np.zeros(0, np.int64)] * 3
    )
    groups, lengths = union_lengths(group, start, end)
    expected: dict[int, set[int]] = {}
    for number, begin, stop in intervals:
        if stop > begin:
            expected.setdefault(number, set()).update(range(begin, stop))
    assert dict(zip(groups.tolist(), lengths.tolist(), strict=True)) == {k: len(v) for k, v in expected.items()}


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=100), st.data())
def test_what_is_without_a_part_is_the_rest(values: list[int], data: st.DataObject) -> None:
    taken = data.draw(st.integers(0, len(values) - 1))
    rest = Sketch(np.array(values)).without(Sketch(np.array(values[:taken])))
    assert rest.percentiles_ns(SHARES) == [nearest_rank(values[taken:], share) for share in SHARES]
    assert (rest.count, rest.total_ns) == (len(values) - taken, sum(values[taken:]))


def test_a_part_of_many_is_taken_out_of_their_buckets() -> None:
    values = np.random.default_rng(1).lognormal(15, 1, EXACT + 500).astype(np.int64)
    for taken in (10, EXACT + 100):
        rest = Sketch(values).without(Sketch(values[:taken]))
        assert rest.count == len(values) - taken
        expected = [nearest_rank(values[taken:].tolist(), share) for share in SHARES]
        assert rest.percentiles_ns(SHARES) == pytest.approx(expected, rel=0.0101)


def test_two_distributions_are_laid_beside_each_other() -> None:
    scale, mine, theirs = Sketch(np.array([5, 1, 5])).together(Sketch(np.array([9, 5])))
    assert (scale.tolist(), mine.tolist(), theirs.tolist()) == ([1, 5, 9], [1, 2, 0], [0, 1, 1])
