"""`--fail-on 'error_rate > 1% or p95_ms > 500'`: FIELD OP NUMBER, joined by and, or, parentheses, over rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from traceviz.errors import UsageError

Row = Mapping[str, Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<join>and\b|or\b)"
    r"|(?P<field>[A-Za-z_][\w.-]*)\s*(?P<op>>=|<=|==|!=|>|<|=)\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<unit>%|ms\b|s\b|))",
    re.IGNORECASE,
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_UNITS = {"": 1.0, "%": 0.01, "ms": 1.0, "s": 1000.0}
_PERCENTILES = re.compile(r"(mean|p50|p90|p95|p99|max)_ms")


class FailOn:
    """A parsed expression. `holds(row)` tells whether it holds for one row of a document.

    Dotted names reach inside (`client_ms.p95`); `p50_ms` … `p99_ms` alone are of client_ms, else of server_ms.
    A value that is not known makes no comparison true. Times are in ms, `s` and `%` are converted.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._postfix = _postfix(text)

    def fields(self) -> list[str]:
        """The fields that the expression asks for."""
        return [step[0] for step in self._postfix if isinstance(step, tuple)]

    def holds(self, row: Row) -> bool:
        """Whether the expression holds for this row."""
        stack: list[bool] = []
        for step in self._postfix:
            if isinstance(step, tuple):
                field, compare, number = step
                value = _value(row, field)
                stack.append(value is not None and compare(value, number))
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if step == "and" else left or right)
        return stack.pop()

    def check(self, row: Row) -> None:
        """Raise UsageError where the rows have no such field."""
        for field in self.fields():
            if not _known(row, field):
                names = ", ".join(sorted(name for name, value in row.items() if not isinstance(value, list | str)))
                raise UsageError(
                    f"--fail-on: there is no field {field!r} to compare", f"Fields: {names}, p50_ms … p99_ms"
                )


_Step = tuple[str, Callable[[Any, Any], bool], float] | str


def _postfix(text: str) -> list[_Step]:
    """Operators after their operands; `and` binds more tightly than `or`."""
    output: list[_Step] = []
    waiting: list[str] = []
    at, operand_next = 0, True
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or operand_next != bool(match["field"] or match["paren"] == "("):
            raise _malformed(text, at)
        at = match.end()
        if match["field"]:
            output.append(
                (match["field"], _OPERATORS[match["op"]], float(match["number"]) * _UNITS[match["unit"].lower()])
            )
            operand_next = False
        elif match["paren"] == "(":
            waiting.append("(")
        elif match["paren"] == ")":
            while waiting and waiting[-1] != "(":
                output.append(waiting.pop())
            if not waiting:
                raise _malformed(text, match.start())
            waiting.pop()
        else:
            join = match["join"].lower()
            while waiting and waiting[-1] != "(" and (join == "or" or waiting[-1] == "and"):
                output.append(waiting.pop())
            waiting.append(join)
            operand_next = True
    if operand_next or "(" in waiting:
        raise _malformed(text, at)
    return [*output, *reversed(waiting)]


def _malformed(text: str, at: int) -> UsageError:
    rest = text[at:].strip()
    return UsageError(
        f"--fail-on {text!r}: cannot read {rest!r}" if rest else f"--fail-on {text!r}: something is missing at the end",
        "Write FIELD OP NUMBER, joined by and, or, parentheses: error_rate > 1% or p95_ms > 500",
    )


def _value(row: Row, field: str) -> Any:
    if _PERCENTILES.fullmatch(field) and field not in row:
        times = row.get("client_ms") or row.get("server_ms")
        return times[field.removesuffix("_ms")] if times else None
    value: Any = row
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) else None


def _known(row: Row, field: str) -> bool:
    if _PERCENTILES.fullmatch(field):
        return field in row or "client_ms" in row
    return field.partition(".")[0] in row
