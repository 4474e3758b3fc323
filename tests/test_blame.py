"""Where errors started, who felt them, who absorbed them, and where to look first."""

from __future__ import annotations

import pytest

from tests.builder import Row, attempt, forest, gateway, in_trace, inbound, outbound, span
from traceviz.analyze.conditions import makes_fail
from traceviz.analyze.report import report
from traceviz.analyze.sentences import percent
from traceviz.documents import FailingHop

BAD = {"status": "503", "error": True}


def rows(*table: Row) -> list[FailingHop]:
    return report(forest(*table)).errors()["failing_hops"]


def ends(found: list[FailingHop]) -> list[tuple[str | None, str]]:
    return [(row["caller"], row["callee"]) for row in found]


def request(
    *, top: dict[str, object] | None = None, below: dict[str, object] | None = None, **last: object
) -> list[Row]:
    """user ▸ istio-ingress ▸ shop ▸ cart ▸ stock, in which the given hops fail."""
    top, below = top or {}, below or {}
    return [
        gateway("a", "shop", ms=90, request_id="r-1", **top),
        inbound("b", "a", "shop", start=1, ms=88, **top),
        outbound("c", "b", "shop", "cart", start=2, ms=80, **below),
        inbound("d", "c", "cart", start=3, ms=78, **below),
        outbound("e", "d", "cart", "stock", start=4, ms=70, **last),
        inbound("f", "e", "stock", start=5, ms=68, **last),
    ]


def test_the_deepest_failed_hop_is_the_start_and_reached_the_user_over_failed_hops() -> None:
    [row] = rows(*request(top=BAD, below=BAD, **BAD))
    assert (row["caller"], row["callee"], row["reason"], row["where"]) == (
        "cart",
        "stock",
        "application-error",
        "callee",
    )
    assert (row["traces"], row["failed_traces"], row["absorbed_traces"]) == (1, 1, 0)
    assert row["chain"] == ["istio-ingress", "shop", "cart", "stock"]
    assert (row["explains"], row["score"]) == (1.0, 1.0)


def test_a_hop_that_succeeded_cuts_the_chain_and_its_callee_absorbed_the_failure() -> None:
    [row] = rows(*request(below=BAD, **BAD))
    assert (row["failed_traces"], row["absorbed_by"]) == (0, {"shop": 1})
    assert row["explains"] is None
    assert row["score"] is None
    assert "No user felt it; shop absorbed it." in row["text"]


def test_two_failures_in_one_trace_are_two_starts_where_a_success_lies_between() -> None:
    found = rows(*request(top=BAD, **BAD))
    assert ends(found) == [("istio-ingress", "shop"), ("cart", "stock")]
    assert [row["failed_traces"] for row in found] == [1, 0]


def test_a_failure_below_a_failed_attempt_was_absorbed_by_the_retry() -> None:
    [row] = rows(
        gateway("a", "shop", ms=90),
        inbound("b", "a", "shop", start=1, ms=20, **BAD),
        outbound("c", "b", "shop", "cart", start=2, ms=10, flags="FI", **BAD),
        inbound("d", "a", "shop", start=40, ms=20),
    )
    assert (row["caller"], row["callee"], row["absorbed_by"]) == ("shop", "cart", {"retry": 1})


def test_a_retry_that_saved_a_call_is_a_note_and_no_failing_hop() -> None:
    table = [
        gateway("a", "shop", ms=90),
        inbound("b", "a", "shop", start=1, ms=20, **BAD),
        inbound("d", "a", "shop", start=40, ms=20),
    ]
    assert rows(*table) == []
    assert report(forest(*table)).notes.count("saved-by-retry") == 1


def test_one_row_for_all_callers_where_the_callee_is_at_fault() -> None:
    def call(id: str, caller: str) -> list[Row]:
        return in_trace(
            id, outbound("a", "", caller, "stock", ms=20, **BAD), inbound("b", "a", "stock", start=1, ms=9, **BAD)
        )

    [row] = rows(*call("t", "cart"), *call("u", "cart"), *call("v", "shop"))
    assert (row["callers"], row["caller"], row["calls"]) == ({"cart": 2, "shop": 1}, "cart", 3)


