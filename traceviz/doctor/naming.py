"""One service name that stands for several workloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from traceviz.analyze.names import ONE_SERVICE_NAME
from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.words import listed
from traceviz.hops import Hops
from traceviz.notes import explain_further

explain_further(
    ONE_SERVICE_NAME,
    """Sign, in `doctor`: spans under one service name are of several nodes, by canonical name, pod or namespace.

    What to do, in Istio: tracingServiceName APP_LABEL_AND_NAMESPACE, and no common --serviceCluster; in programs
    OTEL_SERVICE_NAME.

    Threshold: two workloads, because a search for the name then always gives the other one's traces as well.""",
)
describe(
    ONE_SERVICE_NAME,
    "The service name {service} stands for {count} workloads: {workloads}. A search in Jaeger cannot tell them apart; "
    "here they are named by Istio's canonical names, or by their pods.",
    "Let each report a name of its own: in Istio remove the common proxyMetadata or service cluster, and set "
    "meshConfig.defaultConfig.tracingServiceName to APP_LABEL_AND_NAMESPACE; in programs set OTEL_SERVICE_NAME.",
)


class OneServiceName:
    """Needs no counts: which names there are the report knows."""

    def count(self, hops: Hops) -> None:
        pass

    def merge(self, other: OneServiceName) -> OneServiceName:
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        workloads: dict[str, set[str]] = defaultdict(set)
        for party in resolved.report.workloads:
            if party.proxy != "waypoint":
                workloads[party.service].add(resolved.names.workload(party))
        for service, several in workloads.items():
            if len(several) > 1:
                yield Found(
                    ONE_SERVICE_NAME,
                    "problem",
                    service,
                    tuple(sorted(several)),
                    len(several),
                    None,
                    "certain",
                    (),
                    {"workloads": listed(several)},
                )
