"""A Jaeger followed: every round asks only for the time since the last one, and what is shown slides along.

    watch = Watch(lambda wanted: open_jaeger(access, wanted, Oversight()), wanted, ReportAlone)
    report = watch.round(time.time_ns()).report

A span reaches a Jaeger when it has ended, and some seconds later. So a round asks for two windows:

      settled_ns before      settled_ns now = now - settle time     now
    ─────┼─────────────────────────────┼─────────────────────────────┼─▶
         │ asked for the last time,    │ shown at once, and asked    │
         │ counted for good            │ for again in the next round │

What is counted for good is kept by sixtieths of the time shown, with 16 bytes for each trace, by which one that turns
up again is known. The oldest is let go when all of it is older than `--since`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Generic, Literal

import numpy as np

from traceviz.analyze.counting import Counted, Counts
from traceviz.asked import Asked
from traceviz.asking.query import LIMIT_LOWERED
from traceviz.asking.seen import fingerprints, key
from traceviz.asking.windows import Window, common, joined
from traceviz.documents import SeenDocument, ServiceWindow
from traceviz.errors import UsageError
from traceviz.live import ONLY_ARRIVED
from traceviz.notes import EXAMPLES, Notes, define
from traceviz.reconstruct import reconstruct
from traceviz.sources.names import GATEWAY_ASSUMED, NAMESPACE_ASSUMED
from traceviz.spans import Bools, Ids, Ints, Rows, Spans
from traceviz.traces import Traces
from traceviz.wanted import DEFAULT_SINCE_NS, Wanted
from traceviz.when import parse_instant, rfc3339

STILL_SETTLING = define(
    "still-settling",
    "{count} {count:trace is|traces are} younger than the settle time: spans of {count:it|them} may still be missing",
    """A watch shows traces as soon as it finds them, and asks for the young ones again until they have settled.

    Sign: the example is the instant up to which everything has settled.

    Cause: programs and proxies report a span some seconds after it has ended, and a request ends after the calls that
    it makes. `--settle` is how long a trace gets, from its first span on, until it is counted for good.

    What to do: nothing. Where requests take longer than the settle time, where spans reach the Jaeger later (through
    a queue), or where this machine's clock is ahead of the mesh, a longer `--settle`.
    """,
)
SPLIT_TRACE = define(
    "split-trace",
    "{count} settled {count:trace|traces} came again with other spans; {count:it is|they are} counted as first met",
    """A watch had counted a trace for good, and then met it again, not with the same spans.

    Cause: spans that took longer than the settle time to arrive, of long requests or through a slow way.

    What to do: a longer `--settle`. `traceviz graph` without `--watch` has all of a trace.
    """,
)
NO_NEW_TRACES = define(
    "no-new-traces",
    "no trace has begun for twice the settle time, or traces arrive too late to be met",
    """A watch asks for the time since the last round and for the settle time before it, and found nothing there.

    Sign: the example is when the last trace known began.

    Cause: there are no requests; or spans take longer to reach the Jaeger than `--settle` allows (they wait in a
    queue); or this machine's clock is ahead of the mesh.

    What to do: `traceviz graph --since 10m` shows whether there are newer traces. If so, a longer `--settle`.
    """,
)

TRACES_GONE = define(
    "traces-gone",
    "{count} {count:trace was|traces were} shown while young, and then the Jaeger had {count:it|them} no more",
    """A watch asks for young traces again until they have settled, and some were not found any more.

    Sign: the examples are such traces. They are not counted, because what they were in the end is not known.

    Cause: a Jaeger that keeps its traces in memory was restarted, or forgets old traces soon (`max_traces`).

    What to do: nothing brings them back; those that had settled are still counted.
    """,
)

ROUND_FAILED = define(
    "round-failed",
    "{count} {count:round|rounds} of the watch failed, and a later one asked for what began then",
    """The Jaeger did not answer in a round, so that the next one asked for that time as well.

    Sign: the examples are when that was.

    Cause: a Jaeger or a port-forward that was restarted, a network that was away.

    What to do: nothing, where the Jaeger keeps its traces on disk. One that keeps them in memory and was restarted has
    lost what had not been asked for before.
    """,
)

DEFAULT_SETTLE_NS = 30 * 10**9

#: What is said of the question, not of traces: true once, however often it is asked.
_OF_THE_QUESTION = (ONLY_ARRIVED, GATEWAY_ASSUMED, NAMESPACE_ASSUMED, LIMIT_LOWERED)
_SLICES = 60
_US = 1000
_ENDS: tuple[Literal["from"], Literal["to"]] = ("from", "to")

#: Opens the traces that are wanted, as `open_jaeger` does.
Ask = Callable[[Wanted], AbstractContextManager[Traces]]


class Watch(Generic[Counts]):
    """The traces of the last `--since` of what is wanted, an hour where nothing is said.

    `settled_ns` is the instant up to which traces were asked for the last time, `shown_to_ns` that of the last round,
    the end of what is shown. `fresh` makes what counts them. Raises UsageError where the window asked for has
    a fixed beginning or end.
    """

    def __init__(
        self, ask: Ask, wanted: Wanted, fresh: Callable[[], Counts], settle_ns: int = DEFAULT_SETTLE_NS
    ) -> None:
        if wanted.from_ns is not None or wanted.to_ns is not None:
            raise UsageError("--watch slides along with the time, so it takes no --from and no --to", "See --since")
        self.settled_ns = self.shown_to_ns = 0
        self._ask = ask
        self._wanted = wanted
        self._fresh = fresh
        self._since_ns = _whole_us(DEFAULT_SINCE_NS if wanted.since_ns is None else wanted.since_ns)
        if not self._since_ns:
            raise UsageError("the window ends before it begins", "See --since")
        self._settle_ns = _whole_us(settle_ns)
        self._step_ns = max(_whole_us(self._since_ns // _SLICES), _US)
        self._slices: dict[int, _Slice[Counts]] = {}
        self._seen = _Seen()
        self._asked, self._standing = Asked(), Notes()
        self._young_ids: set[str] = set()
        self._first_ns: int | None = None
        self._newest_ns = 0

    def round(self, now_ns: int) -> Counted[Counts]:
        """Ask for what is new, and give what is counted of all that is shown. Raises what asking raises; what was
        missed by that is asked for in the next round."""
        now_ns = self.shown_to_ns = max(_whole_us(now_ns), self.shown_to_ns)  # clocks are set back
        since_ns = max(now_ns - self._since_ns, 0)
        begin_ns = max(self.settled_ns, since_ns)
        horizon_ns = max(now_ns - self._settle_ns, begin_ns)
        from_ns = self._let_go(since_ns)
        settled, young, shown = _Answer(), _Answer(), Counted(self._fresh())
        if begin_ns < horizon_ns:
            settled = self._settle(Window(begin_ns, horizon_ns))
            self._young_ids -= settled.trace_ids
        goes_on, self.settled_ns = begin_ns == self.settled_ns, horizon_ns
        if horizon_ns < now_ns:
            young = self._read(Window(horizon_ns, now_ns), lambda spans, _: shown.add(reconstruct(spans)))
            shown.report.notes.merge(young.notes)
            shown.report.notes.add(STILL_SETTLING, shown.report.traces, [f"settled up to {rfc3339(horizon_ns)}"])
        if goes_on and settled.is_whole and young.is_whole:
            self._miss(self._young_ids - young.trace_ids)
        self._young_ids = young.trace_ids
        seen = self._seen.also(young.seen).document(Window(from_ns, now_ns))
        self._add_settled(shown)
        shown.report.asked = replace(self._asked, from_ns=from_ns, to_ns=now_ns, seen=seen)
        return shown

    def fail(self, now_ns: int) -> None:
        """Take note of a round that came to nothing."""
        self._newest_slice(max(now_ns, self.shown_to_ns)).notes.add(ROUND_FAILED, 1, [rfc3339(now_ns)])

    def _let_go(self, instant_ns: int) -> int:
        """Forget the steps that ended before an instant. When the first one that is left begins."""
        if self._first_ns is None:
            self._first_ns = instant_ns
        oldest = instant_ns // self._step_ns
        self._slices = {number: kept for number, kept in self._slices.items() if number >= oldest}
        from_ns = max(oldest * self._step_ns, self._first_ns)
        self._seen = self._seen.after(from_ns)
        return from_ns

    def _settle(self, window: Window) -> _Answer:
        """Count the traces of a window for good."""

        def count(spans: Spans, began_ns: Ints) -> None:
            steps = np.minimum(began_ns, window.to_ns - 1) // self._step_ns
            for step in np.unique(steps).tolist():
                self._slice(step).add(spans.take((steps == step)[spans.trace]))

        answer = self._read(window, count)
        self._newest_slice(window.to_ns).notes.merge(answer.notes)
        self._seen = self._seen.also(answer.seen)
        return answer

    def _read(self, window: Window, count: Callable[[Spans, Ints], object]) -> _Answer:
        """Ask for a window, and let those of its traces be counted, with when they began, that are not yet."""
        answer = _Answer()
        with self._ask(replace(self._wanted, since_ns=None, from_ns=window.from_ns, to_ns=window.to_ns)) as traces:
            for spans in traces.batches():
                answer.trace_ids.update(spans.trace_ids)
                new = self._unknown(spans)
                began_ns = _began(new, window)
                self._newest_ns = max(self._newest_ns, int(began_ns.max(initial=0)))
                count(new, began_ns)
            for notes in (traces.notes, traces.gathered.notes):
                answer.notes.merge(notes.without(*_OF_THE_QUESTION))
            self._standing = traces.notes.without(*(code for code in traces.notes if code not in _OF_THE_QUESTION))
            self._asked = traces.asked
        return replace(answer, seen=self._asked.seen)

    def _miss(self, trace_ids: set[str]) -> None:
        """Say which traces were young in the last round, and are not there any more."""
        notes = self._newest_slice(self.settled_ns).notes
        notes.add(TRACES_GONE, len(trace_ids), sorted(trace_ids)[:EXAMPLES])

    def _newest_slice(self, end_ns: int) -> _Slice[Counts]:
        return self._slice((end_ns - 1) // self._step_ns)

    def _slice(self, number: int) -> _Slice[Counts]:
        return self._slices.setdefault(number, _Slice(Counted(self._fresh())))

    def _unknown(self, spans: Spans) -> Spans:
        """The traces that are not counted yet. Those that are, and have other spans now, are noted."""
        keys, prints = _keys(spans), fingerprints(spans)
        new = np.ones(len(keys), np.bool_)
        for kept in self._slices.values():
            new &= ~kept.meet(spans.trace_ids, keys, prints)
        return spans if new.all() else spans.take(new[spans.trace])

    def _add_settled(self, shown: Counted[Counts]) -> None:
        """Add everything that is counted for good, and what is to be said."""
        for kept in self._slices.values():
            shown.merge(kept.counted)
        notes = shown.report.notes
        notes.merge(self._standing)
        if shown.report.traces and self._newest_ns < self.settled_ns - self._settle_ns:
            notes.add(NO_NEW_TRACES, 1, [rfc3339(self._newest_ns)])


@dataclass(frozen=True)
class _Answer:
    """What came of one window: the ids of its traces, the notes about them, and what was seen of it."""

    trace_ids: set[str] = field(default_factory=set)
    notes: Notes = field(default_factory=Notes)
    seen: SeenDocument | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.seen is None or self.seen["share"] == 1.0


@dataclass
class _Slice(Generic[Counts]):
    """The settled traces that began in one step of time: what is counted of them, and of each trace 64 bits of its
    id, sorted, and 64 of its spans. `split` are those that came again with other spans."""

    counted: Counted[Counts]
    keys: Ids = field(default_factory=lambda: np.empty(0, np.uint64))
    prints: Ids = field(default_factory=lambda: np.empty(0, np.uint64))
    split: set[int] = field(default_factory=set)

    @property
    def notes(self) -> Notes:
        """What is to be said of them."""
        return self.counted.report.notes

    def add(self, spans: Spans) -> None:
        """Count whole traces that are not here yet."""
        self.counted.add(reconstruct(spans))
        keys = np.append(self.keys, _keys(spans))
        order = np.argsort(keys)
        self.keys, self.prints = keys[order], np.append(self.prints, fingerprints(spans))[order]

    def meet(self, trace_ids: list[str], keys: Ids, prints: Ids) -> Bools:
        """Which of these traces are here. Those of which the spans differ are noted, each once."""
        if not len(self.keys):
            return np.zeros(len(keys), np.bool_)
        at: Rows = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known: Bools = self.keys[at] == keys
        for i in np.flatnonzero(known & (self.prints[at] != prints)).tolist():
            if int(keys[i]) not in self.split:
                self.split.add(int(keys[i]))
                self.notes.add(SPLIT_TRACE, 1, [trace_ids[i]])
        return known


@dataclass(frozen=True)
class _Seen:
    """Which windows were read, and which ones stayed full or failed, over many questions."""

    windows: list[Window] = field(default_factory=list)
    full: list[ServiceWindow] = field(default_factory=list)
    failed: list[ServiceWindow] = field(default_factory=list)

    def also(self, seen: SeenDocument | None) -> _Seen:
        """With what one more question saw."""
        if seen is None:
            return self
        windows = [Window(*(parse_instant(one[end], 0) for end in _ENDS)) for one in seen["windows"]]
        return _Seen(joined([*self.windows, *windows]), [*self.full, *seen["full"]], [*self.failed, *seen["failed"]])

    def after(self, from_ns: int) -> _Seen:
        """Without what ended before."""
        full, failed = ([one for one in some if one["to"] > rfc3339(from_ns)] for some in (self.full, self.failed))
        return _Seen([window for window in self.windows if window.to_ns > from_ns], full, failed)

    def document(self, shown: Window) -> SeenDocument:
        """The field `seen` of a document about a window."""
        seen = common([[shown], self.windows])
        return {
            "share": round(sum(window.length_ns for window in seen) / shown.length_ns, 6),
            "windows": [{"from": rfc3339(window.from_ns), "to": rfc3339(window.to_ns)} for window in seen],
            "full": self.full,
            "failed": self.failed,
        }


def _keys(spans: Spans) -> Ids:
    return np.array([key(trace_id) for trace_id in spans.trace_ids], np.uint64)


def _began(spans: Spans, window: Window) -> Ints:
    """When each trace had its first span in a window. Where clocks differ a trace may have begun outside of it."""
    inside = (spans.start_ns >= window.from_ns) & (spans.start_ns <= window.to_ns)
    first: Ints = np.full(len(spans.trace_ids), window.to_ns)
    np.minimum.at(first, spans.trace[inside], spans.start_ns[inside])
    return first


def _whole_us(ns: int) -> int:
    # Documents say when in µs, so whole µs are asked for.
    return ns // _US * _US
