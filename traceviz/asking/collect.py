"""Every trace of a window, or the newest of them, out of a Jaeger that has no pages.

A search gives at most so many traces and does not say that there were more. So one that comes back full is split into
windows that are asked for again, the newest first, down to a millisecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

import numpy as np

from traceviz.asking.coverage import Coverage
from traceviz.asking.forgotten import Forgetting, Told
from traceviz.asking.oversight import Advance, Oversight
from traceviz.asking.page import Page
from traceviz.asking.query import ANSWER_CUT_OFF, Jaeger, TooMuch
from traceviz.asking.search import Search
from traceviz.asking.seen import SeenTraces, fingerprints
from traceviz.asking.windows import LEAD_NS, OVERLAP_NS, Window, cut_above, quarters, split
from traceviz.asking.workers import Workers
from traceviz.errors import SourceFailed
from traceviz.notes import define
from traceviz.spans import Bools, Ints, Spans
from traceviz.when import rfc3339

COPIES_DIFFERED = define(
    "copies-differed",
    "{count} {count:trace|traces} came twice with different spans; joined",
    """One trace was in the answers to two searches, and not with the same spans.

    Cause: spans that arrived between the two, or a storage (Elasticsearch) that reads only the spans near the window
    that it is asked for.

    What to do: nothing, all spans of both are used. A trace that is still being written may lack some even so.
    """,
)
GAVE_UP = define(
    "gave-up",
    "{count} {count:search was|searches were} not tried any more because those before had failed",
    """Several searches in a row failed, so that the rest was left.

    Sign: the examples are the windows, with their services, that were not asked for. `seen` in the JSON says what was.

    Cause: a Jaeger that went away, or a storage in trouble. What had come before is used.

    What to do: look why it failed (`searches-failed` stands beside it), and ask again; `fetch --resume` goes on.
    """,
)
FAILED = define(
    "searches-failed",
    "{count} {count:search|searches} of the Jaeger failed, after having been tried again",
    """A part of the window could not be read; everything else is used.

    Sign: the examples are services, the windows and what was said. `seen` in the JSON says what was seen.

    Cause: a storage that takes too long or breaks over some of its traces, a server that was restarted.

    What to do: ask for that window alone, with a larger `--timeout`; look into Jaeger's log.
    """,
)
LOST = define(
    "connection-lost",
    "the connection to the Jaeger was lost {count:once|{count} times} while it was asked",
    """The connection broke, or nothing listened there for a while, after the Jaeger had answered before.

    Cause: Jaeger was restarted, a port-forward lost its pod, a proxy closed a connection that it had kept open.

    What to do: a Jaeger that keeps its traces in memory has lost them: `traces-forgotten` says where that was seen.
    """,
)
INTERRUPTED = define(
    "interrupted",
    "reading was interrupted, what had come by then is used",
    """Ctrl-C was pressed while traces were being read.

    Sign: `seen` in the JSON says which part of the window was read for every service. One service is read after the
    other, gateways first, each from its newest end: of several, traces may have come from a part that is not in it.

    What to do: nothing, or ask again; `fetch --resume` goes on where it stopped.
    """,
)

#: So many traces are asked for at once. Answers are whole traces, and Jaeger writes them only when it has them all.
PAGE = 200
#: Where a millisecond holds more, it is asked for with so many times the limit, up to this.
_MORE = 8
_MOST_OF_A_MS = 100_000
#: What fails is asked for again with half the limit so many times, and then in quarters of its window, and of those.
_HALVINGS = 1
_QUARTERINGS = 3
#: After so many failures in a row the rest is left. Where the Jaeger is there and has answered before, more than one
#: quarter of a window has to have failed, down to its shortest parts.
_FAILURES_IN_A_ROW = 3
_TROUBLES_IN_A_ROW = 4 ** (_QUARTERINGS - 1) + _FAILURES_IN_A_ROW
_LOOK_S = 0.2
_NOT_YET = Told(asked_s=0.0, came_s=0.0, lost=0)


@dataclass(eq=False)
class _Question:
    """A search to be asked, being asked, or answered. `root` numbers the windows that were not made by splitting.

    `limit` is None for that of all pages. `quartered` counts the windows around it that were asked for in quarters,
    `is_quarter_of_failed` says that one of those failed. `settled` is one whose answer is final: not full, or not to be
    had in smaller parts, which is `full`.
    """

    root: int
    service: str
    window: Window
    limit: int | None = None
    quartered: int = 0
    is_quarter_of_failed: bool = False
    told: Told = _NOT_YET
    answer: Future[Page] | None = None
    settled: bool = False
    full: bool = False

    @property
    def has_come(self) -> bool:
        """Whether there is an answer to be used."""
        return self.settled and self.answer is not None and self.answer.done() and not self.answer.exception()


@dataclass(frozen=True)
class Collected:
    """The traces of one answer that had not come before, or not with all their spans, and the answer itself."""

    body: bytes
    spans: Spans


class Collection:
    """The traces of `services` in the window of `search`: those of which `keeps` keeps rows, or the newest `limit` of
    them.

    A trace is as new as its first span. `answers` gives them, `kept` says which ones are left when it has ended: with
    a limit, a few more come than are wanted. `coverage` is the part of the window that was seen, `grown` the traces
    that came with different spans. Notes go to the jaeger's: those named in this module, `answer-cut-off` and
    `traces-forgotten`. To be read once.
    """

    def __init__(
        self,
        jaeger: Jaeger,
        services: Sequence[str],
        search: Search,
        keeps: Callable[[Spans], Bools],
        limit: int | None,
        parallel: int = 4,
        page: int = PAGE,
        oversight: Oversight | None = None,
    ) -> None:
        self.grown: set[str] = set()
        self.coverage = Coverage(Window(search.from_ns, search.to_ns), services)
        self.traces = 0
        self._jaeger = jaeger
        self._search = search
        self._keeps = keeps
        self._limit = limit
        self._page = page if limit is None else min(page, max(2 * limit, 20))
        self._parallel = parallel
        self._oversight = oversight or Oversight()
        self._seen = SeenTraces()
        self._started: dict[str, int] = {}
        self._forgetting = Forgetting(jaeger, services)
        # Answers without traces, which a Jaeger that has been restarted gives as well.
        self._empty: list[_Question] = []
        self._asked = self._bytes = 0
        self._left_out = self._has_answered = False

    def adopt(self, coverage: Coverage, chunks: Iterable[Spans]) -> None:
        """Go on where another collection stopped: with what it has seen, and the whole traces that came."""
        self.coverage.adopt(coverage)
        for spans in chunks:
            self._remember(spans)
        self.grown.clear()  # a trace that came twice was said to by the other

    def answers(self) -> Iterator[Collected]:
        """One after the other, in an order that does not hang on which answer comes first. Raises SourceFailed where
        not a single trace came because searches failed."""
        self._forgetting.remembers()
        missing = [(service, w) for service in self.coverage.services for w in self.coverage.missing(service)]
        begun = 0
        if self._limit is None and len(missing) < self._parallel:
            # All are wanted, and no worker should wait for what a first answer says about the rest.
            begun = 1
            missing = [(service, part) for service, window in missing for part in quarters(window) or [window]]
        line = [_Question(root, service, window, quartered=begun) for root, (service, window) in enumerate(missing)]
        failures: list[SourceFailed] = []
        in_a_row = 0
        gave_up = False
        with Workers[Page](self._parallel) as workers:
            while line and not gave_up and not self._oversight.stop.is_set():
                ahead = line[: 2 * self._parallel]
                for question in ahead:
                    question.answer = question.answer or workers.submit(self._ask, question)
                if not line[0].settled:
                    wait([q.answer for q in ahead if q.answer and not q.settled], _LOOK_S, FIRST_COMPLETED)
                line = [part for question in ahead for part in self._parts(question)] + line[len(ahead) :]
                # One at a time, so that meanwhile no worker is without a question.
                if (answer := line[0].answer) and line[0].settled and not self._oversight.stop.is_set():
                    question = line.pop(0)
                    try:
                        page = answer.result()
                    except SourceFailed as failure:
                        failures.append(failure)
                        in_a_row += 1
                        self._fail(question, failure)
                        is_there = self._has_answered and isinstance(failure, TooMuch)
                        most = _TROUBLES_IN_A_ROW if is_there else _FAILURES_IN_A_ROW
                        if in_a_row >= most and not any(later.has_come for later in line):
                            gave_up = True
                            break
                    else:
                        in_a_row = 0
                        yield self._take(question, page)
                        line = self._still_wanted(line)
                    self._advanced(len(line))
            for question in line:
                if question.answer and question.has_come:  # before it was stopped, after others that had not
                    yield self._take(question, question.answer.result())
            if gave_up:
                self._give_up(line)
        if self._empty and not self._oversight.stop.is_set():
            settle = self.coverage.see if self._forgetting.remembers() else self.coverage.fail
            for question in self._empty:
                settle(question.service, question.window)
        self._conclude(failures)

    @property
    def limit_hit(self) -> bool:
        """Whether there were more traces than the limit allows, or there may be."""
        return self._left_out or self.kept() is not None

    def kept(self) -> frozenset[str] | None:
        """The newest `limit` traces, None where all that came are wanted."""
        if self._limit is None or len(self._started) <= self._limit:
            return None
        newest = sorted(self._started.items(), key=lambda item: (-item[1], item[0]))
        return frozenset(trace_id for trace_id, _ in newest[: self._limit])

    def _parts(self, question: _Question) -> list[_Question]:
        """The questions into which one is split whose answer is full; else the question itself."""
        if question.settled or question.answer is None or not question.answer.done():
            return [question]
        question.settled = True
        root, service, window = question.root, question.service, question.window
        if failure := question.answer.exception():
            is_deep = question.quartered >= _QUARTERINGS or not isinstance(failure, TooMuch)
            parts = [] if is_deep else quarters(window)
            deeper = question.quartered + 1
            return [_Question(root, service, part, quartered=deeper, is_quarter_of_failed=True) for part in parts] or [
                question
            ]
        page = question.answer.result()
        self._has_answered = True
        if page.full and not page.cut_off:
            if not page.is_of(window):
                question.full = True
                return [question]
            if parts := split(window, page.starts_ns):
                return [_Question(root, service, part) for part in parts]
            question.full = page.limit < (question.limit or self._page) or page.limit >= _MOST_OF_A_MS
            return [question if question.full else _Question(root, service, window, page.limit * _MORE)]
        indexed_ns = page.indexed_ns(window, service, self._search.operation) if page.is_whole else None
        if indexed_ns is None:
            return [question]
        later, rest = cut_above(window, indexed_ns)
        question.window, question.full = later or window, later is None
        return [question, _Question(root, service, rest)] if later else [question]

    def _ask(self, question: _Question) -> Page:
        """The answer to a question; where that is too heavy or does not come, to one for half as many traces, and so
        on. Called by the workers."""
        window = question.window
        from_ns, to_ns = max(window.from_ns - LEAD_NS, 0), window.to_ns + OVERLAP_NS
        search = self._search.within(question.service, from_ns, to_ns)
        limit, failures = question.limit or self._page, 0
        most: Page | None = None
        while True:
            asked_s = time.monotonic()
            try:
                page = self._jaeger.page(search, limit)
                question.told = Told(asked_s, time.monotonic(), self._jaeger.lost)
            except TooMuch as error:
                trouble, failures = error, failures + 1
            else:
                # What is not full is read here, by this thread, while others wait for their answers.
                if not page.cut_off and (page.full or page.is_whole):
                    self._page = min(self._page, limit)  # what was too much once will be again
                    return page
                most = page if most is None or len(page.body) > len(most.body) else most
            patience = 0 if question.is_quarter_of_failed else _HALVINGS
            if limit == 1 or failures > patience or self._oversight.stop.is_set():
                break
            limit //= 2
        if most is None:
            raise trouble
        return most

    def _take(self, question: _Question, page: Page) -> Collected:
        """Keep what is new of an answer."""
        self._asked += 1
        self._bytes += len(page.body)
        if not page.is_whole:
            self._jaeger.notes.add(ANSWER_CUT_OFF, examples=[question.service])
            self.coverage.fail(question.service, question.window)
        elif self._forgetting.is_void(question.told):
            self.coverage.fail(question.service, question.window)
        elif question.full:
            self.coverage.fill(question.service, question.window)
        elif len(page.spans):
            self.coverage.see(question.service, question.window)
            self._believe(question.told.asked_s)
        else:
            self._empty.append(question)
        chosen = page.spans.take(self._keeps(page.spans))
        fresh = chosen.take(self._remember(chosen)[chosen.trace])
        fresh.notes.merge(page.notes_of(fresh.trace_ids))
        return Collected(page.body, fresh)

    def _believe(self, asked_s: float) -> None:
        """Something that was asked for then came, so that nothing had been forgotten by then."""
        for question in self._empty:
            if question.told.came_s <= asked_s:
                self.coverage.see(question.service, question.window)
        self._empty = [question for question in self._empty if question.told.came_s > asked_s]

    def _remember(self, spans: Spans) -> Bools:
        """Which traces have not come before, or not like this."""
        new, changed = self._seen.add(spans.trace_ids, fingerprints(spans))
        self.traces = len(self._seen)
        self._forgetting.came(spans)
        self.grown.update(spans.trace_ids[i] for i in np.flatnonzero(changed))
        if self._limit is not None:
            for trace_id, start_ns in zip(spans.trace_ids, started(spans).tolist(), strict=True):
                self._started[trace_id] = min(start_ns, self._started.get(trace_id, start_ns))
        return new | changed

    def _still_wanted(self, line: list[_Question]) -> list[_Question]:
        """The questions about times in which wanted traces can lie: once as many are known as are wanted, those are
        newer than the oldest of them.

        What has come, and what is asked in which order, must not hang on which answer came first. So a window is
        shortened only where it cannot have been asked for yet, because enough others stand before it.
        """
        horizon_ns = self._horizon_ns()
        wanted = []
        for question in line:
            if question.window.to_ns <= horizon_ns:
                self._left_out = True
                if question.answer:
                    question.answer.cancel()
                continue
            is_far = question.root >= line[0].root + 2 * self._parallel - 1
            if is_far and question.answer is None and question.window.from_ns < horizon_ns:
                self._left_out = True
                question.window = Window(horizon_ns, question.window.to_ns)
            wanted.append(question)
        return wanted

    def _horizon_ns(self) -> int:
        """When the oldest of the newest `limit` traces began; 0 as long as all are wanted."""
        if self._limit is None or len(self._started) < self._limit:
            return 0
        starts = np.fromiter(self._started.values(), np.int64, len(self._started))
        return int(np.partition(starts, -self._limit)[-self._limit])

    def _fail(self, question: _Question, failure: SourceFailed) -> None:
        self._asked += 1
        self.coverage.fail(question.service, question.window)
        self._jaeger.notes.add(FAILED, examples=[f"{_shown(question)}: {failure}"])

    def _give_up(self, line: list[_Question]) -> None:
        self._jaeger.notes.add(GAVE_UP, len(line), [_shown(question) for question in line[:5]])
        for question in line:
            self.coverage.fail(question.service, question.window)

    def _advanced(self, waiting: int) -> None:
        share = self.coverage.done(sum(question.window.length_ns for question in self._empty))
        self._oversight.advanced(Advance(self._asked, waiting, self.traces, self._bytes, share))

    def _conclude(self, failures: list[SourceFailed]) -> None:
        if failures and not self.traces:
            raise failures[0]
        if self.limit_hit:
            self.coverage.end_at(self._horizon_ns())
        notes = self._jaeger.notes
        notes.add(COPIES_DIFFERED, len(self.grown), sorted(self.grown)[:5])
        if self._oversight.stop.is_set():
            notes.add(INTERRUPTED)
            return
        if self._jaeger.lost:
            notes.add(LOST, self._jaeger.lost)


def started(spans: Spans) -> Ints:
    """When each trace began: the start of its first span, in ns."""
    first: Ints = np.full(len(spans.trace_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, spans.trace, spans.start_ns)
    return first


def _shown(question: _Question) -> str:
    return f"{question.service} {rfc3339(question.window.from_ns)} to {rfc3339(question.window.to_ns)}"
