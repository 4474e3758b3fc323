"""A check of the doctor over made or recorded traces, in one batch or many, through the interface that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.builder import Row, forest
from traceviz.analyze.report import Report, report
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Counts, Found
from traceviz.hops import hops
from traceviz.reconstruct import Forest, reconstruct
from traceviz.target import open_target
from traceviz.wanted import Wanted


def found(check: Callable[[], Counts], *batches: Iterable[Row]) -> list[Found]:
    """What a check finds in batches of rows, each batch of whole traces."""
    return judged(check, [forest(*rows) for rows in batches])


def judged(check: Callable[[], Counts], forests: Sequence[Forest]) -> list[Found]:
    """What it finds in forests, each counted by itself, merged from the last one to the first."""
    whole, total = Report(), check()
    for one in reversed(forests):
        counts = check()
        counts.count(hops(one))
        total = total.merge(counts)
        whole.merge(report(one))
    return list(total.found(Resolved(whole)))


def recorded(check: Callable[[], Counts], path: str) -> list[Found]:
    """What it finds in a file."""
    with open_target([path], Wanted()) as traces:
        return judged(check, [reconstruct(spans) for spans in traces.batches()])
