"""Jaeger's v1 JSON ▸ Spans: ids, parents, times, tags, and what happens to every kind of damage."""

from __future__ import annotations

import gzip
import json
import pathlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceviz.building import SpansBuilder
from traceviz.errors import UsageError
from traceviz.sources import jaeger, read_stream
from traceviz.spans import TAGS, Kind, Spans, concat, extra_column

DATA = pathlib.Path(__file__).parents[1].parent / "shared" / "data"
START = 1_700_000_000_000_000


def span(**more: Any) -> dict[str, Any]:
    """A span of v1 as Jaeger writes it, with what is given changed."""
    usual = {
        "traceID": "1f",
        "spanID": "2e",
        "operationName": "GET /",
        "references": [],
        "startTime": START,
        "duration": 1500,
        "tags": [],
        "logs": [],
        "processID": "p1",
        "warnings": None,
    }
    return {**usual, **more}


def trace(*spans: dict[str, Any], **more: Any) -> dict[str, Any]:
    processes = {"p1": {"serviceName": "front", "tags": []}, "p2": {"serviceName": "back"}}
    return {"traceID": "1f", "spans": list(spans), "processes": processes, "warnings": None, **more}


def read(*traces: Any, extra_tags: tuple[str, ...] = ()) -> Spans:
    return read_bytes(json.dumps({"data": list(traces)}).encode(), extra_tags)


def read_bytes(data: bytes, extra_tags: tuple[str, ...] = ()) -> Spans:
    spans = concat(list(read_stream([data], "dump.json", extra_tags=extra_tags)))
    spans.self_check()
    return spans


def row(spans: Spans, index: int = 0) -> dict[str, Any]:
    """One row with its texts."""
    texts = {name: spans.texts[column[index]] for name, column in spans.tags.items() if column[index]}
    return {
        "trace": spans.trace_ids[spans.trace[index]],
        "id": int(spans.span_id[index]),
        "parent": int(spans.parent_id[index]),
        "start": int(spans.start_ns[index]),
        "duration": int(spans.duration_ns[index]),
        "service": spans.texts[spans.service[index]],
        "operation": spans.texts[spans.operation[index]],
        "kind": Kind(spans.kind[index]),
        "error": bool(spans.error[index]),
        "tags": texts,
    }


def tags(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key.replace("_", "."), "type": "string", "value": value} for key, value in values.items()]


def examples(spans: Spans, code: str) -> list[str]:
    return next((note["examples"] for note in spans.notes.documents() if note["code"] == code), [])


def test_a_span_becomes_a_row() -> None:
    sent = span(tags=[*tags(http_method="GET", span_kind="client"), {"key": "http.status_code", "value": 504}])
    assert row(read(trace(sent))) == {
        "trace": "0" * 30 + "1f",
        "id": 0x2E,
        "parent": 0,
        "start": START * 1000,
        "duration": 1_500_000,
        "service": "front",
        "operation": "GET /",
        "kind": Kind.CLIENT,
        "error": False,
        "tags": {"method": "GET", "status": "504"},
    }


def test_ids_of_any_case_and_length_are_one_id() -> None:
    spans = read(trace(span(traceID="00AB", spanID="0C"), span(traceID="ab", spanID="000000000000000c")))
    assert spans.trace_ids == ["0" * 30 + "ab"]
    assert spans.span_id.tolist() == [0xC, 0xC]


