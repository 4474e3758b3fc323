"""A place in two sets of requests ▸ how far it moved: time that was added, calls that became slower, more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traceviz.analyze.sketch import Sketch
from traceviz.analyze.slower import LEAST_RATIO, Slower, slower
from traceviz.slow.counts import added_up
from traceviz.slow.reference import EntryName, Requests

#: Nobody notices what changes a request by less than a hundredth.
NOTICED = 0.01

Times = Mapping[EntryName, Sketch]
_NOTHING = Sketch()


@dataclass(frozen=True)
class Moved:
    """How a place moved against the reference. `added_ns` is what users of the entries that both sides have waited
    longer there (negative: shorter); `slower` is how far single calls became slower, None where they did not; `calls`
    and `calls_before` are those of one request, `before` the times of the reference; `more_calls` says that most of
    what was added comes from there being more of them, `new` is the share of calls that there were not, and
    `whose_doing` that is, None where it is not known."""

    added_ns: float
    slower: Slower | None
    calls: float
    calls_before: float
    before: Sketch
    more_calls: bool
    new: float
    whose_doing: str | None = None

    @property
    def certain(self) -> float:
        """The share of calls that is slower beyond chance, or is new."""
        return max(self.slower.share if self.slower else 0.0, self.new)


class Comparison:
    """Two sets of requests: what is the same for all places."""

    def __init__(self, requests: Requests, reference: Requests) -> None:
        entries = requests.durations.keys() & reference.durations.keys()
        #: So many requests there are now for one of the reference, of what was asked for in both.
        self._ratios = {
            entry: requests.durations[entry].count / reference.durations[entry].count for entry in sorted(entries)
        }
        self._asked = sum(requests.durations[entry].count for entry in entries)
        #: How long users waited for these entries now.
        self.waited_ns = sum(requests.durations[entry].total_ns for entry in entries)
        usual = added_up(reference.durations[entry] for entry in entries)
        #: Less than this on top of a call is not noticed.
        self.least_ns = NOTICED * usual.percentiles_ns((0.5,))[0] if usual.count else 0.0

    def moved(self, now: Times, before: Times) -> Moved | None:
        """How one place moved; None where the reference has no request like those that are there now."""
        if not self._ratios:
            return None
        added = of_calls = calls = calls_before = 0.0
        entries = [entry for entry in sorted(now.keys() | before.keys()) if entry in self._ratios]
        for entry in entries:
            ratio, mine, theirs = self._ratios[entry], now.get(entry, _NOTHING), before.get(entry, _NOTHING)
            added += mine.total_ns - theirs.total_ns * ratio
            calls += mine.count
            calls_before += theirs.count * ratio
            typical = theirs.total_ns / theirs.count if theirs.count else mine.total_ns / max(mine.count, 1)
            of_calls += (mine.count - theirs.count * ratio) * typical
        earlier = added_up(before[entry] for entry in entries if entry in before)
        found = slower(earlier, added_up(now[entry] for entry in entries if entry in now), self.least_ns)
        new = 1 - calls_before / calls if calls > LEAST_RATIO * calls_before else 0.0
        more = new > 0 and calls_before > 0 and of_calls > added / 2 > 0
        return Moved(added, found, calls / self._asked, calls_before / self._asked, earlier, more, new)
