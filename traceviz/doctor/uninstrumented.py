"""Callees that answer, and never report a span."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.incomplete import count_answered
from traceviz.doctor.tally import Cases, Tally
from traceviz.doctor.words import listed
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party

UNINSTRUMENTED_CALLEE = define(
    "uninstrumented-callee",
    "{count} {count:call was|calls were} answered by a callee that reports no spans",
    """A service answers its callers, and no span of it is in any trace.

    Sign: calls that went well, and never a callee half, from whatever caller. Databases, queues and hosts outside are
    expected to report nothing, and are not meant; neither are calls that failed, which may never have arrived.

    Cause: the callee's pods have no sidecar (the namespace lacks `istio-injection=enabled`, the pod has
    `sidecar.istio.io/inject: "false"`, it was started before the injection was switched on) or no instrumentation; or
    its spans go to another Jaeger.

    What to do: inject the sidecar and restart the pods, or instrument the program. What it calls itself begins traces
    of its own, or is not seen at all.

    Threshold: one such call, and not one span of the callee, because a single span would show that it reports. It is a
    problem where the callee is a service of the cluster (its name ends in .svc.…, as a proxy's cluster has it), and a
    fact where it is only a name, which may belong to something outside.""",
)
describe(
    UNINSTRUMENTED_CALLEE,
    "{service} answered {count} {count:call|calls} from {callers} and reported no span: what it does itself, and whom "
    "it calls, is not seen.",
    "{remedy}",
)


class UninstrumentedCallees:
    """Calls answered without a callee half, by caller and callee."""

    def __init__(self) -> None:
        self._calls: Tally[tuple[Party, Party]] = Tally()

    def count(self, hops: Hops) -> None:
        count_answered(hops, self._calls)

    def merge(self, other: UninstrumentedCallees) -> UninstrumentedCallees:
        self._calls.merge(other._calls)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        callers: dict[str, set[str]] = defaultdict(set)
        total: dict[str, Cases] = defaultdict(Cases)
        in_cluster: set[str] = set()
        for (caller, callee), cases in self._calls.met():
            name = resolved.names.workload(callee)
            if callee.kind != "host" or name in resolved.reporting:
                continue
            callers[name].add(resolved.names.workload(caller))
            total[name].add(cases.count, cases.of, cases.examples)
            if callee.namespace:
                in_cluster.add(name)
        for name, cases in total.items():
            yield Found(
                UNINSTRUMENTED_CALLEE,
                "problem" if name in in_cluster else "fact",
                name,
                (),
                cases.count,
                cases.share,
                "certain",
                cases.examples,
                {"callers": listed(callers[name]), "remedy": _remedy(name, name in in_cluster)},
            )


def _remedy(name: str, in_cluster: bool) -> str:
    if in_cluster:
        return (
            f"Give the pods of {name} a sidecar (label the namespace istio-injection=enabled, then restart them), or "
            "instrument the program."
        )
    return f"If {name} is yours, instrument it, or give it a sidecar; if it is outside, nothing."
