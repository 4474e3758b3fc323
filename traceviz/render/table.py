"""Rows as lines of a terminal: columns named as in JSON; names get the room that is left, cut in their middle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from traceviz.render.export import at
from traceviz.render.words import count, keys, name, share, shorten

GAP = "  "
#: A name is never cut below this many columns, even where the table gets broader than the terminal.
LEAST_NAME = 12
UNKNOWN = "–"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name in JSON. Where room is short `flexible` ones, which hold names, give way, and then
    `spare` ones are left out, the last first."""

    title: str
    text: Callable[[Row], str]
    right: bool = True
    flexible: bool = False
    spare: bool = False


def name_of(end: str) -> Column:
    """The name of a node."""
    return Column(end, lambda row: UNKNOWN if row[end] is None else name(row[end]), right=False, flexible=True)


def milliseconds(which: str) -> Column:
    """A percentile as CONTRACT means it alone: of the caller's times, else of the callee's."""

    def text(row: Row) -> str:
        times = row["client_ms"] or row["server_ms"]
        return UNKNOWN if times is None else plain(times[which])

    return Column(f"{which}_ms", text)


GRAPH = (
    name_of("caller"),
    name_of("callee"),
    Column("calls", lambda edge: count(edge["calls"])),
    Column("error_rate", lambda edge: share(edge["error_rate"])),
    milliseconds("p50"),
    milliseconds("p95"),
    Column(
        "flags",
        lambda edge: shorten(keys({flag: number for flag, number in edge["flags"].items() if flag != "-"}), 14),
        right=False,
        spare=True,
    ),
)
ERRORS = (
    Column("rank", lambda row: str(row["rank"])),
    name_of("caller"),
    name_of("callee"),
    Column("reason", lambda row: shorten(name(row["reason"]), 20), right=False),
    Column("where", lambda row: name(row["where"]), right=False, spare=True),
    Column("failed_traces", lambda row: count(row["failed_traces"]), spare=True),
)
SERVICES = (name_of("name"), name_of("node"))
OPERATIONS = (
    name_of("service"),
    name_of("name"),
    Column("kind", lambda row: UNKNOWN if row["kind"] is None else shorten(name(row["kind"]), 10), right=False),
)


def every(columns: Sequence[str]) -> tuple[Column, ...]:
    """Columns for `wide`: all that a row has, written plainly."""
    return tuple(_plain_column(title) for title in columns)


def _plain_column(title: str) -> Column:
    return Column(title, lambda row: _cell(at(row, title)), right=not title.endswith(("caller", "callee")))


def _cell(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, Mapping):
        return name(",".join(f"{key}={_cell(part)}" for key, part in value.items())) or UNKNOWN
    if isinstance(value, list):
        return name(",".join(str(part) for part in value)) or UNKNOWN
    return str(value).lower() if isinstance(value, bool) else name(str(value))


def plain(value: float) -> str:
    """A number with three digits that count: `0.069`, `7.7`, `218`, `1250`."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def lines(
    rows: Sequence[Row], columns: Sequence[Column], width: int, marks: Sequence[str], styles: Sequence[str]
) -> list[Text]:
    """The heading and a line for every row, each led by its mark; within `width` where columns can give way."""
    led = max(map(cell_len, marks), default=0)
    room = width - led
    cells = [[column.text(row) for row in rows] for column in columns]
    wanted = [max(map(cell_len, (column.title, *texts))) for column, texts in zip(columns, cells, strict=True)]
    shown = list(range(len(columns)))
    while _least(columns, wanted, shown) > room and any(columns[i].spare for i in shown):
        shown.remove(max(i for i in shown if columns[i].spare))
    widths = _given(columns, wanted, shown, room)
    heading = _line(" " * led, [columns[i].title for i in shown], columns, widths, "bold")
    return [
        heading,
        *(
            _line(mark, [cells[i][number] for i in shown], columns, widths, style)
            for number, (mark, style) in enumerate(zip(marks, styles, strict=True))
        ),
    ]


def _least(columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int]) -> int:
    """The narrowest that these columns can be, with the gaps between them."""
    least = sum(min(wanted[i], LEAST_NAME) if columns[i].flexible else wanted[i] for i in shown)
    return least + len(GAP) * (len(shown) - 1)


def _given(columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int], room: int) -> dict[int, int]:
    """What each column gets: all that it wants where there is room; else the widest names give way first."""
    given = {i: wanted[i] for i in shown}
    names = [i for i in shown if columns[i].flexible]
    while sum(given.values()) + len(GAP) * (len(shown) - 1) > room:
        widest = max(names, key=given.__getitem__, default=None)
        if widest is None or given[widest] <= LEAST_NAME:
            break
        given[widest] -= 1
    return given


def _line(mark: str, texts: Sequence[str], columns: Sequence[Column], widths: dict[int, int], style: str) -> Text:
    parts = [
        _padded(shorten(text, widths[i]), widths[i], columns[i].right) for text, i in zip(texts, widths, strict=True)
    ]
    return Text((mark + GAP.join(parts)).rstrip(), style=style)


def _padded(text: str, cells: int, right: bool) -> str:
    space = " " * max(0, cells - cell_len(text))
    return space + text if right else text + space
