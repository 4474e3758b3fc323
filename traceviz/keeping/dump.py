"""The file that `traceviz fetch -O day.jsonl.gz` writes: a header, then a line a trace, page by page, readable always.

FILE itself is written, not a part beside it, so that every command can read what has come at any moment and after any
end: the header and every page are gzip members of their own (in a plain `.jsonl` just lines), and of a page that was
being written when the machine stopped a reader notes `cut-off` and uses all before. As long as the header says
`"complete": false` a reader notes `fetch-unfinished`.

What was noted is known only at the end, and the header stands first; so is which traces are the newest, where not all
are wanted. So at the end FILE is written anew as FILE.new, the new header and then the pages, byte for byte unless some
lines go, and that takes FILE's place in one step.

Beside FILE stands FILE.progress until the fetch is complete: how many bytes behind the header are whole pages, and
what the collector needs to know to go on. It is replaced after every page, also in one step. What FILE has beyond those
bytes is cut away when the fetch is resumed, and fetched again. An anonymised dump has none: it would hold true names,
and what a second run appends would stand under other pseudonyms, or none.

A file with something in it is never overwritten, because traces that a Jaeger has forgotten cannot be fetched again.
A new one may be read by its owner alone, because traces hold addresses, users and statements of databases.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

from traceviz.errors import UsageError
from traceviz.keeping.pages import Form, form_of
from traceviz.notes import Notes
from traceviz.sources.fields import UNDECODABLE, Unreadable
from traceviz.sources.header import Header
from traceviz.sources.lines import lines

_OWNER_ONLY = 0o600
_BLOCK = 1 << 20
_ANEW = "Name another file, or remove this one to fetch anew"


class _Progress(msgspec.Struct):
    """What stands in FILE.progress. `bytes` counts from the end of the header, whose length changes at the end."""

    bytes: int
    state: Any


class DumpWriter:
    """Writes one dump. To be closed by `with`; without `finish` it stays unfinished and can be resumed.

    `header` is what FILE says of itself, `progress` the last state that was handed in, None for a complete dump.
    Methods raise UsageError where FILE cannot be written; what was written before stays good.
    """

    def __init__(self, path: str, form: Form, file: BinaryIO, header: Header, header_bytes: int) -> None:
        self.path = path
        self.header = header
        self.progress: Any = None
        self._form = form
        self._file = file
        self._header_bytes = header_bytes
        self._bytes = 0

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: Header, progress: Any = None) -> DumpWriter:
        """Begin a dump in a file that is not there, or is empty. `progress` is any JSON that `resume` gives back; with
        None there is no FILE.progress, and the dump cannot be resumed.

        Raises UsageError for another suffix than .jsonl and .jsonl.gz, for a file that holds something, and for one
        that cannot be written.
        """
        place, form = _place(path)
        with _writing(place), ExitStack() as undo:
            file = undo.enter_context(_opened(place, os.O_RDWR | os.O_CREAT))
            if os.fstat(file.fileno()).st_size:
                raise _taken(place)
            page = form.pack(header.to_json() + b"\n")
            dump = cls(place, form, file, header, len(page))
            dump.progress = progress
            _forget_progress(place)
            dump._note_progress()
            dump._write_at(0, page)
            undo.pop_all()
            return dump

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> DumpWriter:
        """Go on with a dump: what lies behind its last whole page is cut away.

        `header.complete` says that there is nothing left to fetch; then FILE is not touched. Raises UsageError for a
        file that is not there, is no dump, is being written by another process, or whose progress is not known.
        """
        place, form = _place(path)
        with _writing(place), ExitStack() as undo:
            file = undo.enter_context(_opened(place, os.O_RDWR))
            header, header_bytes = _read_header(place, form)
            dump = cls(place, form, file, header, header_bytes)
            dump._bytes = os.fstat(file.fileno()).st_size - header_bytes
            if header.complete:
                _forget_progress(place)
            else:
                known = _read_progress(place)
                if not 0 <= known.bytes <= dump._bytes:
                    raise UsageError(f"{place} is shorter than it was when {_beside(place)} was written", _ANEW)
                dump._bytes, dump.progress = known.bytes, known.state
                file.truncate(header_bytes + known.bytes)
            undo.pop_all()
            return dump

    def __enter__(self) -> DumpWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def trace_ids(self) -> Iterator[str]:
        """The id of the trace in every line of FILE, 32 hex digits; "" for a line without one."""
        ignored = Notes()
        for line in self._lines():
            yield next((found.trace_id for found in lines(line, self.path, ignored)), "")

    def add(self, page: Iterable[bytes], progress: Any) -> None:
        """Write lines, which have no ends, and then that this is what is done by now: any JSON."""
        text = b"".join(part for line in page for part in (line, b"\n"))
        data = self._form.pack(text) if text else b""
        with _writing(self.path, "What came before is kept. Make room, and go on with --resume"):
            self._write_at(self._header_bytes + self._bytes, data)
            self._bytes += len(data)
            self.progress = progress
            self._note_progress()

    def finish(self, header: Header, wanted: Sequence[bool] | None = None) -> None:
        """End the fetch: FILE gets this header, and where `wanted` says so of each of its lines, only those that are.
        Where the header is complete there is nothing to resume any more."""
        beside = f"{self.path}.new"
        remedy = "All traces are kept, only the notes are missing. Make room, and go on with --resume"
        with _writing(self.path, remedy), _replacing(beside, self.path) as new:
            os.chmod(beside, os.fstat(self._file.fileno()).st_mode & 0o777)
            new.write(self._form.pack(header.to_json() + b"\n"))
            pages = self._pages() if wanted is None else self._pages_of(wanted)
            size = sum(new.write(page) for page in pages)
            new.flush()
            os.fsync(new.fileno())
        self.header, self._bytes = header, size
        if header.complete:
            _forget_progress(self.path)
        else:
            with _writing(self.path):
                self._note_progress()

    def discard(self) -> None:
        """Remove what was written."""
        _forget_progress(self.path)
        with contextlib.suppress(OSError):
            os.remove(self.path)

    def _write_at(self, at: int, data: bytes) -> None:
        """Write at the end of what is good. What came of it before it failed is taken back."""
        try:
            self._file.seek(at)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.truncate(at)
            raise

    def _pages(self) -> Iterator[bytes]:
        """All pages, as they are."""
        self._file.seek(self._header_bytes)
        left = self._bytes
        while left:
            block = self._file.read(min(left, _BLOCK))
            if not block:
                raise OSError("somebody else made it shorter")
            yield block
            left -= len(block)

    def _pages_of(self, wanted: Sequence[bool]) -> Iterator[bytes]:
        """New pages of some of the lines."""
        text = bytearray()
        for line, is_wanted in zip(self._lines(), wanted, strict=True):
            if is_wanted:
                text += line
            if len(text) >= _BLOCK:
                yield self._form.pack(bytes(text))
                text.clear()
        if text:
            yield self._form.pack(bytes(text))

    def _lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._header_bytes)
                yield from self._form.lines(file)
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"{self.path} is damaged: {error}", _ANEW) from error

    def _note_progress(self) -> None:
        if self.progress is None:
            return
        with _replacing(f"{_beside(self.path)}.new", _beside(self.path)) as new:
            new.write(msgspec.json.encode(_Progress(self._bytes, self.progress)))


def is_begun(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file with something in it, so that `create` would refuse it and `resume` may go on with it."""
    try:
        return os.path.getsize(path) > 0
    except OSError:
        return False


