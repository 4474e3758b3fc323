"""Zipkin's v2 JSON ▸ Spans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traceviz.sources import read_stream
from traceviz.spans import Kind, Spans, concat, extra_column

START = 1_700_000_000_000_000


def span(**more: Any) -> dict[str, Any]:
    """A span of Zipkin v2, with what is given changed."""
    usual = {
        "traceId": "000000000000001f",
        "id": "000000000000002e",
        "kind": "CLIENT",
        "name": "get /",
        "timestamp": START,
        "duration": 1500,
        "localEndpoint": {"serviceName": "front", "ipv4": "10.0.0.1"},
        "tags": {},
    }
    return {**usual, **more}


def read(*spans: Any, extra_tags: tuple[str, ...] = ()) -> Spans:
    table = concat(list(read_stream([json.dumps(list(spans)).encode()], "zipkin.json", extra_tags=extra_tags)))
    table.self_check()
    return table


def text(spans: Spans, column: str, row: int = 0) -> str:
    return spans.texts[spans.tag(column)[row]]


def test_a_span_becomes_a_row() -> None:
    spans = read(span(parentId="0c", tags={"http.status_code": "504"}))
    assert spans.trace_ids == ["0" * 30 + "1f"]
    assert (int(spans.span_id[0]), int(spans.parent_id[0])) == (0x2E, 0xC)
    assert (int(spans.start_ns[0]), int(spans.duration_ns[0])) == (START * 1000, 1_500_000)
    assert (spans.texts[spans.service[0]], spans.texts[spans.operation[0]]) == ("front", "get /")
    assert Kind(spans.kind[0]) is Kind.CLIENT
    assert text(spans, "status") == "504"
    assert not spans.error[0]
    assert not spans.shared[0]


def test_shared_spans_of_one_id_are_two_rows() -> None:
    spans = read(span(), span(kind="SERVER", shared=True))
    assert spans.span_id.tolist() == [0x2E, 0x2E]
    assert spans.shared.tolist() == [False, True]


def test_the_remote_endpoint_names_the_peer_where_no_tag_does() -> None:
    remote = {"serviceName": "mysql"}
    assert text(read(span(remoteEndpoint=remote)), "peer_service") == "mysql"
    assert text(read(span(remoteEndpoint=remote, tags={"peer.service": "orders"})), "peer_service") == "orders"
    assert text(read(span(remoteEndpoint={"ipv4": "10.0.0.2"})), "peer_service") == ""


def test_an_empty_or_missing_service_stays_empty() -> None:
    spans = read(span(localEndpoint={"serviceName": ""}), span(localEndpoint={}), span(localEndpoint=None))
    assert spans.service.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("error", "failed"), [("true", True), ("503", True), ("false", False), ("", False)])
def test_error_is_any_text_but_false(error: str, failed: bool) -> None:
    assert bool(read(span(tags={"error": error})).error[0]) is failed


def test_kind_may_be_missing_or_only_a_tag() -> None:
    spans = read(span(kind=None), span(kind="producer"), span(kind=None, tags={"span.kind": "server"}))
    assert spans.kind.tolist() == [Kind.UNSET, Kind.PRODUCER, Kind.SERVER]


def test_a_missing_duration_is_zero_and_a_missing_time_is_noted() -> None:
    spans = read(span(duration=None), span(timestamp=None))
    assert spans.duration_ns.tolist() == [0, 1_500_000]
    assert spans.start_ns.tolist() == [START * 1000, 0]
    assert [(note, spans.notes.count(note)) for note in spans.notes] == [("missing-time", 1)]


WRONG: dict[str, tuple[Any, ...]] = {
    "traceId": (None, 7, "xyz", "", "0" * 16),
    "id": (None, 7, "xyz", "", "0" * 16),
    "parentId": (7, "xyz"),
    "name": (7,),
    "kind": (3,),
    "timestamp": ("abc", True, []),
    "duration": ("abc", {}),
    "localEndpoint": ("x", {"serviceName": 7}),
    "tags": ("x", [3]),
    "shared": ("yes",),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_wrong_field_costs_its_span_and_is_named_with_file_path_and_value(field: str, value: Any) -> None:
    spans = read(span(id="a"), span(**{field: value}), span(id="b"))
    assert spans.span_id.tolist() == [0xA, 0xB]
    assert list(spans.notes) == ["unreadable-record"]
    (note,) = spans.notes.documents()
    assert note["examples"][0].startswith(f"zipkin.json: $[1].{field}")


def test_a_missing_id_is_named() -> None:
    broken = span()
    del broken["id"]
    spans = read(broken, span())
    assert len(spans) == 1
    (example,) = spans.notes.documents()[0]["examples"]
    assert example.startswith("zipkin.json: $[0]: object missing required field id: {")


def test_tags_asked_for_by_name_have_a_column_each() -> None:
    sent = [span(tags={"customer": "ann", "http.url": "/x"}), span(id="2f", tags={"customer.id": "7"})]
    spans = read(*sent, extra_tags=("customer", "http.url", "never"))
    columns = [extra_column(name) for name in ("customer", "http.url", "never")]
    assert [[text(spans, column, row) for column in columns] for row in (0, 1)] == [["ann", "/x", ""], ["", "", ""]]
    assert text(spans, "url") == "/x"
