"""Traces that were torn where a program lost the tracing headers: which request a torn-off call was made for.

A proxy that gets a call of its program without the headers begins a new trace. So the torn-off part is rooted at a
sidecar's outbound half, and the request that it belongs to is an inbound half of the same pod in another trace:

    trace 1   gateway ──▶ inbound of users
    trace 2               outbound of users ──▶ email              within the time of that inbound half

Either both carry one `x-request-id`, which proves it, or time tells, if that cannot be chance: see `Occasions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from traceviz.hops import Hops
from traceviz.roles import Role
from traceviz.spans import Bools, Codes, Ids, Ints, Rows, Texts, extra_column

#: The column of spans that were put into another trace: the id of the trace that they were reported in.
REPORTED_IN = extra_column("traceviz.reported_in")

#: One half of a call at a sidecar. `request` and `pod` are hashes of `x-request-id` (0: none) and `node_id`, `high` and
#: `low` the trace id; `own` and `callee` are indices of parties; `leaf` is an inbound half without calls beneath it.
TORN_HALF = np.dtype(
    [(name, np.uint64) for name in ("request", "pod", "high", "low", "span")]
    + [(name, np.int64) for name in ("begin", "end")]
    + [(name, np.int32) for name in ("own", "callee", "row")]
    + [("leaf", np.bool_)]
)
Halves = npt.NDArray[np.void]

#: Proxies report in whole µs, and a call that its program did not wait for may end a little later.
TOLERANCE_NS = 1_000_000
#: Time is looked at in pieces of this length, so that it can be sampled.
SLOT_NS = 10 * 10**9

#: A pattern is one where nothing else explains it: seen on so many occasions, of which so many fit,
FEWEST_OCCASIONS = 5
LEAST_SHARE = 0.8
#: and what chance would make of it is rarer than this.
CHANCE = 1e-6
#: Where requests overlap there is always one around. Then the mean number of requests under way tells: it is larger at
#: the beginning of a torn-off call than on average, by at least so many standard errors.
DEVIATIONS = 5.0
FEWEST_AMONG_MANY = 30


def joined_hops(hops: Hops) -> Bools:
    """The hops with which a torn-off trace began that was put back into its place."""
    forest, row = hops.forest, hops.caller_row
    reported_in = forest.spans.tag(REPORTED_IN)
    above = forest.parent[row]
    joined: Bools = (row >= 0) & (above >= 0) & (reported_in[row] != 0) & (reported_in[row] != reported_in[above])
    return joined


class Torn(NamedTuple):
    """The outbound halves of sidecars that are roots, the inbound halves of sidecars, and per hop whether it is such a
    root's."""

    roots: Halves
    inbound: Halves
    hop: Bools


def torn(hops: Hops) -> Torn:
    """What a batch has of torn traces. Gateways have no inbound half, load generators neither."""
    forest = hops.forest
    sidecar = forest.workloads.mask("sidecar") & ~forest.duplicate
    root = sidecar & (forest.role == Role.CALLER) & (forest.parent < 0) & (forest.spans.parent_id == 0)
    of_root = (hops.caller_row >= 0) & root[hops.caller_row]
    # One head may stand for several hops, and is one call.
    rows, first = np.unique(hops.caller_row[of_root], return_index=True)
    roots = _halves(hops, rows)
    roots["callee"] = hops.callee[np.flatnonzero(of_root)[first]]

    received = np.flatnonzero(sidecar & (forest.role == Role.CALLEE))
    inbound = _halves(hops, received)
    calling = np.zeros(len(forest), np.bool_)
    calling[hops.entry_row[hops.entry_row >= 0]] = True
    inbound["leaf"] = ~calling[received]
    return Torn(roots, inbound, of_root)


def _halves(hops: Hops, rows: Rows) -> Halves:
    spans = hops.forest.spans
    halves = np.zeros(len(rows), TORN_HALF)
    halves["request"] = hashes(spans.tag("request_id"), spans.texts)[rows]
    halves["pod"] = hashes(spans.tag("node_id"), spans.texts)[rows]
    high, low = trace_numbers(spans.trace_ids)
    halves["high"], halves["low"] = high[spans.trace[rows]], low[spans.trace[rows]]
    halves["span"] = spans.span_id[rows]
    halves["begin"], halves["end"] = spans.start_ns[rows], spans.end_ns[rows]
    halves["own"], halves["callee"] = hops.forest.workloads.of_row[rows], -1
    halves["row"] = rows
    return halves


