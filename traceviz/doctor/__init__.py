"""What is wrong with traces, and what merely is so: every check of the doctor counts, counts are merged, each judges.

    checkup = Checkup()
    report = traces.report(checkup.count)
    document = doctor(report, checkup)

A check is a module of this folder; which ones there are, and in which order their findings stand, says `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from traceviz.analyze.report import Report, count_hops
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Counts, Found
from traceviz.doctor.clocks import ClockSkew
from traceviz.doctor.deadlines import DeadlineCounts
from traceviz.doctor.document import doctor_document
from traceviz.doctor.duplicates import DuplicateSpans
from traceviz.doctor.headers import HeaderCounts
from traceviz.doctor.incomplete import IncompleteTraces
from traceviz.doctor.missing import MissingParents
from traceviz.doctor.mixer import MixerSpans
from traceviz.doctor.naming import OneServiceName
from traceviz.doctor.noted import Noted
from traceviz.doctor.passthrough import Passthrough
from traceviz.doctor.roots import SeveralRoots
from traceviz.doctor.sampled import Sampled
from traceviz.doctor.sequences import RepeatCounts, SequenceCounts
from traceviz.doctor.storms import StormCounts
from traceviz.doctor.times import ImpossibleTimes
from traceviz.doctor.two_names import TwoNames
from traceviz.doctor.uninstrumented import UninstrumentedCallees
from traceviz.documents import DoctorDocument
from traceviz.hops import Hops, hops
from traceviz.reconstruct import Forest

#: What is looked for, first what spoils most of what is shown.
CHECKS: tuple[Callable[[], Counts], ...] = (
    HeaderCounts,
    MissingParents,
    SeveralRoots,
    IncompleteTraces,
    UninstrumentedCallees,
    TwoNames,
    OneServiceName,
    Passthrough,
    ClockSkew,
    ImpossibleTimes,
    DuplicateSpans,
    DeadlineCounts,
    StormCounts,
    RepeatCounts,
    SequenceCounts,
    Noted,
    MixerSpans,
    Sampled,
)


class Checkup:
    """What all checks counted. `merge` is associative and commutative, a new checkup its identity."""

    def __init__(self) -> None:
        self._counts = [check() for check in CHECKS]

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report, as `analyze.report` does."""
        found = hops(forest)
        self.count_hops(found)
        return count_hops(found)

    def count_hops(self, found: Hops) -> None:
        """Count the hops of a batch that are found already."""
        for counts in self._counts:
            counts.count(found)

    def merge(self, other: Checkup) -> Checkup:
        """Add what another checkup counted of other traces, and give this one back."""
        self._counts = [mine.merge(theirs) for mine, theirs in zip(self._counts, other._counts, strict=True)]
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """What all checks have to say, in their order."""
        for counts in self._counts:
            yield from counts.found(resolved)


def doctor(report: Report, checkup: Checkup, service: str | None = None) -> DoctorDocument:
    """The document of `traceviz doctor -o json`, of the same traces' report and checkup.

    With `service` only findings on it stay: on its own name, on what it calls, and on nobody in particular; a note says
    how many others there are. At a gateway all requests enter, so that all findings are on it. Raises NothingFound
    where no service is called so.
    """
    resolved = Resolved(report)
    return doctor_document(resolved, checkup.found(resolved), service)
