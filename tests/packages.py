"""Documents read by the real npm packages `mermaid` and `cytoscape`, in one process of node, tests/mermaid/read.mjs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("mermaid")
Reader = Callable[..., dict[str, Any]]


def missing() -> str | None:
    """What is not installed, in words; None where all is there."""
    if shutil.which("node") is None:
        return "there is no node on the PATH: install nodejs and npm, then make test"
    if not (FOLDER / "node_modules" / "mermaid").is_dir():
        return "its npm packages are not installed: npm ci --prefix tests/mermaid, or make test"
    return None


@contextlib.contextmanager
def packages() -> Iterator[Reader]:
    """Start node, and ask it any number of questions: `ask(mermaid=text, draw=True)`.

    Where something is missing the test is skipped, and fails in CI (`CI=true`), where nothing may be.
    """
    lack = missing()
    if lack and os.environ.get("CI") == "true":
        pytest.fail(lack)
    if lack:
        pytest.skip(lack)
    command = ["node", str(FOLDER / "read.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as node:
        assert node.stdin is not None
        assert node.stdout is not None
        source, sink = node.stdout, node.stdin

        def ask(**question: Any) -> dict[str, Any]:
            sink.write(json.dumps(question) + "\n")
            sink.flush()
            answer: dict[str, Any] = json.loads(source.readline())
            return answer

        try:
            yield ask
        finally:
            node.kill()
