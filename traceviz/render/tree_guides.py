"""The lines that lead from a call to those that it made, as text before their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from traceviz.render.tree_folding import Entry


class Guided(Protocol):
    """What the lines before a row depend on."""

    @property
    def critical(self) -> bool: ...
    @property
    def asynchronous(self) -> bool: ...


#: One level further in.
SHIFT = "│  "
_NOTHING = "   "
#: (on the critical path, asynchronous) ▸ before the last one below a call, before the others.
CONNECTORS = {
    (False, False): ("└─ ", "├─ "),
    (True, False): ("┗━ ", "┣━ "),
    (False, True): ("└╌ ", "├╌ "),
    (True, True): ("┗╍ ", "┣╍ "),
}


def guides(entries: Sequence[Entry], rows: Sequence[Guided], levels: int) -> list[str]:
    """What stands before the name of every entry.

    Deeper than `levels` they go no further in, and the number of the level stands there, `…12 └─ `: a chain of 100,000
    calls is no broader than one of ten.
    """
    last = _last_ones(entries)
    led: list[str] = []
    open_levels: list[bool] = []  # of the levels above, which go on below this entry
    for entry, is_last in zip(entries, last, strict=True):
        if entry.depth == 0:
            led.append("")
            open_levels = []
            continue
        row = None if entry.place is None else rows[entry.place]
        style = (row is not None and row.critical, row is not None and row.asynchronous)
        connector = CONNECTORS[style][0 if is_last else 1]
        if entry.depth > levels:
            led.append(f"…{entry.depth} ".ljust(len(SHIFT) * (levels - 1)) + connector)
            continue
        del open_levels[entry.depth - 1 :]
        led.append("".join(SHIFT if goes_on else _NOTHING for goes_on in open_levels) + connector)
        open_levels.append(not is_last)
    return led


def _last_ones(entries: Sequence[Entry]) -> list[bool]:
    """For every entry whether no other follows below the same parent."""
    followed: set[int | None] = set()
    last = [False] * len(entries)
    for number in range(len(entries) - 1, -1, -1):
        last[number] = entries[number].parent not in followed
        followed.add(entries[number].parent)
    return last
