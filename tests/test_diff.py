"""Two reports ▸ what changed: which of it is chance, in which direction, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builder import Row, forest, gateway, in_trace, inbound, outbound, span
from tests.compared import Recording, recording
from tests.conftest import MESH, SHARED
from tests.schemas import faults
from traceviz.analyze.diff import diff, differs
from traceviz.analyze.report import Report, report
from traceviz.documents import DiffDocument, DiffEdge
from traceviz.reconstruct import reconstruct
from traceviz.spans import Bools

NONE = MESH / "none" / "v1" / "traces.json.gz"
SHOP = SHARED / "data" / "otel" / "shop_healthy" / "v1" / "traces.json.gz"
#: A shop whose pages call one service up to ten times, which is slow for all of a page or for none of it.
BOUTIQUE = SHARED / "data" / "nezha" / "OB-2022-08-22T055254-paymentservice-network_delay" / "normal.json.gz"


def edge(document: DiffDocument, caller: str, callee: str) -> DiffEdge:
    return next(one for one in document["edges"] if (one["caller"], one["callee"]) == (caller, callee))


def codes(document: DiffDocument) -> set[str]:
    return {note["code"] for note in document["notes"]}


def request(number: int, *, ms: float = 10.0, callees: Iterable[str] = ("cart",), error: bool = False) -> list[Row]:
    """A user's request ▸ istio-ingress ▸ shop ▸ each callee, which takes so long."""
    failed = {"status": "503", "error": True} if error else {}
    made = [gateway("a", "shop", ms=ms + 20), inbound("b", "a", "shop", ms=ms + 10)]
    for index, callee in enumerate(callees):
        made += [
            outbound(f"c{index}", "b", "shop", callee, ms=ms, **failed),
            inbound(f"d{index}", f"c{index}", callee, ms=ms - 1, **failed),
        ]
    return in_trace(f"t{number}", *made)


def requests(count: int, *, ms: float = 10.0, errors: int = 0, callees: Iterable[str] = ("cart",)) -> Report:
    """So many requests, whose times spread by a tenth, the first of them failing."""
    rows = [
        row
        for number in range(count)
        for row in request(number, ms=ms * (1 + number % 10 / 100), callees=callees, error=number < errors)
    ]
    return report(forest(*rows))


# What is said of an edge


def test_an_edge_that_takes_twice_as_long_is_worse() -> None:
    found = diff(requests(30), requests(30, ms=20))
    changed = edge(found, "shop", "cart")
    assert changed["change"] == "worse"
    assert changed["significant"]
    assert changed["changed"] == ["p50_ratio", "p95_ratio"]
    assert (changed["p50_ratio"], changed["p95_ratio"]) == (2.0, 2.0)
    assert changed["error_rate_delta"] == 0.0
    assert changed["times_from"] == "caller"
    assert changed["before"] is not None
    assert changed["before"]["calls"] == 30


def test_an_edge_that_fails_is_worse_by_its_error_rate() -> None:
    found = edge(diff(requests(40), requests(40, errors=10)), "shop", "cart")
    assert (found["change"], found["changed"], found["error_rate_delta"]) == ("worse", ["error_rate_delta"], 0.25)


def test_what_fails_at_once_is_no_faster_for_it_and_what_no_longer_fails_no_slower() -> None:
    aborted = [row for number in range(40) for row in request(number, ms=1, error=True)]
    well = [row for number in range(40, 80) for row in request(number, ms=50 + number % 10)]
    half_fails, none_fails = report(forest(*aborted, *well)), report(forest(*well))
    broken, fixed = (edge(diff(*pair), "shop", "cart") for pair in ((none_fails, half_fails), (half_fails, none_fails)))
    assert (broken["change"], broken["changed"]) == ("worse", ["error_rate_delta"])
    assert (fixed["change"], fixed["changed"]) == ("better", ["error_rate_delta"])
    # The ratio is that of the edges all the same, as they stand beside it.
    assert fixed["before"] is not None
    assert fixed["after"] is not None
    assert fixed["before"]["client_ms"] is not None
    assert fixed["after"]["client_ms"] is not None
    assert fixed["p50_ratio"] == pytest.approx(fixed["after"]["client_ms"]["p50"] / 1.0)