def test_one_row_a_caller_where_the_callers_side_is_at_fault() -> None:
    def call(id: str, caller: str) -> list[Row]:
        return in_trace(id, outbound("a", "", caller, "stock", ms=20, flags="UO", **BAD))

    assert ends(rows(*call("t", "cart"), *call("u", "shop"))) == [("cart", "stock"), ("shop", "stock")]


def test_504_ut_over_0_dc_is_one_fault_and_what_was_cancelled_beneath_is_none() -> None:
    [row] = rows(
        gateway("a", "shop", ms=50, status="504", flags="UT", error=True),
        inbound("b", "a", "shop", start=1, ms=49, status="0", flags="DC", error=True),
        outbound("c", "b", "shop", "cart", start=2, ms=48, status="0", flags="DC", error=True),
        inbound("d", "c", "cart", start=3, ms=90),
    )
    assert (row["callee"], row["reason"], row["where"]) == ("shop", "timeout", "callee")
    assert row["blame"] == "cart", "cart held more than half of the time"
    assert "cart held the time" in row["text"]


def test_a_deadline_is_the_callees_where_no_child_held_more_than_half_of_the_time() -> None:
    [row] = rows(
        gateway("a", "shop", ms=50, status="504", flags="UT", error=True),
        inbound("b", "a", "shop", start=1, ms=80, status="0", flags="DC", error=True),
        outbound("c", "b", "shop", "cart", start=2, ms=10),
        outbound("d", "b", "shop", "stock", start=60, ms=20, flags="UF", **BAD),
    )[:1]
    assert (row["callee"], row["blame"], row["failed_traces"]) == ("shop", "shop", 1)


def test_what_failed_after_the_caller_had_given_up_did_not_make_it_fail() -> None:
    found = rows(
        gateway("a", "shop", ms=50, status="504", flags="UT", error=True),
        inbound("b", "a", "shop", start=1, ms=80, status="0", flags="DC", error=True),
        outbound("d", "b", "shop", "stock", start=60, ms=20, flags="UF", **BAD),
    )
    assert ends(found) == [("istio-ingress", "shop"), ("shop", "stock")]
    assert [row["failed_traces"] for row in found] == [1, 0]


def test_a_bug_of_ones_own_beside_a_tolerated_failure_is_ones_own() -> None:
    table: list[Row] = []
    for i in range(40):
        shop = {"status": "500", "error": True} if i % 2 else {}
        stock = BAD if i % 4 < 2 else {}
        table += in_trace(
            f"t{i}",
            gateway("a", "shop", ms=50, **shop),
            inbound("b", "a", "shop", start=1, ms=48, **shop),
            outbound("c", "b", "shop", "stock", start=2, ms=10, **stock),
            inbound("d", "c", "stock", start=3, ms=8, **stock),
        )
    first, second = rows(*table)
    assert ends([first, second]) == [("istio-ingress", "shop"), ("shop", "stock")]
    assert (first["failed_traces"], second["failed_traces"], second["absorbed_by"]) == (20, 0, {"shop": 20})


@pytest.mark.parametrize(
    ("with_it", "in_all", "causes"),
    [
        ([5, 0], [5, 95], True),  # never survived it
        ([5, 3], [5, 95], True),  # never failed otherwise
        ([0, 9], [5, 95], False),  # always survived it
        ([10, 10], [50, 50], False),  # fails as often without
        ([18, 2], [28, 72], True),  # fails far more often with it
        ([1, 1], [2, 20], False),  # once is chance
        ([34, 66], [34, 66], False),  # nothing to compare with, and it mostly survived
        ([66, 34], [66, 34], True),
    ],
)
def test_a_callee_makes_its_caller_fail_where_chance_does_not_explain_it(
    with_it: list[int], in_all: list[int], causes: bool
) -> None:
    assert makes_fail(with_it, in_all) is causes