def trace_numbers(trace_ids: list[str]) -> tuple[Ids, Ids]:
    """The upper and the lower 64 bits of trace ids."""
    high = np.array([int(trace_id[:16], 16) for trace_id in trace_ids], np.uint64)
    return high, np.array([int(trace_id[16:], 16) for trace_id in trace_ids], np.uint64)


def trace_ids(halves: Halves) -> list[str]:
    """The ids of the traces of halves."""
    numbers = zip(halves["high"].tolist(), halves["low"].tolist(), strict=True)
    return [f"{high:016x}{low:016x}" for high, low in numbers]


def hashes(codes: Codes, texts: Texts) -> Ids:
    """64 bits of every text, the same on every machine; 0 for the empty one."""
    different, which = np.unique(codes, return_inverse=True)
    found = [hash_of(texts[code]) if code else 0 for code in different.tolist()]
    return np.array(found, np.uint64)[which.reshape(-1)]


def hash_of(text: str) -> int:
    """64 bits of a text, never 0, the same on every machine."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big") or 1


def by_request(roots: Halves, inbound: Halves) -> list[list[int]]:
    """For each root the inbound halves of its pod, in other traces, that have its request id."""
    order = np.lexsort((inbound["begin"], inbound["request"], inbound["pod"]))
    keys = _pairs(inbound["pod"], inbound["request"])[order]
    wanted = _pairs(roots["pod"], roots["request"])
    left, right = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    right[roots["request"] == 0] = left[roots["request"] == 0]
    found: list[list[int]] = [[] for _ in range(len(roots))]
    for root in np.flatnonzero(right > left).tolist():
        some = order[left[root] : right[root]]
        elsewhere = (inbound["low"][some] != roots["low"][root]) | (inbound["high"][some] != roots["high"][root])
        found[root] = some[elsewhere].tolist()
    return found


def _pairs(one: Ids, other: Ids) -> npt.NDArray[np.void]:
    pairs = np.zeros(len(one), [("one", np.uint64), ("other", np.uint64)])
    pairs["one"], pairs["other"] = one, other
    return pairs


def holds(inbound: Halves, half: int, roots: Halves, root: int) -> bool:
    """Whether a root lies within the time of an inbound half."""
    begin, end = int(inbound["begin"][half]), int(inbound["end"][half])
    return begin <= int(roots["begin"][root]) and int(roots["end"][root]) <= end + TOLERANCE_NS


class Meanwhile(NamedTuple):
    """A value per root. `around` is an inbound half of its pod that was under way all the time, -1 for none; `alone`
    says that no other one was under way at any time of it. `under_way` counts them when it began, `mean` and `variance`
    are of that number at any time at that pod, `covered` is the share of time in which there was one."""

    around: Rows
    alone: Bools
    under_way: Ints
    mean: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    covered: npt.NDArray[np.float64]


def meanwhile(roots: Halves, inbound: Halves) -> Meanwhile:
    """What went on at the pod of each root, in its time."""
    size = len(roots)
    around, alone, under_way = np.full(size, -1, np.int64), np.zeros(size, np.bool_), np.zeros(size, np.int64)
    mean, variance, covered = (np.zeros(size) for _ in range(3))
    by_pod = np.argsort(inbound["pod"], kind="stable")
    pods = inbound["pod"][by_pod]
    for pod in np.unique(roots["pod"]).tolist():
        some = np.flatnonzero(roots["pod"] == pod)
        halves = by_pod[np.searchsorted(pods, pod, "left") : np.searchsorted(pods, pod, "right")]
        if not len(halves):
            continue
        halves = halves[np.lexsort((inbound["end"][halves], inbound["begin"][halves]))]
        begins, ends = inbound["begin"][halves], inbound["end"][halves]
        begin, end = roots["begin"][some], roots["end"][some]
        before = np.searchsorted(begins, begin, "right")
        reach = halves[_longest_so_far(ends)[np.maximum(before - 1, 0)]]
        holding = (before > 0) & (inbound["end"][reach] + TOLERANCE_NS >= end)
        around[some[holding]] = reach[holding]
        over = np.searchsorted(np.sort(ends), begin, "left")
        under_way[some] = before - over
        alone[some] = np.searchsorted(begins, end, "right") - over == 1
        mean[some], variance[some], covered[some] = _load(inbound[halves], roots[some])
    return Meanwhile(around, alone, under_way, mean, variance, covered)


def _longest_so_far(ends: Ints) -> Rows:
    """Of each beginning of a list the place of what ends last."""
    best = np.maximum.accumulate(ends)
    is_new = np.concatenate(([True], ends[1:] > best[:-1]))
    places: Rows = np.maximum.accumulate(np.where(is_new, np.arange(len(ends)), 0))
    return places


def _load(inbound: Halves, roots: Halves) -> tuple[float, float, float]:
    """Of one pod: mean and variance of the number of requests under way, and the share of time in which there was one.
    Only slots of time in which something of the pod is known count, so that no idle night makes chance look small."""
    begins = np.concatenate((inbound["begin"], roots["begin"]))
    ends = np.concatenate((inbound["end"], roots["end"]))
    first, last = int(begins.min()), int(ends.max())
    slots = np.unique(np.concatenate((begins // SLOT_NS, np.minimum(ends, last) // SLOT_NS)))
    observed = np.minimum((slots + 1) * SLOT_NS, last) - np.maximum(slots * SLOT_NS, first)
    events = np.concatenate((inbound["begin"], inbound["end"]))
    steps = np.repeat(np.array([1, -1]), len(inbound))
    order = np.lexsort((-steps, events))
    number = np.cumsum(steps[order])[:-1].astype(np.float64)
    lasting = np.diff(events[order]).astype(np.float64)
    busy = float(lasting[number > 0].sum())
    # What lasts over many slots is known in all of them.
    total = max(float(np.maximum(observed, 0).sum()), busy, 1.0)
    mean = float((number * lasting).sum()) / total
    return mean, max(float((number**2 * lasting).sum()) / total - mean**2, 0.0), busy / total


@dataclass
class Occasions:
    """Whether torn-off calls of one workload are made for the requests around them, judged over many of them.

    `fitting` and `all` count occasions: calls within one and the same request are one. A program may also call by
    itself, now and then, and a request may be under way by chance: the more of the time one is, the more occasions it
    takes until chance is out of the question.
    """

    fitting: int
    all: int
    covered: float
    deviations: float

    @property
    def is_pattern(self) -> bool:
        """Whether chance is out of the question."""
        if self.all < FEWEST_OCCASIONS or self.fitting < LEAST_SHARE * self.all:
            return False
        among_many = self.all >= FEWEST_AMONG_MANY and self.deviations >= DEVIATIONS
        return among_many or _chance(self.fitting, self.all, self.covered) <= CHANCE


def occasions(seen: Meanwhile, roots: Rows) -> Occasions:
    """The occasions of some roots, by their places."""
    around = seen.around[roots]
    fitting = len(np.unique(around[around >= 0]))
    number = fitting + int((around < 0).sum())
    spread = math.sqrt(float(seen.variance[roots].mean()) / max(number, 1))
    more = float((seen.under_way[roots] - seen.mean[roots]).mean())
    return Occasions(fitting, number, float(seen.covered[roots].mean()), more / spread if spread else 0.0)


def _chance(fitting: int, number: int, likelihood: float) -> float:
    """At most how probable it is that so many of a number fit where each does so with a likelihood (Chernoff)."""
    share = fitting / number
    if likelihood >= share:
        return 1.0
    if likelihood <= 0.0:
        return 0.0
    distance = share * math.log(share / likelihood)
    if share < 1.0:
        distance += (1 - share) * math.log((1 - share) / (1 - likelihood))
    return math.exp(-number * distance)
