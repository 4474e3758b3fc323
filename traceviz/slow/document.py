"""Counts ▸ the document of `traceviz slow`: where the time went, what changed, and which operations it was spent in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from traceviz import when
from traceviz.analyze.blame import SHARED_BY
from traceviz.analyze.culprits import Way
from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sketch import Sketch
from traceviz.analyze.slower import slower
from traceviz.documents import BaselineDocument, Concentration, PathShare, SlowDocument, SlowHop
from traceviz.notes import define
from traceviz.slow import reasons
from traceviz.slow.counts import OTHERS, SlowCounts, added_up
from traceviz.slow.rows import Row, RowKey, compare_with_baseline, compare_within, ends_of_ways, read_rows, reason_of
from traceviz.slow.sentences import sentence

OWN_FAST_REQUESTS = define(
    "own-fast-requests",
    "slow requests were compared with the {count} fast {count:one|ones} of the same kind in this window",
    """`traceviz slow` shows what a place took before (`baseline_ms`). Without `--baseline` that is what it takes in the
    fast requests of the same window: of every operation that users ask for, the faster half.

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


class Baseline(NamedTuple):
    """Other traces that a window is compared with."""

    report: Report
    counts: SlowCounts


def slow_document(report: Report, counts: SlowCounts, baseline: Baseline | None = None) -> SlowDocument:
    """The document of `traceviz slow -o json`."""
    resolved = Resolved(report, [] if baseline is None else [baseline.report])
    names = resolved.names
    rows = read_rows(counts, names)
    own = baseline is None
    if baseline is not None:
        missing = compare_with_baseline(rows, counts, baseline.counts, names)
        resolved.notes.add(NOTHING_TO_COMPARE, len(missing), [_shown(*entry) for entry in missing])
        own = all(row.moved is None for row in rows.values())
    if own:
        resolved.notes.add(OWN_FAST_REQUESTS, compare_within(rows, counts, names))
    cut = {work.workload for work in counts.work if work.operation == OTHERS}
    cut |= {speed.entry.workload for speed in counts.requests if speed.entry.operation == OTHERS}
    resolved.notes.add(OPERATIONS_CUT, len(cut), sorted(names[party] for party in cut))
    waited = counts.waited_ns
    return {
        **resolved.head("slow"),
        "baseline": _own(resolved) if own or baseline is None else baseline_of(baseline.report),
        "requests_ms": added_up(counts.requests.values()).document(),
        "slow_hops": _ranked(rows, waited, report.asked.ui_url, own=own),
        "critical_path": _critical_path(counts, names, waited),
    }


def baseline_of(report: Report) -> BaselineDocument:
    """What a document says of the traces that it is compared with."""
    return {
        "source": list(report.asked.source),
        "window": {"from": _instant(report.first_ns), "to": _instant(report.last_ns)},
        "traces": report.traces,
        "own": False,
    }


def _own(resolved: Resolved) -> BaselineDocument | None:
    """The window's own fast requests, None where all were about as fast."""
    fast = resolved.notes.count(OWN_FAST_REQUESTS)
    if not fast:
        return None
    head = resolved.head("slow")
    return {"source": head["source"], "window": head["window"], "traces": fast, "own": True}


def _ranked(rows: Mapping[RowKey, Row], waited: int, ui_url: str | None, *, own: bool) -> list[SlowHop]:
    added = sum(max(row.moved.added_ns, 0.0) for row in rows.values() if row.moved)
    ends = ends_of_ways(rows.items())
    documents = []
    for key, row in rows.items():
        share = row.times.total_ns / waited if waited else 0.0
        explains = None if row.moved is None or added <= 0 else max(row.moved.added_ns, 0.0) / added
        certain = row.moved.certain if row.moved else 0.0
        # What changed goes first where there is a baseline. The window's own fast requests only tell what varies, and
        # what is always slow is slow in them as well: there the share counts, up to twice as much where it varies.
        weight = share * (1 + (explains or 0.0) * certain) if own else (explains or 0.0) * certain
        documents.append(
            (-weight, -share, key[1:], key.caller or "", _document(key, row, share, explains, ends, ui_url, own))
        )
    documents.sort(key=lambda one: one[:-1])
    ranked = [document for *_, document in documents]
    for rank, document in enumerate(ranked, 1):
        document["rank"] = rank
        document["text"] = sentence(document, own=own)
    return ranked


def _document(
    key: RowKey,
    row: Row,
    share: float,
    explains: float | None,
    ends: Mapping[Way, str],
    ui_url: str | None,
    own: bool,
) -> SlowHop:
    callers = dict(sorted(row.callers.items(), key=lambda item: (-item[1], item[0])))
    caller = key.caller or next(iter(callers), None)
    reason = reason_of(key, row, own=own)
    moved = row.moved
    examples = [trace_id for _, trace_id in row.slowest]
    return {
        "rank": 0,
        "caller": caller,
        "callee": key.callee,
        "callers": callers,
        "where": "caller" if reason == reasons.MORE_CALLS else key.where,
        "reason": reason,
        "blame": _blame(key, reason, caller, ends),
        "share": round(share, 6),
        "explains": None if explains is None else round(explains, 6),
        "slower_share": None if moved is None else round(moved.certain, 6),
        "self_ms": row.times.document(),
        "baseline_ms": moved.before.document() if moved else None,
        "calls_per_request": None if moved is None else round(moved.calls, 6),
        "baseline_calls_per_request": None if moved is None else round(moved.calls_before, 6),
        "traces": row.traces,
        "concentrated_in": _concentrated(row),
        "text": "",
        "examples": examples,
        "links": [f"{ui_url}/trace/{trace_id}" for trace_id in examples] if ui_url else [],
    }


def _blame(key: RowKey, reason: str, caller: str | None, ends: Mapping[Way, str]) -> str:
    """The workload to look at first."""
    if reason == reasons.NETWORK and key.caller is not None:
        return ends.get(Way(key.caller, key.callee), key.callee)
    if reason == reasons.MORE_CALLS or (reason == reasons.PROXY and key.where == "caller-proxy"):
        return caller or key.callee
    return key.callee


def _concentrated(row: Row) -> dict[str, Concentration]:
    """The version, pod, operation … that most of the time sits in, where its calls are slower than the others."""
    traits: dict[str, dict[str, Sketch]] = {}
    for trait, sketch in row.by_trait.items():
        traits.setdefault(trait.name, {})[trait.value] = sketch
    found: dict[str, Concentration] = {}
    for name, values in sorted(traits.items()):
        alone = {value: sketch for value, sketch in values.items() if value != OTHERS}
        if len(values) < 2 or not alone:
            continue
        value = min(alone, key=lambda text: (-alone[text].total_ns, text))
        share = alone[value].total_ns / row.times.total_ns
        rest = added_up(sketch for other, sketch in values.items() if other != value)
        apart = slower(rest, alone[value], 0.0)
        if share >= SHARED_BY and apart is not None and apart.share >= SHARED_BY:
            found[name] = {"value": value, "share": round(share, 6)}
    return found


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
