"""traceviz tree: which trace is meant, where it is looked for, and what comes out."""

from __future__ import annotations

import gzip
import html
import json
from pathlib import Path
from typing import Any

import pytest

import traceviz
from tests.commands import NONE, SEED, called
from tests.conftest import MESH, SHARED
from tests.unruly import Exchange, unruly
from traceviz.demo import serve_recording
from traceviz.demo.answers import Answer

RETRIES = str(MESH / "retries_spawned" / "v1" / "traces.json.gz")
SINGLE = str(SHARED / "data/public/jaeger/jaegerui_overlapping_children_longer_than_parent.json.gz")


def tree(*arguments: str, **more: Any) -> Any:
    return called("tree", *arguments, "-o", "json", **more).json()


def ids(path: str) -> list[str]:
    return sorted(traceviz.load(path).spans.trace_ids)


# In files


def test_a_trace_of_a_file_is_found_by_its_id_and_by_the_start_of_it() -> None:
    wanted = ids(SEED)[17]
    whole = tree(wanted, SEED)
    assert whole["trace_id"] == wanted
    assert whole["counts"]["traces"] == 1
    assert tree(wanted[:6].upper(), SEED) == whole
    assert tree(wanted, NONE, SEED)["spans"] == whole["spans"]


def test_the_tree_is_of_that_trace_alone_with_its_verdict() -> None:
    document = tree("--failing", SEED)
    (broken,) = (call for call in document["calls"] if call["failing"])
    assert (broken["callee"], broken["reason"], broken["status"]) == ("service-python", "fault-injected", "504")
    assert document["text"].startswith("istio-ingress → service-python failed with 504: ")


def test_an_id_that_no_trace_has_ends_with_3() -> None:
    ended = called("tree", "f" * 32, SEED)
    assert ended.code == 3
    assert "has the id ffff" in ended.err
    assert called("tree", "fffffff", SEED).code == 3


def test_a_start_that_several_traces_have_is_refused_and_some_are_listed() -> None:
    first = next(digit for digit in "0123456789abcdef" if sum(one.startswith(digit) for one in ids(SEED)) > 1)
    ended = called("tree", first, SEED)
    assert ended.code == 2
    alike = [one for one in ids(SEED) if one.startswith(first)]
    assert f"{len(alike)} traces have ids that begin with {first}" in ended.err
    assert all(one in ended.err for one in alike[:5])


def test_a_trace_whose_spans_are_scattered_over_files_is_whole(tmp_path: Path) -> None:
    wanted = max(ids(RETRIES))
    document = json.loads(gzip.decompress(Path(RETRIES).read_bytes()))
    (trace,) = (one for one in document["data"] if one["traceID"] == wanted)
    for number in range(2):
        part = {**trace, "spans": trace["spans"][number::2]}
        (tmp_path / f"{number}.json").write_text(json.dumps({"data": [part]}))
    parts = tree(wanted, *(str(tmp_path / f"{number}.json") for number in range(2)))
    assert parts["spans"] == tree(wanted, RETRIES)["spans"]


def test_a_trace_that_some_programs_know_by_half_of_its_id_is_whole(tmp_path: Path) -> None:
    wanted = max(ids(RETRIES))
    document = json.loads(gzip.decompress(Path(RETRIES).read_bytes()))
    (trace,) = (one for one in document["data"] if one["traceID"] == wanted)
    half = wanted[16:]
    parts = []
    for number, trace_id in enumerate((half, wanted)):
        rows = [{**one, "traceID": trace_id} for one in trace["spans"][number::2]]
        for row in rows:
            row["references"] = [{**one, "traceID": trace_id} for one in row["references"]]
        parts.append({**trace, "traceID": trace_id, "spans": rows})
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.json").write_text(json.dumps({"data": [part]}))
    files = [str(tmp_path / f"{number}.json") for number in range(2)]
    for name in (wanted, wanted[:7], half):
        found = tree(name, *files)
        assert (found["trace_id"], len(found["spans"])) == (wanted, len(trace["spans"])), name
        assert "mixed-trace-ids" in {note["code"] for note in found["notes"]}


