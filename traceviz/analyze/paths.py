"""Counts by path, of which there may be any number ▸ counts of so many paths, and of what lies beneath them.

Which paths are kept follows from the paths alone, never from how often or in which order they come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol, Self, TypeVar


class Mergeable(Protocol):
    """Counts that add up."""

    def merge(self, other: Self) -> object:
        """Add what `other` counted."""


Step = TypeVar("Step")
Counted = TypeVar("Counted", bound=Mergeable)


def bounded(
    counts: dict[tuple[Step, ...], Counted], most: int, folded: Step, rare: Callable[[Step], bool] = lambda step: False
) -> dict[tuple[Step, ...], Counted]:
    """The paths with the fewest `rare` steps, of these the shortest, at most so many; among equally short ones the
    digest of the path decides. All others count in a `folded` step below the last one of their path that is kept.

    No path goes before one that it begins with, so that kept paths are whole. What was dropped once is dropped from
    every union as well, which makes bounding and adding up commute. Counts are merged into each other.
    """
    whole = [path for path in counts if path[-1] != folded]
    if len(whole) <= most:
        return counts
    kept = set(sorted(whole, key=lambda path: (sum(map(rare, path)), len(path), _digest(path)))[:most])
    result: dict[tuple[Step, ...], Counted] = {}
    for path, counted in counts.items():
        at = path
        if path not in kept:
            size = len(path) - 1
            while size and path[:size] not in kept:
                size -= 1
            at = (*path[:size], folded)
        if at in result:
            result[at].merge(counted)
        else:
            result[at] = counted
    return result


def _digest(path: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(repr(path).encode("utf-8", "surrogatepass"), digest_size=16).digest()
