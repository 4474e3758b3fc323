"""Everything repaired, guessed, skipped, hidden or not seen: counted under a code that `explain` knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypedDict, TypeVar

EXAMPLES = 5

_Function = TypeVar("_Function", bound=Callable[..., object])


class NoteDocument(TypedDict):
    """One entry of `notes` in every JSON document."""

    code: str
    count: int
    text: str
    examples: list[str]


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means. `text` is the sentence of a note, with `{count}` and words that follow it, like
    `{count:call|calls}`; `explanation` is what `traceviz explain` prints."""

    code: str
    text: str
    explanation: str


_CODES: dict[str, Code] = {}


def define(code: str, text: str, explanation: str) -> str:
    """Enter a code into the catalogue and give it back, so that a module can keep it under a name."""
    if code in _CODES:
        raise ValueError(f"code {code!r} is defined twice")
    _CODES[code] = Code(code, text, _unindent(explanation))
    return code


def explain_further(code: str, paragraphs: str) -> str:
    """Add paragraphs to the explanation of a code that is defined, and give the code back: what another module makes of
    it, beside which they then stand."""
    entry = _CODES[code]
    _CODES[code] = replace(entry, explanation=f"{entry.explanation.rstrip()}\n\n{_unindent(paragraphs)}")
    return code


def raises(code: str, text: str) -> Callable[[_Function], _Function]:
    """Decorator: this function notes `code`, and its docstring is the explanation of it."""

    def register(function: _Function) -> _Function:
        define(code, text, function.__doc__ or "")
        return function

    return register


def catalogue() -> dict[str, Code]:
    """Every code that is defined, by name."""
    return dict(sorted(_CODES.items()))


class Number(int):
    """A count that also chooses words: `f"{n} {n:call|calls}"`."""

    def __format__(self, spec: str) -> str:
        one, bar, many = spec.partition("|")
        return (one if self == 1 else many) if bar else format(int(self), spec)


def _unindent(text: str) -> str:
    lines = text.strip().split("\n")
    return "\n".join(lines[:1] + [line[4:] if line.startswith("    ") else line for line in lines[1:]])


class Notes:
    """Counted notes: code ▸ count and the five smallest examples (a trace id, a file and path, a name).

    `merge` is associative and commutative, so a report of any split of the input has the same notes.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, code: str, count: int = 1, examples: Iterable[str] = ()) -> None:
        """Count `count` more cases of `code`; a count of 0 leaves no note."""
        if code not in _CODES:
            raise KeyError(f"no such code: {code!r}")
        if count:
            self._counts[code] = self._counts.get(code, 0) + count
            kept = set(self._examples.get(code, ())) | set(examples)
            self._examples[code] = sorted(kept)[:EXAMPLES]

    def merge(self, other: Notes) -> None:
        """Add what `other` counted."""
        for code, count in other._counts.items():
            self.add(code, count, other._examples[code])

    def without(self, *codes: str) -> Notes:
        """The same but these."""
        rest = Notes()
        for code, count in self._counts.items():
            if code not in codes:
                rest.add(code, count, self._examples[code])
        return rest

    def count(self, code: str) -> int:
        """How many cases of `code` were noted."""
        return self._counts.get(code, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._counts))

    def __len__(self) -> int:
        return len(self._counts)

    def documents(self) -> list[NoteDocument]:
        """The notes as they stand in JSON, by code."""
        return [
            {
                "code": code,
                "count": self._counts[code],
                "text": _CODES[code].text.format(count=Number(self._counts[code])),
                "examples": self._examples[code],
            }
            for code in self
        ]