def test_errors_go_before_times() -> None:
    found = edge(diff(requests(80, ms=50), requests(80, errors=40, ms=20)), "shop", "cart")
    assert (found["change"], found["changed"]) == ("worse", ["error_rate_delta", "p50_ratio"])
    assert found["p50_ratio"] == 0.4


def test_an_edge_with_a_longer_tail_is_worse_though_most_calls_are_faster() -> None:
    before = [row for number in range(400) for row in request(number, ms=20 + number % 10 / 10)]
    after = [
        row for number in range(400) for row in request(number, ms=200 if number % 10 == 0 else 10 + number % 10 / 2)
    ]
    found = edge(diff(report(forest(*before)), report(forest(*after))), "shop", "cart")
    assert found["change"] == "worse"
    assert found["changed"] == ["p50_ratio", "p95_ratio"]
    assert found["p50_ratio"] is not None
    assert found["p50_ratio"] < 1 / 1.1


def test_a_change_that_is_certain_and_small_is_the_same() -> None:
    # By 8 %, and by 0.09 ms.
    for slower, ms in ((10.8, 10.0), (1.19, 1.1)):
        found = edge(diff(requests(800, ms=ms), requests(800, ms=slower)), "shop", "cart")
        assert found["p_value"] is not None
        assert found["p_value"] < 1e-9
        assert (found["change"], found["significant"], found["changed"]) == ("same", False, [])


def test_an_edge_that_is_gone_is_removed_and_beyond_chance() -> None:
    found = diff(requests(50, callees=("cart", "stock")), requests(50))
    gone = edge(found, "shop", "stock")
    assert (gone["change"], gone["significant"], gone["after"]) == ("removed", True, None)
    assert (gone["error_rate_delta"], gone["p50_ratio"], gone["times_from"]) == (None, None, None)
    assert edge(found, "shop", "cart")["change"] == "same"
    assert [node["name"] for node in found["nodes"] if node["after"] is None] == ["stock"]


def test_an_edge_that_was_seen_once_may_be_missing_by_chance() -> None:
    often, rare = requests(500), report(forest(*request(0, callees=("cart", "stock"))))
    found = edge(diff(requests(500).merge(rare), often), "shop", "stock")
    assert (found["change"], found["significant"]) == ("removed", False)
    assert found["p_value"] is None
    assert differs(diff(requests(500).merge(rare), often))


def test_too_few_calls_to_tell_are_said() -> None:
    found = diff(requests(3), requests(3, ms=100))
    assert edge(found, "shop", "cart")["change"] == "same"
    assert edge(found, "shop", "cart")["p_value"] is None
    assert "too-few-calls" in codes(found)
    assert "too-few-calls" not in codes(diff(requests(30), requests(30)))


def test_the_callees_times_are_compared_where_callers_measured_none() -> None:
    def seen(ms: float, by_caller: bool) -> Report:
        rows = []
        for number in range(30):
            made = [span("a", service="web", kind="server", ms=ms * 3)]
            if by_caller:
                made.append(span("b", "a", service="web", kind="client", ms=ms * 2))
            made.append(span("c", "b" if by_caller else "a", service="cart", kind="server", ms=ms))
            rows += in_trace(f"t{number}", *made)
        return report(forest(*rows))

    found = diff(seen(10, by_caller=False), seen(30, by_caller=True))
    assert edge(found, "web", "cart")["times_from"] == "callee"
    assert edge(found, "web", "cart")["p50_ratio"] == 3.0
    assert "times-of-callee" in codes(found)
    assert "times-of-callee" not in codes(diff(seen(10, by_caller=True), seen(10, by_caller=True)))


