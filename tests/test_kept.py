"""Too many names: which of them are counted by themselves, and that no split into batches changes it."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.builder import Row, forest, gateway, in_trace, inbound
from traceviz.analyze.conditions import (
    MOST_VALUES,
    OTHER_VALUES,
    TraitKey,
    Values,
    add_values,
    bounded_values,
    merge_traits,
)
from traceviz.analyze.kept import kept
from traceviz.analyze.report import report
from traceviz.parties import Party

names = st.sets(st.text(max_size=4) | st.sampled_from(["\ud800", "pod-1", "pod-2", "buy"]), max_size=12)


@given(names, names, st.integers(0, 8))
def test_what_is_kept_of_two_sets_together_was_kept_of_each(one: set[str], other: set[str], most: int) -> None:
    assert kept(one | other, most) == kept(kept(one, most) | kept(other, most), most)
    assert len(kept(one, most)) == min(most, len(one))


def test_names_without_a_digit_go_before_those_that_hold_ids() -> None:
    assert kept({"GET /cart", "pay", *(f"visit {number}" for number in range(100))}, 2) == {"GET /cart", "pay"}


def test_values_of_any_batches_add_up_to_the_same_ones() -> None:
    chance = random.Random(7)
    key = TraitKey(None, Party("workload", "shop"), "callee", "operation")
    calls = [(f"visit x{chance.randrange(3 * MOST_VALUES)}", chance.random() < 0.3) for _ in range(5000)]
    whole: Values = {}
    for value, well in calls:
        add_values(whole, {value: [1 - well, int(well)]})
    expected = bounded_values(whole)
    for batches in (2, 7, 40):
        merged: dict[TraitKey, Values] = {}
        parts: list[Values] = [{} for _ in range(batches)]
        for value, well in calls:
            add_values(chance.choice(parts), {value: [1 - well, int(well)]})
        for part in parts:
            merge_traits(merged, {key: bounded_values(part)})
        assert merged[key] == expected
    assert len(expected) == MOST_VALUES + 1
    alone = Counter(value for value, _ in calls)
    assert all(sum(counts) == alone[value] for value, counts in expected.items() if value != OTHER_VALUES)
    assert sum(map(sum, expected.values())) == 5000


def test_a_pod_that_is_counted_with_others_is_never_said_and_that_is_noted() -> None:
    few = report(forest(*pods(20))).errors()
    assert few["failing_hops"][0]["concentrated_in"]["pod"] == {"value": "shop-3", "share": 1.0}
    assert "values-cut" not in {note["code"] for note in few["notes"]}
    many = report(forest(*pods(MOST_VALUES + 20))).errors()
    said = many["failing_hops"][0]["concentrated_in"].get("pod")
    assert said in (None, {"value": "shop-3", "share": 1.0})
    note = next(note for note in many["notes"] if note["code"] == "values-cut")
    assert (note["count"], note["examples"]) == (1, ["shop"])


def pods(number: int) -> list[Row]:
    """Calls of a gateway to so many pods of a shop, of which one fails, more often than the others are called."""
    rows: list[Row] = []
    for call in range(number + 10):
        pod = call if call < number else 3
        failed = {"status": "500"} if pod == 3 else {}
        half = inbound("i", "g", "shop", pod=f"shop-{pod}", **failed)
        rows += in_trace(f"t{call}", gateway("g", "shop", **failed), half)
    return rows
