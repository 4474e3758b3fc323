"""Selecting: every condition on one and the same span, whole traces of those that match."""

from __future__ import annotations

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builder import BEGIN_NS, inbound, outbound, span, spans
from tests.conftest import FORMATS, MESH, SHARED
from traceviz.errors import UsageError
from traceviz.selection import Selection, parse_tag
from traceviz.sources import gather, read_files, read_stream
from traceviz.spans import TAGS, Spans, concat

MS = 10**6
FRONT = Selection(services=frozenset({"front"}))


def chosen(selection: Selection, *rows: Any) -> list[int]:
    """Which of the rows match."""
    return [int(row) for row in selection.matches(spans(rows)).nonzero()[0]]


def tagged(*given: tuple[str, dict[str, Any]], **process: Any) -> Spans:
    """A trace of Jaeger for each (tag to select by, tags of the span), read with the tags to select by."""
    wanted = [selecting(text) for text, _ in given]
    data = [
        {
            "traceID": f"{number:x}",
            "spans": [
                {
                    "traceID": f"{number:x}",
                    "spanID": "1",
                    "startTime": BEGIN_NS // 1000,
                    "processID": "p1",
                    "tags": [{"key": key, "value": value} for key, value in tags.items()],
                }
            ],
            "processes": {
                "p1": {"serviceName": "front", "tags": [{"key": key, "value": value} for key, value in process.items()]}
            },
        }
        for number, (_, tags) in enumerate(given, 1)
    ]
    extra = [tag for selection in wanted for tag in selection.extra_tags]
    return concat(list(read_stream([json.dumps({"data": data}).encode()], "x", extra_tags=extra)))


def selecting(*tags: str) -> Selection:
    return Selection(tags=tuple(parse_tag(text) for text in tags))


def test_without_a_condition_everything_matches() -> None:
    assert not Selection().narrows
    assert chosen(Selection(), span("a"), span("b")) == [0, 1]
    assert FRONT.narrows
    assert Selection(from_ns=0).narrows


def test_each_condition_is_seen_by_itself() -> None:
    rows = [
        span("a", service="front", operation="GET /", start=0, ms=5),
        span("b", service="back", operation="GET /", start=10, ms=10),
        span("c", service="back", operation="GET /x", start=20, ms=15),
    ]
    assert chosen(FRONT, *rows) == [0]
    assert chosen(Selection(services=frozenset({"front", "back", "gone"})), *rows) == [0, 1, 2]
    assert chosen(Selection(services=frozenset({"fro"})), *rows) == []
    assert chosen(Selection(operation="GET /"), *rows) == [0, 1]
    assert chosen(Selection(operation="GET"), *rows) == []
    assert chosen(Selection(min_duration_ns=10 * MS), *rows) == [1, 2]
    assert chosen(Selection(min_duration_ns=10 * MS + 1), *rows) == [2]
    assert chosen(Selection(max_duration_ns=10 * MS), *rows) == [0, 1]
    assert chosen(Selection(max_duration_ns=10 * MS - 1), *rows) == [0]
    assert chosen(Selection(from_ns=BEGIN_NS + 10 * MS), *rows) == [1, 2]
    assert chosen(Selection(to_ns=BEGIN_NS + 10 * MS), *rows) == [0, 1]
    assert chosen(Selection(from_ns=BEGIN_NS + 1, to_ns=BEGIN_NS + 20 * MS - 1), *rows) == [1]


def test_all_conditions_hold_on_one_span_or_the_trace_is_left_out() -> None:
    asked = Selection(services=frozenset({"front"}), operation="GET /", min_duration_ns=10 * MS)
    here = [span("a", service="front", operation="GET /", ms=10), span("b", "a", service="back", ms=1)]
    elsewhere = [
        span("c", trace="u", service="front", operation="GET /", ms=9),
        span("d", "c", trace="u", service="front", operation="POST /", ms=10),
        span("e", "c", trace="u", service="back", operation="GET /", ms=10),
    ]
    table = spans([*here, *elsewhere])
    assert asked.matches(table).tolist() == [True, False, False, False, False]
    assert asked.whole_traces(table).tolist() == [True, True, False, False, False]


def test_a_workload_is_known_by_its_own_name_where_services_share_one() -> None:
    rows = [
        inbound("a", "", "reviews", service="all"),
        outbound("b", "a", "reviews", "ratings", service="all"),
        inbound("c", "b", "ratings", service="all"),
    ]
    assert chosen(Selection(workload="reviews"), *rows) == [0, 1]
    assert chosen(Selection(workload="ratings"), *rows) == [2]
    assert chosen(Selection(workload="all"), *rows) == []


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("error=true", {"error": True}),
        ("error=true", {"error": "true"}),
        ("error=true", {"otel.status_code": "ERROR"}),
        ("error=false", {"http.status_code": 504}),
        ("span.kind=server", {"span.kind": "SERVER"}),
        ("service.name=front", {}),
        ("otel.status_code=OK", {"otel.status_code": "OK"}),
        ("http.status_code=504", {"http.status_code": 504}),
        ("http.status_code=504", {"http.status_code": "504"}),
        ("http.status_code=504", {"http.response.status_code": 504.0}),
        ("http.response.status_code=504", {"http.status_code": 504}),
        ("customer=ann=b", {"customer": "ann=b"}),
        ("cached=false", {"cached": False}),
        ("size=12", {"size": 12}),
        ("ratio=0.5", {"ratio": 0.5}),
        ("guid:x-request-id=1f", {"guid:x-request-id": "1f"}),
        ("host.name=h1", {}),
        ("service.version=7", {"istio.canonical_revision": "v1"}),
        ("istio.canonical_revision=v1", {"istio.canonical_revision": "v1", "service.version": "8"}),
        ("service.version=8", {"istio.canonical_revision": "v1", "service.version": "8"}),
    ],
)
def test_a_tag_is_found_by_its_text(text: str, tags: dict[str, Any]) -> None:
    decoy = (
        "customer=bob",
        {"customer": "bobby", "http.status_code": 200, "error": text == "error=false", "cached": True},
    )
    table = tagged((text, tags), decoy, **{"host.name": "h1", "service.version": "7"})
    of_process = text in ("host.name=h1", "service.version=7", "service.name=front")
    assert selecting(text).matches(table).tolist() == [True, of_process]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("error=true", {"error": False}),
        ("error=false", {"error": "timeout"}),
        ("span.kind=client", {"span.kind": "server"}),
        ("http.status_code=50", {"http.status_code": 504}),
        ("customer=ann", {"customer": "Ann"}),
        ("customer=ann", {"Customer": "ann"}),
        ("customer=ann", {}),
        ("host.name=h1", {"host.name": "h2"}),
        ("service.name=fro", {}),
    ],
)
def test_another_value_is_not_found(text: str, tags: dict[str, Any]) -> None:
    assert not selecting(text).matches(tagged((text, tags), **{"host.name": "h1"})).any()


