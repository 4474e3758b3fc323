"""How much the calls of one trace are alike: what makes a hundred calls worth fewer than a hundred traces.

A trace that calls catalog ten times while the machine is busy has ten slow calls, and they are one accident. Tests take
calls for independent, so that 26 of 100 halvings of a healthy shop differed "significantly" until this was counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from traceviz.spans import Ints, Rows

#: Steps of a doubling, and ns in about a millisecond, around which they count: sums of squares stay small integers.
_STEPS, _AROUND_NS = 16, 2**20


@dataclass(slots=True)
class Clustering:
    """Sums over traces of a value that every call has. Integers, so that any split of the traces adds up to the same.

    With n calls of one trace and t the sum of their values: `traces` is the number of traces, `values` the sum of n,
    `total` that of t, `squares` that of all values squared; `sizes` is the sum of n², `products` of n·t, `sums` of t².
    """

    traces: int = 0
    values: int = 0
    total: int = 0
    squares: int = 0
    sizes: int = 0
    products: int = 0
    sums: int = 0

    def merge(self, other: Clustering) -> None:
        """Add what `other` counted of other traces."""
        self.traces += other.traces
        self.values += other.values
        self.total += other.total
        self.squares += other.squares
        self.sizes += other.sizes
        self.products += other.products
        self.sums += other.sums

    def added(self, other: Clustering) -> Clustering:
        """Both added up."""
        result = Clustering()
        result.merge(self)
        result.merge(other)
        return result

    @property
    def design_effect(self) -> float:
        """By how much the variance of a mean over these calls exceeds that over as many independent ones, at least 1.

        Estimated from the traces as clusters, with one standard error of such an estimate on top, as few traces say
        little of it; at most as if all calls of a trace were the same call.
        """
        if self.values <= self.traces or not self.traces:
            return 1.0
        mean = self.total / self.values
        within = self.squares - mean * self.total
        between = self.sums - 2 * mean * self.products + mean * mean * self.sizes
        most = self.sizes / self.values
        estimated = between / within if within > 0 else most
        return min(max(1.0, estimated * (1 + math.sqrt(2 / self.traces))), most)


def clusterings(group: Rows, trace: Rows, value: Ints, size: int) -> list[Clustering]:
    """The clustering of each of `size` groups: every call is in a group and in a trace, and has a value."""
    counts = [Clustering() for _ in range(size)]
    if not len(group):
        return counts
    wide = int(trace.max()) + 1
    pairs, inverse = np.unique(group * wide + trace, return_inverse=True)
    calls = np.bincount(inverse, minlength=len(pairs)).astype(np.int64)
    sums = np.zeros(len(pairs), np.int64)
    np.add.at(sums, inverse, value)
    of_pair = pairs // wide
    columns = {
        "traces": np.ones(len(pairs), np.int64),
        "values": calls,
        "total": sums,
        "sizes": calls * calls,
        "products": calls * sums,
        "sums": sums * sums,
    }
    for name, column in columns.items():
        _set(counts, name, of_pair, column)
    _set(counts, "squares", group, value * value)
    return counts


def _set(counts: list[Clustering], name: str, group: Rows, column: Ints) -> None:
    total = np.zeros(len(counts), np.int64)
    np.add.at(total, group, column)
    for one, number in zip(counts, total.tolist(), strict=True):
        setattr(one, name, number)


def log_durations(duration_ns: Ints) -> Ints:
    """Durations on a scale of ratios, sixteen steps a doubling: how alike they are does not hang on the longest."""
    steps: Ints = np.rint(_STEPS * np.log2(np.maximum(duration_ns, 1) / _AROUND_NS)).astype(np.int64)
    return steps
