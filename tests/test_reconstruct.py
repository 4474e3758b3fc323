"""Every ugly case of reconstruction, under the name of the function that answers it."""

from __future__ import annotations

import numpy as np
import pytest

from tests import builder
from tests.builder import attempt, forest, gateway, in_trace, inbound, outbound, parents, span
from tests.conftest import CASES, FORMATS, MESH
from traceviz import Forest
from traceviz.reconstruct import depths, reconstruct
from traceviz.roles import Role
from traceviz.sources.files import read_files
from traceviz.spans import concat


def test_canonical_order_does_not_depend_on_the_order_reported() -> None:
    rows = [
        gateway("a", "shop", ms=30),
        inbound("b", "a", "shop", start=1, ms=20),
        outbound("c", "b", "shop", "db", start=2, ms=5),
        outbound("d", "b", "shop", "db", start=2, ms=5),
    ]
    one, other = forest(*rows), forest(*reversed(rows))
    assert one.spans.span_id.tolist() == other.spans.span_id.tolist()
    assert one.parent.tolist() == other.parent.tolist()


def test_mark_duplicates_sets_a_span_reported_twice_aside() -> None:
    tree = forest(gateway("a", "shop"), inbound("b", "a", "shop"), inbound("b", "a", "shop"))
    assert tree.duplicate.sum() == 1
    assert tree.notes.count("duplicate-spans") == 1
    assert parents(tree) == {"a": "", "b": "a"}


def test_mark_duplicates_leaves_different_calls_with_one_id_kind_and_service_alone() -> None:
    tree = forest(
        gateway("a", "shop", ms=50),
        inbound("b", "a", "shop", start=1, ms=40, kind="client"),
        outbound("b", "b", "shop", "cart", start=5, ms=5, kind="server", shared=True),
        outbound("b", "b", "shop", "stock", start=15, ms=5, kind="server", shared=True),
    )
    assert tree.duplicate.sum() == 0
    assert (tree.role == Role.CALLER).sum() == 3


def test_mark_differing_duplicates_keeps_the_longest_report() -> None:
    tree = forest(span("a", ms=50), span("b", "a", ms=1), span("b", "a", ms=20, error=True))
    kept = ~tree.duplicate
    assert tree.notes.count("differing-duplicates") == 1
    assert sorted(tree.spans.duration_ns[kept].tolist()) == [20_000_000, 50_000_000]


def test_link_parents_keeps_an_orphan_as_a_root_and_says_so() -> None:
    tree = forest(gateway("a", "shop", ms=30), inbound("c", "b", "cart", start=5))
    assert parents(tree) == {"a": "", "c": ""}
    assert tree.orphan.tolist() == [False, True]
    assert tree.notes.count("missing-parents") == 1
    assert tree.notes.documents()[0]["examples"] == [builder.trace_id("t")]


def test_link_parents_takes_no_parent_from_another_trace() -> None:
    tree = forest(span("a", trace="one"), span("b", "a", trace="two"))
    assert parents(tree) == {"a": "", "b": ""}
    assert tree.orphan.sum() == 1


def test_split_shared_ids_hangs_the_callee_under_its_caller_and_its_children_under_the_callee() -> None:
    tree = forest(
        gateway("a", "shop", ms=30),
        inbound("a", "", "shop", start=1, ms=28, shared=True),
        outbound("b", "a", "shop", "cart", start=5, ms=10),
        inbound("b", "a", "cart", start=6, ms=8, shared=True),
    )
    assert tree.notes.count("shared-span-ids") == 2
    assert tree.depth.tolist() == [0, 1, 2, 3]
    assert tree.role.tolist() == [Role.CALLER, Role.CALLEE, Role.CALLER, Role.CALLEE]


def test_split_shared_ids_makes_several_callee_halves_of_one_id_attempts_of_one_call() -> None:
    tree = forest(
        gateway("a", "shop", ms=60),
        inbound("a", "", "shop", start=1, ms=10, shared=True, status="503", error=True),
        inbound("a", "", "shop", start=20, ms=10, shared=True),
        outbound("b", "a", "shop", "cart", start=2, ms=5),
        outbound("c", "a", "shop", "cart", start=22, ms=5),
    )
    first, second = np.flatnonzero(tree.role == Role.CALLEE)
    assert tree.parent[[first, second]].tolist() == [0, 0]
    inner = np.flatnonzero(tree.depth == 2)
    assert tree.parent[inner].tolist() == [first, second]


