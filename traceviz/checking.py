"""Stages check what they made: on in tests, off in use, where it would cost a tenth of the time.

    @checked
    def reconstruct(spans: Spans) -> Forest: …

Tests switch it on for their process with `switch_on`, once, before anything else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar


class Checkable(Protocol):
    """Something that knows what must hold of it."""

    def self_check(self) -> None:
        """Raise AssertionError where something does not hold."""


_Given = ParamSpec("_Given")
_Made = TypeVar("_Made", bound=Checkable)

_on = False


def switch_on() -> None:
    """From now on every stage of this process checks what it made."""
    global _on
    _on = True


def checked(stage: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Decorator: where checks are on, what the stage made must hold."""

    @functools.wraps(stage)
    def run(*arguments: _Given.args, **options: _Given.kwargs) -> _Made:
        made = stage(*arguments, **options)
        if _on:
            made.self_check()
        return made

    return run
