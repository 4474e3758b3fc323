"""How a command begins: only what it needs is loaded, Ctrl-C never meets a module half loaded, and how much is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import SEED, called, ended, environment
from tests.test_cli import interruptible
from tests.unruly import HTML, always, unruly
from traceviz import cli
from traceviz.demo import serve_recording
from traceviz.loading import loading


def loaded_by(*arguments: str) -> set[str]:
    """The modules that stand in memory after a command."""
    script = "import sys, json, contextlib, io\nfrom traceviz.cli import main\n"
    script += (
        "with contextlib.redirect_stdout(io.StringIO()):\n    main(sys.argv[1:])\nprint(json.dumps([*sys.modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment(), stdout=subprocess.PIPE, check=True
    )
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["completion", "bash"], ["nosuch"]])
def test_what_is_about_traceviz_itself_loads_nothing_that_reads_or_draws(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert not {"numpy", "networkx", "requests", "msgspec", "graphviz"} & loaded or arguments == ["nosuch"]
    assert not {f"traceviz.commands.{name}" for name in ("graph", "errors", "fetch", "config")} & loaded


def test_a_command_loads_no_other_command() -> None:
    loaded = {name for name in loaded_by("services", SEED) if name.startswith("traceviz.commands.")}
    assert "traceviz.commands.services" in loaded
    assert not {f"traceviz.commands.{name}" for name in ("graph", "errors", "fetch", "demo", "config")} & loaded


def test_the_list_of_commands_says_of_each_what_its_own_help_says_first() -> None:
    shown = " ".join(called("--help", env={"COLUMNS": "100"}).text.split())
    for name, command in cli.cli.commands.items():
        assert command.name == name
        first = (command.help or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
        assert f"{name} {first}" in shown


def test_the_library_is_loaded_by_its_names_and_the_folder_hides_no_function() -> None:
    script = (
        "import traceviz, traceviz.render.text, sys\n"
        "assert 'traceviz.library' not in sys.modules\n"
        "assert callable(traceviz.render) and callable(traceviz.load)\n"
        "from traceviz import render, Report\n"
        "assert render is traceviz.render and Report.__name__ == 'Report'\n"
        "import traceviz.render.dot\n"
        "assert callable(traceviz.render)\n"
        "assert set(traceviz.__all__) <= set(dir(traceviz))\n"
        "assert not hasattr(traceviz, 'nosuch')\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True)


def test_every_name_of_the_library_can_be_imported() -> None:
    script = "from traceviz import *\nimport traceviz\nprint(sorted(traceviz.__all__ - globals().keys()))"
    script = script.replace("traceviz.__all__ -", "set(traceviz.__all__) -")
    run = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, check=True)
    assert run.stdout == b"[]\n"


# Ctrl-C


def test_ctrl_c_while_modules_are_loaded_ends_with_130_and_one_line() -> None:
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from traceviz.loading import loading\n"
        "with loading():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        for _ in range(10**7): pass\n"
        "    except BaseException:\n"
        "        print('met half loaded')\n"
    )
    run = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"traceviz: interrupted\n")


def test_loading_leaves_ctrl_c_as_it_was() -> None:
    with interruptible():
        with loading():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with loading():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_early_in_a_command_is_130_without_a_traceback() -> None:
    """From when Python itself has begun, which is told by the first module of traceviz being open."""
    script = "import traceviz.loading, sys; print('on', flush=True); from traceviz.__main__ import run; run()"
    for delay_s in (0.0, 0.02, 0.05, 0.1, 0.15):
        with interruptible():
            process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; sys.argv[1:] = ['graph', {SEED!r}]; {script}"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdout is not None
            assert process.stdout.readline() == b"on\n"
            time.sleep(delay_s + 0.005)
            process.send_signal(signal.SIGINT)
            run = ended(process)
        assert run.code in (130, 0)
        assert run.err in ("traceviz: interrupted\n", "")


# How much is said


def test_verbose_may_stand_before_the_command_and_behind_it() -> None:
    with serve_recording() as jaeger:
        behind = called("services", "--url", jaeger.url, "-vv")
        before = called("-vv", "services", "--url", jaeger.url)
        both = called("-v", "services", "--url", jaeger.url, "-v")
        plain = called("services", "--url", jaeger.url)
    for run in (behind, before, both):
        assert run.code == 0
        assert "traceviz: GET " in run.err
    assert "GET" not in plain.err


def test_quiet_may_stand_before_the_command_and_behind_it() -> None:
    loud = called("graph", SEED, "--hide", "service-go")
    assert "note: hidden-nodes" in loud.err
    for arguments in (["-q", "graph", SEED], ["graph", SEED, "-q"], ["-q", "graph", SEED, "-q"]):
        run = called(*arguments, "--hide", "service-go")
        assert (run.code, run.out, run.err) == (0, loud.out, "")


@pytest.mark.parametrize("command", ["graph", "errors", "services", "operations", "fetch"])
def test_every_command_that_reads_takes_both(command: str, tmp_path: Path) -> None:
    more = ["-O", str(tmp_path / "x.jsonl")] if command == "fetch" else []
    with serve_recording() as jaeger:
        quiet = called(command, "--url", jaeger.url, "-q", *more)
        assert (quiet.code, quiet.err) == (0, "")
        spoken = called(command, "--url", jaeger.url, "-q", "-vv", *(part.replace("x.", "y.") for part in more))
    assert spoken.code == 0
    assert all(line.startswith("traceviz: GET ") for line in spoken.err.splitlines())


def test_the_demo_hands_on_how_much_is_said(tmp_path: Path) -> None:
    quiet = called("-q", "demo", "-d", str(tmp_path / "quiet"))
    assert (quiet.code, quiet.err) == (0, "")
    assert "GET " in called("-qvv", "demo", "-d", str(tmp_path / "loud")).err


def test_what_went_wrong_is_said_however_quiet() -> None:
    with unruly(always(HTML)) as server:
        run = called("-q", "graph", "--url", server.url)
    assert run.code == 69
    assert "HTML" in run.err
