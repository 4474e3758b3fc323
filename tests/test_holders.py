"""Who held the time before a deadline, against the rule as it is said."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from traceviz.analyze.holders import holders


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """The call above, the beginning and the end of up to thirty calls: chains, fans and what is between."""
    size = draw(st.integers(1, 30))
    nearest = draw(st.sampled_from((1, 2, 5, 30)))
    up = [draw(st.integers(max(-1, own - nearest), own - 1)) for own in range(size)]
    longest = draw(st.sampled_from((3, 40, 1000)))
    moments = st.integers(0, longest)
    begin = [draw(moments) for _ in range(size)]
    if draw(st.booleans()):  # nested, as in healthy traces
        for own in range(size):
            begin[own] += begin[up[own]] if up[own] >= 0 else 0
    end = [start + draw(moments) * draw(st.sampled_from((1, 1, 10))) for start in begin]
    return up, begin, end


def walked(up: list[int], begin: list[int], end: list[int], call: int) -> int:
    """Down into the call that covers more than half of its caller's time before the deadline, and most of it."""
    deadline = end[call]
    while True:
        best, covered = call, (deadline - begin[call]) // 2
        for child in [own for own, above in enumerate(up) if above == call]:
            covers = min(end[child], deadline) - max(begin[child], begin[call])
            if covers > covered:
                best, covered = child, covers
        if best == call:
            return call
        call = best


@given(calls())
@example(([-1, 0, 0], [0, 1, 0], [3, 3, 2]))  # both calls cover 2 of 3, and the first of them started later
@settings(max_examples=500, deadline=None)
def test_the_holder_of_every_deadline_is_the_one_that_the_rule_comes_to(
    some: tuple[list[int], list[int], list[int]],
) -> None:
    up, begin, end = some
    found = holders(*(np.array(column, np.int64) for column in some), np.arange(len(up)))
    assert found.tolist() == [walked(up, begin, end, call) for call in range(len(up))]


def test_deadlines_of_one_chain_end_at_different_places() -> None:
    #     0 ───────────────────────────────────── 100
    #     1  ──────────────────────────────── 98
    #     2                ───────────────────── 99       more than half of the time of both
    #     3                           ────────── 99       more than half of 2's time before 99, just half before 100
    up, begin, end = ([-1, 0, 1, 2], [0, 1, 40, 69], [100, 98, 99, 99])
    found = holders(*(np.array(column, np.int64) for column in (up, begin, end)), np.arange(4))
    assert found.tolist() == [2, 2, 3, 3]


def test_at_the_end_of_time_nothing_overflows() -> None:
    last = 2**63 - 1
    up, begin, end = np.array([-1, 0, 1]), np.array([0, 1, last - 5]), np.array([last, last, last])
    assert holders(up, begin, end, np.array([0, 1, 2])).tolist() == [1, 1, 2]
