"""The doctor's checks of the shape of traces: for each code a trace that has it and one that just lacks it."""

from __future__ import annotations

import pytest

from tests.builder import BEGIN_NS, Row, gateway, in_trace, inbound, outbound, span, spans
from tests.examined import findings, found, only, problems
from traceviz.doctor.clocks import AGREEING, MOST_PAIRS, ClockSkew
from traceviz.doctor.times import EARLIEST_NS, LATEST_NS, LONGEST_NS
from traceviz.hops import hops
from traceviz.reconstruct import SKEW_NS, reconstruct


def request(trace: str = "t", *, late: float = 1.0, **of_callee: object) -> list[Row]:
    """A user asks the gateway, which asks `a`, whose half begins `late` ms after it was asked, and which asks `b`."""
    return in_trace(
        trace,
        gateway("g", "a", ms=20),
        inbound("a", "g", "a", start=late, ms=18, **of_callee),
        outbound("ab", "a", "a", "b", start=3, ms=10),
        inbound("b", "ab", "b", start=4, ms=8),
    )


def many(number: int, *templates: list[Row]) -> list[Row]:
    """Traces like the first template, but one of each other one."""
    first, *others = templates
    chosen = [*others, *[first] * (number - len(others))]
    return [row for i, rows in enumerate(chosen) for row in in_trace(f"t{i}", *rows)]


def test_whole_requests_have_no_findings() -> None:
    assert findings(*request()) == []


# missing-parents


def orphaned(trace: str = "t") -> list[Row]:
    """The half of `b` names a parent that is not there; all else is."""
    whole = request(trace)
    return [*whole[:2], in_trace(trace, inbound("b", "lost", "b", start=4, ms=8))[0]]


def test_a_callee_half_without_its_caller_is_a_problem_of_the_caller() -> None:
    finding = only("missing-parents", *orphaned())
    assert (finding["level"], finding["service"], finding["count"], finding["share"]) == ("problem", "b", 1, 1.0)
    assert "who called it there is not known" in finding["text"]
    assert finding["examples"] == [in_trace("t", *orphaned())[0].trace.encode().hex().zfill(32)]


def test_a_call_without_the_span_above_it_is_missing_one_of_its_own_program() -> None:
    whole = request()
    finding = only("missing-parents", whole[0], whole[1], outbound("ab", "program", "a", "b", start=3), whole[3])
    assert finding["service"] == "a"
    assert "a span of its own" in finding["text"]
    assert "OTEL_EXPORTER" in finding["remedy"]


def test_a_lone_root_that_names_a_parent_came_from_a_caller_outside() -> None:
    rows = [gateway("g", "a", parent="outside", ms=20), inbound("a", "g", "a", start=1, ms=18)]
    assert only("missing-parents", *rows)["level"] == "fact"


@pytest.mark.parametrize(("traces", "level"), [(100, "problem"), (101, "fact")])
def test_below_one_of_a_hundred_missing_parents_are_a_fact(traces: int, level: str) -> None:
    assert only("missing-parents", *many(traces, request(), orphaned()))["level"] == level


# incomplete-traces and uninstrumented-callee


def unanswered(**columns: object) -> list[Row]:
    """`a` asks `b`, of which nothing is seen."""
    return [*request()[:2], outbound("ab", "a", "a", "b", start=3, ms=10, **columns)]


def test_a_callee_that_answers_and_never_reports_is_not_instrumented() -> None:
    finding = only("uninstrumented-callee", *unanswered())
    assert (finding["level"], finding["service"], finding["count"]) == ("problem", "b", 1)
    assert "b answered 1 call from a" in finding["text"]
    assert found("incomplete-traces", *unanswered()) == []


def test_a_callee_that_reports_elsewhere_has_lost_spans() -> None:
    rows = many(2, request(), unanswered())
    finding = only("incomplete-traces", *rows)
    assert (finding["service"], finding["count"], finding["share"]) == ("b", 1, 0.5)
    assert found("uninstrumented-callee", *rows) == []


@pytest.mark.parametrize(("traces", "level"), [(100, "problem"), (101, "fact")])
def test_below_one_of_a_hundred_lost_halves_are_a_fact(traces: int, level: str) -> None:
    assert only("incomplete-traces", *many(traces, request(), unanswered()))["level"] == level


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "503", "flags": "UF"},
        {"status": "504", "flags": "FI"},
        {"status": "503", "flags": "-"},
        {"status": "0", "flags": "DC"},
        {"status": "404", "flags": "NR"},
        {"status": "200", "flags": "RFCF"},
        {"status": ""},
    ],
    ids=str,
)
def test_a_call_that_may_never_have_arrived_says_nothing_of_its_callee(columns: dict[str, str]) -> None:
    rows = unanswered(**columns)
    assert found("uninstrumented-callee", *rows) == []
    assert found("incomplete-traces", *many(2, request(), rows)) == []


