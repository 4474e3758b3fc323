"""Two distributions of one time ▸ how far calls became slower: how many of them, beyond chance, and how many times.

    before  ▂█▃                         2.6 ms, eight calls
    now                    ▃█▂          80 ms, three calls: share 0.64, 31 times as long

The share is the largest difference between the shares of both sides that are beyond one and the same limit. So it needs
no limit that somebody chose: an operation that was slow at times before is not blamed for being slow at times now, nor
one whose rare slow calls are somewhat slower. One more call on either side, the other way, is taken into account: three
calls prove less than three hundred.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from traceviz.analyze.sketch import Sketch

#: What is called slower is half as long again, as what was typical before: less differs from one hour to the next.
LEAST_RATIO = 1.5
#: A time that is typically shorter than this is as if it took this long: clocks tell no less apart.
SHORTEST_NS = 100_000


class Slower(NamedTuple):
    """How far calls became slower: the `share` of them, between 0 and 1; how many calls are `beyond` the limit now and
    how many were `beyond_before`; how many `times` as long as what was typical before those of now take."""

    share: float
    beyond: int
    beyond_before: int
    times: float

    @property
    def strength(self) -> float:
        """The share times the doublings: all calls twice as long are 1, half of the calls 32 times as long 2.5."""
        return self.share * math.log2(max(self.times, 1.0))


def slower(before: Sketch, now: Sketch, least_ns: float) -> Slower | None:
    """How far the calls of `now` are slower than those of `before`; None where none are. What is slower takes at least
    `least_ns` more than what was typical."""
    if not before.count or not now.count:
        return None
    typical = before.percentiles_ns((0.5,))[0]
    least = max(LEAST_RATIO * typical, typical + least_ns)
    values, was, is_now = before.together(now)
    # For every value the share of calls on either side that are beyond it.
    was_beyond = before.count - np.cumsum(was)
    now_beyond = now.count - np.cumsum(is_now)
    shares = now_beyond / (now.count + 1) - (was_beyond + 1) / (before.count + 1)
    # The limit is at least `least`, so the place before the first value that is beyond it counts.
    shares = shares[max(int(np.searchsorted(values, least, "right")) - 1, 0) :]
    first = len(values) - len(shares)
    at = first + int(np.argmax(shares)) if len(shares) else first
    share = float(shares[at - first]) if len(shares) else 0.0
    if share <= 0:
        return None
    beyond = int(is_now[at + 1 :].sum())
    mean = float((is_now[at + 1 :] * values[at + 1 :]).sum()) / beyond
    return Slower(share, beyond, int(was[at + 1 :].sum()), mean / max(typical, SHORTEST_NS))
