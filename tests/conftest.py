"""What all tests share: where the recordings are, and reports of them, read once."""

from __future__ import annotations

import os
import signal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

import traceviz
from traceviz import Report, checking

# What a shell starts in the background ignores Ctrl-C, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
MESH = SHARED / "data" / "mesh"
CASES = sorted(path.parent.name for path in MESH.glob("*/truth.json"))
# Every stage checks what it made.
checking.switch_on()
# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

FORMATS = {"v1": "v1/traces.json.gz", "v3": "v3/traces.json.gz", "zipkin": "zipkin.json.gz"}


@cache
def recorded(case: str, form: str) -> Report:
    """The report of a recorded mesh, of the requests that came through its ingress."""
    return traceviz.load(str(MESH / case / FORMATS[form]), service="istio-ingress").report()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden` writes tests/goldens anew; what changed is then in the diff to be looked at."""
    parser.addoption("--update-golden", action="store_true", help="Write the golden files anew.")
