"""Durations and instants as people write them, and back: always integers of ns, instants since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from traceviz.errors import UsageError

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}
_NUMBER = r"[0-9]{1,19}(?:\.[0-9]{1,9})?"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h|d|w)")
_EPOCH = re.compile(_NUMBER)
_RELATIVE = re.compile(r"now(?:\s*([+-])\s*(\S+))?")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9})[0-9]*)?"
    r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))"
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = 2**63 - 1

#: Unit of an epoch number by its magnitude, largest first: the smallest of each is March 1973.
_EPOCH_UNITS_NS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9))

_DURATIONS = "Durations are written like 10m, 1h30m, 90s, 2d, 1w or 500ms."
_INSTANTS = (
    "Instants are written like 2026-11-23T00:47:04Z (or with an offset, +03:00), as seconds, ms, µs or ns since 1970, "
    "as now, or as now-1h."
)


def parse_duration(text: str) -> int:
    """The ns of `10m`, `1h30m`, `1.5h`, `90s`, `2d`, `1w`, `500ms`. Raises UsageError for anything else."""
    duration_ns = _duration_ns(text.strip())
    if duration_ns is None:
        raise UsageError(f"{_shown(text)} is not a duration", _DURATIONS)
    return duration_ns


def is_duration(text: str) -> bool:
    """Whether `parse_duration` reads it."""
    return _duration_ns(text.strip()) is not None


def parse_instant(text: str, now_ns: int) -> int:
    """The ns since 1970 of an instant: RFC 3339 with any offset, epoch s, ms, µs or ns (told apart by magnitude),
    `now`, `now-1h`, `now+5m`.

    Raises UsageError for anything else, also for a bare duration (`2h`), a time without an offset, and instants
    before 1970 or after 2262, which ns in 64 bits cannot hold.
    """
    wanted = text.strip()
    if relative := _RELATIVE.fullmatch(wanted):
        instant_ns = _relative_ns(relative, now_ns)
    elif _EPOCH.fullmatch(wanted):
        instant_ns = _epoch_ns(Fraction(wanted))
    elif moment := _RFC3339.fullmatch(wanted):
        instant_ns = _rfc3339_ns(moment)
    elif _duration_ns(wanted) is not None:
        raise UsageError(f"{_shown(text)} is a duration, not an instant", f"Write now-{wanted}. {_INSTANTS}")
    else:
        instant_ns = None
    if instant_ns is None or not 0 <= instant_ns <= _LATEST_NS:
        raise UsageError(f"{_shown(text)} is not an instant", _INSTANTS)
    return instant_ns


def rfc3339(instant_ns: int) -> str:
    """`2026-11-23T00:47:04.629912Z`: UTC, cut to microseconds."""
    moment = _START + timedelta(microseconds=int(instant_ns) // 1000)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def rfc3339_nano(instant_ns: int) -> str:
    """`2026-11-23T00:47:04.629912345Z`: UTC, nothing cut. For questions to a server."""
    return f"{rfc3339(instant_ns)[:-1]}{int(instant_ns) % 1000:03d}Z"


def _duration_ns(text: str) -> int | None:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    duration_ns = int(sum(Fraction(number) * _UNITS_NS[unit] for number, unit in parts))
    return duration_ns if duration_ns <= _LATEST_NS else None


def _relative_ns(relative: re.Match[str], now_ns: int) -> int | None:
    sign, distance = relative.groups()
    if sign is None:
        return now_ns
    distance_ns = _duration_ns(distance)
    if distance_ns is None:
        return None
    return now_ns + distance_ns if sign == "+" else now_ns - distance_ns


def _epoch_ns(number: Fraction) -> int | None:
    """A number too small to be a date since 1973 is a slip (`--from 30`), only 0 is meant as the beginning."""
    if number == 0:
        return 0
    return next((int(number * unit_ns) for smallest, unit_ns in _EPOCH_UNITS_NS if number >= smallest), None)


def _rfc3339_ns(moment: re.Match[str]) -> int | None:
    day, time, fraction, sign, hours, minutes = moment.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)
    except ValueError:  # the 31st of February, 25 o'clock
        return None
    # Counted from 1970 in whole seconds, so that no year at the edge of the calendar overflows.
    seconds = (local - _START) // timedelta(seconds=1) - (-1 if sign == "-" else 1) * (offset // timedelta(seconds=1))
    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
