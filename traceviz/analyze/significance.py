"""Whether two samples differ beyond chance: exact for shares, by ranks for times, corrected for clusters and for many
tests.

Three small tests need no scipy: Fisher's is a sum of a hypergeometric tail, Mann and Whitney's is normal as soon as it
could be significant at all, and Holm's correction is a sort.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from traceviz.spans import Ints

#: Of all tests of a comparison together: the chance to find anything where nothing changed.
ALPHA = 0.05
#: Smaller chances are all the same to everybody, and no float.
_LEAST = 1e-300


@lru_cache(maxsize=4096)  # of a pair it is asked for with each of its failures
def chance_of_more(a: int, b: int, c: int, d: int) -> float:
    """Fisher's exact test: the chance that the share a / (a + b) is at least this much above c / (c + d)."""

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    total = log_choose(a + b + c + d, a + c)
    expected = (a + b) * (a + c) / max(a + b + c + d, 1)
    chance = 0.0
    for more in range(a, min(a + b, a + c) + 1):
        term = math.exp(log_choose(a + b, more) + log_choose(c + d, a + c - more) - total)
        chance += term
        # Terms only fall from here on; with a million calls the first of them can be no float at all.
        if more > expected and term <= chance * 1e-12:
            break
    return min(chance, 1.0)


def chance_of_shares(a: int, b: int, c: int, d: int, design_effect: float = 1.0) -> float | None:
    """The chance that a / (a + b) and c / (c + d) are as far apart as they are, or further, either way: Fisher's exact
    test, its smaller tail doubled. None where no outcome with these margins could be significant."""
    least = min(_doubled_tail(*outcome) for outcome in _extremes(a, b, c, d))
    if _clustered(least, design_effect) > ALPHA:
        return None
    return _clustered(_doubled_tail(a, b, c, d), design_effect)


def chance_of_times(before: Ints, after: Ints, design_effect: float = 1.0) -> tuple[float, float] | None:
    """Mann and Whitney's rank test of two samples: the chance of such a difference, and how likely a call of `after` is
    slower than one of `before` (0.5: as likely as faster). Given is how many calls of each side took how long, for all
    times that there are, the shortest first.

    With correction for ties and continuity. The normal distribution is more careful than the exact one where tails are
    thin, so that few calls are never found too soon. None where no outcome could be significant.
    """
    n, m = int(before.sum()), int(after.sum())
    both = (before + after).astype(np.float64)
    total = n + m
    if not n or not m:
        return None
    ties = float((both**3 - both).sum())
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1))) * design_effect
    if variance <= 0 or _of_z((n * m / 2 - 0.5) / math.sqrt(variance)) > ALPHA:
        return None
    slower = float((after * (np.cumsum(before) - before / 2)).sum())
    z = max(0.0, abs(slower - n * m / 2) - 0.5) / math.sqrt(variance)
    return _of_z(z), slower / (n * m)


def holm(chances: Sequence[float]) -> list[float]:
    """The chances corrected for their number, by Holm: whoever calls those below `ALPHA` significant finds anything by
    chance in so many of all comparisons, however the tests hang together."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    corrected = [1.0] * len(chances)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[index]))
        corrected[index] = largest
    return corrected


def _extremes(a: int, b: int, c: int, d: int) -> list[tuple[int, int, int, int]]:
    """The two outcomes with the same margins that are furthest apart."""
    found = []
    for more in (min(a + b, a + c), max(0, a - d)):
        found.append((more, a + b - more, a + c - more, c + d - (a + c - more)))
    return found


def _doubled_tail(a: int, b: int, c: int, d: int) -> float:
    more = a * (c + d) >= c * (a + b)
    return min(1.0, 2 * (chance_of_more(a, b, c, d) if more else chance_of_more(c, d, a, b)))


def _clustered(chance: float, design_effect: float) -> float:
    """The chance where so many calls are worth one that is independent of the others."""
    if design_effect == 1.0 or chance >= 1.0:
        return chance
    return _of_z(-NormalDist().inv_cdf(max(chance, _LEAST) / 2) / math.sqrt(design_effect))


def _of_z(z: float) -> float:
    return math.erfc(z / math.sqrt(2))
