"""Failure shapes ▸ failing hops: where errors started, who felt them, why, and where to look first."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from traceviz import when
from traceviz.analyze.beginnings import Start
from traceviz.analyze.chains import Chains
from traceviz.analyze.conditions import (
    OTHER_VALUES,
    TRAITS,
    VALUES_CUT,
    Values,
    add_values,
    makes_fail,
)
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sentences import ends_of, sentence
from traceviz.analyze.shapes import LONGEST_PATH, Failure, Shape, ShapeCount
from traceviz.analyze.significance import chance_of_more
from traceviz.documents import Concentration, ErrorsDocument, FailingHop

EXAMPLES = 5
#: A value is said to be what failing calls share when most have it, and chance does not explain it.
SHARED_BY = 0.7
CHANCE = 0.001


class RowKey(NamedTuple):
    """One row where the caller's side is at fault; one for all callers where the callee's is."""

    caller: str | None
    callee: str
    where: str
    reason: str


@dataclass
class _Row:
    """What is added up for one failing hop."""

    callers: Counter[str] = field(default_factory=Counter)
    from_outside: int = 0
    blames: Counter[str | None] = field(default_factory=Counter)
    traces: int = 0
    calls: int = 0
    failed_traces: int = 0
    absorbed_by: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    chains: Counter[tuple[str, ...]] = field(default_factory=Counter)
    first_ns: list[int] = field(default_factory=list)
    last_ns: list[int] = field(default_factory=list)
    felt: set[tuple[str, str]] = field(default_factory=set)
    unfelt: set[tuple[str, str]] = field(default_factory=set)


def errors_document(report: Report) -> ErrorsDocument:
    """The document of `traceviz errors -o json`."""
    resolved = Resolved(report)
    rows = failing_hops(resolved)
    head = resolved.head("errors")
    return {**head, "failing_hops": rows}  # type: ignore[typeddict-item]  # the head has no baseline


def failing_hops(resolved: Resolved) -> list[FailingHop]:
    """The ranked rows."""
    rows: dict[RowKey, _Row] = {}
    for shape, count in resolved.report.shapes.items():
        _add_shape(resolved, shape, count, rows)
    total = resolved.report.failed_traces
    return ranked([_document(resolved, key, row, total) for key, row in rows.items()])


def ranked(rows: list[FailingHop]) -> list[FailingHop]:
    """The rows in CONTRACT's order, with their ranks."""
    rows.sort(key=_rank)
    for rank, row in enumerate(rows, 1):
        row["rank"] = rank
    return rows


def _rank(row: FailingHop) -> tuple[object, ...]:
    return (
        row["failed_traces"] == 0,
        -(row["score"] or 0.0),
        -row["failed_traces"],
        -row["traces"],
        -len(row["chain"]),
        row["caller"] or "",
        row["callee"],
        row["where"],
        row["reason"],
    )


def starts(resolved: Resolved, shape: Shape) -> dict[RowKey, list[int]]:
    """Where errors started in one shape: places in it, by the row that they belong to."""
    return _starts(resolved, shape, [_causes(resolved, shape, failure) for failure in shape])


def _starts(resolved: Resolved, shape: Shape, causes: list[bool]) -> dict[RowKey, list[int]]:
    caused = {failure.above for failure, cause in zip(shape, causes, strict=True) if cause}
    found: dict[RowKey, list[int]] = {}
    for index, failure in enumerate(shape):
        if failure.fate == "failed" and index not in caused:
            found.setdefault(_key(resolved, failure), []).append(index)
    return found


class Way(NamedTuple):
    """A way of calls: with what its tree begins, and the caller of every call from there down, then the callee."""

    begins: Start | None
    nodes: tuple[str, ...]


def ways(resolved: Resolved) -> set[Way]:
    """The ways at whose ends errors started, no more than the first 64 nodes of each."""
    found: set[Way] = set()
    for shape in resolved.report.shapes:
        begins: list[Start | None] = []
        callers: list[tuple[str, ...]] = []
        for failure in shape:
            caller = _name(resolved, failure)
            if failure.above < 0:
                down = tuple(resolved.names[party] for party in failure.path)
            else:
                down = callers[failure.above] + (() if caller is None else (caller,))
            begins.append(failure.begins if failure.above < 0 else begins[failure.above])
            callers.append(down[:LONGEST_PATH])
        for places in starts(resolved, shape).values():
            for place in places:
                nodes = (*callers[place], resolved.names[shape[place].callee])
                found.add(Way(begins[place], nodes[:LONGEST_PATH]))
    return found


def row_key(row: FailingHop) -> RowKey:
    """The key that a row was added up under."""
    callers_side = row["where"] in ("caller", "caller-proxy")
    return RowKey(row["caller"] if callers_side else None, row["callee"], row["where"], row["reason"])


def _add_shape(resolved: Resolved, shape: Shape, count: ShapeCount, rows: dict[RowKey, _Row]) -> None:
    """Find the starts in one shape and add them up, each row once a trace."""
    causes = [_causes(resolved, shape, failure) for failure in shape]
    fate_of, chains = _fates(resolved, shape, causes), Chains(shape, resolved.names)
    for key, indices in _starts(resolved, shape, causes).items():
        row = rows.setdefault(key, _Row())
        fates = [fate_of[index] for index in indices]
        row.traces += count.count
        row.first_ns.append(min(count.periods[index][0] for index in indices))
        row.last_ns.append(max(count.periods[index][1] for index in indices))
        for caller in {_name(resolved, shape[index]) for index in indices}:
            if caller is None:
                row.from_outside += count.count
            else:
                row.callers[caller] += count.count
        for index in indices:
            _add_calls(resolved, row, shape[index], count.count)
        row.chains[chains.first(indices)] += count.count
        if None in fates:
            row.failed_traces += count.count
            row.felt.update(count.examples)
        else:
            row.absorbed_by[min(str(fate) for fate in fates)] += count.count
            row.unfelt.update(count.examples)


