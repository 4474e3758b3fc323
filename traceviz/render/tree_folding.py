"""Which rows of a trace are shown one by one, and what becomes of the others: folded into a line that counts them.

What broke and what is on the critical path goes before everything else. Nothing is folded without being counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from traceviz.render.tree_rows import TreeRow, children

#: Of more siblings that are alike than this only some are shown.
ALIKE = 8
#: So many of them, the ones that matter most.
SHOWN_OF_ALIKE = 4
#: Calls that broke, or are on the critical path, are shown beyond that, but no more than this of siblings alike.
MOST_OF_ALIKE = 24

#: What differs between calls that are alike: ids, numbers.
_VARIES = re.compile(r"[0-9a-fA-F-]*\d[0-9a-fA-F-]*")


@dataclass(slots=True)
class Fold:
    """Rows that are not shown one by one: `siblings` of the same name, and `below` them."""

    name: str
    siblings: int = 0
    below: int = 0
    failed: int = 0
    failing: int = 0
    critical: int = 0
    shortest_ms: float = float("inf")
    longest_ms: float = 0.0
    intervals: list[tuple[float, float]] = field(default_factory=list)

    def add(self, row: TreeRow, top: bool) -> None:
        """Count a row, `top` where it is a sibling itself."""
        self.siblings += top
        self.below += not top
        self.failed += row.error
        self.failing += row.failing
        self.critical += row.critical
        if top:
            self.shortest_ms = min(self.shortest_ms, row.duration_ms)
            self.longest_ms = max(self.longest_ms, row.duration_ms)
            self.intervals.append((row.start_ms, row.end_ms))


@dataclass(frozen=True, slots=True)
class Entry:
    """A shown row by its place in the list of rows, or a fold. `parent` is the place of another entry before it;
    `between` counts the rows that lie between the two and are not shown."""

    parent: int | None
    depth: int
    place: int | None
    fold: Fold | None
    between: int


def all_but_alike(rows: Sequence[TreeRow], alike: int = ALIKE, shown: int = SHOWN_OF_ALIKE) -> list[bool]:
    """For every row whether it is shown: of many siblings that are alike those that broke, else are critical, else
    failed, else are the longest; with them everything that is below them."""
    weights = _weights(rows)
    below = children(rows)
    kept = [True] * len(rows)
    roots = [place for place, row in enumerate(rows) if row.parent is None]
    for siblings in (roots, *below):
        if len(siblings) <= alike:
            continue
        groups: dict[tuple[str, str, bool], list[int]] = {}
        for place in siblings:
            row = rows[place]
            groups.setdefault((row.name, _VARIES.sub("#", row.operation), row.asynchronous), []).append(place)
        for group in groups.values():
            if len(group) > alike:
                for place in _lesser(group, weights, shown):
                    kept[place] = False
    for place, row in enumerate(rows):
        if row.parent is not None and not kept[row.parent]:
            kept[place] = False
    return kept


def _lesser(group: Sequence[int], weights: Sequence[tuple[int, int, int, float]], shown: int) -> list[int]:
    """Those of a group that are not shown."""
    ranked = sorted(group, key=lambda place: (weights[place], -place), reverse=True)
    matter = sum(weights[place][:2] > (0, 0) for place in ranked)
    return ranked[max(shown, min(matter, MOST_OF_ALIKE)) :]


def _weights(rows: Sequence[TreeRow]) -> list[tuple[int, int, int, float]]:
    """How much a row matters: whether it, or something below it, broke, is critical, failed; and how long it took."""
    broke, critical, failed = ([0] * len(rows) for _ in range(3))
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        for weight, own in ((broke, row.failing), (critical, row.critical), (failed, row.error)):
            weight[place] |= own
            if row.parent is not None:
                weight[row.parent] |= weight[place]
    return [(broke[i], critical[i], failed[i], row.duration_ms) for i, row in enumerate(rows)]


#: Of a long way down to a row that has to be shown, this many at each end are shown with it.
ENDS_OF_A_WAY = 3
#: Rows deeper than this have to have broken to be shown where not all are.
MOST_LEVELS = 24


def at_most(rows: Sequence[TreeRow], kept: Sequence[bool], most: int) -> list[bool]:
    """Of the rows that are kept those that matter most, about `most` of them: each with the way down to it, of which
    the middle is left out where it is long."""
    if sum(kept) <= most and all(row.depth <= MOST_LEVELS for row in rows):
        return list(kept)
    chosen = [False] * len(rows)
    number = 0
    candidates = [place for place, row in enumerate(rows) if kept[place] and (row.failing or row.depth <= MOST_LEVELS)]
    candidates.sort(
        key=lambda place: (
            not rows[place].failing,
            not rows[place].critical,
            not rows[place].error,
            -rows[place].duration_ms,
            place,
        )
    )
    for place in candidates:
        if number >= most:
            break
        way = _way(rows, chosen, place)
        if len(way) > 2 * ENDS_OF_A_WAY + 1:
            way = [*way[:ENDS_OF_A_WAY], *way[-ENDS_OF_A_WAY:]]
        for step in way:
            chosen[step] = True
        number += len(way)
    return _with_single_ones(rows, chosen)


def _with_single_ones(rows: Sequence[TreeRow], chosen: Sequence[bool]) -> list[bool]:
    """With the calls that would be alone in a fold: it takes as much room."""
    result = list(chosen)
    below = children(rows)
    for place, lower in enumerate(below):
        left = [one for one in lower if not chosen[one]]
        if chosen[place] and len(left) == 1 and not below[left[0]]:
            result[left[0]] = True
    return result


def _way(rows: Sequence[TreeRow], chosen: Sequence[bool], place: int) -> list[int]:
    """The row and those above it that are not chosen yet."""
    way: list[int] = []
    here: int | None = place
    while here is not None and not chosen[here]:
        way.append(here)
        here = rows[here].parent
    return way


def outline(rows: Sequence[TreeRow], kept: Sequence[bool]) -> list[Entry]:
    """The kept rows and the folds of the others, in drawing order: a fold after its last shown sibling of that name."""
    holds = list(kept)
    for place in range(len(rows) - 1, -1, -1):
        parent = rows[place].parent
        if parent is not None and holds[place]:
            holds[parent] = True
    anchor: list[int | None] = [None] * len(rows)  # the nearest row above that is kept
    between = [0] * len(rows)
    top = list(range(len(rows)))  # of what is folded together with a row, the uppermost
    below: dict[int | None, list[tuple[int, int, int | Fold]]] = {}
    folds: dict[tuple[int | None, str], Fold] = {}
    last: dict[tuple[int | None, str], int] = {}
    for place, row in enumerate(rows):
        parent = row.parent
        if parent is not None:
            anchor[place] = parent if kept[parent] else anchor[parent]
            between[place] = 0 if kept[parent] else between[parent] + 1
            if not kept[parent] and not holds[parent]:
                top[place] = top[parent]
        if kept[place]:
            below.setdefault(anchor[place], []).append((place, 0, place))
            last[anchor[place], row.name] = place
        elif not holds[place]:
            key = (anchor[place], rows[top[place]].name)
            if key not in folds:
                folds[key] = Fold(key[1])
                last.setdefault(key, place)
            folds[key].add(row, top[place] == place)
    for (above, named), fold in folds.items():
        below.setdefault(above, []).append((last[above, named], 1, fold))
    return _ordered(below, between)


def _ordered(below: dict[int | None, list[tuple[int, int, int | Fold]]], between: Sequence[int]) -> list[Entry]:
    entries: list[Entry] = []
    waiting: list[tuple[int | None, int, int | Fold]] = []

    def wait(parent: int | None, depth: int, of: int | None) -> None:
        parts = sorted(below.get(of, ()), key=lambda part: part[:2], reverse=True)
        waiting.extend((parent, depth, part) for _, _, part in parts)

    wait(None, 0, None)
    while waiting:
        parent, depth, part = waiting.pop()
        if isinstance(part, Fold):
            entries.append(Entry(parent, depth, None, part, 0))
            continue
        entries.append(Entry(parent, depth, part, None, between[part]))
        wait(len(entries) - 1, depth + 1, part)
    return entries
