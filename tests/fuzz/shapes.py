"""Spans of any shape ◂ bytes, eight a span: whatever the fuzzer changes in them gives other spans, and never none."""

from __future__ import annotations

import struct

from traceviz.building import SpansBuilder
from traceviz.sources.fields import MAX_NS
from traceviz.spans import Spans

_TAGS = {
    "cluster": ("", "inbound|80||", "outbound|80||a.default.svc.cluster.local", "outbound|80||b.x.svc.cluster.local"),
    "node_id": ("", "sidecar~1.2.3.4~a-v1-5f7c8b7d9-x2x4z.default~d", "router~1.2.3.4~g-v1-5f7c8b7d9-x2x4z.sys~d"),
    "flags": ("", "-", "FI", "UT", "DC", "URX", "UF,URX", "NR", "DI"),
    "status": ("", "0", "200", "404", "503", "what"),
    "grpc": ("", "0", "4", "14"),
    "url": ("", "http://a/", "http://api.example.com/x", "//["),
    "queue": ("", "orders"),
    "db_system": ("", "redis"),
    "peer_service": ("", "a", "</script>"),
    "request_id": ("", "r1", "r2"),
    "version": ("", "v1", "v2"),
}
_SERVICES = ("", "a", "b", "a.default", "b.x", "istio-ingress")
_OPERATIONS = ("", "op", "router outbound|80||a.default.svc.cluster.local egress", "a.default.svc.cluster.local:80/*")
#: Ordinary moments, a few ns apart and hours apart, and the ends of what 64 bits hold.
_STARTS = (0, 1, *(1_700_000_000_000_000_000 + step for step in (0, 1, 1_000_000, 2_000_000, 10**13)), MAX_NS)
_DURATIONS = (0, 1, 1_000_000, 5_000_000, 20_000_000, 10**12, MAX_NS // 2, MAX_NS)
_SPAN = struct.Struct("8B")
_MOST_SPANS = 20

#: Single spans of programs that were called; a call with both of its halves; one that failed; one torn off that has the
#: request id of a sidecar's; and many spans without a plan.
SEEDS = [
    *(bytes((0, 0, 34, 1, kind, 0, 0, 0)) for kind in (2, 5)),
    bytes((0, 0, 34, 1, 3, 0x80, 0, 0)) + bytes((1, 1, 28, 2, 2, 0, 0, 0)),
    bytes((0, 0, 34, 1, 2, 0, 0, 0)) + bytes((1, 1, 28, 1, 67, 0x03, 0x34, 0x21)),
    bytes((0, 0, 34, 1, 2, 0x01, 0x10, 0x91)) + bytes((65, 0, 28, 1, 3, 0x03, 0x10, 0x91)),
    bytes((i * 37) % 256 for i in range(160)),
]

#: A span, a number a byte.
Row = tuple[int, ...]


def rows_of(data: bytes) -> list[Row]:
    """The rows in bytes; what is too much, or less than a row, is left out."""
    return list(_SPAN.iter_unpack(data[: len(data) // _SPAN.size * _SPAN.size][: _MOST_SPANS * _SPAN.size]))


def trace_of(row: Row) -> int:
    """Which of the three traces a row is of."""
    return (row[0] >> 6) % 3


def spans_of(rows: list[Row]) -> Spans:
    """The spans of rows."""
    builder = SpansBuilder()
    names = list(_TAGS)
    for ids, parent, times, service, kind, first, second, more in rows:
        start = _STARTS[times & 7]
        row = builder.add(
            f"{(ids >> 6) % 3 + 1:032x}",
            (ids & 15) + 1,
            parent & 15,
            start,
            min(_DURATIONS[times >> 3 & 7], MAX_NS - start),
            _SERVICES[service % len(_SERVICES)],
            _OPERATIONS[service // len(_SERVICES) % len(_OPERATIONS)],
            kind % 6,
            bool(kind & 64),
            bool(kind & 128),
        )
        for byte in (first, second, more):
            name = names[(byte >> 4) % len(names)]
            if text := _TAGS[name][byte % len(_TAGS[name])]:
                builder.tag(row, name, text)
        if parent & 64:
            builder.link(row, f"{(parent >> 7) + 1:032x}", (more & 15) + 1)
    return builder.build()