def test_a_delay_that_was_injected_does_not_hide_an_answer() -> None:
    assert found("uninstrumented-callee", *unanswered(flags="DI"))


@pytest.mark.parametrize(
    "columns",
    [
        {"db_system": "postgresql", "db_name": "orders"},
        {"server_address": "api.example.com"},
        {"server_address": "10.1.2.3"},
    ],
    ids=str,
)
def test_databases_and_what_lies_outside_are_not_expected_to_report(columns: dict[str, str]) -> None:
    rows = [span("s", kind="server", ms=20), span("c", "s", kind="client", start=1, status="200", **columns)]
    assert findings(*rows) == []


def test_a_bare_name_that_never_reports_is_a_fact() -> None:
    rows = [span("s", kind="server", ms=20), span("c", "s", kind="client", start=1, peer_service="billing")]
    assert only("uninstrumented-callee", *rows)["level"] == "fact"


def test_a_trace_of_several_orphans_has_lost_its_beginning() -> None:
    rows = [inbound("a", "lost", "a", ms=18), inbound("b", "gone", "b", start=20)]
    finding = only("incomplete-traces", *rows)
    assert (finding["service"], finding["count"], finding["level"]) == (None, 1, "problem")
    assert found("incomplete-traces", rows[0]) == []


# several-roots


def test_a_second_root_that_misses_no_parent_is_a_problem_of_whoever_began_it() -> None:
    finding = only("several-roots", *request(), outbound("x", "", "a", "c", start=12, status="503", flags="UF"))
    assert (finding["level"], finding["service"], finding["count"], finding["share"]) == ("problem", "a", 1, 1.0)


def test_a_root_whose_parent_is_missing_is_no_second_beginning() -> None:
    assert found("several-roots", *request(), outbound("x", "lost", "a", "b", start=12)) == []


# clock-skew


def behind(by_ms: float) -> list[Row]:
    """The half of `a` begins so long before it was asked."""
    return request(late=-by_ms)


def test_a_callee_that_begins_over_a_millisecond_before_its_call_has_another_clock() -> None:
    finding = only("clock-skew", *behind(SKEW_NS / 1e6 + 0.001))
    assert (finding["level"], finding["service"], finding["towards"]) == ("problem", "a", ["istio-ingress"])
    assert (finding["count"], finding["proof"]) == (1, "likely")
    assert "is behind that of istio-ingress" in finding["text"]


def test_one_millisecond_is_no_matter_of_clocks() -> None:
    assert found("clock-skew", *behind(SKEW_NS / 1e6)) == []


def test_a_callee_that_ends_after_its_call_though_it_took_less_has_a_clock_that_is_ahead() -> None:
    finding = only("clock-skew", *request(late=3.001))
    assert "is ahead of that of istio-ingress" in finding["text"]
    assert found("clock-skew", *request(late=3)) == []


def test_a_callee_that_takes_longer_than_its_call_works_on_after_its_answer() -> None:
    assert found("clock-skew", gateway("g", "a", ms=20), inbound("a", "g", "a", start=1, ms=90)) == []


def test_a_callee_that_outlives_a_caller_who_gave_up_is_no_matter_of_clocks() -> None:
    rows = [gateway("g", "a", ms=20, status="504", flags="UT"), inbound("a", "g", "a", start=15, ms=18)]
    assert found("clock-skew", *rows) == []


def test_five_calls_that_agree_are_certain() -> None:
    assert only("clock-skew", *many(4, behind(30)))["proof"] == "likely"
    assert only("clock-skew", *many(5, behind(30)))["proof"] == "certain"
    assert only("clock-skew", *many(5, request(late=30)))["proof"] == "likely"


def test_nine_of_ten_calls_have_to_lie_outside_the_same_way_round() -> None:
    assert AGREEING == 0.9
    assert only("clock-skew", *many(10, behind(30), request()))["share"] == 0.9
    assert found("clock-skew", *many(9, behind(30), request())) == []
    assert found("clock-skew", *many(2, behind(30), request(late=30))) == []


def test_the_clocks_of_two_pods_of_one_workload_are_told_apart() -> None:
    other = {"node_id": "sidecar~10.0.0.9~a-v1-5f7c8b7d9-zzzzz.default~default.svc.cluster.local"}
    wrong = [row for i in range(5) for row in request(f"w{i}", late=-30, **other)]
    right = [row for i in range(50) for row in request(f"r{i}")]
    finding = only("clock-skew", *wrong, *right)
    assert (finding["count"], finding["share"]) == (5, 1.0)
    assert "(pod a-v1-5f7c8b7d9-zzzzz)" in finding["text"]


