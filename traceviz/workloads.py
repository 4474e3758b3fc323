"""Which workload a span belongs to, from the span alone: service name, Istio's tags, node_id.

A `Workload` is a key, not yet a name: what a workload is called in a report is settled only after the last
merge, when every namespace and every name is known (`analyze.names`).
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from traceviz import envoy
from traceviz.spans import Spans


class Workload(NamedTuple):
    """`service` as reported; `canonical` is Istio's name for it; `deployment` comes from the pod in
    `node_id`; `proxy` is "sidecar", "router" for a gateway, "waypoint", or empty for a program's span.

    A waypoint speaks for the workloads behind it: its spans are those of whom it passed the request to."""

    service: str
    canonical: str
    deployment: str
    namespace: str
    proxy: str

    @property
    def base(self) -> str:
        """The service name up to its namespace, where the span itself confirms that namespace."""
        name, _, rest = self.service.partition(".")
        return name if rest and rest == self.namespace else self.service

    @property
    def own_name(self) -> str:
        """The best name that the span alone gives: the service, unless the pod shows that one service
        name stands for several workloads."""
        pod = envoy.application(self.deployment)
        if self.canonical:
            return self.canonical
        return pod if pod and not pod.startswith(self.base.partition(".")[0]) else self.base

    @property
    def names(self) -> frozenset[str]:
        """What it may be called."""
        return frozenset((self.own_name, self.base, self.service))


def same(one: Workload, other: Workload) -> bool:
    """Whether two spans come from the same workload, a program and its proxy for example.

    Spans of one proxy can carry less than others of it (`router …` has no node_id), so whatever both
    know must agree, and one name must be common.
    """
    if one.namespace and other.namespace and one.namespace != other.namespace:
        return False
    if one.canonical and other.canonical:
        return one.canonical == other.canonical
    if one.deployment and other.deployment:
        return envoy.application(one.deployment) == envoy.application(other.deployment)
    return bool(one.names & other.names) or _short(one, other) or _short(other, one)


def _signs(one: Workload) -> set[tuple[str, str]]:
    """What two keys of one workload have in common at least one of."""
    name, _, rest = one.service.partition(".")
    signs = {("name", name) for name in one.names} | {("whole", one.service)}
    if rest and "." not in rest:
        signs.add(("first", name))
    if one.canonical:
        signs.add(("canonical", one.canonical))
    if one.deployment:
        signs.add(("application", envoy.application(one.deployment)))
    return signs


#: The sign that the other one has, of what is not the same on both sides.
_OTHER_SIGN = {"whole": "first", "first": "whole"}


def _short(one: Workload, other: Workload) -> bool:
    """Whether one says NAME and the other NAME.NAMESPACE, with nothing to contradict it."""
    name, _, rest = other.service.partition(".")
    return one.service == name and bool(rest) and "." not in rest and one.namespace in ("", rest)


class Workloads:
    """The workloads of a batch: `keys`, and for every row the index of its key in `of_row`."""

    def __init__(self, spans: Spans) -> None:
        names = ("canonical", "node_id", "namespace", "pod", "destination", "destination_namespace")
        columns = [spans.service] + [spans.tag(name) for name in names] + [_vips(spans)]
        combined, first = _combine(columns, len(spans.texts))
        index: dict[Workload, int] = {}
        of_combination = np.zeros(len(first), np.int32)
        for i, row in enumerate(first):
            key = _workload(*(spans.texts[int(column[row])] for column in columns))
            of_combination[i] = index.setdefault(key, len(index))
        self.keys = list(index)
        self.of_row: npt.NDArray[np.int32] = of_combination[combined]
        self._same: dict[tuple[int, int], bool] = {}
        self._by_sign: dict[tuple[str, str], list[int]] = {}
        self._kin: dict[int, list[int]] = {}
        #: How often the program of a key stood behind the sidecar of another one: (its key, that one's).
        self.stood_behind: Counter[tuple[int, int]] = Counter()

    def of(self, row: int) -> Workload:
        """The workload of a row."""
        return self.keys[int(self.of_row[row])]

    def behind(self, sidecar: npt.NDArray[np.int64]) -> Workloads:
        """The same, but rows whose `sidecar` (an index of `keys`, -1 for none) is given belong to its workload, under
        the service name that they have. A key of their own keeps that name."""
        moved = np.flatnonzero(sidecar >= 0)
        result = copy(self)
        result.keys, result.of_row, result._same = list(self.keys), self.of_row.copy(), {}
        result._by_sign, result._kin = {}, {}
        index = {key: number for number, key in enumerate(result.keys)}
        result.stood_behind = Counter()
        pairs = zip(self.of_row[moved].tolist(), sidecar[moved].tolist(), strict=True)
        for row, (own, before) in zip(moved.tolist(), pairs, strict=True):
            known = self.keys[before]
            key = self.keys[own]._replace(
                canonical=known.canonical, deployment=known.deployment, namespace=known.namespace
            )
            number = index.setdefault(key, len(result.keys))
            if number == len(result.keys):
                result.keys.append(key)
            result.of_row[row] = number
            result.stood_behind[own, before] += 1
            result.stood_behind[number, before] += 1
        return result

    def same(self, rows: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Row by row: do `rows[i]` and `others[i]` belong to the same workload?"""
        size = len(self.keys)
        pairs, inverse = np.unique(self.of_row[rows].astype(np.int64) * size + self.of_row[others], return_inverse=True)
        answers = np.array([self.same_keys(*divmod(pair, size)) for pair in pairs.tolist()], np.bool_)
        return answers[inverse]

    def same_keys(self, one: int, other: int) -> bool:
        """Whether two of `keys`, by index, are the same workload."""
        answer = self._same.get((one, other))
        if answer is None:
            answer = self._same[one, other] = same(self.keys[one], self.keys[other])
        return answer

    def kin(self, one: int) -> list[int]:
        """All of `keys`, by index, that are the same workload as one of them."""
        if not self._by_sign:
            for number, key in enumerate(self.keys):
                for sign in _signs(key):
                    self._by_sign.setdefault(sign, []).append(number)
        if one not in self._kin:
            signs = ((_OTHER_SIGN.get(kind, kind), text) for kind, text in _signs(self.keys[one]))
            alike = {number for sign in signs for number in self._by_sign.get(sign, ())}
            self._kin[one] = sorted(number for number in alike if self.same_keys(one, number))
        return self._kin[one]

    def mask(self, proxy: str) -> npt.NDArray[np.bool_]:
        """The rows whose span comes from a proxy of this kind."""
        return np.array([key.proxy == proxy for key in self.keys], np.bool_)[self.of_row]