def test_settle_undecided_takes_a_404_nr_below_its_own_workload_as_the_callers_half() -> None:
    tree = forest(
        gateway("a", "shop", ms=30),
        inbound("b", "a", "shop", start=1, ms=28),
        outbound("c", "b", "shop", "reviews", start=3, ms=1, cluster="", operation="reviews", status="404", flags="NR"),
        inbound(
            "d",
            "a",
            "shop",
            start=1,
            ms=2,
            cluster="",
            status="403",
            flags="UAEX",
            service="other.default",
            canonical="other",
        ),
    )
    role = dict(zip([row.decode() for row in _names(tree)], tree.role.tolist(), strict=True))
    assert role["c"] == Role.CALLER
    assert role["d"] == Role.CALLEE


def test_settle_undecided_takes_a_root_that_was_sent_to_its_own_workload_as_received() -> None:
    sent = {"cluster": "", "operation": "shop.default.svc.cluster.local:80/*", "kind": "server"}
    tree = forest(inbound("a", "", "shop", **sent), inbound("b", "", "cart", trace="u", **sent))
    assert tree.role.tolist() == [Role.CALLEE, Role.CALLER]


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_break_cycles_cuts_circles_of_any_length_at_the_earliest_span(length: int) -> None:
    names = [f"s{i}" for i in range(length)]
    rows = [span(name, names[i - 1], start=i) for i, name in enumerate(names)]
    tree = forest(*rows, span("below", names[-1], start=50))
    assert tree.notes.count("cycles") == 1
    assert parents(tree)["s0"] == ""
    assert tree.depth.max() == length


def test_undo_shared_id_repair_lifts_a_caller_half_out_of_its_sibling() -> None:
    tree = forest(
        inbound("in", "", "shop", ms=100),
        outbound("A", "in", "shop", "cart", start=5, ms=20, kind="server"),
        outbound("B", "A", "shop", "stock", start=40, ms=20, kind="server"),
        attempt("a", "A", "shop", "cart", start=6, ms=18),
        attempt("b", "A", "shop", "stock", start=41, ms=18),
    )
    assert parents(tree) == {"in": "", "A": "in", "B": "in", "a": "A", "b": "B"}
    assert tree.notes.count("shared-id-repair-undone") == 2


def test_undo_shared_id_repair_gives_attempts_of_one_cluster_to_the_call_in_whose_time_they_are() -> None:
    tree = forest(
        inbound("in", "", "shop", ms=100),
        outbound("A", "B", "shop", "cart", start=5, ms=20, kind="server"),
        outbound("B", "in", "shop", "cart", start=40, ms=20, kind="server"),
        attempt("a", "B", "shop", "cart", start=6, ms=18),
        attempt("b", "B", "shop", "cart", start=41, ms=18),
    )
    assert parents(tree) == {"in": "", "A": "in", "B": "in", "a": "A", "b": "B"}


def test_undo_shared_id_repair_shares_a_retried_callees_calls_out_by_time() -> None:
    tree = forest(
        outbound("call", "", "basket", "pricing", ms=100),
        inbound("last", "call", "pricing", start=60, ms=30),
        inbound("try1", "last", "pricing", start=2, ms=20, error=True, status="503"),
        outbound("c1", "last", "pricing", "rates", start=5, ms=10),
        outbound("c2", "last", "pricing", "rates", start=65, ms=10),
    )
    assert parents(tree) == {"call": "", "last": "call", "try1": "call", "c1": "try1", "c2": "last"}


def test_undo_shared_id_repair_leaves_healthy_traces_alone() -> None:
    tree = forest(
        gateway("a", "shop", ms=50),
        inbound("b", "a", "shop", start=1, ms=45),
        outbound("c", "b", "shop", "cart", start=5, ms=10),
        outbound("d", "b", "shop", "cart", start=5, ms=10),
    )
    assert parents(tree) == {"a": "", "b": "a", "c": "b", "d": "b"}
    assert tree.notes.count("shared-id-repair-undone") == 0


