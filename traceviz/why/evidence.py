"""Behaviour now and before ▸ evidence against workloads: who became slower, who fails by itself, who stopped calling.

How strong a piece of evidence is has one measure for all kinds: the share of calls that changed beyond chance, times
how much. Slower is measured in doublings; an error counts like being 32 times as slow (nobody waits longer than five
doublings before they give up), and no longer doing what one always did almost like that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple

from traceviz.analyze.culprits import Way, culprits
from traceviz.analyze.group_names import NodeNames
from traceviz.analyze.sentences import counted, percent
from traceviz.analyze.sketch import Sketch
from traceviz.analyze.slower import Slower, slower
from traceviz.notes import define
from traceviz.why.behaviour import BehaviourCounts, Deed, Timed, Visits

#: What an error weighs, and no longer doing what was always done, in doublings of the time that a call takes.
ERROR, GONE = 5.0, 4.0
#: What is told beside stronger evidence, and weighs nothing.
BESIDE = 1e-9

STOPPED = define(
    "stopped-calling",
    "{count} {count:workload no longer does|workloads no longer do} what they did before",
    """Calls beneath the callee are gone, or spans of its own program, that were there in the baseline.

    Sign: against a baseline, an operation of the workload was asked for, and something that it did in visits that went
    well is missing in more of them, beyond chance, and nothing else is done in its place. What is explained by somebody
    beneath who fails or is slow, or by being called differently, is taken off.

    Cause: a program that returns early or swallows an exception, where nothing marks an error; a feature that was
    switched off; another mix of requests under one name of an operation.

    What to do: look at what the workload logged in the example traces, and at what was rolled out or configured.

    Threshold: in `why` none, the evidence is weighed; in `errors` a tenth of the calls.""",
)

Kind = Literal["error", "latency", "headers"]


class Evidence(NamedTuple):
    """What speaks against a workload: how strongly, why (a code that `explain` knows), in words, and in which traces.
    `caller` is whose calls show it, None where all of them do; `calls` are those that are different than before, where
    that is counted. Of a failing hop `callee` is who was called."""

    node: str
    kind: Kind
    reason: str
    strength: float
    text: str
    caller: str | None = None
    examples: tuple[str, ...] = ()
    calls: int = 0
    callee: str | None = None


class Asked(NamedTuple):
    """What a node was asked for."""

    node: str
    operation: str


#: By names: whom a node called (or None), and the span of its own that it has.
DeedName = tuple[str | None, str]


@dataclass
class Doing:
    """The visits of one operation of a node, deeds by names."""

    visits: Visits = field(default_factory=Visits)
    deeds: Counter[DeedName] = field(default_factory=Counter)
    deeds_well: Counter[DeedName] = field(default_factory=Counter)
    barest: list[tuple[str, frozenset[DeedName]]] = field(default_factory=list)

    @property
    def well(self) -> int:
        """How many of its visits went well."""
        return self.visits.visits - self.visits.marked


@dataclass
class Behaviour:
    """How everybody behaves, by names."""

    doings: dict[Asked, Doing] = field(default_factory=dict)
    ways: dict[Way, dict[str, Timed]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def called(self) -> dict[str, set[str]]:
        """Whom every node calls."""
        found: dict[str, set[str]] = defaultdict(set)
        for way in self.ways:
            found[way.caller].add(way.callee)
        for asked, doing in self.doings.items():
            found[asked.node] |= {called for called, _ in doing.deeds if called is not None}
        return found


def named(counts: BehaviourCounts, names: NodeNames) -> Behaviour:
    """The same by names."""

    def name(deed: Deed) -> DeedName:
        return None if deed.called is None else names[deed.called], deed.operation

    result = Behaviour()
    for work, visits in sorted(counts.visits.items(), key=lambda item: repr(item[0])):
        if work.workload.kind != "workload" and names.workload(work.workload) in names.reporting:
            continue  # Calls of which no half arrived are no visits: failing hops tell them, and why.
        doing = result.doings.setdefault(Asked(names[work.workload], work.operation), Doing())
        doing.visits.merge(visits)
        for mine, theirs in ((doing.deeds, visits.deeds), (doing.deeds_well, visits.deeds_well)):
            for deed, times in theirs.items():
                mine[name(deed)] += times
    for doing in result.doings.values():
        doing.barest = [(bare.trace_id, frozenset(map(name, bare.deeds))) for bare in doing.visits.barest]
    for key, timed in sorted(counts.ways.items(), key=lambda item: repr(item[0])):
        way = result.ways[Way(names[key.caller], names[key.callee])]
        way.setdefault(key.operation, Timed()).merge(timed)
    return result


def compare(now: Behaviour, before: Behaviour, least_ns: float, known: Iterable[Evidence] = ()) -> list[Evidence]:
    """The evidence of everybody's behaviour; `known` is what speaks against somebody already.

    What is explained by somebody else is taken off: a workload that fails, or stops calling, beneath which somebody
    fails or is slow; and one that does something else because it is called differently. Failures that are known are
    told as the failing hop tells them, with flags and statuses."""
    known = list(known)
    found = [*_slower_at_work(now, before, least_ns), *_slower_ways(now, before, least_ns), *_marked(now, before)]
    gone = _stopped(now, before)
    troubled, stopped = _strongest([*found, *known]), _strongest(gone)
    marks = _strongest(one for one in [*found, *known] if one.kind == "error")
    beneath = _beneath(now.called)
    callers: dict[str, set[str]] = defaultdict(set)
    for caller, callees in now.called.items():
        for callee in callees - {caller}:
            callers[callee].add(caller)
    result = []
    for one in (*found, *gone):
        explained = 0.0
        if one.reason == STOPPED:
            blamed = (troubled[other] for other in beneath[one.node])
            explained = max(chain(blamed, (stopped[other] for other in callers[one.node])), default=0.0)
        elif one.kind == "error":
            explained = max((marks[other] for other in beneath[one.node]), default=0.0)
        if one.strength > explained:
            one = one._replace(strength=one.strength - explained)
            told = _as_known(one, known)
            result += [one] if told is None else [told, one._replace(strength=BESIDE)]
    return result


def _as_known(one: Evidence, known: Iterable[Evidence]) -> Evidence | None:
    """The failing hop that tells the same failures of a workload as marks of its own, None where there is none."""
    if one.reason != "application-error":
        return None
    same = [other for other in known if other.node == other.callee == one.node]
    return max(same, key=lambda other: (other.strength, other.text))._replace(strength=one.strength) if same else None


def _beneath(called: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Everybody who is called by a node, or by somebody whom it calls; never the node itself."""
    found: dict[str, set[str]] = {}
    for node in called:
        reached, left = {node}, [node]
        while left:
            for callee in called.get(left.pop(), ()):
                if callee not in reached:
                    reached.add(callee)
                    left.append(callee)
        found[node] = reached - {node}
    return defaultdict(set, found)


