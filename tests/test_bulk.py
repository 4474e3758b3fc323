"""Reading in bulk gives the very rows of reading record by record, whatever stands in the tags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records import in_bulk, one_by_one
from traceviz.building import SpansBuilder
from traceviz.sources import jaeger, otlp, read_stream
from traceviz.sources.bulk import Bulk
from traceviz.sources.bulk_jaeger import JAEGER
from traceviz.sources.bulk_otlp import OTLP
from traceviz.sources.reader import read_answer
from traceviz.spans import Spans, concat

_TRACE = "1f" * 16
_NAMES = ("http.url", "component", "error", "span.kind", "not.wanted", 'x"},{"key":"component')
#: Values that would end a tag if they were cut where they look like it, among ordinary ones.
_VALUES = (
    *("proxy", "", "true", 504, 504.0, False, None),
    *('a"},{"key":"error","value":"true', '"},{"', "},{", 'x","value":"y"},{"key":"error', "\\", '\\"},{\\"'),
    *([{"a": 1}, {"b": 2}], {"a": {"b": 1}, "c": {}}, [[], [{}], [{}, {}]]),
)
tags = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES)), max_size=5)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")])
indents = st.sampled_from([None, None, None, 2])


def resolved(spans: Spans) -> list[tuple[Any, ...]]:
    """The rows with their texts."""
    columns = {"service": spans.service, "operation": spans.operation, **spans.tags}
    return [
        (
            spans.trace_ids[spans.trace[row]],
            *(getattr(spans, name)[row] for name in ("span_id", "parent_id", "start_ns", "duration_ns")),
            *(spans.kind[row], spans.error[row]),
            sorted((name, spans.texts[column[row]]) for name, column in columns.items() if column[row]),
        )
        for row in range(len(spans))
    ]


def jaeger_trace(lists: list[list[tuple[str, Any]]]) -> dict[str, Any]:
    return {
        "traceID": _TRACE,
        "spans": [
            {
                "traceID": _TRACE,
                "spanID": f"{number:x}",
                "operationName": f"GET /{number}",
                "references": [{"refType": "CHILD_OF", "traceID": _TRACE, "spanID": "1"}] if number > 1 else [],
                "startTime": 1_700_000_000_000_000 + number,
                "duration": number,
                "tags": [{"key": key, "type": "string", "value": value} for key, value in some],
                "processID": "p1",
            }
            for number, some in enumerate(lists, 1)
        ],
        "processes": {"p1": {"serviceName": "a", "tags": [{"key": "version", "value": "v1"}]}},
    }


def otlp_record(lists: list[list[tuple[str, Any]]]) -> dict[str, Any]:
    start_ns = 1_700_000_000_000_000_000
    return {
        "resource": {"attributes": [_attribute("service.name", "a"), _attribute("service.version", "v1")]},
        "scopeSpans": [
            {
                "scope": {},
                "spans": [
                    {
                        "traceId": _TRACE,
                        "spanId": f"{number:016x}",
                        **({"parentSpanId": f"{1:016x}"} if number > 1 else {}),
                        "name": f"GET /{number}",
                        "kind": number % 6,
                        "startTimeUnixNano": str(start_ns + number),
                        "endTimeUnixNano": str(start_ns + 2 * number),
                        "attributes": [_attribute(key, value) for key, value in some],
                        "status": {"code": number % 3},
                    }
                    for number, some in enumerate(lists, 1)
                ],
            }
        ],
    }


def _attribute(key: str, value: Any) -> dict[str, Any]:
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}.get(type(value), "arrayValue")
    return {"key": key, "value": {kind: value}}


@given(st.lists(st.lists(tags, min_size=1, max_size=3), min_size=1, max_size=3), separators, indents)
def test_jaeger_traces_give_the_same_rows(
    traces: list[list[list[tuple[str, Any]]]], separator: tuple[str, str], indent: int | None
) -> None:
    records = [json.dumps(jaeger_trace(t), separators=separator, indent=indent).encode() for t in traces]
    alone = one_by_one(records, jaeger.read)
    assert resolved(in_bulk(records, JAEGER)) == resolved(alone)
    answer = b'{"data":[' + b",".join(records) + b'],"total":0,"errors":null}'
    assert resolved(read_answer(answer, "x")) == resolved(alone)


@given(st.lists(st.lists(tags, min_size=1, max_size=3), min_size=1, max_size=3), separators, indents)
def test_otlp_records_give_the_same_rows(
    lists: list[list[list[tuple[str, Any]]]], separator: tuple[str, str], indent: int | None
) -> None:
    records = [json.dumps(otlp_record(some), separators=separator, indent=indent).encode() for some in lists]
    alone = one_by_one(records, otlp.read)
    assert resolved(in_bulk(records, OTLP)) == resolved(alone)
    answer = b'{"result":{"resourceSpans":[' + b",".join(records) + b"]}}"
    assert resolved(read_answer(answer, "x")) == resolved(alone)


CHANGES: list[tuple[str, Any]] = [
    ("traceID", "1f"),
    ("spanID", "1f1f1f1f1f1f1f1f1f"),
    ("spanID", "0"),
    ("startTime", 5),
    ("startTime", "1700000000000000"),
    ("startTime", 1e300),
    ("duration", -1),
    ("duration", None),
    ("processID", "p9"),
    ("tags", [{"key": 5}]),
    ("tags", {}),
    ("references", [{"refType": "FOLLOWS_FROM", "traceID": _TRACE, "spanID": "1"}]),
    ("references", [{"refType": "CHILD_OF", "traceID": "2f", "spanID": "1"}]),
    ("parentSpanID", "1"),
    ("logs", [{"fields": [{"key": "exception.type", "value": "Boom"}]}]),
]


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=lambda value: json.dumps(value)[:30])
def test_what_is_not_ordinary_is_read_and_noted_as_by_itself(key: str, value: Any) -> None:
    traces = [jaeger_trace([[("component", "proxy")]] * 3) for _ in range(3)]
    traces[1]["spans"][1][key] = value
    records = [json.dumps(trace, separators=(",", ":")).encode() for trace in traces]
    alone, bulk = one_by_one(records, jaeger.read), in_bulk(records, JAEGER)
    assert resolved(bulk) == resolved(alone)
    assert bulk.notes.documents() == alone.notes.documents()
    body = b'{"data":[' + b",".join(records) + b"]}"
    answer, stream = read_answer(body, "x"), concat(list(read_stream([body], "x")))
    assert resolved(answer) == resolved(stream)
    assert answer.notes.documents() == stream.notes.documents()


OTLP_CHANGES: list[tuple[str, Any]] = [
    ("traceId", "Hx8fHx8fHx8fHx8fHx8fHw=="),
    ("spanId", "AAAAAAAAAAU="),
    ("startTimeUnixNano", 1.7e18),
    ("startTimeUnixNano", ""),
    ("endTimeUnixNano", "1"),
    ("endTimeUnixNano", None),
    ("kind", "SPAN_KIND_CLIENT"),
    ("status", {"code": "STATUS_CODE_ERROR"}),
    ("status", None),
    ("links", [{"traceId": _TRACE, "spanId": f"{1:016x}"}]),
    ("events", [{"name": "exception", "attributes": [_attribute("exception.type", "Boom")]}]),
    ("attributes", None),
]


@pytest.mark.parametrize(("key", "value"), OTLP_CHANGES, ids=lambda value: json.dumps(value)[:30])
def test_otlp_that_is_not_ordinary_is_read_and_noted_as_by_itself(key: str, value: Any) -> None:
    some = [otlp_record([[("component", "proxy")]] * 3) for _ in range(3)]
    some[1]["scopeSpans"][0]["spans"][1][key] = value
    records = [json.dumps(record, separators=(",", ":")).encode() for record in some]
    alone, bulk = one_by_one(records, otlp.read), in_bulk(records, OTLP)
    assert resolved(bulk) == resolved(alone)
    assert (bulk.link_row.tolist(), bulk.link_trace) == (alone.link_row.tolist(), alone.link_trace)
    assert bulk.notes.documents() == alone.notes.documents()


def test_bulk_really_reads_ordinary_records_and_leaves_others() -> None:
    """Else everything above would hold of a bulk that never does anything."""
    ordinary = json.dumps({"data": [jaeger_trace([[("component", "proxy")]])]}).encode()
    assert Bulk(JAEGER, SpansBuilder()).whole_answer(ordinary)
    assert Bulk(OTLP, SpansBuilder()).whole_answer(
        json.dumps({"result": {"resourceSpans": [otlp_record([[("component", "proxy")]])]}}).encode()
    )
    assert not Bulk(OTLP, SpansBuilder()).whole_answer(ordinary)
