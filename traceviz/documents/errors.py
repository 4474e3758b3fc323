"""The document of `traceviz errors`: where errors start."""

from __future__ import annotations

from typing import NotRequired

from traceviz.documents.baseline import BaselineDocument
from traceviz.documents.head import Document
from traceviz.documents.hop import Concentration, RankedHop


class FailingHop(RankedHop):
    """One row of `traceviz errors`. `baseline_error_rate` is there with a baseline: which share of such calls failed in
    the same way before, null where there were none."""

    blame: str | None
    traces: int
    calls: int
    failed_traces: int
    absorbed_traces: int
    absorbed_by: dict[str, int]
    explains: float | None
    score: float | None
    statuses: dict[str, int]
    flags: dict[str, int]
    concentrated_in: dict[str, Concentration]
    first: str
    last: str
    chain: list[str]
    text: str
    examples: list[str]
    request_ids: list[str]
    links: list[str]
    baseline_error_rate: NotRequired[float | None]


class ErrorsDocument(Document):
    """traceviz/errors/1. `baseline` is there where one was given."""

    baseline: NotRequired[BaselineDocument]
    failing_hops: list[FailingHop]
