"""Hand-made graph and errors documents: small systems as a list of calls, for the tests of drawings and tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from traceviz.documents import (
    Asked,
    Counts,
    Distribution,
    Document,
    Edge,
    ErrorsDocument,
    FailingHop,
    GraphDocument,
    Node,
    NodeKind,
    Window,
)
from traceviz.notes import NoteDocument

BEGIN = "2026-11-23T05:29:01.000000Z"
END = "2026-11-23T05:34:12.500000Z"
TRACES = [f"{number:032x}" for number in range(1, 6)]

HOSTILE = [
    "</script><script>alert(1)</script>",
    'quote " and \\ and \\N and \\"',
    "line\nbreak\r\ttab",
    "<b>&amp;&lt;|{}",
    "\u202egnp.exe",
    "\x1b[31mred\x1b[0m",
    "x" * 10_000,
    "lone \ud800 surrogate",
    "=HYPERLINK(1)",
    "日本語のサービス",
    "N1",
    "",
]


def times(p50: float, count: int = 100) -> Distribution:
    """A distribution with a tail, times in ms."""
    return {
        "count": count,
        "mean": p50 * 1.2,
        "p50": p50,
        "p90": p50 * 1.9,
        "p95": p50 * 2.4,
        "p99": p50 * 4,
        "max": p50 * 9,
    }


def edge(caller: str, callee: str, calls: int = 100, errors: int = 0, p50: float = 3.0, **more: Any) -> Edge:
    """An edge; `more` are further fields by their names."""
    made: Edge = {
        "caller": caller,
        "callee": callee,
        "kind": "sync",
        "seen_from": "both",
        "calls": calls,
        "errors": errors,
        "error_rate": errors / calls if calls else 0.0,
        "calls_per_s": round(calls / 311.5, 3),
        "attempts": calls,
        "failed_attempts": errors,
        "unanswered": 0,
        "client_ms": times(p50, calls),
        "server_ms": times(p50 * 0.8, calls),
        "gap_ms": times(p50 * 0.2, calls),
        "statuses": {"200": calls - errors, "503": errors} if errors else {"200": calls},
        "flags": {},
        "protocol": "http",
        "failing_hop": False,
        "examples": {"error": TRACES[:2] if errors else [], "slowest": TRACES[2:]},
    }
    return made | more  # type: ignore[return-value]


def node(name: str, kind: NodeKind = "service", calls: int = 0, errors: int = 0, **more: Any) -> Node:
    """A node; `more` are further fields by their names."""
    made: Node = {
        "name": name,
        "kind": kind,
        "aliases": [f"{name}.default"],
        "versions": ["v1"],
        "calls": calls,
        "errors": errors,
        "error_rate": errors / calls if calls else None,
        "entry_calls": 0,
        "entered_by": {},
        "self_ms": times(1.5, calls) if calls else None,
    }
    return made | more  # type: ignore[return-value]


def note(code: str, count: int, text: str) -> NoteDocument:
    """A note without examples."""
    return {"code": code, "count": count, "text": text, "examples": []}


def graph(
    edges: Sequence[Edge],
    kinds: Mapping[str, NodeKind] | None = None,
    nodes: Iterable[Node] = (),
    entries: Mapping[str, int] | None = None,
    notes: Sequence[NoteDocument] = (),
    service: str | None = "istio-ingress",
    traces: int = 200,
    failed: int = 0,
    cycles: Sequence[list[str]] = (),
) -> GraphDocument:
    """A graph document of these edges; nodes that are not given are made from them, `kinds` by name.

    Nodes of kind service and gateway have spans of their own, the others have none.
    """
    kinds, entries = kinds or {}, entries or {}
    made = {one["name"]: one for one in nodes}
    for name in sorted({end for one in edges for end in (one["caller"], one["callee"])} | set(entries)):
        kind = kinds.get(name, "service")
        received = sum(one["calls"] - one["unanswered"] for one in edges if one["callee"] == name)
        failures = sum(max(0, one["errors"] - one["unanswered"]) for one in edges if one["callee"] == name)
        reports = kind in ("service", "gateway")
        came = received + entries.get(name, 0) if reports else 0
        default = node(name, kind, came, failures if reports else 0, entry_calls=entries.get(name, 0))
        made.setdefault(name, default)
    document: GraphDocument = {
        **_head("graph", service, notes, len(made), traces, failed),
        "nodes": [made[name] for name in sorted(made)],
        "edges": sorted(edges, key=lambda one: (one["caller"], one["callee"])),
        "cycles": list(cycles),
    }
    return document


def hop(rank: int, caller: str | None, callee: str, **more: Any) -> FailingHop:
    """A row of failing hops: an injected 504 where nothing else is said."""
    made: FailingHop = {
        "rank": rank,
        "caller": caller,
        "callee": callee,
        "callers": {caller: 35} if caller is not None else {},
        "where": "caller-proxy",
        "reason": "fault-injected",
        "blame": callee,
        "traces": 35,
        "calls": 35,
        "failed_traces": 35,
        "absorbed_traces": 0,
        "absorbed_by": {},
        "explains": 1.0,
        "score": 1.0 / rank,
        "statuses": {"504": 35},
        "flags": {"FI": 35},
        "concentrated_in": {},
        "first": BEGIN,
        "last": END,
        "chain": [name for name in (caller, callee) if name is not None],
        "text": f"{caller} → {callee}: 53 % of 66 calls answered 504 by an injected fault in the proxy of {caller}; "
        f"look at the mesh rules for {callee}.",
        "examples": TRACES[:2],
        "request_ids": ["1f0c6a52-1c5e-9a3e-8a53-0f4a1bb0c0de"],
        "links": [f"http://localhost:16686/trace/{trace}" for trace in TRACES[:2]],
    }
    return made | more  # type: ignore[return-value]


def errors(rows: Sequence[FailingHop], notes: Sequence[NoteDocument] = (), **more: Any) -> ErrorsDocument:
    """An errors document of these rows; `more` goes to the head: service, traces, failed."""
    asked: dict[str, Any] = {"service": "istio-ingress", "nodes": 7, "traces": 200, "failed": 35} | more
    document: ErrorsDocument = {
        **_head("errors", asked["service"], notes, asked["nodes"], asked["traces"], asked["failed"]),
        "failing_hops": list(rows),
    }
    return document


def _head(
    command: str, service: str | None, notes: Sequence[NoteDocument], services: int, traces: int, failed: int
) -> Document:
    asked: Asked = {
        "from": BEGIN,
        "to": END,
        "service": service,
        "limit": 1000,
        "operation": None,
        "tags": [],
        "min_duration_ms": None,
        "max_duration_ms": None,
    }
    window: Window = {"from": BEGIN, "to": END}
    counts: Counts = {
        "traces": traces,
        "spans": traces * 5,
        "failed_traces": failed,
        "fragments": 0,
        "services": services,
    }
    return {
        "schema": f"traceviz/{command}/1",
        "source": ["http://localhost:16686"],
        "asked": asked,
        "seen": {"share": 1.0, "windows": [{"from": BEGIN, "to": END}], "full": [], "failed": []},
        "window": window,
        "counts": counts,
        "notes": list(notes),
    }


def article() -> tuple[GraphDocument, ErrorsDocument]:
    """The mesh with half the calls to service-python aborted, and its ranking."""
    made = graph(
        [
            edge(
                "istio-ingress",
                "service-python",
                66,
                35,
                2.1,
                unanswered=35,
                statuses={"200": 31, "504": 35},
                flags={"FI": 35},
                failing_hop=True,
            ),
            edge("istio-ingress", "service-js", 68, 0, 210),
            edge("istio-ingress", "service-go", 66, 0, 4.2),
            edge(
                "service-js",
                "service-python",
                61,
                34,
                1.9,
                unanswered=34,
                statuses={"200": 27, "504": 34},
                flags={"FI": 34},
                failing_hop=True,
            ),
            edge("service-js", "service-go", 68, 0, 204, flags={"DI": 35}),
            edge("service-python", "service-lua", 58, 0, 1.1),
            edge("service-python", "service-node", 58, 0, 0.9),
            edge("service-go", "service-redis", 134, 0, 0.4),
        ],
        kinds={"istio-ingress": "gateway"},
        entries={"istio-ingress": 200},
        failed=35,
        notes=[
            note("clock-skew", 41, "41 spans start before their parents; corrected in drawings, never in a latency."),
            note("limit-hit", 1, "The server's limit of 200 traces was reached: older traces were not read."),
        ],
    )
    rows = [
        hop(1, "istio-ingress", "service-python"),
        hop(2, "service-js", "service-python", failed_traces=0, absorbed_traces=34, absorbed_by={"service-js": 34}),
    ]
    return made, errors(rows)


def chain(length: int) -> GraphDocument:
    """a → b → c …, as long as asked."""
    names = [f"service-{index:02d}" for index in range(length)]
    calls = [edge(a, b, 150, 0, 40.0 / (i + 1)) for i, (a, b) in enumerate(itertools.pairwise(names))]
    return graph(calls, entries={names[0]: 150}, service=None)


def fan(width: int) -> GraphDocument:
    """One service that calls many."""
    calls = [edge("frontend", f"backend-{index:02d}", 10 * (index + 1), index % 4 == 3) for index in range(width)]
    return graph(calls, entries={"frontend": 500}, service="frontend")


def cycle() -> GraphDocument:
    """a → b → c → a, and b calls itself."""
    calls = [edge("alpha", "beta"), edge("beta", "gamma"), edge("gamma", "alpha", 20), edge("beta", "beta", 7)]
    return graph(calls, entries={"alpha": 80}, cycles=[["alpha", "beta", "gamma"], ["beta"]])


def two_faults() -> tuple[GraphDocument, ErrorsDocument]:
    """An application that fails for all its callers, and a timeout that was absorbed."""
    made = graph(
        [
            edge("istio-ingress", "storefront", 150, 45, 30),
            edge("storefront", "basket", 150, 45, 12),
            edge("storefront", "stock", 150, 3, 4),
            edge("basket", "stock", 150, 2, 4),
            edge("basket", "pricing", 150, 45, 6, attempts=210, failed_attempts=105, failing_hop=True),
            edge("storefront", "reviews", 150, 60, 200, failing_hop=True, flags={"UT": 60}, statuses={"504": 60}),
        ],
        kinds={"istio-ingress": "gateway"},
        entries={"istio-ingress": 150},
        failed=45,
    )
    made["nodes"][3]["versions"] = ["v1", "v2", "v3"]
    rows = [
        hop(
            1,
            "basket",
            "pricing",
            where="callee",
            reason="application-error",
            statuses={"503": 45},
            flags={},
            concentrated_in={"version": {"value": "v3", "share": 0.97}},
            chain=["istio-ingress", "storefront", "basket", "pricing"],
            text="pricing itself answered 503 to 30 % of 150 calls of basket, 97 % of them from version v3.",
        ),
        hop(
            2,
            "storefront",
            "reviews",
            where="callee",
            reason="timeout",
            statuses={"504": 60},
            flags={"UT": 60},
            failed_traces=0,
            absorbed_traces=60,
            absorbed_by={"storefront": 60},
            explains=0.0,
            score=0.0,
            text="reviews did not answer storefront in time in 40 % of 150 calls; storefront absorbed all of it.",
        ),
    ]
    return made, errors(rows, failed=45, traces=150)


def kinds() -> tuple[GraphDocument, ErrorsDocument]:
    """Database, queue, outside API, a callee that was never seen, and one that nothing reaches any more."""
    made = graph(
        [
            edge("web", "orders", 120, 4, 22),
            edge("orders", "postgres", 240, 0, 1.2, seen_from="caller", server_ms=None, gap_ms=None, protocol="db"),
            edge("orders", "kafka: order-events", 90, 0, 0.6, kind="async", protocol="messaging", seen_from="caller"),
            edge("kafka: order-events", "mailer", 88, 0, 5, kind="async", protocol="messaging", seen_from="callee"),
            edge("orders", "api.payments.example", 60, 2, 180, seen_from="caller", server_ms=None, gap_ms=None),
            edge("orders", "legacy-tax", 12, 0, 9, seen_from="caller", server_ms=None, gap_ms=None),
            edge(
                "orders",
                "inventory",
                30,
                30,
                0.3,
                seen_from="caller",
                unanswered=30,
                server_ms=None,
                gap_ms=None,
                statuses={"503": 30},
                flags={"UH": 30},
                failing_hop=True,
            ),
        ],
        kinds={
            "web": "gateway",
            "postgres": "database",
            "kafka: order-events": "queue",
            "api.payments.example": "external",
            "legacy-tax": "unknown",
        },
        entries={"web": 120, "mailer": 3},
        failed=4,
        service="orders",
    )
    row = hop(
        1,
        "orders",
        "inventory",
        reason="no-healthy-upstream",
        statuses={"503": 30},
        flags={"UH": 30},
        text="No healthy endpoint of inventory was left for any of 30 calls of orders.",
    )
    return made, errors([row], failed=4)


def hostile() -> tuple[GraphDocument, ErrorsDocument]:
    """Names that try to break every dialect, also in the ranking and in the notes."""
    calls = [edge("front", name, 10, index % 2) for index, name in enumerate(HOSTILE)]
    made = graph(calls, entries={"front": 100}, service=HOSTILE[0], notes=[note("a" * 300, 1, "\x1b[2J<b>&" * 90)])
    rows = [hop(1, "front", HOSTILE[0], text=HOSTILE[1], reason=HOSTILE[3], chain=["front", HOSTILE[6]])]
    return made, errors(rows)


def empty(traces: int = 0) -> GraphDocument:
    """A graph of nothing: no trace found, or traces without a call."""
    return graph([], traces=traces)


def one_node() -> GraphDocument:
    """A single service with an entry and no calls."""
    return graph([], nodes=[node("lonely", calls=12, entry_calls=12)], service="lonely", traces=12)


def of_calls(
    calls: Mapping[str, Sequence[str]], broken: tuple[str, str] | None
) -> tuple[GraphDocument, ErrorsDocument]:
    """A system given as caller ▸ callees, entered at istio-ingress, with one failing hop in it."""
    made = [
        edge(caller, callee, 150, 75 if (caller, callee) == broken else 0, 12.5, failing_hop=(caller, callee) == broken)
        for caller, callees in calls.items()
        for callee in callees
    ]
    document = graph(made, kinds={"istio-ingress": "gateway"}, entries={"istio-ingress": 150}, failed=75)
    return document, errors([hop(1, *broken)] if broken else [])


def large(services: int, calls_each: int = 3) -> GraphDocument:
    """A layered system of many services, the same one every time."""
    calls: dict[tuple[str, str], Edge] = {}
    for index in range(1, services):
        for step in range(calls_each):
            caller = (index * (7 + step * 5) // (11 + step)) % index
            pair = (f"service-{caller:03d}", f"service-{index:03d}")
            calls.setdefault(pair, edge(*pair, calls=10 + index, errors=int(index % 17 == 0)))
    return graph(list(calls.values()), entries={"service-000": 1000}, service=None, traces=1000)


#: What every dialect of pictures has to draw, under names for tests.
DRAWN: dict[str, tuple[GraphDocument, ErrorsDocument | None]] = {
    "article": article(),
    "chain": (chain(7), None),
    "cycle": (cycle(), None),
    "two faults": two_faults(),
    "kinds": kinds(),
    "empty": (empty(), None),
    "one node": (one_node(), None),
    "hostile": hostile(),
}
