"""How times are said in every document."""

from __future__ import annotations

from typing import TypedDict


class Distribution(TypedDict):
    """Times in ms; percentiles are nearest rank, exact up to 10,000 values, above that within 1 %."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
