"""The fuzzer finds bugs: one planted in a copy of traceviz is found within a minute or so, and without it nothing is.

`make fuzz` runs this first. It needs atheris, and so has a marker of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.fuzz


class Plant(NamedTuple):
    """A bug: in a module of traceviz, this text in place of that one; the target that should find it."""

    target: str
    module: str
    sound: str
    broken: str


PLANTS = {
    "a trace without spans": Plant("jaeger", "sources/jaeger.py", 'parts.get("spans", b"")', 'parts["spans"]'),
    "an end that depends on the blocks": Plant(
        "split",
        "sources/split.py",
        'yield Record("cut", self._path(), self._last)',
        'yield Record("cut", "$", self._data)',
    ),
    "a circle that is not cut": Plant(
        "forest", "reconstruct.py", "parent[min(circle)] = -1", "parent[min(circle)] = parent[min(circle)]"
    ),
}
SECONDS = 90


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_bug_is_found(plant: Plant, tmp_path: Path) -> None:
    source = tmp_path / "traceviz"
    shutil.copytree(ROOT / "traceviz", source, ignore=shutil.ignore_patterns("__pycache__"))
    path = source / plant.module
    text = path.read_text()
    assert text.count(plant.sound) == 1, "the bug cannot be planted any more"
    path.write_text(text.replace(plant.sound, plant.broken))
    ended = fuzzed(plant.target, tmp_path, tmp_path)
    assert ended.returncode != 0, ended.stderr[-3000:]
    assert list(tmp_path.glob("found/crash-*")) or list(tmp_path.glob("found/timeout-*"))


@pytest.mark.parametrize("target", sorted({plant.target for plant in PLANTS.values()}))
def test_where_none_is_planted_none_is_found_in_a_few_runs(target: str, tmp_path: Path) -> None:
    ended = fuzzed(target, tmp_path, ROOT, "-runs=300")
    assert ended.returncode == 0, ended.stderr[-3000:]


def fuzzed(target: str, folder: Path, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The fuzzer with the traceviz that is in `source`, until it finds something or time is up."""
    command = [sys.executable, "-m", "tests.fuzz", str(folder / "found"), target]
    command += [f"-max_total_time={SECONDS}", "-seed=1", *options]
    found_at = os.pathsep.join([str(source), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": found_at, "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=4 * SECONDS, check=False
    )
