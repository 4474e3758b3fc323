"""From the options of a command to its product: on stdout or in a file, with the notes on stderr."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

import click

from traceviz.analyze.report import Report
from traceviz.commands.waiting import overseen
from traceviz.connecting import access
from traceviz.documents import AnyDocument, ErrorsDocument, GraphDocument
from traceviz.errors import UsageError
from traceviz.fail_on import FailOn
from traceviz.notes import NoteDocument
from traceviz.render import FORMATS, format_of_file, render
from traceviz.render.text import notes_text
from traceviz.render.words import clean
from traceviz.target import open_target
from traceviz.wanted import read_wanted

EXPRESSION_HELD = 79
INTERRUPTED = 130

#: Formats that are read by people in a terminal, where stderr says the notes below them.
TABLES = frozenset({"table", "wide"})
#: Formats that say the notes themselves.
_SELF_CONTAINED = frozenset({"json", "svg", "png", "pdf"})


class Delivery:
    """One run of a command that reads a target: what it reads, from the options of `selection`, and what becomes of the
    document, from those of `output`."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str]) -> None:
        self.access = access(options)
        self.targets: tuple[str, ...] = options.pop("targets")
        self.quiet: bool = options.pop("quiet")
        self.interrupted = False
        file: str | None = options.pop("file")
        self._file = None if file is None else Path(file)
        self._format = _format(options.pop("format"), file, formats)
        self._color = _color(options.pop("color"))
        self.wanted = read_wanted(**options)
        if FORMATS[self._format].binary and self._file is None and sys.stdout.isatty():
            raise UsageError(
                f"{self._format} is binary and does not go to a terminal", f"Name a file: -O graph.{self._format}"
            )

    @property
    def draws(self) -> bool:
        """Whether the product is a picture, which shows the failing hops as well."""
        return FORMATS[self._format].drawing

    def write(self, document: AnyDocument, **drawing: Any) -> None:
        """Write the product and say the notes."""
        product = self.rendered(document, **drawing)
        if self._file is not None:
            _write(self._file, product)
        else:
            # Data is UTF-8 wherever it goes; what a terminal shows is in its own encoding.
            echo(product.encode() if isinstance(product, str) and self._format not in TABLES else product)
        if not self.quiet:
            if self._file is not None:
                say(f"wrote {self._file}")
            say_notes(self.notes_beside(document))

    def rendered(self, document: AnyDocument, **drawing: Any) -> str | bytes:
        """The product."""
        shown = copy.copy(document)
        if self._format in TABLES:
            shown["notes"] = []
        return render(shown, self._format, width=_width(), color=self._color, **drawing)

    def notes_beside(self, document: AnyDocument) -> list[NoteDocument]:
        """The notes that the product does not say itself."""
        return [] if self._format in _SELF_CONTAINED else document["notes"]

    def end(self, code: int = 0) -> None:
        """End with the exit code of an interruption, else with this one."""
        if self.interrupted or code:
            raise click.exceptions.Exit(INTERRUPTED if self.interrupted else code)


class Product(NamedTuple):
    """A document, the rows that `--fail-on` judges, and how it is drawn."""

    document: GraphDocument | ErrorsDocument
    rows: Sequence[Mapping[str, Any]]
    drawing: Mapping[str, Any] = MappingProxyType({})


class Run(Delivery):
    """One run of an analysing command: the report it is about, and the judgement of its rows."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str], row_type: type) -> None:
        text: str | None = options.pop("fail_on")
        self._fail_on = None if text is None else FailOn(text, row_type)
        super().__init__(options, formats)

    def report(self) -> Report:
        """Read and count what was asked for."""
        with contextlib.ExitStack() as open_until_counted:
            with overseen(self.quiet) as oversight:
                opened = open_target(self.targets, self.wanted, self.access, oversight=oversight)
                traces = open_until_counted.enter_context(opened)
            self.interrupted = traces.interrupted
            return traces.report()

    def each(self, made: Callable[[Report], Product]) -> None:
        """Read and count, and deliver what is made of the report."""
        product = made(self.report())
        self.deliver(product.document, product.rows, **product.drawing)

    def deliver(
        self, document: GraphDocument | ErrorsDocument, rows: Sequence[Mapping[str, Any]], **drawing: Any
    ) -> None:
        """Write the product, say the notes, and judge `--fail-on`."""
        self.write(document, **drawing)
        self.end(EXPRESSION_HELD if self.held(rows) else 0)

    def held(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether `--fail-on` holds for a row; then that is said."""
        held = [row for row in rows if self._fail_on and self._fail_on.holds(row)]
        if held and self._fail_on:
            first = f"{held[0]['caller'] or 'outside'} → {held[0]['callee']}"
            say(f"--fail-on {self._fail_on.text!r} holds for {len(held)} of {len(rows)} rows, first {first}")
        return bool(held)


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


def say_notes(notes: Sequence[NoteDocument]) -> None:
    """Write notes to stderr, wrapped for it."""
    if notes:
        say(notes_text(notes, _width()))


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