def _place(path: str | os.PathLike[str]) -> tuple[str, Form]:
    """Where the file is, behind all links, so that not a link is replaced by it; and how it is written."""
    form = form_of(os.fspath(path))
    if form is None:
        raise UsageError(f"the suffix of {os.fspath(path)} says nothing", "Traces go to a .jsonl.gz or a .jsonl")
    return os.path.realpath(path), form


def _beside(place: str) -> str:
    return f"{place}.progress"


def _forget_progress(place: str) -> None:
    for left in (_beside(place), f"{_beside(place)}.new"):
        with contextlib.suppress(OSError):
            os.remove(left)


def _taken(place: str) -> UsageError:
    if os.path.exists(_beside(place)):
        return UsageError(f"{place} holds a fetch that did not come to its end", "Go on with --resume, or remove it")
    return UsageError(f"{place} is there already, and nothing is written over", "Name another file, or remove this one")


@contextlib.contextmanager
def _writing(place: str, remedy: str = "") -> Iterator[None]:
    """Says it in words where the file cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {place}: {error.strerror or error}", remedy) from error


def _opened(place: str, flags: int) -> BinaryIO:
    """The file, which no other process is writing meanwhile."""
    file = os.fdopen(os.open(place, flags, _OWNER_ONLY), "r+b", buffering=0)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise UsageError(f"{place} is being written by another process", "Wait for it, or name another file") from None
    except (ImportError, OSError):
        pass  # Windows, and file systems without locks, have to go without
    return file


@contextlib.contextmanager
def _replacing(new: str, place: str) -> Iterator[BinaryIO]:
    """A file that takes the place of another when all is well, and is removed when not."""
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "wb") as file:
            yield file
        os.replace(new, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(new)
        raise


def _read_header(place: str, form: Form) -> tuple[Header, int]:
    with open(place, "rb") as file:
        line, size = form.first_page(file)
    try:
        if line.lstrip().startswith(b'{"traceviz"'):
            return Header.from_json(line), size
    except Unreadable as error:
        raise UsageError(f"the first line of {place} cannot be read: {error}", _ANEW) from error
    raise UsageError(f"{place} was not written by traceviz fetch", _ANEW)


def _read_progress(place: str) -> _Progress:
    try:
        with open(_beside(place), "rb") as file:
            return msgspec.json.decode(file.read(), type=_Progress)
    except FileNotFoundError:
        remedy = f"An anonymised fetch cannot be resumed. {_ANEW}"
        raise UsageError(
            f"{place} is unfinished, and {_beside(place)}, which says what is done, is missing", remedy
        ) from None
    except (OSError, *UNDECODABLE) as error:
        raise UsageError(f"{place} is unfinished, and {_beside(place)} does not say what is done", _ANEW) from error
