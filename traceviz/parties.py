"""Who is at the ends of a call: workloads that reported spans, and callees that only their caller names."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from traceviz import envoy
from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Rows

PartyKind = Literal["workload", "host", "database", "queue", "external", "unknown"]


class Party(NamedTuple):
    """One end of a call: a workload that reported spans, or a callee that was only named by its caller.

    For a workload the fields are those of `Workload`; for the others `service` is the name (a host without
    its namespace, a database, a queue) and `namespace` the host's namespace where it says one; of a database or a queue
    `canonical` is the system that it is in ("kafka"), empty where that is not known. `group`, always the
    last field, is what `--group-by` tells it apart by (`analyze.groups`), empty where that is not known.
    """

    kind: PartyKind
    service: str
    canonical: str = ""
    deployment: str = ""
    namespace: str = ""
    proxy: str = ""
    group: str = ""


class Parties:
    """The parties of a batch. `known` starts with the forest's workloads, in the order of its keys; parties that
    are only named follow. `of_row` is the workload of every row."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self.known = [Party("workload", *key) for key in forest.workloads.keys]
        self._index = {party: number for number, party in enumerate(self.known)}
        self.of_row: Rows = forest.workloads.of_row.astype(np.int64)

    def add(self, party: Party) -> int:
        """The index of a party, a new one where it was not known."""
        number = self._index.setdefault(party, len(self.known))
        if number == len(self.known):
            self.known.append(party)
        return number

    def named_by(self, rows: Rows) -> Rows:
        """The party at the other end, as these spans name it, -1 where they name none.

        For a consumer that is the queue it took from, for all others their callee.
        """
        spans, role, texts = self._forest.spans, self._forest.role, self._forest.spans.texts
        gateway = self._forest.workloads.mask("router")
        hosts = envoy.table(spans.tag("url"), texts, lambda url: texts.code(envoy.url_host(url)), np.int64)
        columns = [spans.tag(name)[rows].astype(np.int64) for name in _Said._fields[:-2]]
        columns += [hosts[spans.tag("url")[rows]], spans.operation[rows].astype(np.int64)]
        proxy = (role[rows] == Role.CALLER) | (role[rows] == Role.ATTEMPT)
        queue = (role[rows] == Role.PRODUCER) | (role[rows] == Role.CONSUMER)
        seen: dict[tuple[int, ...], int] = {}
        result = np.full(len(rows), -1, np.int64)
        sides = [column.astype(np.int64) for column in (proxy, gateway[rows], queue)]
        for i, codes in enumerate(zip(*(column.tolist() for column in (*columns, *sides)), strict=True)):
            if codes not in seen:
                proxied, at_gateway, messaging = map(bool, codes[-3:])
                said = _Said(*(texts[code] for code in codes[:-3]))
                party = _named_by_proxy(said, at_gateway) if proxied else _named_by_program(said, messaging)
                seen[codes] = -1 if party is None else self.add(party)
            result[i] = seen[codes]
        return result


class _Said(NamedTuple):
    """What a span says of the other end: columns of `TAGS`, then the host of its URL and its operation."""

    cluster: str
    peer_service: str
    queue: str
    queue_system: str
    queue_key: str
    db_name: str
    db_system: str
    server_address: str
    rpc: str
    rpc_service: str
    host: str
    operation: str


def _named_by_proxy(said: _Said, gateway: bool) -> Party:
    routed = envoy.routed_cluster(said.operation) or envoy.asked_cluster(said.operation) or said.cluster
    # A gateway's URL names its own front door.
    host = "" if gateway else said.host
    named = envoy.read_cluster(routed).host or host or said.operation.partition("/")[0].partition(":")[0]
    return _host_party(named) if named else Party("unknown", said.operation or "unknown")


def _named_by_program(said: _Said, messaging: bool) -> Party | None:
    """`peer.service`, what is stored or queued, an address, and only then what the call was for. What the first one
    names is a queue or a database where the span is about one."""
    queued = bool(said.queue or said.queue_system)
    stored = bool(said.db_system or said.db_name)
    if (messaging and said.peer_service) or queued:
        queue = _queue(said)
        named = queue if messaging or not said.peer_service else said.peer_service
        return Party("queue", named or said.peer_service or said.queue_system, _system(said.queue_system))
    address = envoy.url_host(said.server_address)
    if stored:
        # Of a numbered database, like Redis's 0, the number says nothing.
        name = "" if said.db_name.isdecimal() else said.db_name
        return Party("database", said.peer_service or name or address or said.db_system, _system(said.db_system))
    if said.peer_service:
        return _host_party(said.peer_service)
    named = address or said.host
    if named:
        return _host_party(named)
    if said.rpc_service:
        # Services of a cloud (S3, DynamoDB) are asked for by name.
        return Party("external" if said.rpc.lower() == "aws-api" else "unknown", said.rpc_service)
    return None


#: RabbitMQ's exchange without a name, which brings a message to the queue that its routing key names.
_DEFAULT_EXCHANGE = ("", "<default>", "amq.default", "(AMQP default)")


def _queue(said: _Said) -> str:
    """A destination by one name at both ends: of RabbitMQ, where producers say EXCHANGE or EXCHANGE:KEY and consumers
    EXCHANGE:KEY:QUEUE, the exchange, else the queue."""
    if _system(said.queue_system) != "rabbitmq":
        return said.queue
    exchange, *more = said.queue.split(":")
    if exchange not in _DEFAULT_EXCHANGE:
        return exchange
    return next((name for name in (*reversed(more), said.queue_key) if name), said.queue)


#: What older conventions call a system ▸ its name today.
_SYSTEMS = {
    "mssql": "microsoft.sql_server",
    "oracle": "oracle.db",
    "db2": "ibm.db2",
    "spanner": "gcp.spanner",
    "cosmosdb": "azure.cosmosdb",
    "dynamodb": "aws.dynamodb",
    "redshift": "aws.redshift",
    "amazonsqs": "aws_sqs",
    "aws.sqs": "aws_sqs",
    "amazonsns": "aws.sns",
}


def _system(text: str) -> str:
    return _SYSTEMS.get(text.lower(), text.lower())


def _host_party(text: str) -> Party:
    host = envoy.read_host(text)
    if host.external:
        return Party("external", host.name)
    return Party("host", host.name, namespace=host.namespace)
