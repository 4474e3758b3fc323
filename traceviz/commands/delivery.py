"""From the options of a command to its product: on stdout or in a file, with the notes on stderr."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO, cast

import click

from traceviz.analyze.counting import Counted, Counts
from traceviz.asking.access import Access
from traceviz.commands.streams import echo, say
from traceviz.commands.waiting import overseen
from traceviz.connecting import access as read_access
from traceviz.documents import AnyDocument, BaselineDocument, CountedDocument, FlameDocument
from traceviz.errors import UsageError
from traceviz.fail_on import FailOn
from traceviz.loading import INTERRUPTED
from traceviz.notes import NoteDocument
from traceviz.render import FORMATS, format_of_file, notes_on, render
from traceviz.render.arrangement import AS_USUAL, Arrangement, read_arrangement
from traceviz.render.text import UNCUT, notes_text
from traceviz.render.words import clean
from traceviz.target import open_target
from traceviz.wanted import Wanted, read_wanted

EXPRESSION_HELD = 79
#: Columns of a terminal that does not say how many it has.
_COLUMNS = 80

#: Formats that are read by people in a terminal, where stderr says the notes below them.
TABLES = frozenset({"table", "wide"})
#: Formats that say the notes themselves.
_SELF_CONTAINED = frozenset({"json", "svg", "png", "pdf", "mermaid", "cytoscape", "pprof"})


class Delivery:
    """One run of a command that reads a target: what it reads, from the options of `selection`, and what becomes of the
    document, from those of `output`, and from those of `rows` where the document is a list of rows of `row_type`."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str], row_type: type | None = None) -> None:
        self.access = read_access(options)
        self.targets: tuple[str, ...] = options.pop("targets")
        self.quiet: bool = options.pop("quiet")
        self.interrupted = False
        file: str | None = options.pop("file")
        self._file = None if file is None else Path(file)
        self._format = _format(options.pop("format"), file, formats)
        self._color = _color(options.pop("color")) and self._file is None
        self._arranged = AS_USUAL if row_type is None else _arranged(options, row_type, self._format)
        self.wanted = read_wanted(**options)
        if FORMATS[self._format].binary and self._file is None and sys.stdout.isatty():
            raise UsageError(
                f"{self._format} is binary and does not go to a terminal", f"Name a file: -O graph.{self._format}"
            )

    @property
    def draws(self) -> bool:
        """Whether the product is a picture, which shows the failing hops as well."""
        return FORMATS[self._format].drawing

    @property
    def format(self) -> str:
        """The format of the product, by its name."""
        return self._format

    def write(self, document: AnyDocument, **drawing: Any) -> None:
        """Write the product and say the notes."""
        product = self.rendered(document, **drawing)
        if self._file is not None:
            _write(self._file, product)
        else:
            if self._format == "csv" and isinstance(product, str) and sys.stdout.isatty():
                # Cells have the letters that strangers wrote, which is for programs: a terminal obeys some of them.
                product = "\n".join(clean(line) for line in product.split("\n"))
            # Data is UTF-8 wherever it goes; what a terminal shows is in its own encoding.
            echo(product.encode() if isinstance(product, str) and self._format not in TABLES else product)
        if not self.quiet:
            if self._file is not None:
                say(f"wrote {self._file}")
            say_notes(self.notes_beside(document, **drawing))

    def rendered(self, document: AnyDocument, **drawing: Any) -> str | bytes:
        """The product."""
        shown = copy.copy(document)
        if self._format in TABLES:
            shown["notes"] = []
        width = _width(sys.stdout if self._file is None else None)
        return render(shown, self._format, width=width, color=self._color, arranged=self._arranged, **drawing)

    def notes_beside(self, document: AnyDocument, **drawing: Any) -> list[NoteDocument]:
        """The notes that the product does not say itself, and those on what its format cannot show."""
        of_document = [] if self._format in _SELF_CONTAINED else [*document["notes"], *_of_baseline(document)]
        return of_document + notes_on(document, self._format, **drawing)

    def end(self, code: int = 0) -> None:
        """End with the exit code of an interruption, else with this one."""
        if self.interrupted or code:
            raise click.exceptions.Exit(INTERRUPTED if self.interrupted else code)


