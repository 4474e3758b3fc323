"""The console blocks of the README and of docs/, run for real. `python -m tests.readme` writes their output into them.

A block has a folder of its own, with the package and the fixtures beside it and, as config.toml, what the page shows as
TOML. Where a command names the Jaeger at http://localhost:16686, the packaged recording is served, at the times when it
was made.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from traceviz.demo import Recording, serve_recording

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
RECORDING = "traceviz/demo/recording/v1.json.gz"
COMPARED = "fixtures/shop_healthy.json.gz fixtures/shop_network_slow.json.gz"
#: Each picture with the command that draws it.
PICTURES = {
    ROOT / "docs" / "graph.svg": f"traceviz graph --service istio-ingress {RECORDING} -o svg",
    ROOT / "docs" / "tree.svg": f"traceviz tree 0d0785 {RECORDING} -o svg",
    ROOT / "docs" / "flame.svg": f"traceviz slow {RECORDING} -o svg",
    ROOT / "docs" / "diff.svg": f"traceviz diff {COMPARED} -o svg",
}
JAEGER = "http://localhost:16686"
BLOCK = re.compile(r"```console\n(?P<body>.*?)```", re.DOTALL)
CONFIG = re.compile(r"```toml\n(?P<body>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where the commands of a block run, and where the Jaeger that they name really is."""

    folder: Path
    jaeger: str

    def run(self, command: str) -> str:
        """What a command says on stdout and stderr, at 80 columns."""
        arguments = shlex.split(command.replace(JAEGER, self.jaeger))
        assert arguments[0] == "traceviz", command
        done = subprocess.run(
            [sys.executable, "-c", "from traceviz.cli import run; run()", *arguments[1:]],
            cwd=self.folder,
            env={"COLUMNS": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TRACEVIZ_CONFIG": "config.toml"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        # A difference that was found is what the page shows.
        assert done.returncode == 0 or (arguments[1], done.returncode) == ("diff", 1), done.stdout.decode()
        return done.stdout.decode().replace(self.jaeger, JAEGER)


@contextmanager
def place(config: str = "") -> Iterator[Place]:
    """A place with this configuration."""
    with tempfile.TemporaryDirectory() as name, serve_recording(Recording.packaged()) as jaeger:
        folder = Path(name)
        for beside in ("traceviz", "fixtures"):
            (folder / beside).symlink_to(ROOT / beside)
        (folder / "config.toml").write_text(config)
        yield Place(folder, jaeger.url)


def fresh(block: str, page: str) -> str:
    """A console block of a page with its commands' output of today."""
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    config = CONFIG.search(page)
    with place(config["body"] if config else "") as here:
        return "\n".join(f"$ {command}\n{here.run(command).rstrip()}\n" for command in commands)


def blocks(page: str) -> list[str]:
    """The bodies of the console blocks."""
    return [match["body"] for match in BLOCK.finditer(page)]


def picture(path: Path) -> str:
    """A picture as it would be drawn today."""
    with place() as here:
        return here.run(PICTURES[path])


def rewrite(path: Path) -> None:
    """Put today's output into a page."""
    text = path.read_text()
    path.write_text(BLOCK.sub(lambda match: f"```console\n{fresh(match['body'], text)}```", text))


if __name__ == "__main__":
    for page in PAGES:
        rewrite(page)
    for path in PICTURES:
        path.write_text(picture(path))
