"""What most checks count: cases under a key, of how many that could have been so, with the smallest trace ids.

There is a key for each workload, or each pair of workloads, so that a tally is as large as the graph, and no larger.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from traceviz.hops import Hops
from traceviz.notes import EXAMPLES
from traceviz.reconstruct import Forest
from traceviz.spans import Bools, Rows

Key = TypeVar("Key", bound=Hashable)
Other = TypeVar("Other", bound=Hashable)


class Mergeable(Protocol):
    """What adds up."""

    def merge(self, other: Any) -> None:
        """Add another one of the kind."""


Value = TypeVar("Value", bound=Mergeable)


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

    def merge(self, other: Cases) -> None:
        """Add other cases."""
        self.add(other.count, other.of, other.examples)


class Merged(Generic[Key, Value]):
    """Values by key, an empty one for a key that has none. `merge` is associative and commutative where that of the
    values is, and without keys it is the identity."""

    def __init__(self, empty: Callable[[], Value]) -> None:
        self._empty = empty
        self._values: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        """The value of a key, to add to."""
        if key not in self._values:
            self._values[key] = self._empty()
        return self._values[key]

    def merge(self, other: Merged[Key, Value]) -> None:
        """Add the values of another one, key by key."""
        for key, value in other._values.items():
            self[key].merge(value)

    def under(self, name: Callable[[Key], Other]) -> Merged[Other, Value]:
        """The same under other keys, as parties have one name; where several get one, their values are added up."""
        renamed: Merged[Other, Value] = Merged(self._empty)
        for key, value in self._values.items():
            renamed[name(key)].merge(value)
        return renamed


class Tally(Merged[Key, Cases]):
    """Cases by key."""

    def __init__(self) -> None:
        super().__init__(Cases)

    def met(self) -> Iterator[tuple[Key, Cases]]:
        """The keys of which there is a case, with their cases."""
        return ((key, cases) for key, cases in self._values.items() if cases.count)

    def under(self, name: Callable[[Key], Other]) -> Tally[Other]:
        """The same under other keys, as parties have one name; where several get one, their cases are added up."""
        renamed: Tally[Other] = Tally()
        renamed._values = super().under(name)._values
        return renamed

    def total(self) -> Cases:
        """All cases together."""
        whole = Cases()
        for cases in self._values.values():
            whole.add(cases.count, cases.of, cases.examples)
        return whole


def groups(forest: Forest, rows: Rows, numbers: Rows) -> Iterator[Group]:
    """Rows of the forest by their number, the smallest number first."""
    trace = forest.spans.trace[rows]
    order = np.lexsort((trace, numbers))
    for few in runs(numbers[order]):
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


def runs(numbers: Rows) -> list[slice]:
    """The runs of equal numbers."""
    if not len(numbers):
        return []
    edges = (np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist()
    return [slice(start, end) for start, end in zip([0, *edges], [*edges, len(numbers)], strict=True)]
