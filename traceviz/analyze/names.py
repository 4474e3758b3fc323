"""What nodes are called: settled after the last merge, when every form of every name is known.

`productpage.default` and `productpage` are one node, `productpage`, where spans confirm the namespace; the same
name in two namespaces stays two nodes, `reviews.a` and `reviews.b`; `api.example.com` stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from traceviz import envoy
from traceviz.documents import NodeKind
from traceviz.notes import Notes, define
from traceviz.parties import Party

NAMESPACE_UNKNOWN = define(
    "namespace-unknown",
    "{count} {count:name stands|names stand} in several namespaces and once without one; the bare name "
    "is a node of its own",
    """A workload of this name exists in several namespaces, and some spans do not say in which they are.

    Usually programs that report their own spans as NAME while the proxies say NAME.NAMESPACE. Set
    `k8s.namespace.name` in the program's resource attributes.""",
)
ONE_SERVICE_NAME = define(
    "one-service-name",
    "{count} service {count:name stands|names stand} for several workloads; these are named by Istio's canonical "
    "name or by their pods",
    """Several workloads report under one service name, like `istio-proxy`.

    They are told apart by `istio.canonical_service`, else by the pod in `node_id`. To get better names let the
    proxies report a service name of their own (meshConfig.defaultConfig.tracingServiceName).""",
)

SAME_NAME = define(
    "same-name",
    "{count} {count:database or queue is|databases or queues are} called like something else; the kind, or the system "
    "it is in, stands behind",
    """A database or a queue has the name of a service, often because the service owns it, or of another one in another
    system.

    They are nodes of their own: `orders` and `orders (database)`, or `orders (kafka)` and `orders (rabbitmq)`. Nothing
    to do, unless the name in the spans (`db.namespace`, `messaging.destination.name`) is not what you meant to see.""",
)

#: Where parties of several kinds have one name, the node is of the first kind here.
_KINDS: tuple[NodeKind, ...] = ("gateway", "service", "database", "queue", "external", "unknown")


class _Place(NamedTuple):
    """A name and, where it is known, its namespace."""

    name: str
    namespace: str


class Names:
    """The node of every party. `hosts` are counts of who answered under a host: with one answering workload a
    host that nobody answered is that workload as well; so is a program that stood behind one sidecar only, and a queue
    that its producer called otherwise is the producer's."""

    def __init__(self, parties: Iterable[Party], hosts: Mapping[Party, Mapping[Party, int]], notes: Notes) -> None:
        self._parties = sorted(set(parties) | set(hosts) | {party for answered in hosts.values() for party in answered})
        self._several = _several_workloads(self._parties, notes)
        confirmed = _confirmed(self._parties)
        places = {party: self._place(party, confirmed) for party in self._parties}
        namespaces: dict[str, set[str]] = defaultdict(set)
        for place in places.values():
            if place.namespace:
                namespaces[place.name].add(place.namespace)
        self._names = {party: _node_name(place, namespaces[place.name]) for party, place in places.items()}
        self._answering(hosts)
        self._tell_kinds_apart(notes)
        split = {name for name, several in namespaces.items() if len(several) > 1}
        bare = sorted({place.name for place in places.values() if place.name in split and not place.namespace})
        notes.add(NAMESPACE_UNKNOWN, len(bare), bare[:5])

    def __getitem__(self, party: Party) -> str:
        """The node's name."""
        return self._names[party]

    def kind(self, parties: Iterable[Party]) -> NodeKind:
        """The kind of the node of these parties."""
        return min((_kind(party) for party in parties), key=_KINDS.index)

    def _place(self, party: Party, confirmed: set[_Place]) -> _Place:
        if party.kind != "workload":
            return (
                _folded(party.service, party.namespace, confirmed)
                if party.kind == "host"
                else _Place(party.service, "")
            )
        name = party.service
        if name in self._several:
            name = party.canonical or envoy.application(party.deployment) or name
        return _folded(name or "unknown", party.namespace, confirmed)

    def _answering(self, hosts: Mapping[Party, Mapping[Party, int]]) -> None:
        """A Kubernetes service may be called otherwise than the workload behind it, and so may its program."""
        names = dict(self._names)
        own = {names[party] for party in self._parties if party.kind == "workload"}
        proxied = {names[party] for party in self._parties if party.proxy == "sidecar"}
        for host, answered in hosts.items():
            behind = {names[party] for party in answered}
            # A program whose name a sidecar has as well is that one's, wherever it is not known to be behind another.
            has_own = host.kind == "workload" and not host.deployment and names[host] in proxied
            if len(behind) == 1 and not has_own and (names[host] not in own or host.kind != "host"):
                self._names[host] = behind.pop()

    def _tell_kinds_apart(self, notes: Notes) -> None:
        """What is stored and queued is never the service that it is called after, nor what another system has."""
        kinds: dict[str, set[str]] = defaultdict(set)
        systems: dict[tuple[str, str], set[str]] = defaultdict(set)
        for party, name in self._names.items():
            kept = party.kind in ("database", "queue")
            kinds[name].add(party.kind if kept else "service")
            if kept and party.canonical:
                systems[name, party.kind].add(party.canonical)
        told: dict[Party, str] = {}
        for party in self._parties:
            name = self._names[party]
            if party.kind in ("database", "queue"):
                if party.canonical and len(systems[name, party.kind]) > 1:
                    told[party] = f"{name} ({party.canonical})"
                elif len(kinds[name]) > 1:
                    told[party] = f"{name} ({party.kind})"
        alike = {told[party]: self._names[party] for party in told}
        notes.add(SAME_NAME, len(alike), sorted(set(alike.values())))
        self._names.update(told)


def _kind(party: Party) -> NodeKind:
    if party.kind == "workload":
        return "gateway" if party.proxy == "router" else "service"
    if party.kind == "host":
        return "service" if party.namespace else "unknown"
    return party.kind


def _several_workloads(parties: Iterable[Party], notes: Notes) -> set[str]:
    """Service names that cover several workloads: their spans have different canonical names, or come from pods
    that are not called after the service."""
    canonical: dict[str, set[str]] = defaultdict(set)
    foreign: dict[str, set[str]] = defaultdict(set)
    for party in parties:
        if party.kind == "workload":
            if party.canonical:
                canonical[party.service].add(party.canonical)
            elif party.deployment and not party.deployment.startswith(party.service.partition(".")[0]):
                foreign[party.service].add(envoy.application(party.deployment))
    several = {service for service, names in canonical.items() if len(names) > 1}
    several |= {service for service, names in foreign.items() if len(names) > 1}
    notes.add(ONE_SERVICE_NAME, len(several), sorted(several)[:5])
    return several


def _confirmed(parties: Iterable[Party]) -> set[_Place]:
    """NAME in NAMESPACE, as some span or some cluster says."""
    places = set()
    for party in parties:
        if party.kind == "host" and party.namespace:
            places.add(_Place(party.service, party.namespace))
        elif party.kind == "workload" and party.namespace:
            for name in (party.service, party.canonical):
                head, _, rest = name.partition(".")
                places.add(_Place(head if rest == party.namespace else name, party.namespace))
    return places


def _folded(name: str, namespace: str, confirmed: set[_Place]) -> _Place:
    head, _, rest = name.partition(".")
    if rest and (rest == namespace or _Place(head, rest) in confirmed):
        return _Place(head, rest)
    return _Place(name, namespace)


def _node_name(place: _Place, namespaces: set[str]) -> str:
    return f"{place.name}.{place.namespace}" if place.namespace and len(namespaces) > 1 else place.name
