"""Hops ▸ the same hops between finer parties: workloads told apart by version, pod or operation, for `--group-by`.

Nothing that counts knows of groups: a party has its group in its key, so that counts are split where they are made, and
what is counted of the groups of a workload adds up to what is counted of it.

All spans of a workload that one request touches in one go are a visit: the half that received it and everything
beneath that is the workload's own. A visit has one group, so that a program's span without a version is in the group
of the proxy beside it. Whoever was never reached has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from traceviz import envoy
from traceviz.analyze.operations import operation_labels
from traceviz.hops import Hops
from traceviz.reconstruct import Forest, climb
from traceviz.spans import Bools, Ints, Rows

GroupBy = Literal["service", "version", "namespace", "pod", "operation"]
GROUP_BY: tuple[GroupBy, ...] = get_args(GroupBy)


class Sides(NamedTuple):
    """Hops, and for every row of their forest the party (an index of `hops.parties`) whose span it is."""

    hops: Hops
    of_row: Rows


def grouped(hops: Hops, by: GroupBy) -> Sides:
    """The hops with their parties told apart. A namespace is part of every party's key already, and so is a service."""
    forest = hops.forest
    own = forest.workloads.of_row.astype(np.int64)
    if by not in _LABELS:
        return Sides(hops, own)
    label = of_visits(forest, visits(hops), _LABELS[by](forest))
    parties = list(hops.parties)
    index: dict[tuple[int, int], int] = {}

    def told_apart(party: Rows, labels: Ints) -> Rows:
        pairs, inverse = np.unique(np.stack((party, labels)), axis=1, return_inverse=True)
        numbers = []
        for one, code in pairs.T.tolist():
            if code and (one, code) not in index:
                index[one, code] = len(parties)
                parties.append(parties[one]._replace(group=forest.spans.texts[code]))
            numbers.append(index[one, code] if code else one)
        return np.array(numbers, np.int64)[inverse.reshape(-1)]

    of_row = told_apart(own, label)
    callee = np.where(hops.callee_row >= 0, label[hops.callee_row], 0)
    if by == "operation":
        # Both sides know the same URL or method: that of a call which never arrived tells what it was for.
        asked = np.flatnonzero((hops.callee_row < 0) & (hops.callee >= 0) & _names_a_host(hops))
        head = hops.caller_row[asked]
        named = (forest.spans.tag("url")[head] != 0) | (forest.spans.tag("rpc")[head] != 0)
        callee[asked] = np.where(named, operation_labels(forest)[head], 0)
    called_by = np.flatnonzero(hops.caller >= 0)
    caller = hops.caller.copy()
    caller[called_by] = told_apart(hops.caller[called_by], label_of_caller(hops, label, own)[called_by])
    return Sides(replace(hops, parties=parties, caller=caller, callee=told_apart(hops.callee, callee)), of_row)


def _names_a_host(hops: Hops) -> Bools:
    named: Bools = np.array([party.kind == "host" for party in hops.parties], np.bool_)[hops.callee]
    return named


def label_of_caller(hops: Hops, label: Ints, own: Rows) -> Ints:
    """The label of the visit that made each hop: that of the head, else of the span right above the callee half."""
    above = np.where(hops.caller_row >= 0, hops.caller_row, hops.forest.parent[hops.row])
    known = (above >= 0) & (own[above] == hops.caller)
    return np.where(known, label[above], 0)


def visits(hops: Hops) -> Rows:
    """The first span of the visit that every row belongs to: a callee half, or the topmost of its workload."""
    forest = hops.forest
    rows = np.arange(len(forest))
    below = np.flatnonzero((forest.parent >= 0) & (hops.half_hop < 0))
    below = below[forest.workloads.same(below, forest.parent[below])]
    step = rows.copy()
    step[below] = forest.parent[below]
    return climb(step)


def of_visits(forest: Forest, visit: Rows, label: Ints) -> Ints:
    """One label for all rows of a visit: its first span's, else the first in the alphabet that any of its spans has."""
    result = label[visit]
    texts = forest.spans.texts
    rows = np.flatnonzero((result == 0) & (label != 0))
    found: dict[int, int] = {}
    pairs = np.unique(np.stack((visit[rows], label[rows])), axis=1)
    for first, code in pairs.T.tolist():
        found[first] = min(code, found.get(first, code), key=texts.__getitem__)
    given = np.zeros(len(forest), np.int64)
    given[list(found)] = list(found.values())
    return np.where(result != 0, result, given[visit])


def _versions(forest: Forest) -> Ints:
    return forest.spans.tag("version").astype(np.int64)


def pod_labels(forest: Forest) -> Ints:
    """The pod of every row as codes of its texts: its own tag, else that of the proxy's `node_id`."""
    spans, texts = forest.spans, forest.spans.texts
    of_proxy = envoy.table(spans.tag("node_id"), texts, lambda text: texts.code(envoy.read_node_id(text).pod), np.int64)
    return np.where(spans.tag("pod") != 0, spans.tag("pod"), of_proxy[spans.tag("node_id")]).astype(np.int64)


_LABELS: dict[str, Callable[[Forest], Ints]] = {
    "version": _versions,
    "pod": pod_labels,
    "operation": operation_labels,
}