def test_a_fragment_of_a_torn_trace_is_no_users_request() -> None:
    table = [outbound("a", "", "shop", "cart", ms=20, **BAD), inbound("b", "a", "cart", start=1, ms=9, **BAD)]
    counts = report(forest(*table)).graph()["counts"]
    assert (counts["fragments"], counts["failed_traces"]) == (1, 0)
    [row] = rows(*table)
    assert (row["failed_traces"], row["absorbed_by"]) == (0, {"unknown": 1})


def test_a_server_with_nobody_before_it_has_no_caller() -> None:
    [row] = rows(span("a", service="web", kind="server", status="500"))
    assert (row["caller"], row["callee"], row["callers"], row["failed_traces"]) == (None, "web", {}, 1)
    assert row["text"].startswith("requests to web failed with 500: ")


def test_rows_that_users_felt_come_first_whatever_their_number() -> None:
    table: list[Row] = in_trace("felt", *request(top=BAD, below=BAD, flags="UF", **BAD)[:5])
    for i in range(9):
        table += in_trace(f"t{i}", *request(flags="NR", status="404")[:5])
        table += in_trace(f"well{i}", *request())
    assert [(row["reason"], row["failed_traces"], row["traces"]) for row in rows(*table)] == [
        ("connection-failed", 1, 1),
        ("no-route", 0, 9),
    ]


def test_examples_and_request_ids_are_of_traces_that_users_felt() -> None:
    felt = in_trace("zz", *request(top=BAD, below=BAD, **BAD))
    unfelt = in_trace("aa", *request(**BAD))
    [row] = rows(*felt, *unfelt)
    assert (row["traces"], row["failed_traces"]) == (2, 1)
    assert len(row["examples"]) == 1
    assert row["examples"][0].endswith("7a7a")


def test_links_stand_below_the_page_of_the_jaeger() -> None:
    result = report(forest(*request(top=BAD, below=BAD, **BAD)))
    result.asked = type(result.asked)(ui_url="http://jaeger.example/jaeger")
    [row] = result.errors()["failing_hops"]
    assert row["links"] == [f"http://jaeger.example/jaeger/trace/{row['examples'][0]}"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0004, "0.1 %"), (0.004, "0.4 %"), (0.5303, "53 %"), (0.999, "99.9 %"), (1.0, "100 %")],
)
def test_only_nothing_is_0_percent_and_only_all_is_100(share: float, text: str) -> None:
    assert percent(share) == text


def test_what_a_gateways_proxy_asks_by_itself_is_no_users_request() -> None:
    ask = {"operation": "async outbound|9000||authz.default.svc.cluster.local egress", "flags": "UF", **BAD}
    table = [
        gateway("a", "shop", ms=50),
        inbound("b", "a", "shop", start=5, ms=40),
        gateway("x", "authz", "a", start=1, ms=2, **ask),
    ]
    document = report(forest(*table)).graph()
    node = next(node for node in document["nodes"] if node["name"] == "istio-ingress")
    assert (node["calls"], node["errors"], node["entry_calls"]) == (1, 0, 1)
    assert document["counts"]["failed_traces"] == 0
    [row] = rows(*table)
    assert (row["callee"], row["failed_traces"], row["absorbed_by"]) == ("authz", 0, {"istio-ingress": 1})


@pytest.mark.parametrize("node_id", ["", "ingress~10.0.0.1~istio-ingress-5f7c8b7d9-x2x4z.sys~sys.svc.cluster.local"])
def test_a_front_proxy_that_does_not_say_router_is_where_requests_enter(node_id: str) -> None:
    table = [gateway("a", "shop", ms=50, node_id=node_id, **BAD), inbound("b", "a", "shop", start=5, ms=40, **BAD)]
    counts = report(forest(*table)).graph()["counts"]
    assert (counts["fragments"], counts["failed_traces"]) == (0, 1)
    assert rows(*table)[0]["failed_traces"] == 1


