"""Seeds: small cut-outs of the recordings, made when the fuzzer starts, and the words that its dictionary knows."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.conftest import SHARED
from traceviz.asked import Asked
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.header import Header
from traceviz.sources.split import split

#: So many spans of a trace are enough to be a tree, and few enough to be changed thousands of times a second.
MOST_SPANS = 4
_MOST_BYTES = 6000
_DATA = SHARED / "data"
_RECORDINGS = ("public/*/*.gz", "mesh/seed_504*/**/*.gz", "otel/shop_d*/**/*.gz")

WORDS = (
    *('"traceID"', '"spanID"', '"spans"', '"processes"', '"processID"', '"references"', '"refType"', '"CHILD_OF"'),
    *('"FOLLOWS_FROM"', '"startTime"', '"duration"', '"tags"', '"logs"', '"fields"', '"key"', '"value"', '"data"'),
    *('"operationName"', '"serviceName"', '"parentSpanID"', '"process"', '"errors"', '"traceviz"', '"warnings"'),
    *('"resourceSpans"', '"batches"', '"result"', '"resource"', '"scopeSpans"', '"instrumentationLibrarySpans"'),
    *('"traceId"', '"spanId"', '"parentSpanId"', '"startTimeUnixNano"', '"endTimeUnixNano"', '"attributes"'),
    *('"stringValue"', '"intValue"', '"doubleValue"', '"boolValue"', '"arrayValue"', '"kvlistValue"', '"links"'),
    *('"events"', '"status"', '"code"', '"kind"', '"name"', '"id"', '"parentId"', '"timestamp"', '"shared"'),
    *('"localEndpoint"', '"remoteEndpoint"', '"annotations"', '"exception.type"', '"error"', '"span.kind"'),
    *('"upstream_cluster"', '"response_flags"', '"node_id"', '"component"', '"proxy"', '"http.status_code"'),
    *("null", "true", "false", "NaN", "1e308", "-1", "9223372036854775807", "18446744073709551616", "0.5", '"0"'),
    *('"10000000000000000"', '"100000000000000000000000000000000"'),  # ids of 65 and 129 bits
    *("[]", "{}", '""', "[[", "{{", "}},{", "]}", '\\"', "\\\\", "\\ud800", "\\udc00", "\\u0000", "AAAAAAAAAAU="),
    *("\n", "\r", ",", ":", '"', "\xff", "\x00", "\x1f\x8b\x08"),
)


def documents() -> Iterator[bytes]:
    """Small documents of every format that there is a recording of."""
    for path in sorted(path for pattern in _RECORDINGS for path in _DATA.glob(pattern)):
        found = [record for record in split([gzip.decompress(path.read_bytes())]) if record.what in _ENVELOPES]
        for what, envelope in _ENVELOPES.items():
            records = [json.loads(record.data) for record in found if record.what == what]
            data = json.dumps(envelope(records), separators=(",", ":")).encode()
            if records and len(data) <= _MOST_BYTES:
                yield data


def oddities() -> Iterator[bytes]:
    """What stands around traces in a stream: the first line of a dump, refusals, no JSON at all, all forms."""
    some = list(documents())
    small = min(some, key=len)
    header = Header(Asked(("a.json",), 1_795_394_828_000_000_000, service="a", limit=5, tags=("error=true",)))
    header.notes.add(UNREADABLE_RECORD, 2, ["a.json: $.data[0]: null"])
    yield header.to_json() + b"\n" + small
    yield b'{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}\n' + small
    yield b"[info] forwarding\n" + small + b"\n[done]"
    yield b"\n".join(min((one for one in some if one.startswith(start)), key=len) for start in _STARTS)


def broken(record: bytes) -> Iterator[bytes]:
    """Records that do not decode, and so are taken apart."""
    yield record[: len(record) * 3 // 4]
    yield record.replace(b'":"', b'":"\\ud800', 3)
    yield re.sub(rb'":[0-9]+', b'":NaN', record, count=2)
    yield re.sub(rb'":[0-9]+', b'":"a"', record, count=3)


_STARTS = (b'{"data":', b'{"resourceSpans":', b"[{")


def _of_jaeger(traces: list[Any]) -> Any:
    trace = traces[0] if traces else {"spans": []}
    return {"data": [{**trace, "spans": [_few_tags(span) for span in trace["spans"][:MOST_SPANS]]}]}


def _of_otlp(resources: list[Any]) -> Any:
    return {"resourceSpans": [_few_spans(resource) for resource in resources[:2]]}


def _of_zipkin(spans: list[Any]) -> Any:
    return spans[:MOST_SPANS]


_ENVELOPES: dict[str, Callable[[list[Any]], Any]] = {"jaeger": _of_jaeger, "otlp": _of_otlp, "zipkin": _of_zipkin}


def _few_tags(span: dict[str, Any]) -> dict[str, Any]:
    return {**span, "tags": (span.get("tags") or [])[:6], "logs": (span.get("logs") or [])[:1]}


def _few_spans(resource: dict[str, Any]) -> dict[str, Any]:
    lists = ("scopeSpans", "instrumentationLibrarySpans")
    return {
        key: [{**scope, "spans": (scope.get("spans") or [])[:2]} for scope in value[:2]] if key in lists else value
        for key, value in resource.items()
    }
