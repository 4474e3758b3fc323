"""Calls that a sidecar passed through, because the mesh does not know whom they are for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from traceviz import envoy
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Tally, groups
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party

PASSTHROUGH = define(
    "passthrough-cluster",
    "{count} {count:call|calls} went through PassthroughCluster or BlackHoleCluster",
    """A sidecar did not know the host that its program called: no service and no ServiceEntry of the mesh has it.

    Sign: upstream_cluster is PassthroughCluster (the call was let through unseen) or BlackHoleCluster (it was refused,
    with outboundTrafficPolicy REGISTRY_ONLY). The callee is named by the host of the URL, which may be an address.

    Cause: a host outside without a ServiceEntry; a call by a pod's address, or by a port that the Service does not
    declare; a Host header that names no service.

    What to do: write a ServiceEntry for a host outside; call services of the mesh by their names and declared ports.
    Routes, retries, timeouts and metrics of the mesh do not apply to what is passed through.

    Threshold: one call, because the proxy itself says so. It is a problem where a workload of the mesh answered, which
    was meant to be found, and where the call was refused; a fact where it left the mesh, which Istio allows by
    default.""",
)
describe(
    PASSTHROUGH,
    "{count} {count:call|calls} of {service} to {callees} went through {cluster}, {share} of its calls: the mesh has "
    "no service of the name that it called.",
    "Write a ServiceEntry for what is outside of the mesh; call what is in it by the name and a declared port of its "
    "Service, not by a pod's address.",
)

_CLUSTERS = ("PassthroughCluster", "BlackHoleCluster")


class Passthrough:
    """Such calls by caller, callee, cluster, and whether a workload of the mesh answered; of all calls of the "
    "caller."""

    def __init__(self) -> None:
        self._calls: Tally[tuple[Party, Party, str, bool]] = Tally()
        self._made: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        spans, head = hops.forest.spans, hops.caller_row
        clusters = envoy.look_up(spans.tag("cluster"), spans.texts, _which, np.int64)
        made = np.flatnonzero((head >= 0) & (hops.caller >= 0))
        for caller, size in enumerate(np.bincount(hops.caller[made]).tolist()):
            if size:
                self._made[hops.parties[caller]].add(of=size)
        passed = made[clusters[head[made]] > 0]
        size = len(hops.parties)
        number = (hops.caller[passed] * size + hops.callee[passed]) * 4
        number += (clusters[head[passed]] - 1) * 2 + (hops.callee_row[passed] >= 0)
        for group in groups(hops.forest, head[passed], number):
            caller, callee = divmod(group.number // 4, size)
            key = (
                hops.parties[caller],
                hops.parties[callee],
                _CLUSTERS[group.number // 2 % 2],
                bool(group.number % 2),
            )
            self._calls[key].add(group.size, examples=group.examples)

    def merge(self, other: Passthrough) -> Passthrough:
        self._calls.merge(other._calls)
        self._made.merge(other._made)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        made = self._made.under(resolved.names.workload)
        named = self._calls.under(
            lambda key: (resolved.names.workload(key[0]), resolved.names.workload(key[1]), key[2], key[3])
        )
        for (caller, callee, cluster, inside), cases in named.met():
            yield Found(
                PASSTHROUGH,
                "problem" if inside or cluster == "BlackHoleCluster" else "fact",
                caller,
                (callee,),
                cases.count,
                round(cases.count / made[caller].of, 6),
                "certain",
                cases.examples,
                {"callees": callee, "cluster": cluster},
            )


def _which(cluster: str) -> int:
    """1 and 2 for the places in `_CLUSTERS`, 0 for all others."""
    name = cluster.rstrip(";")
    return _CLUSTERS.index(name) + 1 if name in _CLUSTERS else 0
