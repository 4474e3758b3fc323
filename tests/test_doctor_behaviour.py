"""What the doctor says of how programs behave: deadlines, retries, loops, calls one after another."""

from __future__ import annotations

import random

import pytest

from tests.builder import Row, in_trace, inbound, outbound, span
from tests.checked import found, recorded
from tests.conftest import FORMATS, MESH, SHARED
from traceviz.codes import explanation
from traceviz.doctor.check import Found
from traceviz.doctor.deadlines import DeadlineCounts
from traceviz.doctor.sequences import RepeatCounts, SequenceCounts
from traceviz.doctor.storms import StormCounts

CHECKS = (DeadlineCounts, StormCounts, RepeatCounts, SequenceCounts)


def only(findings: list[Found]) -> Found:
    assert len(findings) == 1, findings
    return findings[0]


def call(number: int, *, ms: float = 200, server_ms: float = 200, half: bool = True, **columns: object) -> list[Row]:
    """`app` calls `db` in a request of its own."""
    server = columns.pop("server", {})
    assert isinstance(server, dict)
    rows = [
        inbound("i", "", "app", ms=ms + 10),
        outbound("o", "i", "app", "db", start=1, ms=ms, **columns),
    ]
    if half:
        rows.append(inbound("r", "o", "db", start=1.2, ms=server_ms, **server))
    return in_trace(f"t{number:04}", *rows)


def late(number: int, **more: object) -> list[Row]:
    given = {"status": "504", "flags": "UT", "server": {"status": "0", "flags": "DC"}, "server_ms": 199.9, **more}
    return call(number, **given)  # type: ignore[arg-type]


def calls(number_late: int, number_well: int, **more: object) -> list[Row]:
    rows = [row for n in range(number_late) for row in late(n, **more)]
    return rows + [row for n in range(number_well) for row in call(1000 + n, ms=21, server_ms=20)]


def test_a_deadline_that_passes_in_a_fifth_of_the_calls_is_too_short() -> None:
    seen = only(found(DeadlineCounts, calls(5, 20)))
    assert (seen.service, seen.towards, seen.count, seen.share) == ("app", ("db",), 5, 0.2)
    assert (seen.level, seen.proof) == ("problem", "certain")
    assert seen.values["deadline"] == "200 ms"
    assert seen.values["takes"].startswith("at least ")
    assert "20 ms (p50)" in seen.values["well"]


def test_a_deadline_that_passes_now_and_then_is_there_for_that() -> None:
    assert found(DeadlineCounts, calls(5, 21)) == []
    assert found(DeadlineCounts, calls(4, 0)) == []


def test_a_callee_that_went_on_took_longer_than_the_deadline() -> None:
    rows = [row for n in range(5) for row in late(n, server_ms=450.0, server={"status": "200"})]
    seen = only(found(DeadlineCounts, rows))
    assert seen.values == {"deadline": "200 ms", "takes": "450 ms (p50)", "well": "", "needed": "450 ms"}


def test_a_callee_that_was_never_reached_needs_no_more_time() -> None:
    assert found(DeadlineCounts, [row for n in range(9) for row in late(n, half=False)]) == []


def test_a_callee_that_had_answered_in_time_needs_no_more_time() -> None:
    rows = [row for n in range(9) for row in late(n, server_ms=20.0, server={"status": "200"})]
    assert found(DeadlineCounts, rows) == []


def test_other_failures_are_no_deadline() -> None:
    rows = [row for n in range(9) for row in call(n, status="503", flags="UF")]
    assert found(DeadlineCounts, rows) == []


def test_a_programs_own_deadline_counts() -> None:
    rows = []
    for n in range(5):
        rows += in_trace(
            f"t{n}",
            span("s", service="app", kind="server", ms=100),
            span("c", "s", service="app", kind="client", start=1, ms=60, grpc="4", error=True),
            span("r", "c", service="pay", kind="server", start=2, ms=160),
        )
    seen = only(found(DeadlineCounts, rows))
    assert (seen.service, seen.towards, seen.values["deadline"]) == ("app", ("pay",), "60 ms")


@pytest.mark.parametrize(
    ("case", "service", "callee"), [("timeout", "currency", "ads"), ("timeout_inner", "storefront", "basket")]
)
@pytest.mark.parametrize("form", FORMATS)
def test_deadlines_of_the_recordings(case: str, form: str, service: str, callee: str) -> None:
    seen = only(recorded(DeadlineCounts, str(MESH / case / FORMATS[form])))
    assert (seen.service, seen.towards) == (service, (callee,))


