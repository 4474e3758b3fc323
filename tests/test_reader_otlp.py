"""OTLP JSON ▸ Spans, and that it says the same as Jaeger's v1 JSON of the same traces."""

from __future__ import annotations

import base64
import io
import json
import pathlib
from collections import Counter
from typing import Any

import pytest

from traceviz.sources import gather, read_files, read_stream
from traceviz.spans import TAGS, Kind, Spans, concat, extra_column

DATA = pathlib.Path(__file__).parents[1].parent / "shared" / "data"
START = 1_700_000_000_000_000_123
TRACE, SPAN = "0" * 30 + "1f", "0" * 14 + "2e"


def span(**more: Any) -> dict[str, Any]:
    """A span as OTLP's JSON has it, with what is given changed."""
    usual = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1500),
        "attributes": [],
        "status": {},
    }
    return {**usual, **more}


def attribute(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def element(*spans: dict[str, Any], resource: Any = None, scopes: str = "scopeSpans") -> dict[str, Any]:
    usual = {"attributes": [attribute("service.name", stringValue="front")]}
    return {"resource": usual if resource is None else resource, scopes: [{"scope": {}, "spans": list(spans)}]}


def read(*elements: Any, extra_tags: tuple[str, ...] = ()) -> Spans:
    return read_bytes(json.dumps({"resourceSpans": list(elements)}).encode(), extra_tags)


def read_bytes(data: bytes, extra_tags: tuple[str, ...] = ()) -> Spans:
    spans = concat(list(read_stream([data], "otlp.json", extra_tags=extra_tags)))
    spans.self_check()
    return spans


def text(spans: Spans, column: str, row: int = 0) -> str:
    return spans.texts[spans.tag(column)[row]]


def examples(spans: Spans) -> list[str]:
    return [example for note in spans.notes.documents() for example in note["examples"]]


@pytest.mark.parametrize("scopes", ["scopeSpans", "instrumentationLibrarySpans"])
def test_a_span_becomes_a_row(scopes: str) -> None:
    spans = read(element(span(parentSpanId="0c"), scopes=scopes))
    assert spans.trace_ids == [TRACE]
    assert (int(spans.span_id[0]), int(spans.parent_id[0])) == (0x2E, 0xC)
    assert (int(spans.start_ns[0]), int(spans.duration_ns[0])) == (START, 1500)
    assert (spans.texts[spans.service[0]], spans.texts[spans.operation[0]]) == ("front", "GET /")
    assert Kind(spans.kind[0]) is Kind.SERVER
    assert not spans.error[0]


def test_ids_in_base64_are_the_same_ids() -> None:
    ids = {"traceId": base64.b64encode(bytes.fromhex(TRACE)).decode(), "parentSpanId": "AAAAAAAAAAw="}
    spans = read(element(span(spanId=base64.b64encode(bytes.fromhex(SPAN)).decode(), **ids), span()))
    assert spans.trace_ids == [TRACE]
    assert spans.span_id.tolist() == [0x2E, 0x2E]
    assert spans.parent_id.tolist() == [0xC, 0]


@pytest.mark.parametrize("none", ["", "0000000000000000", None, "AAAAAAAAAAA="])
def test_an_empty_or_zero_parent_is_none(none: str | None) -> None:
    assert read(element(span(parentSpanId=none))).parent_id.tolist() == [0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(3, Kind.CLIENT), ("SPAN_KIND_CLIENT", Kind.CLIENT), ("3", Kind.CLIENT), (0, 0), (None, 0), (9, 0), ("?", 0)],
)
def test_kinds_are_numbers_or_names(kind: Any, expected: int) -> None:
    assert int(read(element(span(kind=kind))).kind[0]) == expected


@pytest.mark.parametrize(
    ("status", "error"),
    [({"code": 2}, True), ({"code": "STATUS_CODE_ERROR"}, True), ({"code": 1}, False), ({}, False), (None, False)],
)
def test_the_status_is_a_number_or_a_name(status: Any, error: bool) -> None:
    assert bool(read(element(span(status=status))).error[0]) is error


def test_the_attribute_error_counts_as_in_v1() -> None:
    assert bool(read(element(span(attributes=[attribute("error", stringValue="boom")]))).error[0])
    assert not read(element(span(attributes=[attribute("error", boolValue=False)]))).error[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "504"}, "504"),
        ({"intValue": "504"}, "504"),
        ({"intValue": 504}, "504"),
        ({"doubleValue": 504.0}, "504"),
        ({"doubleValue": 0.5}, "0.5"),
        ({"boolValue": True}, "true"),
        ({"arrayValue": {"values": [{"intValue": 1}]}}, '{"values":[{"intValue":1}]}'),
        ({"bytesValue": "AA=="}, "AA=="),
        ({"stringValue": ""}, ""),
        ({}, ""),
    ],
)
def test_values_of_any_type_become_text(value: dict[str, Any], expected: str) -> None:
    assert text(read(element(span(attributes=[attribute("http.status_code", **value)]))), "status") == expected


