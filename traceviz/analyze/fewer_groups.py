"""What is counted of the groups of workloads ▸ the same with so many groups a workload at most, all others as one.

A name that holds an id makes a group of every request: without an end to them no memory is enough. Contexts have an end
of their own (`paths.bounded`), and so they are left as they are: a group that is dropped here has no name there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from traceviz.analyze.conditions import TraitKey, Values, add_values, bounded_values
from traceviz.analyze.edges import EdgeCounts, EdgeKey, WorkloadCounts
from traceviz.analyze.kept import kept
from traceviz.analyze.shapes import Shape, ShapeCount
from traceviz.parties import Party

MOST_COUNTED = 1000
#: The group of all others, which is not drawn under this name.
OTHER_GROUP = "\0"

#: Party ▸ the one that it is counted in.
Folding = Mapping[Party, Party]

_Key = TypeVar("_Key")
_Counts = TypeVar("_Counts", EdgeCounts, WorkloadCounts, ShapeCount)


def folding(parties: Iterable[Party], most: int = MOST_COUNTED) -> dict[Party, Party]:
    """The parties whose groups are too many, each with that of all others of its workload."""
    groups: dict[Party, dict[str, Party]] = defaultdict(dict)
    for party in parties:
        if party.group not in ("", OTHER_GROUP):
            groups[party._replace(group="")][party.group] = party
    found: dict[Party, Party] = {}
    for workload, of_workload in groups.items():
        if len(of_workload) > most:
            other = workload._replace(group=OTHER_GROUP)
            found |= {of_workload[group]: other for group in of_workload.keys() - kept(of_workload.keys(), most)}
    return found


def folded_edges(edges: Mapping[EdgeKey, EdgeCounts], into: Folding) -> dict[EdgeKey, EdgeCounts]:
    """The edges between what is left."""
    return _added_up(
        (key._replace(caller=into.get(key.caller, key.caller), callee=into.get(key.callee, key.callee)), counts)
        for key, counts in edges.items()
    )


def folded_workloads(workloads: Mapping[Party, WorkloadCounts], into: Folding) -> dict[Party, WorkloadCounts]:
    """The groups that are left."""
    return _added_up((into.get(party, party), counts) for party, counts in workloads.items())


def folded_traits(traits: Mapping[TraitKey, Values], into: Folding) -> dict[TraitKey, Values]:
    """The traits of the edges that are left."""
    result: dict[TraitKey, Values] = {}
    for key, values in traits.items():
        caller = None if key.caller is None else into.get(key.caller, key.caller)
        ends = key._replace(caller=caller, callee=into.get(key.callee, key.callee))
        if ends in result:
            add_values(result[ends], values)
        else:
            result[ends] = values
    return {ends: bounded_values(values) for ends, values in result.items()}


def folded_shapes(shapes: Mapping[Shape, ShapeCount], into: Folding) -> dict[Shape, ShapeCount]:
    """The shapes by what is left. Failures keep their places, so that two shapes can differ in nothing but these, which
    is of no consequence for what is derived from them."""
    return _added_up((_folded_shape(shape, into), count) for shape, count in shapes.items())


def _folded_shape(shape: Shape, into: Folding) -> Shape:
    return tuple(
        failure._replace(
            caller=None if failure.caller is None else into.get(failure.caller, failure.caller),
            callee=into.get(failure.callee, failure.callee),
            blame=None if failure.blame is None else into.get(failure.blame, failure.blame),
            path=tuple(into.get(party, party) for party in failure.path),
        )
        for failure in shape
    )


def _added_up(counted: Iterable[tuple[_Key, _Counts]]) -> dict[_Key, _Counts]:
    """The counts by their keys; those of one key are added to the first of them."""
    result: dict[_Key, _Counts] = {}
    for key, counts in counted:
        if key in result:
            result[key].merge(counts)
        else:
            result[key] = counts
    return result