def storm(*tries: int) -> list[Row]:
    """A chain of services a, b, c…, of which each makes so many attempts of a call, all but the last one in vain; what
    the last attempt reaches goes on."""
    rows = [inbound("h0", "", "a", ms=1000)]
    for depth, number in enumerate(tries):
        caller, callee = "abcdefgh"[depth], "abcdefgh"[depth + 1]
        rows.append(outbound(f"o{depth}", f"h{depth}", caller, callee, start=depth * 10 + 1, ms=900 - depth * 100))
        for n in range(number):
            last = n == number - 1
            name = f"h{depth + 1}" if last else f"x{depth}{n}"
            answer = {} if last else {"status": "503", "error": True}
            rows.append(
                inbound(name, f"o{depth}", callee, start=depth * 10 + 2 + n, ms=1 if not last else 800, **answer)
            )
    return rows


def test_retries_at_two_levels_multiply() -> None:
    seen = only(found(StormCounts, storm(2, 2)))
    assert (seen.service, seen.towards, seen.count, seen.level) == ("b", ("c",), 1, "problem")
    assert seen.values == {"chain": "a (×2) → b (×2) → c", "worst": "4"}


def test_retries_at_one_level_do_not() -> None:
    assert found(StormCounts, storm(3, 1)) == []
    assert found(StormCounts, storm(1, 9)) == []


def test_levels_in_between_may_try_once() -> None:
    assert only(found(StormCounts, storm(3, 1, 3))).values["worst"] == "9"


def test_a_programs_own_retries_multiply_too() -> None:
    rows = [inbound("h0", "", "a", ms=1000), outbound("o", "h0", "a", "b", start=1, ms=900)]
    rows += [inbound("x", "o", "b", start=2, ms=1, status="503", error=True), inbound("h1", "o", "b", start=5, ms=800)]
    for n in range(3):
        bad = {"status": "503", "error": True} if n < 2 else {}
        rows.append(outbound(f"p{n}", "h1", "b", "c", start=10 + n * 20, ms=10, **bad))
    seen = only(found(StormCounts, rows))
    assert seen.values == {"chain": "a (×2) → b (×3) → c", "worst": "6"}
    assert seen.count == 3


def test_calls_at_the_same_time_are_no_retries() -> None:
    rows = storm(2, 1) + [
        outbound(f"p{n}", "h1", "b", "c", start=50, ms=10, status="503", error=True) for n in range(3)
    ]
    assert found(StormCounts, rows) == []


def test_a_rare_storm_is_a_fact() -> None:
    well = [row for n in range(200) for row in in_trace(f"t{n}", *storm(1, 1))]
    assert only(found(StormCounts, well, in_trace("storm", *storm(2, 2)))).level == "fact"


def loop(number: int, *, step: float = 2, ms: float = 2, whole: float | None = None, **columns: object) -> list[Row]:
    """`app` asks its database so often within one request."""
    rows = [span("s", service="app", kind="server", ms=whole or number * step + 1)]
    about = {"db_system": "postgresql", "db_name": "shop", "operation": "SELECT item", **columns}
    for n in range(number):
        rows.append(span(f"c{n}", "s", service="app", kind="client", start=n * step, ms=ms, **about))
    return rows


def test_eleven_similar_calls_are_one_too_many() -> None:
    seen = only(found(RepeatCounts, loop(11)))
    assert (seen.service, seen.towards, seen.count, seen.share, seen.level) == ("app", ("shop",), 1, 1.0, "problem")
    assert (seen.values["most"], seen.values["operation"]) == ("11", "SELECT item")
    assert found(RepeatCounts, loop(10)) == []


def test_calls_at_the_same_time_are_no_loop() -> None:
    assert found(RepeatCounts, loop(100, step=0, ms=5, whole=10)) == []
    assert found(RepeatCounts, loop(100, step=0.01, ms=5, whole=10)) == []


def test_rounds_of_calls_at_the_same_time_are_a_loop_of_rounds() -> None:
    rows = loop(11) + [row for row in loop(11) if row.kind == "client"]
    both = [
        row
        if n < 12
        else span(
            f"d{n}", "s", service="app", kind="client", start=row.start, ms=row.ms, operation=row.operation, **row.tags
        )
        for n, row in enumerate(rows)
    ]
    assert only(found(RepeatCounts, both)).values["most"] == "11"


