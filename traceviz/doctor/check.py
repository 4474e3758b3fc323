"""What a check of the doctor is: it counts in every batch of traces, counts are merged, and then it judges.

A check lives in one module: `define(…)` says what its code means (sign, cause, remedy, threshold and why),
`describe(…)` what a finding of it says, a class counts, and `found` judges after the last merge. `traceviz.doctor`
lists them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self

from traceviz.analyze.resolved import Resolved
from traceviz.hops import Hops

Level = Literal["problem", "fact"]
Proof = Literal["certain", "likely"]

#: What is lost below this share is a fact and no problem: some spans come late or are dropped in any window that ends
#: now, and numbers that are off by less than a hundredth mislead nobody.
RARE = 0.01


def level_of(count: int, of: int) -> Level:
    """Whether so many losses of so many that there could be are a problem."""
    return "problem" if count >= RARE * of else "fact"


class Counts(Protocol):
    """What a check counted of some traces. `merge` is associative and commutative, fresh counts are its identity, and
    its size is bounded, whatever the number of traces."""

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""

    def merge(self, other: Self) -> Self:
        """Add what was counted of other traces, and give these counts back."""

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """What is to be said after the last merge. `resolved` names the parties, as in the graph."""


@dataclass(frozen=True)
class Found:
    """A finding, before it gets its text. `share` is `count` of all that could have been so; `values` are further
    numbers and names for the text of its code."""

    code: str
    level: Level
    service: str | None
    towards: tuple[str, ...]
    count: int
    share: float | None
    proof: Proof
    examples: tuple[str, ...]
    values: dict[str, str]


class Wording(NamedTuple):
    """What a finding says, as templates: `{service}`, `{towards}`, `{count}` (and words that follow it, like
    `{count:call|calls}`), `{share}` as a percentage, and the names of `Found.values`. Whole sentences. A remedy may
    have further lines; those that begin with four blanks are code, and are never wrapped."""

    text: str
    remedy: str


_WORDINGS: dict[str, Wording] = {}


def describe(code: str, text: str, remedy: str) -> str:
    """Say how findings of a code are worded, and give the code back."""
    if code in _WORDINGS:
        raise ValueError(f"findings of {code!r} are described twice")
    _WORDINGS[code] = Wording(text, remedy)
    return code


def wording(code: str) -> Wording:
    """How findings of a code are worded."""
    return _WORDINGS[code]
