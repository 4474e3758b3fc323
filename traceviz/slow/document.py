"""Counts ▸ the document of `traceviz slow`: where the time went, what changed, and which operations it was spent in."""

from __future__ import annotations

from traceviz import when
from traceviz.analyze.counting import Baseline
from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.documents import BaselineDocument, PathShare, SlowDocument
from traceviz.notes import define
from traceviz.slow.all_calls import AllCalls
from traceviz.slow.counts import OTHERS, SlowCounts, added_up
from traceviz.slow.ranking import Ranking
from traceviz.slow.rows import compare_with_baseline, compare_within, read_rows

OWN_FAST_REQUESTS = define(
    "own-fast-requests",
    "slow requests were compared with the {count} fast {count:one|ones} of the same kind in this window",
    """`traceviz slow` shows what a place took before (`baseline_ms`). Without `--baseline`, or where that has no such
    requests, it is what it takes in the fast requests of the same window: of every operation that users ask for about
    the faster half, if there are five of them and they are a tenth of all.

    What is always slow is slow in fast requests as well, and stands out by its share alone.

    What to do: `--baseline` with a healthy hour (a file, a Jaeger), `--baseline-since 1d`, `--baseline-version v1`.""",
)
NOTHING_TO_COMPARE = define(
    "nothing-to-compare",
    "{count} {count:kind|kinds} of requests {count:is|are} not in the baseline and {count:was|were} not compared",
    """What users asked for, an operation of the workload at the entry, was not asked for in the baseline.

    Sign: the examples are such operations. Their time counts in `share`, and not in `explains`. Where the baseline has
    none of what was asked for, slow requests are compared with the window's own fast ones.

    What to do: a baseline that holds such requests: a longer one, or one of another hour.""",
)
OPERATIONS_CUT = define(
    "operations-cut",
    "{count} {count:workload has|workloads have} so many operations that most of them were counted together",
    """Of the operations that users ask for 64 a workload are told apart, of those on critical paths 1,000 a workload,
    of versions, pods and operations of a slow place 64. All others count as one, `(other operations)`.

    Which ones these are follows from their names alone, so that no split of the traces changes an answer: names without
    a digit go first.

    What to do: names of operations without values in them (`http.route` in the program's instrumentation).""",
)

_OTHER_OPERATIONS = "(other operations)"


def slow_document(report: Report, counts: SlowCounts, baseline: Baseline[SlowCounts] | None = None) -> SlowDocument:
    """The document of `traceviz slow -o json`."""
    resolved = Resolved(report, [] if baseline is None else [baseline.report])
    names = resolved.names
    rows = read_rows(counts, names)
    compared = None
    if baseline is not None:
        calls = AllCalls(resolved, Resolved(baseline.report, [report]))
        compared = compare_with_baseline(rows, counts, baseline.counts, names, calls)
        resolved.notes.add(NOTHING_TO_COMPARE, len(compared.missing), [_shown(*entry) for entry in compared.missing])
    if compared is None or all(row.moved is None for row in rows.values()):
        baseline, compared = None, compare_within(rows, counts, names)
        resolved.notes.add(OWN_FAST_REQUESTS, compared.requests)
    cut = {work.workload for work in counts.work if work.operation == OTHERS}
    cut |= {speed.entry.workload for speed in counts.requests if speed.entry.operation == OTHERS}
    resolved.notes.add(OPERATIONS_CUT, len(cut), sorted(names[party] for party in cut))
    said = _own(resolved) if baseline is None else baseline_of(baseline.report, baseline.version)
    ranking = Ranking(counts.waited_ns, compared.waited_ns, said, report.asked.ui_url)
    return {
        **resolved.head("slow"),
        "baseline": said,
        "requests_ms": added_up(counts.requests.values()).document(),
        "slow_hops": ranking.ranked(rows),
        "critical_path": _critical_path(counts, names, counts.waited_ns),
    }


def baseline_of(report: Report, version: str | None = None) -> BaselineDocument:
    """What a document says of the traces that it is compared with."""
    return {
        "source": list(report.asked.source),
        "window": {"from": _instant(report.first_ns), "to": _instant(report.last_ns)},
        "traces": report.traces,
        "own": False,
        "version": version,
        "notes": report.notes.documents(),
    }


def _own(resolved: Resolved) -> BaselineDocument | None:
    """The window's own fast requests, None where all were about as fast."""
    fast = resolved.notes.count(OWN_FAST_REQUESTS)
    if not fast:
        return None
    head = resolved.head("slow")
    return {
        "source": head["source"],
        "window": head["window"],
        "traces": fast,
        "own": True,
        "version": None,
        "notes": [],
    }


def _critical_path(counts: SlowCounts, names: NodeNames, waited: int) -> list[PathShare]:
    """Operations by their part of the time that users waited, the largest first."""
    totals: dict[tuple[str, str], list[int]] = {}
    for work, numbers in counts.work.items():
        sums = totals.setdefault((names[work.workload], work.operation), [0, 0])
        sums[:] = [sums[0] + numbers.total_ns, sums[1] + numbers.traces]
    ordered = sorted(totals.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        {
            "service": service,
            "operation": _OTHER_OPERATIONS if operation == OTHERS else operation,
            "share": round(total / waited, 9) if waited else 0.0,
            "mean_ms": round(total / traces / 1e6, 6) if traces else 0.0,
            "traces": traces,
        }
        for (service, operation), (total, traces) in ordered
    ]


def _shown(node: str, operation: str) -> str:
    return f"{node}: {_OTHER_OPERATIONS if operation == OTHERS else operation}"


def _instant(ns: int | None) -> str | None:
    return None if ns is None else when.rfc3339(ns)