@pytest.mark.parametrize(
    ("references", "parent", "links"),
    [
        ([("CHILD_OF", "1f", "a")], 0xA, []),
        ([("FOLLOWS_FROM", "1f", "a")], 0xA, []),
        ([("FOLLOWS_FROM", "1f", "a"), ("CHILD_OF", "1f", "b")], 0xB, [("1f", 0xA)]),
        ([("CHILD_OF", "99", "a"), ("FOLLOWS_FROM", "1F", "b")], 0xB, [("99", 0xA)]),
        ([("CHILD_OF", "99", "a")], 0, [("99", 0xA)]),
        ([("CHILD_OF", "1f", "a"), ("CHILD_OF", "1f", "b")], 0xA, [("1f", 0xB)]),
        ([("CHILD_OF", "0", "0")], 0, []),
        ([("CHILD_OF", "1f", "")], 0, []),
        ([("SOMETHING", "1f", "a")], 0, [("1f", 0xA)]),
        ([("CHILD_OF", "a" * 16 + "0" * 14 + "1f", "a")], 0xA, []),
    ],
)
def test_the_parent_is_child_of_then_follows_from_in_the_same_trace(
    references: list[tuple[str, str, str]], parent: int, links: list[tuple[str, int]]
) -> None:
    sent = [{"refType": kind, "traceID": of, "spanID": number, "span": span()} for kind, of, number in references]
    spans = read(trace(span(references=sent)))
    assert int(spans.parent_id[0]) == parent
    got = list(zip(spans.link_trace, spans.link_span.tolist(), strict=True))
    assert got == [(of.zfill(32), number) for of, number in links]


def test_a_parent_without_references_is_taken_from_parent_span_id() -> None:
    assert int(read(trace(span(parentSpanID="a"))).parent_id[0]) == 0xA


@pytest.mark.parametrize(
    ("start", "nanoseconds", "guessed"),
    [
        (START, START * 1000, 0),
        (str(START), START * 1000, 0),
        (float(START), START * 1000, 0),
        (110, 110_000, 0),
        (1_700_000_000, START * 1000, 1),
        (1_700_000_000.5, START * 1000 + 500_000_000, 1),
        (1_700_000_000_000, START * 1000, 1),
        (START * 1000, START * 1000, 1),
    ],
)
def test_the_unit_of_a_start_is_guessed_by_its_size(start: Any, nanoseconds: int, guessed: int) -> None:
    spans = read(trace(span(startTime=start)))
    assert int(spans.start_ns[0]) == nanoseconds
    assert spans.notes.count("time-unit-guessed") == guessed


@pytest.mark.parametrize(
    ("more", "start", "duration", "code"),
    [
        ({"duration": -5}, START * 1000, 0, "negative-duration"),
        ({"duration": "7"}, START * 1000, 7000, None),
        ({"duration": 1.5}, START * 1000, 1500, None),
        ({"duration": None}, START * 1000, 0, None),
        ({"duration": 1e308}, START * 1000, 0, "time-out-of-range"),
        ({"duration": 9_000_000_000_000_000}, START * 1000, 0, "time-out-of-range"),
        ({"startTime": -1}, 0, 1_500_000, "time-out-of-range"),
        ({"startTime": 1e308}, 0, 1_500_000, "time-out-of-range"),
        ({"startTime": 10**30}, 0, 1_500_000, "time-out-of-range"),
        ({"startTime": 10**400}, 0, 1_500_000, "time-out-of-range"),
        ({"startTime": "NaN"}, 0, 1_500_000, "time-out-of-range"),
        ({"startTime": None}, 0, 1_500_000, "missing-time"),
    ],
)
def test_impossible_times_keep_the_span_and_leave_a_note(
    more: dict[str, Any], start: int, duration: int, code: str | None
) -> None:
    spans = read(trace(span(**more)))
    assert (int(spans.start_ns[0]), int(spans.duration_ns[0])) == (start, duration)
    assert list(spans.notes) == ([code] if code else [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("504", "504"),
        (504, "504"),
        (504.0, "504"),
        (0.5, "0.5"),
        (True, "true"),
        (False, "false"),
        ([1, "a"], '[1,"a"]'),
        ("", None),
        (None, None),
    ],
)
def test_values_of_any_type_become_text(value: Any, text: str | None) -> None:
    spans = read(trace(span(tags=[{"key": "http.status_code", "value": value}])))
    assert row(spans)["tags"].get("status") == text


def test_the_first_name_that_a_span_has_wins_and_empty_text_is_absent() -> None:
    new, old = {"key": "http.response.status_code", "value": "500"}, {"key": "http.status_code", "value": "503"}
    empty = {"key": "http.status_code", "value": ""}
    assert row(read(trace(span(tags=[new, old]))))["tags"] == {"status": "503"}
    assert row(read(trace(span(tags=[new, empty]))))["tags"] == {"status": "500"}
    assert row(read(trace(span(tags=[old, {**old, "value": "200"}]))))["tags"] == {"status": "503"}


