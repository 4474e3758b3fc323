"""Small documents of every format that reads, whole and made hostile."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator
from typing import Any

TRACE = "1f" * 16
_US = 1_700_000_000_000_000


def jaeger() -> dict[str, Any]:
    """A trace of v1: three spans of two services."""
    return {
        "traceID": TRACE,
        "spans": [
            {
                "traceID": TRACE,
                "spanID": f"{number:016x}",
                "operationName": f"GET /{number}",
                "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": f"{1:016x}"}] if number > 1 else [],
                "startTime": _US + number,
                "duration": 900 - number,
                "tags": [
                    {"key": "span.kind", "type": "string", "value": "client" if number == 2 else "server"},
                    {"key": "http.status_code", "type": "int64", "value": 500},
                ],
                "logs": [{"timestamp": _US, "fields": [{"key": "exception.type", "value": "Boom"}]}],
                "processID": "p1" if number < 3 else "p2",
            }
            for number in (1, 2, 3)
        ],
        "processes": {
            "p1": {"serviceName": "a", "tags": [{"key": "version", "value": "v1"}]},
            "p2": {"serviceName": "b"},
        },
    }


def otlp() -> dict[str, Any]:
    """A resource of OTLP with three spans."""
    return {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "a"}}]},
        "scopeSpans": [
            {
                "scope": {"name": "x"},
                "spans": [
                    {
                        "traceId": TRACE,
                        "spanId": f"{number:016x}",
                        "parentSpanId": f"{1:016x}" if number > 1 else "",
                        "name": f"GET /{number}",
                        "kind": 2,
                        "startTimeUnixNano": str((_US + number) * 1000),
                        "endTimeUnixNano": str((_US + 900) * 1000),
                        "attributes": [{"key": "http.status_code", "value": {"intValue": "500"}}],
                        "status": {"code": 2},
                        "links": [{"traceId": TRACE, "spanId": f"{1:016x}"}] if number > 1 else [],
                        "events": [
                            {
                                "name": "exception",
                                "attributes": [{"key": "exception.type", "value": {"stringValue": "Boom"}}],
                            }
                        ],
                    }
                    for number in (1, 2, 3)
                ],
            }
        ],
    }


def zipkin() -> list[dict[str, Any]]:
    """Three spans of Zipkin's."""
    return [
        {
            "traceId": TRACE,
            "id": f"{number:016x}",
            **({"parentId": f"{1:016x}"} if number > 1 else {}),
            "name": f"get /{number}",
            "kind": "SERVER",
            "timestamp": _US + number,
            "duration": 900,
            "localEndpoint": {"serviceName": "a"},
            "remoteEndpoint": {"serviceName": "b"},
            "tags": {"http.status_code": "500"},
            "shared": False,
        }
        for number in (1, 2, 3)
    ]


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


_HEADER = {"traceviz": {"asked": {"service": "a", "limit": 5}, "notes": [], "source": ["x"], "complete": True}}

#: What is one document each, by format.
DOCUMENTS: dict[str, Any] = {
    "v1": {"data": [jaeger()], "total": 0, "errors": None},
    "v3": {"result": {"resourceSpans": [otlp()]}},
    "zipkin": zipkin(),
    "header": _HEADER,
}

#: Whole inputs, by form.
INPUTS: dict[str, bytes] = {
    "v1": _json(DOCUMENTS["v1"]),
    "v1 indented": json.dumps(DOCUMENTS["v1"], indent=1).encode(),
    "v3": _json(DOCUMENTS["v3"]),
    "zipkin": _json(DOCUMENTS["zipkin"]),
    "lines": b"\n".join(_json({"resourceSpans": [otlp()]}) for _ in range(2)) + b"\n",
    "dump": _json(_HEADER) + b"\n" + _json({"data": [jaeger()]}) + b"\n",
    "gz": gzip.compress(_json(DOCUMENTS["v1"]), mtime=0),
}

#: Every type of JSON, and the values of each that programs stumble over.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 1e308, -1e308, 10**18, 2**63, 2**64, -(2**63), 10**400),
    *("", "x", "0", "-1", "1e400", "nan", "inf", "1" * 5000, "\ud800", "\udc00x", "\0", "\u202e", "é", "=" * 24),
    *([], [None], [1], [[]], [{}], {}, {"a": 1}, {"key": None}, {"value": {"stringValue": []}}),
)


def paths(document: Any) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a document, but of the document itself."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if path:
            yield path
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*path, key), child) for key, child in children]


def replaced(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the document with another value at a path."""
    result = copy.deepcopy(document)
    at = result
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return result
