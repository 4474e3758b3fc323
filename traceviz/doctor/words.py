"""Names and numbers within the sentences of findings."""

from __future__ import annotations

from collections.abc import Iterable

#: So many names are listed, and the rest is a number.
MOST_NAMES = 4


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c, d and 3 more`: sorted."""
    ordered = sorted(set(names))
    shown = ordered[:MOST_NAMES]
    if len(ordered) > MOST_NAMES:
        return f"{', '.join(shown)} and {len(ordered) - MOST_NAMES} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def millis(ns: int) -> str:
    """A time in ns: `1.5 ms`, `12 ms`, `3,600,000 ms`."""
    value = ns / 1e6
    return f"{value:,.1f} ms" if abs(value) < 10 else f"{value:,.0f} ms"
