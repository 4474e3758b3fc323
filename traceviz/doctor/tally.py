"""What most checks count: cases under a key, of how many that could have been so, with the smallest trace ids.

There is a key for each workload, or each pair of workloads, so that a tally is as large as the graph, and no larger.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from traceviz.hops import Hops
from traceviz.notes import EXAMPLES
from traceviz.reconstruct import Forest
from traceviz.spans import Bools, Rows

Key = TypeVar("Key", bound=Hashable)
Other = TypeVar("Other", bound=Hashable)


class Group(NamedTuple):
    """Rows that have one number in common: how many they are, and the five smallest ids of their traces."""

    number: int
    size: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class Cases:
    """`count` cases of `of` that could have been so."""

    count: int = 0
    of: int = 0
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """The share of the cases, None where it is not known of how many."""
        return round(self.count / self.of, 6) if self.of else None

    def add(self, count: int = 0, of: int = 0, examples: Iterable[str] = ()) -> None:
        """Add more cases."""
        self.count += count
        self.of += of
        self.examples = tuple(sorted({*self.examples, *examples})[:EXAMPLES])


class Tally(Generic[Key]):
    """Cases by key. `merge` is associative and commutative, an empty tally its identity."""

    def __init__(self) -> None:
        self._cases: dict[Key, Cases] = {}

    def __getitem__(self, key: Key) -> Cases:
        """The cases of a key, to add to."""
        return self._cases.setdefault(key, Cases())

    def merge(self, other: Tally[Key]) -> None:
        """Add the cases of another tally."""
        for key, cases in other._cases.items():
            self[key].add(cases.count, cases.of, cases.examples)

    def met(self) -> Iterator[tuple[Key, Cases]]:
        """The keys of which there is a case, with their cases."""
        return ((key, cases) for key, cases in self._cases.items() if cases.count)

    def under(self, name: Callable[[Key], Other]) -> Tally[Other]:
        """The same under other keys, as parties have one name; where several get one, their cases are added up."""
        renamed: Tally[Other] = Tally()
        for key, cases in self._cases.items():
            renamed[name(key)].add(cases.count, cases.of, cases.examples)
        return renamed

    def total(self) -> Cases:
        """All cases together."""
        whole = Cases()
        for cases in self._cases.values():
            whole.add(cases.count, cases.of, cases.examples)
        return whole


def groups(forest: Forest, rows: Rows, numbers: Rows) -> Iterator[Group]:
    """Rows of the forest by their number, the smallest number first."""
    trace = forest.spans.trace[rows]
    order = np.lexsort((trace, numbers))
    for few in _runs(numbers[order]):
        chosen = order[few]
        traces = np.unique(trace[chosen])[:EXAMPLES]
        examples = tuple(forest.spans.trace_ids[i] for i in traces.tolist())
        yield Group(int(numbers[chosen[0]]), len(chosen), examples)


def workload_groups(hops: Hops, chosen: Bools) -> Iterator[Group]:
    """The chosen rows of the forest by their workload, whose number is an index of `hops.parties`."""
    rows = np.flatnonzero(chosen)
    return groups(hops.forest, rows, hops.forest.workloads.of_row[rows].astype(np.int64))


def workload_sizes(hops: Hops, chosen: Bools) -> Iterator[tuple[int, int]]:
    """Each workload that has a chosen row, as an index of `hops.parties`, and how many it has."""
    sizes = np.bincount(hops.forest.workloads.of_row[chosen], minlength=1)
    return ((number, int(sizes[number])) for number in np.flatnonzero(sizes).tolist())


def _runs(numbers: Rows) -> list[slice]:
    """The runs of equal numbers."""
    if not len(numbers):
        return []
    edges = (np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist()
    return [slice(start, end) for start, end in zip([0, *edges], [*edges, len(numbers)], strict=True)]