def test_tags_of_the_process_serve_where_the_span_has_none() -> None:
    process = {"serviceName": "front", "tags": tags(service_version="v1", zone="z1")}
    sent = [span(), span(tags=tags(version="v2"))]
    spans = read(trace(*sent, processes={"p1": process}))
    assert row(spans, 0)["tags"] == {"version": "v1", "zone": "z1"}
    assert row(spans, 1)["tags"] == {"version": "v2", "zone": "z1"}
    inline = read(trace(span(processID=None, process=process), processes=None))
    assert row(inline)["service"] == "front"
    assert row(inline)["tags"] == {"version": "v1", "zone": "z1"}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ([True], True),
        (["true"], True),
        (["deadlock detected"], True),
        ([1], True),
        ([False], False),
        (["false"], False),
        ([""], False),
        ([None], False),
        (["false", True], True),
        ([True, "false"], True),
        ([], False),
    ],
)
def test_error_is_any_text_but_false_and_may_stand_twice(values: list[Any], error: bool) -> None:
    sent = span(tags=[{"key": "error", "value": value} for value in values])
    assert row(read(trace(sent)))["error"] is error


def test_the_status_of_opentelemetry_is_an_error_too() -> None:
    assert row(read(trace(span(tags=[{"key": "otel.status_code", "value": "ERROR"}]))))["error"] is True
    assert row(read(trace(span(tags=[{"key": "otel.status_code", "value": "OK"}]))))["error"] is False


def test_the_type_of_a_logged_exception_is_the_error_type_where_no_tag_says_it() -> None:
    logs = [{"timestamp": 1, "fields": tags(event="exception", exception_type="KeyError")}]
    assert row(read(trace(span(logs=logs))))["tags"] == {"error_type": "KeyError"}
    assert row(read(trace(span(logs=logs, tags=tags(error_type="timeout")))))["tags"] == {"error_type": "timeout"}


def test_a_missing_service_and_operation_are_empty() -> None:
    spans = read(trace(span(processID="p9", operationName=None)))
    assert (row(spans)["service"], row(spans)["operation"]) == ("", "")
    assert len(spans.notes) == 0