def test_calls_for_different_operations_are_no_loop() -> None:
    rows = loop(6) + [row for row in loop(6, operation="UPDATE item") if row.kind == "client"]
    assert found(RepeatCounts, rows) == []


def test_numbers_in_a_path_make_no_other_operation() -> None:
    rows = [inbound("s", "", "app", ms=100)]
    rows += [outbound(f"o{n}", "s", "app", "users", start=n * 5.0, ms=4, url=f"http://users/u/{n}") for n in range(12)]
    assert only(found(RepeatCounts, rows)).towards == ("users",)


def test_retries_are_no_loop() -> None:
    assert found(RepeatCounts, loop(30, error=True)) == []


def test_a_loop_that_costs_little_is_a_fact() -> None:
    assert only(found(RepeatCounts, loop(11, whole=1000))).level == "fact"


def test_a_program_that_received_nothing_may_loop_as_well() -> None:
    rows = [row if row.id != "s" else span("s", service="app", kind="internal", ms=row.ms) for row in loop(11)]
    assert only(found(RepeatCounts, rows)).service == "app"


def after(gap: float, *, first: float = 10, second: float = 10, whole: float = 40) -> list[Row]:
    """`app` calls `x`, and `y` so many ms after that."""
    return [
        inbound("s", "", "app", ms=whole),
        outbound("o", "s", "app", "x", start=5, ms=first),
        outbound("p", "s", "app", "y", start=5 + first + gap, ms=second),
    ]


def test_calls_right_after_one_another_could_be_made_at_the_same_time() -> None:
    seen = only(found(SequenceCounts, after(0.5)))
    assert (seen.service, seen.towards, seen.level, seen.proof) == ("app", ("x", "y"), "fact", "likely")
    assert seen.values == {"saved": "25 %", "each": "10 ms"}


def test_work_between_two_calls_may_need_the_first_answer() -> None:
    assert found(SequenceCounts, after(1.5)) == []


def test_what_saves_little_is_not_worth_saying() -> None:
    assert found(SequenceCounts, after(0.5, whole=51)) == []
    assert found(SequenceCounts, after(0.5, second=7.9)) == []


def test_callees_that_are_also_called_at_the_same_time_are_known_to_the_program() -> None:
    assert found(SequenceCounts, in_trace("a", *after(0.5)), in_trace("b", *after(-5))) == []


def test_one_callee_again_and_again_is_another_matter() -> None:
    rows = [inbound("s", "", "app", ms=40)]
    rows += [outbound(f"o{n}", "s", "app", "x", start=n * 10.0, ms=10) for n in range(3)]
    assert found(SequenceCounts, rows) == []


@pytest.mark.parametrize("check", CHECKS)
def test_batches_in_any_order_give_the_same(check: type) -> None:
    batches = [in_trace(f"a{n}", *calls(1, 0)) for n in range(6)]
    batches += [in_trace(f"b{n}", *storm(2 + n % 2, 2)) for n in range(6)]
    batches += [in_trace(f"c{n}", *loop(11 + n % 3)) for n in range(6)]
    batches += [in_trace(f"d{n}", *after(n / 10)) for n in range(6)]
    at_once = found(check, [row for rows in batches for row in rows])
    assert at_once
    for seed in range(3):
        random.Random(seed).shuffle(batches)
        assert found(check, *batches) == at_once


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "name",
    [
        "mesh/none/zipkin.json.gz",
        "mesh/none/v1/traces.json.gz",
        "otel/shop_healthy/v1/traces.json.gz",
        "nezha/*/normal.json.gz",
    ],
)
def test_healthy_recordings_have_no_problem(check: type, name: str) -> None:
    paths = sorted((SHARED / "data").glob(name))
    assert paths
    for path in paths:
        assert [seen for seen in recorded(check, str(path)) if seen.level == "problem"] == []


@pytest.mark.parametrize(
    "code", ["deadline-shorter-than-callee", "retry-storm", "n-plus-one", "sequential-could-be-parallel"]
)
def test_explanations_have_sign_cause_remedy_and_threshold(code: str) -> None:
    text = explanation(code)
    assert all(f"\n{word}:" in text for word in ("Sign", "Cause", "What to do", "Threshold"))
