"""`--fail-on`: what can be written, what it means for a row, and that nonsense is told before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents_made import edge
from traceviz.documents import Edge, FailingHop
from traceviz.errors import UsageError
from traceviz.fail_on import FailOn


def holds(text: str, **fields: Any) -> bool:
    """Whether the expression holds for an edge of 100 calls, 20 of them failed, p50 10 ms and p95 24 ms."""
    return FailOn(text, Edge).holds(edge("a", "b", calls=100, errors=20, p50=10.0, **fields))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("errors > 19", True),
        ("errors > 20", False),
        ("errors >= 20", True),
        ("errors < 20", False),
        ("errors <= 20", True),
        ("errors = 20", True),
        ("errors == 20", True),
        ("errors != 20", False),
        ("errors>19", True),
        ("  errors   >   19  ", True),
        ("errors > -1", True),
        ("errors > 19.5", True),
    ],
)
def test_operators_compare(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 19%", True),
        ("error_rate > 20 %", False),
        ("error_rate = 0.2", True),
        ("p95_ms > 23ms", True),
        ("p95_ms > 0.023s", True),
        ("p95_ms > 1 s", False),
        ("p95_ms >= 24", True),
        ("P95_MS > 1", None),
        ("p95_ms > 23MS", True),
    ],
)
def test_units_are_understood(text: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="P95_MS"):  # fields are named as in JSON
            holds(text)
    else:
        assert holds(text) is expected


def test_a_percentage_is_the_very_share_that_stands_in_the_row() -> None:
    for percent in range(101):
        assert holds(f"error_rate = {percent}%", error_rate=round(percent / 100, 6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # and binds more tightly: the first is true or (false and false)
        ("calls = 100 or calls = 1 and errors = 1", True),
        ("errors = 1 and calls = 1 or calls = 100", True),
        ("(calls = 100 or calls = 1) and errors = 1", False),
        ("calls = 100 and (errors = 1 or errors = 20)", True),
        ("((((calls = 100))))", True),
        ("calls = 100 AND errors = 20", True),
        ("calls = 1 Or errors = 20", True),
        ("calls=100and errors=20", True),
        ("error_rate>1%and calls>3", True),
    ],
)
def test_and_or_and_parentheses_join(text: str, expected: bool) -> None:
    assert holds(text) is expected


def _written(tree: Any) -> tuple[str, bool]:
    """A tree of joins as text in full parentheses, and what it comes to."""
    if isinstance(tree, bool):
        return ("calls = 100" if tree else "calls = 1"), tree
    (left, one), join, (right, other) = _written(tree[0]), tree[1], _written(tree[2])
    return f"({left}) {join} ({right})", (one and other) if join == "and" else (one or other)


@given(st.recursive(st.booleans(), lambda tree: st.tuples(tree, st.sampled_from(["and", "or"]), tree), max_leaves=20))
def test_any_nesting_comes_to_what_logic_says(tree: Any) -> None:
    text, expected = _written(tree)
    assert holds(text) is expected


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["and", "or"])), min_size=1, max_size=12))
def test_without_parentheses_it_is_an_or_of_ands(steps: list[tuple[bool, str]]) -> None:
    text = " ".join(f"calls = {100 if value else 1} {join}" for value, join in steps).rsplit(" ", 1)[0]
    groups, group = [], []
    for value, join in steps:
        group.append(value)
        if join == "or":
            groups.append(group)
            group = []
    groups.append(group or [False])
    assert holds(text) is any(all(group) for group in groups)


def test_dotted_names_reach_inside() -> None:
    assert holds("client_ms.p95 > 23 and client_ms.p95 < 25 and gap_ms.max > 17")
    assert holds("statuses.503 = 20 and flags.UF > 3", flags={"UF": 5})
    assert not holds("statuses.404 > 0")


def test_keys_may_hold_dots_themselves() -> None:
    row: Any = {"callers": {"reviews.a": 3, "b": 1}, "concentrated_in": {"version": {"value": "v3", "share": 0.9}}}
    assert FailOn("callers.reviews.a = 3 and callers.b = 1", FailingHop).holds(row)
    assert FailOn("concentrated_in.version.share > 89%", FailingHop).holds(row)


def test_percentiles_alone_are_the_callers_else_the_callees() -> None:
    server = {"count": 1, "mean": 7.0, "p50": 7.0, "p90": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}
    assert holds("p50_ms = 10", server_ms=server)
    for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms"):
        assert holds(f"{name} = 7", client_ms=None, server_ms=server)
    assert not holds("p50_ms > 0 or p50_ms <= 0", client_ms=None, server_ms=None)


def test_what_is_not_known_makes_no_comparison_true() -> None:
    for operator in (">", "<", ">=", "<=", "=", "!="):
        assert not holds(f"gap_ms.p95 {operator} 0", gap_ms=None)
        assert not holds(f"calls_per_s {operator} 0", calls_per_s=None)


def test_truth_is_1() -> None:
    assert holds("failing_hop = 1", failing_hop=True)
    assert not holds("failing_hop = 1")


@pytest.mark.parametrize("row_type", [Edge, FailingHop])
@pytest.mark.parametrize("field", ["nosuch", "error_rates", "caller", "examples", "client_ms.p96", "client_ms", "x.y"])
def test_a_field_that_is_no_number_of_such_rows_is_told_though_there_is_no_row(field: str, row_type: type) -> None:
    with pytest.raises(UsageError, match=f"no number '{field}'") as caught:
        FailOn(f"calls > 1 and {field} > 1", row_type)
    assert "calls" in caught.value.remedy


def test_percentiles_are_no_fields_of_failing_hops() -> None:
    with pytest.raises(UsageError, match="p95_ms"):
        FailOn("p95_ms > 1", FailingHop)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing at the end"),
        ("   ", "missing at the end"),
        ("calls", "'calls'"),
        ("calls >", "'calls >'"),
        ("calls > many", "'calls > many'"),
        ("> 3", "'> 3'"),
        ("3 < calls", "'3 < calls'"),
        ("calls > 3 and", "missing at the end"),
        ("and calls > 3", "'and calls > 3'"),
        ("calls > 3 or or calls > 4", "'or calls > 4'"),
        ("calls > 3 calls > 4", "'calls > 4'"),
        ("(calls > 3", "missing at the end"),
        ("calls > 3)", "')'"),
        ("()", "')'"),
        ("(", "missing at the end"),
        (")", "')'"),
        ("calls > 3 (errors > 1)", "'(errors > 1)'"),
        ("calls > 3 kg", "'kg'"),
        ("calls > 3m", "'m'"),
        ("calls > 1,000", "',000'"),
        ("calls => 3", "'calls => 3'"),
        ("calls > 3; errors > 1", "'; errors > 1'"),
        ("not calls > 3", "'not calls > 3'"),
        ("calls > NaN", "'calls > NaN'"),
    ],
)
def test_what_cannot_be_read_is_shown(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        FailOn(text, Edge)
    assert said in str(caught.value)
    assert "FIELD OP NUMBER" in caught.value.remedy


@given(st.lists(st.sampled_from([*"()<>=!%.- 0159msxé\x00\ud800", "calls", "and ", "or ", "p95_ms"]), max_size=30))
def test_any_text_is_read_or_refused(pieces: list[str]) -> None:
    try:
        expression = FailOn("".join(pieces), Edge)
    except UsageError:
        return
    assert expression.holds(edge("a", "b")) in (True, False)


def test_a_thousand_parentheses_and_a_huge_number_are_read() -> None:
    assert holds("(" * 5000 + "calls > 3" + ")" * 5000)
    assert not holds(f"calls > {'9' * 5000}")
