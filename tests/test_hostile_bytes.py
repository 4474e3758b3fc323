"""Hostile bytes: cut off anywhere, of any type, nested and long beyond reason. No traceback, no hang, no wrong span."""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from typing import Any

import pytest

from tests.commands import called
from tests.fuzz.laws import documents, through
from tests.fuzz.targets import TARGETS
from tests.hostile import DOCUMENTS, INPUTS, VALUES, jaeger, paths, replaced
from traceviz.notes import Notes
from traceviz.sources import gather, read_stream
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.reader import BOMB, SKIPPED_TEXT, TOO_LONG, read_answer, unzipped
from traceviz.sources.split import MOST_BYTES, Splitter, split
from traceviz.spans import Spans, concat


def read(data: bytes, size: int = 1 << 20) -> Spans:
    return concat(list(read_stream((data[at : at + size] for at in range(0, len(data), size)), "f")))


def rows(spans: Spans) -> list[tuple[Any, ...]]:
    """Everything that a span says, as text."""
    columns = {"service": spans.service, "operation": spans.operation, **spans.tags}
    return [
        (
            spans.trace_ids[spans.trace[row]],
            *(int(getattr(spans, name)[row]) for name in ("span_id", "parent_id", "start_ns", "duration_ns", "kind")),
            bool(spans.error[row]),
            tuple(sorted((name, spans.texts[column[row]]) for name, column in columns.items() if column[row])),
        )
        for row in range(len(spans))
    ]


@pytest.mark.parametrize("form", INPUTS)
def test_of_what_is_cut_off_anywhere_every_span_is_right_and_what_is_missing_is_said(form: str) -> None:
    data = INPUTS[form]
    whole = rows(read(data))
    assert whole
    for end in range(len(data)):
        spans = read(data[:end])
        found = rows(spans)
        assert found == whole[: len(found)], end
        # What ends between two lines is whole as far as anybody can tell.
        assert len(found) == len(whole) or len(spans.notes) or is_json(data[:end]), end


def is_json(data: bytes) -> bool:
    """Whether every line is JSON, letters that are none apart."""
    try:
        return all(json.loads(line) for line in data.decode("utf-8", "replace").splitlines())
    except ValueError:
        return False


@pytest.mark.parametrize("form", INPUTS)
def test_the_command_line_says_what_is_wrong_with_what_is_cut_off(form: str) -> None:
    data = INPUTS[form]
    for end in range(0, len(data), max(len(data) // 9, 1)):
        done = called("graph", "-o", "json", "-", stdin=data[:end])
        assert done.code in (0, 3, 65), (end, done.err)
        assert done.err or done.code == 0


@pytest.mark.parametrize("form", ["v1", "v3", "zipkin"])
def test_every_type_in_every_field_leaves_the_other_spans_as_they_are(form: str) -> None:
    document = DOCUMENTS[form]
    whole = rows(read(json.dumps(document).encode()))
    for path in paths(document):
        for value in VALUES:
            data = json.dumps(replaced(document, path, value)).encode()
            spans = read(data)
            if (number := _span_of(path)) is not None:
                others = [row for at, row in enumerate(whole) if at != number]
                assert [row for row in rows(spans) if row in others] == others, (path, value)
                assert len(spans) == len(whole) or len(spans.notes), (path, value)


def _span_of(path: tuple[str | int, ...]) -> int | None:
    """Which of the three spans a path leads into, None where it leads to something above them."""
    if len(path) > 1 and isinstance(path[0], int):
        return path[0]
    if "spans" in path and len(path) > path.index("spans") + 2:
        number = path[path.index("spans") + 1]
        return number if isinstance(number, int) else None
    return None


@pytest.mark.parametrize("form", ["v1", "v3", "zipkin"])
def test_every_type_in_every_field_goes_through_to_the_documents(form: str) -> None:
    document = DOCUMENTS[form]
    for at, path in enumerate(paths(document)):
        for value in VALUES[at % 7 :: 7]:
            data = json.dumps(replaced(document, path, value)).encode()
            with gather(read_stream([data], "f")) as gathered:
                for batch in gathered.batches():
                    documents(through(batch))


@pytest.mark.parametrize("form", ["v1", "v3"])
def test_every_type_in_every_field_is_the_same_in_bulk(form: str) -> None:
    document = DOCUMENTS[form]
    for path in paths(document):
        for value in VALUES:
            data = json.dumps(replaced(document, path, value)).encode()
            answer, stream = read_answer(data, "f"), read(data)
            assert (rows(answer), answer.notes.documents()) == (rows(stream), stream.notes.documents()), (path, value)


def test_every_type_in_the_header_of_a_dump_costs_no_trace() -> None:
    for path in paths(DOCUMENTS["header"]):
        for value in VALUES:
            line = json.dumps(replaced(DOCUMENTS["header"], path, value)).encode()
            assert len(read(line + b"\n" + INPUTS["v1"])) == 3, (path, value)


@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"\xc3", b'"', b"\\", b"{", b"]", b"\n", b"9", b"\xed\xa0\x80"])
@pytest.mark.parametrize("form", ["v1", "v3", "zipkin"])
def test_a_byte_too_many_anywhere_is_read_or_said(form: str, byte: bytes) -> None:
    data = INPUTS[form]
    for at in range(0, len(data), 3):
        damaged = data[:at] + byte + data[at:]
        spans = read(damaged)
        assert len(spans) == 3 or len(spans.notes) or is_json(damaged), at  # a key of another name is a key


