"""The chains of nodes from the user to the failures of one shape, and which of several comes first.

Failures that hang under one another share the beginnings of their chains. So a shape is laid out as a tree of names
once, instead of writing out a chain for each of them, which a deep shape has as many of as it has steps.
"""

from __future__ import annotations

from functools import cached_property

from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.shapes import Shape


class Chains:
    """The chains of a shape under the names of nodes. A node that follows on itself stands once."""

    def __init__(self, shape: Shape, names: NodeNames) -> None:
        self._names: list[str] = [""]
        self._above = [-1]
        self._below: list[dict[str, int]] = [{}]
        self._end: list[int] = []
        for failure in shape:
            at = 0 if failure.above < 0 else self._end[failure.above]
            for party in (*failure.path, failure.callee):
                at = self._step(at, names[party])
            self._end.append(at)

    def _step(self, at: int, name: str) -> int:
        if at and self._names[at] == name:
            return at
        number = self._below[at].setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
            self._above.append(at)
            self._below.append({})
        return number

    def first(self, places: list[int]) -> tuple[str, ...]:
        """The chain that comes first of those to some failures of the shape."""
        ends = {self._end[place] for place in places}
        at = min(ends, key=self._rank.__getitem__) if len(ends) > 1 else ends.pop()
        up: list[str] = []
        while at:
            up.append(self._names[at])
            at = self._above[at]
        return tuple(reversed(up))

    @cached_property
    def _rank(self) -> list[int]:
        """The order of chains: what a chain begins with goes before it, and else the names decide."""
        rank = [0] * len(self._names)
        waiting, seen = [0], 0
        while waiting:
            at = waiting.pop()
            rank[at], seen = seen, seen + 1
            waiting += [number for _, number in sorted(self._below[at].items(), reverse=True)]
        return rank
