"""`--fail-on 'error_rate > 1% or p95_ms > 500'`: FIELD OP NUMBER, joined by and, or, parentheses, over rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from traceviz.errors import UsageError
from traceviz.rows import Fields, Kind, Row, value

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
#: Decimals, so that 57 % is the float 0.57 that stands in a row.
_UNITS = {"": Decimal(1), "%": Decimal("0.01"), "ms": Decimal(1), "s": Decimal(1000)}
#: True and false are 1 and 0.
_COMPARABLE: tuple[Kind, ...] = ("number", "truth")


class FailOn:
    """A parsed expression. `holds(row)` tells whether it holds for one row of a document.

    Fields are named as `rows` has them. A value that is not known makes no comparison true. Times are in ms, `s` and
    `%` are converted.
    `row_type` is the TypedDict of the rows. Raises UsageError for what cannot be read, and for a field that such rows
    do not have or that is no number.
    """

    def __init__(self, text: str, row_type: type) -> None:
        self.text = text
        self._postfix = _postfix(text)
        fields = Fields(row_type)
        for step in self._postfix:
            if isinstance(step, tuple):
                _check(step[0], fields)

    def holds(self, row: Row) -> bool:
        """Whether the expression holds for this row."""
        stack: list[bool] = []
        for step in self._postfix:
            if isinstance(step, tuple):
                field, compare, number = step
                found = _number(row, field)
                stack.append(found is not None and compare(found, number))
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if step == "and" else left or right)
        return stack.pop()


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
            number = float(Decimal(match["number"]) * _UNITS[match["unit"].lower()])
            output.append((match["field"], _OPERATORS[match["op"]], number))
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


def _number(row: Row, field: str) -> int | float | None:
    """The number under a dotted name, None where there is none."""
    found = value(row, field)
    return found if isinstance(found, int | float) else None


def _check(field: str, fields: Fields) -> None:
    """Raise UsageError where rows hold no number under the name, whatever they hold today."""
    if fields.kind(field) not in _COMPARABLE:
        raise UsageError(
            f"--fail-on: there is no number {field!r} to compare", f"There are: {' '.join(fields.names(*_COMPARABLE))}"
        )
