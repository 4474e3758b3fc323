"""What a row about a hop begins with, where errors start and where time goes alike."""

from __future__ import annotations

from typing import TypedDict


class Concentration(TypedDict):
    """A value that failing calls share and healthy ones do not; `share` is of the failing calls."""

    value: str
    share: float


class RankedHop(TypedDict):
    """A hop with its place in a list, the worst first; `callers` are how often each called, `caller` the commonest."""

    rank: int
    caller: str | None
    callee: str
    callers: dict[str, int]
    where: str
    reason: str
