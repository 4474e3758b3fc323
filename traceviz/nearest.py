"""Of several spans the one in whose time a moment lies, found without looking at all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence


class Nearest:
    """Spans, by row, that can be asked for the one around a moment, each time in as many steps as the number of spans
    can be halved. `start` and `end` are those of all rows."""

    def __init__(self, rows: Iterable[int], start: Sequence[int], end: Sequence[int]) -> None:
        # Of those that started together the first row stands last, and so is found first.
        self.rows = sorted(rows, key=lambda row: (start[row], -row))
        self._starts = [start[row] for row in self.rows]
        # A tree in a list, as for a heap: each node is the latest end beneath it, and the ends are its last half.
        self._leaves = 1 << max(len(self.rows) - 1, 0).bit_length()
        padding = [-1] * (self._leaves - len(self.rows))
        self._latest = [-1] * self._leaves + [end[row] for row in self.rows] + padding
        for node in range(self._leaves - 1, 0, -1):
            self._latest[node] = max(self._latest[2 * node], self._latest[2 * node + 1])

    def at(self, when: int, but: int = -1) -> int:
        """The row in whose time `when` lies; of several the one that started last, of none the nearest; -1 if there is
        no row. `but` is none of them: the one that asks, which starts then."""
        last = bisect_right(self._starts, when) - 1
        place = self._reaching(last, when)
        if place >= 0 and self.rows[place] == but:
            place = self._reaching(place - 1, when)
        if place >= 0:
            return self.rows[place]
        near = []
        if last + 1 < len(self.rows):
            start = self._starts[last + 1]
            near.append((start - when, self.rows[bisect_right(self._starts, start) - 1]))
        if last >= 0 and self.rows[last] == but:
            last -= 1
        if last >= 0:
            near.append((when - self._starts[last], self.rows[last]))
        return min(near, default=(0, -1))[1]

    def _reaching(self, last: int, when: int) -> int:
        """The last place up to `last` of what ends at `when` or later, -1 for none."""
        if last < 0:
            return -1
        latest, node = self._latest, self._leaves + last
        while latest[node] < when:
            while not node & 1:
                node >>= 1
            if node == 1:
                return -1
            node -= 1
        while node < self._leaves:
            node = 2 * node + (latest[2 * node + 1] >= when)
        return node - self._leaves
