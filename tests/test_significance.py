"""The tests of significance, against values that are published or counted by hand, and against exact enumeration."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceviz.analyze.clustering import Clustering, clusterings, log_durations
from traceviz.analyze.significance import ALPHA, chance_of_more, chance_of_shares, chance_of_times, holm
from traceviz.analyze.sketch import EXACT, Sketch
from traceviz.spans import Ints


def test_the_chance_of_a_table_is_fishers() -> None:
    # The lady tasting tea: 3 of 4 right, one-sided.
    assert chance_of_more(3, 1, 1, 3) == pytest.approx(17 / 70)
    assert chance_of_more(4, 0, 0, 4) == pytest.approx(1 / 70)


def test_the_chance_of_a_table_starts_above_what_is_to_be_expected_and_below_it() -> None:
    assert chance_of_more(0, 4, 4, 0) == pytest.approx(1)
    assert chance_of_more(1, 3, 3, 1) == pytest.approx(69 / 70)
    # Its first terms are no floats, and all that matters comes later.
    assert chance_of_more(10_000, 90_000, 50_000, 50_000) == pytest.approx(1)
    assert chance_of_more(50_000, 50_000, 10_000, 90_000) == 0


def test_shares_are_compared_both_ways() -> None:
    # By hand: of C(21,9) ways to choose the 9 failed of 21 calls, 8 or 9 fall among the 10 of one side.
    tail = (math.comb(10, 8) * 11 + math.comb(10, 9)) / math.comb(21, 9)
    assert chance_of_shares(8, 2, 1, 10) == pytest.approx(2 * tail)
    assert chance_of_shares(1, 10, 8, 2) == pytest.approx(2 * tail)


def test_shares_of_few_calls_are_not_tested() -> None:
    # 3 of 3 against 1 of 4: the furthest that 4 failed of 7 can be apart has a chance of 2 · 4/35.
    assert chance_of_shares(3, 0, 1, 3) is None


def test_shares_that_are_alike_are_no_difference() -> None:
    assert chance_of_shares(5, 95, 5, 95) == 1
    assert chance_of_shares(500, 9500, 50, 950) == 1


def test_what_never_failed_is_not_tested() -> None:
    assert chance_of_shares(0, 1000, 0, 1000) is None
    assert chance_of_shares(1000, 0, 1000, 0) is None
    assert chance_of_shares(0, 0, 5, 5) is None


def sides(before: list[int], after: list[int]) -> tuple[Ints, Ints]:
    _, mine, theirs = Sketch(np.array(before, np.int64)).together(Sketch(np.array(after, np.int64)))
    return mine, theirs


def test_ranks_are_compared_as_mann_and_whitney_do() -> None:
    # The example of scipy's mannwhitneyu: U = 17 of 20, asymptotic p = 0.11134688653314041.
    men, women = [19, 22, 16, 29, 24], [20, 11, 17, 12]
    assert chance_of_times(*sides(women, men)) == pytest.approx((0.11134688653314041, 17 / 20))
    assert chance_of_times(*sides(men, women)) == pytest.approx((0.11134688653314041, 3 / 20))


def test_ties_count_half_and_lessen_the_variance() -> None:
    # Of 16 pairs 2 is slower in 1 + ½ + ½, each 3 in 3 + ½, 4 in 4: U = 13. Two values are there three times each.
    found = chance_of_times(*sides([1, 2, 2, 3], [2, 3, 3, 4]))
    variance = 16 / 12 * (9 - 48 / (8 * 7))
    assert found == pytest.approx((math.erfc((13 - 8 - 0.5) / math.sqrt(variance) / math.sqrt(2)), 13 / 16))


def test_times_that_are_all_the_same_are_not_tested() -> None:
    assert chance_of_times(*sides([7] * 50, [7] * 50)) is None


def test_few_times_are_not_tested() -> None:
    assert chance_of_times(*sides([1, 2], [3, 4])) is None
    assert chance_of_times(*sides([], [3, 4])) is None


@cache
def exact(n: int, m: int) -> Counter[int]:
    """How many of all orders of n and m values have which U."""
    places = itertools.combinations(range(n + m), n)
    return Counter(sum(place - index for index, place in enumerate(chosen)) for chosen in places)


@pytest.mark.parametrize(("n", "m"), [(3, 9), (4, 6), (5, 5), (6, 6), (2, 14), (7, 7)])
def test_few_calls_are_never_found_sooner_than_by_exact_enumeration(n: int, m: int) -> None:
    orders = exact(n, m)
    total = orders.total()
    looked = 0
    for u in range(n * m // 2):
        really = 2 * sum(number for value, number in orders.items() if value <= u) / total
        if really <= 0.01:
            deviation = (n * m / 2 - u - 0.5) / math.sqrt(n * m * (n + m + 1) / 12)
            assert math.erfc(deviation / math.sqrt(2)) >= really
            looked += 1
    assert looked or 2 / total > 0.01


def test_times_in_buckets_give_nearly_what_exact_ones_give() -> None:
    rng = np.random.default_rng(1)
    few, many = (np.int64(1e6 * rng.lognormal(1, 0.5, number)) for number in (EXACT, EXACT * 2))
    longer = np.int64(many * 1.02)
    bucketed = chance_of_times(*Sketch(few).together(Sketch(longer))[1:])
    distinct, place = np.unique(np.concatenate((few, longer)), return_inverse=True)
    both, mine = (np.bincount(some, minlength=len(distinct)) for some in (place, place[: len(few)]))
    exactly = chance_of_times(mine, both - mine)
    assert bucketed is not None
    assert exactly is not None
    assert bucketed[1] == pytest.approx(exactly[1], abs=0.002)
    assert bucketed[0] < ALPHA
    assert exactly[0] < ALPHA


def test_chances_are_corrected_as_holm_does() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1)))
def test_corrected_chances_are_in_the_same_order_and_no_smaller(chances: list[float]) -> None:
    corrected = holm(chances)
    assert all(one >= chance for one, chance in zip(corrected, chances, strict=True))
    order = sorted(range(len(chances)), key=chances.__getitem__)
    assert [corrected[index] for index in order] == sorted(corrected)


# Calls of one trace

#: Calls as (trace, value).
CALLS = st.lists(st.tuples(st.integers(0, 5), st.integers(-50, 50)), min_size=1, max_size=40)


def clustered(calls: list[tuple[int, int]]) -> Clustering:
    trace, value = (np.array(column, np.int64) for column in zip(*calls, strict=True))
    return clusterings(np.zeros(len(calls), np.int64), trace, value, 1)[0]


def test_calls_of_their_own_traces_are_worth_a_call_each() -> None:
    assert clustered([(trace, trace % 7) for trace in range(100)]).design_effect == 1


def test_ten_calls_that_are_one_accident_are_worth_one() -> None:
    assert clustered([(trace, trace % 2) for trace in range(100) for _ in range(10)]).design_effect == pytest.approx(10)


def test_ten_calls_that_have_nothing_to_do_with_each_other_are_worth_ten() -> None:
    alternating = clustered([(trace, call % 2) for trace in range(100) for call in range(10)])
    assert alternating.design_effect == 1
    rng = np.random.default_rng(2)
    independent = clustered([(trace, int(rng.integers(-50, 50))) for trace in range(100) for _ in range(10)])
    assert independent.design_effect < 1.5


@given(CALLS)
def test_the_design_effect_is_that_of_the_definition(calls: list[tuple[int, int]]) -> None:
    traces = sorted({trace for trace, _ in calls})
    mean = sum(value for _, value in calls) / len(calls)
    between = sum(sum(value - mean for one, value in calls if one == trace) ** 2 for trace in traces)
    within = sum((value - mean) ** 2 for _, value in calls)
    most = sum(sum(one == trace for one, _ in calls) ** 2 for trace in traces) / len(calls)
    if len(traces) == len(calls):
        expected = 1.0
    elif within < 1e-9:
        expected = most
    else:
        expected = min(max(1.0, between / within * (1 + math.sqrt(2 / len(traces)))), most)
    assert clustered(calls).design_effect == pytest.approx(expected)


@given(CALLS, st.integers(0, 5))
def test_clusterings_of_parts_add_up(calls: list[tuple[int, int]], border: int) -> None:
    parts = [[call for call in calls if (call[0] < border) is below] for below in (True, False)]
    result = Clustering()
    for part in parts:
        result = result.added(clustered(part)) if part else result
    assert result == clustered(calls)


def test_durations_are_compared_by_their_ratio() -> None:
    steps = log_durations(np.array([2**20, 2**21, 2**23, 0, 2**62], np.int64))
    assert steps.tolist() == [0, 16, 48, -320, 672]
