"""Hops ▸ counts that tell whether a failure beneath a workload makes it fail, and what failing calls share."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np

from traceviz.analyze.groups import pod_labels
from traceviz.hops import Hops
from traceviz.parties import Party
from traceviz.spans import Bools, Ints


class PairKey(NamedTuple):
    """A workload and somebody whom it called."""

    workload: Party
    called: Party


#: [failed, went well]
PairCounts = list[int]


def count_pairs(hops: Hops) -> dict[PairKey, PairCounts]:
    """How often a workload failed while somebody whom it called itself had failed, and how often it did not."""
    calls = np.flatnonzero((hops.up >= 0) & hops.waited_for & hops.failed)
    size = len(hops.parties)
    above = np.unique(hops.up[calls] * size + hops.callee[calls])
    hop, called = above // size, above % size
    code = (hops.callee[hop] * size + called) * 2 + ~_own_failure(hops)[hop]
    result: dict[PairKey, PairCounts] = defaultdict(lambda: [0, 0])
    for key, count in zip(*(x.tolist() for x in np.unique(code, return_counts=True)), strict=True):
        result[PairKey(hops.parties[key // 2 // size], hops.parties[key // 2 % size])][key % 2] += count
    return dict(result)


def count_answers(hops: Hops) -> dict[Party, list[int]]:
    """How often each callee failed, and how often it went well, seen from its own half where it has one."""
    code = hops.callee * 2 + ~_own_failure(hops)
    result: dict[Party, list[int]] = defaultdict(lambda: [0, 0])
    for key, count in zip(*(x.tolist() for x in np.unique(code, return_counts=True)), strict=True):
        result[hops.parties[key // 2]][key % 2] += count
    return dict(result)


def _own_failure(hops: Hops) -> Bools:
    half = hops.callee_row
    own: Bools = np.where(half >= 0, hops.outcomes.failed[half], hops.failed)
    return own


def makes_fail(with_it: PairCounts, in_all: PairCounts) -> bool:
    """Whether a workload fails more often with its callee's failure than without.

    Certain where it never survived one, or never failed otherwise; else the difference must be none of chance
    (Fisher's exact test, one-sided, 1 %): a tolerated failure beside a bug of one's own looks alike for a while.
    Where there was nothing without it to compare with, what happened more often decides.
    """
    failed_without, well_without = in_all[0] - with_it[0], in_all[1] - with_it[1]
    if not with_it[1] or not with_it[0]:
        return not with_it[1]
    if failed_without + well_without <= 0:
        return with_it[0] >= with_it[1]
    if failed_without <= 0:
        return True
    return chance_of_more(with_it[0], with_it[1], failed_without, max(well_without, 0)) < 0.01


def chance_of_more(a: int, b: int, c: int, d: int) -> float:
    """Fisher's exact test: the chance that the share a / (a + b) is at least this much above c / (c + d)."""

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    total = log_choose(a + b + c + d, a + c)
    chance = 0.0
    for more in range(a, min(a + b, a + c) + 1):
        term = math.exp(log_choose(a + b, more) + log_choose(c + d, a + c - more) - total)
        chance += term
        if term < chance * 1e-12:
            break
    return min(chance, 1.0)


class TraitKey(NamedTuple):
    """A value that calls of an edge have: of the callee's half, or of the caller's ("side")."""

    caller: Party | None
    callee: Party
    side: str
    trait: str
    value: str


#: What the calls of an edge are told apart by.
TRAITS = ("version", "pod", "zone", "method", "operation")


def count_traits(hops: Hops, started: Bools) -> dict[TraitKey, Counter[bool]]:
    """How many calls there were with each value of each trait of either side.

    True counts calls in which a failure started, False the others.
    """
    columns = _traits(hops)
    size, values = len(hops.parties) + 1, len(hops.forest.spans.texts)
    edge = (hops.caller + 1) * size + hops.callee
    result: dict[TraitKey, Counter[bool]] = defaultdict(Counter)
    for side, rows in (("caller", hops.caller_row), ("callee", hops.callee_row)):
        own = np.flatnonzero(rows >= 0)
        for trait in TRAITS:
            code = (edge[own] * values + columns[trait][rows[own]]) * 2 + started[own]
            for key, count in zip(*(x.tolist() for x in np.unique(code, return_counts=True)), strict=True):
                caller, callee = divmod(key // 2 // values, size)
                text = hops.forest.spans.texts[key // 2 % values]
                if text:
                    who = hops.parties[caller - 1] if caller else None
                    result[TraitKey(who, hops.parties[callee], side, trait, text)][bool(key % 2)] += count
    return dict(result)


def _traits(hops: Hops) -> dict[str, Ints]:
    """The text codes of every trait, per row of the forest."""
    spans = hops.forest.spans
    return {
        "version": spans.tag("version").astype(np.int64),
        "pod": pod_labels(hops.forest),
        "zone": spans.tag("zone").astype(np.int64),
        "method": spans.tag("method").astype(np.int64),
        "operation": np.where(spans.tag("route") != 0, spans.tag("route"), spans.operation).astype(np.int64),
    }