def more_often(times: int, of: int, times_before: int, of_before: int) -> float:
    """By how much the share of calls rose, with one more call on either side the other way; 0 where it did not."""
    return max(times / (of + 1) - (times_before + 1) / (of_before + 1), 0.0)


def _strongest(evidence: Iterable[Evidence]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for one in evidence:
        found[one.node] = max(found[one.node], one.strength)
    return found


def _slower_at_work(now: Behaviour, before: Behaviour, least_ns: float) -> list[Evidence]:
    found = []
    for asked in sorted(now.doings.keys() & before.doings.keys()):
        visits, was = now.doings[asked].visits, before.doings[asked].visits
        how = slower(was.own.times, visits.own.times, least_ns)
        if how is not None:
            text = f"{_of(asked)} is at work {_times(how, was.own.times, visits.own.times)}"
            found.append(Evidence(asked.node, "latency", "slow", how.strength, text, None, _traces(visits.own)))
    return found


def _slower_ways(now: Behaviour, before: Behaviour, least_ns: float) -> list[Evidence]:
    """Ways are looked at as a whole: which of their ends several of them have in common."""
    strongest: dict[Way, Evidence] = {}
    for way in sorted(now.ways.keys() & before.ways.keys()):
        strongest[way] = Evidence(way.callee, "latency", "network", 0.0, "")
        for operation in sorted(now.ways[way].keys() & before.ways[way].keys()):
            was, gaps = before.ways[way][operation], now.ways[way][operation]
            how = slower(was.times, gaps.times, least_ns)
            if how is not None and how.strength > strongest[way].strength:
                text = f"{way.caller} → {way.callee}: calls are on their way {_times(how, was.times, gaps.times)}"
                strongest[way] = strongest[way]._replace(strength=how.strength, text=text, examples=_traces(gaps))
    ends = culprits({way: one.strength for way, one in strongest.items()})
    return [
        strongest[way]._replace(node=end, caller=way.caller if end == way.callee else None) for way, end in ends.items()
    ]


def _marked(now: Behaviour, before: Behaviour) -> list[Evidence]:
    found = []
    for asked in sorted(now.doings.keys() & before.doings.keys()):
        visits, was = now.doings[asked].visits, before.doings[asked].visits
        share = more_often(visits.marked, visits.visits, was.marked, was.visits)
        if share:
            text = (
                f"{_of(asked)} failed by itself in {percent(visits.marked / visits.visits)} of {visits.visits} calls, "
                f"before in {percent(was.marked / was.visits)} of {was.visits}."
            )
            examples = tuple(visits.marked_in)
            found.append(Evidence(asked.node, "error", "application-error", ERROR * share, text, None, examples))
    return found


def _stopped(now: Behaviour, before: Behaviour) -> list[Evidence]:
    """What was done in visits that went well, and is no longer done in as many of all visits, nor anything else in its
    place."""
    found = []
    for asked in sorted(now.doings.keys() & before.doings.keys()):
        doing, was = now.doings[asked], before.doings[asked]
        total, well = doing.visits.visits, was.well
        instead = max(
            (more_often(min(doing.deeds[deed], total), total, was.deeds_well[deed], well) for deed in doing.deeds),
            default=0.0,
        )
        best: Evidence | None = None
        for deed in sorted(was.deeds_well, key=repr):
            left_out, left_out_before = total - min(doing.deeds[deed], total), well - min(was.deeds_well[deed], well)
            share = more_often(left_out, total, left_out_before, well) - instead
            if share > 0 and (best is None or GONE * share > best.strength):
                what = f"call {deed[0]}" if deed[0] is not None else f"do {deed[1]}"
                text = (
                    f"{_of(asked)} does not {what} in {percent(left_out / total)} of {counted(total, 'call')}, "
                    f"before in {percent(left_out_before / well)} of {well}."
                )
                examples = tuple(trace_id for trace_id, done in doing.barest if deed not in done)
                best = Evidence(asked.node, "error", STOPPED, GONE * share, text, None, examples, left_out)
        found += [] if best is None else [best]
    return found


def _traces(timed: Timed) -> tuple[str, ...]:
    return tuple(trace_id for _, trace_id in timed.slowest)


def _of(asked: Asked) -> str:
    return f"{asked.node} {asked.operation}" if asked.operation.strip("\0") else asked.node


def _times(how: Slower, before: Sketch, now: Sketch) -> str:
    """`31 times as long as before in 3 of 3 calls; before it was 2.57 ms, and so long in 0 of 8`."""
    typical = before.percentiles_ns((0.5,))[0]
    times = f"{how.times:,.0f}" if how.times >= 10 else f"{how.times:.1f}"
    return (
        f"{times} times as long as before in {how.beyond} of {counted(now.count, 'call')}; before it was "
        f"{_ms(typical)}, and so long in {how.beyond_before} of {before.count}."
    )


def _ms(ns: float) -> str:
    return f"{ns / 1e6:,.0f} ms" if ns >= 1e8 else f"{ns / 1e6:.3g} ms"
