"""The dump that `traceviz fetch` writes: a line a trace, readable at any moment, resumed without loss or repetition."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import traceviz
from tests.conftest import MESH, ROOT, SHARED
from traceviz.asked import Asked
from traceviz.errors import UsageError
from traceviz.keeping.dump import DumpWriter, is_begun
from traceviz.notes import Notes
from traceviz.sources.fields import UNREADABLE_RECORD, trace_id
from traceviz.sources.header import UNFINISHED_FETCH, Header
from traceviz.sources.lines import Line, lines
from traceviz.sources.reader import CUT_OFF, REFUSAL, SKIPPED_TEXT

OTEL = SHARED / "data" / "otel"
RECORDINGS = sorted(
    path for folder in (MESH, OTEL) for form in ("v1", "v3") for path in folder.glob(f"*/{form}/traces.json.gz")
)
ASKED = Asked(("http://localhost:16686",), 10**18, 2 * 10**18, "istio-ingress", 1000)
HEADER, DONE = Header(ASKED, complete=False), Header(ASKED, complete=True)


def recording(case: str, form: str) -> bytes:
    return gzip.decompress((MESH / case / form / "traces.json.gz").read_bytes())


def read(body: bytes) -> tuple[list[Line], Notes]:
    notes = Notes()
    return list(lines(body, "answer", notes)), notes


def v1(*traces: Any) -> bytes:
    return json.dumps({"data": traces, "total": 0, "errors": None}).encode()


def v3(*resources: Any) -> bytes:
    return json.dumps({"result": {"resourceSpans": resources}}).encode()


def resource(service: str, *scopes: Any) -> dict[str, Any]:
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    return {"resource": {"attributes": attributes}, "scopeSpans": list(scopes), "schemaUrl": "urn:schema", "more": [1]}


def scope(name: str, *spans: Any) -> dict[str, Any]:
    return {"scope": {"name": name}, "spans": list(spans), "schemaUrl": "urn:of-scope"}


def span(trace: str, number: int, **more: Any) -> dict[str, Any]:
    return {"traceId": trace, "spanId": f"{number:016x}", "name": f"span {number}", **more}


# An answer becomes lines


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parents[1].name}-{path.parent.name}")
def test_the_lines_of_an_answer_are_its_traces_one_each_in_its_order(path: Path) -> None:
    found, notes = read(path.read_bytes())
    document = json.loads(gzip.decompress(path.read_bytes()))
    if "data" in document:
        ids = [trace["traceID"] for trace in document["data"]]
        assert [json.loads(line.data) for line in found] == [{"data": [trace]} for trace in document["data"]]
    else:
        ids = [s["traceId"] for r in document["result"]["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]
    assert [line.trace_id for line in found] == list(dict.fromkeys(trace_id(text, "") for text in ids))
    assert not any(b"\n" in line.data or b"\r" in line.data for line in found)
    assert notes.documents() == []


@pytest.mark.parametrize("form", ["v1", "v3"])
@pytest.mark.parametrize(
    "case", ["mesh/no_route", "mesh/otel_some", "mesh/retries_spawned", "otel/shop_exception_old_names"]
)
def test_a_dump_is_read_back_to_the_same_documents(case: str, form: str, tmp_path: Path) -> None:
    path = SHARED / "data" / case / form / "traces.json.gz"
    copy = tmp_path / "copy.jsonl.gz"
    with DumpWriter.create(copy, Header(complete=False)) as dump:
        dump.add((line.data for line in read(path.read_bytes())[0]), None)
        dump.finish(Header())
    one, other = traceviz.load(str(path)).report(), traceviz.load(str(copy)).report()
    assert {**one.graph(), "source": [], "asked": {}} == {**other.graph(), "source": [], "asked": {}}
    assert one.errors()["failing_hops"] == other.errors()["failing_hops"]


def test_v3s_spans_are_regrouped_verbatim_with_all_that_stands_around_them() -> None:
    a, b = "a" * 32, "b" * 32
    strange = {"unknown": {"deep": [1.50, 1e3, "\u00e9"]}, "attributes": []}
    found, notes = read(
        v3(
            resource("one", scope("x", span(a, 1, **strange), span(b, 2), span(a, 3)), scope("y", span(b, 4))),
            resource("two", scope("x", span(a, 5))),
        )
    )
    assert [line.trace_id for line in found] == [a, b]
    assert json.loads(found[0].data) == {
        "resourceSpans": [
            resource("one", scope("x", span(a, 1, **strange), span(a, 3))),
            resource("two", scope("x", span(a, 5))),
        ]
    }
    assert json.loads(found[1].data) == {
        "resourceSpans": [resource("one", scope("x", span(b, 2)), scope("y", span(b, 4)))]
    }
    assert b"[1.5, 1000.0, " in found[0].data  # as json wrote it, spaces and all
    assert not notes.documents()


def test_the_older_name_of_scopes_stays() -> None:
    old = {"resource": {}, "instrumentationLibrarySpans": [{"spans": [span("a" * 32, 1)]}], "scopeSpans": []}
    assert [json.loads(line.data) for line in read(v3(old))[0]] == [
        {"resourceSpans": [{key: value for key, value in old.items() if key != "scopeSpans"}]}
    ]


def test_a_trace_in_several_places_of_an_answer_is_one_line() -> None:
    one, other = {"traceID": "1f", "spans": [], "processes": {}}, {"traceID": "2", "spans": [], "processes": {}}
    again = {"traceID": "000000000000001F", "spans": [], "processes": {"p1": {}}}
    found, _ = read(v1(one, other, again))
    assert [json.loads(line.data) for line in found] == [{"data": [one, again]}, {"data": [other]}]


@pytest.mark.parametrize("text", ["1f", "000000000000001F", "AAAAAAAAAAAAAAAAAAAAHw=="])
def test_ids_are_normalised_and_spans_stay_as_they_came(text: str) -> None:
    (line,), _ = read(v3(resource("one", scope("x", span(text, 1)))))
    assert line.trace_id == "1f".zfill(32)
    assert json.loads(line.data)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == text
    (line,), _ = read(v1({"traceID": text, "spans": [], "processes": {}}))
    assert line.trace_id == "1f".zfill(32)


def test_line_breaks_between_tokens_go_and_texts_stay() -> None:
    trace = {"traceID": "1f", "spans": [{"traceID": "1f", "operationName": "a\nb\r\u2028"}], "processes": {}}
    for body in (
        json.dumps({"data": [trace]}, indent=2),
        json.dumps({"data": [trace]}, indent=1).replace("\n", "\r\n"),
    ):
        (line,), _ = read(body.encode())
        assert json.loads(line.data) == {"data": [trace]}
        assert b"\n" not in line.data
        assert b"\r" not in line.data


def test_a_trace_without_a_readable_id_is_a_line_as_it_came() -> None:
    nameless, wrong = {"spans": [{"spanID": "1"}], "processes": {}}, {"traceID": 5, "spans": [], "processes": {}}
    spans = {"spans": [{"traceID": "2e"}], "processes": {}}
    found, notes = read(v1(nameless, wrong, spans))
    assert [(line.trace_id, json.loads(line.data)) for line in found] == [
        ("", {"data": [nameless, wrong]}),
        ("2e".zfill(32), {"data": [spans]}),
    ]
    no_list = {"resource": {}, "scopeSpans": 7}
    found, notes = read(v3(resource("one", scope("x", span("no hex", 1))), no_list))
    assert [(line.trace_id, json.loads(line.data)) for line in found] == [
        ("", {"resourceSpans": [resource("one", scope("x", span("no hex", 1)))]}),
        ("", {"resourceSpans": [no_list]}),
    ]
    assert not notes.documents()


def test_what_is_no_json_is_noted_and_the_rest_is_there() -> None:
    good = json.dumps({"traceID": "2e", "spans": [], "processes": {}})
    found, notes = read(f'{{"data":[{{"traceID":"1f","spans":[{{"duration":NaN}}]}},{good}]}}'.encode())
    assert [line.trace_id for line in found] == ["2e".zfill(32)]
    assert notes.documents()[0]["code"] == UNREADABLE_RECORD
    assert "$.data[0].spans[0].duration" in notes.documents()[0]["examples"][0]


def test_what_an_answer_says_beside_its_traces_is_noted() -> None:
    body = json.dumps({"data": [{"traceID": "1f", "spans": []}, 7], "errors": [{"msg": "trace not found"}]})
    found, notes = read(body.encode() + b" tail")
    assert len(found) == 1
    assert (notes.count(REFUSAL), notes.count(UNREADABLE_RECORD), notes.count(SKIPPED_TEXT)) == (1, 1, 1)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[]}', b'{"data":null}', b'{"result":{"resourceSpans":[]}}'])
def test_an_answer_without_traces_has_no_lines(body: bytes) -> None:
    found, notes = read(body)
    assert found == []
    assert notes.documents() == []


@pytest.mark.parametrize("form", ["v1", "v3"])
def test_of_an_answer_cut_off_come_whole_traces_only(form: str) -> None:
    body = recording("bug", form)
    whole = {line.trace_id: line.data for line in read(body)[0]}
    for at in range(40, len(body), len(body) // 23):
        found, notes = read(body[:at])
        assert all(whole[line.trace_id] == line.data for line in found)
        assert list(whole)[: len(found)] == [line.trace_id for line in found]
        assert notes.count(CUT_OFF) == 1
        assert len(found) >= len(whole) * at // len(body) - 4
        assert read(gzip.compress(body)[:-10])[1].count(CUT_OFF) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_where_traces_should_be_raises_nothing(document: Any) -> None:
    for body in (v1(document), v3(document), v3({"resource": {}, "scopeSpans": document}), v1({"spans": document})):
        for line in read(body)[0]:
            assert b"\n" not in line.data
            json.loads(line.data)


# The file

PAGES = [[b'{"data":[{"traceID":"%x","spans":[],"processes":{}}]}' % n for n in range(p, p + 3)] for p in (1, 4, 7)]
IDS = [f"{n:032x}" for n in range(1, 10)]


@pytest.fixture(params=[".jsonl", ".jsonl.gz"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"day{request.param}"


def content(path: Path) -> list[Any]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def ids_in(path: Path) -> list[str]:
    return [trace_id(line["data"][0]["traceID"], "") for line in content(path)[1:]]


def begun(place: Path, pages: int = 3) -> None:
    with DumpWriter.create(place, HEADER, {"windows": 0}) as dump:
        for number, page in enumerate(PAGES[:pages], 1):
            dump.add(page, {"windows": number})


def beside(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir() if path != place)


def test_a_dump_is_a_header_and_the_pages(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        for page in PAGES:
            dump.add(page, None)
        dump.finish(DONE)
    first, *rest = content(place)
    assert first == json.loads(DONE.to_json())
    assert first["traceviz"]["complete"] is True
    assert rest == [json.loads(line) for page in PAGES for line in page]
    assert beside(place) == []
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_it_is_readable_after_every_page_and_says_that_it_is_unfinished(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        for number, page in enumerate(PAGES, 1):
            dump.add(page, None)
            assert ids_in(place) == IDS[: 3 * number]
            assert content(place)[0]["traceviz"]["complete"] is False


def test_the_end_changes_the_header_and_not_one_byte_of_the_pages(place: Path) -> None:
    begun(place)
    before = place.read_bytes()
    with DumpWriter.resume(place) as dump:
        dump.finish(DONE)
    pages = b"".join(gzip.compress(b"".join(x + b"\n" for x in page), 6, mtime=0) for page in PAGES)
    if place.suffix == ".jsonl":
        pages = b"".join(line + b"\n" for page in PAGES for line in page)
    assert before.endswith(pages)
    assert place.read_bytes().endswith(pages)


@pytest.mark.parametrize("complete", [True, False])
def test_lines_that_are_not_wanted_go_at_the_end(place: Path, complete: bool) -> None:
    begun(place)
    wanted = [number % 3 == 1 for number in range(9)]
    with DumpWriter.resume(place) as dump:
        dump.finish(Header(ASKED, complete=complete), wanted)
    assert ids_in(place) == [IDS[1], IDS[4], IDS[7]]
    with DumpWriter.resume(place) as dump:
        assert list(dump.trace_ids()) == [IDS[1], IDS[4], IDS[7]]
        assert dump.progress == (None if complete else {"windows": 3})
        dump.add(PAGES[0], {"windows": 4})
    assert ids_in(place) == [IDS[1], IDS[4], IDS[7], *IDS[:3]]


def test_many_lines_that_are_wanted_are_pages_again(tmp_path: Path) -> None:
    place = tmp_path / "day.jsonl.gz"
    long = [
        b'{"data":[{"traceID":"%x","warnings":["%s"]}]}' % (n, os.urandom(200_000).hex().encode()) for n in range(1, 9)
    ]
    with DumpWriter.create(place, HEADER) as dump:
        dump.add(long, None)
        dump.finish(DONE, [number != 3 for number in range(8)])
    assert ids_in(place) == [one for number, one in enumerate(IDS[:8]) if number != 3]
    assert place.read_bytes().count(b"\x1f\x8b\x08\0\0\0\0\0") >= 3


def test_a_discarded_dump_leaves_nothing(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        dump.add(PAGES[0], None)
        dump.discard()
    assert list(place.parent.iterdir()) == []


def test_a_line_that_nobody_can_read_counts_as_a_line_without_an_id(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        dump.add([PAGES[0][0], b'{"data":[]}', b'{"data":[{"traceID":NaN}]}', PAGES[0][1]], None)
        assert list(dump.trace_ids()) == [IDS[0], "", "", IDS[1]]


def test_what_was_noted_at_the_end_comes_back_to_the_reader(tmp_path: Path) -> None:
    place = tmp_path / "day.jsonl.gz"
    notes = Notes()
    notes.add(SKIPPED_TEXT, 3, ["example"])
    found, _ = read(recording("bug", "v1"))
    with DumpWriter.create(place, HEADER) as dump:
        dump.add((line.data for line in found), None)
        assert {n["code"] for n in traceviz.load(str(place)).report().graph()["notes"]} >= {UNFINISHED_FETCH}
        dump.finish(Header(ASKED, notes=notes))
    said = {note["code"]: note["count"] for note in traceviz.load(str(place)).report().graph()["notes"]}
    assert said[SKIPPED_TEXT] == 3
    assert UNFINISHED_FETCH not in said


def test_a_resumed_dump_is_the_one_that_never_stopped(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        for page in PAGES:
            dump.add(page, None)
        dump.finish(DONE)
    whole = place.read_bytes()
    place.unlink()
    begun(place, 2)
    with DumpWriter.resume(place) as dump:
        assert dump.progress == {"windows": 2}
        assert dump.header.to_json() == HEADER.to_json()
        assert list(dump.trace_ids()) == IDS[:6]
        dump.add(PAGES[2], {"windows": 3})
        dump.finish(DONE)
    assert place.read_bytes() == whole


def test_every_torn_tail_is_read_up_to_it_and_cut_away_when_resumed(place: Path) -> None:
    begun(place, 2)
    good, torn = place.read_bytes(), place.with_name("torn" + "".join(place.suffixes))
    with DumpWriter.resume(place) as dump:
        dump.add(PAGES[2], {"windows": 3})
    more = place.read_bytes()
    (progress,) = beside(place)
    begun(torn, 2)
    known = Path(f"{torn}.progress").read_bytes()
    assert progress == f"{place.name}.progress"
    for end in range(len(good), len(more) + 1):
        torn.write_bytes(more[:end])
        Path(f"{torn}.progress").write_bytes(known)
        assert [found.trace_id for found in read(torn.read_bytes())[0]][:6] == IDS[:6]
        with DumpWriter.resume(torn) as dump:
            assert dump.progress == {"windows": 2}
            assert list(dump.trace_ids()) == IDS[:6]
        assert torn.read_bytes() == good


def test_a_file_cut_off_anywhere_is_read_without_failure(tmp_path: Path) -> None:
    place = tmp_path / "day.jsonl.gz"
    begun(place)
    data = place.read_bytes()
    for end in range(len(data)):
        found = [line.trace_id for line in read(data[:end])[0]]
        assert found == IDS[: len(found)]


def test_a_fetch_stopped_by_the_user_keeps_its_notes_and_is_resumed(place: Path) -> None:
    notes = Notes()
    notes.add(SKIPPED_TEXT, 12345, ["a long example " * 20])
    with DumpWriter.create(place, HEADER) as dump:
        dump.add(PAGES[0], {"windows": 1})
        dump.finish(Header(ASKED, notes=notes, complete=False))
    assert ids_in(place) == IDS[:3]
    with DumpWriter.resume(place) as dump:
        assert (dump.header.complete, dump.header.notes.count(SKIPPED_TEXT), dump.progress) == (
            False,
            12345,
            {"windows": 1},
        )
        dump.add(PAGES[1], {"windows": 2})
        dump.finish(DONE)
    assert ids_in(place) == IDS[:6]
    assert beside(place) == []


def test_a_finished_dump_says_so_to_who_resumes_it(place: Path) -> None:
    begun(place)
    with DumpWriter.resume(place) as dump:
        dump.finish(Header(ASKED, copied=("1f",)))
    before = place.read_bytes()
    place.with_name(f"{place.name}.progress").write_text("left by a process that was killed just then")
    with DumpWriter.resume(place) as dump:
        assert (dump.header.complete, dump.header.copied, dump.progress) == (True, ("1f",), None)
        assert list(dump.trace_ids()) == IDS
    assert place.read_bytes() == before
    assert beside(place) == []


def test_an_empty_page_moves_the_progress_alone(place: Path) -> None:
    begun(place, 1)
    before = place.read_bytes()
    with DumpWriter.resume(place) as dump:
        dump.add([], {"windows": 9})
    assert place.read_bytes() == before
    with DumpWriter.resume(place) as dump:
        assert dump.progress == {"windows": 9}


def test_an_empty_file_is_as_good_as_none(place: Path) -> None:
    assert not is_begun(place)
    place.touch()
    assert not is_begun(place)
    begun(place)
    assert is_begun(place)


def test_a_file_in_use_by_another_writer_is_left_to_it(place: Path) -> None:
    with DumpWriter.create(place, HEADER) as dump:
        dump.add(PAGES[0], None)
        with pytest.raises(UsageError, match="is being written by another process"):
            DumpWriter.resume(place)
        dump.add(PAGES[1], None)
    assert ids_in(place) == IDS[:6]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "kept" / "day.jsonl", tmp_path / "link.jsonl"
    target.parent.mkdir()
    link.symlink_to(target)
    with DumpWriter.create(link, HEADER) as dump:
        dump.add(PAGES[0], None)
        dump.finish(DONE)
    assert link.is_symlink()
    assert ids_in(target) == IDS[:3]


def refused(action: Callable[[], object], match: str) -> UsageError:
    with pytest.raises(UsageError, match=match) as caught:
        action()
    assert caught.value.remedy
    return caught.value


def test_what_is_there_is_not_written_over(place: Path) -> None:
    begun(place, 1)
    before = place.read_bytes()
    assert "--resume" in refused(lambda: DumpWriter.create(place, HEADER), "did not come to its end").remedy
    with DumpWriter.resume(place) as dump:
        dump.finish(DONE)
    refused(lambda: DumpWriter.create(place, HEADER), "is there already")
    assert ids_in(place) == IDS[:3]
    assert len(before) > 0


@pytest.mark.parametrize("name", ["day.json", "day.gz", "day", "day.jsonl.zst"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    refused(lambda: DumpWriter.create(tmp_path / name, HEADER), "suffix")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_not_resumed(place: Path) -> None:
    for stranger in (b'{"data":[]}\n', b"\x1f\x8b nonsense", gzip.compress(b'{"data":[]}\n'), b"no line end"):
        place.write_bytes(stranger)
        refused(lambda: DumpWriter.resume(place), "was not written by traceviz fetch")
        assert place.read_bytes() == stranger


def test_a_damaged_header_is_named(place: Path) -> None:
    line = b'{"traceviz":{"asked":{"from":"yesterday"}}}\n'
    place.write_bytes(gzip.compress(line) if place.suffix == ".gz" else line)
    refused(lambda: DumpWriter.resume(place), "yesterday")


def test_without_its_progress_an_unfinished_dump_cannot_go_on(place: Path) -> None:
    begun(place)
    progress = place.with_name(f"{place.name}.progress")
    progress.write_bytes(b"{}")
    refused(lambda: DumpWriter.resume(place), "does not say what is done")
    progress.unlink()
    refused(lambda: DumpWriter.resume(place), "is missing")


def test_a_dump_without_a_progress_leaves_nothing_beside_it_and_cannot_go_on(place: Path) -> None:
    place.with_name(f"{place.name}.progress").write_text("left from a file that was removed")
    with DumpWriter.create(place, HEADER) as dump:
        dump.add(PAGES[0], None)
        assert beside(place) == []
        dump.finish(HEADER)
    assert beside(place) == []
    assert "anonymised" in refused(lambda: DumpWriter.resume(place), "is missing").remedy
    assert ids_in(place) == IDS[:3]


def test_a_dump_that_lost_pages_is_not_resumed(place: Path) -> None:
    begun(place)
    os.truncate(place, place.stat().st_size - 20)
    refused(lambda: DumpWriter.resume(place), "is shorter than")


def test_damage_within_is_named_where_the_ids_are_read(tmp_path: Path) -> None:
    place = tmp_path / "day.jsonl.gz"
    begun(place)
    data = bytearray(place.read_bytes())
    data[-30] ^= 0xFF
    place.write_bytes(data)
    with DumpWriter.resume(place) as dump:
        refused(lambda: list(dump.trace_ids()), "is damaged")


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("no/such/day.jsonl", "folder.jsonl"):
        with pytest.raises(UsageError, match=f"cannot write .*{name}"):
            DumpWriter.create(tmp_path / name, HEADER)
        with pytest.raises(UsageError, match=f"cannot write .*{name}"):
            DumpWriter.resume(tmp_path / name)


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from traceviz.asked import Asked
from traceviz.errors import UsageError
from traceviz.keeping.dump import DumpWriter
from traceviz.sources.header import Header
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with DumpWriter.create(sys.argv[2], Header(complete=False)) as dump:
    dump.add([b'{"data":[{"traceID":"1","spans":[],"processes":{}}]}'], 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
    try:
        dump.add([b'{"data":[{"traceID":"2","warnings":["%s"]}]}' % (b"x" * 9000)], 2)
    except UsageError as error:
        print(error, "|", error.remedy)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    try:
        dump.finish(Header(copied=("x" * 900,)))
    except UsageError as error:
        print(error, "|", error.remedy)
"""


