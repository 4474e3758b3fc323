"""Documents as data: JSON and CSV come back as what went in, and the schemas say what CONTRACT says."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

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
    one_node,
    two_faults,
)
from traceviz.errors import UsageError
from traceviz.render import FORMATS, format_of_file, formats_of, render
from traceviz.render.export import ERRORS_COLUMNS, GRAPH_COLUMNS, to_csv, to_json

ANY = st.text(st.characters(exclude_categories=()), max_size=30)


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("traceviz.schemas").joinpath(f"{name}.json").read_text("utf-8"))
    return loaded


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def unguarded(text: str) -> str:
    return text.removeprefix("'")


def test_json_comes_back_as_the_document() -> None:
    for document in (*article(), *kinds(), empty(), cycle()):
        assert json.loads(to_json(document)) == document
        assert to_json(document).endswith("\n}\n") or to_json(document).endswith("}\n")


def test_json_is_the_same_every_time_and_readable() -> None:
    assert to_json(article()[0]) == to_json(article()[0])
    assert '"name": "日本語のサービス"' in to_json(hostile()[0])


@given(ANY, ANY)
def test_any_name_comes_back_from_json_except_half_a_surrogate(caller: str, callee: str) -> None:
    written = to_json(graph([edge(caller, callee)])).encode()
    read = json.loads(written)["edges"][0]
    assert [read["caller"], read["callee"]] == [
        "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in name)
        for name in (caller, callee)
    ]


@given(ANY, ANY)
def test_any_name_comes_back_from_csv_except_half_a_surrogate_and_nul(caller: str, callee: str) -> None:
    text = to_csv(graph([edge(caller, callee)]))
    text.encode()
    (row,) = read_csv(text)
    for column, given_name in (("caller", caller), ("callee", callee)):
        expected = "".join(
            "\ufffd" if character == "\0" or "\ud800" <= character <= "\udfff" else character
            for character in given_name
        )
        assert unguarded(row[column]) == expected


def test_a_row_of_csv_has_the_names_of_json_with_dots() -> None:
    rows = read_csv(to_csv(article()[0]))
    assert tuple(rows[0]) == GRAPH_COLUMNS
    row = next(row for row in rows if (row["caller"], row["callee"]) == ("istio-ingress", "service-python"))
    made = next(edge for edge in article()[0]["edges"] if edge["failing_hop"])
    assert made["client_ms"] is not None
    assert float(row["client_ms.p95"]) == made["client_ms"]["p95"]
    assert row["statuses"] == "200=31;504=35"
    assert row["failing_hop"] == "true"
    assert float(row["error_rate"]) == made["error_rate"]


def test_every_number_of_an_edge_is_in_csv() -> None:
    def leaves(value: object, path: str) -> list[str]:
        if isinstance(value, dict) and path not in ("statuses", "flags"):
            return [leaf for key, part in value.items() for leaf in leaves(part, f"{path}.{key}".lstrip("."))]
        return [path]

    assert set(leaves(article()[0]["edges"][0], "")) == set(GRAPH_COLUMNS)
    assert set(article()[1]["failing_hops"][0]) == set(ERRORS_COLUMNS)


def test_what_is_not_known_is_an_empty_cell() -> None:
    (row,) = read_csv(to_csv(graph([edge("a", "b", client_ms=None, calls_per_s=None, protocol=None)])))
    assert (row["client_ms.p95"], row["calls_per_s"], row["protocol"]) == ("", "", "")


def test_failing_hops_are_rows() -> None:
    first, second = read_csv(to_csv(two_faults()[1]))
    assert first["chain"] == "istio-ingress;storefront;basket;pricing"
    assert first["concentrated_in"] == "version=v3:0.97"
    assert second["absorbed_by"] == "storefront=60"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted"])
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    (row,) = read_csv(to_csv(graph([edge(name, "b")])))
    assert row["caller"] == f"'{name}"


def test_negative_numbers_stay_numbers() -> None:
    gap = {"count": 1, "mean": -0.5, "p50": -0.5, "p90": -0.5, "p95": -0.5, "p99": -0.5, "max": -0.5}
    (row,) = read_csv(to_csv(graph([edge("a", "b", gap_ms=gap)])))
    assert row["gap_ms.p50"] == "-0.5"


def test_the_schemas_are_schemas() -> None:
    for name in ("graph", "errors"):
        Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", ["graph", "errors"])
def test_documents_are_valid_by_their_schema(name: str) -> None:
    documents: dict[str, list[Any]] = {
        "graph": [article()[0], kinds()[0], hostile()[0], cycle(), chain(5), empty(), one_node()],
        "errors": [article()[1], two_faults()[1], errors([]), errors([hop(1, None, "x", explains=None, score=None)])],
    }
    for document in documents[name]:
        Draft202012Validator(schema(name)).validate(json.loads(to_json(document)))


def _broken(document: Any, path: list[str | int], value: object) -> Any:
    made = copy.deepcopy(document)
    part = made
    for key in path[:-1]:
        part = part[key]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], "traceviz/errors/1"),
        (["asked", "from"], "yesterday"),
        (["counts", "traces"], -1),
        (["counts", "failed_traces"], ...),
        (["nodes", 0, "kind"], "pod"),
        (["edges", 0, "error_rate"], 1.5),
        (["edges", 0, "error_rate"], None),
        (["edges", 0, "client_ms"], {}),
        (["edges", 0, "gap_ms"], ...),
        (["edges", 0, "examples", "error"], ["abc"]),
        (["edges", 0, "protocol"], "smtp"),
        (["notes", 0, "count"], 0),
        (["cycles"], None),
    ],
)
def test_what_the_contract_forbids_is_invalid(path: list[str | int], value: object) -> None:
    with_note = article()[0]
    assert not Draft202012Validator(schema("graph")).is_valid(_broken(with_note, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["failing_hops", 0, "callee"], None),
        (["failing_hops", 0, "reason"], "bad-luck"),
        (["failing_hops", 0, "where"], "somewhere"),
        (["failing_hops", 0, "rank"], 0),
        (["failing_hops", 0, "first"], "2026-11-23"),
        (["failing_hops", 0, "links"], ...),
    ],
)
def test_what_the_contract_forbids_in_errors_is_invalid(path: list[str | int], value: object) -> None:
    assert not Draft202012Validator(schema("errors")).is_valid(_broken(article()[1], path, value))


def test_a_field_may_be_added() -> None:
    added: Any = article()[0]
    added["edges"][0]["weather"] = "fine"
    added["more"] = 1
    Draft202012Validator(schema("graph")).validate(added)


@pytest.mark.parametrize("format", formats_of(article()[0]))
def test_every_format_is_written_for_every_graph_or_refused_with_a_reason(format: str) -> None:
    if format == "pdf" and not shutil.which("dot"):
        pytest.skip("a PDF needs the system's Graphviz")
    for made, ranked in (article(), hostile(), (empty(), None), (one_node(), None), (cycle(), None)):
        written = render(made, format, errors=ranked)
        assert isinstance(written, bytes) == FORMATS[format].binary
        assert written


def test_failing_hops_have_no_picture() -> None:
    ranked = article()[1]
    assert formats_of(ranked) == ["table", "wide", "json", "csv"]
    with pytest.raises(UsageError, match="cannot be written as 'svg'") as raised:
        render(ranked, "svg")
    assert raised.value.remedy == "formats: table, wide, json, csv"
    for format in formats_of(ranked):
        assert "fault-injected" in str(render(ranked, format))


@pytest.mark.parametrize(
    ("file", "format"),
    [
        ("a.svg", "svg"),
        ("x/b.PNG", "png"),
        ("c.gv", "dot"),
        ("c.dot", "dot"),
        ("d.json", "json"),
        ("e.txt", "table"),
        ("f.csv", "csv"),
        ("g.pdf", "pdf"),
        ("h", None),
        ("svg", None),
        ("i.jpeg", None),
    ],
)
def test_a_suffix_names_a_format(file: str, format: str | None) -> None:
    assert format_of_file(file) == format