FILLS = (
    "x",
    "x\n",
    '\\"',
    "[",
    "{",
    '{"a":',
    '[{"a":',
    "}{",
    '"a":1,',
    '"a":"b",',
    '{"a":NaN},',
    '"',
    '",',
    "9",
    " ",
    "\\",
)
BEGINNINGS = {
    "nothing": "",
    "a text": '"',
    "a key": '{"data":[{"',
    "traces": '{"data":[{"traceID":"1f","spans":[',
    "processes": '{"data":[{"traceID":"1f","processes":{',
    "an operation": '{"traceID":"1f","spans":[{"traceID":"1f","spanID":"2","operationName":"',
    "a name": '{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"name":"',
    "tags": '[{"traceId":"1","id":"2","tags":{',
    "a header": '{"traceviz":{"',
    "errors": '{"errors":["',
    "a summary": '{"traces":[{"rootServiceName":"',
    "nan": '{"data":[{"traceID":"1f","x":NaN,"spans":["',
}


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_what_never_ends_is_read_in_the_time_of_its_length(begin: str) -> None:
    """A tenth of a second or so for each; were it the square of the length, a minute."""
    for fill in FILLS:
        data = (BEGINNINGS[begin] + fill * (300_000 // len(fill))).encode()
        before = time.process_time()
        spans = read(data)
        assert time.process_time() - before < 10, fill
        assert len(spans.notes) or not data.strip(), fill


BEGUN = {
    "v1": '{"traceID":"1","spans":[',
    "v3": '{"resource":{},"scopeSpans":[{"spans":[',
    "zipkin": '[{"traceId":"1","id":"2","tags":{"a":',
}


@pytest.mark.parametrize("beginning", BEGUN.values(), ids=BEGUN)
def test_records_in_records_that_never_end_are_found_by_their_beginnings(beginning: str) -> None:
    """Each of them used to be looked through to the end of the input for its own end."""
    before = time.process_time()
    records = [record for record in split([(beginning * 10_000).encode()]) if record.what != "cut"]
    assert len(records) == 10_000
    assert time.process_time() - before < 10


def test_a_text_of_50_mb_is_a_text() -> None:
    trace = jaeger()
    trace["spans"][1]["operationName"] = "x" * 50_000_000
    trace["spans"][2]["tags"].append({"key": "not.wanted", "value": "y" * 1_000_000})
    data = json.dumps({"data": [trace]}).encode()
    splitter = Splitter(data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20))
    assert [record.what for record in splitter.records()] == ["jaeger"]
    assert splitter.held <= len(data) + (2 << 20)
    spans = read(data)
    assert len(spans) == 3
    assert max(map(len, spans.texts.values)) == 50_000_000


@pytest.mark.parametrize("value", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
@pytest.mark.parametrize("form", ["v1", "v3", "zipkin"])
def test_what_is_nested_100_000_deep_costs_no_more_than_its_span(form: str, value: str) -> None:
    data = INPUTS[form].replace(b'"500"', value.encode(), 1).replace(b"500}", value.encode() + b"}", 1)
    assert len(data) > 100_000
    spans = read(data)
    assert len(spans) >= 2
    assert len(spans) + spans.notes.count(UNREADABLE_RECORD) == 3


def test_a_million_tags_are_read() -> None:
    trace = jaeger()
    trace["spans"][0]["tags"] = [{"key": f"k{number}", "value": number} for number in range(1_000_000)]
    trace["spans"][0]["tags"].append({"key": "http.status_code", "value": 418})
    spans = read(json.dumps({"data": [trace]}).encode())
    assert [spans.texts[code] for code in spans.tag("status").tolist()] == ["418", "500", "500"]


def test_no_value_is_held_that_is_longer_than_the_limit_and_what_comes_behind_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is made small here. It is one for a value, not for the input."""
    assert MOST_BYTES == 1 << 29, "what the note says"
    monkeypatch.setattr("traceviz.sources.split.MOST_BYTES", 1 << 22)
    block = b"x" * (1 << 16)
    beginning, ending = b'{"data":[{"traceID":"1f","spans":["', b'"]}]}\n' + INPUTS["v1"] + b"\n"
    splitter = Splitter([beginning, *[block] * 500, ending, *[ending] * 200])
    records = list(splitter.records())
    assert splitter.held < 1.2 * (1 << 22)
    assert [record.what for record in records].count("long") == 1
    assert len([record for record in records if record.what == "jaeger" and len(record.data) < 5000]) == 201
    spans = concat(list(read_stream([beginning, *[block] * 500, ending], "f")))
    assert spans.notes.count(TOO_LONG) == 1
    assert len(spans) == 3


def bomb(size: int) -> bytes:
    """A gzip file that unpacks to so many MB of zeros."""
    packer = zlib.compressobj(9, wbits=31)
    megabyte = b"0" * (1 << 20)
    return b"".join(packer.compress(megabyte) for _ in range(size)) + packer.flush()


def test_a_gzip_bomb_is_read_no_further_than_traces_could_compress() -> None:
    data = bomb(400)
    notes = Notes()
    unpacked = sum(map(len, unzipped([data], "f", notes)))
    assert (1 << 28) <= unpacked < (1 << 28) + (2 << 20)
    assert notes.documents()[0]["examples"][0].startswith("f: ")
    assert notes.count(BOMB) == 1


def test_a_bomb_behind_good_traces_costs_only_what_is_behind_it() -> None:
    spans = concat(list(read_stream([gzip.compress(INPUTS["v1"]) + bomb(400)], "f")))
    assert len(spans) == 3
    assert list(spans.notes) == sorted([BOMB, SKIPPED_TEXT])


def test_a_large_file_of_ordinary_ratio_is_no_bomb() -> None:
    data = gzip.compress(random.Random(1).randbytes(1 << 20).hex().encode() * 150, 1)
    notes = Notes()
    assert sum(map(len, unzipped([data], "f", notes))) == 150 << 21
    assert not len(notes)


def test_gzip_with_any_byte_damaged_is_read_as_far_as_it_goes() -> None:
    data = INPUTS["gz"]
    for at in range(len(data)):
        for byte in (data[at] ^ 1, data[at] ^ 0x80):
            damaged = data[:at] + bytes([byte]) + data[at + 1 :]
            spans = read(damaged)
            assert len(spans) == 3 or len(spans.notes), at


#: What the fuzzer found, by target, as small as it could be made.
FINDS: list[tuple[str, bytes]] = [
    # What a cut-off input says of its end depended on how it came in blocks.
    (
        "split",
        b'[{"traceID":"","":[],"":[{"":"","":[],"":5,"":9,"":[{"":"","":"","":"","":"","":""},{"":"","":"","":true},'
        b'{"":""},{"":"},{"y":"","l":[{"k":"e","te":""}]}],"ps":null}],"p":{"":{"e":"s","":[]}},"":null}',
    ),
    # Where a broken record ends depended on it as well: a beginning that was cut was passed over for the next one.
    (
        "split",
        b'a":[{"traceID":"2a4:"strin4"}],"logs":[{"timestamp":17,"fields":[{"k"string","valup.status_code":"p1",'
        b'"warningcesses":{"p1":[{"traceID":"2258","spans":[ter","type":"string","value"ngs":null}],"processes":{',
    ),
    # And so did whether a list that breaks off is one of records.
    ("split", b"[null"),
    # Reading in bulk did not look at the id of the trace itself, and said nothing of what is wrong with it.
    (
        "bulk",
        b'{"traceID":"\xd6","spans":[{"traceID":"d","spanID":"4","operationName":"","startTime":795394834774625,'
        b'"duration":9,"processID":"p1"}],"processes":{"p1":{}}}',
    ),
]


@pytest.mark.parametrize(("target", "data"), FINDS)
def test_what_the_fuzzer_found_holds(target: str, data: bytes) -> None:
    TARGETS[target](data)
