"""Traces as tables: `span("b", parent="a", kind="client", service="app")`, ids and times made of names and ms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from traceviz.building import SpansBuilder
from traceviz.reconstruct import Forest, reconstruct
from traceviz.spans import Kind, Spans

#: A start that no reader would take for seconds or ms.
BEGIN_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Row:
    """One span to be: `id` and `parent` are names, `start` and `ms` count ms from the beginning."""

    id: str
    parent: str = ""
    service: str = "app"
    operation: str = "op"
    kind: str = "unset"
    start: float = 0.0
    ms: float = 10.0
    trace: str = "t"
    error: bool = False
    shared: bool = False
    tags: dict[str, str] = field(default_factory=dict)


def span(id: str, parent: str = "", **columns: object) -> Row:
    """A program's span. Further keywords are columns of `Row`; those of `spans.TAGS` become tags."""
    own = {name: value for name, value in columns.items() if name in Row.__dataclass_fields__}
    tags = {name: str(value) for name, value in columns.items() if name not in own}
    return Row(id, parent, **own, tags=tags)  # type: ignore[arg-type]


def outbound(id: str, parent: str, caller: str, callee: str, **columns: object) -> Row:
    """A proxy's caller half: `caller` calls `callee` in namespace default."""
    host = f"{callee}.default.svc.cluster.local"
    given = {"kind": "client", "operation": f"{host}:80/*", "status": "200", "flags": "-", **columns}
    return _proxy(id, parent, caller, {"cluster": f"outbound|80||{host}", **given})


def inbound(id: str, parent: str, callee: str, **columns: object) -> Row:
    """A proxy's callee half."""
    host = f"{callee}.default.svc.cluster.local"
    given = {"kind": "server", "operation": f"{host}:80/*", "status": "200", "flags": "-", **columns}
    return _proxy(id, parent, callee, {"cluster": "inbound|80||", **given})


def gateway(id: str, callee: str, parent: str = "", **columns: object) -> Row:
    """The caller half of a user's request at the gateway `istio-ingress`."""
    node = "router~10.0.0.1~istio-ingress-5f7c8b7d9-x2x4z.default~default.svc.cluster.local"
    return outbound(id, parent, "istio-ingress", callee, **{"node_id": node, **columns})


def attempt(id: str, parent: str, caller: str, callee: str, **columns: object) -> Row:
    """One attempt of a caller half, as a proxy reports it that spawns upstream spans: without a node_id."""
    cluster = f"outbound|80||{callee}.default.svc.cluster.local"
    return outbound(id, parent, caller, callee, **{"operation": f"router {cluster} egress", "node_id": "", **columns})


def _proxy(id: str, parent: str, workload: str, columns: dict[str, object]) -> Row:
    node = f"sidecar~10.0.0.2~{workload}-v1-5f7c8b7d9-x2x4z.default~default.svc.cluster.local"
    named = {"service": f"{workload}.default", "component": "proxy", "canonical": workload, "namespace": "default"}
    return span(id, parent, **{**named, "node_id": node, **columns})


def number(name: str) -> int:
    """The span id of a name: any text of up to eight bytes."""
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "big") if name else 0


def trace_id(name: str) -> str:
    """The trace id of a name."""
    return name.encode().hex().zfill(32)


def spans(rows: Iterable[Row]) -> Spans:
    """The Spans of these rows, in this order."""
    builder = SpansBuilder()
    for row in rows:
        index = builder.add(
            trace_id(row.trace),
            number(row.id),
            number(row.parent),
            BEGIN_NS + round(row.start * 1e6),
            round(row.ms * 1e6),
            row.service,
            row.operation,
            Kind[row.kind.upper()],
            row.error,
            row.shared,
        )
        for column, text in row.tags.items():
            if text:
                builder.tag(index, column, text)
    result = builder.build()
    result.self_check()
    return result


def forest(*rows: Row) -> Forest:
    """The checked Forest of these rows."""
    result = reconstruct(spans(rows))
    result.self_check()
    return result


def in_trace(trace: str, *rows: Row) -> list[Row]:
    """The rows as spans of another trace."""
    return [replace(row, trace=trace) for row in rows]


def parents(tree: Forest) -> dict[str, str]:
    """Name of every placed span ▸ name of its parent, "" for a root."""
    names = [_name(int(value)) for value in tree.spans.span_id]
    return {
        names[row]: names[tree.parent[row]] if tree.parent[row] >= 0 else ""
        for row in range(len(tree))
        if not tree.duplicate[row]
    }


def _name(value: int) -> str:
    return value.to_bytes(8, "big").rstrip(b"\0").decode()
