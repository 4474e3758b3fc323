"""Counts ▸ the document of `traceviz why`: errors, slow hops and lost headers as one list of workloads.

With a baseline a workload is judged by how its behaviour changed; without one by what errors, the time that users
waited and the doctor say of the window itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from traceviz.analyze.blame import failing_hops, row_key
from traceviz.analyze.counting import Baseline
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sentences import percent
from traceviz.documents import Cause, FailingHop, SlowDocument, WhyDocument
from traceviz.slow import reasons
from traceviz.slow.counts import added_up
from traceviz.slow.document import slow_document
from traceviz.slow.moved import NOTICED
from traceviz.why.counts import WhyCounts
from traceviz.why.evidence import BESIDE, ERROR, Evidence, compare, more_often, named
from traceviz.why.failures import calls_like

#: What a fault weighs that nobody felt, where all calls fail: as much as all calls being twice as slow.
ABSORBED = 1.0
#: What all of the time that users waited weighs where there is nothing to compare it with: eight times as slow. Less
#: than all counts by its square, because half of the time of healthy requests is spent somewhere, too.
ALL_TIME = 3.0
#: What lost headers weigh: they make the picture wrong, and no user wait.
HEADERS = 1.0

_HEADERS = "headers-not-forwarded"
#: Slow places that nobody's behaviour shows: a rule of the mesh, a deadline, a proxy, or the number of calls.
_NOT_BEHAVIOUR = {reasons.DELAY_INJECTED, reasons.WAITS_FOR_TIMEOUT, reasons.PROXY, reasons.MORE_CALLS}


def why_document(report: Report, counts: WhyCounts, baseline: Baseline[WhyCounts] | None = None) -> WhyDocument:
    """The document of `traceviz why -o json`."""
    resolved = Resolved(report, [] if baseline is None else [baseline.report])
    before = None if baseline is None else Resolved(baseline.report, [report])
    against = None if baseline is None else Baseline(baseline.report, baseline.counts.slow, baseline.version)
    slow = slow_document(report, counts.slow, against)
    errors = list(_of_errors(resolved, before))
    evidence = [*errors, *_of_slow_hops(slow), *_of_headers(resolved, counts)]
    # Where users asked for nothing that the baseline has, it is another system's, or another hour's work.
    if baseline is not None and slow["baseline"] is not None and not slow["baseline"]["own"]:
        evidence += _of_behaviour(resolved, counts, baseline, errors)
    return {
        **resolved.head("why"),
        "notes": slow["notes"],
        "baseline": slow["baseline"],
        "causes": _causes(evidence, report.asked.ui_url),
    }


def _of_errors(resolved: Resolved, before: Resolved | None) -> Iterator[Evidence]:
    """Failing hops: how much of what users felt they explain, as far as they are new."""
    earlier = {} if before is None else {row_key(row): row for row in failing_hops(before)}
    for row in failing_hops(resolved):
        if row["blame"] is None:
            continue
        if row["failed_traces"]:
            strength = ERROR * (row["score"] or 0.0)
        else:
            strength = ABSORBED * row["calls"] / max(calls_like(resolved, row), row["calls"])
        strength *= _new(resolved, before, row, earlier.get(row_key(row)))
        yield Evidence(
            row["blame"],
            "error",
            row["reason"],
            max(strength, BESIDE),
            row["text"],
            row["caller"],
            tuple(row["examples"]),
            callee=row["callee"],
        )


def _new(resolved: Resolved, before: Resolved | None, row: FailingHop, was: FailingHop | None) -> float:
    """Which part of a failing hop's failures is new. Nobody is expected to fail: without such calls before, all."""
    calls_before = 0 if before is None else calls_like(before, row)
    if was is None or not calls_before:
        return 1.0
    calls = calls_like(resolved, row)
    return min(1.0, more_often(row["calls"], calls, was["calls"], calls_before) * (calls + 1) / row["calls"])


def _of_slow_hops(slow: SlowDocument) -> Iterator[Evidence]:
    """Slow hops. With a baseline the behaviour of workloads says more of those that are slow by themselves."""
    compared = slow["baseline"] is not None and not slow["baseline"]["own"]
    for row in slow["slow_hops"]:
        # Where users do not wait longer in all, what became slower still counts by its part of the time.
        moved = (row["share"] if row["explains"] is None else row["explains"]) * (row["slower_share"] or 0.0)
        if not compared:
            told = max(row["share"], moved)
            strength = ALL_TIME * row["share"] * told if told >= NOTICED else 0.0
        elif row["reason"] in _NOT_BEHAVIOUR:
            strength = ERROR * moved
        else:
            strength = BESIDE if moved >= NOTICED else 0.0
        if strength:
            yield Evidence(
                row["blame"], "latency", row["reason"], strength, row["text"], row["caller"], tuple(row["examples"])
            )


def _of_headers(resolved: Resolved, counts: WhyCounts) -> Iterator[Evidence]:
    """Programs that lose the tracing headers: what they called is in traces of its own, and missing here."""
    for found in counts.checkup.found(resolved):
        if found.code == _HEADERS and found.level == "problem" and found.service is not None:
            towards = " and ".join(found.towards[:2]) + (" and others" if len(found.towards) > 2 else "")
            share = found.share or 0.0
            text = (
                f"{found.service} does not pass the tracing headers on to {towards}: {found.count} calls, "
                f"{percent(share)} of them, began traces of their own, and what is slow or broken there is not seen"
            )
            yield Evidence(found.service, "headers", _HEADERS, HEADERS * share, text, None, found.examples)


def _of_behaviour(
    resolved: Resolved, counts: WhyCounts, baseline: Baseline[WhyCounts], errors: list[Evidence]
) -> list[Evidence]:
    requests = added_up(baseline.counts.slow.requests.values())
    least_ns = NOTICED * requests.percentiles_ns((0.5,))[0] if requests.count else 0.0
    names = resolved.names
    return compare(named(counts.behaviour, names), named(baseline.counts.behaviour, names), least_ns, errors)


def _causes(evidence: list[Evidence], ui_url: str | None) -> list[Cause]:
    """One row a workload, by its strongest evidence; where two are as strong, by all of it."""
    of_node: dict[str, list[Evidence]] = defaultdict(list)
    for one in evidence:
        if one.strength > 0:
            of_node[one.node].append(one)
    ranked = sorted(of_node.items(), key=lambda item: (-_weight(item[1]), item[0]))
    return [_cause(rank, node, several, ui_url) for rank, (node, several) in enumerate(ranked, 1)]


def _weight(evidence: list[Evidence]) -> float:
    return max(one.strength for one in evidence) + 0.01 * sum(one.strength for one in evidence)


def _cause(rank: int, node: str, evidence: list[Evidence], ui_url: str | None) -> Cause:
    ordered = sorted(evidence, key=lambda one: (-one.strength, one.text))
    first = ordered[0]
    examples = list(next((one.examples for one in ordered if one.examples), ()))
    return {
        "rank": rank,
        "service": node,
        "caller": first.caller,
        "kind": first.kind,
        "reason": first.reason,
        "score": round(1 - 2 ** -_weight(evidence), 6),
        "text": first.text,
        "evidence": list(dict.fromkeys(one.text for one in ordered)),
        "examples": examples,
        "links": [f"{ui_url}/trace/{trace_id}" for trace_id in examples] if ui_url else [],
    }