def test_within_one_pod_there_is_one_clock() -> None:
    def rows(pod: str) -> list[Row]:
        return [
            span("c", service="a", kind="client", ms=20, pod="one-0"),
            span("s", "c", service="b", kind="server", start=-5, pod=pod),
        ]

    assert found("clock-skew", *rows("other-0"))
    assert found("clock-skew", *rows("one-0")) == []


def test_of_very_many_pairs_of_pods_the_same_are_held_in_whatever_order_they_come() -> None:
    def counted(numbers: range) -> ClockSkew:
        rows = [
            row
            for i in numbers
            for row in in_trace(
                f"t{i}",
                span("c", kind="client", service="a", ms=20, pod=f"a-{i}"),
                span("s", "c", kind="server", service="b", start=-30, pod=f"b-{i}"),
            )
        ]
        counts = ClockSkew()
        counts.count(hops(reconstruct(spans(rows))))
        return counts

    half, size = MOST_PAIRS * 3 // 4, MOST_PAIRS * 3 // 2
    one = counted(range(half)).merge(counted(range(half, size)))
    other = counted(range(half, size)).merge(counted(range(half)))
    assert len(one._pairs) == MOST_PAIRS
    assert one._pairs == other._pairs == counted(range(size))._pairs


# duplicate-spans, shared-span-ids, no-span-kind


def test_a_span_that_is_reported_again_is_told_with_its_service() -> None:
    finding = only("duplicate-spans", *request(), request()[3])
    assert (finding["level"], finding["service"], finding["count"], finding["share"]) == ("problem", "b", 1, 0.5)
    assert found("duplicate-spans", *request(), *request("u")) == []


@pytest.mark.parametrize(("traces", "level"), [(99, "problem"), (100, "fact")])
def test_below_one_of_a_hundred_duplicates_are_a_fact(traces: int, level: str) -> None:
    assert only("duplicate-spans", *many(traces, request(), [*request(), request()[3]]))["level"] == level


def test_ids_that_both_halves_share_are_a_fact() -> None:
    rows = [gateway("g", "a", ms=20), inbound("g", "", "a", start=1, ms=18)]
    finding = only("shared-span-ids", *rows)
    assert (finding["level"], finding["count"], finding["service"]) == ("fact", 1, None)


def test_traces_without_any_span_kind_are_a_fact() -> None:
    rows = [span("a", service="a"), span("b", "a", service="b", start=1, ms=5)]
    finding = only("no-span-kind", *rows)
    assert (finding["level"], finding["count"], finding["share"]) == ("fact", 1, 1.0)
    assert found("no-span-kind", rows[0], span("b", "a", service="b", kind="server", start=1, ms=5)) == []


# one-service-name, two-names-one-workload


def test_a_service_name_that_two_workloads_report_under_is_a_problem() -> None:
    rows = [
        inbound("a", "", "a", service="istio-proxy.default"),
        *in_trace("u", inbound("b", "", "b", service="istio-proxy.default")),
    ]
    finding = only("one-service-name", *rows)
    assert (finding["level"], finding["service"], finding["towards"]) == ("problem", "istio-proxy.default", ["a", "b"])
    assert "a and b" in finding["text"]
    assert found("one-service-name", rows[0]) == []


def test_a_name_with_and_without_its_namespace_is_a_fact() -> None:
    rows = [
        inbound("i", "", "a", ms=20),
        span("s", "i", service="a", kind="server", start=1, ms=15),
    ]
    finding = only("two-names-one-workload", *rows)
    assert (finding["level"], finding["service"]) == ("fact", "a")
    assert "a and a.default" in finding["text"]


def foreign(trace: str, **program: object) -> list[Row]:
    """The sidecar of `cart`, and right under it a program that calls itself shopping-cart."""
    return in_trace(
        trace,
        gateway("g", "cart", ms=30),
        inbound("i", "g", "cart", start=1, ms=25),
        span("s", "i", service="shopping-cart", kind="server", start=2, ms=20, **program),
    )


def test_a_program_that_is_put_together_with_its_sidecar_is_a_fact() -> None:
    finding = only("two-names-one-workload", *foreign("t"))
    assert (finding["level"], finding["service"]) == ("fact", "cart")
    assert "cart.default and shopping-cart" in finding["text"]


def test_two_names_in_one_pod_that_are_drawn_as_two_nodes_are_a_problem() -> None:
    finding = only("two-names-one-workload", *foreign("t", pod="cart-v1-5f7c8b7d9-x2x4z"))
    assert (finding["level"], finding["service"], finding["towards"]) == ("problem", "shopping-cart", ["cart"])
    assert (finding["count"], finding["proof"]) == (1, "certain")


