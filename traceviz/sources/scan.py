"""Finds where JSON values end, without making objects of them, in good JSON and in broken.

Two ways. `whole` lets msgspec walk over a value: as fast as memory, and it knows broken JSON from JSON that only
lacks its end. `balanced_end` counts brackets outside of strings and minds nothing else: slower, and it walks
over a NaN, a lone surrogate or a missing comma. Both hold because JSON objects and lists are prefix-free: a value
that starts at a known place ends at one place only, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

#: `whole` met the end of the bytes before the end of the value.
CUT = -1
#: `whole` met something that is not JSON.
BROKEN = -2

# Groups repeat plainly, only single characters possessively: Python before 3.11.5 forgets how to match the others.
STRING = re.compile(rb'"[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*"')
#: A text up to where it stops being one: its end is missing, or a line ends inside of it.
OPEN_TEXT = re.compile(rb'"[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*\\?')
KEY = re.compile(rb'("[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*")\s*+:\s*+')
#: A key up to where the bytes end, before its colon.
OPEN_KEY = re.compile(OPEN_TEXT.pattern + rb'(?:"\s*)?')
SCALAR = re.compile(rb'[^\s,:\[\]{}"]++')
GAP = re.compile(rb"[\s,]*+")

#: Here a text may hold what it must not, such as a line's end: only its quotes matter.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*(?P<closed>"?+)|[\[\]{}]', re.DOTALL)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_WALK = msgspec.json.Decoder(msgspec.Raw)

OPENING = b"[{"
CLOSING = b"]}"

_SHOWN = 60
_DEEP = 40


def _trailing_at(data: bytes | memoryview) -> int | None:
    """Which byte msgspec calls the first one after the value, None where there is no such byte."""
    try:
        _WALK.decode(data)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        return int(found[1]) if found else None
    return None


#: What msgspec counts to the place of the first trailing byte; measured, because it is nowhere promised.
_BIAS = (_trailing_at(b"{} x") or 0) - 3


def whole(data: bytes, start: int) -> int:
    """The end of the object or list that starts at `start`, else `CUT` or `BROKEN`."""
    view = memoryview(data)[start:]
    try:
        _WALK.decode(view)
    except msgspec.DecodeError as error:
        text = str(error)
        found = _TRAILING.search(text)
        if found is None:
            return CUT if "truncated" in text else BROKEN
        after = start + int(found[1]) - _BIAS
    except RecursionError:
        end = balanced_end(data, start)
        return CUT if end is None else end
    else:
        after = len(data)
    return data.rfind(b"}" if data[start] == OPENING[1] else b"]", start, after) + 1


def balanced_end(data: bytes, start: int, stop: int | None = None) -> int | None:
    """The end of the object or list at `start` by brackets outside of strings, None where it is not before `stop`."""
    depth = 0
    for token in _TOKEN.finditer(data, start, len(data) if stop is None else stop):
        first = data[token.start()]
        if first == ord('"'):
            if not token["closed"]:
                return None
        elif first in OPENING:
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def objects_within(data: bytes, start: int) -> Iterator[int]:
    """Where objects start in the one at `start`, outside of strings, until it ends or the bytes do."""
    depth = 0
    for token in _TOKEN.finditer(data, start):
        first = data[token.start()]
        if first in OPENING:
            if depth and first == OPENING[1]:
                yield token.start()
            depth += 1
        elif first in CLOSING:
            depth -= 1
            if depth == 0:
                return


def end_of(data: bytes, start: int) -> int | None:
    """The end of any value at `start`, well or badly written; None where the bytes end before it does."""
    if data[start] in OPENING:
        end = whole(data, start)
        return balanced_end(data, start) if end == BROKEN else None if end == CUT else end
    found = STRING.match(data, start) or SCALAR.match(data, start)
    if found:
        return found.end()
    unclosed = OPEN_TEXT.match(data, start)
    if unclosed is None:
        return start + 1
    return None if unclosed.end() == len(data) else unclosed.end()


def elements(data: bytes, start: int) -> Iterator[tuple[int, int | None]]:
    """Start and end of every element of the list at `start`; the last end is None where the bytes end first."""
    at: int | None = start + 1
    while at is not None:
        at = _after_gap(data, at)
        if at == len(data) or data[at] in CLOSING:
            return
        end = end_of(data, at)
        yield at, end
        at = end


def elements_if_list(data: bytes) -> Iterator[tuple[int, int | None]]:
    """`elements` of the value that `data` is, none where it is no list."""
    return elements(data, 0) if data[:1] == b"[" else iter(())


def members_if_object(data: bytes) -> Iterator[tuple[str, int, int | None]]:
    """`members` of the value that `data` is, none where it is no object."""
    return members(data, 0) if data[:1] == b"{" else iter(())


def members(data: bytes, start: int) -> Iterator[tuple[str, int, int | None]]:
    """Key, start and end of every member of the object at `start`, as `elements` does."""
    at: int | None = start + 1
    while at is not None:
        at = _after_gap(data, at)
        if at == len(data) or data[at] in CLOSING:
            return
        key = KEY.match(data, at)
        if key is None:
            at = end_of(data, at)
            continue
        at = key.end()
        if at == len(data):
            return
        end = end_of(data, at)
        yield text_of_key(key), at, end
        at = end


def text_of_key(key: re.Match[bytes]) -> str:
    """What a match of `KEY` says."""
    try:
        return msgspec.json.decode(key[1], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return key[1][1:-1].decode("utf-8", "replace")


def path_at(data: bytes, offset: int) -> str:
    """The JSON path of the value that holds byte `offset`, such as `.spans[2].tags[0].value`, from the value at 0."""
    path: list[str] = []
    at = 0
    while len(path) < _DEEP:
        step = _child_at(data, at, offset)
        if step is None:
            break
        name, at = step
        path.append(name)
    return "".join(path)


def _child_at(data: bytes, at: int, offset: int) -> tuple[str, int] | None:
    """Name and start of the child that holds byte `offset`."""
    if data[at : at + 1] == b"{":
        for key, start, end in members(data, at):
            if start <= offset and (end is None or offset < end):
                return "." + key, start
    elif data[at : at + 1] == b"[":
        for index, (start, end) in enumerate(elements(data, at)):
            if start <= offset and (end is None or offset < end):
                return f"[{index}]", start
    return None


def value_at(data: bytes, path: str) -> bytes | None:
    """The bytes of the value at a path such as `.spans[2].startTime`, None where there is no such value."""
    at = 0
    if "..." in path:  # msgspec's sign for the key of a mapping
        return None
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        if index and data[at] in b"[":
            found = next((start for i, (start, _) in enumerate(elements(data, at)) if i == int(index)), None)
        elif name and data[at] in b"{":
            found = next((start for key, start, _ in members(data, at) if key == name), None)
        else:
            found = None
        if found is None:
            return None
        at = found
    return data[at : end_of(data, at)]


def shown(data: bytes) -> str:
    """The beginning of a value on one line, for a message."""
    text = " ".join(data[: _SHOWN * 4].decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _after_gap(data: bytes, at: int) -> int:
    found = GAP.match(data, at)
    return found.end() if found else at
