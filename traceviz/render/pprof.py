"""A profile as `go tool pprof`, speedscope and Pyroscope read it: gzipped profile.proto with three values a stack.

A profile is messages of numbers and bytes and nothing else, so that its encoder is the twenty lines at the end of this
file; the protobuf package would want generated code that is tied to its own version.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from traceviz.documents import FlameDocument
from traceviz.render.frames import label
from traceviz.render.words import counted, moment, name, sources

#: Field numbers of profile.proto.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING = 1, 2, 4, 5, 6
_TIME_NANOS, _DURATION_NANOS, _COMMENT, _DEFAULT_SAMPLE_TYPE = 9, 10, 13, 14
_TYPES = (("critical", "nanoseconds"), ("self", "nanoseconds"), ("errors", "count"))
_MOST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pprof(document: FlameDocument) -> bytes:
    """The document as a gzipped profile: a function for every label, a sample for every frame with a value. The same
    bytes for the same document."""
    strings: dict[str, int] = {"": 0}
    functions: dict[str, int] = {}
    samples: list[bytes] = []
    stacks: list[tuple[int, ...]] = []
    for frame in document["frames"]:
        function = functions.setdefault(label(frame), len(functions) + 1)
        stacks.append((function, *(() if frame["parent"] is None else stacks[frame["parent"]])))
        values = [min(number, _MOST) for number in (frame["critical_ns"], frame["self_ns"], frame["errors"])]
        if any(values):
            samples.append(_message(_SAMPLE, _packed(1, stacks[-1]) + _packed(2, values)))

    def text(string: str) -> int:
        return strings.setdefault(string, len(strings))

    types = [_message(_SAMPLE_TYPE, _number(1, text(kind)) + _number(2, text(unit))) for kind, unit in _TYPES]
    comments = [_number(_COMMENT, text(comment)) for comment in _comments(document)]
    named = [
        _message(_FUNCTION, _number(1, function) + _number(2, text(called)) + _number(3, text(called)))
        for called, function in functions.items()
    ]
    # A function has one location, with the same number.
    locations = [_message(_LOCATION, _number(1, one) + _message(4, _number(1, one))) for one in functions.values()]
    begin, duration = _window(document)
    whole = [
        *types,
        *samples,
        *locations,
        *named,
        *(_message(_STRING, string.encode()) for string in strings),
        _number(_TIME_NANOS, begin),
        _number(_DURATION_NANOS, duration),
        *comments,
        _number(_DEFAULT_SAMPLE_TYPE, strings["critical"]),
    ]
    return gzip.compress(b"".join(whole), mtime=0)


def _comments(document: FlameDocument) -> list[str]:
    counts = document["counts"]
    where = [sources(document)] if document["source"] else []
    read = ", ".join([*where, counted(counts["traces"], "trace"), counted(counts["spans"], "span")])
    return [read, *(f"{name(note['code'])}: {name(note['text'])}" for note in document["notes"])]


def _window(document: FlameDocument) -> tuple[int, int]:
    """When the spans begin, and how long they last, in ns; 0 where that is not known."""
    first, last = moment(document["window"]["from"]), moment(document["window"]["to"])
    if first is None or last is None:
        return 0, 0
    micro = timedelta(microseconds=1)
    return (first - _EPOCH) // micro * 1000, (last - first) // micro * 1000


# Protocol buffers: a key of field and type, then a number, or a length and bytes


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _packed(field: int, numbers: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, numbers)))
