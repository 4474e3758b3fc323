"""Every recording reads, with the counts that plain `json` gives; files, globs and standard input."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from traceviz.asked import Asked
from traceviz.errors import UsageError
from traceviz.sources import Header, gather, read_files
from traceviz.spans import concat

DATA = pathlib.Path(__file__).parents[1].parent / "shared" / "data"
PATTERNS = (
    "mesh/**/traces*.json.gz",
    "mesh/**/trace.json.gz",
    "mesh/**/trace_raw.json.gz",
    "mesh/*/zipkin.json.gz",
    "otel/**/traces*.json.gz",
    "public/**/*.json.gz",
    "nezha/**/*.json.gz",
)
RECORDINGS = sorted({path for pattern in PATTERNS for path in DATA.glob(pattern)})


def documents(path: pathlib.Path) -> Iterator[Any]:
    """The JSON documents of a file, one after another."""
    text, decoder, at = gzip.decompress(path.read_bytes()).decode(), json.JSONDecoder(), 0
    while text[at:].strip():
        document, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        yield document


def spans_of(document: Any) -> Iterator[tuple[str, str]]:
    """Trace id and span id of every span of a parsed document, whatever its format, as they stand there."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if "traceID" in value and "startTime" in value:
                yield value["traceID"], value["spanID"]
            elif "traceId" in value and ("spanId" in value or "id" in value):
                yield value["traceId"], value.get("spanId", value.get("id"))
            else:
                waiting += [item for key, item in value.items() if key not in ("tags", "references", "links")]


def test_the_recordings_are_there() -> None:
    assert len(RECORDINGS) > 130


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: str(path.relative_to(DATA)))
def test_a_recording_has_the_spans_that_plain_json_counts(path: pathlib.Path) -> None:
    found = [span for document in documents(path) for span in spans_of(document)]
    # 16 bytes of base64 are 24 characters and 32 hex digits; ids are compared by number, so padding does not matter.
    expected = Counter((as_number(trace), as_number(span)) for trace, span in found)

    spans = concat(list(read_files([str(path)], io.BytesIO())))

    spans.self_check()
    assert set(spans.notes) <= {"time-unit-guessed", "missing-time"}
    read = zip(spans.trace.tolist(), spans.span_id.tolist(), strict=True)
    assert Counter((int(spans.trace_ids[trace], 16), span) for trace, span in read) == expected
    assert len(spans.trace_ids) == len({trace for trace, _ in expected})


def as_number(text: str) -> int:
    if text.endswith("="):
        return int.from_bytes(base64.b64decode(text), "big")
    return int(text, 16)


def test_several_files_globs_and_standard_input_are_read_in_one_go(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([zipkin("a")]))
    (tmp_path / "b.json").write_text(json.dumps([zipkin("b")]))
    (tmp_path / "folder.json").mkdir()
    chunks = read_files([str(tmp_path / "*.json"), "-"], io.BytesIO(json.dumps([zipkin("c")]).encode()))
    spans = concat(list(chunks))
    assert [spans.texts[code] for code in spans.service] == ["a", "b", "c"]


