"""Every JSON document is as the schemas in the package say, and the schemas are as narrow as CONTRACT."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest
from jsonschema import Draft202012Validator

import traceviz
from tests.commands import called
from tests.conftest import CASES, FORMATS, ROOT, SHARED, recorded
from tests.documents_made import article, errors, graph, hostile, kinds, two_faults
from tests.schemas import faults, published
from tests.test_goldens import REPORTS
from traceviz.analyze.narrow import narrow
from traceviz.analyze.report import Report
from traceviz.demo import serve_recording
from traceviz.documents import (
    BaselineDocument,
    Cause,
    Changes,
    Context,
    Counts,
    DiffDocument,
    DiffEdge,
    DiffNode,
    DiffSide,
    Distribution,
    DoctorDocument,
    Edge,
    ErrorsDocument,
    FailingHop,
    Finding,
    GraphDocument,
    ListingCounts,
    Node,
    Operation,
    OperationsDocument,
    PathShare,
    Service,
    ServicesDocument,
    SlowDocument,
    SlowHop,
    TreeCall,
    TreeDocument,
    TreeSpan,
    WhyDocument,
)
from traceviz.notes import NoteDocument
from traceviz.render import render

DATA = SHARED / "data"
OTHERS = sorted(
    path
    for pattern in ("otel/*/traces*.json.gz", "otel/*/*/traces*.json.gz", "public/**/*.json.gz")
    for path in DATA.glob(pattern)
)
Json = dict[str, Any]
Place = tuple[str | int, ...]


def written(document: Any) -> Any:
    """The document as a reader of its JSON has it."""
    return json.loads(str(render(document, "json")))


def compared(path: str, before: str | None = None) -> list[Any]:
    """What `slow`, `why` and `errors` say of the traces of a file, against those of another one."""
    from_file = ["--baseline", before] if before else []
    return [called(command, path, *from_file, "-o", "json").json() for command in ("slow", "why", "errors")]


def check(report: Report) -> None:
    assert faults(written(report.graph())) == []
    assert faults(written(report.errors())) == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_documents_of_recorded_meshes_are_as_the_schemas_say(case: str, form: str) -> None:
    check(recorded(case, form))


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(DATA)))
def test_documents_of_other_data_are_as_the_schemas_say(path: Path) -> None:
    check(traceviz.load(str(path), ui_url="http://localhost:16686").report())


@pytest.mark.parametrize("case", REPORTS)
def test_documents_of_odd_traces_are_as_the_schemas_say(case: str) -> None:
    check(REPORTS[case]())


@pytest.mark.parametrize("case", ["delay", "timeout", "none", "retries_spawned", "lost_headers"])
def test_what_takes_a_baseline_is_as_the_schemas_say(case: str) -> None:
    path, healthy = (str(DATA / "mesh" / name / "v3/traces.json.gz") for name in (case, "none"))
    for document in (*compared(path), *compared(path, healthy), *compared(path, path)):
        assert faults(document) == []


def test_who_stopped_calling_is_as_the_schemas_say() -> None:
    case = DATA / "nezha/OB-2022-08-23T121021-frontend-return"
    *_, errors_found = compared(str(case / "faulty.json.gz"), str(case / "normal.json.gz"))
    assert [row["reason"] for row in errors_found["failing_hops"]] == ["stopped-calling"]
    assert faults(errors_found) == []


def test_the_other_data_is_there() -> None:
    assert {path.relative_to(DATA).parts[0] for path in OTHERS} == {"otel", "public"}
    assert len(OTHERS) > 30


def test_narrowed_documents_are_as_the_schemas_say() -> None:
    document = recorded("seed_504", "v1").graph()
    for options in ({"hide": ["service-go"]}, {"focus": "service-js"}, {"min_calls": 60}, {"min_calls": 10**6}):
        assert faults(written(narrow(document, **options))) == []  # type: ignore[arg-type]


def test_documents_of_a_jaeger_are_as_the_schemas_say() -> None:
    with serve_recording(base_path="/jaeger") as jaeger:
        for command in COMMANDS:
            for service in ([], ["--service", "istio-ingress"]):
                called(command, "--url", jaeger.url, *service, "--limit", "40", "-o", "json").json()


def test_documents_made_by_hand_for_other_tests_are_as_the_schemas_say() -> None:
    for made, ranking in (article(), two_faults(), kinds(), hostile()):
        for document in (made, ranking):
            found = [
                fault for fault in faults(written(document)) if "reason" not in fault
            ]  # hostile() has one of its own
            assert found == []


# The schemas themselves

COMMANDS = ("graph", "errors", "services", "operations")
#: `tree` needs to be told which trace.
SCHEMAS = (*COMMANDS, "tree", "doctor", "slow", "why", "diff")
#: What may be null, by CONTRACT.
NULLABLE = {
    *("asked.from", "asked.to", "asked.service", "asked.limit", "window.from", "window.to", "seen"),
    *("asked.operation", "asked.min_duration_ms", "asked.max_duration_ms"),
    *("nodes.error_rate", "nodes.self_ms"),
    *("edges.calls_per_s", "edges.client_ms", "edges.server_ms", "edges.gap_ms", "edges.protocol"),
    *("failing_hops.caller", "failing_hops.blame", "failing_hops.explains", "failing_hops.score"),
    *("findings.service", "findings.share"),
    *("baseline", "requests_ms", "slow_hops.caller", "slow_hops.explains", "slow_hops.slower_share"),
    *("slow_hops.self_ms", "slow_hops.baseline_ms", "causes.caller"),
    *("slow_hops.calls_per_request", "slow_hops.baseline_calls_per_request"),
    *("baseline.window.from", "baseline.window.to", "baseline.version"),
}
#: Where a list may be made without any trace, also what was read.
NULLABLE_IN_LISTS = {
    *("counts.traces", "counts.spans", "counts.failed_traces", "counts.fragments"),
    *("services.node", "operations.kind"),
}
NULLABLE_IN_TREES = {
    *("spans.parent", "spans.kind", "spans.status", "spans.call", "calls.parent", "calls.caller", "calls.server_ms"),
    *("calls.gap_ms", "calls.self_ms", "calls.status", "calls.protocol", "calls.reason", "calls.where", "calls.blame"),
    *("text", "link"),
}
#: Of a comparison everything that is null in a head or a row, on either side, and what is on one side only.
NULLABLE_IN_DIFFS = {
    *("edges.before", "edges.after", "edges.error_rate_delta", "edges.p50_ratio", "edges.p95_ratio", "edges.p_value"),
    *("edges.times_from", "nodes.before", "nodes.after"),
    *(
        f"{whose}{side}.{field}"
        for side in ("before", "after")
        for whose, several in (("", NULLABLE | NULLABLE_IN_LISTS), ("edges.", NULLABLE), ("nodes.", NULLABLE))
        for field in (name.removeprefix(whose) for name in several if name.startswith(whose))
    ),
}
#: Objects whose keys are names out of the spans.
COUNTED = ("statuses", "flags", "callers", "absorbed_by", "concentrated_in")


def small(document: Any) -> Json:
    """The document with one row of each list, everything in it known."""
    kept: Json = written(document)
    for rows in ("nodes", "edges", "failing_hops", "services", "operations", "notes"):
        if rows in kept:
            kept[rows] = [row for row in kept[rows] if None not in row.values()][:1]
            assert len(kept[rows]) == 1, rows
    kept["asked"] |= {"limit": 1000, "operation": "GET", "tags": ["a=b"]}
    kept["asked"] |= {"min_duration_ms": 1.5, "max_duration_ms": 2.5}
    of_service = {"service": "a", **kept["seen"]["windows"][0]}
    kept["seen"] |= {"full": [of_service], "failed": [of_service]}
    return kept


def whole() -> tuple[Json, ...]:
    """A document of each command, in the order of SCHEMAS."""
    made, ranking = two_faults()
    note: NoteDocument = {"code": "clock-skew", "count": 1, "text": "one", "examples": ["0" * 32]}
    pictured = graph(made["edges"], nodes=made["nodes"], notes=[note], cycles=[["a", "b"]])
    ranked = small(errors(ranking["failing_hops"], notes=[note]))
    head = {key: value for key, value in ranked.items() if key != "failing_hops"}
    known = head | {"schema": "traceviz/services/1", "services": [{"name": "a.default", "node": "a"}]}
    done = head | {
        "schema": "traceviz/operations/1",
        "operations": [{"service": "a.default", "name": "GET /", "kind": "server"}],
    }
    examined = head | {"schema": "traceviz/doctor/1", "findings": [one_finding()]}
    compared = head | {"baseline": one_baseline()}
    slowed = compared | {"schema": "traceviz/slow/1", "requests_ms": TIMES, **one_slow_hop()}
    blamed = compared | {"schema": "traceviz/why/1", "causes": [one_cause()]}
    diff = head | one_comparison(small(pictured))
    return small(pictured), ranked, known, done, head | one_trace(), examined, slowed, blamed, diff


TIMES = {"count": 2, "mean": 1.5, "p50": 1.0, "p90": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}


def one_baseline() -> Json:
    instants = {"from": "2026-11-23T00:00:00.000000Z", "to": "2026-11-23T00:10:00.000000Z"}
    note = {"code": "limit-hit", "count": 1, "text": "one", "examples": ["0" * 32]}
    known = {"source": ["healthy.json"], "window": instants, "traces": 100, "own": False}
    return known | {"version": "v1", "notes": [note]}


def one_slow_hop() -> Json:
    """What a list of slow hops has beside its head, everything in it known."""
    hop = {"rank": 1, "caller": "front", "callee": "cart", "callers": {"front": 3}, "where": "callee", "reason": "slow"}
    hop |= {"blame": "cart", "share": 0.5, "explains": 0.9, "slower_share": 0.8, "self_ms": TIMES, "baseline_ms": TIMES}
    hop |= {"calls_per_request": 1.5, "baseline_calls_per_request": 1.0, "traces": 3}
    hop |= {
        "concentrated_in": {"version": {"value": "v2", "share": 0.9}},
        "text": "cart itself.",
        "examples": ["0" * 32],
    }
    hop |= {"links": ["http://localhost:16686/trace/1"]}
    path = {"service": "cart", "operation": "GET /", "share": 1.0, "mean_ms": 2.5, "traces": 3}
    return {"slow_hops": [hop], "critical_path": [path]}


def one_cause() -> Json:
    cause = {"rank": 1, "service": "cart", "caller": "front", "kind": "latency", "reason": "slow", "score": 0.9}
    cause |= {"text": "cart is slow.", "evidence": ["cart is slow."], "examples": ["0" * 32]}
    return cause | {"links": ["http://localhost:16686/trace/1"]}


def one_comparison(pictured: Json) -> Json:
    """What a comparison has beside its head, everything in it known."""
    side = {field: pictured[field] for field in ("source", "asked", "seen", "window", "counts")}
    row = {"caller": "a", "callee": "b", "kind": "sync", "change": "worse", "significant": True, "p_value": 0.001}
    row |= {"error_rate_delta": 0.5, "p50_ratio": 2.0, "p95_ratio": 2.0, "changed": ["p50_ratio"]}
    both = {which: pictured["edges"][0] for which in ("before", "after")}
    node = {"name": "a", "kind": "service"} | {which: pictured["nodes"][0] for which in ("before", "after")}
    changes = {"added": 0, "removed": 0, "worse": 1, "better": 0, "same": 0, "significant": 1}
    rows = {"edges": [row | both | {"times_from": "caller"}], "nodes": [node]}
    whole = {"schema": "traceviz/diff/1", "seen": None, "before": side, "after": side, "changes": changes}
    return copy.deepcopy(whole | rows)


def one_finding() -> Json:
    return {
        "code": "headers-not-forwarded",
        "level": "problem",
        "service": "reviews",
        "towards": ["ratings"],
        "count": 120,
        "share": 0.8,
        "proof": "certain",
        "text": "reviews does not pass the tracing headers on.",
        "remedy": "Copy them.",
        "examples": ["0" * 32],
    }


def one_trace() -> Json:
    """What a tree has beside its head, everything in it known."""
    both = {"depth": 1, "start_ms": 1.5, "duration_ms": 2.5, "self_ms": 0.5, "error": True, "status": "504"}
    both |= {"flags": ["FI"], "on_critical_path": True, "failing": True, "parent": 0}
    one = {"span_id": "0" * 16, "service": "a", "operation": "GET /", "kind": "client", "role": "caller", "call": 0}
    call = {"caller": "a", "callee": "b", "kind": "sync", "seen_from": "both", "operation": "GET /", "server_ms": 2.0}
    call |= {
        "gap_ms": 0.5,
        "attempts": 1,
        "failed_attempts": 0,
        "protocol": "http",
        "reason": "fault-injected",
        "where": "caller-proxy",
    }
    call |= {"blame": "b", "spans": [0]}
    said = {"text": "It failed.", "link": "http://localhost:16686/trace/1", "duration_ms": 2.5, "trace_id": "0" * 32}
    return {"schema": "traceviz/tree/1", "spans": [both | one], "calls": [both | call], **said}


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every path inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from places(part, (*path, key))


def changed(document: Json, path: Place, change: Any) -> Json:
    """A copy in which `change(container, key)` was done at the path."""
    mutant = copy.deepcopy(document)
    container: Any = mutant
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return mutant


def dotted(path: Place) -> str:
    return ".".join(str(key) for key in path if isinstance(key, str))


@pytest.mark.parametrize("document", whole(), ids=SCHEMAS)
def test_a_field_that_is_missing_is_a_fault(document: Json) -> None:
    assert faults(document) == []
    fields = [path for path in places(document) if isinstance(path[-1], str) and not set(path[:-1]) & set(COUNTED)]
    assert len(fields) > 35
    for path in fields:
        if path != ("schema",):
            assert faults(changed(document, path, lambda container, key: container.pop(key))), path


@pytest.mark.parametrize("document", whole(), ids=SCHEMAS)
def test_a_value_of_another_type_is_a_fault(document: Json) -> None:
    def other(container: Any, key: Any) -> None:
        container[key] = ["wrong"] if isinstance(container[key], str | bool) else "wrong"

    for path in places(document):
        if path != ("schema",):
            assert faults(changed(document, path, other)), path


@pytest.mark.parametrize("document", whole(), ids=SCHEMAS)
def test_null_is_a_fault_where_the_contract_does_not_have_it(document: Json) -> None:
    def null(container: Any, key: Any) -> None:
        container[key] = None

    nullable = NULLABLE | (NULLABLE_IN_LISTS if {"services", "operations"} & document.keys() else set())
    nullable |= NULLABLE_IN_TREES if "calls" in document else set()
    nullable |= NULLABLE_IN_DIFFS if "changes" in document else set()
    for path in places(document):
        if path != ("schema",):
            assert bool(faults(changed(document, path, null))) != (dotted(path) in nullable), path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("counts", "traces"), -1),
        (("counts", "traces"), 1.5),
        (("counts", "traces"), True),
        (("window", "from"), "2026-11-23 05:29:01"),
        (("window", "from"), "2026-11-23T05:29:01Z"),
        (("edges", 0, "error_rate"), 1.01),
        (("edges", 0, "kind"), "both"),
        (("edges", 0, "seen_from"), "nobody"),
        (("edges", 0, "protocol"), "smtp"),
        (("edges", 0, "examples", "slowest"), ["7"]),
        (("edges", 0, "examples", "slowest"), ["0" * 32] * 6),
        (("edges", 0, "statuses"), {"200": 0}),
        (("edges", 0, "gap_ms"), {}),
        (("nodes", 0, "kind"), "lambda"),
        (("cycles",), [[]]),
        (("notes", 0, "count"), 0),
    ],
    ids=str,
)
def test_values_that_the_contract_does_not_have_are_faults(path: Place, value: Any) -> None:
    def put(container: Any, key: Any) -> None:
        container[key] = value

    assert faults(changed(whole()[0], path, put))


def test_a_field_that_is_added_later_is_no_fault_for_readers_but_one_for_these_tests() -> None:
    for command, document in zip(SCHEMAS, whole(), strict=True):
        more = document | {"added": 1}
        assert Draft202012Validator(published(command)).is_valid(more)
        assert faults(more)


def test_schemas_and_types_name_the_same_fields() -> None:
    schemas = {command: published(command) for command in SCHEMAS}
    types: Mapping[str, tuple[type, Json]] = {
        "graph": (GraphDocument, schemas["graph"]),
        "errors": (ErrorsDocument, schemas["errors"]),
        "counts": (Counts, schemas["graph"]["properties"]["counts"]),
        "node": (Node, schemas["graph"]["$defs"]["node"]),
        "edge": (Edge, schemas["graph"]["$defs"]["edge"]),
        "context": (Context, schemas["graph"]["$defs"]["context"]),
        "distribution": (Distribution, schemas["graph"]["$defs"]["distribution"]),
        "note": (NoteDocument, schemas["errors"]["$defs"]["note"]),
        "failing hop": (FailingHop, schemas["errors"]["$defs"]["failing_hop"]),
        "doctor": (DoctorDocument, schemas["doctor"]),
        "finding": (Finding, schemas["doctor"]["$defs"]["finding"]),
        "slow": (SlowDocument, schemas["slow"]),
        "slow hop": (SlowHop, schemas["slow"]["$defs"]["slow_hop"]),
        "path share": (PathShare, schemas["slow"]["$defs"]["path_share"]),
        "baseline": (BaselineDocument, schemas["slow"]["$defs"]["baseline"]),
        "why": (WhyDocument, schemas["why"]),
        "cause": (Cause, schemas["why"]["$defs"]["cause"]),
        "diff": (DiffDocument, schemas["diff"]),
        "side": (DiffSide, schemas["diff"]["$defs"]["side"]),
        "changes": (Changes, schemas["diff"]["properties"]["changes"]),
        "edge of a diff": (DiffEdge, schemas["diff"]["$defs"]["diff_edge"]),
        "node of a diff": (DiffNode, schemas["diff"]["$defs"]["diff_node"]),
        "services": (ServicesDocument, schemas["services"]),
        "operations": (OperationsDocument, schemas["operations"]),
        "counts of a list": (ListingCounts, schemas["operations"]["properties"]["counts"]),
        "service": (Service, schemas["services"]["$defs"]["service"]),
        "operation": (Operation, schemas["operations"]["$defs"]["operation"]),
        "tree": (TreeDocument, schemas["tree"]),
        "span of a tree": (TreeSpan, schemas["tree"]["$defs"]["span"]),
        "call of a tree": (TreeCall, schemas["tree"]["$defs"]["call"]),
    }
    for name, (kind, schema) in types.items():
        hints = get_type_hints(kind, include_extras=True)
        required = [field for field, hint in hints.items() if get_origin(hint) is not NotRequired]
        assert (list(hints), required) == (list(schema["properties"]), schema["required"]), name


def test_the_schemas_are_in_the_package() -> None:
    there = sorted(path.name for path in (ROOT / "traceviz" / "schemas").iterdir())
    assert there == sorted(f"{command}.json" for command in SCHEMAS)
