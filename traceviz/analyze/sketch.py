"""A distribution of durations that can be merged: exact up to 10,000 values, within 1 % above."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from traceviz.documents import Distribution
from traceviz.spans import Ints

EXACT = 10_000
_ERROR = 0.01
_GAMMA = (1 + _ERROR) / (1 - _ERROR)
_LOG_GAMMA = math.log(_GAMMA)


class Sketch:
    """Counts durations in ns. What it holds follows from the values alone, not from the order of merges.

    Up to `EXACT` values they are kept as they are; beyond, in buckets of fixed logarithmic width (DDSketch's
    scheme), so that any percentile is off by at most 1 %.
    """

    def __init__(self, values: Ints | None = None) -> None:
        self.count = 0
        self.total_ns = 0
        self.max_ns = 0
        self._values: Ints | None = np.zeros(0, np.int64)
        self._buckets: Counter[int] = Counter()
        if values is not None and len(values):
            self.count = len(values)
            self.total_ns = exact_sum(values)
            self.max_ns = int(values.max())
            self._values = values
            self._bound()

    def merge(self, other: Sketch) -> None:
        """Add what `other` holds."""
        self.count += other.count
        self.total_ns += other.total_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        if self._values is not None and other._values is not None:
            self._values = np.concatenate((self._values, other._values))
            self._bound()
        else:
            self._buckets = self._in_buckets() + other._in_buckets()
            self._values = None

    def _bound(self) -> None:
        if self._values is not None and len(self._values) > EXACT:
            self._buckets = _buckets(self._values)
            self._values = None

    def _in_buckets(self) -> Counter[int]:
        return self._buckets if self._values is None else _buckets(self._values)

    def without(self, part: Sketch) -> Sketch:
        """The same without the values of `part`, which are among them. The longest may be said too long where buckets
        are held."""
        if self._values is not None and part._values is not None:
            _, mine, theirs = self.together(part)
            return Sketch(np.repeat(np.unique(self._values), mine - theirs))
        rest = Sketch()
        rest.count, rest.total_ns, rest.max_ns = self.count - part.count, self.total_ns - part.total_ns, self.max_ns
        rest._buckets, rest._values = self._in_buckets() - part._in_buckets(), None
        return rest

    def together(self, other: Sketch) -> tuple[npt.NDArray[np.float64], Ints, Ints]:
        """All values in ns that are in this one or in the other, the shortest first, and how many of each are in this
        one and in the other; by the middles of buckets where one of them has buckets."""
        if self._values is not None and other._values is not None:
            scale, place = np.unique(np.concatenate((self._values, other._values)), return_inverse=True)
            both, mine = (np.bincount(some, minlength=len(scale)) for some in (place, place[: self.count]))
            return scale.astype(np.float64), mine, both - mine
        own, foreign = self._in_buckets(), other._in_buckets()
        indices = sorted(own.keys() | foreign.keys())
        mine, theirs = (np.array([held[index] for index in indices], np.int64) for held in (own, foreign))
        return np.array([_middle(index) for index in indices]), mine, theirs

    def percentiles_ns(self, shares: Iterable[float]) -> list[float]:
        """Nearest-rank percentiles: the smallest value that at least this share of all values does not exceed."""
        ranks = [max(1, math.ceil(share * self.count)) for share in shares]
        if self._values is not None:
            ordered = np.sort(self._values)
            return [float(ordered[rank - 1]) for rank in ranks]
        indices = sorted(self._buckets)
        reached = np.cumsum([self._buckets[index] for index in indices])
        return [min(_middle(indices[int(np.searchsorted(reached, rank))]), float(self.max_ns)) for rank in ranks]

    def document(self) -> Distribution | None:
        """As it stands in JSON, in ms; None where nothing was measured."""
        if not self.count:
            return None
        p50, p90, p95, p99 = (_ms(value) for value in self.percentiles_ns((0.50, 0.90, 0.95, 0.99)))
        mean = _ms(self.total_ns / self.count)
        return {
            "count": self.count,
            "mean": mean,
            "p50": p50,
            "p90": p90,
            "p95": p95,
            "p99": p99,
            "max": _ms(self.max_ns),
        }


def exact_sum(values: Ints) -> int:
    """The sum as a Python integer: absurd durations must not overflow."""
    if int(values.max()) < 2**62 // len(values):
        return int(values.sum())
    return sum(values.tolist())


def _buckets(values: Ints) -> Counter[int]:
    """Bucket 0 holds 0 ns; bucket i + 1 holds values in (gamma ** (i - 1), gamma ** i]."""
    logs = np.log(np.maximum(values, 1).astype(np.float64)) / _LOG_GAMMA
    index = np.where(values > 0, np.ceil(logs).astype(np.int64) + 1, 0)
    found, counts = np.unique(index, return_counts=True)
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _middle(index: int) -> float:
    return 0.0 if index == 0 else 2 * _GAMMA ** (index - 1) / (_GAMMA + 1)


def _ms(ns: float) -> float:
    return round(ns / 1e6, 6)
