"""Traces in a terminal: lines fit, what broke is seen without colour, nothing is folded without being counted."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.documents_made import HOSTILE
from tests.tree_made import broken, call, chain, failed, tree
from traceviz.documents import TreeDocument
from traceviz.errors import UsageError
from traceviz.render import formats_of, render
from traceviz.render.export import TREE_CALL_COLUMNS, TREE_COLUMNS
from traceviz.render.text import UNCUT
from traceviz.render.tree_bars import Axis, bar, folded_bar, scale
from traceviz.render.tree_picture import tree_picture
from traceviz.render.tree_text import tree_text, wide_tree

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def shop(**more: Any) -> TreeDocument:
    #  ingress ─▶ front ─▶ cart ─▶ redis (has no spans)
    #                  ├─▶ pricing (broke; on the critical path)
    #                  └╌▶ mail
    return tree(
        failed(
            "front",
            call("cart", call("redis", start=11, ms=3, seen=False, protocol="db"), start=10, ms=10),
            broken("pricing", start=20, ms=70, on_critical_path=True, attempts=3),
            call("mail", start=90, ms=2, kind="async"),
            ms=100,
            on_critical_path=True,
        ),
        **{"text": "front → pricing: a fault was injected", **more},
    )


def many(number: int, **of_the_third: Any) -> TreeDocument:
    """One call that makes many which are alike, each with one below it."""
    calls = [call("catalog", call("db", start=i, ms=0.5), start=i, ms=1, operation=f"GET /{i}") for i in range(number)]
    calls[2].more |= of_the_third
    return tree(call("cart", *calls, ms=number))


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if name in line and "│0 ms" not in line and "→ pricing:" not in line)


def test_the_tree_of_a_small_trace() -> None:
    assert tree_text(shop(), 100, False).splitlines() == [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736, 2026-11-23 05:29:01.000 UTC",
        "100 ms, 9 spans, 5 calls, 5 services, failed, from http://localhost:16686",
        "× front → pricing: a fault was injected",
        "",
        "   callee                        duration_ms  self_ms  status  │0 ms             │50 ms      100 ms│",
        "×  istio-ingress → front  GET /          100       40  500     ───█══════════════════════════════───",
        "   ├─ cart  GET /                         10        4  200        ─═██─",
        "   │  └─ redis  GET /                      3        –  200         ░░",
        "×► ┣━ pricing ↻3  GET /                   70       28  504 FI         ──██████████████████████───",
        "   │  ^ fault-injected, at the caller proxy, look first at pricing",
        "   └╌ mail  GET /                          2      0.8  200                                      ▋",
        "",
        "×► an error started here · × failed · ┗━ on the critical path · └╌ asynchronous · ↻ attempts",
        "█ own time · ═ waits for what it called · ─ network, proxies, queues",
        "░ callee not seen: never reached, or without spans",
    ]


def test_what_broke_is_told_without_colour() -> None:
    plain = tree_text(shop(), 80, False)
    assert line_of(plain, "pricing").startswith("×► ┣━ pricing")
    assert line_of(plain, "front").startswith("×  ")
    assert "\x1b" not in plain
    assert ESCAPE.sub("", tree_text(shop(), 80, True)) == plain


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("spans", [False, True], ids=["calls", "spans"])
@pytest.mark.parametrize(
    "made",
    [shop(), chain(60), many(400), tree(*[call(text, call(text, ms=3), ms=5) for text in HOSTILE], caller=HOSTILE[6])],
    ids=["shop", "chain", "many", "hostile"],
)
def test_no_line_is_broader_than_the_terminal(made: TreeDocument, spans: bool, width: int) -> None:
    for line in tree_text(made, width, False, spans).splitlines():
        assert cell_len(line) <= width


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=5), st.integers(40, 200))
def test_any_names_give_one_line_a_call(names: list[str], width: int) -> None:
    made = tree(*[call(text, call(text, start=1, ms=2), operation=text) for text in names], caller=names[0])
    lines = tree_text(made, width, False).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    heading = next(number for number, line in enumerate(lines) if line.startswith("callee"))
    assert lines.index("", heading) - heading - 1 == 2 * len(names)


def test_names_cannot_move_the_cursor() -> None:
    made = tree(*[broken(text, operation=text, reason=text, flags=[text]) for text in HOSTILE], text=HOSTILE[4])
    for text in (tree_text(made, 80, False), wide_tree(made, 80, False), tree_text(made, 80, False, spans=True)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text)


def test_siblings_that_are_alike_are_folded_and_counted() -> None:
    text = tree_text(many(1000), 80, False)
    assert sum("catalog" in line for line in text.splitlines()) == 4 + 1
    assert "└─ + 996 more of catalog, 1.0 ms, 996 calls below" in text
    assert "1,992 calls not shown one by one; -o wide has them all" in text
    assert "· calls that are folded" in text
    assert wide_tree(many(1000), 80, False).count("─ catalog") == 1000


def test_a_few_siblings_are_all_shown() -> None:
    text = tree_text(many(8), 80, False)
    assert sum("catalog" in line for line in text.splitlines()) == 8
    assert "not shown" not in text


@pytest.mark.parametrize("what", [{"failing": True, "error": True}, {"on_critical_path": True}, {"error": True}])
def test_what_broke_failed_or_is_critical_is_not_folded(what: dict[str, Any]) -> None:
    text = tree_text(many(1000, operation="the one", **what), 120, False)
    assert "catalog  the one" in text


def test_folded_failures_are_said() -> None:
    calls = [failed("catalog", start=i, ms=1) for i in range(100)]
    text = tree_text(tree(call("cart", *calls, ms=100)), 80, False)
    assert "× └─ + 96 more of catalog, 96 failed, 1.0 ms" in text


def test_many_that_broke_and_are_critical_are_bounded_but_never_silent() -> None:
    calls = [broken("catalog", start=i, ms=1, on_critical_path=True) for i in range(500)]
    text = tree_text(tree(call("cart", *calls, ms=500)), 200, False)
    assert sum("─ catalog" in line or "━ catalog" in line for line in text.splitlines()) == 24
    assert "×► └─ + 476 more of catalog, 476 broke, 476 failed, 1.0 ms, 476 on the critical path" in text


def test_calls_of_other_operations_are_not_alike() -> None:
    calls = [call("db", operation=f"SELECT {'x' * i}z", start=i, ms=1) for i in range(20)]
    assert "more of" not in tree_text(tree(call("cart", *calls, ms=20)), 120, False)


def test_a_deep_chain_says_its_level_and_stays_narrow() -> None:
    made = chain(20_000, error=True, failing=True, reason="timeout")
    lines = tree_text(made, 80, False).splitlines()
    assert any(re.match(r"×► …19999 +└─ s19999", line) for line in lines)
    assert max(map(cell_len, lines)) <= 80
    assert max(map(cell_len, wide_tree(made, 80, False).splitlines())) < 500


def test_guides_go_as_deep_as_names_leave_room() -> None:
    lines = tree_text(chain(10), 80, False).splitlines()
    assert any(line.startswith(" " * 24 + "└─ s9 ") for line in lines), "nine levels, and none replaced by its number"
    assert "the level, where it is deep" in tree_text(chain(40), 80, False)


def test_deep_spans_with_long_statuses_fit_the_narrowest_terminal() -> None:
    made = chain(60, status="504", flags=["DC", "UT", "URX"], error=True, failing=True, reason="timeout")
    lines = tree_text(made, 40, False, spans=True).splitlines()
    assert max(map(cell_len, lines)) <= 40
    assert any("└─ s58" in line for line in lines), "names keep some room"


def test_names_are_whole_where_bars_can_do_with_less() -> None:
    made = tree(broken("service-python", ms=0.07))
    assert "istio-ingress → service-python " in tree_text(made, 80, False)


def test_no_two_names_are_cut_alike() -> None:
    names = [f"payments-production-eu-west-{number}-primary-database-service" for number in range(4)]
    made = tree(call("front", *[call(one, start=i, ms=1) for i, one in enumerate(names)]))
    for width in (40, 60, 80):
        shown = re.findall(r"[├└]─ (\S+)", tree_text(made, width, False))
        assert len(set(shown)) == len(names) == len(shown)


@pytest.mark.parametrize("width", [200, 1000, UNCUT])
def test_bars_are_not_broader_than_an_eye_can_follow(width: int) -> None:
    made = tree(call("front", call("cart", ms=100, operation="SELECT " + "x" * 5000), ms=100))
    lines = tree_text(made, width, False).splitlines()
    assert next(line for line in lines if "│0 ms" in line).partition("│")[2].index("100 ms│") + 7 == 59
    assert max(map(len, lines)) < 250


def test_a_call_that_a_retry_saved_is_no_failure_and_is_said() -> None:
    made = tree(call("front", call("cart", attempts=2, failed_attempts=1), call("db", attempts=3, failed_attempts=2)))
    made["spans"][1]["error"] = True
    assert "No call failed in the end: 2 calls were saved by a retry." in tree_text(made, 80, False)
    picture = tree_picture(made)
    assert ["3 attempts, 2 failed" in node.lines for node in picture.nodes].count(True) == 1


def test_an_error_inside_of_a_program_is_said_where_no_call_failed() -> None:
    made = tree(call("front"))
    made["spans"][1]["error"] = True
    said = "× No call failed, and 1 span is marked as failed all the same: --spans has it."
    assert said in tree_text(made, 100, False).splitlines()
    assert "\n× └─ front " in tree_text(made, 100, False, spans=True)


def test_a_span_without_a_name_has_no_operation() -> None:
    assert "no name" not in tree_text(tree(call("front", operation="")), 80, False)


def test_wide_has_every_column_of_every_row() -> None:
    heading = next(line for line in wide_tree(shop(), 80, False).splitlines() if "duration_ms" in line)
    assert heading.split() == ["tree", *TREE_CALL_COLUMNS]
    heading = next(line for line in wide_tree(shop(), 80, False, spans=True).splitlines() if "duration_ms" in line)
    assert heading.split() == ["tree", *TREE_COLUMNS]


def test_spans_are_a_line_each_with_their_role() -> None:
    text = tree_text(shop(), 100, False, spans=True)
    roles = re.findall(r"  (caller|attempt|callee|program)  ", text)
    assert (roles.count("caller"), roles.count("callee")) == (5, 4)


def test_a_trace_without_calls_shows_its_spans_and_says_so() -> None:
    made = shop()
    made["calls"] = []
    text = tree_text(made, 80, False)
    assert "No call between two services is in this trace: these are its spans." in text
    assert "istio-ingress" in text
    assert "No call between" not in tree_text(made, 80, False, spans=True)


def test_a_trace_without_spans_is_a_head_only() -> None:
    text = tree_text(tree(), 80, False)
    assert text.splitlines()[-1] == "No call failed."
    assert wide_tree(tree(), 80, False) == text


def test_a_link_stays_whole() -> None:
    link = "http://localhost:16686/jaeger/a-very-long-base-path-of-a-proxy-in-front-of-it/trace/" + "0" * 32
    assert link in tree_text(shop(link=link), 80, False).splitlines()


def test_a_failure_that_its_user_did_not_feel_is_not_said_to_be_one() -> None:
    made = tree(call("front", broken("cart", ms=5)), text="front → cart broke")
    assert ", failed," not in tree_text(made, 80, False)
    assert ", failed," in tree_text(shop(), 80, False)


# Bars


def test_a_bar_tells_own_time_waiting_network_and_what_came_after() -> None:
    on = Axis(0, 100, 20)
    assert bar(on, (0, 50), [(10, 40)], [(20, 30)]) == "──██══██──"
    assert bar(on, (0, 25), [(10, 50)], []) == "──███▒▒▒▒▒"
    assert bar(on, (50, 100), [], []) == " " * 10 + "░" * 10
    assert folded_bar(on, [(0, 5), (10, 15)]) == "· ·"


def test_the_shortest_call_is_a_sliver_and_stays_inside() -> None:
    on = Axis(0, 100, 20)
    assert bar(on, (30, 30.0001), [(30, 30.0001)], []) == " " * 6 + "▏"
    assert bar(on, (100, 100), [(100, 100)], []) == " " * 19 + "▏"
    assert bar(Axis(0, 0, 20), (0, 0), [(0, 0)], []) == "▏"


@given(
    st.integers(12, 120),
    st.lists(st.tuples(st.floats(-50, 200), st.floats(0, 200)), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(-50, 200), st.floats(0, 200)), max_size=4),
)
def test_a_bar_never_leaves_its_axis(
    cells: int, working: list[tuple[float, float]], calls: list[tuple[float, float]]
) -> None:
    on = Axis(0, 100, cells)
    intervals = [[(begin, begin + length) for begin, length in group] for group in (working, calls)]
    assert 0 < len(bar(on, intervals[0][0], *intervals)) <= cells


@given(st.floats(1e-6, 1e12), st.integers(12, 120))
def test_a_scale_fits_and_begins_with_zero(end_ms: float, cells: int) -> None:
    line = scale(Axis(0, end_ms, cells))
    assert line.startswith("│0 ms")
    assert len(line) <= cells
    assert cells < 24 or (line.endswith("│") and len(line) == cells), "the end is said where there is room"


# Formats


def test_csv_is_a_row_a_span_with_the_names_of_json() -> None:
    rows = list(csv.DictReader(io.StringIO(str(render(shop(), "csv")))))
    assert tuple(rows[0]) == TREE_COLUMNS
    assert len(rows) == 9
    assert [row["parent"] for row in rows[:4]] == ["", "0", "1", "2"]
    assert {row["flags"] for row in rows if row["failing"] == "true"} == {"FI"}


def test_a_tree_is_drawn_by_graphviz_and_not_as_a_graph() -> None:
    assert formats_of(shop()) == ["table", "wide", "json", "csv", "dot", "svg", "png", "pdf", "mermaid"]
    with pytest.raises(UsageError, match="a tree cannot be written as 'nodegraph'"):
        render(shop(), "nodegraph")
