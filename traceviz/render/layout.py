"""Runs the layout engine in a process of its own, with a limit of time: DOT in, bytes of a drawing out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from traceviz.errors import DrawingFailed
from traceviz.render.svg import finished

Format = Literal["svg", "png", "json", "pdf"]

#: A layout of 500 services and a thousand calls takes 6 to 15 s of a processor, and one that is shared more.
TIMEOUT_S = 60.0
#: Names the system's `dot`; goes before the bundled engine.
ENVIRONMENT = "TRACEVIZ_DOT"
BUNDLED = "graphviz-pure"
#: A PNG larger than this many inches is drawn smaller: at 96 dots an inch, 7,680 pixels.
PNG_INCHES = 80


def draw(dot: str, format: Format, dot_command: str | None = None, timeout_s: float = TIMEOUT_S) -> bytes:
    """Lay `dot` out and give the drawing: an SVG document, a PNG, Graphviz's JSON, or a PDF.

    The engine is `dot_command`, else the one in TRACEVIZ_DOT, else the bundled one, and the system's `dot` where the
    bundled one is missing or fails, and for PDF, which only the system's can write. Nothing else of the machine is
    read: the bundled engine has its own fonts. Raises DrawingFailed when no engine is there, when all fail, or when
    one needs more than `timeout_s` seconds.
    """
    engines = list(_engines(format, dot_command))
    if not engines:
        raise _no_engine(format, dot_command)
    options = [f"-Gsize={PNG_INCHES},{PNG_INCHES}"] if format == "png" else []
    trouble = ""
    for engine in engines:
        try:
            result = subprocess.run(
                [engine, f"-T{format}", *options],
                input=dot.encode(),
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DrawingFailed(
                f"the layout took more than {timeout_s:g} s",
                "draw less with --focus NAME --depth 2, --min-calls N or --hide NAME, or write the data with -o json",
            ) from None
        except OSError as error:
            trouble = f"{Path(engine).name} cannot be run: {error.strerror or error}"
            continue
        if result.returncode == 0 and result.stdout:
            return finished(result.stdout) if format == "svg" else result.stdout
        trouble = f"{Path(engine).name} failed ({_said(result.stderr, result.returncode)})"
    raise DrawingFailed(trouble, "name another Graphviz with --dot or TRACEVIZ_DOT, or write the graph with -o dot")


def _engines(format: Format, dot_command: str | None) -> Iterator[str]:
    """The executables to try, in order. One that was asked for by name is the only one."""
    named = dot_command or os.environ.get(ENVIRONMENT)
    if named:
        found = shutil.which(named)
        if found:
            yield found
        return
    if format != "pdf" and (bundled := bundled_engine()):
        yield bundled
    if system := shutil.which("dot"):
        yield system


def bundled_engine() -> str | None:
    """The engine that came with the package, looked for beside this Python first: PATH need not hold its folder."""
    folders = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    folders.append(Path(sysconfig.get_path("scripts", f"{os.name}_user")))
    for folder in folders:
        if found := shutil.which(BUNDLED, path=str(folder)):
            return found
    return shutil.which(BUNDLED)


def _no_engine(format: Format, dot_command: str | None) -> DrawingFailed:
    named = dot_command or os.environ.get(ENVIRONMENT)
    if named:
        return DrawingFailed(f"there is no layout engine {named!r}", "leave --dot and TRACEVIZ_DOT out")
    if format == "pdf":
        return DrawingFailed(
            "a PDF needs the system's Graphviz, and there is no dot on the PATH",
            "install it (apt-get install graphviz, brew install graphviz), or write .svg or .png",
        )
    return DrawingFailed("no layout engine was found", "pip install graphviz-pure, or write the graph with -o dot")


def _said(stderr: bytes, code: int) -> str:
    """The first line in which the engine says what is wrong."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    told = [line for line in lines if line.lower().startswith("error")] or lines
    return told[0][:200] if told else f"exit code {code}"
