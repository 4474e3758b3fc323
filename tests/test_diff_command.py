"""`traceviz diff`: what is compared, what the exit code says, and what people read."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import NONE, SEED, Ended, called, interrupt_reading
from tests.conftest import MESH, SHARED
from tests.schemas import faults
from traceviz.commands.diff import FORMATS
from traceviz.demo import serve_recording
from traceviz.render.arrangement import AS_USUAL
from traceviz.render.diff_text import diff_text

OTEL = SHARED / "data" / "otel"
HEALTHY, DB_ERROR, NETWORK_SLOW = (
    str(OTEL / case / "v1" / "traces.json.gz") for case in ("shop_healthy", "shop_db_error", "shop_network_slow")
)
VERSIONS = str(MESH / "version_bug" / "v1" / "traces.json.gz")


def document(ended: Ended) -> Any:
    """The document of a comparison, which found something or nothing."""
    assert ended.code in (0, 1), ended.err
    found = json.loads(ended.out)
    assert faults(found) == []
    return found


# What is compared


def test_two_files_are_compared() -> None:
    found = document(called("diff", HEALTHY, NETWORK_SLOW, "-o", "json"))
    assert found["source"] == [HEALTHY, NETWORK_SLOW]
    assert (found["before"]["source"], found["after"]["source"]) == ([HEALTHY], [NETWORK_SLOW])
    worse = [(edge["caller"], edge["callee"]) for edge in found["edges"] if edge["change"] == "worse"]
    assert worse == [("checkout", "shipping"), ("web", "checkout")]
    assert found["changes"]["same"] == 12


def test_the_database_that_fails_is_worse_by_its_errors() -> None:
    found = document(called("diff", HEALTHY, DB_ERROR, "-o", "json"))
    failing = {(edge["caller"], edge["callee"]): edge["changed"] for edge in found["edges"] if edge["significant"]}
    assert failing.keys() == {("checkout", "shipping"), ("shipping", "shippingdb"), ("web", "checkout")}
    assert all(changed == ["error_rate_delta"] for changed in failing.values())


def test_a_glob_is_one_side(tmp_path: Path) -> None:
    whole = json.loads(gzip.decompress(Path(SEED).read_bytes()))["data"]
    for number in range(3):
        (tmp_path / f"{number}.json").write_text(json.dumps({"data": whole[number::3]}))
    ended = called("diff", str(tmp_path / "*.json"), SEED, "-o", "json")
    assert ended.code == 0
    found = document(ended)
    assert found["before"]["counts"] == found["after"]["counts"]


def test_one_side_may_come_from_standard_input() -> None:
    data = Path(SEED).read_bytes()
    assert called("diff", "-", SEED, stdin=data).code == 0
    assert called("diff", SEED, "-", stdin=data).code == 0


def test_two_times_of_files_count_back_from_their_last_span() -> None:
    ended = called("diff", "--before", "4s..2s", "--after", "2s..now", SEED, "-o", "json")
    found = document(ended)
    assert found["source"] == [SEED]
    assert found["before"]["asked"]["to"] == found["after"]["asked"]["from"]
    assert found["after"]["asked"]["to"] == found["after"]["window"]["to"]
    assert found["before"]["counts"]["traces"] > 50
    assert found["after"]["counts"]["traces"] > 50
    halved = called("diff", "--before", "1h..2.5s", "--after", "2.5s..", SEED, "--service", "istio-ingress")
    assert halved.code == 0, halved.text


def test_two_times_of_a_jaeger_count_back_from_one_now() -> None:
    with serve_recording() as jaeger:
        ended = called("diff", "--url", jaeger.url, "--before", "2h..1h", "--after", "1h..now", "-o", "json")
        # The recording is of this moment: nothing is older than an hour.
        assert (ended.code, ended.out) == (3, b"")
        assert "before: " in ended.err
        sides = called("diff", "--url", jaeger.url, "--before", "1h..0s", "--after", "1h..now", "-o", "json")
    found = document(sides)
    assert sides.code == 0
    assert found["before"]["asked"] == found["after"]["asked"]
    assert found["before"]["source"] == [jaeger.url]
    assert found["before"]["counts"]["traces"] == 100


def test_a_jaeger_is_compared_with_a_file() -> None:
    with serve_recording() as jaeger:
        ended = called("diff", "traceviz/demo/recording/v1.json.gz", jaeger.url, "-o", "json")
    assert ended.code == 0, ended.err
    assert document(ended)["changes"]["same"] == 8


def test_two_versions_are_compared() -> None:
    ended = called("diff", "--by-version", "v1", "v3", VERSIONS)
    assert ended.code == 1
    assert "before  version v1" in ended.text
    assert "productpage → reviews is worse: 60 calls, 0 % → 55 % err" in ended.text
    assert called("diff", "--by-version", "v1", "v2", VERSIONS).code == 0


def test_nodes_are_told_apart_as_in_graphs() -> None:
    found = document(called("diff", VERSIONS, VERSIONS, "--group-by", "version", "-o", "json"))
    assert found["group_by"] == "version"
    assert {"reviews@v1", "reviews@v2", "reviews@v3"} <= {node["name"] for node in found["nodes"]}


def test_hidden_nodes_are_left_out_and_said_and_what_is_chance_stays() -> None:
    whole = document(called("diff", HEALTHY, NETWORK_SLOW, "-o", "json"))
    hidden = called("diff", HEALTHY, NETWORK_SLOW, "--hide", "shipping", "-o", "json")
    found = document(hidden)
    assert hidden.code == 1
    assert found["changes"]["worse"] == 1
    assert "hidden-nodes" in {note["code"] for note in found["notes"]}
    assert found["edges"] == [edge for edge in whole["edges"] if "shipping" not in (edge["caller"], edge["callee"])]
    near = called("diff", HEALTHY, NETWORK_SLOW, "--focus", "billingdb", "-o", "json")
    assert near.code == 0
    assert [node["name"] for node in document(near)["nodes"]] == ["billing", "billingdb"]


# Exit codes


def test_no_difference_is_0_and_a_difference_is_1() -> None:
    assert called("diff", NONE, NONE).code == 0
    assert called("diff", HEALTHY, NETWORK_SLOW).code == 1
    # Another mesh altogether: edges that were added and removed.
    assert called("diff", NONE, SEED).code == 1


def test_an_expression_that_holds_goes_before_a_difference() -> None:
    slow = called("diff", HEALTHY, NETWORK_SLOW, "--fail-on", "p95_ratio > 10")
    assert slow.code == 79
    assert "holds for 1 of 14 rows, first checkout → shipping" in slow.err
    assert called("diff", HEALTHY, NETWORK_SLOW, "--fail-on", "p95_ratio > 100").code == 1
    assert called("diff", HEALTHY, NETWORK_SLOW, "--fail-on", "after.p95_ms > 250 and before.p95_ms < 20").code == 79
    assert called("diff", HEALTHY, NETWORK_SLOW, "--fail-on", "after.client_ms.p95 > 1000").code == 1
    assert called("diff", NONE, NONE, "--fail-on", "significant = 1").code == 0
    assert called("diff", NONE, NONE, "--fail-on", "before.calls >= 150").code == 79


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "diff compares two things, and none was named"),
        ([SEED], "diff compares two things, and 1 was named"),
        ([SEED, SEED, SEED], "diff compares two things, and 3 was named"),
        (["-", "-"], "standard input can be one side only"),
        (["--before", "2h..1h", SEED], "--after is missing"),
        (["--after", "2h..1h", SEED], "--before is missing"),
        (["--before", "2h..1h", "--after", "1h..now", "-"], "standard input can be read once"),
        (["--before", "2h..1h", "--after", "1h..now", "--since", "1h", SEED], "--before and --after say the times"),
        (["--before", "2h", "--after", "1h..now", SEED], "--before '2h' is no stretch of time"),
        (["--before", "1h..2h", "--after", "1h..now", SEED], "'1h..2h' ends before it begins"),
        (["--by-version", "v1", "v2", "--group-by", "pod", SEED], "--by-version and --group-by exclude each other"),
        (["--by-version", "v1", "v2", "--before", "2h..1h", SEED], "exclude each other"),
        (["--fail-on", "p95_ms > 1", SEED, SEED], "there is no number 'p95_ms'"),
        (["-o", "nodegraph", SEED, SEED], "nodegraph"),
    ],
    ids=lambda value: " ".join(value).replace(SEED, "FILE") if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_2(arguments: list[str], said: str) -> None:
    ended = called("diff", *arguments)
    assert (ended.code, ended.out) == (2, b"")
    assert said in ended.err


def test_a_side_without_a_trace_is_3_and_says_which() -> None:
    ended = called("diff", "--before", "9h..8h", "--after", "1h..now", SEED)
    assert (ended.code, ended.out) == (3, b"")
    assert "before: none of the traces" in ended.err
    assert called("diff", SEED, NONE, "--service", "service-python").err.count("after: ") == 1
    nothing = called("diff", "--by-version", "v1", "v9", VERSIONS)
    assert nothing.code == 3
    assert "reviews' has v1, v2, v3" in nothing.err


def test_half_of_a_side_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_reading(monkeypatch)
    for arguments in ([NONE, SEED], ["--by-version", "v1", "v3", VERSIONS]):
        ended = called("diff", *arguments)
        assert (ended.code, ended.out) == (130, b"")


# What is read


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_the_same_twice(format: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    first = called("diff", HEALTHY, DB_ERROR, "-o", format, "-O", str(file))
    if format == "pdf" and first.code == 70:
        pytest.skip("a PDF needs the system's dot")
    assert first.code == 1, first.err
    written = file.read_bytes()
    assert written
    called("diff", HEALTHY, DB_ERROR, "-o", format, "-O", str(file))
    assert file.read_bytes() == written or format == "pdf"


def test_a_table_fits_into_80_columns_and_counts_what_is_the_same() -> None:
    ended = called("diff", HEALTHY, DB_ERROR, env={"COLUMNS": "80"})
    assert max(map(len, ended.text.splitlines())) <= 80
    assert "3 of 14 edges differ: 3 worse. The other 11 are the same, within chance." in ended.text
    assert "left out" not in ended.text
    assert "11 edges not shown: -o wide, csv and json have all" in ended.text
    rows = [line.split()[:3] for line in ended.text.splitlines() if line.startswith("* ")]
    assert rows[0] == ["*", "checkout", "shipping"]
    same = called("diff", NONE, NONE, env={"COLUMNS": "80"}).text
    assert "Nothing differs beyond chance: 6 edges are the same on both sides." in same
    assert "caller" not in same


def test_wide_and_csv_have_every_edge() -> None:
    wide = called("diff", HEALTHY, DB_ERROR, "-o", "wide").text
    assert sum(" same " in line for line in wide.splitlines()) == 11
    rows = list(csv.DictReader(io.StringIO(called("diff", HEALTHY, DB_ERROR, "-o", "csv").text)))
    assert len(rows) == 14
    by_ends = {(row["caller"], row["callee"]): row for row in rows}
    failing = by_ends["shipping", "shippingdb"]
    assert (failing["change"], failing["significant"], failing["changed"]) == ("worse", "true", "error_rate_delta")
    assert float(failing["after.error_rate"]) == pytest.approx(0.26)
    assert failing["before.errors"] == "0"


def test_rows_are_arranged_as_asked() -> None:
    columns = "caller,callee,before.calls,after.calls,after.p95_ms"
    ended = called("diff", HEALTHY, NETWORK_SLOW, "--columns", columns, "--sort", "p95_ratio", "--no-headers", "-q")
    assert [line.split()[:4] for line in ended.text.splitlines()] == [
        ["web", "checkout", "150", "150"],
        ["checkout", "shipping", "150", "150"],
    ]


def test_a_change_that_may_be_chance_has_no_star_and_says_so() -> None:
    found = document(called("diff", HEALTHY, DB_ERROR, "-o", "json"))
    edge = dict(found["edges"][0]) | {"change": "removed", "after": None, "significant": False, "p50_ratio": None}
    edge |= {"p95_ratio": None, "error_rate_delta": None, "times_from": None}
    lone = found | {"edges": [edge], "changes": dict.fromkeys(found["changes"], 0) | {"removed": 1}, "notes": []}
    text = diff_text(lone, 80, color=False, wide=False, arranged=AS_USUAL)
    assert "\n  billing  billingdb  removed" in text
    assert "billing → billingdb was removed, which may be chance: 150 calls" in text
    assert "1 of 1 edge differs: 1 removed.\n" in text
    assert "beyond chance:" not in text


def test_without_any_edge_a_table_says_so() -> None:
    found = document(called("diff", NONE, NONE, "-o", "json"))
    none = found | {"edges": [], "nodes": [], "changes": dict.fromkeys(found["changes"], 0)}
    assert "There is no edge on either side." in diff_text(none, 80, color=False, wide=False, arranged=AS_USUAL)
