"""The critical path: each case drawn, then compared with a slow reference on ten thousand random traces."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import traceviz
from tests import waiting
from tests.builder import BEGIN_NS, Row, forest, in_trace, outbound, span
from tests.conftest import SHARED
from traceviz.analyze.critical import Sections, critical_path
from traceviz.analyze.self_time import self_times
from traceviz.building import SpansBuilder
from traceviz.reconstruct import Forest, reconstruct
from traceviz.spans import Kind

Path = list[tuple[str, float, float]]


def path(*rows: Row) -> Path:
    """The sections as (name of the span, from and to in ms since the beginning), in their order."""
    return named(forest(*rows))


def named(tree: Forest) -> Path:
    found = critical_path(tree)
    columns = (found.row.tolist(), found.start_ns.tolist(), found.end_ns.tolist())
    return [
        (name(tree, row), (start - BEGIN_NS) / 1e6, (end - BEGIN_NS) / 1e6)
        for row, start, end in zip(*columns, strict=True)
    ]


def name(tree: Forest, row: int) -> str:
    return int(tree.spans.span_id[row]).to_bytes(8, "big").rstrip(b"\0").decode()


# Cases


def test_a_span_alone_is_its_own_critical_path() -> None:
    """
    a ├──────────┤
      ════════════
    """
    assert path(span("a", ms=10)) == [("a", 0, 10)]


def test_a_child_takes_its_time_out_of_its_parents() -> None:
    """
    a ├──────────────────┤
    b     ├──────┤
      ════        ════════  a
          ════════          b
    """
    assert path(span("a", ms=10), span("b", "a", start=2, ms=4)) == [("a", 0, 2), ("b", 2, 6), ("a", 6, 10)]


def test_of_children_side_by_side_only_the_one_that_ends_last_was_waited_for() -> None:
    """
    a ├──────────────────┤
    b   ├────────┤
    c     ├─────────┤
    """
    rows = (span("a", ms=10), span("b", "a", start=1, ms=5), span("c", "a", start=2, ms=6))
    assert path(*rows) == [("a", 0, 2), ("c", 2, 8), ("a", 8, 10)]


def test_children_behind_each_other_were_all_waited_for() -> None:
    """
    a ├────────────────────┤
    b   ├────┤
    c           ├─────┤
    """
    rows = (span("a", ms=10), span("b", "a", start=1, ms=3), span("c", "a", start=5, ms=3))
    assert path(*rows) == [("a", 0, 1), ("b", 1, 4), ("a", 4, 5), ("c", 5, 8), ("a", 8, 10)]


def test_a_child_that_ends_when_the_next_one_starts_was_not_waited_for() -> None:
    """
    a ├───────────────┤
    b   ├────┤
    c        ├────┤        b does not end before c starts
    """
    rows = (span("a", ms=10), span("b", "a", start=1, ms=4), span("c", "a", start=5, ms=3))
    assert path(*rows) == [("a", 0, 5), ("c", 5, 8), ("a", 8, 10)]


def test_of_children_that_end_together_the_one_that_began_first_was_waited_for() -> None:
    """
    a ├──────────────────┤
    b   ├────────┤
    c      ├─────┤
    """
    rows = (span("a", ms=10), span("c", "a", start=3, ms=4), span("b", "a", start=1, ms=6))
    assert path(*rows) == [("a", 0, 1), ("b", 1, 7), ("a", 7, 10)]


def test_what_a_child_does_after_its_parent_ended_counts_for_nobody() -> None:
    """
    a ├────────┤
    b     ├────────┤
    c            ├─┤       within b, but after a
    """
    rows = (span("a", ms=10), span("b", "a", start=4, ms=10), span("c", "b", start=11, ms=2))
    assert path(*rows) == [("a", 0, 4), ("b", 4, 10)]


def test_what_a_child_did_before_its_parent_began_counts_for_nobody() -> None:
    """
    a     ├────────┤
    b   ├────┤
    """
    assert path(span("a", start=5, ms=10), span("b", "a", start=2, ms=6)) == [("b", 5, 8), ("a", 8, 15)]


def test_a_child_around_its_parent_is_all_of_its_time() -> None:
    """
    a     ├────┤
    b  ├──────────┤
    """
    assert path(span("a", start=5, ms=5), span("b", "a", start=2, ms=20)) == [("b", 5, 10)]


@pytest.mark.parametrize("start", [-5, -3, 10, 12])
def test_a_child_outside_of_its_parents_time_is_left_out_with_all_beneath(start: float) -> None:
    """
    a         ├────────┤
    b   ├─┤                or     ├─┤
    c         ├────────┤          inside of a, but beneath b
    """
    rows = (span("a", ms=10), span("b", "a", start=start, ms=3 if start < -3 else 2), span("c", "b", ms=10))
    assert path(*rows) == [("a", 0, 10)]


def test_a_child_that_ends_where_its_parent_begins_is_left_out() -> None:
    """
    a         ├────────┤
    b    ├────┤
    """
    assert path(span("a", ms=10), span("b", "a", start=-3, ms=3)) == [("a", 0, 10)]


def test_grandchildren_are_cut_to_what_is_left_of_their_parent() -> None:
    """
    a ├──────────┤
    b      ├───────────────┤
    c        ├─────────────┤
    """
    rows = (span("a", ms=10), span("b", "a", start=4, ms=20), span("c", "b", start=6, ms=18))
    assert path(*rows) == [("a", 0, 4), ("b", 4, 6), ("c", 6, 10)]


def test_a_span_wholly_covered_by_its_child_has_no_section() -> None:
    """
    a ├────────┤
    b ├────────┤
    """
    assert path(span("a", ms=10), span("b", "a", ms=10)) == [("b", 0, 10)]


def test_a_span_that_takes_no_time_has_no_section_and_parts_nothing_before_it() -> None:
    """
    a ├──────────┤
    b   ├──┤
    c        ·
    """
    rows = (span("a", ms=10), span("b", "a", start=1, ms=3), span("c", "a", start=6, ms=0))
    assert path(*rows) == [("a", 0, 1), ("b", 1, 4), ("a", 4, 6), ("a", 6, 10)]
    assert path(span("a", ms=0), span("b", "a", ms=0)) == []


def test_a_consumer_beneath_its_producer_is_nobodys_wait_with_all_beneath() -> None:
    """
    a ├──────────────┤
    p   ├──────┤            producer
    c     ├──┤              consumer
    d     ├──┤              beneath it
    """
    kinds = {"p": "producer", "c": "consumer"}
    rows = [
        span("a", ms=10),
        span("p", "a", start=1, ms=6, kind=kinds["p"]),
        span("c", "p", start=2, ms=3, kind=kinds["c"]),
        span("d", "c", start=2, ms=3, service="other"),
    ]
    assert path(*rows) == [("a", 0, 1), ("p", 1, 7), ("a", 7, 10)]
    # A consumer beneath anything else is a child like others.
    rows[2] = span("c", "a", start=2, ms=7, kind="consumer")
    assert path(*rows[:3]) == [("a", 0, 2), ("c", 2, 9), ("a", 9, 10)]


def test_every_root_has_a_path_of_its_own_and_every_trace() -> None:
    """
    a ├──────┤                 a trace
    o           ├───┤          an orphan in it
    a ├──────┤                 another trace
    """
    rows = [span("a", ms=5), span("o", "gone", start=7, ms=2)]
    assert path(*rows) == [("a", 0, 5), ("o", 7, 9)]
    tree = forest(*in_trace("t2", span("b", ms=3), span("c", "b", start=1, ms=1)), *in_trace("t1", *rows))
    assert named(tree) == [("a", 0, 5), ("o", 7, 9), ("b", 0, 1), ("c", 1, 2), ("b", 2, 3)]


def test_duplicates_have_no_part_in_it() -> None:
    rows = [span("a", ms=10), span("b", "a", start=2, ms=3)]
    assert path(*rows, *rows) == path(*rows)


def test_a_circle_is_cut_and_has_a_path() -> None:
    rows = [span("a", "b", ms=10), span("b", "a", start=1, ms=3)]
    assert path(*rows) == [("a", 0, 1), ("b", 1, 4), ("a", 4, 10)]


def test_a_clock_that_is_off_is_corrected_first() -> None:
    """
    a ├──────────┤
    b                   ├────┤    the callee's clock is 20 ms ahead; it is drawn in the middle of the caller's time
    """
    rows = [outbound("a", "", "front", "back", ms=10), span("b", "a", service="back", kind="server", start=20, ms=4)]
    assert path(*rows) == [("a", 0, 3), ("b", 3, 7), ("a", 7, 10)]


def test_a_recorded_trace_with_children_longer_than_their_parent() -> None:
    """
    100        115   125      140           200          300         400          500
    send ├──────────────────────┤
    short child  ├─────┤
    async task 1                               ├──────────────────────────────────┤
    async task 2                                           ├───────────┤
    """
    recorded = SHARED / "data/public/jaeger/jaegerui_overlapping_children_longer_than_parent.json.gz"
    tree = traceviz.load(str(recorded))
    found = critical_path(tree)
    names = [tree.spans.texts[code] for code in tree.spans.operation[found.row].tolist()]
    us = [
        (start // 1000, end // 1000) for start, end in zip(found.start_ns.tolist(), found.end_ns.tolist(), strict=True)
    ]
    assert list(zip(names, us, strict=True)) == [
        ("send", (100, 115)),
        ("short child span", (115, 125)),
        ("send", (125, 140)),
    ]
    own = dict(
        zip((tree.spans.texts[code] for code in tree.spans.operation.tolist()), self_times(tree).tolist(), strict=True)
    )
    # The tasks begin after the sender has ended: they take nothing from its time.
    assert own == {"send": 30_000, "short child span": 10_000, "async task 1": 300_000, "async task 2": 100_000}


# Compared with a slow and obvious reference, which knows nothing of traceviz


def plain(tree: Forest) -> list[list[waiting.Plain]]:
    """The spans of each trace that have a place, with times in half ms: clocks may be corrected by a half."""
    begun = 2 * (tree.spans.start_ns + tree.shift_ns - BEGIN_NS) // 1_000_000
    ended = begun + 2 * tree.spans.duration_ns // 1_000_000
    traces: list[list[waiting.Plain]] = [[] for _ in tree.spans.trace_ids]
    for row in np.flatnonzero(~tree.duplicate).tolist():
        traces[tree.spans.trace[row]].append(
            {
                "id": row,
                "parent": int(tree.parent[row]) if tree.parent[row] >= 0 else None,
                "kind": Kind(tree.spans.kind[row]).name.lower(),
                "start": int(begun[row]),
                "end": int(ended[row]),
            }
        )
    return traces


def random_rows(rng: random.Random, trace: str) -> list[Row]:
    """A trace; times are few, so that many of them are equal, and children lie as they like."""
    kinds = ["unset", "unset", "client", "server", "producer", "consumer"]
    rows = []
    for number in range(rng.randint(1, 14)):
        above = "" if number == 0 or rng.random() < 0.1 else f"s{rng.randrange(number)}"
        above = "gone" if rng.random() < 0.03 else above
        rows.append(
            span(
                f"s{number}",
                above,
                trace=trace,
                kind=rng.choice(kinds),
                service=rng.choice(("a", "b")),
                start=rng.randint(0, 12),
                ms=rng.choice((0, 1, 2, 3, 5, 8, 12, 20)),
            )
        )
    return rows


def test_critical_path_and_self_time_equal_the_reference_on_ten_thousand_random_traces() -> None:
    rng = random.Random(5)
    sections = waited = skewed = 0
    for batch in range(50):
        tree = forest(*(row for number in range(200) for row in random_rows(rng, f"t{number}")))
        found, own = critical_path(tree), self_times(tree)
        begun, ended = (2 * (times - BEGIN_NS) // 1_000_000 for times in (found.start_ns, found.end_ns))
        sections_of: list[list[waiting.Section]] = [[] for _ in tree.spans.trace_ids]
        for section in zip(found.row.tolist(), begun.tolist(), ended.tolist(), strict=True):
            sections_of[tree.spans.trace[section[0]]].append(section)
        for trace, (spans, got) in enumerate(zip(plain(tree), sections_of, strict=True)):
            assert sorted(got) == sorted(waiting.critical_path(spans)), (batch, trace)
            lengths = {span["id"]: int(2 * own[span["id"]] // 1_000_000) for span in spans}
            assert lengths == waiting.self_times(spans), (batch, trace)
        whole(tree, found)
        sections += len(found)
        waited += int((own < tree.spans.duration_ns).sum())
        skewed += int((tree.shift_ns != 0).sum())
    assert sections > 20_000
    assert waited > 10_000
    assert skewed > 1_000


def whole(tree: Forest, found: Sections) -> None:
    """The sections of each root follow each other without a gap from its start to its end."""
    sections: dict[int, list[tuple[int, int]]] = {}
    for root, start, end in zip(tree.root[found.row].tolist(), *map(list, (found.start_ns, found.end_ns)), strict=True):
        sections.setdefault(root, []).append((start, end))
    for row in np.flatnonzero((tree.parent < 0) & ~tree.duplicate).tolist():
        begun = int(tree.spans.start_ns[row] + tree.shift_ns[row])
        ends = [begun, *(end for _, end in sections.get(row, []))]
        assert [start for start, _ in sections.get(row, [])] == ends[:-1]
        assert ends[-1] == begun + int(tree.spans.duration_ns[row])


@pytest.mark.parametrize("shape", ["chain", "fan", "row"])
def test_a_hundred_thousand_spans_take_no_more_than_seconds(shape: str) -> None:
    """Each in the one before, all beside each other, and all behind each other."""
    size = 100_000
    builder = SpansBuilder()
    for i in range(size):
        start, duration = {
            "chain": (i, 2 * (size - i)),
            "fan": (i, 2 * (size - i)) if i else (0, 4 * size),
            "row": (10 * i, 5) if i else (0, 10 * size),
        }[shape]
        above = 0 if i == 0 else i if shape == "chain" else 1
        builder.add("0" * 31 + "1", i + 1, above, BEGIN_NS + start, duration, "app", "op")
    tree = reconstruct(builder.build())
    begun = time.process_time()
    found = critical_path(tree)
    own = self_times(tree)
    assert time.process_time() - begun < 5
    whole(tree, found)
    assert (own >= 0).all()
    assert len(found) == {"chain": 2 * size - 1, "fan": 3, "row": 2 * (size - 1) + 1}[shape]


# Self time


def test_self_time_is_what_no_child_covers_however_they_overlap() -> None:
    """
    a ├──────────────────┤
    b   ├────┤
    c      ├─────┤
    d                  ├──────┤   counts up to the end of a
    """
    rows = (
        span("a", ms=20),
        span("b", "a", start=2, ms=5),
        span("c", "a", start=5, ms=6),
        span("d", "a", start=18, ms=9),
    )
    tree = forest(*rows)
    assert {name(tree, i): ns / 1e6 for i, ns in enumerate(self_times(tree).tolist())} == {
        "a": 9,
        "b": 5,
        "c": 6,
        "d": 9,
    }


def test_a_consumer_takes_no_time_from_whoever_produced() -> None:
    tree = forest(span("p", ms=10, kind="producer"), span("c", "p", start=1, ms=8, kind="consumer", service="other"))
    assert self_times(tree).tolist() == [10_000_000, 8_000_000]