def test_calls_from_outside_and_from_others_are_counted_together() -> None:
    table: list[Row] = []
    for i in range(10):
        table += in_trace(f"d{i}", inbound("b", "", "shop", ms=40, **(BAD if i < 7 else {})))
    for i in range(5):
        bad = BAD if i < 3 else {}
        table += in_trace(f"g{i}", gateway("a", "shop", ms=50, **bad), inbound("b", "a", "shop", start=5, ms=40, **bad))
    [row] = rows(*table)
    assert (row["calls"], row["callers"]) == (10, {"istio-ingress": 3})
    assert "67 % of 15 calls" in row["text"]


def test_a_failure_that_came_after_the_deadline_did_not_cause_it() -> None:
    late = {"status": "504", "flags": "UT", "error": True}
    found = rows(
        gateway("a", "shop", ms=50, **late),
        inbound("b", "a", "shop", start=1, ms=90, status="0", flags="DC", error=True),
        outbound("c", "b", "shop", "cart", start=5, ms=80, **BAD),
        inbound("d", "c", "cart", start=6, ms=78, **BAD),
    )
    assert [(row["callee"], row["reason"], row["blame"], row["failed_traces"]) for row in found] == [
        ("shop", "timeout", "cart", 1),
        ("cart", "application-error", "cart", 0),
    ]


def test_what_a_consumer_failed_at_is_the_consumers_to_live_with() -> None:
    queue = {"queue": "orders", "queue_system": "kafka"}
    [row] = rows(
        span("a", service="shop", kind="server", ms=50),
        span("p", "a", service="shop", kind="producer", start=1, ms=1, **queue),
        span("c", "p", service="billing", kind="consumer", start=60, ms=20, error=True, **queue),
        span("d", "c", service="billing", kind="client", start=61, ms=5, error=True, db_system="redis"),
    )
    assert (row["callee"], row["absorbed_by"]) == ("redis", {"billing": 1})


def test_flags_of_attempts_are_in_the_evidence() -> None:
    [row] = rows(
        gateway("a", "shop", ms=50, kind="server", flags="URX", **BAD),
        attempt("t", "a", "istio-ingress", "shop", start=1, ms=3, flags="UF", status="0", error=True),
    )
    assert row["flags"] == {"UF": 1, "URX": 1}


def test_an_error_of_a_callee_that_reports_but_not_this_call_has_no_sign() -> None:
    table = in_trace("well", gateway("a", "shop", ms=50), inbound("b", "a", "shop", start=5, ms=40))
    [row] = rows(*table, *in_trace("lost", gateway("a", "shop", ms=50, **BAD)))
    assert (row["reason"], row["where"]) == ("unknown", "network")
    [row] = rows(gateway("a", "shop", ms=50, **BAD))
    assert (row["reason"], row["where"]) == ("application-error", "callee")


def test_first_and_last_are_when_this_hop_failed_and_not_another_of_the_same_trace() -> None:
    felt, tolerated = rows(
        gateway("a", "shop", ms=90, **BAD),
        inbound("b", "a", "shop", start=1, ms=88, **BAD),
        outbound("c", "b", "shop", "cart", start=10, ms=5, flags="UF", **BAD),
        outbound("d", "b", "shop", "cart", start=40, ms=5, flags="UF", **BAD),
        inbound("e", "", "other", start=70, ms=5, **BAD),
    )
    assert (felt["callee"], felt["calls"]) == ("cart", 2)
    assert felt["first"][-8:] == ".010000Z"[-8:]
    assert felt["last"][-8:] == ".040000Z"[-8:]
    assert tolerated["first"] == tolerated["last"] != felt["first"]


def test_where_a_user_left_somebody_is_to_be_looked_at_and_not_the_gateway() -> None:
    gone = {"status": "0", "flags": "DC", "error": True}
    [row] = rows(
        gateway("a", "shop", ms=90, **gone),
        inbound("b", "a", "shop", start=1, ms=88, **gone),
        outbound("c", "b", "shop", "stock", start=2, ms=200),
    )
    assert (row["reason"], row["where"], row["blame"]) == ("client-gone", "callee", "stock")
    assert row["text"].endswith("Look at what stock was doing.")