WRONG: dict[str, tuple[Any, ...]] = {
    "spanID": (None, 7, "", "xyz", "0000", "1" * 17, "-1", "+1", "1_0", " "),
    "traceID": (7, "xyz", "1" * 33, "0" * 32),
    "operationName": (7, {}),
    "startTime": ("abc", True, []),
    "duration": ("abc", {}, []),
    "references": ("x", [3], [{"refType": "CHILD_OF", "traceID": "1f", "spanID": "xyz"}]),
    "tags": ("x", [3], [{"value": 1}], [{"key": 7, "value": 1}]),
    "processID": (7,),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_wrong_field_costs_its_span_and_is_named_with_file_path_and_value(field: str, value: Any) -> None:
    bad = span(**{field: value})
    spans = read(trace(span(spanID="a"), bad, span(spanID="b")), trace(span(spanID="c")))
    assert spans.span_id.tolist() == [0xA, 0xB, 0xC]
    assert spans.notes.count("unreadable-record") == 1
    (example,) = examples(spans, "unreadable-record")
    assert example.startswith(f"dump.json: $.data[0].spans[1].{field}")
    if not isinstance(value, list | dict | None):
        assert json.dumps(value).strip('"') in example


@pytest.mark.parametrize(
    ("piece", "path"),
    [
        (b'"startTime":NaN', ".startTime"),
        (b'"startTime":1e999', ".startTime"),
        (b'"operationName":"\\ud800"', ".operationName"),
        (b'"operationName":"a\xff"', ".operationName"),
        (b'"tags":[{"key":"a","value":Infinity}]', ".tags[0].value"),
        (b'"tags":[{"key":"error","value":"\xc3("}]', ".tags[0].value"),
        (b'"operationName":"a\nb"', ""),
    ],
)
def test_broken_json_in_a_span_costs_that_span(piece: bytes, path: str) -> None:
    good = json.dumps(span()).encode()
    bad = good[:-1] + b"," + piece + b"}"
    whole = json.dumps({"data": [trace("A", "B", "C"), trace(span())]}).encode()  # type: ignore[arg-type]
    data = whole.replace(b'"A"', good).replace(b'"B"', bad).replace(b'"C"', good)
    spans = read_bytes(data)
    assert len(spans) == 3
    (example,) = examples(spans, "unreadable-record")
    assert example.startswith(f"dump.json: $.data[0].spans[1]{path}: "), example


def test_a_broken_process_costs_its_own_spans() -> None:
    broken = trace(span(spanID="a"), span(spanID="b", processID="p2"), span(spanID="c"))
    broken["processes"]["p2"] = {"serviceName": 7}
    spans = read(broken)
    assert spans.span_id.tolist() == [0xA, 0xC]
    (example,) = examples(spans, "unreadable-record")
    assert example == (
        "dump.json: $.data[0].spans[1].processID: process p2.serviceName: expected str | null, got int: 7"
    )


@pytest.mark.parametrize("more", [{"spans": 7}, {"spans": {"a": 1}}, {"processes": 7}, {"traceID": 7, "spans": [7]}])
def test_a_wrong_trace_is_named(more: dict[str, Any]) -> None:
    spans = read(trace(span(), **more), trace(span()))
    assert len(spans) == 1
    assert spans.notes.count("unreadable-record") == 1


def test_damage_that_no_span_needs_is_another_note() -> None:
    data = json.dumps({"data": [trace(span(), warnings="W")]}).encode().replace(b'"W"', b"NaN")
    spans = read_bytes(data)
    assert len(spans) == 1
    assert list(spans.notes) == ["unreadable-value"]
    assert examples(spans, "unreadable-value") == ["dump.json: $.data[0].warnings: invalid character: NaN}"]


def facts(spans: Spans) -> Iterator[str]:
    for index in range(len(spans)):
        yield json.dumps(row(spans, index), default=int)


@pytest.mark.parametrize(
    "name",
    [
        "public/jaeger/bookinfo_healthy.json.gz",
        "public/otlp/jaeger_multi_in.json.gz",
        "public/zipkin/ascend.json.gz",
        "mesh/seed_504/v3/trace.json.gz",
    ],
)
def test_a_file_cut_off_anywhere_gives_no_wrong_span(name: str) -> None:
    data = gzip.decompress((DATA / name).read_bytes())
    whole = set(facts(read_bytes(data)))
    for length in range(len(data.rstrip())):
        spans = read_bytes(data[:length]) if length else None
        if spans is not None:
            assert set(facts(spans)) <= whole, length
            assert len(spans.notes), length


ORDINARY: list[dict[str, Any]] = [
    {},
    {"spanID": "abc"},
    {"spanID": "000000000000002E"},
    {"traceID": "2F"},
    {"processID": "p2"},
    {"references": [{"refType": "CHILD_OF", "traceID": "1f", "spanID": "a"}]},
    {"references": [{"refType": "CHILD_OF", "traceID": "1f", "spanID": ""}]},
    {"startTime": START + 1, "duration": 0},
    {"tags": [{"key": "error", "value": True}, {"key": "span.kind", "value": "server"}]},
    {"tags": [{"key": "http.status_code", "value": [1]}, {"key": "version", "value": "v9"}]},
    {"tags": [{"key": "http.status_code", "value": 504.0}, {"key": "error", "value": "false"}]},
    {"logs": [{"fields": [{"key": "exception.type", "value": "KeyError"}]}, 7]},
]
ODD: list[dict[str, Any]] = [
    {"spanID": "zz"},
    {"spanID": " 00000000000002e"},
    {"spanID": "0" * 16},
    {"traceID": "xyz"},
    {"processID": "p3"},
    {"process": {"serviceName": "inline"}},
    {"parentSpanID": "a"},
    {"references": [{"refType": "CHILD_OF", "traceID": "1F", "spanID": "a"}]},
    {"references": [{"refType": "FOLLOWS_FROM", "traceID": "1f", "spanID": "a"}]},
    {"references": [{"refType": "CHILD_OF", "traceID": "9", "spanID": "a"}]},
    {"references": [{"refType": "CHILD_OF", "traceID": "1f", "spanID": number} for number in "ab"]},
    {"references": None},
    {"startTime": 1_700_000_000},
    {"startTime": None},
    {"startTime": 10**30},
    {"duration": -1},
    {"duration": "7"},
    {"operationName": None},
    {"tags": [{"key": "http.status_code", "value": ""}, {"value": 3}]},
    {"tags": None},
    {"logs": 7},
]
QUIRKS = st.lists(st.lists(st.sampled_from(ORDINARY), max_size=4), min_size=1, max_size=6) | st.lists(
    st.lists(st.sampled_from(ORDINARY + ODD), max_size=4), min_size=1, max_size=6
)


@given(QUIRKS)
@settings(max_examples=300, deadline=None)
def test_reading_many_at_once_gives_what_reading_one_by_one_gives(quirks: list[list[dict[str, Any]]]) -> None:
    service = {"serviceName": "back", "tags": tags(zone="z", version="v1")}
    processes = {"p1": {"serviceName": "front"}, "p2": service}
    builder = SpansBuilder()
    for number, some in enumerate(quirks):
        data = json.dumps(trace(*(span(**quirk) for quirk in some), processes=processes)).encode()
        jaeger.read(data, f"dump.json: $.data[{number}]", builder)
    one_by_one = builder.build()

    at_once = read(*(trace(*(span(**quirk) for quirk in some), processes=processes) for some in quirks))

    assert list(facts(at_once)) == list(facts(one_by_one))
    assert at_once.notes.documents() == one_by_one.notes.documents()
    assert at_once.link_trace == one_by_one.link_trace
    assert at_once.link_row.tolist() == one_by_one.link_row.tolist()


#: Tags that are read anyway, with and without rivals for their column, and others.
EXTRA = ("customer", "zone", "version", "http.status_code", "http.response.status_code", "error", "span.kind")
WORTH = st.sampled_from(["ann", "v1", "504", "", 7, 0.5, True, None, ["a", 1]])
SOME_TAGS = st.lists(st.fixed_dictionaries({"key": st.sampled_from(EXTRA), "value": WORTH}), max_size=5)


@given(st.lists(st.tuples(SOME_TAGS, st.sampled_from(["p1", "p2"])), min_size=1, max_size=8), SOME_TAGS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_tags_asked_for_by_name_have_a_column_each_and_change_no_other(
    given_spans: list[tuple[list[dict[str, Any]], str]], of_process: list[dict[str, Any]], ordinary: bool
) -> None:
    processes = {"p1": {"serviceName": "front"}, "p2": {"serviceName": "back", "tags": of_process}}
    more = {} if ordinary else {"parentSpanID": "a"}
    sent = [span(tags=some, processID=process, spanID=f"{n:x}") for n, (some, process) in enumerate(given_spans, 1)]
    dump = trace(*sent, span(spanID="ff", **more), processes=processes)
    plain, asked = read(dump), read(dump, extra_tags=EXTRA)

    extra = {extra_column(tag): asked.tags[extra_column(tag)] for tag in EXTRA}
    others = replace(asked, tags={name: column for name, column in asked.tags.items() if name not in extra})
    assert set(others.tags) <= set(TAGS)
    assert list(facts(others)) == list(facts(plain))
    for row, (some, process) in enumerate(given_spans):
        inherited = of_process if process == "p2" else []
        for tag in EXTRA:
            texts = [as_text(one["value"]) for one in [*some, *inherited] if one["key"] == tag]
            first = next((text for text in texts if text), "")
            assert asked.texts[extra[extra_column(tag)][row]] == first, tag


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, separators=(",", ":"))


def test_more_tags_than_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="2,100 tags"):
        SpansBuilder(extra_tags=[f"tag{n}" for n in range(2100)])
    assert len(read(trace(span(tags=tags(tag1999="v"))), extra_tags=tuple(f"tag{n}" for n in range(2000))).tags) == 2000


