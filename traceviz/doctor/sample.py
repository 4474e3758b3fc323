"""Rows by key of which no more than so many are kept: all rows of some keys, and which keys follows from the keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from traceviz.spans import Ids

#: An odd factor spreads keys that differ in few bits over all of them.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Sample:
    """Rows, each with a 64-bit key. While there are more than `bound` of them, every second key is let go, with all of
    its rows: so rows of one key are together whatever is left out, and any order of `add` and `merge` keeps the same.

    `level` says how often that was done: rows of one key in `2 ** level` are left.
    """

    def __init__(self, row_type: np.dtype[Any], bound: int) -> None:
        self.level = 0
        self.rows: npt.NDArray[Any] = np.zeros(0, row_type)
        self._keys: Ids = np.zeros(0, np.uint64)
        self._bound = bound

    def add(self, keys: Ids, rows: npt.NDArray[Any]) -> None:
        """Add rows with their keys."""
        keys = keys * _SPREAD
        self._join((keys ^ (keys >> np.uint64(32))), rows)

    def merge(self, other: Sample) -> None:
        """Add what another sample, of equal bound, has kept."""
        self.level = max(self.level, other.level)
        self._join(other._keys, other.rows)

    def _join(self, keys: Ids, rows: npt.NDArray[Any]) -> None:
        self._keys = np.concatenate((self._keys, keys))
        self.rows = np.concatenate((self.rows, rows))
        self._keep()
        while len(self.rows) > self._bound and self.level < 64:
            self.level += 1
            self._keep()

    def _keep(self) -> None:
        """Let go of the keys that are too many."""
        if self.level:
            kept = self._keys % np.uint64(1 << min(self.level, 63)) == 0
            self._keys, self.rows = self._keys[kept], self.rows[kept]