def test_a_file_that_holds_one_trace_needs_no_id() -> None:
    assert tree(SINGLE)["trace_id"].endswith("006c3cf93508f205")
    assert called("tree", "-", "-o", "json", stdin=Path(SINGLE).read_bytes()).json()["spans"] == tree(SINGLE)["spans"]


def test_of_several_traces_one_has_to_be_named() -> None:
    ended = called("tree", SEED)
    assert ended.code == 2
    assert "has 200 traces" in ended.err
    assert "--failing or --slowest" in ended.err


def test_options_that_select_say_that_they_were_not_applied_to_a_named_trace() -> None:
    wanted = ids(SEED)[0]
    document = tree(wanted, SEED, "--service", "no-such", "--since", "1s")
    (note,) = (note for note in document["notes"] if note["code"] == "named-trace-not-selected")
    assert (note["count"], note["examples"]) == (2, ["--service", "--since"])
    assert {note["code"] for note in tree(wanted, SEED)["notes"]}.isdisjoint({"named-trace-not-selected"})


def test_links_of_files_lead_to_the_page_that_named_the_trace() -> None:
    wanted = ids(SEED)[0]
    document = tree(f"http://localhost:16686/jaeger/trace/{wanted}", SEED)
    assert document["link"] == f"http://localhost:16686/jaeger/trace/{wanted}"
    assert document["source"] == [SEED]


# Chosen


def test_failing_is_the_newest_that_failed_for_its_user() -> None:
    document = tree("--failing", SEED)
    errors = called("errors", SEED, "-o", "json").json()
    assert document["counts"]["failed_traces"] == 1
    assert document["window"]["from"][:22] == errors["failing_hops"][0]["last"][:22]


def test_failing_is_else_the_newest_with_a_call_that_failed() -> None:
    masked = str(SHARED / "data/public/jaeger/bookinfo_ratings_outage_masked.json.gz")
    document = tree("--failing", masked)
    assert document["counts"]["failed_traces"] == 0
    assert any(call["failing"] for call in document["calls"])


def test_failing_ends_with_3_where_no_call_failed() -> None:
    ended = called("tree", "--failing", NONE)
    assert ended.code == 3
    assert "no call failed in the" in ended.err


