"""Traces made for the doctor: rows ▸ findings."""

from __future__ import annotations

from collections.abc import Iterable

from tests.builder import Row, forest
from traceviz.doctor import Checkup, doctor
from traceviz.documents import Finding


def findings(*rows: Row) -> list[Finding]:
    """What the doctor finds in these spans."""
    checkup = Checkup()
    return doctor(checkup.count(forest(*rows)), checkup)["findings"]


def found(code: str, *rows: Row) -> list[Finding]:
    """The findings of one code."""
    return [one for one in findings(*rows) if one["code"] == code]


def only(code: str, *rows: Row) -> Finding:
    """The one finding of a code."""
    (finding,) = found(code, *rows)
    return finding


def problems(some: Iterable[Finding]) -> list[tuple[str, str | None]]:
    """Code and service of those that are problems."""
    return [(one["code"], one["service"]) for one in some if one["level"] == "problem"]
