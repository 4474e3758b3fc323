"""Which traces are meant: those with a span that fulfils every condition, as a search of Jaeger means it.

    Selection(services=frozenset({"front"}), min_duration_ns=10**9, tags=(("error", "true"),))

A tag is compared as text: numbers and booleans as JSON writes them (`504`, `true`). It may be the span's own or one of
its process or resource; where both have it, the span's own counts, and of several of one name the first. Names that
mean the same (`spans.TAGS`) find each other: `http.status_code=504` also finds `http.response.status_code`.

Some names are read elsewhere than in tags. `error=true` is everything that says the span failed, an OTel status too,
`error=false` all else; `span.kind` and `service.name` are the span's; `otel.status_code` and `otel.status_description`
are also OTLP's status. What else Jaeger's v1 API makes tags of, such as `otel.scope.name`, is a tag there alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from traceviz.errors import UsageError
from traceviz.sources.names import shown
from traceviz.spans import TAGS, Bools, Kind, Spans, extra_column
from traceviz.workloads import Workloads

_COLUMN_OF = {tag: column for column, tags in TAGS.items() for tag in tags}
_KINDS = {kind.name.lower(): kind for kind in Kind if kind}
#: Names of tags that columns of every Spans hold, and the values that they can have, None for any.
_OWN_COLUMN = {"error": ("true", "false"), "span.kind": tuple(_KINDS), "service.name": None}


@dataclass(frozen=True)
class Selection:
    """Conditions on one span, None and () where there is none.

    `services` are names as spans have them; `workload` is the name that a span's own tags and its pod give, where
    one service name stands for many. `operation` is the whole name. Durations are of the span, in ns, and include
    the bounds; so do `from_ns` and `to_ns`, between which it starts. `tags` are those of `parse_tag`.
    """

    services: frozenset[str] | None = None
    workload: str | None = None
    operation: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether there is any condition."""
        return self != Selection()

    @property
    def extra_tags(self) -> tuple[str, ...]:
        """The names of tags that spans have to be read with, so that the conditions can be seen."""
        return tuple(sorted({key for key, _ in self.tags} - _OWN_COLUMN.keys()))

    def matches(self, spans: Spans) -> Bools:
        """The spans that fulfil all conditions at once. Raises KeyError for spans read without `extra_tags`."""
        found = np.ones(len(spans), np.bool_)
        if self.services is not None:
            wanted = np.zeros(len(spans.texts), np.bool_)
            wanted[[code for name in self.services if (code := spans.texts.codes.get(name)) is not None]] = True
            found &= wanted[spans.service]
        if self.workload is not None:
            found &= _of_workload(spans, self.workload)
        if self.operation is not None:
            found &= spans.operation == _code(spans, self.operation)
        if self.min_duration_ns is not None:
            found &= spans.duration_ns >= self.min_duration_ns
        if self.max_duration_ns is not None:
            found &= spans.duration_ns <= self.max_duration_ns
        if self.from_ns is not None:
            found &= spans.start_ns >= self.from_ns
        if self.to_ns is not None:
            found &= spans.start_ns <= self.to_ns
        for key, value in self.tags if len(spans) else ():
            found &= _tagged(spans, key, value)
        return found

    def whole_traces(self, spans: Spans) -> Bools:
        """All spans of the traces in which at least one matches, of Spans that hold whole traces."""
        chosen = np.zeros(len(spans.trace_ids), np.bool_)
        chosen[spans.trace[self.matches(spans)]] = True
        return chosen[spans.trace]


def parse_tag(text: str) -> tuple[str, str]:
    """Name and value of a tag written `name=value`, split at the first `=`. Raises UsageError for anything else.

    `error=true` ▸ `("error", "true")`; `guid:x-request-id=1f=` ▸ `("guid:x-request-id", "1f=")`.
    """
    key, sign, value = text.partition("=")
    if not sign or not key or not value:
        why = ", not NAME:VALUE, because names may hold colons" if ":" in text and not sign else ""
        raise UsageError(f"{shown(text)} is not a tag", f"Tags are written NAME=VALUE{why}: http.status_code=504")
    allowed = _OWN_COLUMN.get(key)
    if allowed and value not in allowed:
        raise UsageError(f"{key} is never {shown(value)}", f"It is one of {', '.join(allowed)}")
    return key, value


def _tagged(spans: Spans, key: str, value: str) -> Bools:
    """The spans that have a tag of this value, under this name or one that means the same."""
    if key == "error":
        return spans.error if value == "true" else ~spans.error
    if key == "span.kind":
        return np.asarray(spans.kind == _KINDS.get(value, -1), np.bool_)
    code = _code(spans, value)
    if key == "service.name":
        return np.asarray(spans.service == code, np.bool_)
    found: Bools = spans.tags[extra_column(key)] == code
    if key in _COLUMN_OF:
        found = found | (spans.tag(_COLUMN_OF[key]) == code)
    return found


def _code(spans: Spans, text: str) -> int:
    """The code of a text, -1 where no span has it."""
    return spans.texts.codes.get(text, -1)


def _of_workload(spans: Spans, name: str) -> Bools:
    """The spans of the workload that its own tags and its pod call so."""
    workloads = Workloads(spans)
    called_so: Bools = np.array([key.own_name == name for key in workloads.keys], np.bool_)[workloads.of_row]
    return called_so