def test_ordinary_traces_are_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the slow way was taken")

    monkeypatch.setattr(jaeger, "read", refuse)
    ordinary = [trace(span(**quirk)) for quirk in ORDINARY]
    assert len(read(*ordinary)) == len(read(*ordinary, extra_tags=("customer",))) == len(ORDINARY)


def test_a_trace_of_several_documents_and_formats_is_read_from_one_stream() -> None:
    zipkin = [{"traceId": "1f", "id": "3d", "timestamp": START}]
    data = json.dumps(trace(span())).encode() + b"\n" + json.dumps(zipkin).encode()
    assert read_bytes(data).span_id.tolist() == [0x2E, 0x3D]


def test_the_server_s_own_errors_are_a_note_and_no_record() -> None:
    spans = read_bytes(b'{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}')
    assert len(spans) == 0
    assert list(spans.notes) == ["errors-in-answer"]
    assert "trace not found" in examples(spans, "errors-in-answer")[0]


def test_chunks_are_never_empty_and_notes_without_spans_come_last() -> None:
    assert list(read_stream([b'{"data":[]}'], "x")) == []
    assert list(read_stream([], "x")) == []
    (only,) = read_stream([b"<html>no traces</html>"], "x")
    assert (len(only), list(only.notes)) == (0, ["skipped-text"])
    data = json.dumps({"data": [trace(span(), span(spanID="a")) for _ in range(5)]}).encode()
    assert [len(chunk) for chunk in read_stream([data], "x", chunk_spans=4)] == [4, 4, 2]
    assert [len(chunk) for chunk in read_stream([data, b" junk"], "x", chunk_spans=5)] == [6, 4]


