"""Workloads that report under several names: a program under its own, its proxy under the one that Istio gave it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from traceviz.analyze.graph import aliases
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Cases, Tally, groups
from traceviz.doctor.words import listed
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party
from traceviz.roles import Role
from traceviz.spans import Rows

TWO_NAMES = define(
    "two-names-one-workload",
    "{count} {count:workload reports|workloads report} under several names",
    """One workload reports its spans under several service names.

    Sign: NAME and NAME.NAMESPACE, of which spans confirm the namespace, or the name of a program whose spans always
    hang beside those of one sidecar: these are drawn as one node, and it is a fact. Where it is not so clear (spans
    beside the sidecar's, and elsewhere as well) they are drawn as two nodes that seem to call each other, which is a
    problem.

    Cause: the program's tracer was given a name of its own (OTEL_SERVICE_NAME, JAEGER_SERVICE_NAME, the name of the
    repository), the proxy takes that of the label `app` with the namespace.

    What to do: give the program the name of the label `app`, and set `k8s.namespace.name` and `k8s.pod.name` in its
    resource attributes.

    Threshold: a problem where at least half of what passed between the two names is such a pair of spans: a program
    that only passes headers on may have another one's spans right under its sidecar's, and that one is called by others
    as well. It is certain where both spans name the same pod.""",
)
describe(TWO_NAMES, "{what}.", "{remedy}")

#: Such a share of the program's spans of that side has to hang so.
HALF = 0.5


class TwoNames:
    """Spans of a program next to a sidecar's under another name, by sidecar and program; of all spans of the program
    that were called, or call, from another workload."""

    def __init__(self) -> None:
        self._beside: Tally[tuple[Party, Party]] = Tally()
        self._passing: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        forest = hops.forest
        workload = forest.workloads.of_row
        below = np.flatnonzero(forest.parent >= 0)
        below = below[workload[below] != workload[forest.parent[below]]]
        above = forest.parent[below]
        sidecar, role = forest.workloads.mask("sidecar"), forest.role
        received = (role[below] == Role.SERVER) & sidecar[above]
        received &= (role[above] == Role.CALLEE) | (role[above] == Role.INSIDE)
        sent = (role[above] == Role.CLIENT) & (role[below] == Role.CALLER) & sidecar[below]
        self._count(hops, above[received], below[received])
        self._count(hops, below[sent], above[sent])
        program = np.concatenate((below[role[below] == Role.SERVER], above[role[above] == Role.CLIENT]))
        for number, size in enumerate(np.bincount(workload[program]).tolist()):
            if size:
                self._passing[hops.parties[number]].add(of=size)

    def _count(self, hops: Hops, of_sidecar: Rows, of_program: Rows) -> None:
        size, workload = len(hops.parties), hops.forest.workloads.of_row.astype(np.int64)
        for group in groups(hops.forest, of_sidecar, workload[of_sidecar] * size + workload[of_program]):
            proxy, program = divmod(group.number, size)
            self._beside[hops.parties[proxy], hops.parties[program]].add(group.size, examples=group.examples)

    def merge(self, other: TwoNames) -> TwoNames:
        self._beside.merge(other._beside)
        self._passing.merge(other._passing)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        yield from self._torn_apart(resolved)
        folded = {name: aliases(resolved, name) for name in resolved.workloads}
        several = {name: forms for name, forms in folded.items() if len(forms) > 1}
        if several:
            name = min(several)
            what = f"{len(several)} workloads report" if len(several) > 1 else f"{name} reports"
            yield Found(
                TWO_NAMES,
                "fact",
                None if len(several) > 1 else name,
                tuple(sorted(several)) if len(several) > 1 else (),
                len(several),
                round(len(several) / len(resolved.workloads), 6),
                "certain",
                (),
                {
                    "what": f"{what} under several names, like {listed(several[name])}, and is drawn as one node",
                    "remedy": "Nothing here; for Jaeger's own search give the program and its proxy the same name.",
                },
            )

    def _torn_apart(self, resolved: Resolved) -> Iterable[Found]:
        passing = self._passing.under(resolved.names.workload)
        beside: dict[tuple[str, str], Cases] = defaultdict(Cases)
        one_pod = set()
        for (sidecar, program), cases in self._beside.met():
            names = (resolved.names.workload(sidecar), resolved.names.workload(program))
            beside[names].add(cases.count, examples=cases.examples)
            if sidecar.deployment and sidecar.deployment == program.deployment:
                one_pod.add(names)
        for (proxy, own), cases in beside.items():
            share = cases.count / passing[own].of
            if proxy != own and share >= HALF:
                yield Found(
                    TWO_NAMES,
                    "problem",
                    own,
                    (proxy,),
                    cases.count,
                    round(share, 6),
                    "certain" if (proxy, own) in one_pod else "likely",
                    cases.examples,
                    {
                        "what": f"{own} and {proxy} are one workload, the program and its sidecar: {cases.count} "
                        "spans of the program lie right beside the sidecar's. They are drawn as two nodes",
                        "remedy": f"Give the program the name of its sidecar, {proxy} (OTEL_SERVICE_NAME), and set "
                        "k8s.pod.name and k8s.namespace.name in its resource attributes.",
                    },
                )
