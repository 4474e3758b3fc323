"""How the rows of a list are arranged: what `--columns`, `--sort` and `--no-headers` say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from typing import TypeVar

from traceviz.errors import UsageError
from traceviz.rows import Fields, Kind, Row, value
from traceviz.sources.names import shown

#: The formats that are rows under columns.
OF_ROWS = ("table", "wide", "csv")

_Row = TypeVar("_Row", bound=Row)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which columns, in which order, and whether with what stands around them.

    `columns` are instead of the usual ones where there are any, `more` come after them. `order` has fields, each with
    whether the largest comes first. Without `headings` there are rows alone, for `awk` and `cut`: no heading, no
    summary before it and no legend after it, and no empty cell.

    This is for rows only. JSON keeps the order and the fields that CONTRACT promises, and `jq` does all of this to it;
    pictures have an order of their own.
    """

    columns: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    headings: bool = True

    def check(self, format: str) -> None:
        """Raise UsageError where something is said that the format does not have."""
        said = {"--columns": self.columns or self.more, "--sort": self.order, "--no-headers": not self.headings}
        option = next((option for option, given in said.items() if given), None)
        if option is not None and format not in OF_ROWS:
            jq = "Take jq for the list of rows, like: jq '.edges | sort_by(.calls)' of a graph"
            raise UsageError(
                f"{option} is for rows (-o {', '.join(OF_ROWS)}), and not for {format}",
                jq if format == "json" else "Leave it out",
            )

    def titles(self, usual: Sequence[str]) -> tuple[str, ...]:
        """The columns to show where these are the usual ones."""
        chosen = self.columns or tuple(usual)
        return (*chosen, *(name for name in self.more if name not in chosen))

    def ordered(self, rows: Sequence[_Row]) -> list[_Row]:
        """The rows in the order that is wanted. What is not known comes last in either direction, and rows that are
        alike stay as they were."""
        found = list(rows)
        for name, largest_first in reversed(self.order):
            known = [(value(row, name), row) for row in found if value(row, name) is not None]
            unknown = [row for row in found if value(row, name) is None]
            known.sort(key=itemgetter(0), reverse=largest_first)
            found = [row for _, row in known] + unknown
        return found


#: Nothing was said.
AS_USUAL = Arrangement()


def read_arrangement(columns: str | None, sort: str | None, row_type: type, *, headings: bool = True) -> Arrangement:
    """An Arrangement of rows of a type: `columns` like `caller,callee,p99_ms`, or `+p99_ms` for what comes after the
    usual ones; `sort` like `-error_rate,caller`. Raises UsageError for a field that there is not, with the nearest."""
    fields = Fields(row_type)
    listed = (columns or "").strip()
    names = _names("--columns", listed.removeprefix("+"), columns is not None)
    keys = _names("--sort", sort or "", sort is not None)
    for name in names:
        _check("--columns", name, fields, ("number", "text", "truth", "parts", "list"))
    for key in keys:
        _check("--sort", key.removeprefix("-"), fields, ("number", "text", "truth"))
    return Arrangement(
        columns=() if listed.startswith("+") else names,
        more=names if listed.startswith("+") else (),
        order=tuple((key.removeprefix("-"), key.startswith("-")) for key in keys),
        headings=headings,
    )


def _names(option: str, text: str, given: bool) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if given and not names:
        raise UsageError(f"{option} names no field", f"Write it like {option} calls,errors")
    return names


def _check(option: str, name: str, fields: Fields, kinds: tuple[Kind, ...]) -> None:
    kind = fields.kind(name)
    if kind in kinds:
        return
    known = fields.names(*kinds)
    if kind is not None:
        raise UsageError(f"{option}: {shown(name)} has several values", f"There are: {' '.join(known)}")
    close = get_close_matches(name[:100], known, n=1)
    nearest = f"Did you mean {close[0]}? " if close else ""
    raise UsageError(f"{option}: there is no field {shown(name)}", f"{nearest}There are: {' '.join(known)}")