@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_gzip_of_several_members_is_one_stream(size: int) -> None:
    data = json.dumps({"data": [trace(span()), trace(span())]}).encode()
    packed = gzip.compress(data[:100]) + gzip.compress(b"") + gzip.compress(data[100:]) + b"\0" * 512
    blocks = [packed[start : start + size] for start in range(0, len(packed), size)]
    spans = concat(list(read_stream(blocks, "x")))
    assert (len(spans), len(spans.notes)) == (2, 0)


def test_a_gzip_file_cut_off_or_damaged_keeps_what_came() -> None:
    data = json.dumps({"data": [trace(span(spanID=f"{n + 1:x}")) for n in range(200)]}).encode()
    packed = gzip.compress(data, 1)
    cut = concat(list(read_stream([packed[: len(packed) // 2]], "x.gz")))
    assert 50 < len(cut) < 200
    assert cut.notes.count("cut-off") >= 1
    assert any("gzip" in example for example in examples(cut, "cut-off"))
    damaged = packed[: len(packed) // 2] + b"\xff" * 40 + packed[len(packed) // 2 + 40 :]
    assert 0 < len(concat(list(read_stream([damaged], "x.gz")))) <= 200


@pytest.mark.parametrize("key", ["span", "Spans", "spans_"])
def test_a_trace_whose_spans_are_called_otherwise_is_no_empty_trace(key: str) -> None:
    trace = {"traceID": "1f", key: [span()], "processes": {"p1": {"serviceName": "a"}}}
    chunks = list(read_stream([json.dumps({"data": [trace]}).encode()], "f"))
    (note,) = concat(chunks).notes.documents()
    assert (note["code"], note["count"]) == ("unreadable-record", 1)
    assert note["examples"][0].startswith("f: $.data[0]: expected a trace with spans, got {")


@pytest.mark.parametrize("empty", [[], None])
def test_a_trace_that_says_that_it_has_no_spans_is_empty(empty: list[Any] | None) -> None:
    assert list(read_stream([json.dumps({"data": [{"traceID": "1f", "spans": empty}]}).encode()], "f")) == []
