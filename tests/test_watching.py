"""A Jaeger followed in rounds: nothing is lost, nothing counted twice, only new windows are asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builder import span, spans
from tests.stores import US, Store, Stored, StoredSpan, memory
from tests.unruly import RECORDING, Exchange, refusing_url, unruly
from traceviz import Report
from traceviz.analyze.counting import ReportAlone
from traceviz.asked import Asked
from traceviz.asking.access import Access
from traceviz.asking.coverage import Coverage
from traceviz.asking.oversight import Oversight
from traceviz.asking.windows import Window
from traceviz.demo.answers import Answers
from traceviz.demo.traces import RecordedTrace, Recording
from traceviz.doctor import doctor
from traceviz.errors import NothingFound, SourceFailed, UsageError
from traceviz.live import open_jaeger
from traceviz.slow.document import slow_document
from traceviz.sources.join import gather
from traceviz.traces import Traces
from traceviz.wanted import Wanted
from traceviz.watching import Watch
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

S = 10**9
#: Round and late enough for searches to have room before it.
START = 1_700_000_000 * S


class Followed:
    """A store that fills, and a watch of it. Times are in s after the start."""

    def __init__(self, url: str, store: Store, since_s: float, settle_s: float, **wanted: Any) -> None:
        self.url = url
        self.store = store
        self.watch = Watch(self._ask, Wanted(since_ns=int(since_s * S), **wanted), ReportAlone, int(settle_s * S))

    @contextmanager
    def _ask(self, wanted: Wanted) -> Iterator[Traces]:
        with open_jaeger(Access(self.url), wanted, Oversight()) as traces:
            yield traces

    def put(self, *traces: Stored) -> None:
        """Store traces, or more of those that are there."""
        new = {trace.trace_id for trace in traces}
        self.store.traces = [*(one for one in self.store.traces if one.trace_id not in new), *traces]

    def at(self, second: float) -> Report:
        """A round."""
        self.store.searches.clear()
        return self.watch.round(START + int(second * S)).report

    @property
    def asked(self) -> list[tuple[float, float]]:
        """The windows of the searches of the last round, in s after the start, without the margins."""
        return [(round((a.from_ns - START) / S, 1), round((a.to_ns - START) / S, 1)) for a in self.store.searches]


@contextmanager
def followed(since_s: float = 600, settle_s: float = 10, **wanted: Any) -> Iterator[Followed]:
    store = Store(memory, [])
    with unruly(store.behaves) as server:
        yield Followed(server.url, store, since_s, settle_s, **wanted)


def trace(number: int, *seconds: float, services: Sequence[str] = ("front",)) -> Stored:
    """A trace whose spans begin at these seconds after the start, one below the other."""
    spans = tuple(
        StoredSpan(services[i % len(services)], int(START // US + second * 10**6), parent=i - 1 if i else None)
        for i, second in enumerate(seconds)
    )
    return Stored(f"{number + 1:032x}", spans)


def codes(report: Report) -> dict[str, int]:
    return {note["code"]: note["count"] for note in report.notes.documents()}


def test_a_trace_is_shown_at_once_and_asked_for_again_until_it_has_settled() -> None:
    with followed() as jaeger:
        jaeger.put(trace(1, 1))
        first = jaeger.at(5)
        assert (first.traces, first.spans) == (1, 1)
        assert codes(first) == {"still-settling": 1}
        jaeger.put(trace(1, 1, 2, 3))
        assert jaeger.at(10).spans == 3
        settled = jaeger.at(20)
        assert (settled.traces, settled.spans) == (1, 3)
        assert "still-settling" not in codes(settled)


def test_only_what_is_new_is_asked_for() -> None:
    with followed(since_s=100, settle_s=10) as jaeger:
        jaeger.put(trace(1, 0))
        windows = []
        for second in (0, 30, 60, 61):
            jaeger.at(second)
            windows.append(jaeger.asked)
        assert windows == [
            [(-100, -10), (-10, 0)],
            [(-10, 20), (20, 30)],
            [(20, 50), (50, 60)],
            [(50, 51), (51, 61)],
        ]


def test_a_settled_trace_that_comes_again_with_other_spans_counts_once_and_that_is_noted_once() -> None:
    with followed(settle_s=10) as jaeger:
        jaeger.put(trace(1, 1), trace(2, 2))
        jaeger.at(15)
        jaeger.put(trace(1, 1, 14))
        for second in (20, 24, 30):
            report = jaeger.at(second)
            assert (report.traces, report.spans) == (2, 2)
        assert codes(report)["split-trace"] == 1
        note = next(note for note in report.notes.documents() if note["code"] == "split-trace")
        assert note["examples"] == [trace(1, 1).trace_id]


def test_a_trace_that_comes_again_as_it_was_is_no_split_one() -> None:
    with followed(settle_s=10) as jaeger:
        jaeger.put(trace(1, 1, 14))
        for second in (15, 20, 30):
            report = jaeger.at(second)
            assert (report.traces, report.spans) == (1, 2)
            assert "split-trace" not in codes(report)


def test_a_trace_that_arrives_too_late_counts_when_it_is_met() -> None:
    with followed(settle_s=10) as jaeger:
        jaeger.put(trace(9, 0))
        jaeger.at(30)
        jaeger.put(trace(1, 1, 28), trace(2, 1))  # the second one has nothing in the time that is asked for
        assert jaeger.at(40).traces == 2
        assert jaeger.at(60).traces == 2


def test_a_program_whose_clock_is_wrong_moves_no_trace_out_of_the_window() -> None:
    with followed(since_s=100, settle_s=10) as jaeger:
        jaeger.put(*(trace(number, number, number - 5000, services=("front", "late")) for number in range(10)))
        assert [jaeger.at(second).traces for second in (12, 30, 90)] == [10, 10, 10]


def test_what_is_older_than_since_falls_off_with_its_notes() -> None:
    with followed(since_s=60, settle_s=10, limit=2) as jaeger:
        jaeger.put(*(trace(number, number) for number in range(4)))
        report = jaeger.at(20)
        assert report.traces == 2
        assert codes(report) == {"limit-hit": 2}
        for second in range(30, 61, 10):
            jaeger.put(trace(second, second))
            report = jaeger.at(second)
        assert (report.traces, codes(report)) == (6, {"limit-hit": 2, "still-settling": 1})
        report = jaeger.at(90)
        assert report.traces == 4 - 1
        assert codes(report) == {"no-new-traces": 1}
        assert report.asked.to_ns == START + 90 * S
        assert report.asked.from_ns is not None
        assert START + 29 * S <= report.asked.from_ns <= START + 30 * S
        assert jaeger.at(200).traces == 0


def test_a_limit_holds_for_each_new_time_so_that_young_traces_keep_none_from_settling() -> None:
    with followed(settle_s=10, limit=3) as jaeger:
        jaeger.put(*(trace(number, number) for number in range(40)))
        assert jaeger.at(10).traces == 1 + 3
        assert jaeger.at(20).traces == 1 + 3 + 3
        report = jaeger.at(30)
        assert report.traces == 1 + 3 + 3 + 3
        assert codes(report)["limit-hit"] == 9


def test_what_a_failing_round_missed_is_asked_for_in_the_next_one() -> None:
    with followed(settle_s=10) as jaeger:
        jaeger.put(trace(1, 1), trace(2, 14))
        jaeger.at(15)
        there, jaeger.url = jaeger.url, refusing_url()
        for second in (30, 40):
            jaeger.put(trace(second, second - 1))
            with pytest.raises(SourceFailed):
                jaeger.at(second)
        jaeger.url = there
        jaeger.put(trace(3, 49))
        report = jaeger.at(50)
        assert report.traces == 5
        assert jaeger.asked == [(5, 40), (40, 50)]
        assert report.asked.seen is not None
        assert report.asked.seen["share"] == 1.0
        assert jaeger.at(80).traces == 5


def test_a_jaeger_that_goes_away_within_a_round_costs_nothing() -> None:
    with followed(settle_s=10) as jaeger:
        answers = jaeger.store.behaves
        fails = False

        def behave(exchange: Exchange) -> None:
            old = exchange.path.find("start_time_min") > 0 and len(jaeger.store.searches) >= 1
            if fails and old:
                exchange.handler.send_error(500)
            else:
                answers(exchange)

        with unruly(behave) as server:
            jaeger.url = server.url
            jaeger.put(trace(1, 1), trace(2, 8))
            assert jaeger.at(15).traces == 2
            fails = True
            jaeger.put(trace(3, 12), trace(4, 28))
            with pytest.raises(SourceFailed):
                jaeger.at(30)
            fails = False
            report = jaeger.at(45)
            assert report.traces == 4
            assert "traces-gone" not in codes(report)


def test_young_traces_that_a_jaeger_forgot_are_counted_no_more_and_that_is_said() -> None:
    with followed(since_s=60, settle_s=10) as jaeger:
        jaeger.put(trace(1, 1), trace(2, 12), trace(3, 13))
        assert jaeger.at(15).traces == 3
        jaeger.store.traces = [trace(4, 16)]
        report = jaeger.at(20)
        assert report.traces == 2
        note = next(note for note in report.notes.documents() if note["code"] == "traces-gone")
        assert (note["count"], note["examples"]) == (2, [trace(2).trace_id, trace(3).trace_id])
        assert codes(jaeger.at(60))["traces-gone"] == 2
        assert "traces-gone" not in codes(jaeger.at(90))


def test_young_traces_that_a_limit_left_out_are_not_gone() -> None:
    with followed(settle_s=10, limit=2) as jaeger:
        for second in range(0, 30, 2):
            jaeger.put(trace(second, second), trace(second + 1, second))
            assert "traces-gone" not in codes(jaeger.at(second))


def test_what_is_said_of_the_question_is_said_once() -> None:
    with followed(service="back") as jaeger:
        jaeger.put(trace(1, 1, 1.1, services=("front", "back")))
        for second in (5, 15, 25):
            jaeger.put(trace(second, second, services=("front", "back")), trace(second + 1, second, services=("back",)))
            assert codes(jaeger.at(second))["only-arrived-calls"] == 1


def test_a_service_that_is_not_known_is_told_in_the_first_round() -> None:
    with followed(service="bakc") as jaeger:
        jaeger.put(trace(1, 1, services=("back",)))
        with pytest.raises(NothingFound, match="bakc"):
            jaeger.at(5)


def test_that_traces_may_come_too_late_to_be_met_is_said() -> None:
    with followed(settle_s=10) as jaeger:
        for second in range(0, 200, 20):
            jaeger.put(trace(second, second - 60))  # a minute on their way
            report = jaeger.at(second)
        assert codes(report) == {"no-new-traces": 1}


def test_a_clock_that_is_set_back_stops_the_time_and_breaks_nothing() -> None:
    with followed(settle_s=10) as jaeger:
        jaeger.put(trace(1, 1), trace(2, 58))
        assert [jaeger.at(second).traces for second in (60, 20, 59, 70)] == [2, 2, 2, 2]


def test_a_settle_time_longer_than_the_window_leaves_everything_young() -> None:
    with followed(since_s=10, settle_s=60) as jaeger:
        for second in range(0, 40, 2):
            jaeger.put(trace(second, second))
            report = jaeger.at(second)
            assert codes(report) == {"still-settling": report.traces}
        assert report.traces == 6


def test_a_window_with_an_end_cannot_slide() -> None:
    for fixed in (Wanted(from_ns=1), Wanted(to_ns=1)):
        with pytest.raises(UsageError, match="--watch slides"):
            Watch(lambda wanted: open_jaeger(Access(refusing_url()), wanted, Oversight()), fixed, ReportAlone)


#: When a trace begins, and how long after that each of its spans arrives, in s.
_TRACES = st.lists(
    st.tuples(st.integers(0, 300), st.lists(st.integers(1, 9), min_size=1, max_size=3)), min_size=1, max_size=12
)
_PAUSES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@settings(max_examples=50)
@given(_TRACES, _PAUSES)
def test_where_spans_arrive_within_the_settle_time_every_trace_counts_once_and_whole(
    traces: list[tuple[int, list[int]]], pauses: list[int]
) -> None:
    stored = [
        (begin + lag, span("abc"[i], start=1000 * begin + i, trace=str(number)))
        for number, (begin, lags) in enumerate(traces)
        for i, lag in enumerate(lags)
    ]

    @contextmanager
    def ask(wanted: Wanted) -> Iterator[Traces]:
        assert wanted.from_ns is not None
        assert wanted.to_ns is not None
        there = [row for arrives, row in stored if arrives <= now]
        window = Window(wanted.from_ns, wanted.to_ns)
        found = {row.trace for row in there if window.from_ns <= START + row.start * 10**6 <= window.to_ns}
        coverage = Coverage(window, ["app"])
        coverage.see("app", window)
        asked = Asked(from_ns=window.from_ns, to_ns=window.to_ns, seen=coverage.document())
        with gather([spans([row for row in there if row.trace in found])]) as gathered:
            yield Traces(asked, gathered)

    watch = Watch(ask, Wanted(since_ns=10_000 * S), ReportAlone, 10 * S)
    for now in itertools.accumulate([*pauses, 400]):
        report = watch.round(START + now * S).report
        begun = [lags for begin, lags in traces if min(begin + lag for lag in lags) <= now]
        assert report.traces == len(begun)
    assert report.spans == len(stored)
    assert report.asked.seen is not None
    assert report.asked.seen["share"] == 1.0
    assert "split-trace" not in codes(report)


def arrived(trace: RecordedTrace, now_ns: int) -> RecordedTrace:
    """What of a recorded trace has ended by now."""
    v1 = [span for span in trace.v1["spans"] if (span["startTime"] + span["duration"]) * US <= now_ns]
    v3 = []
    for group in trace.v3:
        scopes = []
        for scope in group["scopeSpans"]:
            ended = [span for span in scope["spans"] if int(span["endTimeUnixNano"]) // US * US <= now_ns]
            if ended:
                scopes.append({**scope, "spans": ended})
        if scopes:
            v3.append({**group, "scopeSpans": scopes})
    spans = [span for span in trace.spans if (span.start_ns + span.duration_ns) // US * US <= now_ns]
    return replace(trace, v1={**trace.v1, "spans": v1}, v3=v3, spans=spans)


@pytest.mark.parametrize("api", ["v1", "v3"])
@pytest.mark.parametrize("interval_s", [0.7, 2.0])
def test_a_recording_watched_in_rounds_gives_the_document_of_one_graph(api: Any, interval_s: float) -> None:
    replayed = Recording.packaged()
    answers = Answers(replayed)

    @contextmanager
    def ask(wanted: Wanted) -> Iterator[Traces]:
        with open_jaeger(Access(server.url), wanted, Oversight()) as traces:
            yield traces

    def behave(exchange: Exchange) -> None:
        exchange.send(answers.of(exchange.path))

    with unruly(behave) as server:
        watch = Watch(ask, Wanted("istio-ingress", since_ns=60 * S, api=api), WhyCounts, 3 * S)
        shown = []
        now_ns = RECORDING.from_ns + S // 5
        while now_ns < RECORDING.to_ns + 3.2 * S:
            now_ns += int(interval_s * S)
            replayed.traces = [part for one in RECORDING.traces if (part := arrived(one, now_ns)).spans]
            counted = watch.round(now_ns)
            report, counts = counted.report, counted.counts
            shown.append(report.traces)
        assert sorted(shown) == shown
        assert shown[0] < 60
        assert shown[-1] == 100
        window = Wanted("istio-ingress", from_ns=report.asked.from_ns, to_ns=report.asked.to_ns, api=api)
        with ask(window) as traces:
            at_once = WhyCounts()
            whole = traces.report(at_once.count)
    assert report.graph() == whole.graph()
    assert report.errors() == whole.errors()
    assert slow_document(report, counts.slow) == slow_document(whole, at_once.slow)
    assert doctor(report, counts.checkup) == doctor(whole, at_once.checkup)
    assert why_document(report, counts) == why_document(whole, at_once)
