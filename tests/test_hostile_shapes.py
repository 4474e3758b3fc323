"""Traces of absurd shapes: chains, fans, circles, orphans, ends of time. Calls grow as the spans do, in every stage."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.commands import called
from tests.fuzz.laws import documents, through
from traceviz.analyze.counting import Baseline
from traceviz.analyze.flame import FlameCounts
from traceviz.analyze.report import Report, report
from traceviz.analyze.tree import tree_document
from traceviz.asked import Asked
from traceviz.building import SpansBuilder
from traceviz.doctor import Checkup, doctor
from traceviz.hops import hops
from traceviz.joining import joined
from traceviz.notes import Notes
from traceviz.reconstruct import reconstruct
from traceviz.render import render
from traceviz.slow.counts import SlowCounts
from traceviz.sources import gather, read_stream
from traceviz.sources.fields import MAX_NS
from traceviz.sources.split import split
from traceviz.spans import Kind, Spans
from traceviz.torn import torn
from traceviz.traces import Traces
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

BEGIN_NS = 1_700_000_000_000_000_000


def chain(size: int) -> Iterator[tuple[int, int, str]]:
    """Id, parent and service of spans that each called the next."""
    return ((number, number - 1, f"s{number % 7}") for number in range(1, size + 1))


def fan(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans that one span called."""
    return ((number, min(number - 1, 1), f"s{number % 7}") for number in range(1, size + 1))


