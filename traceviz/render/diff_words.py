"""What a change is called, in every table and picture: `worse`, `p95 ×2.1 (4.2 → 8.6 ms)`, `0 % → 12 % err`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from traceviz.documents import Change, DiffDocument, DiffEdge, Distribution
from traceviz.render.words import count, counted, millis, share

#: What changed first, then what did not.
ORDER: tuple[Change, ...] = ("worse", "removed", "added", "better", "same")
#: Ratios nearer to 1 are not said, beside what did change.
_WORTH_SAYING = 1.1
_TIMES = {"p50": "p50_ratio", "p95": "p95_ratio"}


def times_compared(edge: DiffEdge) -> tuple[Distribution, Distribution] | None:
    """The times of both sides that the ratios are of."""
    if edge["before"] is None or edge["after"] is None or edge["times_from"] is None:
        return None
    side = "client_ms" if edge["times_from"] == "caller" else "server_ms"
    return cast(Mapping[str, Distribution], edge["before"])[side], cast(Mapping[str, Distribution], edge["after"])[side]


def calls(edge: DiffEdge) -> str:
    """`66 → 70 calls`, `70 calls` where both sides have as many, or there is one side only."""
    return counted_on([side["calls"] for side in (edge["before"], edge["after"]) if side is not None], "call")


def counted_on(numbers: Sequence[int], noun: str) -> str:
    """How many of them there are on the sides that there are."""
    first = "" if len(set(numbers)) == 1 else f"{count(numbers[0])} → "
    return f"{first}{counted(numbers[-1], noun)}"


def errors(edge: DiffEdge) -> str:
    """`0 % → 12 % err`, `0 % err` where they are alike."""
    shares = [share(side["error_rate"]) for side in (edge["before"], edge["after"]) if side is not None]
    return f"{' → '.join(dict.fromkeys(shares))} err"


def ratio(value: float | None) -> str | None:
    """`×2.1`, `×0.05`, `×120`, `×<0.001`."""
    if value is None:
        return None
    if value < 0.001:
        return "×<0.001"
    return f"×{value:,.0f}" if value >= 10 else f"×{value:.2g}"


def time(edge: DiffEdge, percentile: str) -> str | None:
    """`p95 4.2 ms → 8.6 ms (×2.1)`, of an edge on one side its time there; None where it is not known."""
    times = times_compared(edge)
    if times is not None:
        before, after = (cast(Mapping[str, float], side)[percentile] for side in times)
        said = ratio(edge[_TIMES[percentile]])  # type: ignore[literal-required]  # one of two fields
        return f"{percentile} {millis(before)} → {millis(after)}" + ("" if said is None else f" ({said})")
    there = edge["before"] or edge["after"]
    if there is None or (edge["before"] and edge["after"]):
        return None
    own = there["client_ms"] or there["server_ms"]
    return None if own is None else f"{percentile} {millis(cast(Mapping[str, float], own)[percentile])}"


def verdict(document: DiffDocument) -> str:
    """`3 of 8 edges differ: 1 worse, 1 removed, 1 added. The other 5 are the same, within chance.`"""
    changes, number = document["changes"], len(document["edges"])
    different = number - changes["same"]
    if not number:
        return "There is no edge on either side."
    if not different:
        alike = "1 edge is" if number == 1 else f"{count(number)} edges are"
        return f"Nothing differs beyond chance: {alike} the same on both sides."
    kinds = ", ".join(f"{count(changes[kind])} {kind}" for kind in ORDER[:-1] if changes[kind])
    said = f"{count(different)} of {counted(number, 'edge')} {'differs' if different == 1 else 'differ'}: {kinds}."
    if not changes["same"]:
        return said
    rest = "The other is" if changes["same"] == 1 else f"The other {count(changes['same'])} are"
    return f"{said} {rest} the same, within chance."


def worst_first(edge: DiffEdge) -> tuple[float, ...]:
    """Sorts edges: by what changed, what is certain before what may be chance, then by how much it did."""
    delta = abs(edge["error_rate_delta"] or 0.0)
    furthest = max((abs(math.log(found)) for found in (edge["p50_ratio"], edge["p95_ratio"]) if found), default=0.0)
    return ORDER.index(edge["change"]), not edge["significant"], -delta, -furthest


def times_that_moved(edge: DiffEdge) -> list[str]:
    """The percentiles that are worth saying: all of an edge on one side, else those that moved; where errors decided,
    those alone that changed as well, as calls that fail at once take no time."""
    said = []
    for percentile, field in _TIMES.items():
        found: float | None = edge[field]  # type: ignore[literal-required]  # one of two fields
        moved = not found or max(found, 1 / found) >= _WORTH_SAYING
        if field in edge["changed"] or (moved and "error_rate_delta" not in edge["changed"]):
            said.append(percentile)
    return said


def facts(edge: DiffEdge) -> list[str]:
    """What there is to say of an edge: its calls, and what changed; of one on one side only all of it."""
    said = [calls(edge)]
    if edge["error_rate_delta"] != 0.0:
        said.append(errors(edge))
    said += [text for percentile in times_that_moved(edge) if (text := time(edge, percentile)) is not None]
    if edge["times_from"] == "callee":
        said.append("by the callee's time")
    return said
