"""Finds the records in a stream of bytes: traces of Jaeger, resource spans of OTLP, spans of Zipkin.

Values are not parsed and the document is not held: what is in memory is the record being looked at, up to an eighth
of its size more, and a block. Envelopes of any depth, lists of lists, JSON lines and documents after one another are
walked through bracket by bracket; an object is a record by the keys that it has. Where a record does not end as JSON
should, brackets outside of strings are counted, and the beginning of the next record ends it at the latest.

    {"data":[{"traceID":"1f","spans":[…],"processes":{…}},…]}    ▸  Record("jaeger", "$.data[0]", b'{"traceID":"1f",…}')
    {"result":{"resourceSpans":[{"resource":{…},…}]}}            ▸  Record("otlp", "$.result.resourceSpans[0]", b'{…}')
    [[{"traceId":"1f","id":"2e",…}]]                             ▸  Record("zipkin", "$[0][0]", b'{"traceId":…}')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from traceviz.sources import scan
from traceviz.sources.broken import end_of_broken, holds_beginning
from traceviz.sources.kinds import ASIDE, ENVELOPES, Format, kind_of_object


class Record(NamedTuple):
    """A piece of the input. `path` is where it stands, such as `$.data[3]`, after "document 2 " where
    there are several.

    Besides the three formats `what` may be: "refusal", the errors that a server answered with; "header", the first
    line of `traceviz fetch`; "other", JSON where a record should be; "junk", bytes that are no JSON at all;
    "cut", the end of the input inside of a document; "long", a value that goes on beyond `MOST_BYTES`, of which what
    was read so far comes next.
    """

    what: Format | Literal["refusal", "header", "other", "junk", "cut", "long"]
    path: str
    data: bytes


#: No value is held that is longer. This is a trace of some 300,000 spans. Without a bound a bracket that never closes,
#: or a gzip file of a few MB, could fill any memory.
MOST_BYTES = 1 << 29

_JUNK = re.compile(rb"[^\[{]*+")
_LIST_OF_RECORDS = re.compile(rb"\[\s*(?:[\[{\]]|null|$)")
_EMPTY = re.compile(rb"\{\s*\}")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200
_LONG_SCALAR = 4096
_DEEP = 20
#: Envelopes in envelopes: what lies deeper is let go of, because every one of them is remembered.
_DEEPEST = 1_000_000


@dataclass(slots=True)
class _Frame:
    """An open bracket. `expected` says that records should be in it, `known` that something we know was; `start` is
    how an object begins where they should."""

    closing: int
    expected: bool
    start: bytes
    path: str = ""
    key: str | None = None
    index: int = -1
    awaits_value: bool = False
    known: bool = False

    @property
    def step(self) -> str:
        if self.closing == scan.CLOSING[0]:
            return f"[{max(self.index, 0)}]"
        return "" if self.key is None else f".{self.key}"


def split(blocks: Iterable[bytes]) -> Iterator[Record]:
    """The records of a stream of byte blocks of any size, in their order. Never raises for what the bytes say."""
    return Splitter(blocks).records()


class Splitter:
    """The state of `split`. `held` is the largest number of bytes that were in the buffer at once."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.held = 0
        self._blocks = iter(blocks)
        self._data = b""
        self._at = 0
        self._last = b""
        self._ended = False
        self._frames: list[_Frame] = []
        self._document = 0
        self._in_junk = False
        self._torn = False
        self._too_long = False
        self._format: Format | None = None

    def records(self) -> Iterator[Record]:
        """Walk through the stream."""
        if not self._more():
            return
        data, _ = self._ahead(len(_BYTE_ORDER_MARK))
        if data.startswith(_BYTE_ORDER_MARK):
            self._at = len(_BYTE_ORDER_MARK)
        while self._to_next_token():
            first = self._data[self._at]
            if first in scan.CLOSING:
                yield from self._close()
            elif first in scan.OPENING:
                yield from self._open()
            elif not self._frames:
                yield from self._junk()
            else:
                yield from self._scalar()
            if self._too_long:
                self._too_long = False
                yield Record("long", self._path(), self._last)
        if self._frames:
            yield Record("cut", self._path(), self._last)

    def _more(self) -> bool:
        """Let go of what lies behind and read on, by at least an eighth of what stays, so that looking at a long
        record again and again costs no more than a few times its length. False at the end, and where as much stays as
        is ever held."""
        if self._ended:
            return False
        if len(self._data) - self._at >= MOST_BYTES:
            self._too_long = True
            return False
        rest = self._data[self._at :]
        parts, wanted, got = [rest], max(1, len(rest) // 8), 0
        while got < wanted:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                break
            parts.append(block)
            got += len(block)
            self._last = (self._last + block[-_SHOWN:])[-_SHOWN:]  # the same however the stream is cut into blocks
        self._data, self._at = b"".join(parts), 0
        self.held = max(self.held, len(self._data))
        return got > 0

    def _ahead(self, size: int) -> tuple[bytes, int]:
        """What is held and where the walk stands in it, with so many bytes from there on where there are as many."""
        while len(self._data) - self._at < size and self._more():
            pass
        return self._data, self._at

    def _to_next_token(self) -> bool:
        """Step over whitespace and commas; False at the end of the stream."""
        while True:
            gap = scan.GAP.match(self._data, self._at)
            self._at = gap.end() if gap else self._at
            if self._at < len(self._data):
                return True
            if not self._more():
                return False

    def _path(self) -> str:
        """Where the walk stands."""
        frames = self._frames
        steps = [frame.step for frame in frames[-_DEEP:]]
        prefix = f"document {self._document} $" if self._document > 1 else "$"
        return prefix + ("…" if len(frames) > _DEEP else "") + "".join(steps)

    def _begin_value(self) -> bool:
        """A value begins: count it where it stands, and say whether a record is expected here."""
        self._in_junk = False
        if not self._frames:
            self._document += 1
            return True
        frame = self._frames[-1]
        frame.awaits_value = False
        if frame.closing == scan.CLOSING[0]:
            frame.index += 1
            return frame.expected
        return frame.expected and frame.key in ENVELOPES

    def _open(self) -> Iterator[Record]:
        """An object or a list begins: a record is handed out, anything else is walked into."""
        is_list = self._data[self._at] == scan.OPENING[0]
        if not self._frames and is_list and not self._is_list_of_records():
            yield from self._junk()
            return
        frame = self._frames[-1] if self._frames else None
        if frame and frame.awaits_value and frame.expected and frame.key in ASIDE:
            yield from self._aside(ASIDE[frame.key])
            return
        what = "envelope" if is_list else self._classify()
        if what == "nothing" and frame is None:
            yield from self._junk()
            return
        if what == "summary":
            yield from self._aside("other")
            return
        expected = self._begin_value()
        if what == "nothing" and expected and self._format:
            what = self._format  # no key can be read, but it stands among records
        if what == "envelope" or what == "nothing":
            if len(self._frames) == _DEEPEST:
                yield Record("other", self._path(), self._excerpt())
                self._frames.clear()
            self._push(expected)
            return
        end = self._end_of_record(what)
        self._know()
        self._format = what
        yield Record(what, self._path(), self._data[self._at : end])
        self._at = end

    def _is_list_of_records(self) -> bool:
        while True:
            found = _LIST_OF_RECORDS.match(self._data, self._at)
            first = self._data[self._at + 1 : found.end() if found else None].strip()
            is_told = found.end() < len(self._data) if found else not b"null".startswith(first)
            if is_told or not self._more():
                return found is not None

    def _push(self, expected: bool) -> None:
        """Walk into the object or list that begins here."""
        closing = scan.CLOSING[scan.OPENING.index(self._data[self._at])]
        is_object = closing == scan.CLOSING[1]
        start, path = (self._excerpt(), self._path()) if expected and is_object else (b"", "")
        self._frames.append(_Frame(closing, expected, start, path))
        self._at += 1

    def _excerpt(self) -> bytes:
        """What stands here, for a message, the same however the stream is cut into blocks."""
        data, at = self._ahead(_SHOWN)
        return data[at : at + _SHOWN]

    def _know(self) -> None:
        if self._frames:
            self._frames[-1].known = True

    def _close(self) -> Iterator[Record]:
        """A bracket closes. One too many is passed over, a wrong one closes what is open."""
        self._at += 1
        if not self._frames:
            return
        frame = self._frames.pop()
        if frame.known:
            self._know()
        elif frame.expected and frame.closing == scan.CLOSING[1] and not _EMPTY.match(frame.start):
            yield Record("other", frame.path, frame.start[: scan.balanced_end(frame.start, 0)])

    def _aside(self, what: Literal["refusal", "header", "other"]) -> Iterator[Record]:
        """An object or list that is understood and holds no records: hand it out in one piece, and of a broken one
        the beginning."""
        self._begin_value()
        end = self._end()
        if end is None:
            yield Record(what, self._path(), self._excerpt())
            self._push(False)
            return
        yield Record(what, self._path(), self._data[self._at : end])
        self._at = end

    def _scalar(self) -> Iterator[Record]:
        """A key, or a text, number or word that stands where a value does."""
        frame = self._frames[-1]
        in_object = frame.closing == scan.CLOSING[1]
        if in_object and not frame.awaits_value:
            self._key(frame)
            return
        end = self._scalar_end()
        value = self._data[self._at : end]
        expected = self._begin_value()
        if value == b"null":
            pass
        elif in_object and frame.expected and frame.key in ASIDE:
            yield Record(ASIDE[frame.key], self._path(), value[:_SHOWN])
        elif expected:
            yield Record("other", self._path(), value[:_SHOWN])
        self._at = end
        if len(value) > _LONG_SCALAR and value[:1] != b'"':
            self._skip_rest_of_word()

    def _skip_rest_of_word(self) -> None:
        """A word that is too long to be one is let go of in pieces."""
        while self._at == len(self._data) and self._more():
            found = scan.SCALAR.match(self._data, self._at)
            if found is None:
                return
            self._at = found.end()

    def _key(self, frame: _Frame) -> None:
        """The key of a member; what is no key is passed over."""
        while True:
            found = scan.KEY.match(self._data, self._at)
            if found is not None and (found.end() < len(self._data) or self._ended):
                break
            if found is None and not scan.OPEN_KEY.fullmatch(self._data, self._at):
                self._at = self._scalar_end()
                return
            if not self._more():
                self._at = len(self._data)
                return
        frame.key, frame.awaits_value = scan.text_of_key(found), True
        frame.known = frame.known or frame.key in ENVELOPES or frame.key in ASIDE
        self._at = found.end()

    def _scalar_end(self) -> int:
        """Where the text, number or word ends that stands here."""
        while True:
            data, at = self._data, self._at
            found = scan.STRING.match(data, at)
            if found:
                return found.end()
            found = scan.OPEN_TEXT.match(data, at) or scan.SCALAR.match(data, at)
            if found is None:
                return at + 1
            too_long = data[at] != ord('"') and found.end() - at > _LONG_SCALAR
            if found.end() < len(data) or too_long or not self._more():
                return found.end()

    def _junk(self) -> Iterator[Record]:
        """Bytes between documents that are no JSON, handed out once for every stretch of them."""
        if not self._in_junk:
            self._in_junk = True
            path = f"after document {self._document}" if self._document else "$"
            yield Record("junk", path, self._excerpt())
        found = _JUNK.match(self._data, self._at + 1)
        self._at = found.end() if found else len(self._data)

    def _classify(self) -> Format | Literal["envelope", "nothing", "summary"]:
        """What the object is that begins here, by its first keys."""
        while True:
            what = kind_of_object(self._data, self._at, self._ended or self._too_long)
            if what is not None:
                return what
            self._more()

    def _end(self) -> int | None:
        """Where the object or list ends that begins here; None where it is broken or cut off."""
        while True:
            end = scan.whole(self._data, self._at)
            if end >= 0:
                return end
            if end == scan.BROKEN:
                return None
            if not self._more():
                self._torn = True
                return None

    def _end_of_record(self, what: Format) -> int:
        """Where the record ends that begins here. Once one was found that has no end before the stream's, no further
        one is looked through as far: a record that has the beginning of another in it has lost its end."""
        if self._torn and holds_beginning(what, self._data, self._at):
            return end_of_broken(what, self._ahead)
        return self._end() or end_of_broken(what, self._ahead)
