"""A report's contexts under the names of nodes, in drawing order. Derived after the last merge.

Several paths of parties can be one path of nodes. Trees stand in the order of `STARTS`; of the contexts beneath one
context those with more calls come first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from traceviz.analyze.beginnings import STARTS, Start
from traceviz.analyze.blame import Way, ways
from traceviz.analyze.contexts import DEEPEST, ContextCounts, Contexts
from traceviz.analyze.resolved import Resolved
from traceviz.notes import define

CONTEXTS_FOLDED = define(
    "contexts-folded",
    "{count} {count:call is|calls are} too deep in the tree, or of too rare a context, and {count:stands|stand} "
    "in one line below {count:its|their} last context",
    f"""A tree of contexts has at most 4,096 of them, none deeper than {DEEPEST} calls.

    Sign: a line `…`, whose calls and errors are all those beneath the line above it. The examples are what is above.

    Cause: a service that calls itself in a loop, directly or through others; or very many different ways of calls.

    What to do: nothing for a loop that is meant, the graph (without `--view tree`) has all of it. For many ways
    `--service`, `--operation` or a shorter `--since`.""",
)


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A context with its place: `parent` is an index of the list, None where a tree begins."""

    parent: int | None
    depth: int
    node: str | None
    caller: str | None
    asynchronous: bool
    start: Start | None
    counts: ContextCounts
    self_share: float | None
    failing: bool


class _Name(NamedTuple):
    """A step by the names of its nodes."""

    caller: str | None
    node: str | None
    asynchronous: bool
    start: Start | None


_Path = tuple[_Name, ...]


def context_rows(resolved: Resolved, contexts: Contexts) -> list[ContextRow]:
    """The rows of all trees, each context before those beneath it."""
    counts = _named(resolved, contexts)
    below: dict[_Path, list[_Path]] = defaultdict(list)
    for path in counts:
        below[path[:-1]].append(path)
    for paths in below.values():
        paths.sort(key=lambda path: _order(path[-1], counts[path]))
    failing = _failing(counts, ways(resolved))
    rows: list[ContextRow] = []
    folded: list[tuple[int, str]] = []
    waiting: list[tuple[_Path, int | None]] = [(path, None) for path in reversed(below[()])]
    whole_ns = 0
    while waiting:
        path, parent = waiting.pop()
        if parent is None:
            whole_ns = _whole_ns(path, counts, below)
        name = path[-1]
        if name.node is None:
            folded.append((counts[path].calls.calls, path[-2].node or "" if len(path) > 1 else ""))
        waiting += [(child, len(rows)) for child in reversed(below.get(path, ()))]
        rows.append(
            ContextRow(
                parent=parent,
                depth=len(path) - 1,
                node=name.node,
                caller=name.caller,
                asynchronous=name.asynchronous,
                start=name.start,
                counts=counts[path],
                self_share=round(counts[path].own_time.total_ns / whole_ns, 6) if whole_ns else None,
                failing=path in failing,
            )
        )
    resolved.notes.add(
        CONTEXTS_FOLDED, sum(calls for calls, _ in folded), sorted({above for _, above in folded if above})
    )
    return rows


def _named(resolved: Resolved, contexts: Contexts) -> dict[_Path, ContextCounts]:
    names = resolved.names
    merged: dict[_Path, ContextCounts] = {}
    for path, counts in contexts.items():
        steps = tuple(
            _Name(
                None if step.caller is None else names[step.caller],
                None if step.callee is None else names[step.callee],
                step.asynchronous,
                step.start,
            )
            for step in path
        )
        merged.setdefault(steps, ContextCounts()).merge(counts)
    return merged


def _order(name: _Name, counts: ContextCounts) -> tuple[object, ...]:
    """What is folded is drawn last."""
    start = -1 if name.start is None else STARTS.index(name.start)
    return name.node is None, start, -counts.calls.calls, name.node or "", name.caller or "", name.asynchronous


def _whole_ns(root: _Path, counts: Mapping[_Path, ContextCounts], below: Mapping[_Path, list[_Path]]) -> int:
    """All self time in the tree below a root, and the root's."""
    whole, waiting = 0, [root]
    while waiting:
        path = waiting.pop()
        whole += counts[path].own_time.total_ns
        waiting += below.get(path, ())
    return whole


def _failing(counts: Mapping[_Path, ContextCounts], started: set[Way]) -> set[_Path]:
    """The contexts in which an error started: those with errors that the ways lead to, and where a way goes on beyond
    what is drawn the folded one."""
    by_way: dict[Way, list[_Path]] = defaultdict(list)
    folded: dict[Way, list[_Path]] = defaultdict(list)
    for path in (path for path, count in counts.items() if count.calls.errors):
        begins = path[0].start
        callers = tuple(step.caller for step in path if step.caller is not None)
        if path[-1].node is None:
            above = path[-2].node if len(path) > 1 else None
            folded[Way(begins, callers + (() if above is None else (above,)))].append(path)
        else:
            by_way[Way(begins, (*callers, path[-1].node))].append(path)
    found: set[_Path] = set()
    for way in started:
        found.update(by_way.get(way, ()))
        if way not in by_way:
            shorter = (Way(way.begins, way.nodes[:size]) for size in range(len(way.nodes) - 1, -1, -1))
            longest = next((one for one in shorter if one in folded), None)
            found.update(() if longest is None else folded[longest])
    return found
