"""A terminal as a person sees it: colour, width, letters, no bytes of a picture, nothing that strangers steer."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
from pathlib import Path

import pytest

from tests.commands import SEED, called, installed, started
from tests.documents_made import HOSTILE
from traceviz.commands import errors, graph

COMMANDS = {"graph": graph, "errors": errors}

#: What moves a cursor, turns the writing, or is no letter at all.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def on_a_terminal(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code, and what stands on the screen."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        pytest.skip("this machine has no pseudo terminals")
    process = started(*arguments, env={"TERM": "xterm-256color", **(env or {})}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    with process, contextlib.suppress(OSError):  # reading a terminal that nobody writes to any more is an error
        while block := os.read(ours, 65536):
            screen += block
    os.close(ours)
    assert b"Traceback" not in screen
    return process.returncode, screen.decode()


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_binary_never_goes_to_a_terminal(format: str) -> None:
    code, screen = on_a_terminal("graph", SEED, "-o", format)
    assert code == 2
    assert f"-O graph.{format}" in screen


def test_colour_is_for_terminals_that_want_it() -> None:
    def coloured(*arguments: str, **env: str) -> bool:
        code, screen = on_a_terminal("graph", SEED, *arguments, env=env)
        assert code == 0
        assert "service-python" in screen
        return "\x1b[" in screen

    assert coloured()
    assert not coloured(NO_COLOR="1")
    assert coloured(NO_COLOR="")
    assert not coloured(TERM="dumb")
    assert not coloured("--color", "never")
    assert coloured("--color", "always", NO_COLOR="1", TERM="dumb")


def test_colour_goes_into_a_pipe_only_when_asked_for() -> None:
    assert b"\x1b[" not in called("graph", SEED).out
    assert b"\x1b[" in called("graph", SEED, "--color", "always").out
    assert b"\x1b[" not in called("graph", SEED, "--color", "always", "-o", "json").out


def test_a_table_keeps_within_the_terminals_columns() -> None:
    for columns in (80, 140):
        for line in called("graph", SEED, env={"COLUMNS": str(columns)}).text.splitlines():
            assert len(line) <= columns, line


def test_a_pipe_and_a_file_get_whole_names_unless_columns_says_how_broad(tmp_path: Path) -> None:
    def cut(*arguments: str, **env: str) -> bool:
        file = tmp_path / "x.txt"
        code, screen = on_a_terminal("graph", SEED, "--columns", "+examples.slowest", *arguments, env=env)
        assert code == 0
        return "…" in (file.read_text() if arguments else screen)

    assert cut()
    assert not cut("-O", str(tmp_path / "x.txt"))
    assert cut("-O", str(tmp_path / "x.txt"), COLUMNS="90")
    assert not cut("-O", str(tmp_path / "x.txt"), COLUMNS="nonsense")
    assert "…" not in installed("graph", SEED, "--columns", "+examples.slowest").text


def test_colour_never_goes_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "graph.txt"
    for color in ("auto", "always"):
        code, _ = on_a_terminal("graph", SEED, "--color", color, "-O", str(file))
        assert code == 0
        assert b"\x1b" not in file.read_bytes()


def test_json_steers_no_terminal_and_is_the_same_text_to_whoever_parses_it() -> None:
    written = called("graph", "-", "-o", "json", stdin=strangers()).text
    assert not STEERING.search(written)
    names = {node["name"] for node in json.loads(written)["nodes"]}
    assert any(STEERING.search(name) for name in names)


def test_other_encodings_cost_no_letter_of_data() -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}
    assert installed("graph", SEED, "-o", "svg", env=latin).out == called("graph", SEED, "-o", "svg").out
    table = installed("graph", SEED, env=latin)
    assert table.code == 0
    assert "× service-js" in table.out.decode("latin-1")


def strangers() -> bytes:
    """A trace as Jaeger gives it, in which every text is hostile; one span for each, below a gateway's."""
    processes = {f"p{number}": {"serviceName": name, "tags": []} for number, name in enumerate(HOSTILE)}
    spans = [
        {
            "traceID": "1f",
            "spanID": f"{number + 1:x}",
            "operationName": name,
            "references": [{"refType": "CHILD_OF", "traceID": "1f", "spanID": f"{number:x}"}] if number else [],
            "startTime": 1_700_000_000_000_000 + number,
            "duration": 1000 - number,
            "processID": f"p{number}",
            "tags": [
                {"key": "span.kind", "type": "string", "value": "server"},
                *({"key": key, "type": "string", "value": name} for key in ("response_flags", "version", "http.url")),
                {"key": "guid:x-request-id", "type": "string", "value": name},
                {"key": "http.status_code", "type": "string", "value": "500"},
            ],
        }
        for number, name in enumerate(HOSTILE)
    ]
    return json.dumps({"data": [{"traceID": "1f", "spans": spans, "processes": processes}]}).encode()


@pytest.mark.parametrize("command", ["graph", "errors"])
def test_what_strangers_wrote_steers_no_terminal_and_breaks_no_format(command: str) -> None:
    for format in ("table", "wide", "csv", "dot", "svg"):
        if format in COMMANDS[command].FORMATS:
            run = called(command, "-", "-o", format, stdin=strangers())
            assert run.code == 0
            said = run.err + (run.text if format != "csv" else "")  # data keeps its letters
            assert not STEERING.search(said), format
    document = called(command, "-", "-o", "json", stdin=strangers()).json()
    assert document["counts"]["spans"] >= len(HOSTILE) - 1
    assert "</script><script>alert(1)</script>" in json.dumps(document)


def test_csv_has_the_letters_of_strangers_for_programs_and_none_that_steer_for_a_terminal(tmp_path: Path) -> None:
    dump = tmp_path / "hostile.json"
    dump.write_bytes(strangers())
    code, screen = on_a_terminal("graph", str(dump), "-o", "csv", "-q")
    assert code == 0
    assert not STEERING.search(screen.replace("\r\n", "\n"))
    assert STEERING.search(called("graph", str(dump), "-o", "csv", "-q").text)


def test_a_hostile_name_in_a_message_steers_no_terminal(tmp_path: Path) -> None:
    for name in HOSTILE:
        asked = name.replace("\0", "")[:200]
        runs = [
            called("graph", SEED, "--service", asked),
            called("graph", SEED, "--focus", asked),
            called("graph", SEED, "--hide", asked),
            called("graph", SEED, "--fail-on", asked),
            called("graph", SEED, "--label", asked),
            called("graph", SEED, "--since", asked),
            called("graph", SEED, "--from", asked),
            called("graph", SEED, "--url", f"http://{asked}", "--timeout", asked),
            called("explain", asked),
            called("graph", str(tmp_path / "no such" / asked)),
        ]
        for run in runs:
            assert not STEERING.search(run.err), run.err
