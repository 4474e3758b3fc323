"""Durations and instants as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceviz.errors import UsageError
from traceviz.when import parse_duration, parse_instant, rfc3339, rfc3339_nano

SECOND = 10**9
NOW = 1_795_394_839_802_166_123
AT = 1_795_394_824_629_912_000


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("10m", 600 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("90s", 90 * SECOND),
        ("2d", 2 * 86400 * SECOND),
        ("1w", 7 * 86400 * SECOND),
        ("500ms", SECOND // 2),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("7ns", 7),
        ("1.5h", 5400 * SECOND),
        ("0.1s", SECOND // 10),
        (" 10m ", 600 * SECOND),
        ("1d1ms", 86400 * SECOND + 10**6),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, duration_ns: int) -> None:
    assert parse_duration(text) == duration_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "m",
        "10 m",
        "-10m",
        "10min",
        "1h-30m",
        "ten minutes",
        "1e3s",
        "١٠m",
        "10m,",
        "99999999w",
        "9" * 5000 + "s",
    ],
)
def test_a_bad_duration_is_named_with_what_is_understood(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert repr(text[:50])[:-1] in str(caught.value)
    assert "1h30m" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "instant_ns"),
    [
        ("2026-11-23T00:47:04.629912Z", AT),
        ("2026-11-23T03:47:04.629912+03:00", AT),
        ("2026-11-22t17:17:04.629912-07:30", AT),
        ("2026-11-23 00:47:04.629912z", AT),
        ("2026-11-23T00:47:04Z", 1_795_394_824 * SECOND),
        ("2026-11-23T00:47:04.5Z", 1_795_394_824 * SECOND + SECOND // 2),
        ("2026-11-23T00:47:04.629912345Z", AT + 345),
        ("2026-11-23T00:47:04.6299123456789Z", AT + 345),
        ("1970-01-01T00:00:00Z", 0),
        ("1795394824", 1_795_394_824 * SECOND),
        ("1795394824.629912", AT),
        ("1795394824629", 1_795_394_824_629 * 10**6),
        ("1795394824629912", AT),
        ("1795394824629912000", AT),
        ("0", 0),
        ("100000000", 100_000_000 * SECOND),
        ("now", NOW),
        (" now ", NOW),
        ("now-1h", NOW - 3600 * SECOND),
        ("now - 1h30m", NOW - 5400 * SECOND),
        ("now+5m", NOW + 300 * SECOND),
    ],
)
def test_an_instant_is_read_in_every_form(text: str, instant_ns: int) -> None:
    assert parse_instant(text, NOW) == instant_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "30",
        "99999999",
        "-5",
        "2026-11-23",
        "2026-11-23T00:47:04",
        "2026-02-30T00:00:00Z",
        "2026-11-23T25:00:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "9999999999999999999",
        "now-",
        "now-10",
        "now-9999w",
        "nowhere",
    ],
)
def test_a_bad_instant_is_named_with_what_is_understood(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_instant(text, NOW)
    assert repr(text) in str(caught.value)
    assert "now-1h" in caught.value.remedy


def test_a_bare_duration_is_no_instant_and_the_remedy_writes_it_out() -> None:
    with pytest.raises(UsageError, match="'2h' is a duration, not an instant") as caught:
        parse_instant("2h", NOW)
    assert "now-2h" in caught.value.remedy


def test_an_instant_is_written_in_utc_with_microseconds() -> None:
    assert rfc3339(AT + 999) == "2026-11-23T00:47:04.629912Z"
    assert rfc3339(1_795_394_824 * SECOND) == "2026-11-23T00:47:04.000000Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999Z"
    assert rfc3339_nano(AT + 999) == "2026-11-23T00:47:04.629912999Z"


@given(st.integers(0, 2**63 - 1))
def test_what_is_written_is_read_back(instant_ns: int) -> None:
    assert parse_instant(rfc3339_nano(instant_ns), NOW) == instant_ns
    assert parse_instant(rfc3339(instant_ns), NOW) == instant_ns // 1000 * 1000


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_time_a_span_can_have_is_written(instant_ns: int) -> None:
    assert rfc3339(instant_ns).endswith("Z")
