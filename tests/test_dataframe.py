"""`Report.to_dataframe`: the rows of the JSON with pandas' own types, and what is said where there is no pandas."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import traceviz
from tests.builder import forest, span
from tests.commands import environment
from tests.conftest import CASES, ROOT, recorded
from tests.documents_made import HOSTILE
from traceviz.analyze.report import Report, report
from traceviz.errors import UsageError
from traceviz.render.export import ERRORS_COLUMNS, GRAPH_COLUMNS


@pytest.fixture
def pandas() -> Any:
    import pandas

    return pandas


def at(row: Any, column: str) -> Any:
    """The value of the JSON under a dotted name."""
    for key in column.split("."):
        row = None if row is None else row[key]
    return row


@pytest.mark.parametrize("case", CASES)
def test_a_row_is_an_edge_with_every_number_of_the_json(case: str, pandas: Any) -> None:
    frame = recorded(case, "v3").to_dataframe()
    edges = recorded(case, "v3").graph()["edges"]
    assert list(frame.columns) == list(GRAPH_COLUMNS)
    assert len(frame) == len(edges)
    for (_, row), edge in zip(frame.iterrows(), edges, strict=True):
        for column in GRAPH_COLUMNS:
            value = at(edge, column)
            assert row[column] is pandas.NA if value is None else row[column] == value, column


def test_columns_have_types_of_their_own_and_null_is_na(pandas: Any) -> None:
    frame = recorded("seed_504", "v3").to_dataframe()
    types = {
        column: str(frame[column].dtype) for column in ("calls", "client_ms.p95", "client_ms.count", "failing_hop")
    }
    assert types == {
        "calls": "Int64",
        "client_ms.p95": "Float64",
        "client_ms.count": "Int64",
        "failing_hop": "boolean",
    }
    assert isinstance(frame["caller"].dtype, pandas.StringDtype)
    unreached = report(forest(span("a", service="a", kind="client", db_system="redis"))).to_dataframe()
    assert unreached["server_ms.p95"].isna().all()
    assert unreached["server_ms.count"].dtype == frame["server_ms.count"].dtype


def test_it_can_be_worked_with(pandas: Any) -> None:
    frame = recorded("seed_504", "v3").to_dataframe()
    failing = frame[frame["failing_hop"]].sort_values("errors", ascending=False)
    assert list(failing["callee"].unique()) == ["service-python"]
    assert frame.groupby("callee")["calls"].sum()["service-python"] == 127
    assert frame["flags"].map(lambda flags: flags.get("FI", 0)).sum() == 69


def test_nodes_and_failing_hops_are_rows_too(pandas: Any) -> None:
    made = recorded("seed_504", "v3")
    nodes = made.to_dataframe("nodes")
    assert list(nodes["name"]) == [node["name"] for node in made.graph()["nodes"]]
    assert nodes["self_ms.p50"].dtype == "Float64"
    hops = made.to_dataframe("failing_hops")
    assert list(hops.columns) == list(ERRORS_COLUMNS)
    assert hops.loc[0, "reason"] == "fault-injected"
    first = made.errors()["failing_hops"][0]["first"]
    assert hops.loc[0, "first"] == pandas.Timestamp(first)
    assert str(hops["first"].dt.tz) == "UTC"


@pytest.mark.parametrize("rows", ["edges", "nodes", "failing_hops"])
def test_a_report_of_nothing_has_columns_and_types(rows: Any, pandas: Any) -> None:
    frame, full = Report().to_dataframe(rows), recorded("seed_504", "v3").to_dataframe(rows)
    assert len(frame) == 0
    assert {column: str(kind)[:10] for column, kind in frame.dtypes.items()} == {
        column: str(kind)[:10] for column, kind in full.dtypes.items()
    }


def test_names_stay_as_they_are(pandas: Any) -> None:
    names = [name for name in HOSTILE if name]
    rows = [span("root", service="front", kind="server", ms=100)]
    for number, name in enumerate(names):
        rows.append(span(f"c{number}", "root", service="front", kind="client", ms=2))
        rows.append(span(f"s{number}", f"c{number}", service=name, kind="server", ms=1))
    frame = report(forest(*rows)).to_dataframe()
    assert sorted(frame["callee"]) == sorted(names)


def test_other_rows_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="spans"):
        Report().to_dataframe("spans")  # type: ignore[arg-type]


def test_without_pandas_it_says_what_to_install_and_all_else_works() -> None:
    program = """
import sys
sys.modules["pandas"] = None
import traceviz
report = traceviz.Report()
traceviz.render(report, "json")
try:
    report.to_dataframe()
except traceviz.TracevizError as trouble:
    print(trouble, "|", trouble.remedy)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=environment(), check=True
    )
    assert ended.stdout == "a DataFrame needs pandas, and it is not installed | pip install pandas\n"


def test_pandas_is_not_imported_until_it_is_asked_for() -> None:
    program = "import sys, traceviz; print('pandas' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout == "False\n"


def test_rows_are_those_of_the_document_in_its_order(pandas: Any) -> None:
    made = recorded("two_faults", "v3")
    assert json.loads(made.to_dataframe()["calls"].to_json(orient="values")) == [
        edge["calls"] for edge in made.graph()["edges"]
    ]
    assert traceviz.Report is Report
