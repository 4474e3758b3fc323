"""The document of `traceviz why`: what speaks against whom."""

from __future__ import annotations

from typing import Literal, TypedDict

from traceviz.documents.baseline import BaselineDocument
from traceviz.documents.head import Document


class Cause(TypedDict):
    """One row of `traceviz why`: a workload, with what speaks against it, the strongest first. `score` is between 0 and
    1: how much of a workload's calls changed beyond chance, and how far. `caller` is whose calls show it."""

    rank: int
    service: str
    caller: str | None
    kind: Literal["error", "latency", "headers"]
    reason: str
    score: float
    text: str
    evidence: list[str]
    examples: list[str]
    links: list[str]


class WhyDocument(Document):
    """traceviz/why/1"""

    baseline: BaselineDocument | None
    causes: list[Cause]
