"""`traceviz fetch`: every command reads the file back to the same answer, however the fetch went."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.commands import SEED, Ended, called, ended, installed, started
from tests.stores import US, Store, Stored, StoredSpan, cutting, memory
from tests.test_cli import interruptible
from tests.unruly import (
    RECORDING,
    WINDOW,
    Behaviour,
    Exchange,
    Unruly,
    always,
    cut_in_the_middle,
    for_searches,
    for_windows_around,
    good,
    rewritten,
    searched,
    silent,
    unruly,
)
from traceviz import fetching
from traceviz.asking.access import Access
from traceviz.asking.oversight import Advance, Oversight
from traceviz.demo.answers import Answer
from traceviz.wanted import Wanted

PLAIN = "text/plain; charset=utf-8"
TOO_DEEP = always(Answer(500, PLAIN, b"search depth must be greater than 0 and less than max traces"))
BROKEN = always(Answer(500, PLAIN, b'{"error":{"httpCode":500,"message":"all shards failed"}}'))
#: The window of the packaged recording.
THEN = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1]))

BEGIN_US = 1_700_000_000_000_000
TRACES = 900
#: A minute of traces, so many that a search for all of them comes back full.
MINUTE = tuple(
    Stored(
        f"{i + 1:032x}",
        (
            StoredSpan("front", BEGIN_US + i * 60_000, None, 9_000),
            StoredSpan("back", BEGIN_US + i * 60_000 + 10, 0, 5_000),
        ),
    )
    for i in range(TRACES)
)
ENDS: dict[str, Any] = {"from_ns": BEGIN_US * US, "to_ns": (BEGIN_US + 60_000_000) * US}
OF_MINUTE = ("--service", "front", "--from", str(BEGIN_US), "--to", str(BEGIN_US + 60_000_000))


def fetch(server: Unruly, file: Path, *options: str, **more: Any) -> Ended:
    return called("fetch", "--url", server.url, *options, "-O", str(file), **more)


def documents(*target: str) -> list[Any]:
    """What graph and errors say of a target, without where it came from."""
    runs = [called(command, *target, "-o", "json").json() for command in ("graph", "errors")]
    return [{key: value for key, value in document.items() if key != "source"} for document in runs]


def codes(document: Any) -> dict[str, int]:
    return {note["code"]: note["count"] for note in document["notes"]}


def text(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode()


def header(file: Path) -> Any:
    return json.loads(text(file).split("\n")[0])["traceviz"]


def traces(file: Path) -> list[str]:
    """The lines but for the header, in an order of their own."""
    return sorted(text(file).split("\n")[1:])


def beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.progress")


def takes(limit: int) -> Behaviour:
    """Refuses searches for more traces than that, on both APIs."""

    def behave(exchange: Exchange) -> None:
        asked = re.search("[?&](?:query.num_traces|limit)=([0-9]+)", exchange.path)
        (TOO_DEEP if asked and int(asked[1]) > limit else good)(exchange)

    return behave


@dataclass
class Falling:
    """Answers so many searches and then nothing more, until it is mended."""

    behave_well: Behaviour
    searches: int
    fell: threading.Event = field(default_factory=threading.Event)
    mended: bool = False
    _count: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def behave(self, exchange: Exchange) -> None:
        with self._counting:
            self._count += "/traces?" in exchange.path
            is_silent = self._count > self.searches and not self.mended
        if is_silent:
            self.fell.set()
        (silent if is_silent else self.behave_well)(exchange)


def broken_around(instant_us: int, behave_well: Behaviour, mended: threading.Event | None = None) -> Behaviour:
    """Fails at every search of v3 whose window holds an instant, until it is mended."""

    def behave(exchange: Exchange) -> None:
        is_broken = False
        if "/traces?" in exchange.path and not (mended and mended.is_set()):
            from_ns, to_ns, _ = searched(exchange.path)
            is_broken = from_ns <= instant_us * US <= to_ns
        (BROKEN if is_broken else behave_well)(exchange)

    return behave


def begun(process: subprocess.Popen[bytes], falling: Falling, file: Path) -> None:
    """Wait until the server is silent and what it had said before is in the file."""
    assert falling.fell.wait(20)
    held = -1
    while process.poll() is None:
        now = json.loads(beside(file).read_bytes())["bytes"] if beside(file).exists() else 0
        if 0 < now == held:
            return
        held = now
        time.sleep(0.3)
    raise AssertionError(ended(process).err)


@contextlib.contextmanager
def stopped(file: Path, number: signal.Signals, *options: str, searches: int = 4) -> Iterator[tuple[Unruly, Ended]]:
    """A fetch of the minute that was stopped by a signal when some searches were answered; the server is well again."""
    falling = Falling(Store(memory, MINUTE).behaves, searches)
    with unruly(falling.behave) as server, interruptible():
        arguments = ("--url", server.url, "--parallel", "1", *OF_MINUTE, *options, "-O", str(file))
        process = started("fetch", *arguments)
        begun(process, falling, file)
        process.send_signal(number)
        with process:
            _, err = process.communicate(timeout=30)
        falling.mended = True
        yield server, Ended(process.returncode, b"", err.decode())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, tuple[str, ...]], Path]:
    """Fetches of the minute that nothing disturbed: by suffix and options."""
    folder = tmp_path_factory.mktemp("whole")
    known: dict[tuple[str, tuple[str, ...]], Path] = {}

    def fetched(suffix: str, options: tuple[str, ...]) -> Path:
        if (suffix, options) not in known:
            file = known[suffix, options] = folder / f"{len(known)}{suffix}"
            with unruly(Store(memory, MINUTE).behaves) as server:
                assert fetch(server, file, *OF_MINUTE, *options).code == 0
        return known[suffix, options]

    return fetched


# The same answer


@pytest.mark.parametrize("api", ["v3", "v1"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--all",),
        ("--service", "istio-ingress"),
        ("--service", "service-redis", "--limit", "20"),
        ("--limit", "20"),
        ("--service", "istio-ingress", "--tag", "http.status_code=504"),
        ("--tag", "guid:x-request-id=ac98bfc0-8b4f-9acb-b79c-171cd7199b13"),
        ("--service", "service-go", "--operation", "service-redis.default.svc.cluster.local:80/*"),
        ("--service", "istio-ingress", "--min-duration", "10ms", "--max-duration", "200ms"),
    ],
    ids=lambda options: " ".join(options) or "nothing said",
)
def test_graph_and_errors_read_it_back_to_the_same_answer(options: tuple[str, ...], api: str, tmp_path: Path) -> None:
    with unruly(takes(25)) as server:
        asked = (*THEN, *options, "--api", api)
        live = documents("--url", server.url, *asked)
        for suffix in (".jsonl", ".jsonl.gz"):
            file = tmp_path / f"traces{suffix}"
            run = fetch(server, file, *asked)
            assert (run.code, run.out) == (0, b"")
            assert live[0]["counts"]["traces"] == len(traces(file)) - 1
            assert documents(str(file)) == live
            assert not beside(file).exists()


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_services_and_operations_read_it_back_to_the_same_names(api: str, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl.gz"
    with unruly(good) as server:
        asked = ("--url", server.url, *THEN, "--api", api)
        assert called("fetch", *asked, "--all", "-O", str(file)).code == 0
        for command in ("services", "operations"):
            live = called(command, *asked, "--all", "-o", "json").json()
            back = called(command, str(file), "-o", "json").json()
            assert live[command]
            assert back[command] == live[command]


def test_links_lead_to_where_they_led(tmp_path: Path) -> None:
    with unruly(good) as server:
        for ui_url in ("", "https://jaeger.example.com/ui"):
            file = tmp_path / f"{len(ui_url)}.jsonl"
            options = (*THEN, "--service", "istio-ingress", *(("--ui-url", ui_url) if ui_url else ()))
            fetch(server, file, *options)
            (first, *_) = called("errors", str(file), "-o", "json").json()["failing_hops"][0]["links"]
            assert first.startswith(f"{ui_url or server.url}/trace/")


def test_it_can_be_narrowed_like_any_other_file(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    narrowed = ("--service", "service-redis", "--min-duration", "3500us", *THEN)
    with unruly(good) as server:
        fetch(server, file, *THEN)
        (graph, errors) = documents("--url", server.url, *narrowed)
    (again, errors_again) = documents(str(file), *narrowed)
    assert 0 < graph["counts"]["traces"] < 66
    assert (again["edges"], again["counts"]) == (graph["edges"], graph["counts"])
    assert [row["text"] for row in errors_again["failing_hops"]] == [row["text"] for row in errors["failing_hops"]]


#: Each window of a storage like Elasticsearch has other spans of these.
LONG = tuple(
    Stored(
        f"{i + 1:032x}",
        (
            StoredSpan("front", BEGIN_US + i * 1000, None, 50_000_000),
            StoredSpan("back", BEGIN_US + i * 1000 + 20_000_000, 0, 100),
            StoredSpan("base", BEGIN_US + i * 1000 + 40_000_000, 1, 100),
        ),
    )
    for i in range(30)
)


def test_a_trace_that_came_in_pieces_is_read_back_whole(tmp_path: Path) -> None:
    file = tmp_path / "grown.jsonl.gz"
    asked = (*OF_MINUTE[2:], "--complete", "10")
    with unruly(Store(cutting(5_000_000), LONG, most=10).behaves) as server:
        live = documents("--url", server.url, *asked)
        assert fetch(server, file, *asked).code == 0
    assert codes(live[0])["copies-differed"] > 10
    assert len(header(file)["copied"]) == 30
    assert len(traces(file)) > 60
    assert documents(str(file)) == live
    assert live[0]["counts"]["spans"] == 90


def test_a_trace_in_pieces_is_put_together_over_an_interruption(tmp_path: Path) -> None:
    file = tmp_path / "grown.jsonl"

    def advanced(advance: Advance) -> None:
        if advance.answers == 30:
            raise KeyboardInterrupt

    with unruly(Store(cutting(5_000_000), LONG, most=10).behaves) as server:
        access, wanted = Access(server.url, parallel=1), Wanted(**ENDS)
        with pytest.raises(KeyboardInterrupt):
            fetching.fetch(access, wanted, file, Oversight(advanced=advanced))
        before = json.loads(beside(file).read_bytes())["state"]["copied"]
        assert len(before) > 0
        assert fetch(server, file, "--resume").code == 0
        live = documents("--url", server.url, *OF_MINUTE[2:])
    assert set(before) <= set(header(file)["copied"])
    back = documents(str(file))
    for one, other in zip(live, back, strict=True):
        assert {**one, "notes": []} == {**other, "notes": []}
        assert "copies-differed" in codes(other)


def test_what_the_jaeger_failed_at_is_in_the_file_too(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with unruly(broken_around(BEGIN_US + 30_000_000, Store(memory, MINUTE).behaves)) as server:
        live = documents("--url", server.url, *OF_MINUTE)
        run = fetch(server, file, *OF_MINUTE)
    assert run.code == 0
    assert "--resume goes on with it" in run.err
    assert "note: searches-failed" in run.err
    assert (header(file)["complete"], header(file)["asked"]["seen"]) == (False, live[0]["seen"])
    assert live[0]["seen"]["failed"]
    back = documents(str(file))
    for document in back:
        document["notes"] = [note for note in document["notes"] if note["code"] != "fetch-unfinished"]
    assert back == live


def test_what_is_no_trace_in_an_answer_is_noted_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    odd = rewritten(lambda body: body.replace(b'"data":[', b'"data":[5,"no trace",', 1))
    with unruly(for_searches(odd)) as server:
        asked = (*THEN, "--service", "istio-ingress", "--api", "v1")
        live = documents("--url", server.url, *asked)
        assert fetch(server, file, *asked).code == 0
    assert codes(live[0])["unreadable-record"] == 2
    assert documents(str(file)) == live


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_an_answer_that_breaks_off_gives_its_whole_traces_and_the_others_when_resumed(api: str, tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    mended = threading.Event()

    def behave(exchange: Exchange) -> None:
        (good if mended.is_set() else cut_in_the_middle)(exchange)

    with unruly(for_searches(behave)) as server:
        asked = (*THEN, "--service", "istio-ingress", "--api", api)
        run = fetch(server, file, *asked)
        assert run.code == 0
        assert "note: answer-cut-off" in run.err
        some = set(traces(file))
        mended.set()
        assert fetch(server, file, "--resume", "--api", api).code == 0
        live, back = documents("--url", server.url, *asked), documents(str(file))
    every = set(traces(file))
    assert 1 < len(some) < len(every) == 101
    assert some < every
    for one, other in zip(live, back, strict=True):
        assert {**one, "notes": []} == {**other, "notes": []}
        assert "answer-cut-off" not in codes(other)


# Resumed


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".jsonl", ()), (".jsonl.gz", ()), (".jsonl.gz", ("--limit", "300")), (".jsonl.gz", ("--all",))],
    ids=lambda value: "".join(value),
)
def test_a_fetch_that_was_killed_is_resumed_to_what_an_undisturbed_one_gives(
    suffix: str, options: tuple[str, ...], whole: Callable[[str, tuple[str, ...]], Path], tmp_path: Path
) -> None:
    file = tmp_path / f"traces{suffix}"
    with stopped(file, signal.SIGKILL, *options, searches=2 if options[:1] == ("--limit",) else 4) as (server, run):
        assert run.code == -signal.SIGKILL
        some = len(traces(file)) - 1
        assert 0 < some < 900
        with file.open("ab") as torn:
            torn.write(b"\x1f\x8b\x08torn" if suffix.endswith("gz") else b'{"data":[{"traceID":"torn')
        (document, _) = documents(str(file))
        assert document["counts"]["traces"] == some
        assert {"fetch-unfinished", "cut-off"} <= codes(document).keys()
        again = fetch(server, file, "--resume", *OF_MINUTE, *options)
        assert again.code == 0, again.err
        assert f"has {len(traces(file)) - 1} traces\n" in again.err
    undisturbed = whole(suffix, options)
    assert traces(file) == traces(undisturbed)
    assert documents(str(file)) == documents(str(undisturbed))
    assert not beside(file).exists()


def test_ctrl_c_keeps_what_came_and_says_so_and_resume_goes_on(
    whole: Callable[[str, tuple[str, ...]], Path], tmp_path: Path
) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with stopped(file, signal.SIGINT) as (server, run):
        assert run.code == 130
        assert "note: interrupted" in run.err
        some = len(traces(file)) - 1
        assert f"{file} has {some} traces; --resume goes on with it" in run.err
        (document, _) = documents(str(file))
        assert 0 < document["counts"]["traces"] == some < 900
        assert {"fetch-unfinished", "interrupted"} <= codes(document).keys()
        assert fetch(server, file, "--resume").code == 0
    undisturbed = whole(".jsonl.gz", ())
    assert traces(file) == traces(undisturbed)
    assert documents(str(file)) == documents(str(undisturbed))


def test_a_second_ctrl_c_keeps_what_came_too(whole: Callable[[str, tuple[str, ...]], Path], tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"

    def advanced(advance: Advance) -> None:
        if advance.traces:
            raise KeyboardInterrupt

    with unruly(Store(memory, MINUTE).behaves) as server:
        with pytest.raises(KeyboardInterrupt):
            fetching.fetch(Access(server.url, parallel=1), Wanted("front", **ENDS), file, Oversight(advanced=advanced))
        assert 1 < len(traces(file)) < 901
        assert fetch(server, file, "--resume").code == 0
    assert traces(file) == traces(whole(".jsonl.gz", ()))


def test_ctrl_c_while_a_resumption_waits_for_its_first_answer_says_how_to_go_on(
    whole: Callable[[str, tuple[str, ...]], Path], tmp_path: Path
) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with stopped(file, signal.SIGKILL):
        some = traces(file)
    falling = Falling(Store(memory, MINUTE).behaves, 0)
    with unruly(falling.behave) as server, interruptible():
        process = started("fetch", "--url", server.url, "--resume", "-O", str(file))
        assert falling.fell.wait(20)
        process.send_signal(signal.SIGINT)
        run = ended(process)
        assert run.code == 130
        assert f"{file} has what came; --resume goes on with it" in run.err
        assert traces(file) == some
        falling.mended = True
        assert fetch(server, file, "--resume").code == 0
    assert traces(file) == traces(whole(".jsonl.gz", ()))


def test_ctrl_c_before_anything_came_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    falling = Falling(good, 0)
    with unruly(falling.behave) as server, interruptible():
        process = started("fetch", "--url", server.url, "-O", str(file))
        assert falling.fell.wait(20)
        process.send_signal(signal.SIGINT)
        run = ended(process)
    assert run.code == 130
    assert "--resume" not in run.err
    assert not list(tmp_path.iterdir())


def test_windows_that_failed_are_asked_for_again(whole: Callable[[str, tuple[str, ...]], Path], tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    mended = threading.Event()
    with unruly(broken_around(BEGIN_US + 30_000_000, Store(memory, MINUTE).behaves, mended)) as server:
        assert "--resume goes on with it" in fetch(server, file, *OF_MINUTE).err
        before = len(traces(file))
        assert "--resume goes on with it" in fetch(server, file, "--resume").err
        assert before <= len(traces(file)) < 901
        mended.set()
        asked = len(server.asked)
        assert "--resume" not in fetch(server, file, "--resume").err
        assert len(server.asked) - asked < 10
    undisturbed = whole(".jsonl.gz", ())
    assert traces(file) == traces(undisturbed)
    assert documents(str(file)) == documents(str(undisturbed))


def test_traces_that_came_in_part_before_the_end_are_completed_after_it(tmp_path: Path) -> None:
    """What a search gives in part is asked for by id at the end, which a killed fetch has not come to."""
    later_us = BEGIN_US + 60_000_000
    long = [
        Stored(
            f"{i + 1:032x}",
            (
                StoredSpan("front", BEGIN_US + i * 1000, None, 70_000_000),
                StoredSpan("back", later_us + i * 100_000, 0, 50),
                StoredSpan("base", later_us + i * 100_000 + 5, 1, 10),
            ),
        )
        for i in range(300)
    ]
    asked = ("--service", "back", "--from", str(later_us), "--to", str(later_us + 60_000_000), "--complete", "300")
    falling = Falling(Store(cutting(1_000_000), long).behaves, 3)
    file = tmp_path / "traces.jsonl.gz"
    with unruly(falling.behave) as server:
        process = started("fetch", "--url", server.url, "--parallel", "1", *asked, "-O", str(file))
        begun(process, falling, file)
        process.kill()
        ended(process)
        some = set(traces(file)) - {""}
        assert 0 < len(some) < 300
        falling.mended = True
        assert fetch(server, file, "--resume", "--complete", "300").code == 0
        assert some < set(traces(file))
        live = documents("--url", server.url, *asked)
    assert codes(live[0])["completed-by-id"] == 300
    assert documents(str(file)) == live


def test_what_was_noted_before_is_still_noted_after(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    store = Store(memory, MINUTE)

    def odd(exchange: Exchange) -> None:
        answer = store.of(exchange.path)
        body = answer.body if falling.mended else answer.body.replace(b'"data":[', b'"data":[5,', 1)
        exchange.send(Answer(answer.status, answer.content_type, body))

    falling = Falling(odd, 4)
    with unruly(falling.behave) as server:
        process = started("fetch", "--url", server.url, "--parallel", "1", *OF_MINUTE, "--api", "v1", "-O", str(file))
        begun(process, falling, file)
        process.kill()
        ended(process)
        falling.mended = True
        assert "note: unreadable-record" in fetch(server, file, "--resume", "--api", "v1").err
    assert codes(documents(str(file))[0])["unreadable-record"] >= 1
    assert len(traces(file)) == 901


def test_nothing_is_asked_where_all_is_there(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    with unruly(good) as server:
        fetch(server, file, *THEN, "--limit", "30")
        before, asked = file.read_bytes(), len(server.asked)
        run = fetch(server, file, "--resume")
        assert len(server.asked) == asked
    assert run.code == 0
    assert f"{file} has 30 traces\n" in run.err
    assert "--resume" not in run.err
    assert file.read_bytes() == before


def test_resume_where_there_is_no_file_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with unruly(good) as server:
        for name in ("traces.jsonl", "empty.jsonl"):
            assert fetch(server, tmp_path / name, "--resume", *THEN).code == 0
            assert len(traces(tmp_path / name)) == 101


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--service", "back"), "--service"),
        (("--operation", "op"), "--operation"),
        (("--min-duration", "1ms"), "--min-duration"),
        (("--max-duration", "1ms"), "--max-duration"),
        (("--tag", "a=b"), "--tag"),
        (("--limit", "5"), "--limit"),
        (("--all",), "--all"),
        (("--since", "1h"), "--since"),
        (("--from", str(BEGIN_US + 1000)), "--from"),
        (("--to", str(BEGIN_US + 1000)), "--to"),
        (("--service", "back", "--all"), "--service and --all"),
        (("--anonymize",), "--anonymize"),
    ],
    ids=" ".join,
)
def test_to_resume_with_other_options_is_refused(
    options: tuple[str, ...], named: str, unfinished: tuple[str, Path]
) -> None:
    url, file = unfinished
    before = file.read_bytes(), beside(file).read_bytes()
    run = called("fetch", "--url", url, "--resume", *options, "-O", str(file))
    assert (run.code, run.out) == (2, b"")
    assert named in run.err
    assert (file.read_bytes(), beside(file).read_bytes()) == before


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A fetch that failed in part, of a server at a URL."""
    file = tmp_path_factory.mktemp("unfinished") / "traces.jsonl"
    with unruly(broken_around(BEGIN_US + 30_000_000, Store(memory, MINUTE).behaves)) as server:
        assert fetch(server, file, *OF_MINUTE).code == 0
        yield server.url, file


