"""Whether a Jaeger still knows what it gave before: one that keeps traces in memory is empty after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from traceviz.asking.query import Jaeger
from traceviz.asking.search import Search
from traceviz.asking.windows import OVERLAP_NS
from traceviz.errors import SourceFailed
from traceviz.notes import define
from traceviz.spans import Spans

FORGOTTEN = define(
    "traces-forgotten",
    "the Jaeger no longer knows {count:a trace|traces} that it gave before: what was asked for later is missing",
    """A trace that had come before was asked for again, and was not there any more. That is looked at before answers
    without traces are believed, after the connection was lost, and when a fetch is resumed.

    Sign: the example is that trace. The windows for which nothing came since stand in `seen.failed`.

    Cause: a Jaeger that keeps traces in memory was restarted, so that everything asked for later came from an empty
    store; or the traces became older than they are kept.

    What to do: if they are sent or loaded again, `fetch --resume` fetches them. Else nothing brings them back, and
    shares and latencies are of the traces that had come.
    """,
)
#: Among so many of the same millisecond the trace is looked for.
_LIMIT = 100
_TRIES = 3


@dataclass(frozen=True)
class Told:
    """When an answer was asked for and when it came, by the monotonic clock in seconds, and how often the connection
    had been lost by then."""

    asked_s: float
    came_s: float
    lost: int


@dataclass(frozen=True)
class _Landmark:
    """A trace that came, and a service and the time at which a search finds it."""

    trace_id: str
    service: str
    start_ns: int


class Forgetting:
    """Looks back for the first trace of `services` that came."""

    def __init__(self, jaeger: Jaeger, services: Sequence[str]) -> None:
        self._jaeger = jaeger
        self._services = services
        self._landmark: _Landmark | None = None
        self._lost = jaeger.lost
        self._since: int | None = None

    def came(self, spans: Spans) -> None:
        """Take note of traces that are known to be there."""
        if self._landmark is None:
            codes = [spans.texts.codes[service] for service in self._services if service in spans.texts.codes]
            for row in np.flatnonzero(np.isin(spans.service, codes))[:1].tolist():
                trace_id, service = spans.trace_ids[spans.trace[row]], spans.texts[spans.service[row]]
                self._landmark = _Landmark(trace_id, service, int(spans.start_ns[row]))

    def is_void(self, told: Told) -> bool:
        """Whether an answer says nothing of what there was, because the connection had been lost before, and then the
        trace was not there any more."""
        if told.lost > self._lost:
            self._lost = told.lost
            self.remembers()
        return self._since is not None and told.lost >= self._since

    def remembers(self) -> bool:
        """Whether the trace is still there, as far as can be told; where it is not, that is noted."""
        if self._landmark is None:
            return True
        if self._since is not None:
            return False
        found = self._finds(self._landmark)
        if found is False:
            self._since = self._lost
            self._jaeger.notes.add(FORGOTTEN, 1, [self._landmark.trace_id])
        return bool(found)

    def _finds(self, landmark: _Landmark) -> bool | None:
        """None where it cannot be asked, which says nothing of what it holds."""
        # By a search, because not every storage finds a trace of any age by its id.
        search = Search(landmark.service, max(landmark.start_ns - OVERLAP_NS, 0), landmark.start_ns + OVERLAP_NS)
        for _ in range(_TRIES):
            try:
                page = self._jaeger.page(search, _LIMIT)
            except SourceFailed:
                continue
            return page.full or not page.is_whole or landmark.trace_id in page.spans.trace_ids
        return None
