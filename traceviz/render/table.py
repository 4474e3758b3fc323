"""Rows as lines of a terminal: columns named as in JSON; where room is short names are cut in their middle, and columns
that can be spared are left out, which is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from traceviz.documents import (
    Cause,
    Context,
    DiffEdge,
    Edge,
    FailingHop,
    Finding,
    Operation,
    Service,
    SlowHop,
    TreeCall,
    TreeSpan,
)
from traceviz.render.words import columns_of, count, keys, name, share, shorten
from traceviz.rows import Fields, Row, value

GAP = "  "
#: A name keeps this many columns while there is something else that can give way,
LEAST_NAME = 12
#: and never gets fewer than these, or its title has, even where the table gets broader than the terminal.
SHORTEST_NAME = 6
UNKNOWN = "–"

_FIELDS = [
    Fields(kind)
    for kind in (
        *(Edge, Context, DiffEdge, FailingHop, SlowHop, Cause),
        *(Finding, Service, Operation, TreeSpan, TreeCall),
    )
]
#: Fractions, which people read as percents.
_SHARES = (
    *("error_rate", "explains", "share", "self_share", "slower_share"),
    *("critical_share", "critical_way_share"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name in JSON. Where room is short `flexible` ones, which hold names, give way, and then those
    with something in `spare` are left out, the largest first."""

    title: str
    text: Callable[[Row], str]
    right: bool = True
    flexible: bool = False
    spare: int = 0


class LaidOut(NamedTuple):
    """A heading, a line for every row, and the titles of the columns for which there was no room."""

    heading: Text
    rows: list[Text]
    left_out: tuple[str, ...]


def name_of(end: str) -> Column:
    """The name of a node."""
    return Column(end, lambda row: UNKNOWN if row[end] is None else name(row[end]), right=False, flexible=True)


def milliseconds(which: str, spare: int) -> Column:
    """A percentile; as CONTRACT means it alone of the caller's times, else of the callee's."""
    return Column(which, lambda row: _cell(value(row, which)), spare=spare)


GRAPH = (
    name_of("caller"),
    name_of("callee"),
    Column("calls", lambda edge: count(edge["calls"])),
    Column("error_rate", lambda edge: share(edge["error_rate"])),
    milliseconds("p50_ms", spare=2),
    milliseconds("p95_ms", spare=1),
    Column(
        "flags",
        lambda edge: shorten(keys({flag: number for flag, number in edge["flags"].items() if flag != "-"}), 14),
        right=False,
        spare=3,
    ),
)
ERRORS = (
    Column("rank", lambda row: str(row["rank"])),
    name_of("caller"),
    name_of("callee"),
    Column("reason", lambda row: shorten(name(row["reason"]), 20), right=False, flexible=True),
    Column("where", lambda row: name(row["where"]), right=False, spare=2),
    Column("failed_traces", lambda row: count(row["failed_traces"]), spare=1),
)
DIFF = (
    name_of("caller"),
    name_of("callee"),
    Column("change", lambda edge: name(edge["change"]), right=False),
    Column("error_rate_delta", lambda edge: UNKNOWN if (delta := edge["error_rate_delta"]) is None else points(delta)),
    Column("p50_ratio", lambda edge: _times_as_much(edge["p50_ratio"]), spare=1),
    Column("p95_ratio", lambda edge: _times_as_much(edge["p95_ratio"])),
)
SERVICES = (name_of("name"), name_of("node"))
OPERATIONS = (
    name_of("service"),
    name_of("name"),
    Column("kind", lambda row: UNKNOWN if row["kind"] is None else shorten(name(row["kind"]), 10), right=False),
)


def points(delta: float) -> str:
    """A difference of shares, `+12 %` where 3 % became 15 %."""
    return share(0.0) if not delta else f"{'+' if delta > 0 else '-'}{share(abs(delta)).removeprefix('<')}"


