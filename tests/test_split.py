"""The records in a stream of bytes, whatever stands around them and however the stream is cut into blocks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceviz.sources import scan
from traceviz.sources.split import Record, Splitter, split

HOSTILE = 'a "quoted" \\ {"traceID":"1","spans":[]} ]}},{ \n ü'


def jaeger(number: int, **more: Any) -> dict[str, Any]:
    span = {"traceID": f"{number:x}", "spanID": "a", "operationName": HOSTILE, "references": [], "processID": "p1"}
    processes = {"p1": {"serviceName": HOSTILE, "tags": []}}
    return {"traceID": f"{number:x}", "spans": [span, span], "processes": processes, "warnings": None, **more}


def otlp(number: int) -> dict[str, Any]:
    attributes = [{"key": "service.name", "value": {"stringValue": HOSTILE}}]
    span = {"traceId": f"{number:032x}", "spanId": "b" * 16, "name": HOSTILE}
    return {"resource": {"attributes": attributes}, "scopeSpans": [{"scope": {}, "spans": [span]}]}


def zipkin(number: int) -> dict[str, Any]:
    return {"tags": {"id": "1", "x": HOSTILE}, "traceId": f"{number:x}", "id": "b", "localEndpoint": {}}


def dumped(value: Any, indent: int | None) -> bytes:
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators, ensure_ascii=False).encode()


def found(data: bytes, size: int | None = None) -> list[Record]:
    return list(split(blocks(data, size or len(data) or 1)))


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def records(data: bytes, size: int | None = None) -> list[tuple[str, str, Any]]:
    return [(what, path, json.loads(piece)) for what, path, piece in found(data, size)]


JAEGER, OTLP, ZIPKIN = ([make(n) for n in range(1, 4)] for make in (jaeger, otlp, zipkin))

SHAPES: dict[str, tuple[str, list[Any], Any, str]] = {
    "v1 envelope": ("jaeger", JAEGER, {"data": JAEGER, "total": 0, "limit": 0, "errors": None}, "$.data[0]"),
    "v1 envelope, keys before": ("jaeger", JAEGER, {"errors": None, "total": 0, "data": JAEGER}, "$.data[0]"),
    "bare trace": ("jaeger", JAEGER[:1], JAEGER[0], "$"),
    "list of traces": ("jaeger", JAEGER, JAEGER, "$[0]"),
    "one trace as data": ("jaeger", JAEGER[:1], {"data": JAEGER[0]}, "$.data"),
    "trace with processes first": ("jaeger", [rev := dict(reversed(jaeger(1).items()))], [rev], "$[0]"),
    "otlp": ("otlp", OTLP, {"resourceSpans": OTLP}, "$.resourceSpans[0]"),
    "v3": ("otlp", OTLP, {"result": {"resourceSpans": OTLP}}, "$.result.resourceSpans[0]"),
    "tempo": ("otlp", OTLP, {"batches": OTLP}, "$.batches[0]"),
    "tempo v2": ("otlp", OTLP, {"trace": {"resourceSpans": OTLP}, "metrics": {}}, "$.trace.resourceSpans[0]"),
    "further envelopes": ("otlp", OTLP, [{"x": [{"y": {"resourceSpans": OTLP}}]}], "$[0].x[0].y.resourceSpans[0]"),
    "scopes first": ("otlp", [rev := dict(reversed(otlp(1).items()))], {"resourceSpans": [rev]}, "$.resourceSpans[0]"),
    "zipkin": ("zipkin", ZIPKIN, ZIPKIN, "$[0]"),
    "zipkin traces": ("zipkin", ZIPKIN, [ZIPKIN[:1], [], ZIPKIN[1:]], "$[0][0]"),
    "bare zipkin span": ("zipkin", ZIPKIN[:1], ZIPKIN[0], "$"),
}


@pytest.mark.parametrize("indent", [None, 0, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_known_by_its_content(shape: str, indent: int | None) -> None:
    what, expected, document, first_path = SHAPES[shape]
    got = records(dumped(document, indent))
    assert [(kind, value) for kind, _, value in got] == [(what, value) for value in expected]
    assert got[0][1] == first_path


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_of_every_size_give_the_same_records(shape: str) -> None:
    document = SHAPES[shape][2]
    for indent in (None, 1):
        data = b"\xef\xbb\xbf" + dumped(document, indent) + b"\n" + dumped(document, None) + b"\ntrailing"
        whole = found(data)
        for size in [*range(1, 70), *range(70, len(data), 97)]:
            assert found(data, size) == whole, size


@pytest.mark.parametrize("between", [b"\n", b"", b" \r\n\r\n", b"\n\xef\xbb\xbf", b"\x1e"])
def test_documents_after_one_another_are_all_read_and_counted(between: bytes) -> None:
    data = between.join(
        [dumped({"data": JAEGER[:1]}, None), dumped({"resourceSpans": OTLP[:1]}, 2), dumped(ZIPKIN, None)]
    )
    got = [record for record in found(data) if record.what != "junk"]
    assert [record.what for record in got] == ["jaeger", "otlp", "zipkin", "zipkin", "zipkin"]
    assert [record.path for record in got][:3] == ["$.data[0]", "document 2 $.resourceSpans[0]", "document 3 $[0]"]


def test_junk_before_between_and_after_is_named_once_a_stretch() -> None:
    data = (
        b"HTTP/1.1 200 OK\nDate: today\n\n"
        + dumped(ZIPKIN, None)
        + b"\nlog: done (1)\n"
        + dumped(ZIPKIN, None)
        + b" }] bye"
    )
    got = found(data)
    assert [record.what for record in got] == ["junk", *["zipkin"] * 3, "junk", *["zipkin"] * 3, "junk"]
    assert got[0].data.startswith(b"HTTP/1.1 200 OK")


def test_a_log_line_in_brackets_is_junk_and_no_list() -> None:
    got = found(b"[2026-01-01 INFO] exported\n" + dumped(JAEGER[0], None))
    assert [record.what for record in got] == ["junk", "jaeger"]


@pytest.mark.parametrize(
    "nothing", ['{"data":[]}', '{"data":null}', "[]", "[[],[]]", "{}", '{"resourceSpans":[]}', "", " \n"]
)
def test_a_valid_answer_without_traces_has_no_records(nothing: str) -> None:
    assert found(nothing.encode()) == []


def test_errors_and_the_header_of_fetch_stand_aside() -> None:
    refusal = {"data": None, "total": 0, "errors": [{"code": 404, "msg": "trace not found"}]}
    assert [(kind, path) for kind, path, _ in records(dumped(refusal, None))] == [("refusal", "$.errors")]
    v3 = {"error": {"httpCode": 404, "message": "No traces found"}}
    assert [(kind, path) for kind, path, _ in records(dumped(v3, None))] == [("refusal", "$.error")]
    header = dumped({"traceviz": {"asked": {"from": None}, "notes": [{"code": "x"}]}}, None)
    got = found(header + b"\n" + dumped({"data": JAEGER[:1]}, None))
    assert [record.what for record in got] == ["header", "jaeger"]


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_of_what_stands_aside_and_is_broken_the_beginning_is_handed_out(size: int) -> None:
    data = b'{"traceviz":{"source":[NaN],"x":"' + b"x" * 300 + b'"}}\n' + dumped({"data": JAEGER[:1]}, None)
    got = list(split(data[at : at + size] for at in range(0, len(data), size)))
    assert [(record.what, record.path) for record in got] == [
        ("header", "$.traceviz"),
        ("jaeger", "document 2 $.data[0]"),
    ]
    assert got[0].data == data[12:212]


@pytest.mark.parametrize("wrong", [3, "a trace", True, 1.5, {"name": "GET", "spanKind": "server"}])
def test_what_stands_where_a_trace_should_be_is_handed_out_as_other(wrong: Any) -> None:
    got = records(dumped({"data": [JAEGER[0], wrong, JAEGER[1]]}, None))
    assert [(kind, path) for kind, path, _ in got] == [
        ("jaeger", "$.data[0]"),
        ("other", "$.data[1]"),
        ("jaeger", "$.data[2]"),
    ]


def test_an_unknown_object_is_other_and_extra_keys_are_not() -> None:
    assert [record.what for record in found(b'{"services":["a"],"total":1}')] == ["other"]
    extra = {"data": JAEGER, "meta": {"a": [1, {"b": 2}]}, "took": [1, "x"]}
    assert [record.what for record in found(dumped(extra, None))] == ["jaeger"] * 3


@pytest.mark.parametrize("size", [None, 1, 7, 64])
@pytest.mark.parametrize("make", [jaeger, otlp, zipkin])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'":"', b'":NaN,"nan":"'),
        (b'"', b""),
        (b'":"', b'":"\\ud800'),
        (b'":"', b'":"\xff'),
        (b'":"', b'":"\x00'),
        (b"}", b""),
        (b"]", b""),
        (b"{", b"[["),
        (b"}", b"}}"),
        (b":", b""),
    ],
)
def test_damage_anywhere_in_a_record_costs_no_other_record(size: int | None, make: Any, old: bytes, new: bytes) -> None:
    good = [dumped(make(number), None) for number in range(1, 6)]
    places = [at for at in range(len(good[2])) if good[2].startswith(old, at)]
    for at in places[:: max(1, len(places) // 8)]:
        if at == 0 and new != b"[[":
            continue  # without its own first bracket a record has no beginning
        damaged = good[2][:at] + new + good[2][at + len(old) :]
        data = b"[" + b",".join([*good[:2], damaged, *good[3:]]) + b"]"
        got = [record.data for record in found(data, size)]
        for index in (0, 1, 3, 4):
            assert good[index] in got, (at, damaged)


@pytest.mark.parametrize("make", [jaeger, otlp, zipkin])
def test_a_cut_off_stream_gives_every_record_that_came_whole(make: Any) -> None:
    good = [dumped(make(number), None) for number in range(1, 4)]
    data = b'{"data":[' + b",".join(good) + b"]}"
    for length in range(len(data)):
        got = found(data[:length])
        came = [piece for piece in good if piece in data[:length]]
        assert [record.data for record in got if record.data in good] == came
        assert got == [] if not length else got[-1].what in ("cut", "junk"), length


def test_a_long_stream_is_never_held() -> None:
    largest = max(len(dumped(jaeger(n), None)) for n in range(300))

    def stream(block: int) -> Iterator[bytes]:
        text = b'{"data":[' + b",".join(dumped(jaeger(n), None) for n in range(300)) + b"]}"
        return blocks(text, block)

    for block in (10, 100, 1000, 4096):
        splitter = Splitter(stream(block))
        assert sum(1 for _ in splitter.records()) == 300
        assert splitter.held <= largest * 9 / 8 + 2 * block


def test_one_record_much_larger_than_a_block_is_held_with_an_eighth_and_a_block_more() -> None:
    record = dumped({**jaeger(1), "spans": jaeger(1)["spans"] * 2000}, None)
    splitter = Splitter(blocks(b"[" + record + b"," + record + b"]", 1000))
    assert [len(found.data) for found in splitter.records()] == [len(record)] * 2
    assert splitter.held <= len(record) * 9 / 8 + 2000


def test_garbage_without_end_is_not_held() -> None:
    for garbage in (b"\x00" * 1000, b"x" * 1000, b'"' * 1000, b"{" * 1000, b"}" * 1000, b":" * 1000, b"[1" * 500):
        for start in (b"", b'{"data":[', b"[["):
            splitter = Splitter(itertools.chain([start], itertools.repeat(garbage, 200)))
            assert sum(record.what in ("jaeger", "otlp", "zipkin") for record in splitter.records()) == 0
            assert splitter.held < 12_000, (garbage[:2], start)


def test_brackets_nested_100_000_deep_are_walked_without_recursion() -> None:
    deep = b"[" * 100_000 + dumped(ZIPKIN[0], None) + b"]" * 100_000
    assert [record.what for record in found(deep)] == ["zipkin"]
    tag = b'{"traceId":"1","id":"2","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert [record.data for record in found(b"[" + tag + b"," + dumped(ZIPKIN[0], None) + b"]")] == [
        tag,
        dumped(ZIPKIN[0], None),
    ]


def test_the_end_of_a_value_is_found_by_msgspec_and_not_by_counting_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: bytes, start: int) -> int:
        raise AssertionError("the slow way was taken")

    monkeypatch.setattr(scan, "balanced_end", refuse)
    assert len(found(dumped({"data": JAEGER}, 2))) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), min_size=1, max_size=4), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_whatever_a_trace_holds_it_comes_out_as_it_went_in(extras: list[dict[str, Any]], size: int) -> None:
    traces = [{"traceID": "1", "spans": [extra], "more": extra} for extra in extras]
    got = records(json.dumps({"data": traces}).encode(), size)
    assert [(kind, value) for kind, _, value in got] == [("jaeger", trace) for trace in traces]


@given(st.binary(max_size=200) | st.text('{}[]",:\\ntraceIdspus1').map(str.encode), st.integers(1, 60))
@settings(max_examples=400, deadline=None)
def test_no_bytes_make_it_raise(data: bytes, size: int) -> None:
    assert [record.data for record in found(data, size) if record.what == "jaeger"] == [
        record.data for record in found(data) if record.what == "jaeger"
    ]


def test_one_missing_bracket_in_every_other_record_costs_only_those() -> None:
    good = [dumped(jaeger(number), None) for number in range(1, 301)]
    broken = [record.replace(b"}],", b"},", 1) if at % 2 else record for at, record in enumerate(good)]
    for size in (100, 5000, None):
        got = {record.data for record in found(b'{"data":[' + b",".join(broken) + b"]}", size)}
        assert set(good[::2]) <= got
        assert not set(good[1::2]) & got
