"""Which requests were traced at all: x-request-id holds what Envoy decided."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Tally, groups
from traceviz.hops import Hops
from traceviz.notes import define

SAMPLED = define(
    "sampled",
    "{count} {count:trace says|traces say} how {count:it was|they were} sampled",
    """Not every request has a trace: which ones do, the proxy at the entry decided, and wrote it into x-request-id.

    Sign: the 15th character of x-request-id is 9 where Envoy chose the request at random, a where a setting of the
    server forced it, b where its client did (x-client-trace-id, x-envoy-force-trace), 4 where it was not to be traced.
    The first request id of every trace counts.

    Cause: sampling, as it should be. Istio traces 1 % of all requests unless told otherwise (demo profile: 100 %).

    What it does to the numbers: calls, calls_per_s and errors are of the traced requests alone, and are too low by the
    rate. Error rates, shares and latencies hold for all requests if the choice was at random; requests that were forced
    are more often here than they were made, as a rule by somebody who was looking for a fault. What is rarer than one
    in as many requests as there are traces is not seen.

    The rate can be told only where requests that were not to be traced are here as well (other tracers kept them): it
    is the part of the others. Otherwise all traces say 9, at 1 % as at 100 %, and `share` is null.

    What to do: nothing. For totals ask Prometheus (istio_requests_total); to see every request for a while, set
    randomSamplingPercentage to 100 in a Telemetry resource.

    Threshold: one trace with a request id of this form, because what it says is written there by the proxy itself.""",
)
describe(
    SAMPLED,
    "{told}, as x-request-id says of {count} {count:trace|traces}. {meaning}.",
    "For totals ask Prometheus (istio_requests_total). To see every request for a while, set "
    "randomSamplingPercentage: 100 in a Telemetry resource.",
)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
#: What Envoy writes there ▸ what it did.
_SAID = {
    "9": "chosen at random",
    "a": "forced by a setting of the server",
    "b": "forced by the client",
    "4": "not to be traced, and kept by another tracer",
}
_NOT_TRACED = "4"
_AT_RANDOM = "9"


class Sampled:
    """What the first request id of every trace says."""

    def __init__(self) -> None:
        self._traces: Tally[str] = Tally()

    def count(self, hops: Hops) -> None:
        spans = hops.forest.spans
        rows = np.flatnonzero(spans.tag("request_id") != 0)
        _, first = np.unique(spans.trace[rows], return_index=True)
        rows = rows[first]
        said = np.array([_decision(spans.texts[code]) for code in spans.tag("request_id")[rows].tolist()], np.int64)
        for group in groups(hops.forest, rows[said >= 0], said[said >= 0]):
            self._traces[list(_SAID)[group.number]].add(group.size, examples=group.examples)

    def merge(self, other: Sampled) -> Sampled:
        self._traces.merge(other._traces)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        counts = {said: cases.count for said, cases in self._traces.met()}
        total = sum(counts.values())
        if not total:
            return
        rate = 1 - counts[_NOT_TRACED] / total if _NOT_TRACED in counts else None
        told = ", ".join(f"{counts[said]:,} {words}" for said, words in _SAID.items() if said in counts)
        yield Found(
            SAMPLED,
            "fact",
            None,
            (),
            total,
            None if rate is None else round(rate, 6),
            "certain",
            self._traces.total().examples,
            {"told": told, "meaning": _meaning(set(counts), rate)},
        )


def _decision(request_id: str) -> int:
    """The place of what a request id says in `_SAID`, -1 where it says nothing."""
    match = _UUID.fullmatch(request_id)
    said = match[1].lower() if match else ""
    return list(_SAID).index(said) if said in _SAID else -1


def _meaning(said: set[str], rate: float | None) -> str:
    of = "at which rate it does not say" if rate is None else f"that is a rate of about {rate:.0%}"
    if said - {_AT_RANDOM, _NOT_TRACED}:
        biased = "forced requests are more often here than they were made, so shares lean towards them"
        return f"Counts and rates are of the traced requests alone ({of}), and {biased}"
    return f"Counts and rates are of the traced requests alone ({of}); shares and latencies hold for all"