def test_note_skew_moves_a_callee_for_drawing_and_leaves_its_latency_alone() -> None:
    tree = forest(
        gateway("a", "shop", ms=30),
        inbound("b", "a", "shop", start=-20, ms=20),
        span("c", "b", service="shop", start=-15),
    )
    row = int(np.flatnonzero(tree.spans.span_id == builder.number("b"))[0])
    below = int(np.flatnonzero(tree.spans.span_id == builder.number("c"))[0])
    assert tree.notes.count("clock-skew") == 1
    assert tree.shift_ns[row] == 25_000_000
    assert tree.shift_ns[below] == 25_000_000
    assert tree.spans.duration_ns[row] == 20_000_000


def test_note_skew_finds_none_where_a_callee_outlives_a_caller_who_gave_up() -> None:
    tree = forest(gateway("a", "shop", ms=30, flags="UT", status="504"), inbound("b", "a", "shop", start=1, ms=90))
    assert tree.notes.count("clock-skew") == 0
    assert tree.notes.count("outliving-children") == 1


def test_note_several_roots_counts_the_trace_once() -> None:
    tree = forest(span("a"), span("b"), span("c"), span("x", trace="u"))
    assert tree.notes.count("several-roots") == 1


def test_order_visits_parents_before_children_and_siblings_by_start() -> None:
    tree = forest(span("a", ms=50), span("c", "a", start=20), span("b", "a", start=10), span("d", "b", start=11))
    assert [name.decode() for name in _names(tree, tree.order)] == ["a", "b", "d", "c"]


def test_a_chain_of_100_000_spans_needs_no_recursion() -> None:
    names = [f"{i:x}" for i in range(100_000)]
    tree = reconstruct(builder.spans(span(name, names[i - 1] if i else "", start=i) for i, name in enumerate(names)))
    assert tree.depth.max() == 99_999
    assert len(tree.order) == 100_000


def test_depths_of_a_forest_are_numbers_of_ancestors() -> None:
    depth, resolved = depths(np.array([-1, 0, 1, 1, 5, 4]))
    assert depth[:4].tolist() == [0, 1, 2, 2]
    assert resolved.tolist() == [True, True, True, True, False, False]


def test_every_trace_is_a_forest_of_its_own() -> None:
    rows = [span("a"), span("b", "a", start=1)]
    tree = forest(*in_trace("one", *rows), *in_trace("two", *rows))
    assert tree.spans.trace_ids == sorted(tree.spans.trace_ids)
    assert tree.parent.tolist() == [-1, 0, -1, 2]


@pytest.mark.parametrize("case", CASES)
def test_recorded_traces_have_one_tree_in_every_format(case: str) -> None:
    trees = [_tree(case, form) for form in FORMATS]
    assert trees[0] == trees[1]
    if not case.startswith("otel"):
        assert trees[0] == trees[2]


def _tree(case: str, form: str) -> list[tuple[object, ...]]:
    """Role, operation, start and duration of every span, beside those of its parent: ids differ between formats."""
    with open(MESH / case / FORMATS["v1"], "rb") as stdin:
        wanted = set(concat(list(read_files([str(MESH / case / FORMATS["v1"])], stdin))).trace_ids)
        spans = concat(list(read_files([str(MESH / case / FORMATS[form])], stdin)))
    tree = reconstruct(spans.take(np.array([trace in wanted for trace in spans.trace_ids])[spans.trace]))
    tree.self_check()

    def what(row: int) -> tuple[object, ...]:
        texts = tree.spans.texts
        start, length = int(tree.spans.start_ns[row]) // 1000, int(tree.spans.duration_ns[row]) // 1000
        return int(tree.role[row]), texts[int(tree.spans.operation[row])], start, length

    return sorted(
        (tree.spans.trace_ids[tree.spans.trace[row]], what(row), what(parent) if parent >= 0 else ())
        for row, parent in enumerate(tree.parent.tolist())
    )


def _names(tree: Forest, rows: object = None) -> list[bytes]:
    chosen = range(len(tree)) if rows is None else rows
    return [int(tree.spans.span_id[row]).to_bytes(8, "big").rstrip(b"\0") for row in chosen]  # type: ignore[union-attr]
