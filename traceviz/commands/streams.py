"""What commands write to stdout and stderr, where somebody may have stopped reading."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

import click


def echo(text: str | bytes, err: bool = False) -> None:
    """Write to stdout, or to stderr. Where the reader has seen enough the rest goes nowhere, and the run goes on: what
    it finds, its exit code, does not hang on who reads."""
    try:
        click.echo(text, nl=isinstance(text, str) and not text.endswith("\n"), err=err, color=True)
    except BrokenPipeError:
        silence(sys.stderr if err else sys.stdout)


def say(text: str) -> None:
    """Write to stderr, without what steers a terminal: messages repeat names that strangers chose."""
    from traceviz.render.words import clean  # loaded with everything that draws, which most commands can do without

    echo("\n".join(clean(line) for line in text.split("\n")), err=True)


def silence(stream: TextIO) -> None:
    """Let a stream that cannot be written to any more go nowhere: Python flushes what is left when it ends."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
