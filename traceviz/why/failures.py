"""`traceviz errors` against a baseline: how often each failing hop failed before, and who stopped calling."""

from __future__ import annotations

from traceviz.analyze.blame import failing_hops, ranked, row_key
from traceviz.analyze.counting import Baseline
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sentences import percent
from traceviz.documents import ErrorsDocument, FailingHop
from traceviz.slow.document import baseline_of
from traceviz.when import rfc3339
from traceviz.why.behaviour import BehaviourCounts
from traceviz.why.evidence import ERROR, GONE, STOPPED, Evidence, compare, named

#: Calls that no longer do what they did are listed from this share on: fewer are another mix of requests.
LEAST_STOPPED = 0.1


def errors_against(report: Report, behaviour: BehaviourCounts, baseline: Baseline[BehaviourCounts]) -> ErrorsDocument:
    """The document of `traceviz errors -o json` with a baseline."""
    resolved, earlier = Resolved(report, [baseline.report]), Resolved(baseline.report, [report])
    rows, rows_before = failing_hops(resolved), {row_key(row): row for row in failing_hops(earlier)}
    for row in rows:
        _say_before(row, rows_before.get(row_key(row)), calls_like(earlier, row))
    known = [Evidence(row["blame"], "error", row["reason"], ERROR, "") for row in rows if row["blame"] is not None]
    names = resolved.names
    evidence = compare(named(behaviour, names), named(baseline.counts, names), 0.0, known)
    stopped = [one for one in evidence if one.reason == STOPPED and one.strength >= GONE * LEAST_STOPPED]
    rows += [_stopped(resolved, one) for one in stopped]
    return {
        **resolved.head("errors"),
        "baseline": baseline_of(baseline.report, baseline.version),
        "failing_hops": ranked(rows),
    }


def calls_like(resolved: Resolved, row: FailingHop) -> int:
    """How many calls there were like those that failed."""
    if row["callee"] not in resolved.parties:
        return 0
    callers = [caller for caller in row["callers"] if caller in resolved.parties]
    return resolved.calls_received(callers, row["callee"], from_outside=not row["callers"])


def _say_before(row: FailingHop, was: FailingHop | None, calls: int) -> None:
    rate = None if not calls else min(1.0, was["calls"] / calls if was else 0.0)
    row["baseline_error_rate"] = None if rate is None else round(rate, 6)
    if rate is None:
        row["text"] += " Before there were no such calls."
    else:
        row["text"] += f" Before, {percent(rate)} of {calls} calls failed so."


def _stopped(resolved: Resolved, one: Evidence) -> FailingHop:
    """A workload that no longer does what it did, as a row. Whether users felt it nobody marked."""
    report = resolved.report
    callers = {edge.caller: counts.calls for edge, counts in resolved.edges.items() if edge.callee == one.node}
    ordered = dict(sorted(callers.items(), key=lambda item: (-item[1], item[0])))
    caller = next(iter(ordered), None)
    traces = min(one.calls, report.traces)
    ui_url = report.asked.ui_url
    return {
        "rank": 0,
        "caller": caller,
        "callee": one.node,
        "callers": ordered,
        "where": "callee",
        "reason": STOPPED,
        "blame": one.node,
        "traces": traces,
        "calls": one.calls,
        "failed_traces": 0,
        "absorbed_traces": traces,
        "absorbed_by": {},
        "explains": 0.0 if report.failed_traces else None,
        "score": 0.0 if report.failed_traces else None,
        "statuses": {},
        "flags": {},
        "concentrated_in": {},
        "first": rfc3339(report.first_ns or 0),
        "last": rfc3339(report.last_ns or 0),
        "chain": [caller, one.node] if caller is not None else [one.node],
        "text": one.text,
        "examples": list(one.examples),
        "request_ids": [],
        "links": [f"{ui_url}/trace/{trace_id}" for trace_id in one.examples] if ui_url else [],
        "baseline_error_rate": None,
    }
