"""Torn traces put together: each torn-off part becomes a part of the trace whose request it was made for.

    with joined(traces):
        traces.batches()

Which request that is, is looked for in all traces before any is counted, because parts of one request stand anywhere in
the input. Then every trace is gathered again, the torn-off ones under the id of the trace that they belong to, and
their root beneath the inbound half that it was made under. So everything that follows sees traces as if the headers
had been passed on. What was put together is known by the column `REPORTED_IN`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from traceviz.asking.copies import without_copies
from traceviz.hops import hops
from traceviz.notes import EXAMPLES, Notes, define
from traceviz.reconstruct import reconstruct
from traceviz.sources.join import Gathered, gather
from traceviz.spans import Ids, Rows, Spans
from traceviz.torn import (
    REPORTED_IN,
    TORN_HALF,
    Halves,
    by_request,
    hash_of,
    holds,
    meanwhile,
    occasions,
    torn,
    trace_ids,
)
from traceviz.traces import Traces

REQUESTS_JOINED = define(
    "requests-joined",
    "{count} torn-off {count:trace was|traces were} put back into the {count:trace|traces} of {count:its|their} "
    "{count:request|requests}, which {count:has|have} the same x-request-id",
    """`--join-requests` found torn-off traces whose root has the x-request-id of a request at the same pod.

    Sign: the examples are ids of torn-off traces; Jaeger's page has them apart. In the graph the calls with which they
    began are marked, and counted in `joined`.

    Only what is certain is joined: the root lies within the time of exactly one such request.

    What to do: let the program pass the tracing headers on: `traceviz explain headers-not-forwarded`.""",
)
JOINED_BY_TIME = define(
    "requests-joined-by-time",
    "{count} torn-off {count:trace was|traces were} put back into {count:the trace|traces} of the only "
    "{count:request|requests} that {count:its|their} pod was given meanwhile",
    """`--join-requests` found torn-off traces without a request id to tell where they belong, and time told it.

    Sign: the examples are ids of torn-off traces; Jaeger's page has them apart. In the graph the calls with which they
    began are marked, and counted in `joined`.

    A trace is joined so where its root lies within one request at the same pod, where no other request was under way
    at that pod meanwhile, and where calls of that workload to that callee lie so within requests far more often than
    chance would have it: see `traceviz explain headers-not-forwarded`. Where only a sample of requests is traced, one
    that nobody saw may have been meant.

    What to do: let the program pass the tracing headers on, x-request-id among them.""",
)
NOT_JOINED = define(
    "requests-not-joined",
    "{count} torn-off {count:trace|traces} may belong to several requests, or to none that was seen, and "
    "{count:stays|stay} apart",
    """`--join-requests` found no request that a torn-off trace certainly belongs to.

    Sign: the examples are ids of such traces.

    Cause: several requests were under way at the pod and no request id tells which; the request was not sampled, or is
    outside the window; or the program calls by itself, for no request at all.

    What to do: pass the tracing headers on, x-request-id first: with it alone every call can be joined.""",
)

#: A root or an inbound half with the names of its ends as hashes, 0 for none.
_NAMED = np.dtype(
    [*((name, TORN_HALF[name]) for name in TORN_HALF.names or ()), ("from", np.uint64), ("to", np.uint64)]
)


@dataclass(frozen=True, slots=True)
class _Joint:
    """Where a torn-off trace belongs: `root`, with which it begins, was made under the span `above` of `trace_id`.
    `by_time` says that no request id, but time told that."""

    root: int
    trace_id: str
    above: int
    by_time: bool


@contextmanager
def joined(traces: Traces) -> Iterator[None]:
    """Within the block the traces have torn-off ones in their places, and notes on that. All that was gathered is
    looked at, whatever is selected. Of each torn-off trace, and of each request at a sidecar, about 100 bytes are kept
    meanwhile."""
    apart, copied = traces.gathered, traces.copied
    roots, inbound = _halves(_whole(apart, copied))
    joints = _without_circles(_joints(roots, inbound), trace_ids(roots), traces.notes)
    with gather((_renamed(spans, joints) for spans in _whole(apart, copied)), apart.bound) as together:
        together.notes.merge(apart.notes)
        traces.gathered, traces.copied = together, ()
        traces.asked = replace(traces.asked, join_requests=True)
        yield


def homes(spans: Spans) -> list[tuple[str, str]]:
    """Every id of a trace that spans were reported under, with the id of the trace that they are in."""
    reported_in = spans.tag(REPORTED_IN)
    pairs = set(zip(reported_in.tolist(), spans.trace.tolist(), strict=True))
    return [(spans.texts[code] if code else spans.trace_ids[trace], spans.trace_ids[trace]) for code, trace in pairs]


def _whole(gathered: Gathered, copied: Collection[str]) -> Iterator[Spans]:
    """The batches, with every span once."""
    for spans in gathered.batches():
        yield without_copies(spans, copied) if copied else spans


def _halves(batches: Iterable[Spans]) -> tuple[Halves, Halves]:
    """The roots of traces that are torn off, and the inbound halves of sidecars."""
    roots, inbound = [np.zeros(0, _NAMED)], [np.zeros(0, _NAMED)]
    for spans in batches:
        found = hops(reconstruct(spans))
        forest, some = found.forest, torn(found)
        beginning = (forest.parent < 0) & ~forest.duplicate & ~forest.orphan
        number = np.bincount(forest.spans.trace[beginning], minlength=len(forest.spans.trace_ids))
        # What begins in several places is no part of one call.
        single = number[forest.spans.trace[some.roots["row"]]] == 1
        names = np.array([hash_of(f"{party.service}\0{party.namespace}") for party in found.parties] + [0], np.uint64)
        roots.append(_named(some.roots[single], names))
        inbound.append(_named(some.inbound, names))
    return np.concatenate(roots), np.concatenate(inbound)


def _named(halves: Halves, names: Ids) -> Halves:
    named = np.zeros(len(halves), _NAMED)
    for name in TORN_HALF.names or ():
        named[name] = halves[name]
    named["from"], named["to"] = names[halves["own"]], names[halves["callee"]]
    return named


def _joints(roots: Halves, inbound: Halves) -> dict[str, _Joint]:
    """Where each torn-off trace belongs, by its id."""
    by_id, said = _by_request(roots, inbound)
    by_time = _by_time(roots, inbound, said)
    ids = trace_ids(roots)
    return {
        ids[root]: _joint(roots[root], inbound[half : half + 1], by_time=root in by_time)
        for root, half in (by_id | by_time).items()
    }


def _joint(root: np.void, half: Halves, *, by_time: bool) -> _Joint:
    return _Joint(int(root["span"]), trace_ids(half)[0], int(half["span"][0]), by_time)


def _by_request(roots: Halves, inbound: Halves) -> tuple[dict[int, int], set[int]]:
    """Root ▸ the inbound half that it belongs to, as request ids say; and all roots that have something to go by."""
    found: dict[int, int] = {}
    said: set[int] = set()
    for root, halves in enumerate(by_request(roots, inbound)):
        around = [half for half in halves if holds(inbound, half, roots, root)]
        if len(around) == 1:
            found[root] = around[0]
        if halves:
            said.add(root)
    return found, said


def _by_time(roots: Halves, inbound: Halves, said: set[int]) -> dict[int, int]:
    """Root ▸ the inbound half that it belongs to, as time tells for roots without a request id to go by."""
    seen = meanwhile(roots, inbound)
    found: dict[int, int] = {}
    ends = np.stack((roots["from"], roots["to"]))
    _, pair = np.unique(ends, axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    for number in np.unique(pair).tolist():
        places: Rows = np.flatnonzero(pair == number)
        places = places[[root not in said for root in places.tolist()]]
        if len(places) and occasions(seen, places).is_pattern:
            fitting = places[(seen.around[places] >= 0) & seen.alone[places]]
            found |= dict(zip(fitting.tolist(), seen.around[fitting].tolist(), strict=True))
    return found


def _without_circles(joints: dict[str, _Joint], torn_off: list[str], notes: Notes) -> dict[str, _Joint]:
    """The joints, each with the trace at the end of the way: a torn-off trace may belong to one that was torn off
    itself. With odd times they may belong to each other: then they stay apart, as others do without a joint."""
    found: dict[str, _Joint] = {}
    for trace_id, joint in joints.items():
        home, way = joint.trace_id, {trace_id}
        while home in joints and home not in way:
            way.add(home)
            home = joints[home].trace_id
        if home not in way:
            found[trace_id] = replace(joint, trace_id=home)
    by_time = sorted(trace_id for trace_id, joint in found.items() if joint.by_time)
    by_request = sorted(set(found) - set(by_time))
    notes.add(REQUESTS_JOINED, len(by_request), by_request[:EXAMPLES])
    notes.add(JOINED_BY_TIME, len(by_time), by_time[:EXAMPLES])
    apart = sorted(set(torn_off) - set(found))
    notes.add(NOT_JOINED, len(apart), apart[:EXAMPLES])
    return found


def _renamed(spans: Spans, joints: dict[str, _Joint]) -> Spans:
    """The spans with those of torn-off traces in the traces that they belong to."""
    ids = spans.trace_ids
    torn_off = [number for number, trace_id in enumerate(ids) if trace_id in joints]
    if not torn_off:
        return spans
    place: dict[str, int] = {}
    homes = [joints[trace_id].trace_id if trace_id in joints else trace_id for trace_id in ids]
    number_of = np.array([place.setdefault(trace_id, len(place)) for trace_id in homes], np.int32)
    root, above = np.zeros(len(ids), np.uint64), np.zeros(len(ids), np.uint64)
    reported_in = np.zeros(len(ids), np.int32)
    for number in torn_off:
        joint = joints[ids[number]]
        root[number], above[number] = joint.root, joint.above
        reported_in[number] = spans.texts.code(ids[number])
    beginning = (reported_in[spans.trace] != 0) & (spans.parent_id == 0) & (spans.span_id == root[spans.trace])
    return replace(
        spans,
        trace_ids=list(place),
        trace=number_of[spans.trace],
        parent_id=np.where(beginning, above[spans.trace], spans.parent_id),
        tags=spans.tags | {REPORTED_IN: reported_in[spans.trace]},
    )
