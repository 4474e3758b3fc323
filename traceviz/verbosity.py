"""How much is said on stderr: `-q` no notes and no progress, `-v` what is asked again, `-vv` every request. They may
stand before the command or behind it. Warnings are always said, secrets never."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
#: Where click keeps, for a command and those beneath it, what was said so far.
_VERBOSE, _QUIET = "traceviz.verbose", "traceviz.quiet"


class _Stderr(logging.Handler):
    """Writes to what stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        from traceviz.asking.refusals import printable  # whoever has something to say has loaded it

        with contextlib.suppress(OSError):  # nobody reads it any more
            click.echo(f"traceviz: {printable(record.getMessage(), most=2000)}", err=True)


_HANDLER = _Stderr()


def verbose(command: _Command) -> _Command:
    """The option `-v`, which acts at once."""
    option = click.option(
        "--verbose",
        "-v",
        count=True,
        expose_value=False,
        callback=_add,
        help="On stderr: -v what is asked again, -vv every request.",
    )
    return option(command)


def quiet(command: _Command) -> _Command:
    """The option `-q`: a command gets `quiet`, also where it was said before the command."""
    return _quiet(command, expose_value=True)


def quiet_beneath(command: _Command) -> _Command:
    """The option `-q` of a group, for the commands beneath it."""
    return _quiet(command, expose_value=False)


def _quiet(command: _Command, **more: Any) -> _Command:
    option = click.option(
        "--quiet", "-q", is_flag=True, callback=_hush, help="No notes and no progress on stderr.", **more
    )
    return option(command)


def be_verbose(count: int) -> None:
    """Say as much as so many `-v` ask for.

    Only traceviz's own messages: those of the libraries beneath it show headers when they are made to speak.
    """
    log = logging.getLogger("traceviz")
    log.addHandler(_HANDLER)  # adding it again changes nothing
    log.setLevel(_LEVELS[min(count, len(_LEVELS) - 1)])


def _add(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    if not ctx.resilient_parsing:
        ctx.meta[_VERBOSE] = ctx.meta.get(_VERBOSE, 0) + count
        be_verbose(ctx.meta[_VERBOSE])


def _hush(ctx: click.Context, parameter: click.Parameter, said: bool) -> bool:
    ctx.meta[_QUIET] = said or bool(ctx.meta.get(_QUIET))
    return bool(ctx.meta[_QUIET])
