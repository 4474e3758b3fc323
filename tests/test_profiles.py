"""Folded stacks and profiles: what is read back is what was written, whatever strangers call their services."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

import traceviz
from tests.builder import forest, in_trace, span
from tests.conftest import MESH
from tests.documents_made import HOSTILE
from tests.test_flame import document
from traceviz.documents import FlameDocument
from traceviz.errors import UsageError
from traceviz.render.folded import folded, parsed
from traceviz.render.frames import BY, By, stacks, value
from traceviz.render.pprof import pprof

NASTY = [*HOSTILE, "a;b", "op 12", "op 1.5", "a\n7", "100%", "%3B", ";", " 3", "x\t4", "# c"]


def nasty() -> FlameDocument:
    """Each name as a service and as an operation, at the top and beneath another one."""
    rows = []
    for number, text in enumerate(NASTY):
        top = span("a", service=text, operation=text, kind="server", ms=20, error=True)
        below = span("b", "a", service=f"{text} below", operation=text, kind="server", start=1, ms=number + 1)
        rows += in_trace(f"t{number}", top, below)
    return document(forest(*rows))


def recorded() -> FlameDocument:
    return document(traceviz.load(str(MESH / "seed_504" / "v3" / "traces.json.gz")))


def expected(found: FlameDocument, by: By) -> dict[tuple[str, ...], int]:
    result: dict[tuple[str, ...], int] = {}
    for frame, stack in zip(found["frames"], stacks(found["frames"]), strict=True):
        if value(frame, by):
            result[stack] = result.get(stack, 0) + value(frame, by)
    return result


# Folded stacks


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("made", [nasty, recorded])
def test_folded_stacks_are_read_back_as_they_were_written(made: Any, by: By) -> None:
    found = made()
    assert parsed(folded(found, by)) == expected(found, by) != {}


#: How flamegraph.pl takes a line apart: if what is left ends in a number as well, that is a second column.
FLAMEGRAPH = re.compile(r"^(.*)\s+?(\d+(?:\.\d*)?)$")


def test_flamegraph_finds_one_number_a_line_and_no_frame_is_torn() -> None:
    found = nasty()
    lines = folded(found).split("\n")
    assert lines.pop() == ""
    assert lines == sorted(lines)
    for line in lines:
        split = FLAMEGRAPH.match(line)
        assert split
        assert not FLAMEGRAPH.match(split[1])
    depths = {line.count(";") for line in lines}
    assert depths == {0, 1}


def test_a_folded_stack_can_be_read() -> None:
    rows = [span("f", service="web", operation="GET /", kind="server", ms=3), span("c", "f", service="cart; 2", ms=1)]
    assert folded(document(forest(*rows))) == "web GET / 2000000\nweb GET /;cart%3B 2 op 1000000\n"


def test_there_is_no_other_value() -> None:
    with pytest.raises(UsageError, match="by 'cpu'"):
        folded(nasty(), "cpu")


# Profiles


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field and value of every entry of a message."""
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2
            size = varint()
            yield key >> 3, message[at : at + size]
            at += size
            assert at <= len(message)


def numbers(packed: bytes) -> list[int]:
    found, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(number)
            number = shift = 0
    return found


def decoded(profile: bytes) -> tuple[list[tuple[str, str]], dict[tuple[str, ...], list[int]]]:
    """The types of values, and the values of each stack, the outermost function first."""
    entries = list(fields(gzip.decompress(profile)))

    def all_of(field: int) -> list[Any]:
        return [content for number, content in entries if number == field]

    strings = [text.decode() for text in all_of(6)]
    assert strings[0] == ""
    types = [tuple(strings[int(index)] for _, index in fields(one)) for one in all_of(1)]
    names = {}
    for one in all_of(5):
        function = dict(fields(one))
        names[function[1]] = strings[int(function[2])]
    functions = {}
    for one in all_of(4):
        location = dict(fields(one))
        functions[location[1]] = names[dict(fields(location[4]))[1]]  # type: ignore[arg-type]
    samples: dict[tuple[str, ...], list[int]] = {}
    for one in all_of(2):
        sample = dict(fields(one))
        stack = tuple(functions[location] for location in reversed(numbers(sample[1])))  # type: ignore[arg-type]
        values = numbers(sample[2])  # type: ignore[arg-type]
        samples[stack] = [a + b for a, b in zip(samples.get(stack, [0, 0, 0]), values, strict=True)]
    (default,) = all_of(14)
    assert strings[default] == "critical"
    return types, samples  # type: ignore[return-value]


@pytest.mark.parametrize("made", [nasty, recorded])
def test_a_profile_holds_every_stack_with_its_three_values(made: Any) -> None:
    found = made()
    types, samples = decoded(pprof(found))
    assert types == [("critical", "nanoseconds"), ("self", "nanoseconds"), ("errors", "count")]
    for place, by in enumerate(BY):
        assert {stack: values[place] for stack, values in samples.items() if values[place]} == expected(found, by)


def test_a_profile_is_the_same_bytes_each_time_and_says_what_it_is_of() -> None:
    found = recorded()
    assert pprof(found) == pprof(recorded())
    entries = list(fields(gzip.decompress(pprof(found))))
    by_number = dict(entries)
    strings = [text.decode() for number, text in entries if number == 6 and isinstance(text, bytes)]
    begin, end = (datetime.fromisoformat(str(text)).timestamp() for text in found["window"].values())
    assert by_number[9] == pytest.approx(begin * 1e9, abs=1e3)
    assert by_number[10] == pytest.approx((end - begin) * 1e9, abs=2e3)
    comments = [strings[number] for field, number in entries if field == 13 and isinstance(number, int)]
    assert comments[0].endswith(f"{found['counts']['traces']} traces, {found['counts']['spans']:,} spans")


def test_without_frames_it_is_a_profile_still() -> None:
    assert decoded(pprof({**recorded(), "frames": []}))[1] == {}
