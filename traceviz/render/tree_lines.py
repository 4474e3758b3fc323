"""The lines of a tree in a terminal: how a line's room is shared out, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.text import Span, Text

from traceviz.render import table
from traceviz.render.telling_apart import Names
from traceviz.render.text import UNCUT
from traceviz.render.tree_bars import EIGHTHS, FOLDED, GAP, LATE, OWN, UNSEEN, WAITING, axis, bar, folded_bar, scale
from traceviz.render.tree_folding import Entry
from traceviz.render.tree_guides import SHIFT, guides
from traceviz.render.tree_rows import TreeRow, children, telling
from traceviz.render.tree_words import fold_words
from traceviz.render.words import name, shorten

BROKE, FAILED, AGAIN, TOWARDS = "×►", "×", "↻", " → "
#: Guides as they go on below a line.
_GO_ON = str.maketrans("├┣└┗─━╌╍", "││      ")
#: The least columns that names and bars get; what bars keep where names have to be cut all the same; the most they get.
LEAST_NAMES, LEAST_BAR, FAIR_BAR, MOST_BAR = 24, 12, 18, 60
#: However broad the terminal is, operations make names no broader than this.
MOST_NAMES = 120
#: No more room than for the guides of this level is given to deeper ones.
DEEPEST = 24
#: Guides leave so much to a name, or what it needs.
LEAST_NAME = 12
#: An operation is left out where fewer columns than this are left for it.
LEAST_OPERATION = 10
#: Up to which width status and flags get at most how many columns; beyond, MOST_SIGNS.
SIGNS = ((50, 8), (119, 14))
MOST_SIGNS = 32

_FAINT = frozenset((GAP, UNSEEN, FOLDED))


def mark(row: TreeRow) -> str:
    """What stands before a line that failed."""
    return BROKE if row.failing else FAILED if row.error else ""


def style(row: TreeRow) -> str:
    """The look of a line."""
    return "bold red" if row.failing else "red" if row.error else "bold" if row.critical else ""


class _Cells:
    """A column of numbers or words between names and bar: `cells` broad, at most `most`."""

    def __init__(self, title: str, texts: Sequence[str], right: bool, most: int = UNCUT) -> None:
        self.title, self.texts, self.right = title, texts, right
        self.cells = max(cell_len(title), min(max(map(cell_len, texts)), most))

    def written(self, text: str) -> str:
        text = shorten(text, self.cells)
        space = " " * (self.cells - cell_len(text))
        return table.GAP + (space + text if self.right else text + space)


class TreeLines:
    """The lines for `entries` of `rows`, at least one, on an axis that holds `duration_ms`."""

    def __init__(self, rows: Sequence[TreeRow], entries: Sequence[Entry], duration_ms: float, width: int) -> None:
        self._rows, self._entries, self._width = rows, entries, width
        places = [entry.place for entry in entries if entry.place is not None]
        shown = [rows[place] for place in places]
        self._by_place = {place: number for number, place in enumerate(places)}
        marks = [*map(mark, shown), *(_fold_mark(entry) for entry in entries)]
        self._led = max(map(len, marks)) + 1 if any(marks) else 0
        self._cells = _columns(shown, width)
        self._apart = Names(each for row in shown for each in (row.name, row.caller) if each is not None)
        self._title = "callee" if shown[0].role is None else "service"
        enough = LEAST_NAMES + len(table.GAP) + LEAST_BAR
        for spared, wanted in (("self_ms", enough), ("role", LEAST_NAMES)):
            if self._left() < wanted:
                self._cells = [cell for cell in self._cells if cell.title != spared]
        left = self._left()
        self._names = self._names_of(left) if left >= enough else left
        self._guides = guides(entries, rows, self._levels())
        cells = min(left - self._names - len(table.GAP), MOST_BAR) if left >= enough else 0
        self._axis = axis([(row.start_ms, row.end_ms) for row in rows], duration_ms, cells)
        self._bars = self._drawn(children(rows)) if cells else [""] * len(entries)

    def _left(self) -> int:
        """The room that names and bars have."""
        return self._width - self._led - sum(cell.cells + len(table.GAP) for cell in self._cells)

    def _names_of(self, left: int) -> int:
        """Of the room that names and bars have, what names get: half where they need it with the operations, and more
        where they do without, or bars can do with less."""
        whole = bare = 0
        for row in self._shown():
            led = len(SHIFT) * min(row.depth, DEEPEST)
            operation = telling(row)
            cells = led + cell_len(_named(row))
            bare = max(bare, cells)
            whole = max(whole, cells + (len(table.GAP) + cell_len(operation) if operation else 0))
        room = left - len(table.GAP)
        if bare > room - LEAST_BAR:
            return max(LEAST_NAMES, room - FAIR_BAR)
        return max(LEAST_NAMES, bare, min(whole, MOST_NAMES, max(left // 2, room - MOST_BAR)))

    def _levels(self) -> int:
        """How many levels guides show, so that they leave room for the names behind them."""
        usual = (self._names - LEAST_NAME) // len(SHIFT)
        deep = [cell_len(_named(row)) for row in self._shown() if row.depth > usual]
        return max(2, (self._names - min(LEAST_NAME, max(deep, default=LEAST_NAME))) // len(SHIFT))

    def _shown(self) -> Iterator[TreeRow]:
        return (self._rows[entry.place] for entry in self._entries if entry.place is not None)

    def _drawn(self, below: Sequence[Sequence[int]]) -> list[str]:
        """The bar of every entry."""
        bars = []
        for entry in self._entries:
            if entry.fold is not None:
                bars.append(folded_bar(self._axis, entry.fold.intervals))
            elif entry.place is not None:
                row = self._rows[entry.place]
                calls = [(self._rows[one].start_ms, self._rows[one].end_ms) for one in below[entry.place]]
                bars.append(bar(self._axis, (row.start_ms, row.end_ms), row.working, calls))
        return bars

    def lines(self) -> list[Text]:
        """The heading and a line for every entry; below a call that broke another that says why."""
        title = " " * self._led + self._title.ljust(self._names)
        title += "".join(cell.written(cell.title) for cell in self._cells)
        title += table.GAP + scale(self._axis) if self._axis.cells else ""
        lines = [Text(title.rstrip(), style="bold")]
        for entry, led, drawn in zip(self._entries, self._guides, self._bars, strict=True):
            if entry.place is None:
                lines.append(self._fold(entry, led, drawn))
                continue
            row = self._rows[entry.place]
            lines.append(self._line(row, self._by_place[entry.place], led, drawn))
            if row.why:
                lines.append(self._because(row, led))
        return lines

    def _line(self, row: TreeRow, number: int, led: str, drawn: str) -> Text:
        look = style(row)
        parts = [(mark(row).ljust(self._led), look), (led, "dim"), *self._name(row, self._names - len(led))]
        parts.append(("".join(cell.written(cell.texts[number]) for cell in self._cells), look))
        if drawn:
            parts.append((table.GAP, ""))
            solid = "red" if row.error else "bold cyan" if row.critical else "cyan"
            parts += [
                ("".join(signs), "dim" if faint else solid) for faint, signs in groupby(drawn, _FAINT.__contains__)
            ]
        return _line_of(parts)

    def _name(self, row: TreeRow, cells: int) -> list[tuple[str, str]]:
        """Caller, callee, attempts and operation in so many columns; the operation goes first."""
        parts: list[tuple[str, str]] = []
        called, again = name(row.name), _again(row)
        if row.caller is not None:
            left = cells - len(again) - len(TOWARDS)
            by = self._apart.cut(row.caller, max(left // 2, left - cell_len(called))) + TOWARDS
            parts.append((by, ""))
            cells -= cell_len(by)
        called = self._apart.cut(row.name, max(cells - len(again), 1)) + again
        parts.append((called, style(row)))
        cells -= cell_len(called)
        operation, left = telling(row), cells - len(table.GAP)
        if operation and left >= min(LEAST_OPERATION, cell_len(operation)):
            operation = table.GAP + shorten(operation, left)
            parts.append((operation, "dim"))
            cells -= cell_len(operation)
        return [*parts, (" " * cells, "")]

    def _fold(self, entry: Entry, led: str, drawn: str) -> Text:
        """A fold's words, which reach into the columns of numbers, of which it has none, and where they have to into
        that of bars."""
        if entry.fold is None:
            return Text()
        look = "red" if entry.fold.failed else "dim"
        line = Text().append(_fold_mark(entry).ljust(self._led), look).append(led, "dim")
        end = self._led + self._names + sum(cell.cells + len(table.GAP) for cell in self._cells)
        words = fold_words(entry.fold)
        if not drawn or line.cell_len + cell_len(words) > end:
            return line.append(shorten(words, self._width - line.cell_len), look)
        line.append(words, look)
        return line.append(" " * (end + len(table.GAP) - line.cell_len) + drawn, "dim")

    def _because(self, row: TreeRow, led: str) -> Text:
        line = Text().append(" " * self._led + led.translate(_GO_ON), "dim")
        return line.append(shorten(f"^ {row.why}", self._width - line.cell_len), "bold red")

    def legend(self) -> list[str]:
        """What the signs mean that occur: `× failed`, `█ own time`."""
        rows = [self._rows[entry.place] for entry in self._entries if entry.place is not None]
        below = [row for row in rows if row.depth]
        drawn = set("".join(self._bars))
        deep = any(led.startswith("…") for led in self._guides)
        meanings = (
            (BROKE, "an error started here", any(row.failing for row in rows)),
            (FAILED, "failed", any(row.error and not row.failing for row in rows)),
            ("┗━", "on the critical path", any(row.critical for row in below)),
            ("└╌", "asynchronous", any(row.asynchronous for row in below)),
            ("…9", "the level, where it is deep", deep),
            (AGAIN, "attempts", any(row.attempts > 1 for row in rows)),
            (OWN, "own time", bool(drawn & {OWN, *EIGHTHS.strip()})),
            (WAITING, "waits for what it called", WAITING in drawn),
            (GAP, "network, proxies, queues", GAP in drawn),
            (LATE, "goes on after its caller left", LATE in drawn),
            (UNSEEN, "callee not seen: never reached, or without spans", UNSEEN in drawn),
            (FOLDED, "calls that are folded", FOLDED in drawn),
        )
        return [f"{sign} {meaning}" for sign, meaning, occurs in meanings if occurs]


def _line_of(parts: Sequence[tuple[str, str]]) -> Text:
    """Texts with their looks in a row, without spaces at the end. Of a hundred thousand lines `append` is half the
    time."""
    written = "".join(text for text, _ in parts).rstrip()
    spans: list[Span] = []
    at = 0
    for text, look in parts:
        if look and at < len(written):
            spans.append(Span(at, min(at + len(text), len(written)), look))
        at += len(text)
    return Text(written, spans=spans)


def _columns(shown: Sequence[TreeRow], width: int) -> list[_Cells]:
    """Duration, own time, what of it there is of roles, status and flags."""
    cells = [
        _Cells("duration_ms", tuple(table.plain(row.duration_ms) for row in shown), right=True),
        _Cells(
            "self_ms", tuple(table.UNKNOWN if row.self_ms is None else table.plain(row.self_ms) for row in shown), True
        ),
    ]
    if shown[0].role is not None:
        cells.append(_Cells("role", tuple(row.role or "" for row in shown), right=False))
    if any(row.signs for row in shown):
        most = next((most for broadest, most in SIGNS if width <= broadest), MOST_SIGNS)
        cells.append(_Cells("status", tuple(" ".join(row.signs) for row in shown), right=False, most=most))
    return cells


def _again(row: TreeRow) -> str:
    return f" {AGAIN}{row.attempts}" if row.attempts > 1 else ""


def _named(row: TreeRow) -> str:
    """Caller, callee and attempts."""
    caller = "" if row.caller is None else name(row.caller) + TOWARDS
    return caller + name(row.name) + _again(row)


def _fold_mark(entry: Entry) -> str:
    if entry.fold is None:
        return ""
    return BROKE if entry.fold.failing else FAILED if entry.fold.failed else ""