def test_times_of_unlike_sides_are_not_compared() -> None:
    caller_only = [
        row
        for number in range(30)
        for row in in_trace(
            f"t{number}",
            span("a", service="web", kind="server"),
            span("b", "a", service="web", kind="client", ms=5, peer_service="cart"),
        )
    ]
    callee_only = [
        row
        for number in range(30)
        for row in in_trace(
            f"t{number}",
            span("a", service="web", kind="server"),
            span("c", "a", service="cart", kind="server", ms=50),
        )
    ]
    found = diff(report(forest(*caller_only)), report(forest(*callee_only)))
    one = edge(found, "web", "cart")
    assert (one["change"], one["p50_ratio"], one["times_from"]) == ("same", None, None)
    assert "times-not-comparable" in codes(found)


def test_both_sides_call_a_workload_by_the_same_name() -> None:
    # Alone each side would say reviews: only both together show that there are two of them.
    def in_namespace(namespace: str) -> Report:
        service = f"reviews.{namespace}"
        made = [span("a", service="web", kind="server"), span("b", "a", service="web", kind="client")]
        made.append(span("c", "b", service=service, kind="server", namespace=namespace))
        return report(forest(*(row for number in range(20) for row in in_trace(f"t{number}", *made))))

    alone = in_namespace("blue").graph()
    assert [one["name"] for one in alone["nodes"]] == ["reviews", "web"]
    found = diff(in_namespace("blue"), in_namespace("green"))
    assert [(one["callee"], one["change"]) for one in found["edges"]] == [
        ("reviews.blue", "removed"),
        ("reviews.green", "added"),
    ]
    assert [one["name"] for one in found["nodes"]] == ["reviews.blue", "reviews.green", "web"]


# Laws


def mirrored(one: DiffEdge) -> dict[str, Any]:
    """An edge as the comparison the other way round must have it; ratios stand beside it, for they are rounded."""
    other = {"added": "removed", "removed": "added", "worse": "better", "better": "worse", "same": "same"}
    delta = one["error_rate_delta"]
    return {
        **one,
        "change": other[one["change"]],
        "before": one["after"],
        "after": one["before"],
        "error_rate_delta": None if delta is None else 0.0 - delta,
        "p50_ratio": None,
        "p95_ratio": None,
    }


def without_ratios(one: DiffEdge) -> dict[str, Any]:
    return {**one, "p50_ratio": None, "p95_ratio": None}


@given(st.data())
@settings(max_examples=15)
def test_a_comparison_the_other_way_round_mirrors_it(data: st.DataObject) -> None:
    def side() -> Report:
        count, ms = data.draw(st.integers(1, 30)), data.draw(st.sampled_from([1.0, 10.0, 11.0, 25.0]))
        errors = data.draw(st.integers(0, count))
        callees = data.draw(st.sampled_from([("cart",), ("stock",), ("cart", "stock")]))
        return requests(count, ms=ms, errors=errors, callees=callees)

    before, after = side(), side()
    one, other = diff(before, after), diff(after, before)
    decided_by_errors = [edge for edge in one["edges"] if edge["change"] in ("worse", "better") and edge["changed"]]
    for mine, theirs in zip(one["edges"], other["edges"], strict=True):
        expected = mirrored(mine)
        if mine in decided_by_errors and "error_rate_delta" not in mine["changed"]:
            # Where middle and tail went apart both ways are worse: the tail is what somebody waits for.
            expected["change"] = theirs["change"]
        assert without_ratios(theirs) == expected
        for field in ("p50_ratio", "p95_ratio"):
            if mine[field] is not None and theirs[field] is not None:  # type: ignore[literal-required]
                assert mine[field] * theirs[field] == pytest.approx(1, abs=0.002)  # type: ignore[literal-required]
    assert {key: one[key] for key in ("counts", "window", "notes")} == {
        key: other[key] for key in ("counts", "window", "notes")
    }
    assert (one["before"], one["after"]) == (other["after"], other["before"])


@pytest.mark.parametrize("path", [NONE, SHOP, MESH / "seed_504" / "v1" / "traces.json.gz", BOUTIQUE], ids=str)
def test_a_recording_compared_with_itself_has_no_difference(path: Any) -> None:
    whole = recording(path).forest.report()
    found = diff(whole, whole)
    assert {one["change"] for one in found["edges"]} == {"same"}
    assert not differs(found)
    assert all(one["p_value"] in (None, 1.0) for one in found["edges"])
    assert faults(found) == []


