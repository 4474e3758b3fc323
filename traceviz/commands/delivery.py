"""From the options of a command to its product: on stdout or in a file, with the notes on stderr."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from traceviz.analyze.report import Report
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.errors import UsageError
from traceviz.fail_on import FailOn
from traceviz.notes import NoteDocument
from traceviz.options import wanted
from traceviz.render import FORMATS, format_of_file, render
from traceviz.render.text import notes_text
from traceviz.render.words import clean
from traceviz.target import open_target

EXPRESSION_HELD = 79

#: Formats that are read by people in a terminal, where stderr says the notes below them.
_TABLES = frozenset({"table", "wide"})
#: Formats that say the notes themselves.
_SELF_CONTAINED = frozenset({"json", "svg", "png", "pdf"})


class Run:
    """One run of an analysing command: the report it is about, and the delivery of its product."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str], row_type: type) -> None:
        self._targets: tuple[str, ...] = options.pop("targets")
        self._url: str | None = options.pop("url")
        file: str | None = options.pop("file")
        self._file = None if file is None else Path(file)
        self._format = _format(options.pop("format"), file, formats)
        self._quiet: bool = options.pop("quiet")
        self._color = _color(options.pop("color"))
        text: str | None = options.pop("fail_on")
        self._fail_on = None if text is None else FailOn(text, row_type)
        self._wanted = wanted(**options)
        if FORMATS[self._format].binary and self._file is None and sys.stdout.isatty():
            raise UsageError(
                f"{self._format} is binary and does not go to a terminal", f"Name a file: -O graph.{self._format}"
            )

    @property
    def draws(self) -> bool:
        """Whether the product is a picture, which shows the failing hops as well."""
        return FORMATS[self._format].drawing

    def report(self) -> Report:
        """Read and count what was asked for."""
        with open_target(self._targets, self._wanted, self._url) as traces:
            return traces.report()

    def deliver(
        self, document: GraphDocument | ErrorsDocument, rows: Sequence[Mapping[str, Any]], **drawing: Any
    ) -> None:
        """Write the product, say the notes, and judge `--fail-on`."""
        said: list[NoteDocument] = [] if self._format in _SELF_CONTAINED else document["notes"]
        shown = copy.copy(document)
        if self._format in _TABLES:
            shown["notes"] = []
        product = render(shown, self._format, width=_width(), color=self._color, **drawing)
        if self._file is not None:
            _write(self._file, product)
        else:
            # Data is UTF-8 wherever it goes; what a terminal shows is in its own encoding.
            echo(product.encode() if isinstance(product, str) and self._format not in _TABLES else product)
        if not self._quiet:
            if self._file is not None:
                say(f"wrote {self._file}")
            if said:
                say(notes_text(said, _width()))
        held = [row for row in rows if self._fail_on and self._fail_on.holds(row)]
        if held and self._fail_on:
            first = f"{held[0]['caller'] or 'outside'} → {held[0]['callee']}"
            say(f"--fail-on {self._fail_on.text!r} holds for {len(held)} of {len(rows)} rows, first {first}")
            raise click.exceptions.Exit(EXPRESSION_HELD)


def _format(named: str | None, file: str | None, formats: Sequence[str]) -> str:
    """The format that -o names, else the one of -O's suffix, else a table."""
    if named is not None or file is None:
        return named or "table"
    found = format_of_file(file)
    if found is None or found not in formats:
        suffixes = " ".join(suffix for name in formats for suffix in FORMATS[name].suffixes)
        trouble = f"means {found}, which this command does not write" if found else "names no format"
        raise UsageError(f"the suffix of {file} {trouble}", f"Name one with -o, or use a suffix of {suffixes}")
    return found


def _write(file: Path, product: str | bytes) -> None:
    try:
        file.write_bytes(product if isinstance(product, bytes) else product.encode())
    except OSError as error:
        raise unwritable(file, error) from error


def unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}")


def echo(text: str | bytes, err: bool = False) -> None:
    """Write to stdout, or to stderr. Where the reader has seen enough the rest goes nowhere, and the run goes on: what
    it finds, its exit code, does not hang on who reads."""
    try:
        click.echo(text, nl=isinstance(text, str) and not text.endswith("\n"), err=err, color=True)
    except BrokenPipeError:
        silence(sys.stderr if err else sys.stdout)


def say(text: str) -> None:
    """Write to stderr, without what steers a terminal: messages repeat names that strangers chose."""
    echo("\n".join(clean(line) for line in text.split("\n")), err=True)


def silence(stream: TextIO) -> None:
    """Let a stream that cannot be written to any more go nowhere: Python flushes what is left when it ends."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _color(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
