"""One answer to a search, and whether there may be more than it holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from traceviz.asking.windows import OVERLAP_NS, Window
from traceviz.notes import Notes
from traceviz.sources.lines import lines
from traceviz.sources.reader import CUT_OFF, read_answer, read_stream
from traceviz.spans import Bools, Ints, Spans

_TRACE_V1 = b'"processes":{'
_TRACE_V3 = re.compile(rb'"traceId":"([0-9A-Za-z+/=]+)"')
_START = re.compile(rb'"startTime(?:UnixNano)?":"?([0-9]{1,19})[",}]')
#: Cassandra's index gives the newest so many spans for each trace asked for, and the traces that these are of.
_INDEXED = 3
_US_BEFORE = 10**17  # every later number of a start is in ns


@dataclass(frozen=True)
class Page:
    """Whole traces, but where the answer was cut off. `limit` is how many it was allowed to hold, `name` where it came
    from, `extra_tags` what is to be read of them beside the usual."""

    limit: int
    body: bytes = b""
    name: str = ""
    extra_tags: Sequence[str] = ()
    cut_off: bool = False

    @cached_property
    def spans(self) -> Spans:
        """Everything that can be read of it, with the notes of reading. Of one that broke off that is its whole traces,
        as in a dump: a trace that lacks its end would look like one whose last calls were not answered."""
        spans = self._read(self.body)
        if not self.cut_off and not spans.notes.count(CUT_OFF):
            return spans
        whole = b"\n".join(line.data for line in lines(self.body, self.name, Notes()))
        return replace(self._read(whole), notes=spans.notes)

    def _read(self, body: bytes) -> Spans:
        return read_answer(body, self.name, self.extra_tags)

    @cached_property
    def full(self) -> bool:
        """Whether there may be traces that it has no room for. What holds more than it may was not cut at all.

        Most full pages are asked for again in parts, so that reading their bytes would be lost work: their traces are
        counted without, as a Jaeger writes them, and only where that gives another number than the limit they are read.
        """
        traces = self.body.count(_TRACE_V1) or len(set(_TRACE_V3.findall(self.body)))
        if traces == self.limit:
            return True
        return len(self.spans.trace_ids) == self.limit

    def notes_of(self, trace_ids: Collection[str]) -> Notes:
        """What was noted while these traces were read, and of what belongs to no trace: a trace that is in several
        answers is noted once."""
        noted = self.spans.notes
        if not len(noted) or len(trace_ids) == len(self.spans.trace_ids):
            return noted
        notes, wanted = Notes(), {"", *trace_ids}
        for line in lines(self.body, self.name, notes):
            if line.trace_id in wanted:
                for spans in read_stream([line.data], self.name, extra_tags=self.extra_tags):
                    notes.merge(spans.notes)
        return notes

    @property
    def is_whole(self) -> bool:
        """Whether it ends where it should: not cut off on its way, nor in its text, by a length that was wrong."""
        return not self.cut_off and not self.spans.notes.count(CUT_OFF)

    @cached_property
    def starts_ns(self) -> Ints:
        """The starts of its spans, as they stand in the bytes; where none do, those that were read."""
        found = np.array([int(number) for number in _START.findall(self.body)], np.float64)
        if not len(found):
            return self.spans.start_ns
        return np.where(found < _US_BEFORE, found * 1000, found).astype(np.int64)

    def is_of(self, window: Window) -> bool:
        """Whether a full page is about a window: each of its traces should have a span there. A server that looks at no
        window gives the same answer to every part of one, and would be asked for ever shorter parts without end."""
        return 2 * int(_asked_for(self.starts_ns, window).sum()) >= self.limit

    def indexed_ns(self, window: Window, service: str, operation: str | None) -> int | None:
        """The start of the last span that Cassandra's index may have given, where the page holds so many of what was
        searched for: what is older was not looked at. None where it holds fewer."""
        spans = self.spans
        most = _INDEXED * self.limit
        if len(spans) < most or len(spans.trace_ids) > self.limit:
            return None
        found = spans.service == spans.texts.codes.get(service, -1)
        if operation is not None:
            found &= spans.operation == spans.texts.codes.get(operation, -1)
        starts_ns = spans.start_ns[found & _asked_for(spans.start_ns, window)]
        return int(np.partition(starts_ns, -most)[-most]) if len(starts_ns) >= most else None


def _asked_for(starts_ns: Ints, window: Window) -> Bools:
    """Which of these a search of a window may find, in a storage that counts in ms."""
    return (starts_ns >= window.from_ns - OVERLAP_NS) & (starts_ns <= window.to_ns + 2 * OVERLAP_NS)
