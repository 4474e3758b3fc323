"""Hops ▸ counts that tell whether a failure beneath a workload makes it fail, and what failing calls share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from traceviz.analyze.groups import pod_labels
from traceviz.analyze.kept import kept
from traceviz.analyze.operations import name_labels
from traceviz.analyze.significance import chance_of_more
from traceviz.hops import Hops
from traceviz.notes import define
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


class TraitKey(NamedTuple):
    """Something that calls of an edge are told apart by: at the callee's half, or at the caller's ("side")."""

    caller: Party | None
    callee: Party
    side: str
    trait: str


#: What the calls of an edge are told apart by.
TRAITS = ("version", "pod", "zone", "method", "operation")
#: So many values of one trait are counted by themselves, all others as one.
MOST_VALUES = 256
OTHER_VALUES = ""

#: Value ▸ how many calls in which a failure started, and how many others.
Values = dict[str, list[int]]

VALUES_CUT = define(
    "values-cut",
    "{count} failing {count:hop has|hops have} more than 256 pods or operations: what failing calls share was looked "
    "for among 256 of them",
    """What failing calls share (`concentrated_in`) is looked for in the versions, pods, zones, methods and operations
    of a failing hop's calls. Of each 256 are counted by themselves, and all others as one.

    Sign: the examples are such callees. Another value can be the one that they share; what is said is exact.

    Cause: very many pods, or names of operations that hold an id. Which values are counted follows from their names
    alone, so that no split of the traces changes an answer; names without a digit go first.

    What to do: a shorter `--since`, or `--service` or `--operation`; names of operations without values in them.""",
)


def count_traits(hops: Hops, started: Bools) -> dict[TraitKey, Values]:
    """How many calls there were with each value of each trait of either side, `started` those in which a failure
    started."""
    columns = trait_columns(hops)
    size, texts = len(hops.parties) + 1, hops.forest.spans.texts
    edge = (hops.caller + 1) * size + hops.callee
    result: dict[TraitKey, Values] = defaultdict(dict)
    for side, rows in (("caller", hops.caller_row), ("callee", hops.callee_row)):
        own = np.flatnonzero(rows >= 0)
        for trait, column in columns.items():
            code = (edge[own] * len(texts) + column[rows[own]]) * 2 + ~started[own]
            for key, count in zip(*(x.tolist() for x in np.unique(code, return_counts=True)), strict=True):
                caller, callee = divmod(key // 2 // len(texts), size)
                if text := texts[key // 2 % len(texts)]:
                    who = hops.parties[caller - 1] if caller else None
                    values = result[TraitKey(who, hops.parties[callee], side, trait)]
                    values.setdefault(text, [0, 0])[key % 2] += count
    return {key: bounded_values(values) for key, values in result.items()}


def merge_traits(mine: dict[TraitKey, Values], theirs: Mapping[TraitKey, Values]) -> None:
    """Add what `theirs` counted to `mine`."""
    for key, values in theirs.items():
        mine[key] = bounded_values(add_values(mine.get(key, {}), values))


def add_values(mine: Values, theirs: Values) -> Values:
    """Both added up; `mine` is used up by that."""
    for value, (failed, well) in theirs.items():
        counts = mine.setdefault(value, [0, 0])
        counts[:] = [counts[0] + failed, counts[1] + well]
    return mine


def bounded_values(values: Values) -> Values:
    """At most `MOST_VALUES` values, and all others as one; `values` are used up by that."""
    if len(values) <= MOST_VALUES:
        return values
    alone = kept(values.keys() - {OTHER_VALUES}, MOST_VALUES)
    result = {value: counts for value, counts in values.items() if value in alone}
    others = [counts for value, counts in values.items() if value not in alone]
    result[OTHER_VALUES] = [sum(counts[0] for counts in others), sum(counts[1] for counts in others)]
    return result


def trait_columns(hops: Hops) -> dict[str, Ints]:
    """The text codes of every trait, per row of the forest."""
    spans = hops.forest.spans
    tags = {name: spans.tag(name).astype(np.int64) for name in ("version", "zone", "method")}
    columns = {**tags, "pod": pod_labels(hops.forest), "operation": name_labels(hops.forest)}
    return {trait: columns[trait] for trait in TRAITS}