def test_the_same_options_may_be_given_again(unfinished: tuple[str, Path]) -> None:
    url, file = unfinished
    for options in (OF_MINUTE, ("--since", "60s"), ("--limit", "1000"), ()):
        assert called("fetch", "--url", url, "--resume", *options, "-O", str(file)).code == 0


def test_a_context_does_not_change_what_a_fetch_was_begun_with(unfinished: tuple[str, Path], tmp_path: Path) -> None:
    url, file = unfinished
    config = tmp_path / "config.toml"
    config.write_text(
        f'current-context = "a"\n[contexts.a]\nurl = "{url}"\nservice = "back"\nlimit = 5\nsince = "5m"\n'
    )
    assert called("fetch", "--resume", "-O", str(file), env={"TRACEVIZ_CONFIG": str(config)}).code == 0


def test_the_jaeger_to_go_on_with_has_to_be_named(unfinished: tuple[str, Path]) -> None:
    url, file = unfinished
    run = called("fetch", "--resume", "-O", str(file))
    assert run.code == 2
    assert f"--url {url}" in run.err


def test_a_jaeger_that_has_moved_is_asked_at_its_new_place_and_both_are_named(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    store = Store(memory, MINUTE)
    with unruly(broken_around(BEGIN_US + 30_000_000, store.behaves)) as server:
        fetch(server, file, *OF_MINUTE)
    with unruly(store.behaves) as elsewhere:
        assert fetch(elsewhere, file, "--resume").code == 0
    assert header(file)["source"] == [server.url, elsewhere.url]
    assert len(traces(file)) == 901


# What cannot be


def test_what_is_there_already_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text("my notes\n")
    with unruly(good) as server:
        for options in ((), ("--resume",)):
            run = fetch(server, file, *THEN, *options)
            assert (run.code, run.out) == (2, b"")
            assert str(file) in run.err
    assert file.read_text() == "my notes\n"
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_found_is_3_and_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with unruly(good) as server:
        for options in (("--to", "2020-01-01T00:00:00Z"), (*THEN, "--tag", "a=b"), (*THEN, "--service", "nosuch")):
            run = fetch(server, file, *options)
            assert (run.code, run.out) == (3, b"")
    assert not list(tmp_path.iterdir())


def test_answers_of_which_nothing_can_be_read_are_65_and_leave_no_file(tmp_path: Path) -> None:
    nonsense = always(Answer(200, PLAIN, b'{"data":[{"traceID":"not hex","spans":[{"spanID":"?"}]}],"errors":null}'))
    with unruly(for_searches(nonsense)) as server:
        asked = (*THEN, "--service", "istio-ingress", "--api", "v1")
        assert called("graph", "--url", server.url, *asked).code == 65
        run = fetch(server, tmp_path / "traces.jsonl", *asked)
    assert run.code == 65, run.err
    assert "could be read" in run.err
    assert not list(tmp_path.iterdir())


def test_a_jaeger_that_only_fails_is_69_and_leaves_no_file(tmp_path: Path) -> None:
    with unruly(for_searches(BROKEN)) as server:
        run = fetch(server, tmp_path / "traces.jsonl", *THEN)
    assert (run.code, run.out) == (69, b"")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_2(tmp_path: Path) -> None:
    with unruly(good) as server:
        for place in (tmp_path / "missing" / "traces.jsonl", tmp_path, tmp_path / "traces.json"):
            run = fetch(server, place, *THEN)
            assert (run.code, run.out) == (2, b"")
            assert str(place) in run.err
        assert called("fetch", "--url", server.url, *THEN).code == 2
    assert not list(tmp_path.iterdir())


def test_a_disk_that_gets_full_keeps_what_came_and_resume_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    with unruly(Store(memory, MINUTE).behaves) as server:
        asked = ("fetch", "--url", server.url, "--parallel", "1", *OF_MINUTE, "-O", str(file))

        def with_little_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

        run = installed(*asked, preexec_fn=with_little_room)
        assert (run.code, run.out) == (2, b"")
        assert "--resume" in run.err
        assert len(traces(file)) > 100
        assert fetch(server, file, "--resume").code == 0
    assert len(traces(file)) == 901


def test_files_are_not_fetched(tmp_path: Path) -> None:
    run = called("fetch", SEED, "-O", str(tmp_path / "traces.jsonl"))
    assert run.code == 2
    assert "one Jaeger" in run.err


# Nothing private where it does not belong


PRIVATE = ("http.url", "node_id", "peer.address", "guid:x-request-id", "upstream_cluster", "upstream_cluster.name")
#: What every mesh has, and says nothing of this one.
COMMON = {"istio-ingress", "127.0.0.1", "inbound|80||"}


def private() -> set[str]:
    """Names and ids of the recording that tell whose mesh it is."""
    found = set()
    for trace in RECORDING.traces:
        found.add(trace.trace_id)
        found |= {process["serviceName"] for process in trace.v1["processes"].values()}
        for one in trace.v1["spans"]:
            found |= {one["spanID"], one["operationName"]}
            found |= {str(tag["value"]) for tag in one["tags"] if tag["key"] in PRIVATE}
    return {name for name in found if len(name) > 3} - COMMON


def told(file: Path, run: Ended) -> list[str]:
    """What is private and stands in the file or on stderr."""
    everything = text(file) + run.err
    return [name for name in private() if name in everything]


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_an_anonymised_fetch_tells_no_name_and_the_same_story(api: str, tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl.gz"
    with unruly(takes(25)) as server:
        run = fetch(server, file, *THEN, "--api", api, "--anonymize")
        live = documents("--url", server.url, *THEN, "--api", api)
    assert run.code == 0
    assert told(file, run) == []
    assert not beside(file).exists()
    back = documents(str(file))
    for one, other in zip(live, back, strict=True):
        assert (one["counts"], one["window"], one["seen"]) == (other["counts"], other["window"], other["seen"])
    edges = [
        sorted(str({**edge, "caller": "", "callee": "", "examples": []}) for edge in document["edges"])
        for document in (live[0], back[0])
    ]
    assert edges[0] == edges[1]
    kept = ("reason", "where", "traces", "calls", "failed_traces", "score", "statuses", "flags", "first", "last")
    rows = [[[row[key] for key in kept] for row in document["failing_hops"]] for document in (live[1], back[1])]
    assert rows[0] == rows[1]


def test_an_anonymised_fetch_does_not_tell_what_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    tags = (
        span.tags for trace in RECORDING.traces for span in trace.spans if span.service.startswith("service-python")
    )
    request_id = next(tag["guid:x-request-id"] for tag in tags)
    named = ("--service", "service-python", "--tag", f"guid:x-request-id={request_id}")
    with unruly(good) as server:
        run = fetch(server, file, *THEN, *named, "--ui-url", "https://jaeger.acme.example", "--anonymize")
    assert run.code == 0
    assert told(file, run) == []
    assert "acme" not in text(file) + run.err
    asked = header(file)["asked"]
    assert asked["service"] not in (None, "service-python")
    assert asked["tags"] != [f"guid:x-request-id={request_id}"]


def test_an_anonymised_fetch_that_failed_in_part_tells_no_name_either(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    with unruly(for_windows_around(WINDOW[0] + 10**9, BROKEN)) as server:
        run = fetch(server, file, *THEN, "--anonymize")
    assert run.code == 0
    assert "note: searches-failed" in run.err
    assert header(file)["asked"]["seen"]["failed"]
    assert told(file, run) == []


def test_an_anonymised_fetch_that_was_interrupted_is_not_advised_to_be_resumed(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    falling = Falling(Store(memory, MINUTE).behaves, 4)
    with unruly(falling.behave) as server, interruptible():
        arguments = ("--url", server.url, "--parallel", "1", *OF_MINUTE, "--anonymize", "-O", str(file))
        process = started("fetch", *arguments)
        assert falling.fell.wait(20)
        time.sleep(1)  # for it to use what had come
        process.send_signal(signal.SIGINT)
        run = ended(process)
        assert run.code == 130
        assert "note: interrupted" in run.err
        assert "--resume" not in run.err
        assert not beside(file).exists()
        assert "front" not in text(file)
        resumed = fetch(server, file, "--resume")
    assert resumed.code == 2
    assert "anonymised" in resumed.err


def test_secrets_stand_in_no_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    file = tmp_path / "traces.jsonl"
    with unruly(broken_around(BEGIN_US + 30_000_000, Store(memory, MINUTE).behaves)) as server:
        run = fetch(
            *(server, file, *OF_MINUTE, "-vv"),
            *("--bearer-token-file", str(token), "-H", "X-Api-Key: s3cret-key", "--tenant", "acme"),
        )
        assert run.code == 0
        assert {"Bearer s3cret-token", "s3cret-key"} <= {value for sent in server.headers for value in sent.values()}
    written = text(file) + beside(file).read_text() + run.err
    assert "s3cret" not in written

    with_password = server.url.replace("//", "//me:s3cret-word@")
    with unruly(Store(memory, MINUTE).behaves, int(server.url.rpartition(":")[2])):
        other = tmp_path / "other.jsonl"
        run = called("fetch", "--url", with_password, *OF_MINUTE, "-vv", "-O", str(other))
        assert run.code == 0
    assert "s3cret" not in text(other) + run.err
    assert header(other)["source"] == [server.url]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    with unruly(good) as server:
        fetch(server, file, *THEN)
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_do_not_write_one_file(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    falling = Falling(Store(memory, MINUTE).behaves, 4)
    with unruly(falling.behave) as server:
        process = started("fetch", "--url", server.url, "--parallel", "1", *OF_MINUTE, "-O", str(file))
        begun(process, falling, file)
        falling.mended = True
        for options in ((), ("--resume",)):
            run = fetch(server, file, *OF_MINUTE, *options)
            assert run.code == 2
            assert "another process" in run.err
        process.kill()
        ended(process)


def test_quiet_says_nothing_where_all_is_well(tmp_path: Path) -> None:
    with unruly(good) as server:
        run = fetch(server, tmp_path / "traces.jsonl", *THEN, "--quiet")
    assert (run.code, run.out, run.err) == (0, b"", "")
