"""`--watch`: the same product round after round, on a screen, a line each, or in a file."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from traceviz.analyze.counting import Counted, Counts
from traceviz.asking.oversight import Oversight
from traceviz.commands.delivery import EXPRESSION_HELD, TABLES, Product, Run, say_notes, unwritable
from traceviz.commands.streams import say, silence
from traceviz.commands.waiting import progress
from traceviz.errors import TracevizError, UsageError
from traceviz.live import open_jaeger
from traceviz.notes import NoteDocument
from traceviz.render.export import to_json_line
from traceviz.render.text import notes_text
from traceviz.traces import Traces
from traceviz.wanted import Wanted
from traceviz.watching import DEFAULT_SETTLE_NS, Watch
from traceviz.when import parse_duration

_SHORTEST_NS = 100 * 10**6
#: Formats of which several can stand behind one another.
_STREAMS = (*sorted(TABLES), "json")

_HOME, _CLEAR, _REST_OF_LINE, _BELOW = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"
_STEERING = re.compile("\x1b\\[[0-9;]*m")


def run(options: dict[str, Any], formats: Sequence[str], row_type: type) -> Run:
    """One run of a command with the options of `watching`: a watch where `--watch` is given."""
    every, settle = options.pop("watch"), options.pop("settle")
    if every is not None:
        return Rounds(options, formats, row_type, every, settle)
    if settle is not None:
        raise UsageError("--settle is for --watch alone", "Without it the window is read once")
    return Run(options, formats, row_type)


class Rounds(Run):
    """A run that goes on: a round every so often, until it is interrupted, nobody reads any more, or `--fail-on` holds.

    Where a round fails that is said, and the next one asks for what it missed; a failing first one ends it.
    """

    def __init__(
        self, options: dict[str, Any], formats: Sequence[str], row_type: type, every: str, settle: str | None
    ) -> None:
        super().__init__(options, formats, row_type)
        self._every = every
        self._interval_ns = parse_duration(every)
        if self._interval_ns < _SHORTEST_NS:
            raise UsageError("--watch is shorter than 100ms", "Give it time: --watch 30s")
        if self.wanted.join_requests:
            raise UsageError(
                "--watch counts traces as they come, and --join-requests looks at all of them first",
                "Leave one of them out",
            )
        if any(not target.startswith(("http://", "https://")) for target in self.targets) or len(self.targets) > 1:
            raise UsageError("--watch follows one Jaeger, and a file was named", "Files do not go on: no --watch")
        if self._file is None and self._format not in _STREAMS:
            raise UsageError(
                f"--watch writes {self._format} into a file only, which it writes anew every round",
                f"Name one, -O FILE, or stream with -o {' or '.join(_STREAMS)}",
            )
        self._settle_ns = DEFAULT_SETTLE_NS if settle is None else parse_duration(settle)
        self._rounds = 0
        self._said: set[str] = set()
        self._on_screen = self._format in TABLES and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def each(self, fresh: Callable[[], Counts], made: Callable[[Counted[Counts]], Product]) -> None:
        """Deliver what is made of the counts, in every round."""
        watch = Watch(self._opened, self.wanted, fresh, self._settle_ns)
        with _warned_once():
            for _ in _beats(self._interval_ns / 1e9):
                try:
                    product = made(watch.round(time.time_ns()))
                    self._show(product, watch)
                except TracevizError as trouble:
                    if not self._rounds:
                        raise
                    now_ns = time.time_ns()
                    watch.fail(now_ns)
                    said = " ".join(str(trouble).split())
                    say(f"{_clock(now_ns)} {said}; the next round asks for this time, too")
                else:
                    self._rounds += 1
                    self.end(EXPRESSION_HELD if self.held(product.rows) else 0)
                # Connections are circles, and where nothing else is counted it takes hours until they are looked for.
                gc.collect()

    @contextlib.contextmanager
    def _opened(self, wanted: Wanted) -> Iterator[Traces]:
        # Anew each time: a Jaeger that was restarted may be another version, or take other credentials.
        with contextlib.ExitStack() as open_until_counted:
            with progress(self.quiet or self._rounds > 0) as advanced:
                traces = open_until_counted.enter_context(
                    open_jaeger(self.access, wanted, Oversight(advanced=advanced))
                )
            yield traces

    def _show(self, product: Product, watch: Watch[Any]) -> None:
        document = product.document
        notes = [] if self.quiet else self.notes_beside(document, **product.drawing)
        if self._file is not None:
            _rewrite(self._file, self.rendered(document, **product.drawing))
            if not self._rounds and not self.quiet:
                say(f"wrote {self._file}, and again every {self._every}")
            self._say_new(notes)
        elif self._format == "json":
            _put(to_json_line(document).encode())
        else:
            table = self.rendered(document)
            assert isinstance(table, str)
            text = f"{self._head(watch)}\n{table}" if self._arranged.headings else table
            if self._on_screen:
                _draw(text + notes_text(notes, shutil.get_terminal_size().columns), first=not self._rounds)
            else:
                _put(f"\n{text}" if self._rounds and self._arranged.headings else text)
                self._say_new(notes)

    def _head(self, watch: Watch[Any]) -> str:
        return f"every {self._every}, {_clock(watch.shown_to_ns)}, settled up to {_clock(watch.settled_ns)}"

    def _say_new(self, notes: Sequence[NoteDocument]) -> None:
        """Say the notes that the round before did not have: they would fill the screen every round."""
        say_notes([note for note in notes if note["code"] not in self._said])
        self._said = {note["code"] for note in notes}


def _beats(interval_s: float) -> Iterator[None]:
    """Every so often, at first at once. Where one takes longer the next one follows at once, and the rest keep to their
    times."""
    due = time.monotonic()
    while True:
        yield
        due += interval_s
        early = due - time.monotonic()
        if early > 0:
            time.sleep(early)
        else:
            due += -early // interval_s * interval_s


def _put(product: str | bytes) -> None:
    """Write to stdout at once. Where nobody reads any more the command ends."""
    try:
        click.echo(product, nl=False, color=True)
    except BrokenPipeError:
        silence(sys.stdout)
        raise click.exceptions.Exit(0) from None


def _draw(text: str, *, first: bool) -> None:
    """Write a screen over the one before: in one piece and line by line, so that nothing flickers."""
    columns, rows = shutil.get_terminal_size()
    lines = text.rstrip("\n").split("\n")
    room = rows - 1  # the cursor stands in the last one
    heights = [max(1, -(-cell_len(_STEERING.sub("", line)) // columns)) for line in lines]
    if sum(heights) > room:
        shown = next(n for n in range(len(lines), -1, -1) if sum(heights[:n]) < room or not n)
        lines = [*lines[:shown], f"… {len(lines) - shown:,} more lines: make the window larger, or -O FILE"]
    drawn = "".join(f"{line}{_REST_OF_LINE}\n" for line in lines)
    _put(f"{_CLEAR if first else ''}{_HOME}{drawn}{_BELOW}")


def _rewrite(file: Path, product: str | bytes) -> None:
    """Put a new product into the place of the old one in one step, so that nobody reads half of it."""
    whole = product if isinstance(product, bytes) else product.encode()
    place = Path(os.path.realpath(file))
    new = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        if place.exists() and not place.is_file():  # a terminal, a pipe
            place.write_bytes(whole)
            return
        try:
            new.write_bytes(whole)
            if place.exists():
                shutil.copymode(place, new)
            new.replace(place)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(file, error) from error


@contextlib.contextmanager
def _warned_once() -> Iterator[None]:
    """A warning about the connection is said for the first of all the connections that a watch makes."""
    warned: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        new = record.levelno < logging.WARNING or said not in warned
        if record.levelno >= logging.WARNING:
            warned.add(said)
        return new

    log = logging.getLogger("traceviz")
    log.addFilter(is_new)
    try:
        yield
    finally:
        log.removeFilter(is_new)


def _clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%H:%M:%S} UTC"
