"""The real `go tool pprof` reads the profiles that traceviz writes. Go builds it at first, which takes minutes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_profiles import nasty, recorded
from traceviz.render.frames import BY, label, value
from traceviz.render.pprof import pprof

pytestmark = pytest.mark.real


@pytest.mark.parametrize("made", [nasty, recorded])
def test_go_tool_pprof_reads_every_value(made: Any, tmp_path: Path) -> None:
    found = made()
    profile = tmp_path / "critical.pb.gz"
    profile.write_bytes(pprof(found))
    go = shutil.which("go", path=str(Path(sys.executable).parent))
    assert go is not None, "make test-real installs it"
    command = [go, "tool", "pprof", "-raw", str(profile)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "critical/nanoseconds[dflt] self/nanoseconds errors/count" in ended.stdout
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+): ", ended.stdout, re.MULTILINE)
    totals = [sum(int(row[place]) for row in rows) for place in range(3)]
    assert totals == [sum(value(frame, by) for frame in found["frames"]) for by in BY]
    for frame in found["frames"]:
        assert label(frame) in ended.stdout
