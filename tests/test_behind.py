"""Programs behind sidecars of another name are one workload with them, by how their spans hang."""

from __future__ import annotations

import pytest

from tests.builder import Row, forest, gateway, in_trace, inbound, outbound, span
from traceviz.analyze.report import Report, report

PROGRAM = [
    span("c", "b", service="ShopFrontend", kind="server", start=2, ms=90),
    span("d", "c", service="ShopFrontend", kind="client", server_address="cart", start=3, ms=40),
]
MIXED = [
    gateway("a", "shop", ms=99),
    inbound("b", "a", "shop", start=1, ms=95),
    *PROGRAM,
    outbound("e", "d", "shop", "cart", start=4, ms=38),
    inbound("f", "e", "cart", start=5, ms=36),
    span("g", "f", service="CartService", kind="server", start=6, ms=30),
    span("h", "g", service="CartService", kind="client", db_name="carts", start=7, ms=9),
]


def made(*rows: Row) -> Report:
    return report(forest(*rows))


def edges(found: Report) -> list[tuple[str, str, int]]:
    return [(edge["caller"], edge["callee"], edge["calls"]) for edge in found.graph()["edges"]]


def noted(found: Report) -> int:
    return found.notes.count("program-behind-proxy")


def test_program_and_sidecar_of_different_names_are_one_node_and_their_call_is_one_call() -> None:
    found = made(*MIXED)
    assert edges(found) == [("cart", "carts", 1), ("istio-ingress", "shop", 1), ("shop", "cart", 1)]
    aliases = {node["name"]: node["aliases"] for node in found.graph()["nodes"]}
    assert aliases["cart"] == ["CartService", "cart.default"]
    assert noted(found) == 2


def test_where_its_sidecar_was_not_seen_the_program_has_the_name_that_it_has_elsewhere() -> None:
    alone = in_trace(
        "u", span("x", service="CartService", kind="server"), span("y", "x", service="mail", kind="server")
    )
    assert edges(made(*MIXED, *alone)) == sorted([*edges(made(*MIXED)), ("cart", "mail", 1)])
    assert edges(made(*MIXED).merge(made(*alone))) == edges(made(*alone).merge(made(*MIXED)))
    assert edges(made(*MIXED).merge(made(*alone))) == edges(made(*MIXED, *alone))


def test_programs_that_all_report_one_name_are_told_apart_by_their_sidecars() -> None:
    def unnamed(row: Row) -> Row:
        return span(
            row.id, row.parent, kind=row.kind, start=row.start, ms=row.ms, service="unknown_service", **row.tags
        )

    rows = [unnamed(row) if row.service in ("ShopFrontend", "CartService") else row for row in MIXED]
    assert edges(made(*rows)) == edges(made(*MIXED))


def test_what_a_program_without_spans_called_beside_its_proxys_calls_is_somebody_else() -> None:
    rows = [
        inbound("a", "", "shop", ms=50),
        span("b", "a", service="bank", kind="server", start=2, ms=9),
        outbound("c", "a", "shop", "cart", start=20, ms=9),
    ]
    assert edges(made(*rows)) == [("shop", "bank", 1), ("shop", "cart", 1)]


def test_two_programs_right_under_one_sidecar_are_both_somebody_else() -> None:
    rows = [inbound("a", "", "shop", ms=50), *(span(id, "a", service=id, kind="server") for id in ("bank", "mail"))]
    assert edges(made(*rows)) == [("shop", "bank", 1), ("shop", "mail", 1)]


@pytest.mark.parametrize("tag", [{"namespace": "elsewhere"}, {"pod": "bank-7d9c5b6f8-x2x4z"}])
def test_a_program_that_says_it_is_elsewhere_is_not_behind_the_sidecar(tag: dict[str, str]) -> None:
    rows = [inbound("a", "", "shop", ms=50), span("b", "a", service="bank", kind="server", **tag)]
    assert edges(made(*rows)) == [("shop", "bank", 1)]


def test_one_odd_trace_takes_no_program_away_from_the_sidecar_of_its_name() -> None:
    odd = in_trace("u", inbound("a", "", "shop", ms=50), span("b", "a", service="cart", kind="server"))
    usual = [inbound("a", "", "cart", ms=9), span("b", "a", service="cart", kind="server")]
    assert [node["name"] for node in made(*odd, *usual).graph()["nodes"]] == ["cart", "shop"]


def test_a_job_is_known_by_its_call_to_the_host_that_its_sidecar_went_to() -> None:
    def job(host: str) -> list[tuple[str, str, int]]:
        return edges(
            made(
                span("a", service="Nightly", kind="internal", ms=50),
                span("b", "a", service="Nightly", kind="client", url=f"http://{host}:80/", start=1, ms=20),
                outbound("c", "b", "nightly-job", "cart", start=2, ms=18),
            )
        )

    assert job("cart") == job("cart.default.svc.cluster.local") == [("nightly-job", "cart", 1)]
    assert ("Nightly", "nightly-job", 1) in job("nightly-job"), "whose own half was not seen"
