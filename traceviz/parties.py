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
    its namespace, a database, a queue) and `namespace` the host's namespace where it says one.
    """

    kind: PartyKind
    service: str
    canonical: str = ""
    deployment: str = ""
    namespace: str = ""
    proxy: str = ""


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
        names = ("cluster", "peer_service", "queue", "queue_system", "db_name", "db_system", "server_address")
        columns = [spans.tag(name)[rows].astype(np.int64) for name in names]
        columns += [hosts[spans.tag("url")[rows]], spans.operation[rows].astype(np.int64)]
        proxy = (role[rows] == Role.CALLER) | (role[rows] == Role.ATTEMPT)
        queue = (role[rows] == Role.PRODUCER) | (role[rows] == Role.CONSUMER)
        columns += [column.astype(np.int64) for column in (proxy, gateway[rows], queue)]
        seen: dict[tuple[int, ...], int] = {}
        result = np.full(len(rows), -1, np.int64)
        for i, codes in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            if codes not in seen:
                proxied, at_gateway, messaging = map(bool, codes[9:])
                said = (texts[code] for code in codes[:9])
                party = _named(*said, proxy=proxied, gateway=at_gateway, messaging=messaging)
                seen[codes] = -1 if party is None else self.add(party)
            result[i] = seen[codes]
        return result


def _named(
    cluster: str,
    peer_service: str,
    queue: str,
    queue_system: str,
    db_name: str,
    db_system: str,
    server_address: str,
    host: str,
    operation: str,
    *,
    proxy: bool,
    gateway: bool,
    messaging: bool,
) -> Party | None:
    """Who is at the other end of a call, as the span says."""
    if proxy:
        cluster_host = envoy.read_cluster(envoy.routed_cluster(operation) or cluster).host
        # A gateway's URL names its own front door.
        named = cluster_host or ("" if gateway else host) or operation.partition("/")[0].partition(":")[0]
        return _host_party(named) if named else Party("unknown", operation or "unknown")
    if messaging and (queue or peer_service or queue_system):
        return Party("queue", queue or peer_service or queue_system)
    if peer_service:
        return _host_party(peer_service)
    if queue or queue_system:
        return Party("queue", queue or queue_system)
    if db_system or db_name:
        return Party("database", db_name or server_address or db_system)
    named = server_address or host
    return _host_party(named) if named else None


def _host_party(text: str) -> Party:
    host = envoy.read_host(text)
    if host.external:
        return Party("external", host.name)
    return Party("host", host.name, namespace=host.namespace)
