"""Times of a trace as bars of characters on one axis, with a scale above them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from traceviz.render.tree_rows import Interval
from traceviz.render.words import millis

#: A callee's own time; its waiting for calls that it made; what its caller waited beside that; the callee at work after
#: its caller had left; a callee not seen; a fold. They differ without colour, and in every font of a terminal.
OWN, WAITING, GAP, LATE, UNSEEN, FOLDED = "█═─▒░·"
EIGHTHS = " ▏▎▍▌▋▊▉"
TICK = "│"
#: Between two ticks are at least so many cells, their words included.
APART = 12


@dataclass(frozen=True, slots=True)
class Axis:
    """`cells` characters for the time from `begin_ms` to `end_ms`."""

    begin_ms: float
    end_ms: float
    cells: int

    def position(self, time_ms: float) -> float:
        """Where a time is, in cells from the left, never outside."""
        whole = self.end_ms - self.begin_ms
        part = (time_ms - self.begin_ms) / whole if whole > 0 else 0.0
        return min(max(part, 0.0), 1.0) * self.cells


def axis(intervals: Sequence[Interval], duration_ms: float, cells: int) -> Axis:
    """The axis that holds the whole trace, and everything of it that reaches beyond."""
    return Axis(
        min([0.0, *(begin for begin, _ in intervals)]), max([duration_ms, *(end for _, end in intervals)]), cells
    )


def bar(on: Axis, whole: Interval, working: Sequence[Interval], calls: Sequence[Interval]) -> str:
    """A call: when its caller waited, in it when its callee worked, and in that when the callee waited for others; and
    how long the callee went on alone.

    Without `working` the callee was not seen. The shortest call still is a sliver of a cell.
    """
    first, last = _cells(on, whole)
    cells = [" "] * on.cells
    for interval in working:
        begin, end = _cells(on, interval)
        cells[begin:end] = [LATE] * (end - begin)
    cells[first:last] = [GAP if working else UNSEEN] * (last - first)
    until = 0.0
    for interval in working:
        begin, end = _cells(on, interval)
        begin, end = max(begin, first), min(end, last)
        cells[begin:end] = [OWN] * (end - begin)
        until = max(until, min(on.position(interval[1]), on.position(whole[1])))
    for interval in calls:
        begin, end = (round(on.position(time)) for time in interval)
        for cell in range(max(begin, first), min(end, last)):
            if cells[cell] == OWN:
                cells[cell] = WAITING
    if cells[last - 1] == OWN and LATE not in cells[last:]:
        eighths = round((until - max(last - 1, on.position(whole[0]))) * 8)
        cells[last - 1] = EIGHTHS[max(eighths, 1)] if eighths < 8 else OWN
    return "".join(cells).rstrip()


def folded_bar(on: Axis, intervals: Sequence[Interval]) -> str:
    """Where on the axis folded calls were."""
    cells = [" "] * on.cells
    for interval in intervals:
        first, last = _cells(on, interval)
        cells[first:last] = [FOLDED] * (last - first)
    return "".join(cells).rstrip()


def _cells(on: Axis, interval: Interval) -> tuple[int, int]:
    """The cells of an interval, at least one."""
    first = min(math.floor(on.position(interval[0]) + 1e-6), on.cells - 1)
    return first, max(first + 1, math.ceil(on.position(interval[1]) - 1 / 16))


def scale(on: Axis) -> str:
    """`│0 ms      │100 ms    │200 ms    254 ms│`: the end, and as many round times before it as have room."""
    whole = on.end_ms - on.begin_ms
    if whole <= 0:
        return f"{TICK}0 ms"[: on.cells]
    end = millis(on.end_ms) + TICK
    room = on.cells - len(end) - 1
    if room < len(f"{TICK}0 ms"):
        end, room = "", on.cells
    step = _step(whole * APART / on.cells)
    line = ""
    for number in range(math.ceil(on.begin_ms / step), math.floor(on.end_ms / step) + 1):
        words = TICK + millis(number * step)
        at = math.floor(on.position(number * step) + 1e-6)
        if at >= len(line) and at + len(words) <= room:
            line = line.ljust(at) + words
    return line + end.rjust(on.cells - len(line)) if end else line


def _step(least: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
