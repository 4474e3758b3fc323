"""All that `traceviz why` counts of some traces: a report, where their time went, how everybody behaves, the doctor's
checkup."""

from __future__ import annotations

from traceviz.analyze.report import Report, count_hops
from traceviz.doctor import Checkup
from traceviz.hops import hops
from traceviz.reconstruct import Forest
from traceviz.slow.counts import SlowCounts
from traceviz.why.behaviour import BehaviourCounts


class WhyCounts:
    """What was counted beside the report. `merge` is associative and commutative, fresh counts are its identity."""

    def __init__(self) -> None:
        self.slow = SlowCounts()
        self.behaviour = BehaviourCounts()
        self.checkup = Checkup()

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report."""
        found = hops(forest)
        self.slow.count_hops(found)
        self.behaviour.count_hops(found)
        self.checkup.count_hops(found)
        return count_hops(found)

    def merge(self, other: WhyCounts) -> WhyCounts:
        """Add what was counted of other traces, and give these counts back."""
        self.slow.merge(other.slow)
        self.behaviour.merge(other.behaviour)
        self.checkup.merge(other.checkup)
        return self
