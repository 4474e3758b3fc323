"""headers-not-forwarded: programs that do not pass the tracing headers on, so that their calls begin new traces.

How a torn-off call finds its request is said in `traceviz.torn`. Halves of calls are in traces of different batches, so
they are kept until the last merge, in two samples of bounded size: by `x-request-id`, and by pod and time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from traceviz.analyze.operations import operation_labels
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, Proof, describe
from traceviz.doctor.sample import Sample
from traceviz.doctor.tally import Tally, groups
from traceviz.doctor.words import listed
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party
from traceviz.spans import Ids, Rows
from traceviz.torn import SLOT_NS, Halves, Torn, by_request, hash_of, meanwhile, occasions, torn

#: What has to be passed on, whatever the mesh uses of it: Envoy's own, B3 in both forms, W3C's, OpenTracing's.
HEADERS = (
    "x-request-id",
    *("x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "b3"),
    *("traceparent", "tracestate"),
    "x-ot-span-context",
)

NOT_FORWARDED = define(
    "headers-not-forwarded",
    "{count} {count:call|calls} began a trace of {count:its|their} own, because a program did not pass the tracing "
    "headers on",
    """A program gets the tracing headers with a request and does not send them with the calls that it makes for it.

    Sign: its proxy begins a new trace for the call. "certain": the trace's root and an inbound span of the same pod, in
    another trace, have one x-request-id. "likely": such roots lie within the time of a request at the same pod.

    Cause: a proxy cannot know which of the requests a call is made for; only the program can tell it, by copying
    headers. Often one HTTP client of several forgets them, or work that goes on in another thread.

    What to do: copy these headers from the request to every call made for it, where they are given:
    x-request-id, x-b3-traceid, x-b3-spanid, x-b3-parentspanid, x-b3-sampled, x-b3-flags, b3, traceparent, tracestate,
    x-ot-span-context. For example in Python:

        FORWARDED = ["x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled",
                     "x-b3-flags", "b3", "traceparent", "tracestate", "x-ot-span-context"]
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        requests.get("http://ratings:9080/ratings/0", headers=headers)

    in Node:

        const forwarded = ["x-request-id", "x-b3-traceid", …];   // the same list
        const headers = Object.fromEntries(forwarded.filter(n => req.headers[n]).map(n => [n, req.headers[n]]));
        fetch("http://ratings:9080/ratings/0", { headers });

    in Go:

        for _, name := range forwarded {                          // the same list
            if value := in.Header.Get(name); value != "" { out.Header.Set(name, value) }
        }

    An empty header must not be sent. `graph --join-requests` meanwhile puts the torn traces together.

    Threshold: one call with a request id of another trace is proof. Time alone counts from 5 requests on, if 4 of 5
    roots lie within one: less often happens where a program also calls by itself. How much of the time the pod was
    busy says how often that is so by chance; what chance makes once in a million cases counts. Where requests always
    overlap it takes 30, with more requests under way whenever a call begins than on average, by 5 standard errors.

    Gateways, load generators and programs that call by themselves receive nothing, and are never named. A search for
    one service does not find the torn-off traces: they begin at the program that lost the headers.""",
)
describe(
    NOT_FORWARDED,
    "{service} does not pass the tracing headers on: {calls} began a trace of their own. {sign}{paths}",
    "In {service}, copy these headers from the request to every call made for it, where they are given: "
    + ", ".join(HEADERS)
    + ". In Python: headers = {{name: request.headers[name] for name in FORWARDED if name in request.headers}}; "
    "requests.get(url, headers=headers). `traceviz explain headers-not-forwarded` has the lines for Node and Go.",
)
IN_PART = define(
    "headers-looked-at-in-part",
    "lost headers were looked for in one of {count} requests, because there were very many",
    """To find lost headers, halves of calls of different traces are kept, and of very many only a part.

    Sign: the count is one request in how many was looked at: all halves with its request id, or in its time, were.

    What to do: nothing. Which service loses headers, and which share, is the same in a part of this size; for the
    others a shorter `--since`.""",
)

#: So many halves of calls are kept for each way of looking, of about 100 bytes each.
BOUND = 1 << 17
#: A request that lasts longer is looked at in its first slots of time only.
_MOST_SLOTS = 64

#: A half as it is kept: its workload, its callee and what it was asked for are known by hashes, 0 for none.
_KEPT = np.dtype(
    [(name, np.uint64) for name in ("request", "pod", "high", "low", "span", "own", "callee", "label")]
    + [(name, np.int64) for name in ("begin", "end")]
    + [("leaf", np.bool_)]
)

_Pair = tuple[Party, Party]
_Names = tuple[str, str]


class HeaderCounts:
    """Torn-off calls of sidecars among those that could have been torn off, by caller and callee, and two samples of
    halves of calls."""

    def __init__(self, bound: int = BOUND) -> None:
        self._torn_off: Tally[_Pair] = Tally()
        self._whole: Tally[_Pair] = Tally()
        self._parties: dict[int, Party] = {}
        self._labels: dict[int, str] = {}
        self._by_request = Sample(_KEPT, bound)
        self._by_time = Sample(_KEPT, bound)

    def count(self, hops: Hops) -> None:
        """Count a batch of whole traces."""
        found = torn(hops)
        self._count_calls(hops, found)
        halves = np.concatenate((self._kept(hops, found.roots), self._kept(hops, found.inbound)))
        asked = halves[halves["request"] != 0]
        self._by_request.add(asked["request"], asked)
        repeated, slot = _in_slots(halves)
        self._by_time.add(repeated["pod"] ^ slot, repeated)
        self._forget_labels()

    def merge(self, other: HeaderCounts) -> HeaderCounts:
        """Add what was counted of other traces."""
        self._torn_off.merge(other._torn_off)
        self._whole.merge(other._whole)
        self._parties |= other._parties
        self._labels |= other._labels
        self._by_request.merge(other._by_request)
        self._by_time.merge(other._by_time)
        self._forget_labels()
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        """Which workloads lose headers, and towards whom."""
        if not self._torn_off.total().count:
            return
        names = {number: resolved.names[party] for number, party in self._parties.items()}
        torn_off = self._torn_off.under(lambda pair: (resolved.names[pair[0]], resolved.names[pair[1]]))
        whole = self._whole.under(lambda pair: (resolved.names[pair[0]], resolved.names[pair[1]]))
        level = max(self._by_request.level, self._by_time.level)
        resolved.notes.add(IN_PART, 1 << level if level else 0)
        proven = _proven(self._by_request, names)
        likely = _likely(self._by_time, names, set(proven))
        yield from self._findings("certain", proven, torn_off, whole)
        yield from self._findings("likely", likely, torn_off, whole)

    def _count_calls(self, hops: Hops, found: Torn) -> None:
        """Add the calls of sidecars that could have been torn off: those that were, and those beneath a request."""
        size = len(hops.parties)
        sidecar = np.array([party.proxy == "sidecar" for party in hops.parties], np.bool_)
        chosen = np.flatnonzero((hops.caller >= 0) & (found.hop | (hops.entry_row >= 0)))
        chosen = chosen[sidecar[hops.caller[chosen]]]
        for tally, some in ((self._torn_off, chosen[found.hop[chosen]]), (self._whole, chosen[~found.hop[chosen]])):
            pairs = hops.caller[some] * size + hops.callee[some]
            for group in groups(hops.forest, hops.row[some], pairs) if len(some) else ():
                caller, callee = divmod(group.number, size)
                tally[hops.parties[caller], hops.parties[callee]].add(group.size, examples=group.examples)

    def _kept(self, hops: Hops, halves: Halves) -> Halves:
        """The halves as they are kept, with names instead of places."""
        kept = np.zeros(len(halves), _KEPT)
        for name in ("request", "pod", "high", "low", "span", "begin", "end", "leaf"):
            kept[name] = halves[name]
        party = np.array([hash_of("\0".join(party)) for party in hops.parties] + [0], np.uint64)
        used = np.unique(np.concatenate((halves["own"], halves["callee"])))
        self._parties |= {int(party[number]): hops.parties[number] for number in used[used >= 0].tolist()}
        kept["own"], kept["callee"] = party[halves["own"]], party[halves["callee"]]
        texts = hops.forest.spans.texts
        different, which = np.unique(operation_labels(hops.forest)[halves["row"]], return_inverse=True)
        labels = {code: texts[code] for code in different.tolist()}
        number = np.array([hash_of(text) for text in labels.values()], np.uint64)
        self._labels |= dict(zip(number.tolist(), labels.values(), strict=True))
        kept["label"] = number[which.reshape(-1)] if len(different) else 0
        return kept

    def _forget_labels(self) -> None:
        """Let go of the names of operations that no half has any more."""
        if self._by_request.level or self._by_time.level:
            used = np.unique(np.concatenate((self._by_request.rows["label"], self._by_time.rows["label"])))
            self._labels = {number: self._labels[number] for number in used.tolist()}

    def _findings(
        self, proof: Proof, evidence: Mapping[_Names, _Evidence], torn_off: Tally[_Names], whole: Tally[_Names]
    ) -> Iterator[Found]:
        """A finding for each caller."""
        for caller in sorted({caller for caller, _ in evidence}):
            mine = {callee: some for (one, callee), some in sorted(evidence.items()) if one == caller}
            lost = {callee: min(some.torn, torn_off[caller, callee].count) for callee, some in mine.items()}
            of = {callee: torn_off[caller, callee].count + whole[caller, callee].count for callee in mine}
            kept = [callee for (one, callee), _ in whole.met() if one == caller and callee not in mine]
            yield Found(
                code=NOT_FORWARDED,
                level="problem",
                service=caller,
                towards=tuple(mine),
                count=sum(lost.values()),
                share=round(sum(lost.values()) / sum(of.values()), 6),
                proof=proof,
                examples=tuple(sorted({trace for callee in mine for trace in torn_off[caller, callee].examples})[:5]),
                values={
                    "calls": listed(_calls(callee, lost[callee], of[callee]) for callee in mine),
                    "sign": _SIGNS[proof],
                    "paths": _paths(list(mine.values()), self._labels) + _others(kept),
                },
            )


@dataclass
class _Evidence:
    """Of one caller and callee: how many torn-off calls of how many requests of which operations it lost, and of which
    operations it passed headers on."""

    torn: int = 0
    lost: Counter[int] = field(default_factory=Counter)
    kept: Counter[int] = field(default_factory=Counter)


_SIGNS: dict[Proof, str] = {
    "certain": "Their x-request-id is that of a request which the same pod was given in another trace.",
    "likely": "They were made while the same pod had a request from another trace, far more often than by chance.",
}


def _proven(sample: Sample, names: Mapping[int, str]) -> dict[_Names, _Evidence]:
    """What request ids prove."""
    roots, inbound = _split(sample.rows)
    found: dict[_Names, _Evidence] = {}
    met: set[int] = set()
    for root, halves in enumerate(by_request(roots, inbound)):
        if halves:
            evidence = found.setdefault(_names(roots, root, names), _Evidence())
            evidence.torn += 1 << sample.level
            evidence.lost.update({int(inbound["label"][half]) for half in halves})
            met.update(halves)
    _add_kept(found, inbound, met, names)
    return found


def _likely(sample: Sample, names: Mapping[int, str], known: set[_Names]) -> dict[_Names, _Evidence]:
    """What times make likely, for pairs of which nothing is proven."""
    roots, inbound = _split(sample.rows)
    inbound = np.unique(inbound)  # of a request in several slots there are several
    seen = meanwhile(roots, inbound)
    of_pair: dict[_Names, list[int]] = {}
    for root in range(len(roots)):
        of_pair.setdefault(_names(roots, root, names), []).append(root)
    found: dict[_Names, _Evidence] = {}
    met: set[int] = set()
    for pair, members in of_pair.items():
        places: Rows = np.array(members, np.int64)
        if pair in known or not occasions(seen, places).is_pattern:
            continue
        around = [half for half in seen.around[places].tolist() if half >= 0]
        labels = Counter(int(label) for label in inbound["label"][around].tolist())
        found[pair] = _Evidence(len(around) << sample.level, labels)
        met.update(around)
    _add_kept(found, inbound, met, names)
    return found


def _add_kept(found: Mapping[_Names, _Evidence], inbound: Halves, met: set[int], names: Mapping[int, str]) -> None:
    """Say for which operations each caller found did pass the headers on."""
    passed = np.flatnonzero(~inbound["leaf"])
    kept: dict[str, Counter[int]] = {}
    callers = {caller for caller, _ in found}
    for half in passed.tolist():
        caller = names[int(inbound["own"][half])]
        if caller in callers and half not in met:
            kept.setdefault(caller, Counter())[int(inbound["label"][half])] += 1
    for (caller, _), evidence in found.items():
        evidence.kept = kept.get(caller, Counter())


def _split(rows: Halves) -> tuple[Halves, Halves]:
    """Roots, which call somebody, and inbound halves, both in an order that follows from what they say."""
    ordered = np.sort(rows, order=list(_ORDER))
    return ordered[ordered["callee"] != 0], ordered[ordered["callee"] == 0]


_ORDER = ("pod", "begin", "end", "high", "low", "span", "request", "own", "callee", "label")


def _names(roots: Halves, root: int, names: Mapping[int, str]) -> _Names:
    return names[int(roots["own"][root])], names[int(roots["callee"][root])]


def _in_slots(halves: Halves) -> tuple[Halves, Ids]:
    """Inbound halves once for each slot of time that they lie in, roots for the one that they begin in."""
    first = halves["begin"] // SLOT_NS
    last = np.where(halves["callee"] != 0, first, np.maximum(halves["end"] // SLOT_NS, first))
    number = np.minimum(last - first, _MOST_SLOTS - 1) + 1
    place = np.repeat(np.arange(len(halves)), number)
    within = np.arange(len(place)) - np.repeat(np.cumsum(number) - number, number)
    return halves[place], (first[place] + within).astype(np.uint64)


def _calls(callee: str, torn_off: int, of: int) -> str:
    """How many calls to one callee."""
    if torn_off < of:
        return f"{torn_off:,} of {of:,} calls to {callee}"
    return f"all {of:,} calls to {callee}" if of > 1 else f"the only call to {callee}"


def _paths(evidence: list[_Evidence], labels: Mapping[int, str]) -> str:
    """Where requests of some operations lose the headers, and those of others do not, which ones."""
    lost: Counter[int] = sum((some.lost for some in evidence), Counter())
    kept = evidence[0].kept
    if not kept or set(lost) & set(kept):
        return ""
    return f" Only requests for {_shown(lost, labels)} lose them, those for {_shown(kept, labels)} do not."


def _shown(operations: Counter[int], labels: Mapping[int, str]) -> str:
    return listed(labels[label] or "(no name)" for label in operations)


def _others(callees: list[str]) -> str:
    """Callees towards which nothing was lost."""
    return f" Calls to {listed(callees)} keep them." if callees else ""