def test_attributes_of_the_resource_serve_where_the_span_has_none() -> None:
    resource = {"attributes": [attribute("service.version", stringValue="v1"), attribute("zone", stringValue="z")]}
    spans = read(element(span(), span(attributes=[attribute("version", stringValue="v2")]), resource=resource))
    assert [text(spans, "version", row) for row in (0, 1)] == ["v1", "v2"]
    assert [text(spans, "zone", row) for row in (0, 1)] == ["z", "z"]
    assert spans.service.tolist() == [0, 0]


def test_links_are_kept_and_empty_ones_are_not() -> None:
    links = [{"traceId": "2" * 32, "spanId": "a" * 16}, {"traceId": "0" * 32, "spanId": "0" * 16}, {}]
    spans = read(element(span(), span(links=links)))
    assert (spans.link_row.tolist(), spans.link_trace, spans.link_span.tolist()) == (
        [1],
        ["2" * 32],
        [0xAAAAAAAAAAAAAAAA],
    )


def test_the_type_of_an_exception_event_is_the_error_type_where_no_attribute_says_it() -> None:
    events = [{"name": "exception", "attributes": [attribute("exception.type", stringValue="KeyError")]}]
    assert text(read(element(span(events=events))), "error_type") == "KeyError"
    said = [attribute("error.type", stringValue="timeout")]
    assert text(read(element(span(events=events, attributes=said))), "error_type") == "timeout"


@pytest.mark.parametrize(
    ("times", "start", "duration", "code"),
    [
        ({"startTimeUnixNano": START, "endTimeUnixNano": START + 5}, START, 5, None),
        ({"endTimeUnixNano": str(START - 5)}, START, 0, "negative-duration"),
        ({"endTimeUnixNano": None}, START, 0, None),
        ({"endTimeUnixNano": "0"}, START, 0, None),
        ({"endTimeUnixNano": 1e308}, START, 0, "time-out-of-range"),
        ({"startTimeUnixNano": None}, 0, 0, "missing-time"),
        ({"startTimeUnixNano": str(2**63)}, 0, 0, "time-out-of-range"),
    ],
)
def test_times_are_text_or_numbers_and_impossible_ones_leave_a_note(
    times: dict[str, Any], start: int, duration: int, code: str | None
) -> None:
    spans = read(element(span(**times)))
    assert (int(spans.start_ns[0]), int(spans.duration_ns[0])) == (start, duration)
    assert code is None or spans.notes.count(code) == 1
    assert bool(len(spans.notes)) is (code is not None)


