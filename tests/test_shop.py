"""A shop without proxies, recorded from real OpenTelemetry SDKs: every call that was made, as its truth says."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import traceviz
from tests.conftest import SHARED
from traceviz import Report

OTEL = SHARED / "data" / "otel"
CASES = sorted(path.parent.name for path in OTEL.glob("*/truth.json"))
FIRST = {
    "shop_db_error": ("shipping", "shippingdb", "application-error"),
    "shop_deadline": ("checkout", "payment", "timeout"),
    "shop_exception_old_names": ("cart", "catalog", "application-error"),
    "shop_grpc_refused": ("cart", "catalog", "connection-failed"),
}


@cache
def recorded(case: str, form: str) -> Report:
    return traceviz.load(str(OTEL / case / form / "traces.json.gz")).report()


def truth(case: str) -> Any:
    return json.loads(Path(OTEL / case / "truth.json").read_text())


@pytest.mark.parametrize("form", ["v1", "v3"])
@pytest.mark.parametrize("case", CASES)
def test_edges_calls_and_errors_are_those_that_were_made(case: str, form: str) -> None:
    edges = recorded(case, form).graph()["edges"]
    assert [[e["caller"], e["callee"], e["calls"], e["errors"]] for e in edges] == sorted(truth(case)["edges"])


@pytest.mark.parametrize("form", ["v1", "v3"])
@pytest.mark.parametrize("case", CASES)
def test_the_first_failing_hop_is_the_broken_one(case: str, form: str) -> None:
    rows = recorded(case, form).errors()["failing_hops"]
    assert [(row["caller"], row["callee"], row["reason"]) for row in rows[:1]] == (
        [FIRST[case]] if case in FIRST else []
    )


@pytest.mark.parametrize("case", CASES)
def test_users_got_what_they_got(case: str) -> None:
    counts = recorded(case, "v1").graph()["counts"]
    assert counts["failed_traces"] == truth(case)["codes"].get("500", 0)


def test_databases_queues_and_the_outside_are_told_apart_and_requests_enter_at_web_alone() -> None:
    nodes = {node["name"]: node for node in recorded("shop_healthy", "v1").graph()["nodes"]}
    kinds = {name: node["kind"] for name, node in nodes.items() if node["kind"] != "service"}
    assert kinds == {
        "api.bank.example": "external",
        "billingdb": "database",
        "catalogdb": "database",
        "orders": "queue",
        "ordersdb": "database",
        "redis": "database",
        "shippingdb": "database",
    }
    assert {name: node["entry_calls"] for name, node in nodes.items() if node["entry_calls"]} == {"web": 150}
