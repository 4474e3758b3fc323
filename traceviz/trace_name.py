"""What a user calls a trace: its id as Jaeger, OTLP or Zipkin write it, the start of it, or the URL of its page.

1f2e3d4c5b6a79880f1e2d3c4b5a6978     32 or 16 hex digits, of any case, also without their leading zeros
Hy49TFtqeYgPHi08S1ppeA==             base64, as Tempo and OTLP have it
1f2e3d                               the start of an id
http://jaeger:16686/jaeger/trace/1f2e3d4c5b6a7988?uiFind=0f1e2d3c
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from traceviz.errors import UsageError
from traceviz.sources.fields import same_trace
from traceviz.sources.names import shown

_HEX = re.compile(r"[0-9a-f]{1,32}")
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{22}(?:==)?|[0-9A-Za-z+/_-]{11}=")
_PAGE = re.compile(r"(?P<base>.*?)/(?:trace|api/traces|api/v3/traces)/(?P<id>[^/]+)/?")
_WHOLE = 32
_HALF = 16
_ZEROS = "0" * _HALF
#: Of a million random ids of 64 bits one is shorter, written without its zeros.
_SHORTEST = 12


@dataclass(frozen=True)
class TraceName:
    """Lower-case hex digits of an id, all or its start, and the base URL of the Jaeger in whose page it was named."""

    digits: str
    url: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it can be nothing but a whole id."""
        return len(self.digits) == _WHOLE

    @property
    def id(self) -> str | None:
        """The id, 32 digits, that it may be as a whole; None where it is too short for one."""
        return self.digits.zfill(_WHOLE) if len(self.digits) >= _SHORTEST else None

    def may_mean(self, trace_id: str) -> bool:
        """Whether spans under this id may be of the trace: also those of programs that cut ids to 64 bits."""
        return bool(self.meant([trace_id])) or (trace_id.startswith(_ZEROS) and not self.is_whole)

    def meant(self, trace_ids: Iterable[str]) -> list[str]:
        """Those of these ids that are meant, sorted: the very id, else the one of which it is the lower half, or whose
        lower half it has; else all that begin with it."""
        known = sorted(set(trace_ids))
        if self.id is not None:
            if self.id in known:
                return [self.id]
            if len(self.digits) in (_HALF, _WHOLE) and (halves := [one for one in known if same_trace(one, self.id)]):
                return halves
        return [one for one in known if any(form.startswith(self.digits) for form in _forms(one))]


def read_trace_name(text: str) -> TraceName | None:
    """The name of a trace; None where the text is none, like the name of a file or the URL of a Jaeger. Raises
    UsageError for the page of a trace whose id is none."""
    if text.startswith(("http://", "https://")):
        return _of_page(text)
    digits = _digits(text.strip())
    return None if digits is None else TraceName(digits)


def _of_page(url: str) -> TraceName | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None  # what is wrong with it is said when it is asked
    page = _PAGE.fullmatch(parts.path)
    if page is None:
        return None
    written = unquote(page["id"])
    digits = _digits(written)
    if digits is None:
        raise UsageError(
            f"{shown(written)} in the URL is no trace id", "The URL of one trace ends with /trace/ and its id"
        )
    return TraceName(digits, urlunsplit((parts.scheme, parts.netloc, page["base"], "", "")))


def _digits(text: str) -> str | None:
    """Hex digits of an id or of its start, from hex or base64; None for anything else, and for an id of zeros alone."""
    digits = text.lower()
    if not _HEX.fullmatch(digits):
        if not _BASE64.fullmatch(text):
            return None
        try:
            digits = base64.b64decode(
                text.rstrip("=") + "==", altchars=b"-_" if re.search("[-_]", text) else None
            ).hex()
        except binascii.Error:
            return None
    return digits if digits.strip("0") or len(digits) < _SHORTEST else None


def _forms(trace_id: str) -> list[str]:
    """The ways in which an id is written."""
    return [trace_id, trace_id.lstrip("0"), *([trace_id[_HALF:]] if trace_id.startswith(_ZEROS) else [])]