def _causes(resolved: Resolved, shape: Shape, failure: Failure) -> bool:
    """Whether a failure made the hop above it fail."""
    if failure.above < 0:
        return False
    above = shape[failure.above]
    name = resolved.names.workload(above.callee)
    with_it = resolved.pairs[name, resolved.names.workload(failure.callee)]
    return above.fate == "retried" or makes_fail(with_it, resolved.answers[name])


def _fates(resolved: Resolved, shape: Shape, causes: list[bool]) -> list[str | None]:
    """For every failure None where it reached the user, else who absorbed it: what caused the failure above shares
    the fate of that one."""
    fates: list[str | None] = []
    for failure, cause in zip(shape, causes, strict=True):
        fates.append(fates[failure.above] if cause else _fate(resolved, failure))
    return fates


def _fate(resolved: Resolved, failure: Failure) -> str | None:
    if failure.fate == "retried":
        return "retry"
    if failure.above < 0 and failure.top != "absorbed":
        return None if failure.top == "user" else "unknown"
    # Nobody waits for what is in a queue: whoever took it out has to live with the failure.
    if failure.caller is not None and failure.caller.kind == "queue":
        return resolved.names[failure.callee]
    return _name(resolved, failure) or "unknown"


def _key(resolved: Resolved, failure: Failure) -> RowKey:
    callee, where, reason = resolved.names[failure.callee], failure.where, failure.reason
    if reason == "application-error" and not failure.answered and callee in resolved.reporting:
        # A callee that reports, but not this call: whether it was the one who answered is not known.
        where, reason = "network", "unknown"
    caller = _name(resolved, failure) if where in ("caller", "caller-proxy") else None
    return RowKey(caller, callee, where, reason)


def _name(resolved: Resolved, failure: Failure) -> str | None:
    return None if failure.caller is None else resolved.names[failure.caller]


def _add_calls(resolved: Resolved, row: _Row, failure: Failure, traces: int) -> None:
    calls = failure.calls * traces
    row.calls += calls
    row.blames[None if failure.blame is None else resolved.names[failure.blame]] += calls
    if failure.status:
        row.statuses[failure.status] += calls
    for flag in filter(None, failure.flags.split(",")):
        row.flags[flag] += calls


def _document(resolved: Resolved, key: RowKey, row: _Row, total: int) -> FailingHop:
    callers = dict(sorted(row.callers.items(), key=lambda item: (-item[1], item[0])))
    examples = sorted(row.felt or row.unfelt)[:EXAMPLES]
    ui_url = resolved.report.asked.ui_url
    document: FailingHop = {
        "rank": 0,
        "caller": next(iter(callers), None),
        "callee": key.callee,
        "callers": callers,
        "where": key.where,
        "reason": key.reason,
        "blame": min(row.blames, key=lambda name: (-row.blames[name], name or "")),
        "traces": row.traces,
        "calls": row.calls,
        "failed_traces": row.failed_traces,
        "absorbed_traces": row.traces - row.failed_traces,
        "absorbed_by": dict(sorted(row.absorbed_by.items(), key=lambda item: (-item[1], item[0]))),
        "explains": round(row.failed_traces / total, 6) if total else None,
        "score": round(row.failed_traces / math.sqrt(total * row.traces), 6) if total else None,
        "statuses": dict(sorted(row.statuses.items())),
        "flags": dict(sorted(row.flags.items())),
        "concentrated_in": concentrations(resolved, key, [*callers, *([None] if row.from_outside else [])]),
        "first": when.rfc3339(min(row.first_ns)),
        "last": when.rfc3339(max(row.last_ns)),
        "chain": list(_commonest(row.chains)),
        "text": "",
        "examples": [trace_id for trace_id, _ in examples],
        "request_ids": [request for _, request in examples if request],
        "links": [f"{ui_url}/trace/{trace_id}" for trace_id, _ in examples] if ui_url else [],
    }
    of_calls = resolved.calls_received(list(callers), key.callee, from_outside=row.from_outside > 0)
    ends = {end: resolved.shown_workload(name) for end, name in ends_of(document).items()}
    document["text"] = sentence(document, of_calls, resolved.report.traces, ends)
    return document


def _commonest(chains: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    return min(chains, key=lambda chain: (-chains[chain], chain))


def concentrations(resolved: Resolved, key: RowKey, callers: list[str | None]) -> dict[str, Concentration]:
    """What failing calls share that healthy ones do not: version, pod, zone, operation of the side at fault."""
    side = "caller" if key.where in ("caller", "caller-proxy") else "callee"
    found: dict[str, Concentration] = {}
    cut = False
    for trait in TRAITS:
        values: Values = {}
        for caller in callers:
            add_values(values, resolved.traits.get((caller, key.callee, side, trait), {}))
        cut = cut or OTHER_VALUES in values
        if shared := _shared(values):
            found[trait] = shared
    resolved.notes.add(VALUES_CUT, int(cut), [key.callee])
    return found


def _shared(values: Values) -> Concentration | None:
    failed = sum(counts[0] for counts in values.values())
    well = sum(counts[1] for counts in values.values())
    if len(values) < 2 or not failed:
        return None
    value = min(values.keys() - {OTHER_VALUES}, key=lambda text: (-values[text][0], text))
    own = values[value]
    chance = chance_of_more(own[0], own[1], failed - own[0], well - own[1])
    if own[0] / failed < SHARED_BY or chance >= CHANCE:
        return None
    return {"value": value, "share": round(own[0] / failed, 6)}