def test_several_tags_are_asked_of_one_span() -> None:
    asked = selecting("customer=ann", "error=true")
    extra = {tag: "" for tag in asked.extra_tags}
    assert extra == {"customer": ""}
    table = tagged(
        ("customer=ann", {"customer": "ann", "error": True}),
        ("customer=ann", {"customer": "ann"}),
        ("customer=ann", {"customer": "bob", "error": True}),
    )
    assert asked.matches(table).tolist() == [True, False, False]


def test_nothing_matches_in_no_spans() -> None:
    assert selecting("customer=ann").whole_traces(concat([])).tolist() == []
    assert Selection(workload="a", services=frozenset({"b"})).whole_traces(concat([])).tolist() == []


def test_spans_read_without_the_tag_are_refused() -> None:
    with pytest.raises(KeyError, match="customer"):
        selecting("customer=ann").matches(spans([span("a")]))


@given(st.text(min_size=1).filter(lambda text: "=" not in text), st.text(min_size=1))
def test_a_tag_is_split_at_its_first_sign_of_equality(key: str, value: str) -> None:
    if key not in ("error", "span.kind"):
        assert parse_tag(f"{key}={value}") == (key, value)


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("error", "'error' is not a tag", "NAME=VALUE: http.status_code=504"),
        ("http.status_code:504", "'http.status_code:504' is not a tag", "not NAME:VALUE"),
        ("=504", "'=504' is not a tag", "NAME=VALUE"),
        ("customer=", "'customer=' is not a tag", "NAME=VALUE"),
        ("", "'' is not a tag", "NAME=VALUE"),
        ("a\x1b[2J", r"'a\\x1b\[2J' is not a tag", "NAME=VALUE"),
        ("error=yes", "error is never 'yes'", "true, false"),
        ("span.kind=sever", "span.kind is never 'sever'", "internal, server, client, producer, consumer"),
    ],
)
def test_what_is_no_tag_is_refused_with_an_example(text: str, says: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_tag(text)
    assert remedy in caught.value.remedy


RECORDED = [MESH / "otel_abort", MESH / "retries", SHARED / "data" / "otel" / "shop_db_error"]
#: What Jaeger's v1 API makes tags of and OTLP holds elsewhere.
ONLY_V1 = ("otel.scope.name", "otel.scope.version")
Id = tuple[str, str]


@pytest.mark.parametrize("folder", RECORDED, ids=lambda path: path.name)
@pytest.mark.parametrize("form", ["v1", "v3"])
def test_every_tag_of_a_recording_finds_the_spans_that_plain_json_finds(folder: Path, form: str) -> None:
    told = spans_by_tag(json.loads(gzip.decompress((folder / FORMATS["v1"]).read_bytes())))
    shared_names = {tag for tags in TAGS.values() for tag in tags if len(tags) > 1}
    keys = sorted({key for key, _ in told} - {"error", "span.kind", *ONLY_V1})
    assert len(keys) > 15
    names = [str(folder / FORMATS[form])]
    with gather(read_files(names, io.BytesIO(), extra_tags=keys), bound=500) as gathered:
        batches = list(gathered.batches())
    both = {id for batch in batches for id in ids(batch)} & {id for found in told.values() for id in found}
    assert len(both) > 100
    for key in keys:
        for value in sorted(value for other, value in told if other == key)[:20]:
            asked = Selection(tags=((key, value),))
            found = {id for batch in batches for id in ids(batch.take(asked.matches(batch)))} & both
            expected = told[key, value] & both
            assert expected <= found, (key, value)
            assert key in shared_names or found == expected, (key, value)


def spans_by_tag(document: Any) -> dict[tuple[str, str], set[Id]]:
    """Name and value of a tag ▸ trace and id of the spans that have it, by themselves or from their process."""
    found: dict[tuple[str, str], set[Id]] = defaultdict(set)
    for trace in document["data"]:
        for one in trace["spans"]:
            process = trace["processes"][one["processID"]]
            tags = {tag["key"]: tag["value"] for tag in [*process["tags"], *one["tags"]]}
            for key, value in tags.items():
                text = value if isinstance(value, str) else json.dumps(value)
                if text:
                    found[key, text].add((one["traceID"].zfill(32), one["spanID"].zfill(16)))
    return found


def ids(table: Spans) -> Iterator[Id]:
    for row in range(len(table)):
        yield table.trace_ids[table.trace[row]], f"{int(table.span_id[row]):016x}"
