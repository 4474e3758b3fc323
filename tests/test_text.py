"""Tables for a terminal: they fit, names stay whole or are cut in their middle, nothing of a name moves a cursor."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.documents_made import (
    article,
    chain,
    cycle,
    edge,
    empty,
    errors,
    graph,
    hop,
    hostile,
    kinds,
    note,
    one_node,
    two_faults,
)
from traceviz.documents import GraphDocument
from traceviz.render.export import ERRORS_COLUMNS, GRAPH_COLUMNS
from traceviz.render.text import errors_text, graph_table, notes_text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def row_of(table: str, *names: str) -> str:
    return next(line for line in table.splitlines() if all(name in line for name in names))


def test_an_edge_is_a_row_with_calls_errors_times_and_signs() -> None:
    table = graph_table(article()[0], 80, False)
    row = row_of(table, "istio-ingress", "service-python")
    assert " ".join(row.split()) == "× istio-ingress service-python 66 53 % 2.1 5.04 FI"
    assert "× errors start here" in table


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    "made",
    [article()[0], kinds()[0], cycle(), two_faults()[0], hostile()[0], empty(), one_node(), chain(7)],
    ids=["article", "kinds", "cycle", "two faults", "hostile", "empty", "one node", "chain"],
)
def test_no_line_of_a_graph_is_broader_than_the_terminal(made: GraphDocument, width: int) -> None:
    table = graph_table(made, width, False)
    assert max(map(cell_len, table.splitlines())) <= width
    rows = [line for line in table.splitlines() if re.search(r"\d %", line) and "trace" not in line]
    assert len(rows) == len(made["edges"])


def test_columns_stand_under_each_other() -> None:
    lines = graph_table(hostile()[0], 80, False).splitlines()
    header = next(line for line in lines if "caller" in line)
    rows = [line for line in lines if line.startswith(("  front", "× front"))]
    position = header.index("error_rate") + len("error_rate")
    for row in rows:
        taken = ""
        while cell_len(taken) < position:
            taken += row[len(taken)]
        assert taken.endswith(" %")


def test_long_names_are_cut_in_their_middle_and_get_room_where_there_is_some() -> None:
    made = graph([edge("short", "a-very-long-name-of-a-service-in.some-namespace.svc.cluster.local")])
    assert re.search(r"short {3}a-very-long-\S*…\S*cluster\.local {2}", graph_table(made, 80, False))
    assert "a-very-long-name-of-a-service-in.some-namespace.svc.cluster.local" in graph_table(made, 140, False)


def test_wide_has_all_columns_and_whole_names() -> None:
    made = graph([edge("x" * 90, "b", flags={"UT": 3})])
    table = graph_table(made, 80, False, wide=True)
    assert "x" * 90 in table
    heading = next(line for line in table.splitlines() if "caller" in line)
    assert heading.split() == list(GRAPH_COLUMNS)
    assert "UT=3" in table
    _, ranked = two_faults()
    heading = next(line for line in errors_text(ranked, 80, False, wide=True).splitlines() if "caller" in line)
    assert heading.split() == list(ERRORS_COLUMNS)


def test_times_that_are_not_known_are_a_dash() -> None:
    made = graph([edge("a", "b", client_ms=None, server_ms=None, gap_ms=None)])
    assert row_of(graph_table(made, 80, False), " a ", " b ").split()[-2:] == ["–", "–"]


def test_callees_that_were_never_seen_have_a_sign_that_is_explained() -> None:
    table = graph_table(kinds()[0], 80, False)
    assert row_of(table, "orders", "legacy-tax").startswith("- ")
    assert row_of(table, "orders", "inventory").startswith("× ")
    assert row_of(table, "web", "orders").startswith("  ")
    assert "- the callee was never reached, or has no spans of its own" in table


def test_cycles_are_said() -> None:
    assert "2 cycles: alpha → beta → gamma → alpha; beta → beta" in graph_table(cycle(), 80, False)


def test_notes_are_lines_with_code_and_count() -> None:
    assert notes_text([note("orphan", 3, "3 spans have no parent.")]) == "note: orphan (3): 3 spans have no parent.\n"
    assert notes_text([]) == ""


def test_an_empty_graph_says_why() -> None:
    assert "No trace of istio-ingress was found between" in graph_table(empty(), 80, False)
    assert "3 traces with 15 spans of istio-ingress were read" in graph_table(empty(3), 80, False)
    assert "lonely: no calls to or from it were seen" in graph_table(one_node(), 80, False)


def test_colour_is_written_only_where_asked_for() -> None:
    documents = article()
    assert "\x1b" not in graph_table(documents[0], 80, False) + errors_text(documents[1], 80, False)
    coloured = graph_table(documents[0], 80, True)
    assert ESCAPE.search(coloured)
    assert ESCAPE.sub("", coloured) == graph_table(documents[0], 80, False)


def test_names_cannot_move_the_cursor_or_colour_anything() -> None:
    made, ranked = hostile()
    for text in (graph_table(made, 80, False), errors_text(ranked, 80, False), graph_table(made, 80, False, wide=True)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text)
    assert ESCAPE.sub("", graph_table(made, 80, True)) == graph_table(made, 80, False)


def test_a_failing_hop_says_who_where_why_and_what_it_did_to_users() -> None:
    text = errors_text(two_faults()[1], 80, False)
    first, second = text.split("\n2 ")
    assert "rank  caller" in first
    assert row_of(first, "1  basket", "pricing").split()[3] == "application-error"
    assert "pricing itself answered 503 to 30 % of 150 calls" in first
    for fact in (
        "where     callee, look first at pricing",
        "35 failed calls in 35 traces, all of them failed for the user",
        "explains  100 % of 45 failed traces",
        "way       istio-ingress → storefront → basket → pricing",
        "evidence  status 503 ×45; version v3 in 97 %",
        "trace     http://localhost:16686/trace/00000000000000000000000000000001",
        "request   1f0c6a52",
    ):
        assert fact in first
    assert "none of them failed for the user" in second
    assert "absorbed  by storefront ×60" in second


@pytest.mark.parametrize("width", [60, 80, 120])
def test_blocks_fit_into_the_terminal_but_links_stay_whole(width: int) -> None:
    for documents in (article(), two_faults(), kinds(), hostile()):
        for line in errors_text(documents[1], width, False).splitlines():
            assert cell_len(line) <= width or line.lstrip().startswith(("trace", "requests"))


def test_a_runner_up_is_named_where_the_first_is_not_clear() -> None:
    rows = [hop(1, "a", "x", score=0.8), hop(2, "b", "y", score=0.7, reason="timeout")]
    assert "Not clear-cut: the second (timeout at y)" in errors_text(errors(rows), 80, False)
    rows[1]["score"] = 0.2
    assert "Not clear-cut" not in errors_text(errors(rows), 80, False)


def test_a_row_that_users_did_not_feel_is_no_runner_up_of_one_they_did() -> None:
    rows = [hop(1, "a", "x", score=0.8), hop(2, "b", "y", score=0.8, failed_traces=0)]
    assert "Not clear-cut" not in errors_text(errors(rows), 80, False)


def test_nothing_failed_is_explained() -> None:
    text = errors_text(errors([], failed=0), 80, False)
    assert "200 traces, no request failed, and no failing hop was found." in text
    assert "No trace of istio-ingress was found" in errors_text(errors([], traces=0, failed=0), 80, False)


def test_failures_that_were_all_absorbed_are_said_before_the_rows() -> None:
    row = hop(1, "a", "b", failed_traces=0, absorbed_traces=34, absorbed_by={"a": 34}, explains=None, score=None)
    text = errors_text(errors([row], failed=0), 80, False)
    assert "No request failed for the user: failures in 34 traces were absorbed on the way." in text
    assert "explains" not in text


def test_notes_alone() -> None:
    assert notes_text([]) == ""
    assert "note: a (1,234): text" in notes_text([note("a", 1234, "text")])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=6, unique=True), st.integers(40, 200))
def test_any_names_give_one_line_an_edge(pairs: list[tuple[str, str]], width: int) -> None:
    made = graph([edge(caller, callee) for caller, callee in pairs])
    lines = graph_table(made, width, False).splitlines()
    begin = next((number for number, line in enumerate(lines) if "error_rate" in line), len(lines))
    assert sum(bool(re.search(r"\d %", line)) for line in lines[begin:]) >= len(pairs)
    assert all(cell_len(line) <= max(width, 100) for line in lines)
