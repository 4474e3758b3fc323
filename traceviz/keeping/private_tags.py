"""Which tags may be shared as they are, and what becomes of the others. Everything that is not named here is replaced,
its name too: better too much than too little."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from traceviz.keeping.harmless import KEPT_TAGS
from traceviz.keeping.renaming import Renaming

_Rule = Callable[[Renaming, str], str]


def _named(kind: str) -> _Rule:
    return lambda renaming, text: renaming.host(text, kind)


def _listed(rule: _Rule, names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, _Rule] = {
    **_listed(Renaming.service, "service.name peer.service service.peer.name"),
    **_listed(
        _named("service"),
        """istio.canonical_service istio.source_canonical_service istio.destination_canonical_service
        istio.source_workload istio.destination_workload faas.invoked_name k8s.deployment.name
        k8s.statefulset.name k8s.daemonset.name k8s.replicaset.name
        k8s.job.name k8s.cronjob.name k8s.pod.name pod k8s.container.name container.name host.name hostname""",
    ),
    **_listed(_named("ns"), "istio.namespace k8s.namespace.name service.namespace"),
    **_listed(_named("ns"), "istio.source_namespace istio.destination_namespace"),
    **_listed(_named("db"), "db.name db.namespace db.instance cassandra.keyspace"),
    **_listed(_named("table"), "db.collection.name db.sql.table db.mongodb.collection"),
    **_listed(_named("queue"), "messaging.destination messaging.destination.name messaging.destination.template"),
    **_listed(_named("queue"), "message_bus.destination kafka.topic rabbit.queue"),
    **_listed(_named("rpc"), "rpc.service rpc.method"),
    **_listed(_named("library"), "otel.scope.name otel.library.name"),
    **_listed(_named("user"), "enduser.id user.id user.name db.user"),
    **_listed(
        _named("place"),
        """istio.mesh_id istio.cluster_id k8s.cluster.name k8s.node.name zone cloud.region cloud.availability_zone
        deployment.environment deployment.environment.name downstream_cluster""",
    ),
    **_listed(
        Renaming.authority,
        """server.address client.address net.peer.name net.host.name net.peer.ip net.host.ip net.sock.peer.addr
        net.sock.peer.name net.sock.host.addr network.peer.address network.local.address peer.address peer.hostname
        peer.ipv4 peer.ipv6 upstream_address ip http.host http.server_name http.client_ip source.address
        destination.address""",
    ),
    **_listed(Renaming.url, "http.url url.full"),
    **_listed(Renaming.path, "http.target http.route url.path url.template"),
    **_listed(Renaming.cluster, "upstream_cluster upstream_cluster.name"),
    **_listed(Renaming.node_id, "node_id"),
    **_listed(Renaming.version, "istio.canonical_revision service.version version otel.scope.version"),
    **_listed(Renaming.version, "otel.library.version telemetry.sdk.version jaeger.version container.image.tag"),
    **_listed(Renaming.user_agent, "user_agent user_agent.original http.user_agent"),
    **_listed(Renaming.error_type, "error.type exception.type error.kind"),
    **_listed(Renaming.request_id, "guid:x-request-id x-request-id"),
    **_listed(Renaming.identifier, "service.instance.id container.id host.id k8s.pod.uid k8s.node.uid"),
    **_listed(Renaming.verb, "db.operation db.operation.name messaging.operation messaging.operation.name"),
    **_listed(Renaming.verb, "messaging.operation.type"),
    **_listed(Renaming.component, "component"),
    **_listed(Renaming.event, "event"),
}
#: Names of tags that conventions define and that may stay, although their values may not.
_PUBLIC = re.compile(
    r"(?:http|url|db|rpc|messaging|net|network|server|client|k8s|cloud|otel|istio|exception|telemetry|process|host|os|"
    r"container|deployment|code|thread|enduser|user|peer|faas|service|error|event|session|source|destination)\.[a-z0-9_.]+"
    r"|message|stack|level|zone|pod|version|ip|hostname|@jaeger@warnings"
)
_FREE_PARTS = re.compile(r"\.(?:header|metadata|parameter|label|labels|annotation|annotations|attribute)\.")
_HARMLESS = frozenset({"", "-", "true", "false", "True", "False"})
_LONGESTKEPT_TAGS = 40
_SMALL = 1000
_WARNING = re.compile(r"clock skew adjustment disabled; not applying calculated delta of [-0-9.]+[mµnu]?s")
#: What stands for a list or an object where a text or a number belongs.
NESTED = "…"
_WARNINGS = "@jaeger@warnings"
_MOST_REMEMBERED = 100_000


class PrivateTags:
    """What tags become. Values that were met before are looked up."""

    def __init__(self, renaming: Renaming) -> None:
        self._renaming = renaming
        self._remembered: dict[tuple[str, str], str] = {}

    def name(self, tag: str) -> str:
        """The name of a tag: a usual one stays, any other ▸ `tag01`."""
        if tag in KEPT_TAGS or tag in _RULES or (_PUBLIC.fullmatch(tag) and not _FREE_PARTS.search(tag)):
            return tag
        return self._renaming.words.word(tag, "tag")

    def text(self, tag: str, text: str) -> str:
        """The text of a tag."""
        if text in _HARMLESS or (tag in KEPT_TAGS and len(text) <= _LONGESTKEPT_TAGS):
            return text
        entry = tag, text
        found = self._remembered.get(entry)
        if found is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[entry] = self._replaced(tag, text)
        return found

    def number(self, tag: str, number: int) -> int:
        """A whole number: a small one stays, a larger one only where it is known to be a measure."""
        if tag in KEPT_TAGS or -_SMALL < number < _SMALL:
            return number
        other = int(self._renaming.words.number(str(abs(number))))
        return other if number > 0 else -other

    def scalar(self, tag: str, value: Any) -> Any:
        """A value of JSON: truth values stay; fractions, which may be places on earth, only where they are measures."""
        if isinstance(value, str):
            return self.text(tag, value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, float):
            return value if tag in KEPT_TAGS else float(self.number(tag, round(value)))
        return self.number(tag, value) if isinstance(value, int) else NESTED

    def warning(self, text: str) -> str:
        """What Jaeger warns of; it may name spans."""
        return text if _WARNING.fullmatch(text) else self._renaming.words.word(text, "text")

    def _replaced(self, tag: str, text: str) -> str:
        if tag == _WARNINGS:
            return self.warning(text)
        rule = _RULES.get(tag)
        return rule(self._renaming, text) if rule else self._renaming.words.word(text, "text")
