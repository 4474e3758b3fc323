"""What the formats have in common: ids, times, texts of values, and how an unreadable record is named."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, TypeVar

import msgspec

from traceviz.building import SpansBuilder
from traceviz.notes import Notes, define
from traceviz.sources import scan

UNREADABLE_RECORD = define(
    "unreadable-record",
    "{count} {count:trace or span|traces or spans} could not be read and {count:is|are} left out",
    """Something in the input is not a span: a NaN, text where a number belongs, invalid UTF-8, a file that breaks off.

    Each example names the file, the place in it and what stands there. Only the records named are missing; everything
    else was used. Ask for the traces again, or repair the file at the place named.""",
)
UNREADABLE_VALUE = define(
    "unreadable-value",
    "{count} {count:value|values} could not be read; what is around was",
    """A trace is damaged at a place that none of its spans need. Nothing of what is shown depends on it.

    Each example names the file, the place in it and what stands there.""",
)
TIME_UNIT_GUESSED = define(
    "time-unit-guessed",
    "{count} {count:span starts|spans start} at a time that only makes sense in another unit than "
    "microseconds; it was guessed",
    """Jaeger and Zipkin give start times in microseconds. Some programs write seconds, milliseconds or nanoseconds.

    A start is read in the unit that puts it into this half century; durations stay microseconds. Repair the exporter:
    what it says about durations may be off by the same factor.""",
)
NEGATIVE_DURATION = define(
    "negative-duration",
    "{count} {count:span ends|spans end} before the start; counted as taking no time",
    """The clock of the machine was set back during the span, or the exporter is wrong. The span is kept with 0 ms.""",
)
TIME_OUT_OF_RANGE = define(
    "time-out-of-range",
    "{count} start {count:time or duration is|times or durations are} impossible and {count:counts|count} as 0",
    """A time before 1970, beyond the year 2262, or not a finite number. The span is kept, its time is not known.""",
)
MISSING_TIME = define(
    "missing-time",
    "{count} {count:span has|spans have} no start time",
    """The exporter left the time out. The span is kept and stands at 1970; no window of time includes it.""",
)

MAX_NS = 2**63 - 1

_LONE_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])")
_FACTORS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**9, 10**9))

Number = int | float | str | None

#: Everything that a decoder may raise for what the bytes say.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class Unreadable(ValueError):
    """A span cannot be read: `path` from the span, such as `.startTime`, and what stands there."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(what)
        self.path = path


def trace_id(text: str, path: str) -> str:
    """A trace id as 32 lower-case hex digits, from hex of any case and length or base64."""
    digits = text.strip()
    if len(digits) == 24 and digits.endswith("=="):
        return _from_base64(digits, path).zfill(32)
    if not (0 < len(digits) <= 32 and digits.isascii() and digits.isalnum()):
        raise Unreadable(path, f"expected a trace id of up to 32 hex digits, got {quoted(text)}")
    try:
        number = int(digits, 16)
    except ValueError:
        raise Unreadable(path, f"expected a trace id of up to 32 hex digits, got {quoted(text)}") from None
    if not number:
        raise Unreadable(path, f"expected a trace id, got {quoted(text)}")
    return f"{number:032x}"


def span_id(text: str | None, path: str) -> int:
    """A span id as a number, from hex of any case and length or base64; 0 where there is none."""
    if not text:
        return 0
    if len(text) == 16 and text.isalnum():
        try:
            return int(text, 16)
        except ValueError:
            pass
    if len(text) == 12 and text.endswith("="):
        text = _from_base64(text, path)
    if text.isascii() and text.isalnum():
        try:
            number = int(text, 16)
        except ValueError:
            number = -1
        if 0 <= number < 2**64:
            return number
    raise Unreadable(path, f"expected a span id of up to 16 hex digits, got {quoted(text)}")


def own_span_id(text: str | None, path: str) -> int:
    """The id of the span itself, which must not be missing or zero."""
    number = span_id(text, path)
    if not number:
        raise Unreadable(path, f"expected a span id, got {quoted(text)}")
    return number


def same_trace(one: str, other: str) -> bool:
    """Whether two ids of `trace_id` mean one trace: equal, or the 64 and the 128 bits of one id."""
    if one == other:
        return True
    zeros = "0" * 16
    return one[16:] == other[16:] and (one.startswith(zeros) or other.startswith(zeros))


