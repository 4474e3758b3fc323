"""Traces scattered over chunks are joined, nothing is lost, and memory is bounded."""

from __future__ import annotations

import pathlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceviz.building import SpansBuilder
from traceviz.sources import Gathered, gather
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.spans import Spans, Texts

Row = tuple[int, int, str, str]


def chunk(rows: list[Row], texts: Texts | None = None) -> Spans:
    """Spans of (trace, span id, service, node id); each has a link to itself, so that links are counted too."""
    builder = SpansBuilder(texts)
    for trace, span, service, node in rows:
        row = builder.add(f"{trace:032x}", span, 0, 1000 + span, span, service, "op " + service)
        builder.tag(row, "node_id", node)
        builder.link(row, f"{trace:032x}", span)
    return builder.build()


def rows_of(spans: Spans) -> list[Row]:
    spans.self_check()
    links = Counter(zip(spans.link_row.tolist(), spans.link_span.tolist(), strict=True))
    found = []
    for row in range(len(spans)):
        trace = int(spans.trace_ids[spans.trace[row]], 16)
        number = int(spans.span_id[row])
        service, node = spans.texts[spans.service[row]], spans.texts[spans.tag("node_id")[row]]
        assert links[row, number] == 1
        assert spans.texts[spans.operation[row]] == "op " + service
        assert (int(spans.start_ns[row]), int(spans.duration_ns[row])) == (1000 + number, number)
        found.append((trace, number, service, node))
    return found


@pytest.fixture(autouse=True, scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary folder that no other test writes to at the same time."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("join"))
    yield
    tempfile.tempdir = before


def folders() -> set[pathlib.Path]:
    return set(pathlib.Path(tempfile.gettempdir()).glob("traceviz-*"))


ROWS = st.lists(
    st.tuples(
        st.integers(1, 8) | st.integers(2**64, 2**64 + 8) | st.integers(1, 2**128 - 1),
        st.integers(1, 2**64 - 2000).map(lambda number: number % 2**40 + 1),
        st.sampled_from(["", "front", "back", "ü"]),
        st.sampled_from(["", "router~1", "sidecar~2"]),
    ),
    max_size=30,
)


@given(st.lists(ROWS, max_size=5), st.integers(1, 40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_chunks_and_any_bound_give_the_same_rows_of_whole_traces(
    parts: list[list[Row]], bound: int, one_texts: bool
) -> None:
    before = folders()
    texts = Texts()
    given_rows = [row for part in parts for row in part]
    long_forms: dict[int, set[int]] = {}
    for trace, *_ in given_rows:
        long_forms.setdefault(trace % 2**64, set()).add(trace)
    joined = {low: max(forms) for low, forms in long_forms.items() if len(forms) == 2 and low in forms}

    with gather((chunk(part, texts if one_texts else None) for part in parts), bound) as gathered:
        batches = [rows_of(batch) for batch in gathered.batches()]
        again = [rows_of(batch) for batch in gathered.batches()]

    assert folders() == before
    assert again == batches
    assert all(batches)
    expected = Counter((joined.get(trace, trace), *rest) for trace, *rest in given_rows)
    assert Counter(row for batch in batches for row in batch) == expected
    traces = [trace for batch in batches for trace in {row[0] for row in batch}]
    assert len(traces) == len(set(traces)), "a trace stands in two batches"
    for batch in batches:
        assert len(batch) <= bound or len({row[0] for row in batch}) == 1
    assert gathered.notes.count("mixed-trace-ids") == len(joined)
    assert gathered.spans == len(given_rows)
    assert gathered.services == dict(Counter(service for _, _, service, _ in given_rows if service))
    assert gathered.gateways == {service for _, _, service, node in given_rows if node == "router~1" and service}
    assert gathered.first_ns == min((1000 + number for _, number, *_ in given_rows), default=None)
    assert gathered.last_ns == max((1000 + 2 * number for _, number, *_ in given_rows), default=None)


def test_up_to_the_bound_nothing_touches_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise AssertionError("a folder was made")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    rows = [(number % 7 + 1, number, "front", "") for number in range(1, 101)]
    with gather([chunk(rows[:50]), chunk(rows[50:])], 100) as gathered:
        assert [len(batch) for batch in gathered.batches()] == [100]
    with pytest.raises(AssertionError, match="a folder was made"):
        gather([chunk(rows)], 99)


def test_beyond_the_bound_memory_holds_a_batch_and_batches_are_well_filled() -> None:
    rows = [(trace, trace * 10 + number, "front", "") for number in range(5) for trace in range(1, 2001)]
    chunks = (chunk(rows[start : start + 500]) for start in range(0, len(rows), 500))
    with gather(chunks, 1000) as gathered:
        assert gathered._kept == []
        sizes = [len(batch) for batch in gathered.batches()]
    assert sum(sizes) == len(rows)
    assert max(sizes) <= 1000
    assert len(sizes) <= 20


def test_a_trace_larger_than_the_bound_stays_whole() -> None:
    rows = [(1, number, "front", "") for number in range(1, 301)] + [(2, 1, "front", "")]
    with gather([chunk(rows)], 10) as gathered:
        assert sorted(len(batch) for batch in gathered.batches()) == [1, 300]


def test_two_long_ids_with_the_same_lower_half_are_not_joined() -> None:
    rows = [(trace, 1, "front", "") for trace in (5, 2**64 + 5, 2**65 + 5)]
    with gather([chunk(rows)]) as gathered:
        (batch,) = gathered.batches()
        assert len(batch.trace_ids) == 3
        assert len(gathered.notes) == 0


def test_notes_of_chunks_are_added_up_and_a_chunk_of_notes_alone_counts() -> None:
    builder = SpansBuilder()
    builder.notes.add(UNREADABLE_RECORD, 2, ["a: $[0]: x"])
    with gather([builder.build(), chunk([(1, 1, "front", "")])]) as gathered:
        assert gathered.notes.count("unreadable-record") == 2
        (batch,) = gathered.batches()
        assert len(batch.notes) == 0


def test_nothing_gives_no_batch_and_no_times() -> None:
    gathered = gather([])
    assert isinstance(gathered, Gathered)
    assert list(gathered.batches()) == []
    assert (gathered.spans, gathered.first_ns, gathered.last_ns, gathered.services) == (0, None, None, {})


def test_spans_without_a_time_do_not_stretch_the_window() -> None:
    builder = SpansBuilder()
    builder.add(f"{1:032x}", 1, 0, 0, 5, "front", "")
    builder.add(f"{1:032x}", 2, 0, 100, 5, "front", "")
    gathered = gather([builder.build()])
    assert (gathered.first_ns, gathered.last_ns) == (100, 105)


def test_an_error_of_the_source_comes_through_and_leaves_no_folder() -> None:
    before = folders()

    def failing() -> Iterator[Spans]:
        yield chunk([(trace, 1, "front", "") for trace in range(1, 50)])
        raise RuntimeError("the source failed")

    with pytest.raises(RuntimeError, match="the source failed"):
        gather(failing(), 10)
    assert folders() == before