def orphans(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans whose parents are missing."""
    return ((number, size + number, f"s{number % 7}") for number in range(1, size + 1))


def circle(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans in one circle."""
    return ((number, number % size + 1, f"s{number % 7}") for number in range(1, size + 1))


def circles(size: int) -> Iterator[tuple[int, int, str]]:
    """Of pairs that called each other."""
    return ((number, number + 1 if number % 2 else number - 1, f"s{number % 7}") for number in range(1, size + 1))


def one_id(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans that all have one id."""
    return ((1, 0, f"s{number % 7}") for number in range(1, size + 1))


def beneath_one_id(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans of which half have one id, and the others hang under that id."""
    return ((1, 0, f"s{number % 7}") if number % 2 else (number, 1, f"s{number % 7}") for number in range(1, size + 1))


def comb(size: int) -> Iterator[tuple[int, int, str]]:
    """Of a chain each of whose spans called one more that called nobody."""
    return ((number, number - 1 if number % 2 == 0 else number - 2, f"s{number % 7}") for number in range(2, size + 2))


def strangers(size: int) -> Iterator[tuple[int, int, str]]:
    """Of spans whose parents are missing, each of a service of its own."""
    return ((number, size + number, f"s{number}.n{number}") for number in range(1, size + 1))


def services(size: int) -> Iterator[tuple[int, int, str]]:
    """Of a chain in which every span is of another service, among a hundred."""
    return ((number, number - 1, f"s{number % 100}") for number in range(1, size + 1))


Shape = Callable[[int], Iterator[tuple[int, int, str]]]


def spans(shape: Shape, size: int, failed: bool = False, short: bool = False) -> Spans:
    """The Spans of a shape: client and server spans by turns, each a little shorter than the one before, or short and
    one after the other."""
    builder = SpansBuilder()
    for number, (own, parent, service) in enumerate(shape(size)):
        kind = Kind.SERVER if number % 2 else Kind.CLIENT
        start = BEGIN_NS + number * 1000
        row = builder.add(
            "1f" * 16, own, parent, start, 500 if short else (size - number) * 2000, service, "op", kind, failed
        )
        builder.tag(row, "status", "504" if failed else "200")
        if failed and number % 3 == 0:
            builder.tag(row, "flags", "UT")
    return builder.build()


@pytest.mark.parametrize(
    ("shape", "failed"),
    [
        *((shape, failed) for shape in (chain, fan, orphans, one_id) for failed in (False, True)),
        *((circle, False), (comb, True), (beneath_one_id, True), (strangers, False)),
    ],
)
def test_100_000_spans_of_any_shape_go_through(shape: Shape, failed: bool) -> None:
    documents(through(spans(shape, 100_000, failed)))


@pytest.mark.parametrize("shape", [orphans, one_id, beneath_one_id])
def test_100_000_short_spans_go_through_too(shape: Shape) -> None:
    documents(through(spans(shape, 100_000, short=True)))


@pytest.mark.parametrize("length", range(1, 30))
def test_a_circle_of_any_length_is_cut_once(length: int) -> None:
    forest = reconstruct(spans(circle, length))
    forest.self_check()
    assert forest.notes.count("cycles") == 1
    assert (forest.parent < 0).sum() == 1


def calls(work: Callable[[], Any]) -> int:
    """How many functions are called, Python's own among them."""
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def stages(shape: Shape, size: int, failed: bool) -> dict[str, int]:
    """Calls of every stage for one trace of this size."""
    data = as_json(shape, size)
    blocks = [data[at : at + 4096] for at in range(0, len(data), 4096)]
    found = spans(shape, size, failed)
    forest = reconstruct(found)
    counted = report(forest, view="tree")
    graph, errors = counted.graph(), counted.errors()
    tree = tree_document(reconstruct(found), Asked(), Notes())
    behaved = WhyCounts()
    behaved.count(forest)

    def join() -> None:
        with gather([found, found], bound=size) as gathered:
            list(gathered.batches())

    def put_together() -> None:
        with gather([found], bound=size) as gathered:
            traces = Traces(Asked(), gathered)
            with joined(traces):
                list(traces.batches())

    def examine() -> None:
        checkup = Checkup()
        doctor(checkup.count(forest), checkup)

    return {
        "split": calls(lambda: list(split(blocks))),
        "read": calls(lambda: list(read_stream(blocks, "f"))),
        "join": calls(join),
        "reconstruct": calls(lambda: reconstruct(found)),
        "hops": calls(lambda: hops(forest)),
        "torn": calls(lambda: torn(hops(forest))),
        "joining": calls(put_together),
        "doctor": calls(examine),
        "report": calls(lambda: report(forest, view="tree")),
        "documents": calls(lambda: (counted.graph(), counted.errors())),
        "slow": calls(lambda: SlowCounts().count_hops(hops(forest))),
        "why": calls(lambda: why_document(counted, behaved, Baseline(counted, behaved))),
        "flame": calls(lambda: FlameCounts().count(hops(forest))),
        "table": calls(lambda: render(graph, "table", errors=errors)),
        "dot": calls(lambda: render(graph, "dot", errors=errors)),
        "tree": calls(lambda: tree_document(reconstruct(found), Asked(), Notes())),
        "tree as text": calls(lambda: render(tree, "table")),
        "tree as dot": calls(lambda: render(tree, "dot")),
    }


SHAPES = (chain, fan, orphans, circle, circles, one_id, beneath_one_id, comb, strangers, services)


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_spans_are_twice_the_calls_in_every_stage(shape: Shape, failed: bool) -> None:
    stages(shape, 50, failed)  # what is done once for all
    once, twice = (stages(shape, size, failed) for size in (400, 800))
    grown = {stage: (once[stage], twice[stage]) for stage in once if twice[stage] > 2.3 * once[stage] + 200}
    assert grown == {}


def most_held(work: Callable[[], Any]) -> int:
    """How many bytes are held at once."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def said(result: Report) -> list[Any]:
    return [result.graph(), result.errors()]


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_spans_are_twice_the_memory(shape: Shape) -> None:
    def held(size: int) -> dict[str, int]:
        data, found = as_json(shape, size), spans(shape, size, failed=True)
        blocks = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        return {
            "read": most_held(lambda: list(read_stream(blocks, "f"))),
            "report": most_held(lambda: said(report(reconstruct(found), view="tree"))),
        }

    held(50)  # what is held once for all
    once, twice = held(1500), held(3000)
    assert {stage: (once[stage], twice[stage]) for stage in once if twice[stage] > 2.3 * once[stage] + 100_000} == {}


TIMES = (0, 1, BEGIN_NS, BEGIN_NS + 1, MAX_NS // 2, MAX_NS - 1, MAX_NS)


@pytest.mark.parametrize("start", TIMES)
@pytest.mark.parametrize("parent_start", TIMES)
def test_the_ends_of_time_overflow_nothing(start: int, parent_start: int) -> None:
    builder = SpansBuilder()
    for number, (begin, length) in enumerate(
        [(parent_start, MAX_NS), (start, MAX_NS), (start, 0), (parent_start, 5), (start, MAX_NS // 2)], 1
    ):
        kind = Kind.SERVER if number % 2 else Kind.CLIENT
        builder.add(
            "1f" * 16, number, number - 1, begin, min(length, MAX_NS - begin), f"s{number}", "op", kind, number == 5
        )
    counted = through(builder.build())
    documents(counted)
    for edge in counted.report.graph()["edges"]:
        for figures in (edge["client_ms"], edge["server_ms"], edge["gap_ms"]):
            assert figures is None or figures["max"] >= 0


def test_a_deadline_that_ends_with_time_itself_overflows_nothing() -> None:
    builder = SpansBuilder()
    for number, (service, kind, length) in enumerate(
        [("a", Kind.CLIENT, MAX_NS - BEGIN_NS - 1), ("b", Kind.SERVER, 1000), ("b", Kind.CLIENT, 100)], 1
    ):
        row = builder.add("1f" * 16, number, number - 1, BEGIN_NS + number, length, service, "op", kind, True)
        builder.tag(row, "grpc", "4")
        builder.tag(row, "peer_service", "c" if service == "b" else "b")
    result = report(reconstruct(builder.build()))
    assert [row["callee"] for row in result.errors()["failing_hops"]] == ["c"]


def test_a_circle_from_one_end_of_time_to_the_other_overflows_nothing() -> None:
    builder = SpansBuilder()
    above = builder.add("1f" * 16, 14, 1, MAX_NS, 0, "", "", Kind.INTERNAL, True, True)
    builder.tag(above, "cluster", "outbound|80||a.default.svc.cluster.local")
    below = builder.add("1f" * 16, 1, 14, 0, 0, "", "", Kind.UNSET)
    builder.tag(below, "cluster", "inbound|80||")
    builder.tag(below, "flags", "URX")
    documents(through(builder.build()))


def test_a_trace_in_which_nobody_is_called_goes_through() -> None:
    builder = SpansBuilder()
    builder.add("1f" * 16, 1, 0, BEGIN_NS, 1000, "", "", Kind.CLIENT)
    documents(through(builder.build()))


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z"])
def test_instants_of_other_ages_are_asked_for_without_a_traceback(instant: str) -> None:
    for option in ("--from", "--to"):
        done = called("graph", option, instant, "-o", "json", "-", stdin=as_json(chain, 4))
        assert done.code in (0, 2, 3), done.err


@pytest.mark.parametrize(
    "start", [-1, -(10**18), -62135596800000000, 253402300799000000, 1e308, -1e308, "1e308", "-5", 10**30]
)
def test_starts_of_other_ages_are_said_and_the_spans_kept(start: object) -> None:
    ordinary = f'"startTime":{BEGIN_NS // 1000}'.encode()
    data = as_json(chain, 3).replace(ordinary, b'"startTime":' + json.dumps(start).encode(), 1)
    done = called("graph", "-o", "json", "-", stdin=data)
    assert done.code == 0, done.err
    assert done.json()["counts"]["spans"] == 3
    codes = {note["code"] for note in done.json()["notes"]}
    assert codes & {"time-out-of-range", "time-unit-guessed"}


def as_json(shape: Shape, size: int) -> bytes:
    listed = ",".join(
        f'{{"traceID":"1f","spanID":"{own:x}","operationName":"op","startTime":{BEGIN_NS // 1000},"duration":5,'
        f'"references":[{{"refType":"CHILD_OF","traceID":"1f","spanID":"{parent:x}"}}],"processID":"{service}"}}'
        for own, parent, service in shape(size)
    )
    processes = ",".join(f'"s{number}":{{"serviceName":"s{number}"}}' for number in range(100))
    return f'{{"data":[{{"traceID":"1f","spans":[{listed}],"processes":{{{processes}}}}}]}}'.encode()
