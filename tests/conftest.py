"""What all tests share: where the recordings are, and reports of them, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import traceviz
from traceviz import Report

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
MESH = SHARED / "data" / "mesh"
CASES = sorted(path.parent.name for path in MESH.glob("*/truth.json"))
FORMATS = {"v1": "v1/traces.json.gz", "v3": "v3/traces.json.gz", "zipkin": "zipkin.json.gz"}


@cache
def recorded(case: str, form: str) -> Report:
    """The report of a recorded mesh, of the requests that came through its ingress."""
    return traceviz.load(str(MESH / case / FORMATS[form]), service="istio-ingress").report()
