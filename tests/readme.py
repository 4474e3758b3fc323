"""The console blocks of the README, run for real. `python -m tests.readme` writes their output into it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "graph.svg"
RECORDING = "traceviz/demo/recording/v1.json.gz"
BLOCK = re.compile(r"```console\n(?P<body>.*?)```", re.DOTALL)


def run(command: str) -> str:
    """What a command prints on stdout, at 80 columns, from the repository's top."""
    arguments = shlex.split(command)
    assert arguments[0] == "traceviz", command
    done = subprocess.run(
        [sys.executable, "-c", "from traceviz.cli import run; run()", *arguments[1:]],
        cwd=ROOT,
        env={"COLUMNS": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def fresh(block: str) -> str:
    """A console block with its commands' output of today."""
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return "\n".join(f"$ {command}\n{run(command).rstrip()}\n" for command in commands)


def blocks(text: str) -> list[str]:
    """The bodies of the console blocks."""
    return [match["body"] for match in BLOCK.finditer(text)]


def picture() -> str:
    """The README's picture, as it would be drawn today."""
    return run(f"traceviz graph --service istio-ingress {RECORDING} -o svg")


def rewrite(path: Path) -> None:
    """Put today's output into the file."""
    text = path.read_text()
    path.write_text(BLOCK.sub(lambda match: f"```console\n{fresh(match['body'])}```", text))


if __name__ == "__main__":
    rewrite(README)
    PICTURE.write_text(picture())
