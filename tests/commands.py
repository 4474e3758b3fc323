"""Runs the command line: in this process where its code is what matters, as the installed command where streams do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.conftest import MESH
from tests.schemas import faults
from traceviz.analyze.counting import Counted
from traceviz.cli import main
from traceviz.commands.delivery import Run

INSTALLED = Path(sys.executable).with_name("traceviz")
#: What a user's shell may have set, and no test wants from outside.
_FOREIGN = re.compile(r"TRACEVIZ_.*|NO_COLOR|COLUMNS|LINES|TERM|PYTHONIOENCODING")
#: Where a user's own contexts and passwords are.
_NOWHERE = {"XDG_CONFIG_HOME": os.path.join(os.devnull, "config"), "NETRC": os.devnull}

SEED = str(MESH / "seed_504" / "v1" / "traces.json.gz")
NONE = str(MESH / "none" / "v1" / "traces.json.gz")


@dataclass(frozen=True)
class Ended:
    """A run of the command line that ended, with no traceback."""

    code: int
    out: bytes
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.err, self.err
        assert b"Traceback" not in self.out, self.out

    @property
    def text(self) -> str:
        return self.out.decode()

    def json(self) -> Any:
        """The document on stdout, and nothing else there; it is as its schema says."""
        assert self.code == 0, self.err
        document = json.loads(self.out)
        assert faults(document) == []
        return document


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what steers traceviz."""
    own = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    return own | _NOWHERE | dict(more or {})


def called(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
    """Run in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.dict(os.environ, environment(env), clear=True),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main(arguments)
    written = [stream.buffer.getvalue() for stream in (out, err)]  # type: ignore[attr-defined]
    return Ended(code, written[0], written[1].decode())


def started(*arguments: str, env: Mapping[str, str] | None = None, **streams: Any) -> subprocess.Popen[bytes]:
    """Start the installed command; streams not named are pipes."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([INSTALLED, *arguments], env=environment(env), **(pipes | streams))


def ended(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Ended:
    """Wait for a started command."""
    with process:
        try:
            out, err = process.communicate(stdin, timeout=30)
        except BaseException:
            process.kill()
            raise
    return Ended(process.returncode, out or b"", (err or b"").decode())


def installed(*arguments: str, env: Mapping[str, str] | None = None, **streams: Any) -> Ended:
    """Run the installed command to its end."""
    return ended(started(*arguments, env=env, **streams))


def interrupt_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reading of a command be stopped by Ctrl-C, with something read."""
    whole = Run.count

    def stopped(run: Run, *asked: Any) -> Counted[Any]:
        counted: Counted[Any] = whole(run, *asked)
        run.interrupted = True
        return counted

    monkeypatch.setattr(Run, "count", stopped)
