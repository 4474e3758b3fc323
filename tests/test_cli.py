"""The command line as a script or a person meets it: exit codes, what goes to which stream, formats, terminals."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.commands import INSTALLED, NONE, SEED, called, ended, environment, installed, started
from tests.unruly import HTML, always, refusing_url, silent, unruly
from traceviz import __version__, cli
from traceviz.commands import delivery
from traceviz.demo import serve_recording

COMMANDS = (
    "graph",
    "errors",
    "slow",
    "why",
    "tree",
    "diff",
    "doctor",
    "fetch",
    "services",
    "operations",
    "config",
    "explain",
    "version",
    "completion",
    "demo",
)


# Exit codes


def test_a_graph_and_failing_hops_that_were_found_are_0() -> None:
    assert installed("graph", SEED).code == 0
    assert installed("errors", SEED).code == 0


def test_a_healthy_mesh_is_0_and_says_so() -> None:
    healthy = called("errors", NONE)
    assert healthy.code == 0
    assert "no request failed" in healthy.text


def test_partly_unreadable_input_is_0_with_a_note(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    file.write_bytes(gzip.decompress(Path(SEED).read_bytes())[:200_000])
    run = installed("graph", str(file))
    assert run.code == 0
    assert "service-python" in run.text
    assert "note: cut-off" in run.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["graph", "--nosuch"],
        ["graph", "-o", "xlsx"],
        ["graph", "--limit", "0"],
        ["graph", "--limit", "many"],
        ["graph", "--since", "soon"],
        ["graph", "--from", "yesterday"],
        ["graph", "--since", "1h", "--from", "now-2h"],
        ["graph", "--from", "now", "--to", "now-1h"],
        ["graph", "--timeout", "0s"],
        ["graph", "--label", "colour", SEED],
        ["graph", "--fail-on", "calls >", SEED],
        ["graph", "no-such-file.json"],
        ["graph", "no-such-*.json"],
        ["graph", "/"],
        ["graph", "--url", "not a url"],
        ["graph", "http://localhost:16686", SEED],
        ["errors", "-o", "svg", SEED],
        ["completion", "csh"],
        ["explain", "no-such-code"],
    ],
    ids=shlex.join,
)
def test_what_makes_no_sense_is_2_with_one_clear_message(arguments: list[str]) -> None:
    run = called(*arguments)
    assert run.code == 2
    assert run.out == b""
    assert run.err.strip()
    assert "bug" not in run.err


def test_no_arguments_at_all_show_the_help() -> None:
    run = installed()
    assert run.code == 2
    assert "graph" in run.text + run.err


def test_no_trace_is_3(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"data": [], "total": 0, "errors": null}')
    (tmp_path / "empty").write_text("")
    for name in ("none.json", "empty"):
        run = called("graph", str(tmp_path / name))
        assert (run.code, run.out) == (3, b"")
        assert f"{name} holds no trace" in run.err


def test_no_trace_in_the_window_is_3() -> None:
    run = called("graph", SEED, "--to", "2020-01-01T00:00:00Z")
    assert (run.code, run.out) == (3, b"")
    assert "window" in run.err


def test_no_such_service_is_3_and_suggests_a_name() -> None:
    run = installed("graph", SEED, "--service", "service-pyton")
    assert (run.code, run.out) == (3, b"")
    assert "Did you mean 'service-python.default'" in run.err


def test_no_such_node_is_3_and_suggests_a_name() -> None:
    run = called("graph", SEED, "--focus", "servicepython")
    assert (run.code, run.out) == (3, b"")
    assert "Did you mean 'service-python'" in run.err


def test_no_such_service_at_a_jaeger_is_3_and_suggests_a_name() -> None:
    with serve_recording() as jaeger:
        run = called("graph", "--url", jaeger.url, "--service", "service-pyton")
        assert (run.code, run.out) == (3, b"")
        assert "service-python.default" in run.err
        nothing = called("graph", "--url", jaeger.url, "--to", "now-1d")
        assert (nothing.code, nothing.out) == (3, b"")


def test_nothing_readable_is_65_and_names_the_file_and_what_was_met(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<!DOCTYPE html><title>Sign in</title>")
    run = installed("graph", str(file))
    assert (run.code, run.out) == (65, b"")
    assert str(file) in run.err
    assert "<!DOCTYPE" in run.err


def test_a_jaeger_that_cannot_be_reached_is_69_and_says_what_to_try() -> None:
    url = refusing_url()
    run = installed("graph", "--url", url)
    assert (run.code, run.out) == (69, b"")
    assert url in run.err
    assert "port-forward" in run.err


def test_a_page_where_a_jaeger_was_expected_is_69() -> None:
    with unruly(always(HTML)) as server:
        run = called("graph", "--url", server.url)
    assert (run.code, run.out) == (69, b"")
    assert "HTML" in run.err


def test_a_jaeger_that_never_answers_is_69_after_the_timeout() -> None:
    with unruly(silent) as server:
        run = called("graph", "--url", server.url, "--timeout", "300ms")
    assert (run.code, run.out) == (69, b"")
    assert "0.3 s" in run.err


def test_an_expression_that_holds_is_79_and_the_product_is_still_there() -> None:
    run = installed("errors", SEED, "--fail-on", "failed_traces > 3", "-o", "json")
    assert run.code == 79
    assert json.loads(run.out)["failing_hops"]
    assert "holds for 1 of 2 rows, first istio-ingress → service-python" in run.err
    assert called("errors", SEED, "--fail-on", "failed_traces > 3000").code == 0
    assert called("graph", SEED, "--fail-on", "error_rate > 50% and calls > 10").code == 79


def test_an_unexpected_failure_is_70_and_calls_itself_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by naught")

    monkeypatch.setattr(delivery, "open_target", broken)
    with pytest.raises(AssertionError, match="Traceback"):  # the one place where a traceback belongs
        called("graph", SEED)
    monkeypatch.setattr(cli.traceback, "format_exc", lambda: "where it happened")
    run = called("graph", SEED)
    assert (run.code, run.out) == (70, b"")
    assert "where it happened" in run.err
    assert "a bug of traceviz: by naught" in run.err


def test_a_missing_layout_engine_is_no_bug() -> None:
    run = called("graph", SEED, "-o", "svg", "--dot", "no-such-dot")
    assert (run.code, run.out) == (70, b"")
    assert "'no-such-dot'" in run.err
    assert "bug" not in run.err


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A child inherits an ignored SIGINT, which a test run in the background has."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("command", ["graph", "errors", "slow", "why", "doctor", "diff"])
def test_the_expression_in_the_help_of_a_command_is_about_its_rows(command: str) -> None:
    helped = " ".join(called(command, "--help").text.split())
    example = re.search(r"Exit with 79 if a row satisfies it: '([^']+)'", helped)
    assert example is not None
    targets = (SEED, SEED) if command == "diff" else (SEED,)
    assert called(command, *targets, "-q", "--fail-on", example[1]).code in (0, 79)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--by", "self"), "--by is about folded, pprof, svg, png, pdf"),
        (("--theme", "dark"), "--theme is about svg, png, pdf"),
        (("--dot", "dot"), "--dot is about svg, png, pdf"),
    ],
)
def test_what_is_said_of_a_picture_is_refused_for_a_table(options: tuple[str, str], said: str) -> None:
    run = called("slow", SEED, *options)
    assert (run.code, run.out) == (2, b"")
    assert said in run.err


def test_ctrl_c_while_a_server_keeps_silent_is_130() -> None:
    with unruly(silent) as server, interruptible():
        process = started("graph", "--url", server.url)
        while not server.asked and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        run = ended(process)
    assert (run.code, run.out, run.err) == (130, b"", "traceviz: interrupted\n")


def test_a_terminal_has_written_the_ctrl_c_and_its_line_is_ended_first() -> None:
    ours, its = pty.openpty()
    with unruly(silent) as server, interruptible(), open(ours, "rb", buffering=0) as terminal:
        process = started("graph", "--url", server.url, "-q", stderr=its)
        os.close(its)
        while not server.asked and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert ended(process).code == 130
        assert terminal.read(1000) == b"\r\ntraceviz: interrupted\r\n"


# Streams


def test_json_on_stdout_is_one_document_while_notes_go_to_stderr_elsewhere() -> None:
    as_json = installed("graph", SEED, "--hide", "service-go", "-o", "json")
    assert "hidden-nodes" in [note["code"] for note in as_json.json()["notes"]]
    assert as_json.err == ""
    for format in ("table", "wide", "csv", "dot"):
        run = called("graph", SEED, "--hide", "service-go", "-o", format)
        assert run.code == 0
        assert "note: hidden-nodes (1)" in run.err
        assert b"note:" not in run.out
        assert called("graph", SEED, "--hide", "service-go", "-o", format, "--quiet").err == ""


@pytest.mark.parametrize("suffix", [".txt", ".json", ".csv", ".dot", ".gv", ".svg", ".PNG"])
def test_the_files_suffix_decides_the_format_and_stdout_stays_empty(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"graph{suffix}"
    run = called("graph", SEED, "-O", str(file))
    assert (run.code, run.out) == (0, b"")
    assert f"wrote {file}" in run.err
    written = file.read_bytes()
    looks = {
        ".txt": lambda: b"service-python" in written and not written.startswith((b"{", b"caller,")),
        ".json": lambda: json.loads(written)["schema"] == "traceviz/graph/1",
        ".csv": lambda: written.startswith(b"caller,callee,"),
        ".dot": lambda: b"digraph" in written,
        ".gv": lambda: b"digraph" in written,
        ".svg": lambda: ElementTree.fromstring(written).tag.endswith("svg"),
        ".PNG": lambda: written.startswith(b"\x89PNG\r\n\x1a\n"),
    }
    assert looks[suffix]()
    if suffix == ".PNG":
        assert written.endswith(b"IEND\xaeB`\x82")


def test_an_option_goes_before_the_suffix_and_quiet_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "graph.svg"
    run = called("graph", SEED, "-O", str(file), "-o", "json", "-q")
    assert (run.code, run.out, run.err) == (0, b"", "")
    assert json.loads(file.read_bytes())["edges"]


def test_a_suffix_that_names_no_format_is_2_and_the_suffixes_are_named(tmp_path: Path) -> None:
    for name in ("graph.xlsx", "graph"):
        run = called("graph", SEED, "-O", str(tmp_path / name))
        assert run.code == 2
        assert ".svg" in run.err
        assert ".json" in run.err
    of_errors = called("errors", SEED, "-O", str(tmp_path / "errors.svg"))
    assert of_errors.code == 2
    assert ".csv" in of_errors.err
    assert ".png" not in of_errors.err
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_2(tmp_path: Path) -> None:
    for name in (tmp_path / "missing" / "graph.svg", tmp_path):
        run = called("graph", SEED, "-O", str(name), "-o", "json")
        assert (run.code, run.out) == (2, b"")
        assert str(name) in run.err


def test_same_input_same_bytes() -> None:
    for format in ("json", "csv", "dot", "svg", "png", "table"):
        assert installed("graph", SEED, "-o", format).out == called("graph", SEED, "-o", format).out


@pytest.mark.parametrize("arguments", [["graph", "-o", "svg"], ["graph"], ["errors"], ["explain"]], ids=shlex.join)
def test_a_reader_who_has_gone_is_no_trouble(arguments: list[str]) -> None:
    targets = [SEED] if arguments != ["explain"] else []
    process = started(*arguments, *targets)
    assert process.stdout is not None
    process.stdout.close()
    run = ended(process)
    assert (run.code, run.err) == (0, "")


def test_head_is_quiet() -> None:
    line = shlex.join([str(INSTALLED), "graph", SEED, "-o", "svg"])
    script = f"set -o pipefail; {line} | head -1"
    run = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.startswith(b"<?xml")


def test_the_verdict_does_not_hang_on_who_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = installed("graph", SEED, "--fail-on", "errors > 3", stdout=writing, stderr=writing)
    finally:
        os.close(writing)
    assert run.code == 79


def test_streams_that_were_closed_are_no_trouble(tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    line = shlex.join([str(INSTALLED), "graph", SEED, "-O", str(file)])
    for script in (f"{line} >&- 2>&- <&-", f"{line} >&-", f"{line} <&-"):
        run = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, check=False)
        assert run.returncode == 0
        assert b"Traceback" not in run.stderr
        assert json.loads(file.read_bytes())["edges"]
        file.unlink()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the device that is always full is Linux's")
def test_a_full_disk_is_said_in_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        run = installed("graph", SEED, stdout=full)
    assert run.code == 70
    assert run.err == "traceviz: No space left on device.\n"


# The other commands


def test_every_command_has_a_help_that_fits_100_columns() -> None:
    assert sorted(cli.cli.commands) == sorted(COMMANDS)
    for command in ([], *([name] for name in COMMANDS)):
        for columns in ("80", "100", "240"):
            run = called(*command, "--help", env={"COLUMNS": columns})
            assert run.code == 0
            assert "Usage: traceviz" in run.text
            assert max(map(len, run.text.splitlines())) <= 100


def test_version_says_which() -> None:
    assert installed("version").text == f"traceviz {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    run = called("completion", shell)
    assert run.code == 0
    assert "_TRACEVIZ_COMPLETE" in run.text
    assert "traceviz" in run.text


def test_the_shell_gets_its_completions() -> None:
    asked = {"_TRACEVIZ_COMPLETE": "bash_complete", "COMP_WORDS": "traceviz gr", "COMP_CWORD": "1"}
    run = installed(env=asked)
    assert (run.code, run.text, run.err) == (0, "plain,graph\n", "")


def test_explain_tells_of_one_code_and_of_all() -> None:
    one = called("explain", "fault-injected")
    assert one.code == 0
    assert one.text.startswith("fault-injected\n\n")
    assert "response flag FI" in one.text
    overview = called("explain")
    assert overview.code == 0
    assert "limit-hit" in overview.text
    unknown = called("explain", "fault-injectd")
    assert unknown.code == 2
    assert "Did you mean fault-injected" in unknown.err


def test_the_demo_shows_the_commands_that_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "with blank"
    run = installed("demo", "-d", str(folder))
    assert run.code == 0
    shown = [shlex.split(line[2:]) for line in run.text.splitlines() if line.startswith("$ ")]
    assert [words[:2] for words in shown] == [
        *[["traceviz", "graph"]] * 3,
        ["traceviz", "errors"],
        *[["traceviz", "tree"]] * 2,
    ]
    assert (folder / "tree.svg").read_bytes().startswith(b"<?xml")
    assert (folder / "graph.svg").read_bytes().startswith(b"<?xml")
    assert (folder / "graph.png").read_bytes().startswith(b"\x89PNG")
    assert "fault-injected" in run.text