def _times_as_much(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else plain(ratio)


def every(titles: Sequence[str]) -> tuple[Column, ...]:
    """Columns for `wide`, whatever rows have: written plainly, nothing cut."""
    return tuple(
        Column(title, lambda row, title=title: _cell(value(row, title)), right=_is_number(title))  # type: ignore[misc]
        for title in titles
    )


def chosen(titles: Sequence[str], usual: Sequence[Column]) -> tuple[Column, ...]:
    """Columns that somebody asked for: written as people read them, none of them to be spared."""
    known = {column.title: column for column in usual}
    return tuple(replace(known[title], spare=0) if title in known else _asked_for(title) for title in titles)


def bare(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The same columns for rows without a heading: in each row all of them have a cell that is not empty."""
    return tuple(
        replace(column, title="", text=lambda row, text=column.text: text(row) or UNKNOWN, spare=0)  # type: ignore[misc]
        for column in columns
    )


def _asked_for(title: str) -> Column:
    def text(row: Row) -> str:
        found = value(row, title)
        if title.rpartition(".")[2] in _SHARES and found is not None:
            return share(found)
        return count(found) if isinstance(found, int) and not isinstance(found, bool) else _cell(found)

    return Column(title, text, right=_is_number(title), flexible=not _is_number(title))


def _is_number(title: str) -> bool:
    return any(fields.kind(title) == "number" for fields in _FIELDS)


def _cell(found: Any) -> str:
    if found is None:
        return UNKNOWN
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, float):
        return plain(found)
    if isinstance(found, Mapping):
        return name(",".join(f"{key}={_cell(part)}" for key, part in found.items())) if found else UNKNOWN
    if isinstance(found, list):
        return name(",".join(str(part) for part in found)) if found else UNKNOWN
    return name(str(found))


def plain(number: float) -> str:
    """A number with three digits that count: `0.069`, `7.7`, `218`, `1250`."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def lines(
    rows: Sequence[Row], columns: Sequence[Column], width: int, marks: Sequence[str], styles: Sequence[str]
) -> list[Text]:
    """The heading and a line for every row, as `lay_out` has them."""
    laid = lay_out(rows, columns, width, marks, styles)
    return [laid.heading, *laid.rows]


def lay_out(
    rows: Sequence[Row], columns: Sequence[Column], width: int, marks: Sequence[str], styles: Sequence[str]
) -> LaidOut:
    """The rows in lines, each led by its mark; within `width` where columns can give way."""
    led = max(map(cell_len, marks), default=0)
    room = width - led
    cells = [[column.text(row) for row in rows] for column in columns]
    wanted = [
        min(max(map(columns_of, (column.title, *texts))), width) for column, texts in zip(columns, cells, strict=True)
    ]
    shown = list(range(len(columns)))
    if sum(wanted) + len(GAP) * (len(columns) - 1) > room:
        shown = [i for i in shown if not columns[i].spare or any(cells[i])]  # nothing is lost with an empty one
    empty = set(range(len(columns))).difference(shown)
    while _least(columns, wanted, shown) > room and any(columns[i].spare for i in shown):
        shown.remove(max(shown, key=lambda i: columns[i].spare))
    widths = _given(columns, wanted, shown, room)
    heading = _line(" " * led, [columns[i].title for i in shown], columns, widths, "bold")
    written = [
        _line(mark, [cells[i][number] for i in shown], columns, widths, style)
        for number, (mark, style) in enumerate(zip(marks, styles, strict=True))
    ]
    left_out = tuple(column.title for i, column in enumerate(columns) if i not in shown and i not in empty)
    return LaidOut(heading, written, left_out)


def _least(columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int]) -> int:
    """The narrowest that these columns can be with readable names, with the gaps between them."""
    least = sum(min(wanted[i], LEAST_NAME) if columns[i].flexible else wanted[i] for i in shown)
    return least + len(GAP) * (len(shown) - 1)


def _given(columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int], room: int) -> dict[int, int]:
    """What each column gets: all that it wants where there is room; else the widest names give way first."""
    given = {i: wanted[i] for i in shown}
    least = {i: max(SHORTEST_NAME, min(cell_len(columns[i].title), LEAST_NAME)) for i in shown}
    while sum(given.values()) + len(GAP) * (len(shown) - 1) > room:
        names = [i for i in shown if columns[i].flexible and given[i] > least[i]]
        if not names:
            break
        given[max(names, key=given.__getitem__)] -= 1
    return given


def _line(mark: str, texts: Sequence[str], columns: Sequence[Column], widths: dict[int, int], style: str) -> Text:
    parts = [
        _padded(shorten(text, widths[i]), widths[i], columns[i].right) for text, i in zip(texts, widths, strict=True)
    ]
    return Text((mark + GAP.join(parts)).rstrip(), style=style)


def _padded(text: str, cells: int, right: bool) -> str:
    space = " " * max(0, cells - cell_len(text))
    return space + text if right else text + space
