"""Rows as somebody wants them: `--columns`, `--sort`, `--no-headers`, in tables that fit their terminal and in CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.commands import SEED, called
from tests.documents_made import HOSTILE, article, chain, cycle, edge, errors, graph, hop, hostile, kinds, two_faults
from traceviz.documents import Edge, FailingHop, Service
from traceviz.errors import UsageError
from traceviz.render import render
from traceviz.render.arrangement import AS_USUAL, Arrangement, read_arrangement
from traceviz.render.text import errors_text, graph_table
from traceviz.rows import Fields, value


def arranged(columns: str | None = None, sort: str | None = None, row_type: type = Edge) -> Arrangement:
    return read_arrangement(columns, sort, row_type)


def bare(columns: str | None = None, sort: str | None = None, row_type: type = Edge) -> Arrangement:
    return read_arrangement(columns, sort, row_type, headings=False)


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def heading_of(text: str) -> list[str]:
    return cells(next(line for line in text.splitlines() if re.search("caller|callee|name|rank", line)))


# Columns


def test_columns_are_those_that_were_asked_for_in_that_order() -> None:
    table = called("graph", SEED, "--columns", "callee,client_ms.p99,calls,flags.FI,seen_from").text
    assert heading_of(table) == ["callee", "client_ms.p99", "calls", "flags.FI", "seen_from"]
    row = next(line for line in table.splitlines() if "service-python" in line)
    assert cells(row) == ["× service-python", "29.1", "66", "35", "both"]


def test_a_plus_adds_to_the_usual_columns_what_is_not_there_yet() -> None:
    usual = heading_of(called("graph", SEED).text)
    assert heading_of(called("graph", SEED, "--columns", "+p99_ms,calls,unanswered").text) == [
        *usual,
        "p99_ms",
        "unanswered",
    ]


@pytest.mark.parametrize("format", ["table", "wide", "csv"])
def test_all_formats_of_rows_have_the_columns(format: str) -> None:
    run = called("graph", SEED, "-o", format, "--columns", "callee,p95_ms")
    assert run.code == 0
    assert re.search(r"callee[ ,]+p95_ms", run.text)


def test_csv_has_the_values_of_json_under_the_names_that_were_asked_for() -> None:
    document = article()[0]
    text = render(document, "csv", arranged=arranged("callee,p95_ms,statuses.504,client_ms.p95", "callee"))
    assert isinstance(text, str)
    rows = list(csv.DictReader(io.StringIO(text)))
    edges = sorted(document["edges"], key=lambda one: one["callee"])
    for row, made in zip(rows, edges, strict=True):
        times = made["client_ms"] or made["server_ms"]
        assert row["p95_ms"] == ("" if times is None else repr(times["p95"]))
        assert row["statuses.504"] == str(made["statuses"].get("504", ""))


def test_the_times_that_stand_alone_are_the_callers_else_the_callees() -> None:
    server = {"count": 1, "mean": 7.0, "p50": 7.0, "p90": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}
    made = graph([edge("a", "b", client_ms=None, server_ms=server), edge("c", "d", client_ms=None, server_ms=None)])
    rows = graph_table(made, 80, False, arranged=bare("callee,p99_ms")).splitlines()
    assert [cells(row) for row in rows] == [["b", "7"], ["d", "–"]]


def test_columns_that_were_asked_for_are_never_left_out() -> None:
    wanted = "caller,callee,calls,error_rate,p50_ms,p90_ms,p95_ms,p99_ms,flags,statuses"
    table = graph_table(article()[0], 40, False, arranged=arranged(wanted))
    assert heading_of(table) == wanted.split(",")
    assert "left out" not in table


@pytest.mark.parametrize("option", ["--columns", "--sort"])
@pytest.mark.parametrize("command", ["graph", "errors", "services", "operations"])
def test_a_field_that_there_is_not_is_2_and_all_that_there_are_are_listed(command: str, option: str) -> None:
    run = called(command, SEED, option, "nosuch")
    assert (run.code, run.out) == (2, b"")
    assert f"{option}: there is no field 'nosuch'" in run.err
    known = {"graph": "client_ms.p99", "errors": "failed_traces", "services": "node", "operations": "kind"}[command]
    assert known in run.err


@pytest.mark.parametrize(
    ("slip", "meant"), [("caler", "caller"), ("client_ms.p50s", "client_ms.p50"), ("errorrate", "error_rate")]
)
def test_a_slip_of_the_finger_gets_the_nearest_field(slip: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        arranged(slip)
    assert f"Did you mean {meant}?" in caught.value.remedy


@pytest.mark.parametrize("nothing", ["", " ", ",", "+", " , ,"])
def test_no_field_at_all_is_2(nothing: str) -> None:
    for option in ("--columns", "--sort"):
        assert called("graph", SEED, option, nothing).code == 2 or (option, nothing) == ("--sort", "+")


@pytest.mark.parametrize("field", ["flags", "examples.error", "client_ms", "statuses"])
def test_what_has_several_values_is_no_order(field: str) -> None:
    with pytest.raises(UsageError, match="several values"):
        arranged(sort=field)
    assert arranged(field).columns == (field,)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_field_is_refused_without_steering_the_terminal(name: str) -> None:
    for option in ("--columns", "--sort"):
        run = called("graph", SEED, option, name)
        assert run.code == 2
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", run.err)


def test_every_number_and_text_of_a_row_can_be_a_column_and_an_order() -> None:
    for document, row_type in ((article()[0], Edge), (article()[1], FailingHop)):
        main = document["edges"] if row_type is Edge else document["failing_hops"]  # type: ignore[typeddict-item]
        for name in Fields(row_type).names("number", "text", "truth"):
            if "*" not in name:
                assert len(read_arrangement(name, f"-{name}", row_type).ordered(main)) == len(main)


# Order


def test_rows_are_sorted_by_several_fields_and_rows_that_are_alike_stay_as_they_were() -> None:
    rows = [edge("a", "x", calls=5), edge("b", "x", calls=9), edge("c", "x", calls=5), edge("d", "x", calls=9)]

    def order(sort: str) -> str:
        return "".join(row["caller"] for row in arranged(sort=sort).ordered(rows))

    assert order("calls") == "acbd"
    assert order("-calls") == "bdac"
    assert order("-calls,-caller") == "dbca"
    assert order("callee") == "abcd"


@pytest.mark.parametrize("sort", ["p95_ms", "-p95_ms"])
def test_what_is_not_known_comes_last_in_either_direction(sort: str) -> None:
    unknown = {"client_ms": None, "server_ms": None}
    rows = [edge("a", "x", **unknown), edge("b", "x"), edge("c", "x", **unknown)]
    assert [row["caller"] for row in arranged(sort=sort).ordered(rows)] == ["b", "a", "c"]


def test_all_formats_of_rows_are_sorted_alike() -> None:
    for format in ("table", "wide", "csv"):
        run = called("graph", SEED, "-o", format, "--no-headers", "--columns", "calls", "--sort", "-calls")
        numbers = [int(line) for line in run.text.split()]
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) == 8


def test_failing_hops_keep_their_rank_in_whatever_order() -> None:
    text = errors_text(two_faults()[1], 80, False, arranged=arranged(sort="-rank", row_type=FailingHop))
    ranks = re.findall(r"^ +(\d) ", text, re.MULTILINE)
    assert ranks == sorted(ranks, reverse=True)
    assert text.index("\n2 ") < text.index("\n1 ")


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=12), st.booleans())
def test_sorting_loses_no_row_and_keeps_equals_in_place(calls: list[int | None], largest_first: bool) -> None:
    rows: list[dict[str, Any]] = [{"calls": number, "place": place} for place, number in enumerate(calls)]
    found = Arrangement(order=(("calls", largest_first),)).ordered(rows)
    assert sorted(row["place"] for row in found) == list(range(len(rows)))
    sign = -1 if largest_first else 1
    keys = [(row["calls"] is None, 0 if row["calls"] is None else sign * row["calls"], row["place"]) for row in found]
    assert keys == sorted(keys)


# Rows alone


@pytest.mark.parametrize("command", ["graph", "errors", "services", "operations"])
def test_rows_alone_have_nothing_around_them_and_one_cell_a_column(command: str) -> None:
    usual = called(command, SEED)
    alone = called(command, SEED, "--no-headers")
    assert alone.code == 0
    columns = len(heading_of(usual.text))
    assert alone.text.splitlines()
    for line in alone.text.splitlines():
        assert len(cells(line)) == columns, line


def test_rows_alone_are_whole_on_any_terminal() -> None:
    made = graph([edge("x" * 90, "b")])
    assert graph_table(made, 40, False, arranged=bare()).startswith("x" * 90 + "  b  ")


def test_nothing_found_is_no_row() -> None:
    assert graph_table(graph([]), 80, False, arranged=bare()) == ""
    assert errors_text(errors([]), 80, False, arranged=bare(row_type=FailingHop)) == ""
    assert render(graph([]), "csv", arranged=bare()) == ""


def test_csv_without_headers_is_the_rest_of_the_same_file() -> None:
    whole = called("graph", SEED, "-o", "csv").text
    assert called("graph", SEED, "-o", "csv", "--no-headers").text == whole.partition("\n")[2]


# What has no rows


@pytest.mark.parametrize("option", [("--columns", "calls"), ("--sort", "calls"), ("--no-headers",)])
@pytest.mark.parametrize("format", ["json", "dot", "svg"])
def test_what_is_for_rows_is_refused_where_there_are_none(option: tuple[str, ...], format: str) -> None:
    run = called("graph", "no such file is looked for", "-o", format, *option)
    assert (run.code, run.out) == (2, b"")
    assert f"{option[0]} is for rows" in run.err
    assert ("jq" in run.err) == (format == "json")


# What fits


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("made", [article()[0], kinds()[0], cycle(), two_faults()[0], hostile()[0], chain(7)])
def test_a_graph_fits_and_says_which_columns_are_left_out(made: Any, width: int) -> None:
    table = graph_table(made, width, False)
    assert max(map(cell_len, table.splitlines())) <= width
    shown = set(heading_of(table))
    left_out = {"p50_ms", "p95_ms", "flags"} - shown
    if not any(set(one["flags"]) - {"-"} for one in made["edges"]):
        left_out -= {"flags"}
    told = " ".join(table.split()).partition("left out for lack of room: ")[2].partition(" (")[0]
    assert set(told.split(", ")) - {""} == left_out


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("made", [article()[1], two_faults()[1], kinds()[1], hostile()[1]])
def test_failing_hops_fit_but_what_is_to_be_copied_stays_whole(made: Any, width: int) -> None:
    for line in errors_text(made, width, False).splitlines():
        assert cell_len(line) <= width or line.lstrip().startswith(("trace", "request"))


def test_sentences_are_not_broader_than_is_read_with_ease() -> None:
    text = errors_text(two_faults()[1], 10**9, False)
    assert max(len(line) for line in text.splitlines()) <= 110


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), min_size=1, max_size=4, unique=True),
    st.integers(40, 120),
)
def test_any_names_stand_under_each_other(pairs: list[tuple[str, str]], width: int) -> None:
    made = graph([edge(caller, callee, calls=7) for caller, callee in pairs])
    lines = graph_table(made, width, False).splitlines()
    begin = next(number for number, line in enumerate(lines) if "error_rate" in line)
    rows = lines[begin + 1 : begin + 1 + len(pairs)]
    assert all(cell_len(row) <= width for row in rows)
    ends = {cell_len(row[: row.rindex(" %") + 2]) for row in rows}
    assert ends == {cell_len(lines[begin][: lines[begin].index("error_rate") + len("error_rate")])}


def test_a_column_that_is_empty_gives_way_first_and_is_not_missed() -> None:
    made = graph([edge("caller-with-a-name", "callee-with-a-longer-name", flags={})])
    table = graph_table(made, 76, False)
    assert "flags" not in table
    assert "left out" not in table


def test_wide_writes_what_is_empty_as_not_known() -> None:
    table = graph_table(graph([edge("a", "b", flags={}, examples={"error": [], "slowest": []})]), 80, False, wide=True)
    assert "(no name)" not in table


# Names of fields


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("p95_ms", "number"),
        ("client_ms", "parts"),
        ("client_ms.p95", "number"),
        ("flags.UT", "number"),
        ("caller", "text"),
        ("failing_hop", "truth"),
        ("examples.error", "list"),
        ("client_ms.p42", None),
        ("", None),
        ("flagsUT", None),
    ],
)
def test_fields_are_known_by_what_rows_can_have(name: str, kind: str | None) -> None:
    assert Fields(Edge).kind(name) == kind


def test_keys_may_hold_dots_and_what_is_not_there_is_not_known() -> None:
    row = {"callers": {"reviews.a": 3}, "caller": None}
    assert value(row, "callers.reviews.a") == 3
    assert value(row, "callers.reviews.b") is None
    assert value(row, "caller.name") is None
    assert Fields(Service).kind("p95_ms") is None


def test_nothing_said_is_as_usual() -> None:
    make: Callable[..., Arrangement] = read_arrangement
    assert make(None, None, Edge) == AS_USUAL
    assert errors_text(errors([hop(1, "a", "b")]), 80, False, arranged=AS_USUAL) == errors_text(
        errors([hop(1, "a", "b")]), 80, False
    )
