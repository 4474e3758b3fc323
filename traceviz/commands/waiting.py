"""While traces are being read: progress on a terminal, and Ctrl-C that keeps what has come."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from traceviz.asking.oversight import Advance, Oversight
from traceviz.notes import Number

_MB = 10**6
_PATIENCE_S = 0.5  # what takes no longer needs no progress


@contextmanager
def overseen(quiet: bool) -> Iterator[Oversight]:
    """An Oversight for as long as the block lasts. Progress is shown on stderr where that is a terminal, unless
    `quiet`; it goes away at the end. The first Ctrl-C after traces have come stops the reading, any other one is a
    KeyboardInterrupt."""
    stop = threading.Event()
    came = 0
    with progress(quiet) as show:

        def advanced(advance: Advance) -> None:
            nonlocal came
            came = advance.traces
            show(advance)

        def interrupted(number: int, frame: FrameType | None) -> None:
            if stop.is_set() or not came:
                raise KeyboardInterrupt
            stop.set()

        with _on_interrupt(interrupted):
            yield Oversight(stop, advanced)


def progress(quiet: bool) -> AbstractContextManager[Callable[[Advance], None]]:
    """Shows how far a reading is, on stderr where that is a terminal, unless `quiet`; it goes away at the end."""
    return _bar() if sys.stderr.isatty() and not quiet else nullcontext(_nothing)


def _nothing(advance: Advance) -> None:
    pass


@contextmanager
def _bar() -> Iterator[Callable[[Advance], None]]:
    # Loaded where somebody looks on: a script would wait for it each time.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(20), TextColumn("{task.fields[said]}", markup=False), TimeRemainingColumn(compact=True))
    console = Console(stderr=True, highlight=False, markup=False)
    bar = Progress(*columns, console=console, transient=True, refresh_per_second=5)
    task = bar.add_task("", total=1.0, said="")
    begun = time.monotonic()

    def show(advance: Advance) -> None:
        bar.update(task, completed=advance.share, said=_said(advance))
        if not bar.live.is_started and time.monotonic() - begun > _PATIENCE_S:
            bar.start()

    try:
        yield show
    finally:
        bar.stop()


def _said(advance: Advance) -> str:
    windows = f"{advance.answers:,} {Number(advance.answers):window|windows}"
    waiting = f" (+{advance.waiting:,})" if advance.waiting else ""
    return f"{windows}{waiting}  {advance.traces:,} traces  {advance.bytes / _MB:,.1f} MB"


@contextmanager
def _on_interrupt(handler: object) -> Iterator[None]:
    """Handle SIGINT so; not outside of the main thread, where Python handles no signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
