"""What a long reading tells whoever waits for it, and how they stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a collection is: answers used and answers still known to be needed, traces and bytes (unpacked) so far,
    and the part of the time asked for that is done, from 0 to 1."""

    answers: int
    waiting: int
    traces: int
    bytes: int
    share: float


@dataclass(frozen=True)
class Oversight:
    """`stop` ends a collection early, with what has come; `advanced` is called after every answer."""

    stop: threading.Event = field(default_factory=threading.Event)
    advanced: Callable[[Advance], None] = lambda advance: None