def called_elsewhere(number: int) -> list[Row]:
    """Programs outside of the mesh call shopping-cart."""
    return [
        row
        for i in range(number)
        for row in in_trace(
            f"o{i}",
            span("c", service=f"caller-{i}", kind="client", ms=20),
            span("s", "c", service="shopping-cart", kind="server", start=1, ms=10, pod="cart-v1-5f7c8b7d9-x2x4z"),
        )
    ]


def test_half_of_what_a_program_is_asked_has_to_come_from_its_sidecar() -> None:
    rows = foreign("t", pod="cart-v1-5f7c8b7d9-x2x4z")
    assert only("two-names-one-workload", *rows, *called_elsewhere(1))["share"] == 0.5
    assert found("two-names-one-workload", *rows, *called_elsewhere(2)) == []


# sampled


def identified(trace: str, said: str) -> list[Row]:
    return in_trace(trace, gateway("g", "a", ms=20, request_id=f"ac98bfc0-8b4f-{said}acb-b79c-171cd7199b13"))


def test_where_nothing_but_random_choice_is_seen_the_rate_is_not_known() -> None:
    finding = only("sampled", *identified("t", "9"))
    assert (finding["level"], finding["count"], finding["share"]) == ("fact", 1, None)
    assert "1 chosen at random" in finding["text"]
    assert "shares and latencies hold for all" in finding["text"]


def test_requests_that_were_not_to_be_traced_tell_the_rate() -> None:
    finding = only("sampled", *identified("t", "9"), *(row for i in "uvw" for row in identified(i, "4")))
    assert (finding["count"], finding["share"]) == (4, 0.25)
    assert "25%" in finding["text"]


@pytest.mark.parametrize(("said", "who"), [("a", "the server"), ("b", "the client")])
def test_requests_that_were_forced_are_said_to_lean_the_shares(said: str, who: str) -> None:
    text = only("sampled", *identified("t", "9"), *identified("u", said))["text"]
    assert f"1 forced by {'a setting of ' if said == 'a' else ''}{who}" in text
    assert "shares lean towards them" in text


@pytest.mark.parametrize(
    "request_id", ["", "42", "ac98bfc0-8b4f-7acb-b79c-171cd7199b13", "ac98bfc0_8b4f_9acb_b79c_171cd7199b13"]
)
def test_other_request_ids_say_nothing(request_id: str) -> None:
    assert found("sampled", gateway("g", "a", ms=20, request_id=request_id)) == []


# impossible-times


@pytest.mark.parametrize(
    ("columns", "odd"),
    [
        ({"start": (EARLIEST_NS - 10**9 - BEGIN_NS) / 1e6}, True),
        ({"start": (EARLIEST_NS + 10**9 - BEGIN_NS) / 1e6}, False),
        ({"start": (LATEST_NS + 10**9 - BEGIN_NS) / 1e6}, True),
        ({"start": (LATEST_NS - 10**9 - BEGIN_NS) / 1e6}, False),
        ({"start": -BEGIN_NS / 1e6, "ms": 0}, True),
        ({"ms": LONGEST_NS / 1e6 + 1}, True),
        ({"ms": LONGEST_NS / 1e6}, False),
    ],
    ids=str,
)
def test_years_without_tracing_and_spans_of_months_cannot_be(columns: dict[str, float], odd: bool) -> None:
    assert problems(findings(span("s", kind="server", **columns))) == ([("impossible-times", "app")] if odd else [])


# passthrough-cluster


def passed(cluster: str, **columns: object) -> list[Row]:
    return [
        *request()[:2],
        outbound("x", "a", "a", "b", start=3, cluster=cluster, url="http://api.example.com/x", **columns),
    ]


def test_a_call_that_left_the_mesh_unseen_is_a_fact() -> None:
    finding = only("passthrough-cluster", *passed("PassthroughCluster"))
    assert (finding["level"], finding["service"], finding["towards"]) == ("fact", "a", ["api.example.com"])
    assert (finding["count"], finding["share"]) == (1, 1.0)
    assert found("passthrough-cluster", *passed("outbound|80||api.example.com")) == []


def test_a_call_that_was_refused_or_reached_a_workload_of_the_mesh_is_a_problem() -> None:
    refused = passed("BlackHoleCluster", status="502", flags="UH")
    assert only("passthrough-cluster", *refused)["level"] == "problem"
    reached = [*passed("PassthroughCluster"), inbound("b", "x", "b", start=4, ms=5)]
    assert only("passthrough-cluster", *reached)["level"] == "problem"