def test_reports_of_any_split_are_compared_alike() -> None:
    whole = recording(NONE).forest
    names = whole.spans.trace_ids
    odd = np.array([int(one, 16) % 2 == 1 for one in names])[whole.spans.trace]
    parts = [report(replace_spans(whole, chosen)) for chosen in (odd, ~odd)]
    merged = parts[0].merge(parts[1])
    merged.asked = replace(whole.asked)
    slow = requests(30)
    assert diff(merged, slow)["edges"] == diff(whole.report(), slow)["edges"]


def replace_spans(whole: Any, chosen: Bools) -> Any:
    return reconstruct(whole.spans.take(chosen))


# Chance, on real recordings


def false_alarms(of: Recording, halvings: int) -> int:
    """In how many of so many random halvings of its traces something is significant."""
    rng = np.random.default_rng(20_261_123)
    found = 0
    for _ in range(halvings):
        half = of.half(rng)
        found += diff(of.report(half), of.report(~half))["changes"]["significant"] > 0
    return found


def test_at_most_5_percent_of_1000_halvings_of_a_healthy_mesh_differ() -> None:
    assert false_alarms(recording(NONE), 1000) <= 50


@pytest.mark.parametrize("path", [SHOP, MESH / "retries_shared" / "v1" / "traces.json.gz", BOUTIQUE], ids=str)
def test_calls_that_come_together_in_traces_raise_no_more_false_alarms(path: Any) -> None:
    assert false_alarms(recording(path), 200) <= 10


def test_without_a_regard_to_traces_a_shop_would_differ_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceviz.analyze.clustering.Clustering.design_effect", 1.0)
    assert false_alarms(recording(BOUTIQUE), 100) > 10


@pytest.mark.parametrize(
    ("path", "caller", "callee"),
    [
        (NONE, "istio-ingress", "email"),
        (NONE, "email", "catalog"),
        (NONE, "ads", "cart"),
        (SHOP, "cart", "redis"),
        (SHOP, "web", "checkout"),
        (MESH / "seed_504" / "v1" / "traces.json.gz", "service-go", "service-redis"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.parts[-3],
)
def test_doubled_latency_of_20_calls_is_found_at_its_edge(path: Any, caller: str, callee: str) -> None:
    of, rng = recording(path), np.random.default_rng(7)
    for _ in range(20):
        half = of.half(rng)
        kept, others = [], []
        for side in (half, ~half):
            calls = rng.permutation(of.calls(side, caller, callee))
            kept.append(calls[:20])
            others.append(calls[20:])
        before = of.report(half, without=others[0])
        found = edge(diff(before, of.report(~half, without=others[1], slowed=kept[1], factor=2)), caller, callee)
        assert found["after"] is not None
        assert found["after"]["calls"] == 20
        assert (found["change"], found["significant"]) == ("worse", True)


def test_a_fifth_of_60_calls_failing_is_found_at_its_edge() -> None:
    of, rng = recording(NONE), np.random.default_rng(7)
    half = of.half(rng)
    failing = of.calls(~half, "wishlist", "ads")[:15]
    found = diff(of.report(half), of.report(~half, failing=failing))
    assert [(one["callee"], one["change"]) for one in found["edges"] if one["significant"]] == [("ads", "worse")]


# Documents


def test_the_document_has_both_sides_and_its_schema() -> None:
    found = diff(requests(30, callees=("cart", "stock")), requests(20, ms=20))
    assert faults(found) == []
    assert list(found)[:7] == ["schema", "source", "asked", "seen", "window", "counts", "notes"]
    assert found["counts"]["traces"] == 50
    assert (found["before"]["counts"]["traces"], found["after"]["counts"]["traces"]) == (30, 20)
    assert (found["counts"]["services"], found["after"]["counts"]["services"]) == (4, 3)
    assert found["changes"] == {"added": 0, "removed": 1, "worse": 2, "better": 0, "same": 0, "significant": 3}
    assert [(one["caller"], one["callee"]) for one in found["edges"]] == [
        ("istio-ingress", "shop"),
        ("shop", "cart"),
        ("shop", "stock"),
    ]
