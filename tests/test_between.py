"""`2h..1h`: a stretch of time, of which either end may count back from an end that is known later."""

from __future__ import annotations

import pytest

from traceviz.between import read_between
from traceviz.errors import UsageError
from traceviz.wanted import Wanted

S = 10**9
HOUR = 3600 * S
NOW = 1_800_000_000 * S
#: The last span of a file.
LAST = 1_700_000_000 * S
AT = 1_795_394_824 * S


@pytest.mark.parametrize(
    ("text", "from_ns", "to_ns"),
    [
        ("2h..1h", LAST - 2 * HOUR, LAST - HOUR),
        ("1h..now", LAST - HOUR, LAST),
        ("1h..", LAST - HOUR, LAST),
        ("1.5h..90s", LAST - HOUR * 3 // 2, LAST - 90 * S),
        ("now-2h..now-1h", LAST - 2 * HOUR, LAST - HOUR),
        (" now - 2h .. 1h ", LAST - 2 * HOUR, LAST - HOUR),
        ("2026-11-23T00:47:04Z..2026-11-23T01:47:04Z", AT, AT + HOUR),
        ("1795394824..1795398424", AT, AT + HOUR),
        ("1600000000..1h", 1_600_000_000 * S, LAST - HOUR),
    ],
)
def test_a_stretch_of_time_is_from_one_end_to_the_other(text: str, from_ns: int, to_ns: int) -> None:
    between = read_between("--before", text, NOW)
    assert between.window(LAST) == (from_ns, to_ns)
    assert Wanted(between=between).window(LAST, None) == (from_ns, to_ns)
    # A Jaeger's hour, where nothing is said, has no say here.
    assert Wanted(between=between).window(LAST, HOUR) == (from_ns, to_ns)


def test_what_is_fixed_counts_back_from_one_now() -> None:
    fixed = read_between("--before", "2h..1h", NOW).fixed(NOW)
    assert fixed.window(None) == fixed.window(LAST) == (NOW - 2 * HOUR, NOW - HOUR)


def test_nothing_is_before_1970_nor_counted_back_from_no_span() -> None:
    between = read_between("--before", "9000w..1h", NOW)
    assert between.window(LAST)[0] == 0
    assert between.window(None) == (None, None)
    assert read_between("--before", "1600000000..1h", NOW).window(None) == (1_600_000_000 * S, None)


@pytest.mark.parametrize("text", ["2h", "..1h", "", "2h-1h", "yesterday..now", "2h..soon", "30..60", "2h..1h..now"])
def test_what_is_no_stretch_of_time_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        read_between("--before", text, NOW)


@pytest.mark.parametrize("text", ["1h..2h", "1h..1h", "now..1h", "1795398424..1795394824"])
def test_an_end_before_the_beginning_is_an_error_at_once(text: str) -> None:
    with pytest.raises(UsageError, match="ends before it begins"):
        read_between("--before", text, NOW)


def test_an_end_before_the_beginning_is_an_error_when_the_last_span_is_known() -> None:
    between = read_between("--before", "1795394824..1h", NOW)
    with pytest.raises(UsageError, match="ends before it begins"):
        between.window(LAST)
