"""CONTRACT's table of reasons, row by row, and its precedence."""

from __future__ import annotations

from itertools import combinations

import pytest

from traceviz.analyze.reasons import LOOK_AT, Reason, Signs, reason

NOTHING = Signs(
    caller_flags=frozenset(),
    callee_flags=frozenset(),
    answered=True,
    callee_failed=False,
    status=503,
    grpc=frozenset(),
    error_types=frozenset(),
    gave_up=False,
    marked=True,
    from_user=False,
)


def judged(caller: str = "", callee: str = "", **signs: object) -> tuple[str, str, str]:
    """Reason, where and whose blame, for flags on the caller's and the callee's half."""
    given = {"caller_flags": flags(caller), "callee_flags": flags(callee), "callee_failed": bool(callee), **signs}
    found = reason(NOTHING._replace(**given))  # type: ignore[arg-type]
    return found.code, found.where, found.blame


def flags(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


@pytest.mark.parametrize(
    ("caller", "callee", "expected"),
    [
        ("FI", "", ("fault-injected", "caller-proxy", "callee")),
        ("", "FI", ("fault-injected", "callee-proxy", "callee")),
        ("NR", "", ("no-route", "caller-proxy", "caller")),
        ("NC", "", ("no-route", "caller-proxy", "caller")),
        ("NFCF", "", ("no-route", "caller-proxy", "caller")),
        ("UH", "", ("no-healthy-upstream", "caller-proxy", "callee")),
        ("", "LH", ("no-healthy-upstream", "callee-proxy", "callee")),
        ("UO", "", ("circuit-breaker", "caller-proxy", "callee")),
        ("RL", "", ("rate-limited", "caller-proxy", "caller")),
        ("", "RL", ("rate-limited", "callee-proxy", "callee")),
        ("", "RLSE", ("rate-limited", "callee-proxy", "callee")),
        ("", "UAEX", ("unauthorized", "callee-proxy", "callee")),
        ("UT", "", ("timeout", "callee", "callee")),
        ("UMSDR", "", ("timeout", "callee", "callee")),
        ("SI", "", ("timeout", "callee", "callee")),
        ("DT", "", ("timeout", "callee", "callee")),
        ("UT", "DC", ("timeout", "callee", "callee")),
        ("DF", "", ("dns", "caller-proxy", "caller")),
        ("UF", "", ("connection-failed", "network", "callee")),
        ("UC", "", ("connection-failed", "network", "callee")),
        ("UR", "", ("connection-failed", "network", "callee")),
        ("LR", "", ("connection-failed", "network", "callee")),
        ("", "UF", ("connection-failed", "callee", "callee")),
        ("UPE", "", ("protocol-error", "caller-proxy", "callee")),
        ("", "DPE", ("protocol-error", "callee-proxy", "caller")),
        ("IH", "", ("protocol-error", "caller-proxy", "caller")),
        ("OM", "", ("overloaded", "caller-proxy", "caller")),
        ("", "DO", ("overloaded", "callee-proxy", "callee")),
        ("", "UDO", ("overloaded", "callee-proxy", "callee")),
        ("DC", "DC", ("client-gone", "caller", "caller")),
        ("DR", "", ("client-gone", "caller", "caller")),
    ],
)
def test_flags_say_reason_and_place(caller: str, callee: str, expected: tuple[str, str, str]) -> None:
    assert judged(caller, callee) == expected


#: CONTRACT's order: an earlier row's flag on the caller's half goes before a later one's.
ORDER = ("FI", "NR", "UH", "UO", "RL", "UAEX", "UT", "DF", "UF", "UPE", "OM", "DC")


@pytest.mark.parametrize(("first", "second"), list(combinations(ORDER, 2)))
def test_the_first_row_of_the_table_wins(first: str, second: str) -> None:
    assert judged(f"{first},{second}")[0] == judged(first)[0] != judged(second)[0]


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ({"callee_failed": True}, ("application-error", "callee", "callee")),
        ({"grpc": frozenset({4, 13})}, ("timeout", "callee", "callee")),
        ({"error_types": frozenset({"java.net.SocketTimeoutException"})}, ("timeout", "callee", "callee")),
        ({"gave_up": True}, ("timeout", "callee", "callee")),
        ({"grpc": frozenset({14}), "answered": False}, ("connection-failed", "network", "callee")),
        ({"grpc": frozenset({14}), "callee_failed": True}, ("application-error", "callee", "callee")),
        (
            {"error_types": frozenset({"ConnectionRefusedError"}), "answered": False, "status": -1},
            ("connection-failed", "network", "callee"),
        ),
        ({"grpc": frozenset({1}), "status": -1}, ("client-gone", "caller", "caller")),
        ({"grpc": frozenset({1, 4}), "status": -1}, ("timeout", "callee", "callee")),
        ({"answered": False, "status": 500}, ("application-error", "callee", "callee")),
        (
            {"answered": False, "status": -1, "error_types": frozenset({"deadlock_detected"})},
            ("application-error", "callee", "callee"),
        ),
        ({"status": 404}, ("bad-request", "caller", "caller")),
        ({"status": -1}, ("unknown", "callee", "callee")),
        ({"status": -1, "answered": False}, ("unknown", "network", "callee")),
    ],
)
def test_without_flags_answers_and_error_types_tell(signs: dict[str, object], expected: tuple[str, str, str]) -> None:
    assert judged(**signs) == expected


def test_at_a_gateway_a_user_who_left_was_kept_waiting_by_somebody_beneath() -> None:
    assert reason(NOTHING._replace(caller_flags=flags("DC"), from_user=True)) == Reason(
        "client-gone", "callee", "callee", deadline=True
    )


def test_a_user_who_left_a_service_that_nobody_stands_before_is_nobodys_fault() -> None:
    assert judged(callee="DC", from_user=True) == ("client-gone", "caller", "nobody")


def test_whoever_closed_the_connection_itself_had_no_deadline() -> None:
    assert judged("DC", "DC", gave_up=True)[0] == "client-gone"


def test_every_reason_says_what_to_look_at() -> None:
    for code, text in LOOK_AT.items():
        assert text.format(caller="A", callee="B", blame="C"), code
