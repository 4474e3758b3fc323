"""What users call a trace, and which ones that means."""

from __future__ import annotations

import base64

import pytest

from traceviz.errors import UsageError
from traceviz.trace_name import TraceName, read_trace_name

LONG = "1f2e3d4c5b6a79880f1e2d3c4b5a6978"
HALF = "0f1e2d3c4b5a6978"
SHORT = "0" * 16 + HALF


def meant(text: str, *ids: str) -> list[str]:
    name = read_trace_name(text)
    assert name is not None
    found = name.meant(ids)
    assert all(name.may_mean(one) for one in found)
    return found


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.upper(),
        f" {LONG}\n",
        LONG[:4],
        LONG[:31],
        base64.b64encode(bytes.fromhex(LONG)).decode(),
        base64.b64encode(bytes.fromhex(LONG)).decode().rstrip("="),
        base64.urlsafe_b64encode(bytes.fromhex(LONG)).decode(),
        f"http://localhost:16686/trace/{LONG}",
        f"https://user:word@host/jaeger/trace/{LONG.upper()}?uiFind=0f1e#x",
        f"http://localhost:16686/jaeger/api/traces/{LONG}?prettyPrint=true",
        f"http://localhost:16686/api/v3/traces/{LONG}/",
    ],
)
def test_an_id_is_known_however_it_is_written(text: str) -> None:
    assert meant(text, LONG, "2" * 32) == [LONG]


@pytest.mark.parametrize(
    "text", [HALF, HALF.lstrip("0"), SHORT, "f1e2", "0f1e", base64.b64encode(bytes.fromhex(HALF)).decode()]
)
def test_an_id_of_64_bits_is_known_with_and_without_its_zeros(text: str) -> None:
    assert meant(text, SHORT, "2" * 32) == [SHORT]


def test_the_very_id_goes_before_halves_and_those_before_beginnings() -> None:
    begins = HALF + "0" * 15 + "1"
    assert meant(HALF, SHORT, LONG, begins) == [SHORT]
    assert meant(HALF, LONG, begins) == [LONG]
    assert meant(HALF, begins) == [begins]
    assert meant(LONG, SHORT) == [SHORT], "programs that cut the id to 64 bits"
    assert meant("1f", LONG, "1f" + "0" * 30, "2" * 32) == ["1f" + "0" * 30, LONG]


def test_spans_under_the_cut_form_of_an_id_are_kept_until_the_long_form_is_known() -> None:
    name = TraceName("1f2e")
    assert name.may_mean(LONG)
    assert name.may_mean(SHORT)
    assert not name.may_mean("2" * 32)
    assert TraceName(LONG).may_mean(SHORT)
    assert not TraceName(LONG).may_mean("0" * 31 + "1")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (f"http://localhost:16686/trace/{LONG}", "http://localhost:16686"),
        (f"https://u:p@host/a/jaeger/trace/{LONG}?uiFind=1", "https://u:p@host/a/jaeger"),
        (f"http://host/trace/of/trace/{LONG}", "http://host/trace/of"),
        (f"http://host/api/v3/traces/{LONG}", "http://host"),
    ],
)
def test_the_page_of_a_trace_says_which_jaeger_it_is(url: str, base: str) -> None:
    assert read_trace_name(url) == TraceName(LONG, base)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "dump.json",
        "./1f2e",
        "xyz",
        "1f2e*",
        LONG + "0",
        "0" * 32,
        "http://host:16686/jaeger",
        "http://[",
        "١٢٣",
    ],
)
def test_what_is_no_trace_is_none(text: str) -> None:
    assert read_trace_name(text) is None


@pytest.mark.parametrize("written", ["xyz", f"{LONG}...{LONG}", "0" * 16, "%0A"])
def test_the_page_of_no_trace_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="is no trace id"):
        read_trace_name(f"http://localhost:16686/trace/{written}")
