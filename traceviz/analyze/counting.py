"""What is counted of traces a batch at a time: a report, and beside it what a command needs besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from traceviz.analyze.report import Count, Report
from traceviz.analyze.report import report as count_all
from traceviz.reconstruct import Forest


class Countable(Protocol):
    """Counts beside a report. `merge` is associative and commutative, fresh counts are its identity, and what is merged
    stays as it is."""

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report."""

    def merge(self, other: Self) -> Self:
        """Add what was counted of other traces."""


class ReportAlone:
    """Nothing beside the report, which is made by `count`."""

    def __init__(self, count: Count = count_all) -> None:
        self.count: Callable[[Forest], Report] = count

    def merge(self, other: ReportAlone) -> ReportAlone:
        """There is nothing to be added."""
        return self


Counts = TypeVar("Counts", bound=Countable)


@dataclass
class Counted(Generic[Counts]):
    """Counts, and the report of the same traces."""

    counts: Counts
    report: Report = field(default_factory=Report)

    def add(self, forest: Forest) -> None:
        """Count a batch of whole traces."""
        self.report.merge(self.counts.count(forest))

    def merge(self, other: Counted[Counts]) -> None:
        """Add what was counted of other traces."""
        self.report.merge(other.report)
        self.counts = self.counts.merge(other.counts)


class Baseline(NamedTuple, Generic[Counts]):
    """Other traces that a window is compared with; those of a version alone name it."""

    report: Report
    counts: Counts
    version: str | None = None