def text_of(value: Any) -> str:
    """A tag's value as text: 504 and 504.0 are "504", True is "true", lists are JSON, None is empty."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return msgspec.json.encode(value).decode()


def start_of_us(value: Number, notes: Notes, path: str, example: str) -> int:
    """A start in ns from one that should be in µs; another unit is guessed by its size."""
    number = number_of(value, path)
    if number is None:
        notes.add(MISSING_TIME, 1, [example])
        return 0
    factor = next((factor for least, factor in _FACTORS if number >= least), 1000)
    if factor != 1000 and number <= MAX_NS // factor:
        notes.add(TIME_UNIT_GUESSED, 1, [example])
    return _in_range(number, factor, notes, example)


def duration_of_us(value: Number, start_ns: int, notes: Notes, path: str, example: str) -> int:
    """A duration in ns from one in µs; a missing one is 0."""
    number = number_of(value, path)
    return duration_ns(0 if number is None else number, 1000, start_ns, notes, example)


def duration_ns(number: int | float, factor: int, start_ns: int, notes: Notes, example: str) -> int:
    """A duration times `factor` that is neither negative nor leads beyond what 64 bits hold."""
    if number < 0:
        notes.add(NEGATIVE_DURATION, 1, [example])
        return 0
    nanoseconds = _in_range(number, factor, notes, example)
    if start_ns + nanoseconds > MAX_NS:
        notes.add(TIME_OUT_OF_RANGE, 1, [example])
        return 0
    return nanoseconds


def time_of_ns(value: Number, notes: Notes, path: str, example: str) -> int:
    """An instant in ns, 0 where there is none."""
    number = number_of(value, path)
    return 0 if number is None else _in_range(number, 1, notes, example)


def number_of(value: Number, path: str) -> int | float | None:
    """A number from a number or its decimal text; None from nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, int):
        return value
    try:
        return int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,400}\s*", value) else float(value)
    except ValueError:
        raise Unreadable(path, f"expected a number, got {quoted(value)}") from None


def _in_range(number: int | float, factor: int, notes: Notes, example: str) -> int:
    """A time that is not negative, in ns, or 0 with a note."""
    if 0 <= number <= MAX_NS // factor:
        return min(round(number * factor), MAX_NS)
    notes.add(TIME_OUT_OF_RANGE, 1, [example])
    return 0


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """What `data` decodes to; raises Unreadable with the path and the value of what does not fit."""
    try:
        return decoder.decode(data)
    except UNDECODABLE as error:
        raise Unreadable(*what_is_wrong(error, data)) from None


def note_unreadable(builder: SpansBuilder, where: str, what: str, count: int = 1) -> None:
    """Count spans or records as unreadable; `where` is the file and the path."""
    builder.notes.add(UNREADABLE_RECORD, count, [f"{where}: {what}"])


def what_is_wrong(error: Exception, data: bytes) -> tuple[str, str]:
    """Path from `data` and a clause on what stands there, for anything that decoding `data` raised."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        said, _, path = text.partition(" - at `$")
        path = path.rstrip("`")
        value = scan.value_at(data, path)
        said = said[:1].lower() + said[1:].replace("`", "")
        return path, said if value is None else f"{said}: {scan.shown(value)}"
    if isinstance(error, RecursionError):
        return "", "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return _not_text(data)
    found = re.search(r"\(byte (\d+)\)", text)
    lone = _LONE_SURROGATE.search(data)
    if found is None and lone and scan.balanced_end(data, 0):
        return scan.path_at(data, lone.start()), f"half of a character: {scan.shown(lone[1])}"
    if found is None:
        return "", "it breaks off: " + scan.shown(data[-40:])
    offset = int(found[1])
    said = text.removeprefix("JSON is malformed: ").partition(" (byte")[0]
    return scan.path_at(data, offset), f"{said}: {scan.shown(data[offset:])}"


def _not_text(data: bytes) -> tuple[str, str]:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return scan.path_at(data, error.start), f"invalid UTF-8: {error.object[error.start : error.start + 8]!r}"
    return "", "invalid UTF-8"


def _from_base64(text: str, path: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except binascii.Error:
        raise Unreadable(path, f"expected an id in hex or base64, got {quoted(text)}") from None


def quoted(value: object) -> str:
    """A value as JSON would write it, shortened, for a message."""
    return scan.shown(msgspec.json.encode(value))
