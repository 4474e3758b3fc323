"""The document of `traceviz slow`: where the time goes that users wait."""

from __future__ import annotations

from typing import TypedDict

from traceviz.documents.baseline import BaselineDocument
from traceviz.documents.distribution import Distribution
from traceviz.documents.head import Document
from traceviz.documents.hop import Concentration, RankedHop


class SlowHop(RankedHop):
    """One row of `traceviz slow`: a place where users waited, with its share of all their time. `self_ms` is what one
    call waited there, `baseline_ms` the same before, or in the window's own fast requests. `explains` is the row's part
    of all time that was added since, `slower_share` the part of its calls that is slower beyond chance; both are null
    where there is nothing to compare with."""

    blame: str
    share: float
    explains: float | None
    slower_share: float | None
    self_ms: Distribution | None
    baseline_ms: Distribution | None
    calls_per_request: float | None
    baseline_calls_per_request: float | None
    traces: int
    concentrated_in: dict[str, Concentration]
    text: str
    examples: list[str]
    links: list[str]


class PathShare(TypedDict):
    """An operation's part of the time that users waited; `mean_ms` is that of the traces whose critical path it is
    on."""

    service: str
    operation: str
    share: float
    mean_ms: float
    traces: int


class SlowDocument(Document):
    """traceviz/slow/1"""

    baseline: BaselineDocument | None
    requests_ms: Distribution | None
    slow_hops: list[SlowHop]
    critical_path: list[PathShare]
