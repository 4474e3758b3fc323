"""Laws that hold for any traces: nobody is lost, order does not matter, batches merge to the same bytes."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import builder
from tests.builder import Row, forest, spans
from traceviz import Report
from traceviz.analyze.report import report
from traceviz.hops import hops
from traceviz.reconstruct import reconstruct
from traceviz.spans import Spans, concat

SERVICES = ("web", "cart", "cart.default", "stock.a", "stock.b", "istio-ingress")
CLUSTERS = (
    "",
    "inbound|80||",
    "PassthroughCluster",
    *(f"outbound|80||{name}.default.svc.cluster.local" for name in "abc"),
)
PODS = [("sidecar", "cart", "default"), ("sidecar", "stock", "a"), ("router", "gate", "sys")]
NODES = ("", *(f"{kind}~1.2.3.4~{pod}-v1-5f7c8b7d9-x2x4z.{ns}~{ns}.svc.cluster.local" for kind, pod, ns in PODS))
FLAGS = ("", "-", "FI", "UT", "DC", "URX", "UF,URX", "NR", "DI", "XYZ")

#: Ids repeat, parents are missing, point at themselves or in circles, spans stand twice.
rows = st.builds(
    Row,
    id=st.sampled_from("abcdefgh"),
    parent=st.sampled_from(["", *"abcdefgh", "gone"]),
    service=st.sampled_from(SERVICES),
    operation=st.sampled_from(["op", "GET /", "router outbound|80||a.default.svc.cluster.local egress", "reviews"]),
    kind=st.sampled_from(["unset", "internal", "server", "client", "producer", "consumer"]),
    start=st.integers(-50, 50),
    ms=st.sampled_from([0, 0.001, 1, 5, 20, 100]),
    trace=st.sampled_from("tuvw"),
    error=st.booleans(),
    shared=st.booleans(),
    tags=st.fixed_dictionaries(
        {},
        optional={
            "cluster": st.sampled_from(CLUSTERS),
            "node_id": st.sampled_from(NODES),
            "flags": st.sampled_from(FLAGS),
            "status": st.sampled_from(["0", "200", "404", "500", "503", "what"]),
            "grpc": st.sampled_from(["0", "4", "14", "DEADLINE_EXCEEDED"]),
            "error_type": st.sampled_from(["TimeoutError", "ConnectionRefused", "boom"]),
            "url": st.sampled_from(["http://a/", "http://api.example.com/x"]),
            "version": st.sampled_from(["v1", "v2"]),
            "server_address": st.sampled_from(["db1", "10.0.0.1"]),
            "db_system": st.just("redis"),
            "request_id": st.sampled_from(["r1", "r2"]),
        },
    ),
)
many = st.lists(rows, min_size=1, max_size=24)


@st.composite
def torn_meshes(draw: st.DrawFn) -> list[Row]:
    """Proxies' and programs' halves of four workloads, hung up at random, often under a span that is missing."""
    table = []
    for i in range(draw(st.integers(1, 9))):
        parent = draw(st.sampled_from(["", "gone1", "gone2", *(f"s{k}" for k in range(9))]))
        one, other = draw(st.sampled_from("abcd")), draw(st.sampled_from("abcd"))
        columns = {
            "start": draw(st.sampled_from([0, 1, 2, 3, 5, 8])),
            "ms": draw(st.sampled_from([0, 1, 3, 10, 20, 100])),
        }
        broken = {"status": "503", "flags": draw(st.sampled_from(["-", "UT", "UF", "DC", "URX"]))}
        columns |= draw(st.sampled_from([{}, broken]))
        kind = draw(st.sampled_from(["client", "server", "internal", "producer", "consumer", "unset"]))
        table.append(
            draw(
                st.sampled_from(
                    [
                        builder.outbound(f"s{i}", parent, one, other, **columns),
                        builder.inbound(f"s{i}", parent, one, **columns),
                        builder.attempt(f"s{i}", parent, one, other, **columns),
                        builder.gateway(f"s{i}", one, parent, **columns),
                        builder.span(f"s{i}", parent, service=one, kind=kind, error=draw(st.booleans()), **columns),
                    ]
                )
            )
        )
    return table


def documents(result: Report) -> str:
    """Everything that a report says, as the bytes that users get."""
    return json.dumps([result.graph(), result.errors()], indent=1)


@given(many | torn_meshes(), st.randoms(use_true_random=False))
@settings(max_examples=250, deadline=None)
def test_order_of_spans_does_not_matter(table: list[Row], chance: random.Random) -> None:
    shuffled = table[:]
    chance.shuffle(shuffled)
    assert documents(report(forest(*table))) == documents(report(forest(*shuffled)))


@given(many | torn_meshes())
@settings(max_examples=400, deadline=None)
def test_every_hop_stands_before_the_hops_below_it(table: list[Row]) -> None:
    hops(forest(*table)).self_check()


@given(many)
@settings(max_examples=150, deadline=None)
def test_every_span_is_placed_once_or_is_a_named_duplicate(table: list[Row]) -> None:
    tree = forest(*table)  # self_check: placed exactly once, no cycles
    named = tree.notes.count("duplicate-spans") + tree.notes.count("differing-duplicates")
    assert len(tree) == len(table)
    assert tree.duplicate.sum() == named


@given(many)
@settings(max_examples=150, deadline=None)
def test_a_trace_fed_twice_changes_nothing_but_a_note(table: list[Row]) -> None:
    once, twice = report(forest(*table)), report(forest(*table, *table))
    assert twice.notes.count("duplicate-spans") >= len({(row.trace, row.id) for row in table})
    assert without_notes(once) == without_notes(twice)


@given(many, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_any_split_into_batches_merged_in_any_order_gives_the_same_bytes(
    table: list[Row], chance: random.Random, parts: int
) -> None:
    whole = spans(table)
    part_of = [chance.randrange(parts) for _ in whole.trace_ids]
    batches = [batch for part in range(parts) if len(batch := traces_of(whole, part_of, part))]
    chance.shuffle(batches)
    reports = [report(reconstruct(batch)) for batch in batches]
    while len(reports) > 1:
        reports.append(reports.pop(0).merge(reports.pop(chance.randrange(len(reports)))))
    assert documents(reports[0]) == documents(report(reconstruct(whole)))


@given(many)
@settings(max_examples=50, deadline=None)
def test_the_empty_report_is_the_identity_of_merge(table: list[Row]) -> None:
    alone = documents(report(forest(*table)))
    assert documents(Report().merge(report(forest(*table)))) == alone
    assert documents(report(forest(*table)).merge(Report())) == alone


@given(st.lists(many, min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_concat_loses_no_span_and_joins_equal_traces(tables: list[list[Row]]) -> None:
    joined = concat([spans(table) for table in tables])
    joined.self_check()
    assert len(joined) == sum(map(len, tables))
    assert sorted(joined.trace_ids) == sorted({builder.trace_id(row.trace) for table in tables for row in table})
    assert documents(report(reconstruct(joined))) == documents(
        report(forest(*(row for table in tables for row in table)))
    )


@given(many | torn_meshes())
@settings(max_examples=200, deadline=None)
def test_calls_add_up(table: list[Row]) -> None:
    result = report(forest(*table))
    graph, errors = result.graph(), result.errors()
    nodes = {node["name"] for node in graph["nodes"]}
    for edge in graph["edges"]:
        assert {edge["caller"], edge["callee"]} <= nodes
        assert 0 <= edge["errors"] <= edge["calls"] <= edge["attempts"]
        assert edge["errors"] <= edge["failed_attempts"] <= edge["attempts"]
        assert 0 <= edge["unanswered"] <= edge["calls"]
        for times in (edge["client_ms"], edge["server_ms"], edge["gap_ms"]):
            assert times is None or times["p50"] <= times["p90"] <= times["p95"] <= times["p99"] <= times["max"]
    assert sum(node["entry_calls"] for node in graph["nodes"]) <= len(table)
    for row in errors["failing_hops"]:
        assert row["failed_traces"] + row["absorbed_traces"] == row["traces"] <= graph["counts"]["traces"]
        assert sum(row["absorbed_by"].values()) == row["absorbed_traces"]
        assert row["failed_traces"] <= graph["counts"]["failed_traces"]
        assert row["chain"][-1] == row["callee"]
        assert row["calls"] >= row["traces"]
    assert [row["rank"] for row in errors["failing_hops"]] == list(range(1, len(errors["failing_hops"]) + 1))


@given(many)
@settings(max_examples=50, deadline=None)
def test_other_names_give_the_same_shape(table: list[Row]) -> None:
    """No rule knows a name: with every operation renamed alike, calls and errors stay what they were."""
    renamed = [replace(row, operation="other") if row.operation == "op" else row for row in table]
    numbers = [
        sorted((edge["calls"], edge["errors"], edge["attempts"]) for edge in report(forest(*some)).graph()["edges"])
        for some in (table, renamed)
    ]
    # Two spans that differed only by their operation may now be one and the same.
    if not forest(*renamed).duplicate.sum() > forest(*table).duplicate.sum():
        assert numbers[0] == numbers[1]


def without_notes(result: Report) -> str:
    """The documents but for notes."""
    return json.dumps([{k: v for k, v in doc.items() if k != "notes"} for doc in (result.graph(), result.errors())])


def traces_of(whole: Spans, part_of: list[int], part: int) -> Spans:
    """The traces of one part."""
    return whole.take(np.array(part_of)[whole.trace] == part)