WRONG: dict[str, tuple[Any, ...]] = {
    "traceId": (None, 7, "xyz", "", "0" * 32, "=" * 24),
    "spanId": (None, 7, "xyz", "", "0" * 16, "===========" + "="),
    "parentSpanId": (7, "xyz"),
    "name": (7,),
    "startTimeUnixNano": ("abc", True),
    "endTimeUnixNano": ("abc", {}),
    "attributes": ("x", [3], [{"key": 1}], [{"key": "a", "value": 7}]),
    "links": ("x", [3], [{"traceId": "xyz", "spanId": "1"}]),
    "status": ("x", {"code": []}),
    "kind": ([],),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_wrong_field_costs_its_span_and_is_named_with_file_path_and_value(field: str, value: Any) -> None:
    spans = read(element(span(spanId="a"), span(**{field: value}), span(spanId="b")), element(span(spanId="c")))
    assert spans.span_id.tolist() == [0xA, 0xB, 0xC]
    assert list(spans.notes) == ["unreadable-record"]
    (example,) = examples(spans)
    assert example.startswith(f"otlp.json: $.resourceSpans[0].scopeSpans[0].spans[1].{field}"), example


def test_a_wrong_resource_costs_its_spans_because_their_service_is_not_known() -> None:
    spans = read(element(span(), span(), resource={"attributes": 7}), element(span()))
    assert len(spans) == 1
    assert spans.notes.count("unreadable-record") == 2
    assert examples(spans) == ["otlp.json: $.resourceSpans[0].resource.attributes: expected array | null, got int: 7"]


def test_spans_before_a_cut_are_kept_where_their_resource_came_first() -> None:
    data = json.dumps({"resourceSpans": [element(span(spanId="a"), span(spanId="b"), span(spanId="c"))]}).encode()
    spans = read_bytes(data[: data.index(b'"000000000000000c"' if b'"000000000000000c"' in data else b'"c"')])
    assert spans.span_id.tolist() == [0xA, 0xB]
    assert set(spans.notes) == {"unreadable-record", "cut-off"}


def rows(path: pathlib.Path) -> Counter[tuple[Any, ...]]:
    """Everything both formats can say of every span, times in µs as v1 has them."""
    with gather(read_files([str(path)], io.BytesIO())) as gathered:
        (spans,) = gathered.batches()
    links: dict[int, list[tuple[str, int]]] = {}
    for row, trace, number in zip(spans.link_row.tolist(), spans.link_trace, spans.link_span.tolist(), strict=True):
        links.setdefault(row, []).append((trace, number))
    return Counter(
        (
            spans.trace_ids[spans.trace[row]],
            int(spans.span_id[row]),
            int(spans.parent_id[row]),
            int(spans.start_ns[row]) // 1000,
            int(spans.duration_ns[row]) // 1000,
            spans.texts[spans.service[row]],
            spans.texts[spans.operation[row]],
            int(spans.kind[row]),
            bool(spans.error[row]),
            *(text(spans, column, row) for column in TAGS),
            tuple(sorted(links.get(row, ()))),
        )
        for row in range(len(spans))
    )


def test_the_example_of_jaeger_s_own_page_is_the_same_in_both_formats() -> None:
    v1 = rows(DATA / "public/jaeger/jaeger_multi_out.json.gz")
    assert rows(DATA / "public/otlp/jaeger_multi_in.json.gz") == v1


@pytest.mark.parametrize("case", sorted(path.parent.parent.name for path in DATA.glob("otel/*/v3/traces.json.gz")))
def test_v1_and_v3_of_the_same_traces_give_equal_rows(case: str) -> None:
    v1, v3 = (rows(DATA / "otel" / case / version / "traces.json.gz") for version in ("v1", "v3"))
    assert v3 == v1


def test_attributes_asked_for_by_name_are_the_span_s_or_its_resource_s() -> None:
    customer = attribute("customer", stringValue="ann")
    inherited = [attribute("service.name", stringValue="front"), attribute("host", stringValue="h1")]
    spans = read(
        element(
            span(attributes=[customer, attribute("host", stringValue="h2")]),
            span(spanId="2f", attributes=[attribute("size", intValue="12"), attribute("cached", boolValue=False)]),
            resource={"attributes": inherited},
        ),
        extra_tags=("customer", "host", "size", "cached", "never"),
    )
    found = {name: [spans.texts[code] for code in spans.tags[extra_column(name)]] for name in ("customer", "host")}
    assert found == {"customer": ["ann", ""], "host": ["h2", "h1"]}
    assert [text(spans, extra_column(name), 1) for name in ("size", "cached", "never")] == ["12", "false", ""]
    assert text(spans, extra_column("customer")) == "ann"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"code": 2, "message": "deadlock"}, "ERROR", "deadlock"),
        ({"code": "STATUS_CODE_OK"}, "OK", ""),
        ({"code": 0, "message": None}, "", ""),
        ({"message": 7}, "", "7"),
        (None, "", ""),
    ],
)
def test_the_status_is_what_other_formats_have_as_tags(status: Any, code: str, message: str) -> None:
    spans = read(element(span(status=status)), extra_tags=("otel.status_code", "otel.status_description"))
    names = [extra_column(name) for name in ("otel.status_code", "otel.status_description")]
    assert [text(spans, name) for name in names] == [code, message]
    assert bool(spans.error[0]) is (code == "ERROR")


def spelled(scopes: str, spans: str) -> list[Any]:
    """The notes on a resource with two scopes of which the second one has its spans under another name."""
    listed = [{"scope": {}, "spans": [span()]}, {"scope": {}, spans: [span(spanId="3f" * 8)]}]
    record = {"resource": {"attributes": []}, scopes: listed}
    chunks = list(read_stream([json.dumps({"resourceSpans": [record]}).encode()], "f"))
    return list(concat(chunks).notes.documents())


def test_scopes_and_spans_that_are_called_otherwise_are_said() -> None:
    assert spelled("scopeSpans", "spans") == []
    (note,) = spelled("scopeSpan", "spans")
    assert (note["code"], note["count"]) == ("unreadable-record", 1)
    assert note["examples"][0].startswith('f: $.resourceSpans[0]: expected scopeSpans, got {"resource"')
    (note,) = spelled("scopeSpans", "span")
    assert (note["code"], note["count"]) == ("unreadable-value", 1)
    assert note["examples"][0].startswith('f: $.resourceSpans[0].scopeSpans[1]: expected spans, got {"scope"')


@pytest.mark.parametrize(
    "record", [{"resource": {}}, {"resource": {}, "scopeSpans": [{"scope": {}, "schemaUrl": "x"}]}]
)
def test_lists_that_are_left_out_are_empty(record: dict[str, Any]) -> None:
    assert list(read_stream([json.dumps({"resourceSpans": [record]}).encode()], "f")) == []
