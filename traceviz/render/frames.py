"""What the frames of a flame document are called, and which of their values is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from traceviz.documents import FlameFrame, FrameKind
from traceviz.errors import UsageError
from traceviz.render.words import NO_NAME, name

#: Time for which users waited, time in which nothing that was called was under way, failures that started there.
By = Literal["critical", "self", "errors"]
BY: tuple[By, ...] = get_args(By)

_KINDS: dict[FrameKind, str] = {
    "work": "{}",
    "way": "to {}: network, proxy, queue",
    "delay": "to {}: injected delay",
    "unseen": "{} (not seen)",
    "folded": "…",
    "program": "(called by itself)",
    "async": "(out of a queue)",
    "orphan": "(parent missing)",
    "fragment": "(fragment of a torn trace)",
}


def check(by: str) -> By:
    """The value to show. Raises UsageError where there is none of this name."""
    for known in BY:
        if known == by:
            return known
    raise UsageError(f"a flame graph cannot be by {by!r}", f"by: {', '.join(BY)}")


def label(frame: FlameFrame) -> str:
    """`cart GET /items/{id}`, `to cart: network, proxy, queue`, `shop (not seen) SELECT`: one line, cleaned."""
    named = _KINDS[frame["kind"]].format(_service(frame))
    return named if frame["operation"] is None else f"{named} {name(frame['operation'])}"


def brief(frame: FlameFrame) -> str:
    """`cart`, `to cart`, `shop`: the same where there is little room."""
    return _KINDS[frame["kind"]].partition(":")[0].removesuffix(" (not seen)").format(_service(frame))


def _service(frame: FlameFrame) -> str:
    return NO_NAME if frame["service"] is None else name(frame["service"])


def value(frame: FlameFrame, by: By) -> int:
    """The value of a frame without those beneath it: ns, or a number of failures."""
    return frame["errors"] if by == "errors" else frame["critical_ns"] if by == "critical" else frame["self_ns"]


def stacks(frames: Sequence[FlameFrame]) -> list[tuple[str, ...]]:
    """For every frame the labels from where its tree begins down to it."""
    found: list[tuple[str, ...]] = []
    for frame in frames:
        found.append((*(() if frame["parent"] is None else found[frame["parent"]]), label(frame)))
    return found
