"""Windows of time: how a full one is split, and what part of the time asked for was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from traceviz.spans import Ints

#: No window is split further than this: Elasticsearch's searches know milliseconds.
SHORTEST_NS = 10**6
#: A window is asked for with so much more after its end and before its beginning, because some stores leave out the
#: ends, and count in ms or µs.
OVERLAP_NS = 10**6
LEAD_NS = 10**3

#: A part should hold so much of what a page may, or it will be full again.
_FILL = 0.6
_MOST_PARTS = 256
#: Where more parts than that would be needed, so many of that length, and then ever longer ones.
_EVEN_PARTS = 4


@dataclass(frozen=True, order=True)
class Window:
    """From (included) to (not included), in ns since 1970. Neighbours share an end and hold no instant twice."""

    from_ns: int
    to_ns: int

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.to_ns - self.from_ns


def split(window: Window, starts_ns: Ints) -> list[Window]:
    """The parts of a window that came back full, the newest first; [] for one that is too short to be split.

    `starts_ns` are those of the spans that came. Most stores give the newest ones: then the time since the oldest of
    them is cut in the middle of them, so that both parts have room, and the time before it into parts that should
    have room if it went on like that. Where a store picks at random, that is halves, and halves of halves.
    """
    if window.length_ns <= SHORTEST_NS:
        return []
    inside = np.clip(starts_ns, window.from_ns, window.to_ns)
    # A few long traces may have begun long before all the others.
    oldest, middle = (int(ns) for ns in np.quantile(inside, (0.02, 0.5)))
    cuts = {oldest, middle, *_cuts_before(oldest, window.from_ns, max(window.to_ns - oldest, SHORTEST_NS))}
    cuts = {cut // SHORTEST_NS * SHORTEST_NS for cut in cuts}
    inner = sorted(cut for cut in cuts if window.from_ns < cut < window.to_ns)
    if not inner:  # all of them began at one end
        # Longer than a millisecond, it has the beginning of one inside.
        later = max(window.from_ns + window.length_ns // 2, window.from_ns + SHORTEST_NS)
        inner = [later // SHORTEST_NS * SHORTEST_NS]
    return [Window(a, b) for a, b in pairwise([window.from_ns, *inner, window.to_ns])][::-1]


def _cuts_before(oldest_ns: int, from_ns: int, since_ns: int) -> list[int]:
    """Where to cut the time before the oldest trace that came, if a page of them took `since_ns`.

    In equal parts where traffic seems to be even. A burst at the newest end says little about an hour before it: then
    parts get longer the farther they are from it.
    """
    length_ns = oldest_ns - from_ns
    part_ns = max(int(since_ns * _FILL), SHORTEST_NS)
    parts = -(-length_ns // part_ns)
    if parts <= _MOST_PARTS:
        return [from_ns + length_ns * i // parts for i in range(1, parts)]
    cuts = []
    at = oldest_ns
    while (at := at - part_ns) > from_ns:
        cuts.append(at)
        if len(cuts) >= _EVEN_PARTS:
            part_ns *= 2
    return cuts


def cut_above(window: Window, start_ns: int) -> tuple[Window | None, Window]:
    """A window in two: what is later than the millisecond of `start_ns`, None for nothing, and the rest."""
    cut = (start_ns // SHORTEST_NS + 1) * SHORTEST_NS
    if not window.from_ns < cut < window.to_ns:
        return None, window
    return Window(cut, window.to_ns), Window(window.from_ns, cut)


def quarters(window: Window) -> list[Window]:
    """A window in four, the newest first; [] for one that is too short to be split."""
    if window.length_ns < 4 * SHORTEST_NS:
        return []
    cuts = [window.from_ns + window.length_ns * i // 4 for i in range(5)]
    cuts[1:-1] = [cut // SHORTEST_NS * SHORTEST_NS for cut in cuts[1:-1]]
    return [Window(a, b) for a, b in pairwise(cuts) if a < b][::-1]


def joined(windows: Iterable[Window]) -> list[Window]:
    """The same time without overlaps or neighbours, the oldest first."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.from_ns <= result[-1].to_ns:
            result[-1] = Window(result[-1].from_ns, max(result[-1].to_ns, window.to_ns))
        else:
            result.append(window)
    return result


def common(several: Sequence[Iterable[Window]]) -> list[Window]:
    """The time that lies in all of these, the oldest first; [] for none."""
    if not several:
        return []
    result = joined(several[0])
    for windows in several[1:]:
        others = joined(windows)
        both = [
            Window(max(a.from_ns, b.from_ns), min(a.to_ns, b.to_ns))
            for a in result
            for b in others
            if max(a.from_ns, b.from_ns) < min(a.to_ns, b.to_ns)
        ]
        result = joined(both)
    return result


def without(window: Window, taken: Iterable[Window]) -> list[Window]:
    """What is left of a window, the newest first."""
    rest = []
    at = window.from_ns
    for part in joined(taken):
        if part.from_ns > at:
            rest.append(Window(at, min(part.from_ns, window.to_ns)))
        at = max(at, part.to_ns)
    if at < window.to_ns:
        rest.append(Window(at, window.to_ns))
    return [part for part in rest if part.length_ns > 0][::-1]