def _workload(
    service: str,
    canonical: str,
    node_id: str,
    namespace: str,
    pod: str,
    destination: str,
    destination_namespace: str,
    vip: str,
) -> Workload:
    node = envoy.read_node_id(node_id)
    if vip or node.kind == "waypoint":
        host = envoy.read_host(envoy.read_cluster(vip).host)
        known = "" if destination == "unknown" else destination
        if known or host.name:
            return Workload(known or host.name, known, "", destination_namespace or host.namespace, "waypoint")
    return Workload(
        service=service,
        canonical="" if canonical == "unknown" else canonical,
        deployment=envoy.deployment(node.pod or pod),
        namespace=namespace or node.namespace,
        proxy=node.kind,
    )


def _vips(spans: Spans) -> npt.NDArray[np.int32]:
    """The clusters of waypoints, as codes: of a `router … egress` without the tag the one in its name; 0 elsewhere."""
    texts = spans.texts

    def vip(text: str) -> int:
        cluster = envoy.routed_cluster(text) or text
        return texts.code(cluster) if cluster.startswith("inbound-vip|") else 0

    tagged = envoy.look_up(spans.tag("cluster"), texts, vip, np.int32)
    return np.where(tagged != 0, tagged, envoy.look_up(spans.operation, texts, vip, np.int32))


def _combine(columns: list[npt.NDArray[np.int32]], base: int) -> tuple[npt.NDArray[np.int64], list[int]]:
    """Number the different rows of several code columns: the number of every row, one row of every number."""
    combined = columns[0].astype(np.int64)
    for column in columns[1:]:
        _, combined = np.unique(combined * base + column, return_inverse=True)
    _, first, combined = np.unique(combined, return_index=True, return_inverse=True)
    return combined, first.tolist()