def test_a_name_that_exists_is_no_glob(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a[b].json").write_text(json.dumps([zipkin("literal")]))
    (tmp_path / "ab.json").write_text(json.dumps([zipkin("matched")]))
    spans = concat(list(read_files([str(tmp_path / "a[b].json")], io.BytesIO())))
    assert [spans.texts[code] for code in spans.service] == ["literal"]


def test_a_gzipped_standard_input_is_known_by_its_first_bytes() -> None:
    stdin = io.BytesIO(gzip.compress(json.dumps([zipkin("a")]).encode()))
    assert [len(chunk) for chunk in read_files(["-"], stdin)] == [1]


@pytest.mark.parametrize(
    ("name", "says"), [("missing.json", "no file"), ("no*.json", "no file matches"), (".", "directory")]
)
def test_a_name_without_a_file_is_an_error_before_anything_is_read(
    tmp_path: pathlib.Path, name: str, says: str
) -> None:
    there = tmp_path / "there.json"
    there.write_text("[]")
    with pytest.raises(UsageError, match=says) as caught:
        read_files([str(there), str(tmp_path / name)], io.BytesIO())
    assert str(tmp_path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("[]")
    secret.chmod(0)
    with pytest.raises(UsageError, match=r"secret\.json.*[Pp]ermission"):
        list(read_files([str(secret)], io.BytesIO()))


def test_a_standard_input_that_fails_is_named() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(UsageError, match="standard input: Input/output error"):
        list(read_files(["-"], Failing()))


def dump(header: Header, *records: Any) -> bytes:
    return b"".join(line + b"\n" for line in [header.to_json(), *(json.dumps(record).encode() for record in records)])


def test_headers_of_dumps_are_collected_and_their_notes_adopted(tmp_path: pathlib.Path) -> None:
    first, second = Header(Asked(("http://a",), 10**18, limit=3)), Header(Asked(("http://b",)), copied=("1f",))
    first.notes.add("limit-hit", 2, ["x"])
    (tmp_path / "a.jsonl").write_bytes(dump(first, {"data": []}, [zipkin("a")]))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(dump(second, [zipkin("b")]) + dump(first)))
    headers: list[Header] = []
    chunks = list(read_files([str(tmp_path / "*")], io.BytesIO(), headers=headers))
    assert [header.to_json() for header in headers] == [first.to_json(), second.to_json(), first.to_json()]
    spans = concat(chunks)
    assert [(note["code"], note["count"]) for note in spans.notes.documents()] == [("limit-hit", 4)]
    assert sorted(spans.texts[code] for code in spans.service) == ["a", "b"]


def test_a_dump_without_spans_gives_its_notes_alone() -> None:
    noted = Header()
    noted.notes.add("limit-hit", 1, ["x"])
    (only,) = read_files(["-"], io.BytesIO(dump(noted)))
    assert (len(only), list(only.notes)) == (0, ["limit-hit"])
    assert list(read_files(["-"], io.BytesIO(dump(Header())))) == []


def test_an_unfinished_dump_says_so() -> None:
    spans = concat(list(read_files(["-"], io.BytesIO(dump(Header(complete=False), [zipkin("a")])))))
    assert [(note["code"], note["examples"]) for note in spans.notes.documents()] == [
        ("fetch-unfinished", ["standard input"])
    ]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ('{"asked":{"from":"yesterday"}}', "$.traceviz.asked.from: expected an instant"),
        ('{"notes":[{"code":"limit-hit","count":"many"}]}', "$.traceviz.notes[0].count: expected int"),
        ("7", "$.traceviz: expected object, got int: 7"),
        ('"1.0"', '$.traceviz: expected object, got str: "1.0"'),
        ('{"source":[NaN]}', "$.traceviz.source[0]"),
    ],
)
def test_a_header_that_cannot_be_read_is_named_and_costs_no_trace(said: str, where: str) -> None:
    headers: list[Header] = []
    data = f'{{"traceviz":{said}}}\n{json.dumps([zipkin("a")])}\n'.encode()
    spans = concat(list(read_files(["-"], io.BytesIO(data), headers=headers)))
    (note,) = spans.notes.documents()
    assert (len(spans), headers, note["code"]) == (1, [], "unreadable-header")
    assert note["examples"][0].startswith(f"standard input: {where}")


def test_zipkin_and_both_apis_of_jaeger_tell_the_same_spans() -> None:
    for case in sorted(path.parent for path in DATA.glob("mesh/*/zipkin.json.gz")):
        names = ("zipkin.json.gz", "v1/traces.json.gz", "v3/traces.json.gz")
        found = [facts(case / name) for name in names if (case / name).exists()]
        if "otel" in case.name:  # the programs' own spans are not in zipkin.json.gz
            found = found[1:]
        both = set.intersection(*({trace for trace, *_ in spans} for spans in found))
        assert len(both) > 20
        first, *others = [Counter(span for span in spans if span[0] in both) for spans in found]
        for other in others:
            assert other == first, case.name


def facts(path: pathlib.Path) -> list[tuple[str, str, str, int, int]]:
    with gather(read_files([str(path)], io.BytesIO())) as gathered:
        (spans,) = gathered.batches()
    return [
        (
            spans.trace_ids[spans.trace[row]],
            spans.texts[spans.service[row]],
            spans.texts[spans.operation[row]],
            int(spans.start_ns[row]) // 1000,
            int(spans.duration_ns[row]) // 1000,
        )
        for row in range(len(spans))
    ]


def zipkin(service: str) -> dict[str, Any]:
    return {"traceId": "1f", "id": "2e", "timestamp": 1, "localEndpoint": {"serviceName": service}}
