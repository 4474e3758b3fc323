"""`diff --by-version`: the calls to and from one version of a workload against those of another."""

from __future__ import annotations

import pytest

import traceviz
from tests.builder import Row, forest, gateway, in_trace, inbound, outbound
from tests.conftest import MESH
from tests.schemas import faults
from traceviz.analyze.by_version import diff_versions
from traceviz.analyze.diff import differs
from traceviz.analyze.report import Report, report
from traceviz.errors import NothingFound, UsageError


def request(number: int, version: str, *, calls_ratings: bool = True, front: str = "v1", ms: float = 10) -> list[Row]:
    """A user's request ▸ front ▸ reviews of a version ▸ ratings, all others of version v1."""
    made = [gateway("a", "front", ms=90, version="v1"), inbound("b", "a", "front", ms=80, version=front)]
    made.append(outbound("c", "b", "front", "reviews", ms=ms + 30, version=front))
    made.append(inbound("d", "c", "reviews", ms=ms + 20, version=version))
    if calls_ratings:
        made.append(outbound("e", "d", "reviews", "ratings", ms=ms + 10, version=version))
        made.append(inbound("f", "e", "ratings", ms=ms, version="v1"))
    return in_trace(f"t{number}", *made)


def counted(*requests: list[Row]) -> Report:
    return report(forest(*(row for one in requests for row in one)), group_by="version")


def test_a_version_is_compared_with_another_under_the_names_of_its_workload() -> None:
    found = diff_versions(
        counted(
            *(request(number, "v1", calls_ratings=False) for number in range(30)),
            *(request(number, "v2") for number in range(30, 60)),
        ),
        "v1",
        "v2",
    )
    assert faults(found) == []
    assert [(one["caller"], one["callee"], one["change"], one["significant"]) for one in found["edges"]] == [
        ("front", "reviews", "same", False),
        ("reviews", "ratings", "added", True),
    ]
    assert (found["before"]["version"], found["after"]["version"]) == ("v1", "v2")
    assert found["before"]["counts"]["traces"] is None
    assert found["counts"]["traces"] == 60
    assert differs(found)


def test_a_workload_that_has_one_of_the_versions_alone_is_not_compared() -> None:
    # front and ratings are of version v1, too, and so no call of theirs is "removed" in v2.
    found = diff_versions(counted(*(request(number, f"v{number % 2 + 1}") for number in range(40))), "v1", "v2")
    assert {one["change"] for one in found["edges"]} == {"same"}
    assert [one["before"]["calls"] for one in found["edges"] if one["before"]] == [20, 20]
    notes = {note["code"]: note for note in found["notes"]}
    assert notes["edges-without-versions"]["count"] == 1
    assert notes["edges-without-versions"]["examples"] == ["istio-ingress → front"]


def test_calls_of_a_third_version_and_of_none_are_counted_and_left_out() -> None:
    versions = ["v1", "v2", "v3", ""]
    found = diff_versions(counted(*(request(number, versions[number % 4]) for number in range(40))), "v1", "v2")
    notes = {note["code"]: note for note in found["notes"]}
    assert notes["calls-of-other-versions"]["count"] == 40
    assert notes["calls-of-other-versions"]["examples"] == ["front → reviews", "reviews → ratings"]


def test_a_call_between_two_versions_is_of_the_one_that_got_it() -> None:
    both = (request(number, f"v{number % 2 + 1}", front=f"v{number % 4 // 2 + 1}") for number in range(40))
    found = diff_versions(counted(*both), "v1", "v2")
    called = {(one["caller"], one["callee"]): (one["before"], one["after"]) for one in found["edges"]}
    assert {ends: [side and side["calls"] for side in sides] for ends, sides in called.items()} == {
        ("front", "reviews"): [20, 20],
        ("istio-ingress", "front"): [20, 20],
        ("reviews", "ratings"): [20, 20],
    }


@pytest.mark.parametrize(("before", "after", "worse"), [("v1", "v3", 1), ("v1", "v2", 0), ("v2", "v3", 1)])
def test_the_version_with_a_bug_is_worse_in_a_recorded_mesh(before: str, after: str, worse: int) -> None:
    whole = traceviz.load(str(MESH / "version_bug" / "v1" / "traces.json.gz")).report(group_by="version")
    found = traceviz.diff_versions(whole, before, after)
    assert [one["callee"] for one in found["edges"] if one["change"] == "worse"] == ["reviews"] * worse
    failing = [one["callee"] for one in found["edges"] if one["after"] and one["after"]["failing_hop"]]
    assert failing == ["reviews"] * worse
    assert not any(one["before"]["failing_hop"] for one in found["edges"] if one["before"])


def test_the_slow_version_is_worse_in_a_recorded_mesh() -> None:
    whole = traceviz.load(str(MESH / "version_slow" / "v1" / "traces.json.gz")).report(group_by="version")
    found = traceviz.diff_versions(whole, "v1", "v2")
    assert [(one["callee"], one["changed"]) for one in found["edges"] if one["change"] == "worse"] == [
        ("reviews", ["p50_ratio", "p95_ratio"])
    ]


def test_versions_that_no_workload_has_both_are_an_error_that_names_those_there_are() -> None:
    whole = counted(*(request(number, f"v{number % 2 + 1}") for number in range(4)))
    with pytest.raises(NothingFound, match="'v1' and 'v9'") as raised:
        diff_versions(whole, "v1", "v9")
    assert "'reviews' has v1, v2" in raised.value.remedy
    with pytest.raises(UsageError, match="one version"):
        diff_versions(whole, "v1", "v1")
    with pytest.raises(UsageError, match="grouped by version"):
        diff_versions(report(forest(*request(1, "v1"))), "v1", "v2")
