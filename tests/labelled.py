"""The labelled windows of data/nezha: how often `why` names the broken service, beside rows that know less.

`python -m tests.labelled` writes the table of the README anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import median

from tests.conftest import ROOT, SHARED
from traceviz.analyze.counting import Baseline
from traceviz.analyze.sketch import Sketch
from traceviz.library import load
from traceviz.slow.counts import Work
from traceviz.why.behaviour import Timed, WayKey
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

DATA = SHARED / "data" / "nezha"
PAGE = ROOT / "README.md"
MARKS = re.compile(r"(?<=<!-- labelled -->\n)(.*?)(?=<!-- /labelled -->)", re.DOTALL)
SYSTEMS = ("OnlineBoutique", "TrainTicket")


@dataclass(frozen=True)
class Window:
    """A fault in one service of a system, known by its label, with a window of before."""

    case: str
    system: str
    fault: str
    service: str

    def counted(self, which: str) -> Baseline:
        """The report and the counts of its "faulty" or "normal" traces."""
        return _counted(f"{self.case}/{which}")


@cache
def _counted(name: str) -> Baseline:
    counts = WhyCounts()
    return Baseline(counts.count(load(str(DATA / f"{name}.json.gz"))), counts)


def windows() -> list[Window]:
    """All of them, in the order of the labels."""
    return [
        Window(label["case"], label["system"], label["fault_type"], label["root_cause_service"])
        for label in json.loads((DATA / "labels.json").read_text())
    ]


#: A way of ranking the services of a window, the first one blamed first.
Ranking = Callable[[Window], list[str]]


def by_why(window: Window) -> list[str]:
    """What `traceviz why --baseline` says."""
    now = window.counted("faulty")
    document = why_document(now.report, now.counts, window.counted("normal"))
    return [cause["service"] for cause in document["causes"]]


def by_loudness(window: Window) -> list[str]:
    """The service that is at work longest, whatever it did before."""
    counts = window.counted("faulty").counts
    totals: dict[str, float] = {}
    for work, visits in counts.behaviour.visits.items():
        totals[work.workload.service] = totals.get(work.workload.service, 0.0) + visits.own.times.total_ns
    return sorted(totals, key=lambda service: (-totals[service], service))


def by_self_time(window: Window) -> list[str]:
    """Self time against the baseline, what lies between a caller's half and a callee's being the callee's: by how many
    of its spreads the median of an operation moved at most (a robust z). Of several such rankings the strongest."""
    now, before = window.counted("faulty").counts, window.counted("normal").counts
    moved: dict[str, float] = {}
    earlier = _timed(before)
    for key, timed in _timed(now).items():
        service = key.workload.service if isinstance(key, Work) else key.callee.service
        if (was := earlier.get(key)) is not None:
            moved[service] = max(moved.get(service, 0.0), _z(timed.times, was.times))
    return sorted(moved, key=lambda service: (-moved[service], service))


def _timed(counts: WhyCounts) -> dict[Work | WayKey, Timed]:
    behaviour = counts.behaviour
    return {**{work: visits.own for work, visits in behaviour.visits.items()}, **behaviour.ways}


def _z(sketch: Sketch, was: Sketch) -> float:
    middle = median(_values(was))
    spread = 1.4826 * median(abs(time - middle) for time in _values(was))
    return (median(_values(sketch)) - middle) / max(spread, 1e5)


def _values(sketch: Sketch) -> list[float]:
    scale, mine, _ = sketch.together(sketch)
    return [float(value) for value, times in zip(scale, mine, strict=True) for _ in range(int(times))]


def services(window: Window) -> int:
    """How many services there are to choose from."""
    counts = window.counted("faulty").counts
    return len({work.workload.service for work in counts.behaviour.visits})


@dataclass(frozen=True)
class Hits:
    """Of so many windows, in how many (or how many by chance) the broken service was first, or among three."""

    windows: int
    top_1: float
    top_3: float

    def shown(self) -> str:
        """As in the table."""
        return f"{self.top_1 / self.windows:.0%} / {self.top_3 / self.windows:.0%}"


def hits(ranking: Ranking, some: list[Window]) -> Hits:
    """How often a ranking is right."""
    places = [_place(ranking(window), window.service) for window in some]
    return Hits(len(some), sum(place == 1 for place in places), sum(place <= 3 for place in places))


def by_chance(some: list[Window]) -> Hits:
    """How often one would be right without looking."""
    return Hits(
        len(some), sum(1 / services(window) for window in some), sum(min(3 / services(window), 1) for window in some)
    )


def _place(ranked: list[str], service: str) -> int:
    return ranked.index(service) + 1 if service in ranked else len(ranked) + 1000


def table() -> str:
    """Markdown: a row a system and fault, and a row of all faults of a system, top-1 / top-3 each."""
    lines = [
        "| system | fault | windows | `why` | self time against baseline | loudest service | chance |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in _rows()]
    return "\n".join(lines) + "\n"


def _rows() -> Iterator[list[str]]:
    every = windows()
    for system in SYSTEMS:
        of_system = [window for window in every if window.system == system]
        for fault in sorted({window.fault for window in of_system}):
            yield _row(system, fault.replace("_", " "), [window for window in of_system if window.fault == fault])
        yield _row(f"**{system}**", "**all**", of_system)


def _row(system: str, fault: str, some: list[Window]) -> list[str]:
    found = [hits(ranking, some) for ranking in (by_why, by_self_time, by_loudness)] + [by_chance(some)]
    return [system, fault, str(len(some)), *(one.shown() for one in found)]


if __name__ == "__main__":
    PAGE.write_text(MARKS.sub(lambda _: table(), PAGE.read_text()))
