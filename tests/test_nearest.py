"""The one of several spans in whose time a moment lies, and workloads that are the same, against looking at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import builder
from traceviz.nearest import Nearest
from traceviz.workloads import same

times = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=12)


@given(times, st.integers(0, 20))
@settings(max_examples=500, deadline=None)
def test_a_moment_lies_in_the_time_of_the_one_that_started_last_else_nearest_to_one(
    some: list[tuple[int, int]], when: int
) -> None:
    start, end = [begin for begin, _ in some], [begin + lasting for begin, lasting in some]

    def closeness(row: int) -> tuple[bool, int, int]:
        return not start[row] <= when <= end[row], abs(when - start[row]), row

    rows = range(len(some))
    assert Nearest(rows, start, end).at(when) == min(rows, key=closeness, default=-1)
    for asking in (row for row in rows if start[row] == when):
        others = [row for row in rows if row != asking]
        assert Nearest(rows, start, end).at(when, but=asking) == min(others, key=closeness, default=-1)


names = st.sampled_from(("", "a", "a.x", "a.y", "a.x.z", "b", "b.x"))
pods = st.sampled_from(("", "a-v1-5f7c8b7d9-x2x4z", "a-v2-5f7c8b7d9-x2x4z", "b-5f7c8b7d9-x2x4z"))
workloads = st.tuples(names, st.sampled_from(("", "a", "b")), st.sampled_from(("", "x", "y")), pods)


@given(st.lists(workloads, min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_kin_are_all_keys_that_are_the_same_workload(some: list[tuple[str, str, str, str]]) -> None:
    forest = builder.forest(
        *(
            builder.span(f"{number:x}", service=service, canonical=canonical, namespace=namespace, pod=pod)
            for number, (service, canonical, namespace, pod) in enumerate(some, 1)
        )
    )
    known = forest.workloads
    for one, key in enumerate(known.keys):
        assert known.kin(one) == [other for other, its in enumerate(known.keys) if same(key, its)]
