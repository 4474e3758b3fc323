"""Windows of time: their parts hold every instant once, are shorter, and never shorter than need be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from traceviz.asking.windows import (
    SHORTEST_NS,
    Window,
    common,
    cut_above,
    joined,
    quarters,
    split,
    without,
)

DAY_NS = 86_400 * 10**9
INSTANTS = st.integers(0, 10**7) | st.integers(0, DAY_NS)
WINDOWS = st.tuples(INSTANTS, INSTANTS).map(sorted).map(lambda ends: Window(*ends))
SETS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(lambda ends: Window(*ends)))


def instants(windows: list[Window]) -> set[int]:
    return {instant for window in windows for instant in range(window.from_ns, window.to_ns)}


def follow_one_another(parts: list[Window], window: Window) -> bool:
    """Whether these are a window in parts, the newest first."""
    ends = [part.to_ns for part in parts]
    return ends == [window.to_ns, *(part.from_ns for part in parts[:-1])] and parts[-1].from_ns == window.from_ns


@given(WINDOWS, st.lists(st.integers(0, 2 * DAY_NS), min_size=1, max_size=50))
def test_a_full_window_is_split_into_shorter_ones_down_to_a_millisecond(window: Window, starts: list[int]) -> None:
    parts = split(window, np.array(starts))
    assert bool(parts) == (window.length_ns > SHORTEST_NS)
    if parts:
        assert follow_one_another(parts, window)
        assert all(0 < part.length_ns < window.length_ns for part in parts)
        assert all(part.from_ns % SHORTEST_NS == 0 for part in parts[:-1])
        assert len(parts) <= 260


@given(st.integers(0, DAY_NS), st.integers(0, DAY_NS - 1))
def test_a_burst_is_closed_in_by_few_splits_wherever_it_is(length_ns: int, start_ns: int) -> None:
    window = Window(0, max(length_ns, 1))
    splits = 0
    while parts := split(window, np.array([start_ns] * 10)):
        splits += 1
        inside = [part for part in parts if part.from_ns <= start_ns < part.to_ns]
        window = inside[0] if inside else parts[0]
    assert splits <= 40


def test_even_traffic_is_split_into_parts_that_have_room() -> None:
    # A page of the newest 100 traces of 1,000 took the last tenth of the window.
    hour_ns = 3600 * 10**9
    parts = split(Window(0, hour_ns), np.linspace(0.9 * hour_ns, hour_ns, 100).astype(np.int64))
    longest_ns = max(part.length_ns for part in parts)
    assert hour_ns / 30 < longest_ns < hour_ns / 10


@given(WINDOWS)
def test_quarters_are_four_or_none(window: Window) -> None:
    parts = quarters(window)
    assert len(parts) in (0, 4)
    assert not parts or follow_one_another(parts, window)
    assert bool(parts) == (window.length_ns >= 4 * SHORTEST_NS)


@given(WINDOWS, st.integers(0, DAY_NS))
def test_what_is_cut_off_above_is_later_than_the_millisecond(window: Window, start_ns: int) -> None:
    later, rest = cut_above(window, start_ns)
    if later is None:
        assert rest == window
    else:
        assert follow_one_another([later, rest], window)
        assert start_ns < later.from_ns <= start_ns + SHORTEST_NS


@given(SETS, SETS)
def test_sets_of_windows_are_sets_of_instants(some: list[Window], others: list[Window]) -> None:
    assert instants(joined(some)) == instants(some)
    assert all(a.to_ns < b.from_ns for a, b in zip(joined(some), joined(some)[1:], strict=False))
    assert instants(common([some, others])) == instants(some) & instants(others)
    whole = Window(5, 25)
    rest = without(whole, some)
    assert instants(rest) == instants([whole]) - instants(some)
    assert rest == sorted(rest, reverse=True)
    assert common([]) == []
