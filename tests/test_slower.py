"""How far calls became slower, and at which end of several ways it lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceviz.analyze.culprits import Way, culprits
from traceviz.analyze.sketch import EXACT, Sketch
from traceviz.analyze.slower import slower

MS = 1_000_000


def sketch(*ms: float) -> Sketch:
    return Sketch(np.array([round(one * MS) for one in ms], np.int64))


def test_three_calls_that_are_all_slower_than_eight_before_are_worth_so_much() -> None:
    found = slower(sketch(*[2, 2.5, 2.6, 2.7, 2.5, 2.6, 2.7, 2.8]), sketch(70, 80, 90), 0)
    assert found is not None
    assert (found.beyond, found.beyond_before) == (3, 0)
    assert found.share == pytest.approx(3 / 4 - 1 / 9)
    assert found.times == pytest.approx(80 / 2.6)
    assert found.strength == pytest.approx(found.share * np.log2(80 / 2.6))


def test_more_calls_prove_more() -> None:
    few, many = (slower(sketch(*[10] * n), sketch(*[100] * n), 0) for n in (3, 300))
    assert few is not None
    assert many is not None
    assert few.share < 0.6
    assert many.share > 0.99


def test_one_call_against_one_proves_nothing() -> None:
    assert slower(sketch(10), sketch(1000), 0) is None


def test_what_was_slow_at_times_before_and_is_now_is_not_slower() -> None:
    usual = [10] * 80 + [500] * 20
    assert slower(sketch(*usual), sketch(*usual), 0) is None
    shaken = slower(sketch(*usual), sketch(*[10] * 78, *[500] * 22), 0)
    assert shaken is None or shaken.share < 0.03


def test_less_than_half_as_long_again_is_not_slower() -> None:
    assert slower(sketch(*[10] * 50), sketch(*[14.9] * 50), 0) is None
    assert slower(sketch(*[10] * 50), sketch(*[15.1] * 50), 0) is not None


def test_what_nobody_notices_is_not_slower() -> None:
    assert slower(sketch(*[0.1] * 50), sketch(*[0.5] * 50), 1 * MS) is None
    assert slower(sketch(*[0.1] * 50), sketch(*[1.2] * 50), 1 * MS) is not None


def test_without_calls_on_either_side_there_is_nothing_to_say() -> None:
    assert slower(Sketch(), sketch(1), 0) is None
    assert slower(sketch(1), Sketch(), 0) is None


def test_more_calls_than_are_kept_exactly_are_judged_by_buckets() -> None:
    before, now = sketch(*[10] * (EXACT + 1)), sketch(*[10] * 6000, *[40] * 6000)
    found = slower(before, now, 0)
    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.01)
    assert found.times == pytest.approx(4, rel=0.03)


samples = st.lists(st.integers(0, 10**12), min_size=1, max_size=30)


@given(samples, samples, st.integers(0, 10**9))
def test_it_is_what_a_search_over_all_limits_finds(before: list[int], now: list[int], least: int) -> None:
    typical = sorted(before)[-(-len(before) // 2) - 1]
    limit = max(1.5 * typical, typical + least)

    def share(beyond: float) -> float:
        return sum(one > beyond for one in now) / (len(now) + 1) - (sum(one > beyond for one in before) + 1) / (
            len(before) + 1
        )

    best = max(share(one) for one in [limit, *(one for one in (*before, *now) if one > limit)])
    found = slower(Sketch(np.array(before)), Sketch(np.array(now)), least)
    assert (0.0 if found is None else found.share) == pytest.approx(max(best, 0.0))


# Ways


def test_a_way_alone_is_the_callees() -> None:
    assert culprits({Way("front", "cart"): 5.0}) == {Way("front", "cart"): "cart"}


def test_what_all_ways_of_a_caller_have_in_common_is_the_caller() -> None:
    ways = {Way("front", callee): 5.0 for callee in ("cart", "ads", "stock")} | {Way("stock", "rates"): 0.0}
    assert set(culprits(ways).values()) == {"front"}


def test_what_all_callers_see_is_the_callees() -> None:
    ways = {Way(caller, "cart"): 5.0 for caller in ("front", "app", "jobs")} | {Way("front", "ads"): 0.0}
    assert set(culprits(ways).values()) == {"cart"}


def test_a_callee_that_one_of_its_callers_reaches_as_before_is_not_to_blame_for_the_others_ways() -> None:
    ways = {
        Way("front", "cart"): 5.0,
        Way("front", "ads"): 5.0,
        **{Way(caller, callee): 0.0 for caller in ("app", "jobs") for callee in ("cart", "ads")},
    }
    assert set(culprits(ways).values()) == {"front"}


def test_a_workload_in_the_middle_has_the_ways_to_it_and_from_it() -> None:
    """front → stock → rates and stock → bank are slow; front → cart is not."""
    ways = {
        Way("front", "stock"): 5.0,
        Way("stock", "rates"): 5.0,
        Way("stock", "bank"): 5.0,
        Way("front", "cart"): 0.0,
    }
    assert set(culprits(ways).values()) == {"stock"}


def test_who_calls_itself_is_at_both_ends_of_that_way_once() -> None:
    assert culprits({Way("web", "web"): 5.0}) == {Way("web", "web"): "web"}
    ways = {Way("web", "web"): 5.0, Way("web", "db"): 0.0, Way("front", "web"): 5.0}
    assert set(culprits(ways).values()) == {"web"}


def test_of_more_troubles_than_are_told_apart_the_rest_is_the_callees() -> None:
    ways = {Way(f"a{n}", f"b{n}"): 1.0 + n for n in range(1000)}
    assert culprits(ways) == {way: way.callee for way in ways}


def test_two_troubles_have_two_ends() -> None:
    ways = {Way("front", "cart"): 5.0, Way("app", "rates"): 0.5, Way("front", "ads"): 0.0, Way("app", "bank"): 0.0}
    assert culprits(ways) == {Way("front", "cart"): "cart", Way("app", "rates"): "rates"}


def test_ways_that_stayed_as_they_were_are_nobodys() -> None:
    assert culprits({Way("a", "b"): 0.0}) == {}
    assert culprits({}) == {}