def test_where_no_room_is_left_what_was_written_is_kept_and_resumed(tmp_path: Path) -> None:
    place = tmp_path / "day.jsonl"
    script = subprocess.run(
        [sys.executable, "-c", LIMITED, str(ROOT), str(place)], capture_output=True, text=True, check=True
    )
    page, end = script.stdout.splitlines()
    assert page.startswith(f"cannot write {place}: {os.strerror(errno.EFBIG)} | What came before is kept")
    assert end.startswith(f"cannot write {place}: {os.strerror(errno.EFBIG)} | All traces are kept")
    assert ids_in(place) == IDS[:1]
    assert beside(place) == ["day.jsonl.progress"]
    with DumpWriter.resume(place) as dump:
        assert dump.progress == 1
        dump.add(PAGES[0][1:], 2)
        dump.finish(DONE)
    assert ids_in(place) == IDS[:3]


ENDLESS = """
import sys
sys.path.insert(0, sys.argv[1])
from traceviz.keeping.dump import DumpWriter
from traceviz.sources.header import Header
with DumpWriter.create(sys.argv[2], Header(complete=False), 0) as dump:
    number = 0
    while True:
        page = [b'{"data":[{"traceID":"%x","spans":[],"processes":{}}]}' % n for n in range(number + 1, number + 400)]
        number += 399
        dump.add(page, number)
        print(number, flush=True)
"""


@pytest.mark.parametrize("pages", [1, 7, 40])
def test_a_writer_that_is_killed_leaves_a_dump_to_read_and_to_resume(place: Path, pages: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(ROOT), str(place)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(pages):
        said = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.stdout.close()
    writer.wait()
    found = [line.trace_id for line in read(place.read_bytes())[0]]
    assert found == [f"{n + 1:032x}" for n in range(len(found))]
    assert len(found) >= said
    with DumpWriter.resume(place) as dump:
        assert said <= dump.progress
        assert list(dump.trace_ids()) == [f"{n + 1:032x}" for n in range(dump.progress)]
        dump.finish(DONE)
    assert beside(place) == []
