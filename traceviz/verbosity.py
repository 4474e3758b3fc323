"""What `-v` and `-vv` say on stderr: warnings always, what is asked again, and every request. Never a secret."""

from __future__ import annotations

import contextlib
import logging

import click

from traceviz.asking.refusals import printable

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Stderr(logging.Handler):
    """Writes to what stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            click.echo(f"traceviz: {printable(record.getMessage(), most=2000)}", err=True)


_HANDLER = _Stderr()


def be_verbose(count: int) -> None:
    """Say as much as so many `-v` ask for.

    Only traceviz's own messages: those of the libraries beneath it show headers when they are made to speak.
    """
    log = logging.getLogger("traceviz")
    log.addHandler(_HANDLER)  # adding it again changes nothing
    log.setLevel(_LEVELS[min(count, len(_LEVELS) - 1)])