class Product(NamedTuple):
    """A document, the rows that `--fail-on` judges, and how it is drawn."""

    document: CountedDocument | FlameDocument
    rows: Sequence[Mapping[str, Any]]
    drawing: Mapping[str, Any] = MappingProxyType({})


class Run(Delivery):
    """One run of an analysing command: what it counts, and the judgement of its rows."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str], row_type: type) -> None:
        text: str | None = options.pop("fail_on")
        self._fail_on = None if text is None else FailOn(text, row_type)
        super().__init__(options, formats, row_type)

    def count(
        self, fresh: Callable[[], Counts], targets: Sequence[str], wanted: Wanted, access: Access
    ) -> Counted[Counts]:
        """Read these traces, and count them with fresh counts."""
        with contextlib.ExitStack() as open_until_counted:
            with overseen(self.quiet) as oversight:
                opened = open_target(targets, wanted, access, oversight=oversight)
                traces = open_until_counted.enter_context(opened)
            self.interrupted = self.interrupted or traces.interrupted
            counts = fresh()
            return Counted(counts, traces.report(counts.count))

    def each(self, fresh: Callable[[], Counts], made: Callable[[Counted[Counts]], Product]) -> None:
        """Read and count what was asked for, and deliver what is made of it."""
        product = made(self.count(fresh, self.targets, self.wanted, self.access))
        self.deliver(product.document, product.rows, **product.drawing)

    def deliver(
        self,
        document: CountedDocument | FlameDocument,
        rows: Sequence[Mapping[str, Any]],
        code: int = 0,
        **drawing: Any,
    ) -> None:
        """Write the product, say the notes, and judge `--fail-on`, which goes before the exit code that is given."""
        self.write(document, **drawing)
        self.end(EXPRESSION_HELD if self.held(rows) else code)

    def held(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether `--fail-on` holds for a row; then that is said."""
        held = [row for row in rows if self._fail_on and self._fail_on.holds(row)]
        if held and self._fail_on:
            first = held[0].get("code") or held[0].get("service") or _hop(held[0])
            say(f"--fail-on {self._fail_on.text!r} holds for {len(held)} of {len(rows)} rows, first {first}")
        return bool(held)


def _of_baseline(document: AnyDocument) -> list[NoteDocument]:
    """What was noted of the traces that a document's are compared with."""
    baseline: BaselineDocument | None = cast(Any, document).get("baseline")
    notes = baseline["notes"] if baseline else []
    return [{**note, "text": f"of the baseline: {note['text']}"} for note in notes]


def _hop(row: Mapping[str, Any]) -> str:
    return f"{row['caller'] or 'outside'} → {row['callee']}"


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


def say_notes(notes: Sequence[NoteDocument]) -> None:
    """Write notes to stderr, wrapped for it."""
    if notes:
        say(notes_text(notes, _width(sys.stderr)))


def _arranged(options: dict[str, Any], row_type: type, format: str) -> Arrangement:
    """What the options of `rows` say, checked before anything is read."""
    columns, sort, bare = (options.pop(name) for name in ("columns", "sort", "no_headers"))
    arranged = read_arrangement(columns, sort, row_type, headings=not bare)
    arranged.check(format)
    return arranged


def _width(stream: TextIO | None) -> int:
    """How broad what goes to a stream, None for a file, may be: as COLUMNS says, else as its terminal is. Elsewhere
    there is no end: who greps needs names that are whole."""
    with contextlib.suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    if stream is None or not stream.isatty():
        return UNCUT
    with contextlib.suppress(OSError):
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    return _COLUMNS


def _color(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
