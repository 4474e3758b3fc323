"""The fuzzer finds bugs: one planted in a copy of traceviz is found within a minute or so, and not by its seeds alone.

`make fuzz` runs this first, and then finds nothing where nothing is planted. It needs atheris, and so has a marker of
its own.
"""

from __future__ import annotations

import os
import re
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
    "a process that is not there": Plant(
        "jaeger",
        "sources/jaeger.py",
        'self._processes.get(span.process_id or "")',
        'self._processes[span.process_id or ""]',
    ),
    "an end that depends on the blocks": Plant(
        "split",
        "sources/split.py",
        'yield Record("cut", self._path(), self._last)',
        'yield Record("cut", "$", self._data)',
    ),
    "an id of more than 64 bits": Plant("otlp", "sources/fields.py", "if 0 <= number < 2**64:", "if number >= 0:"),
    "a kind that is none": Plant(
        "zipkin",
        "sources/zipkin.py",
        'Kind.__members__.get((span.kind or "").upper(), Kind.UNSET)',
        'Kind[(span.kind or "UNSET").upper()]',
    ),
    "a process that is not there, in bulk": Plant(
        "bulk", "sources/bulk_jaeger.py", "except KeyError:", "except IndexError:"
    ),
    "a note that depends on the blocks": Plant(
        "stream", "sources/split.py", "(self._last + block[-_SHOWN:])[-_SHOWN:]", "block[-_SHOWN:]"
    ),
    "a trace whose id is none": Plant(
        "lines",
        "sources/lines.py",
        'return trace_id(text or "", "")\n    except Unreadable:',
        'return trace_id(text or "", "")\n    except OverflowError:',
    ),
    "a place among no calls": Plant(
        "forest", "analyze/tree.py", "np.append(tree.place, -1)[tree.of_row]", "tree.place[tree.of_row]"
    ),
}
#: Most are found within half a minute where nothing else runs. Where the machine is shared the same steps take longer.
SECONDS = 300


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_bug_is_found(plant: Plant, tmp_path: Path) -> None:
    source = tmp_path / "traceviz"
    shutil.copytree(ROOT / "traceviz", source, ignore=shutil.ignore_patterns("__pycache__"))
    path = source / plant.module
    text = path.read_text()
    assert text.count(plant.sound) == 1, "the bug cannot be planted any more"
    path.write_text(text.replace(plant.sound, plant.broken))
    begun = fuzzed(plant.target, tmp_path, "-runs=0")
    assert begun.returncode == 0, f"the seeds alone find it: {begun.stderr[-3000:]}"
    ended = fuzzed(plant.target, tmp_path, f"-max_total_time={SECONDS}")
    assert ended.returncode != 0, ended.stderr[-3000:]
    assert list(tmp_path.glob("found/crash-*")) or list(tmp_path.glob("found/timeout-*"))


def test_a_bug_is_planted_for_every_target() -> None:
    fuzzed_by_make = re.search(r"^FUZZ_TARGETS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert fuzzed_by_make
    assert {plant.target for plant in PLANTS.values()} == set(fuzzed_by_make[1].split())


def fuzzed(target: str, folder: Path, option: str) -> subprocess.CompletedProcess[str]:
    """The fuzzer with the traceviz that is in a folder, until it finds something or comes to its end."""
    command = [sys.executable, "-m", "tests.fuzz", str(folder / "found"), target, "-seed=1", option]
    found_at = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": found_at, "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=2 * SECONDS, check=False
    )
