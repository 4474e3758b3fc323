"""Ctrl-C while modules are loaded: the command ends at once, because nothing was begun that could be kept."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


@contextmanager
def loading() -> Iterator[None]:
    """Within the block Ctrl-C ends the process with 130. An exception would do so as well, but some libraries take one
    that meets them half loaded for an installation that is broken, and say that.

    Nothing changes where somebody else handles SIGINT, or ignores it, and outside of the main thread.
    """
    at_first = signal.getsignal(signal.SIGINT)
    if at_first is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, at_first)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, f"{interrupted(os.isatty(2))}\n".encode())
    os._exit(INTERRUPTED)


def interrupted(terminal: bool) -> str:
    """What is said of Ctrl-C. A terminal has written `^C` by then, and its line is ended first."""
    return "\ntraceviz: interrupted" if terminal else "traceviz: interrupted"