def test_slowest_is_the_longest_of_those_that_are_selected() -> None:
    longest = {one: tree(one, SEED)["duration_ms"] for one in ids(SEED)[::10]}
    assert tree("--slowest", SEED)["duration_ms"] >= max(longest.values())
    narrow = tree("--slowest", SEED, "--max-duration", "100ms")
    assert narrow["asked"]["max_duration_ms"] == 100
    assert "named-trace-not-selected" not in {note["code"] for note in narrow["notes"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which trace is meant was not said"),
        (("--failing", "--slowest", SEED), "exclude each other"),
        (("1f2e", "--failing", SEED), "names a trace, and --failing chooses one"),
        (("nothing.json",), "neither the id of a trace nor a file"),
        ((SEED, "3a4b"), "'3a4b' names a trace, and does not stand first"),
        (("1f2e", "3a4b"), "'1f2e' names a trace, and '3a4b' another one"),
        (("1f2e", SEED, "http://jaeger/trace/1f2e3d4c5b6a7988"), "and 'http://jaeger/trace/1f2e3d4c5b6a7988' another"),
        (("0123456789abcdef" * 2 + "0",), "it has 33 hex digits, and ids have 32 or 16"),
        (("3f2b1c0a-1111-4222-8333-444455556666", SEED), "guid:x-request-id=3f2b1c0a"),
        (("http://localhost:1/trace/xyz",), "is no trace id"),
        (("1f2e", "nothing.json"), "there is no file nothing.json"),
    ],
)
def test_what_makes_no_sense_ends_with_2(arguments: tuple[str, ...], said: str) -> None:
    ended = called("tree", *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_no_id_is_looked_for_in_what_cannot_be_read() -> None:
    assert called("tree", "1f2e", "-", stdin=b'{"data": [{"spans": 1}]}').code == 65


# In a Jaeger


@pytest.mark.parametrize("api", ["v1", "v3"])
@pytest.mark.parametrize("base", ["", "/jaeger"])
def test_a_jaeger_is_asked_for_a_trace_by_its_id(api: str, base: str) -> None:
    with serve_recording(base_path=base) as jaeger:
        newest = tree("--slowest", "--url", jaeger.url)
        wanted = newest["trace_id"]
        found = tree(wanted, "--url", jaeger.url, "--api", api)
        assert found["spans"] == newest["spans"]
        assert (found["source"], found["link"]) == ([jaeger.url], f"{jaeger.url}/trace/{wanted}")
        assert found["asked"]["limit"] is None
        assert tree(wanted, jaeger.url)["spans"] == found["spans"]
        assert tree(f"{jaeger.url}/trace/{wanted}?uiFind=1")["link"] == found["link"]


def test_a_start_is_looked_for_in_the_window_of_a_jaeger() -> None:
    with serve_recording() as jaeger:
        wanted = tree("--failing", "--url", jaeger.url)["trace_id"]
        found = tree(wanted[:9], "--url", jaeger.url)
        assert found["trace_id"] == wanted
        assert found["asked"]["limit"] == 1000
        assert tree(wanted[:16], "--url", jaeger.url)["trace_id"] == wanted
        ended = called("tree", wanted[:9], "--url", jaeger.url, "--from", "now-3d", "--to", "now-2d")
        assert ended.code == 3


def test_a_trace_that_a_jaeger_does_not_have_ends_with_3() -> None:
    with serve_recording() as jaeger:
        ended = called("tree", "f" * 32, "--url", jaeger.url)
        assert ended.code == 3
        assert f"{jaeger.url} has no trace {'f' * 32}" in ended.err


def test_a_service_and_what_failed_there_choose_a_trace() -> None:
    with serve_recording() as jaeger:
        document = tree("--service", "istio-ingress", "--failing", "--url", jaeger.url)
        assert document["counts"]["failed_traces"] == 1
        assert document["asked"]["service"] == "istio-ingress"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"data": [{"traceID": "1f', 69), (b'{"data":[{"traceID":"1f","spans":[3],"processes":{}}]}', 65)],
)
def test_an_answer_that_is_none_is_said(body: bytes, code: int) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.send(Answer(200, "application/json", body))

    with unruly(behave) as server:
        assert called("tree", "f" * 32, "--url", server.url, "--api", "v1").code == code


def test_nobody_there_ends_with_69() -> None:
    assert called("tree", "f" * 32, "--url", "http://127.0.0.1:1").code == 69


def test_a_context_selects_nothing_where_a_trace_is_named(tmp_path: Path) -> None:
    with serve_recording() as jaeger:
        wanted = tree("--slowest", "--url", jaeger.url)["trace_id"]
        (tmp_path / "traceviz").mkdir()
        (tmp_path / "traceviz" / "config.toml").write_text(
            f'current-context = "here"\n[contexts.here]\nurl = "{jaeger.url}"\nservice = "no-such"\nsince = "1s"\n'
        )
        env = {"XDG_CONFIG_HOME": str(tmp_path)}
        document = called("tree", wanted, "-o", "json", env=env).json()
        assert document["trace_id"] == wanted
        assert "named-trace-not-selected" not in {note["code"] for note in document["notes"]}


# As what


@pytest.mark.parametrize("spans", [(), ("--spans",)])
@pytest.mark.parametrize("form", ["table", "wide", "csv", "dot", "svg"])
def test_a_tree_comes_in_every_format(form: str, spans: tuple[str, ...]) -> None:
    ended = called("tree", "--failing", SEED, "-o", form, *spans)
    assert ended.code == 0, ended.err
    assert "service-python" in html.unescape(ended.text)


def test_a_tree_is_written_as_its_files_suffix_says(tmp_path: Path) -> None:
    assert called("tree", "--failing", SEED, "-O", str(tmp_path / "a.png")).code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
