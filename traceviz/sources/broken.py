"""Where a record ends that is no JSON: at its bracket, at the next record, or with the stream.

A quote too few turns texts inside out, so that the bracket that seems to close a record may stand in a text of the next
one. So every format has a pattern for how its records begin, and the beginning of the next one goes before.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from traceviz.sources import scan
from traceviz.sources.kinds import Format

_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*"'
_FLAT = rb'\{(?:[^{}"]++|' + _TEXT + rb")*\}"
_FLAT_LIST = rb'\[(?:[^\[\]{}"]++|' + _TEXT + rb"|" + _FLAT + rb")*\]"
_VALUE = rb"(?:" + rb"|".join((_TEXT, _FLAT, _FLAT_LIST, rb'[^\s"{}\[\],]++')) + rb")"


def _members_but(*keys: bytes) -> bytes:
    """A pattern for any number of members with other keys."""
    others = b"".join(rb'(?!"' + key + rb'")' for key in keys)
    return rb"(?:" + others + _TEXT + rb"\s*+:\s*+" + _VALUE + rb"\s*+,\s*+)*"


def _beginning(*pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\{\s*+" + b"".join(pattern), re.DOTALL)


_COLON = rb"\s*+:\s*+"
#: The beginning of a record, which no other record of its format contains outside of a string.
_BEGINNING: dict[Format, re.Pattern[bytes]] = {
    "jaeger": _beginning(_members_but(b"spans", b"processes"), rb'"(?:spans|processes)"', _COLON, rb"[\[{]"),
    "otlp": _beginning(
        _members_but(b"resource", b"scopeSpans", b"instrumentationLibrarySpans"),
        rb'"(?:resource|scopeSpans|instrumentationLibrarySpans)"',
        _COLON,
        rb"[\[{]",
    ),
    "zipkin": _beginning(
        _members_but(b"traceId", b"id"),
        *(rb'(?:"traceId"', _COLON, _TEXT, rb"\s*+,\s*+", _members_but(b"id"), rb'"id"'),
        *(rb'|"id"', _COLON, _TEXT, rb"\s*+,\s*+", _members_but(b"traceId"), rb'"traceId")'),
        *(_COLON, rb'"'),
    ),
}
_LOOKAHEAD = 4096

#: Gives the bytes that are held and where the record begins in them, with so many from there on, or all there are.
Ahead = Callable[[int], tuple[bytes, int]]


def holds_beginning(what: Format, data: bytes, at: int) -> bool:
    """Whether another record begins, outside of texts, before the one at `at` ends."""
    begins = _BEGINNING[what].match
    return any(begins(data, start) for start in scan.objects_within(data, at))


def end_of_broken(what: Format, ahead: Ahead) -> int:
    """Where a record that is no JSON ends in the bytes that `ahead` gave last.

    The beginning of the next record is looked for a little further than the bracket that seems to close this one.
    """
    window = 2 * _LOOKAHEAD
    while True:
        # The windows are the same however the stream is cut into blocks, and so is what is found first in them.
        data, at = ahead(window)
        stop = min(len(data), at + window)
        following = _BEGINNING[what].search(data, at + 1, stop)
        end = scan.balanced_end(data, at, following.start() if following else stop)
        if following:
            return following.start() if end is None else end
        if end is not None and end + _LOOKAHEAD <= stop:
            return end
        if at + window > len(data):
            return len(data) if end is None else end
        window *= 2
