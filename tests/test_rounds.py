"""`--watch` as a command: what it writes where, how it ends, and what it says when a round fails."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.commands import NONE, SEED, called, ended, interrupt_reading, started
from tests.schemas import faults
from tests.unruly import Behaviour, Exchange, for_searches, good, refusing_url, silent, unruly
from traceviz.demo import DemoJaeger, Recording, serve_recording
from traceviz.demo.answers import Answer, Answers

FAILING = Answer(500, "text/plain", b'{"errors": [{"code": 500, "msg": "the storage is away"}]}')
OFTEN = ("--watch", "100ms", "--settle", "1s", "--service", "istio-ingress")


@pytest.fixture(scope="module")
def jaeger() -> Iterator[DemoJaeger]:
    with serve_recording() as served:
        yield served


@contextmanager
def watching(*arguments: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The installed command, which is made to end with the block."""
    process = started(*arguments, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[bytes]) -> tuple[int, str, float]:
    """Press Ctrl-C: exit code, what was said on stderr until then, and the time that it took."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    run = ended(process)
    *said, last = run.err.splitlines(keepends=True)
    assert last == "traceviz: interrupted\n"
    return run.code, "".join(said), time.monotonic() - began


def lines(process: subprocess.Popen[bytes], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().decode() for _ in range(count)]


def until(there: Callable[[], bool]) -> None:
    """Wait until something has come to be."""
    ends = time.monotonic() + 10
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize("command", ["graph", "errors"])
def test_json_is_one_document_a_line_as_soon_as_it_is_known(jaeger: DemoJaeger, command: str) -> None:
    with watching(command, "--url", jaeger.url, *OFTEN, "-o", "json") as process:
        documents = [json.loads(line) for line in lines(process, 3)]
        code, said, _ = interrupted(process)
    assert [faults(document) for document in documents] == [[], [], []]
    assert [document["counts"]["traces"] for document in documents] == [100, 100, 100]
    ends = [document["asked"]["to"] for document in documents]
    assert ends == sorted(set(ends))
    assert code == 130
    assert said == ""


def test_tables_stand_behind_one_another_and_a_note_is_said_when_it_is_new(jaeger: DemoJaeger) -> None:
    with watching("graph", "--url", jaeger.url, *OFTEN, "--limit", "10") as process:
        tables = "".join(lines(process, 45)).split("\n\nevery ")
        _, said, _ = interrupted(process)
    assert len(tables) >= 3
    for table in tables[:3]:
        assert re.match(r"(every )?100ms, \d\d:\d\d:\d\d UTC, settled up to \d\d:\d\d:\d\d UTC\nhttp://", table)
        assert "service-js" in table
    assert said.count("limit-hit") == 1


def test_rows_alone_follow_one_another_without_a_line_between(jaeger: DemoJaeger) -> None:
    rows = ("--no-headers", "--columns", "callee,calls", "--sort", "-calls,callee")
    with watching("graph", "--url", jaeger.url, *OFTEN, *rows) as process:
        found = [line.split() for line in lines(process, 17)]
        interrupted(process)
    assert found[0] == found[8] == found[16] == ["service-redis", "66"]
    assert all(len(row) == 2 for row in found)


def test_groups_and_contexts_are_followed_as_they_are_read_once(jaeger: DemoJaeger) -> None:
    options = ("--group-by", "version", "--view", "tree", "-o", "json")
    with watching("graph", "--url", jaeger.url, *OFTEN, *options) as process:
        documents = [json.loads(line) for line in lines(process, 3)]
        code, _, _ = interrupted(process)
    once = called("graph", "--url", jaeger.url, "--service", "istio-ingress", *options).json()
    # The window of a watch slides: rates are per second of it.
    parts = {part: _without_rates(once[part]) for part in ("nodes", "edges", "contexts")}
    assert code == 130
    assert any(one["depth"] > 1 for one in once["contexts"])
    for document in documents:
        assert (faults(document), document["group_by"]) == ([], "version")
        assert {part: _without_rates(document[part]) for part in parts} == parts


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("slow",), "slow_hops"),
        (("slow", "--baseline", NONE), "slow_hops"),
        (("why",), "causes"),
        (("why", "--baseline", NONE), "causes"),
        (("errors", "--baseline", NONE), "failing_hops"),
        (("doctor",), "findings"),
    ],
)
def test_every_ranked_list_is_followed_as_it_is_read_once(
    jaeger: DemoJaeger, arguments: tuple[str, ...], rows: str
) -> None:
    command = (*arguments, "--url", jaeger.url, "-o", "json")
    with watching(*command, *OFTEN) as process:
        documents = [json.loads(line) for line in lines(process, 3)]
        code, said, _ = interrupted(process)
    once = called(*command, "--service", "istio-ingress").json()
    assert (code, said) == (130, "")
    assert once[rows] or arguments == ("doctor",)
    for document in documents:
        assert faults(document) == []
        assert document[rows] == once[rows]
        assert document.get("baseline") == once.get("baseline")


def test_what_was_before_the_first_window_is_the_baseline_of_all_rounds() -> None:
    now_ns = time.time_ns()
    recorded, earlier = Recording.packaged(now_ns), Recording.packaged(now_ns - 1800 * 10**9)
    recorded.traces += earlier.traces[:70]
    answers = Answers(recorded)
    times = ("--since", "10m", "--baseline-since", "1h", "--watch", "300ms", "--settle", "1s")
    with unruly(lambda exchange: exchange.send(answers.of(exchange.path))) as server:
        asked = ("--url", server.url, "--service", "istio-ingress", *times, "-o", "json")
        with watching("why", *asked) as process:
            documents = [json.loads(line) for line in lines(process, 3)]
            interrupted(process)
    for document in documents:
        assert (document["counts"]["traces"], document["baseline"]["traces"]) == (100, 70)


def test_a_flame_graph_is_drawn_anew_each_round(jaeger: DemoJaeger, tmp_path: Path) -> None:
    path = tmp_path / "flame.svg"
    with watching("slow", "--url", jaeger.url, *OFTEN, "-O", str(path)) as process:
        until(path.exists)
        first = path.stat().st_ino
        until(lambda: path.stat().st_ino != first)
        interrupted(process)
    assert "service-python" in path.read_text()


def test_half_a_baseline_ends_a_watch(jaeger: DemoJaeger, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_reading(monkeypatch)
    run = called("slow", "--url", jaeger.url, *OFTEN, "--baseline", NONE, "-o", "json")
    assert (run.code, len(run.text.splitlines())) == (130, 1)


def test_the_tree_of_all_contexts_is_followed_as_a_table(jaeger: DemoJaeger) -> None:
    with watching("graph", "--url", jaeger.url, *OFTEN, "--view", "tree", "--group-by", "operation") as process:
        tables = "".join(lines(process, 70)).split("\n\nevery ")
        interrupted(process)
    assert len(tables) >= 3
    assert all("  ├─ service-go: GET /" in table for table in tables[:3])


def _without_rates(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "calls_per_s": None} for row in rows]


def test_quiet_is_quiet(jaeger: DemoJaeger) -> None:
    with watching("graph", "--url", jaeger.url, *OFTEN, "--limit", "10", "-q") as process:
        lines(process, 20)
        _, said, _ = interrupted(process)
    assert said == ""


def test_a_file_is_written_anew_each_round_and_is_always_whole(jaeger: DemoJaeger, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    ends = set()
    with watching("graph", "--url", jaeger.url, *OFTEN, "-O", str(path)) as process:
        until(path.exists)
        path.chmod(0o640)
        while len(ends) < 4:
            ends.add(json.loads(path.read_bytes())["asked"]["to"])
        _, said, _ = interrupted(process)
    assert said == f"wrote {path}, and again every 100ms\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["graph.json"]


def test_a_link_and_a_pipe_stay_what_they_are(jaeger: DemoJaeger, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    picture, link = tmp_path / "pictures" / "graph.svg", tmp_path / "graph.svg"
    link.symlink_to(picture)
    with watching("graph", "--url", jaeger.url, *OFTEN, "-O", str(link)):
        until(picture.exists)
    assert link.is_symlink()
    assert b"</svg>" in picture.read_bytes()
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with watching("graph", "--url", jaeger.url, *OFTEN, "-O", str(pipe)), pipe.open() as reader:
        assert json.loads(reader.read().split("\n}\n")[0] + "}")["counts"]["traces"] == 100
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_told(jaeger: DemoJaeger, tmp_path: Path) -> None:
    run = called("graph", "--url", jaeger.url, *OFTEN, "-O", str(tmp_path / "no such" / "graph.svg"))
    assert run.code == 2
    assert "cannot write" in run.err


def test_where_nobody_reads_any_more_it_ends_quietly(jaeger: DemoJaeger) -> None:
    with watching("graph", "--url", jaeger.url, *OFTEN, "-o", "json") as process:
        lines(process, 1)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stdout = None


def test_it_ends_when_an_expression_holds(jaeger: DemoJaeger) -> None:
    run = called("graph", "--url", jaeger.url, *OFTEN, "-o", "json", "--fail-on", "error_rate > 40%")
    assert run.code == 79
    assert len(run.text.splitlines()) == 1
    assert "holds for 2 of 8 rows" in run.err


def filling(searches: int) -> Behaviour:
    """A Jaeger that has no trace at first."""
    full = Answers(Recording.packaged(time.time_ns()))
    none = Answer(404, "text/plain", b'{"error": {"httpCode": 404, "message": "No traces found"}}')

    def behave(exchange: Exchange) -> None:
        is_early = exchange.path.startswith("/api/v3/traces?") and exchange.repeated < searches
        exchange.send(none if is_early else full.of(exchange.path))

    return behave


def test_a_jaeger_without_a_trace_is_waited_for() -> None:
    with unruly(filling(4)) as server:
        # What is settled is not asked for again, and on a busy machine four searches can take longer than a second.
        settle = ("--settle", "60s")
        run = called("graph", "--url", server.url, *OFTEN, *settle, "-o", "json", "--fail-on", "calls > 1")
    counts = [json.loads(line)["counts"]["traces"] for line in run.text.splitlines()]
    assert run.code == 79
    assert counts[0] == 0
    assert counts[-1] > 0


def failing(*times: int) -> Behaviour:
    """A Jaeger that fails at these of the times when it is asked for its services, which is how a reading begins."""

    def behave(exchange: Exchange) -> None:
        away = exchange.path.endswith("/services") and exchange.repeated in times
        exchange.send(FAILING) if away else good(exchange)

    return behave


def test_a_round_that_fails_is_said_in_a_line_and_the_next_one_goes_on() -> None:
    with (
        unruly(failing(2, 3)) as server,
        watching("graph", "--url", server.url, *OFTEN, "--api", "v3", "--since", "100000h", "-o", "json") as process,
    ):
        documents = [json.loads(line) for line in lines(process, 3)]
        _, said, _ = interrupted(process)
    assert [document["counts"]["traces"] for document in documents] == [100, 100, 100]
    assert documents[-1]["seen"]["share"] == 1.0
    assert {note["code"]: note["count"] for note in documents[-1]["notes"]}["round-failed"] == 2
    failures = said.splitlines()
    assert len(failures) == 2
    for failure in failures:
        assert re.match(r"\d\d:\d\d:\d\d UTC http://.* 500.*; the next round asks for this time, too$", failure)


def test_a_first_round_that_fails_ends_it() -> None:
    assert called("graph", "--url", refusing_url(), *OFTEN).code == 69
    with unruly(good) as server:
        run = called("graph", "--url", server.url, "--watch", "1s", "--service", "no-such")
    assert run.code == 3
    assert "no-such" in run.err


def test_ctrl_c_ends_it_at_once_in_the_middle_of_a_request() -> None:
    with unruly(for_searches(silent)) as server, watching("graph", "--url", server.url, *OFTEN) as process:
        until(lambda: any("/traces?" in path for path in server.asked))
        code, _, took_s = interrupted(process)
    assert code == 130
    assert took_s < 2


def test_ctrl_c_ends_it_at_once_between_two_rounds(jaeger: DemoJaeger) -> None:
    with watching("graph", "--url", jaeger.url, "--watch", "1h", "-o", "json") as process:
        lines(process, 1)
        code, _, took_s = interrupted(process)
    assert code == 130
    assert took_s < 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((SEED, "--watch", "1s"), "a file was named"),
        (("-", "--watch", "1s"), "a file was named"),
        (("--watch", "10ms"), "shorter than 100ms"),
        (("--watch", "soon"), "'soon' is not a duration"),
        (("--watch", "1s", "--settle", "x"), "'x' is not a duration"),
        (("--settle", "1s"), "--settle is for --watch"),
        (("--watch", "1s", "--from", "now-1h"), "takes no --from"),
        (("--watch", "1s", "--to", "now"), "takes no --from and no --to"),
        (("--watch", "1s", "--since", "0s"), "ends before it begins"),
        (("--watch", "1s", "-o", "csv"), "writes csv into a file only"),
        (("--watch", "1s", "-o", "svg"), "writes svg into a file only"),
    ],
)
def test_what_cannot_be_watched_is_told_before_anything_is_asked(arguments: tuple[str, ...], said: str) -> None:
    run = called("graph", "--url", refusing_url(), *arguments)
    assert run.code == 2
    assert said in run.err


def test_a_warning_about_the_connection_is_said_once() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere").configure_cert(context)
    with (
        unruly(good, tls=context) as server,
        watching("graph", "--url", server.url, *OFTEN, "--insecure", "-o", "json") as process,
    ):
        lines(process, 3)
        _, said, _ = interrupted(process)
    assert said == f"traceviz: --insecure: nothing proves that {server.url} is who it says it is\n"


def screens(*arguments: str, rows: int) -> list[str]:
    """What a terminal of so many rows is sent in the first three rounds."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        pytest.skip("this machine has no pseudo terminals")
    size = {"TERM": "xterm-256color", "LINES": str(rows), "COLUMNS": "100"}
    with watching(*arguments, env=size, stdout=theirs, stderr=theirs):
        os.close(theirs)
        sent = ""
        while sent.count("\x1b[H") < 4:
            sent += os.read(ours, 65536).decode()
    os.close(ours)
    return sent.split("\x1b[H")[1:4]


def test_on_a_terminal_the_table_is_drawn_over_the_one_before(jaeger: DemoJaeger) -> None:
    shown = screens("graph", "--url", jaeger.url, *OFTEN, "--limit", "10", rows=40)
    for screen in shown:
        *drawn, after = screen.split("\x1b[K\r\n")
        assert drawn[0].startswith("every 100ms, ")
        assert any("service-python" in line for line in drawn)
        assert any(line.startswith("note: limit-hit") for line in drawn)
        assert after == "\x1b[J"


def test_a_table_higher_than_the_terminal_is_cut_and_says_so(jaeger: DemoJaeger) -> None:
    for screen in screens("errors", "--url", jaeger.url, *OFTEN, rows=12):
        *drawn, _ = screen.split("\x1b[K\r\n")
        assert len(drawn) == 11
        assert re.match(r"… \d+ more lines", drawn[-1])
        assert any("fault-injected" in line for line in drawn)
