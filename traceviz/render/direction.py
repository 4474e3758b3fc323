"""Whether a graph is drawn from left to right or from top to bottom, from an estimate of the room it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

Direction = Literal["LR", "TB"]

#: A picture wider than this, in points, has words smaller than 9 px when it is shown 1,600 px wide.
WIDEST = 1600.0
#: Wider than this many heights a picture is a ribbon. The law is 4; an estimate keeps away from it.
BROADEST = 3.6
#: Calls that are no tree need room for lines beside each other: so many times the breadth of the nodes.
TANGLED = 1.35
CHARACTER = 5.5
LINE = 14.0


class Box(Protocol):
    """What this estimate reads of a node."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def lines(self) -> tuple[str, ...]: ...
    @property
    def entry(self) -> str | None: ...
    @property
    def marks(self) -> Sequence[object]: ...


class Line(Protocol):
    """What this estimate reads of an edge."""

    @property
    def tail(self) -> str: ...
    @property
    def head(self) -> str: ...
    @property
    def lines(self) -> tuple[str, ...]: ...
    @property
    def marks(self) -> Sequence[object]: ...


def direction(nodes: Sequence[Box], edges: Sequence[Line], frame: float) -> Direction:
    """LR where that is neither too wide to read nor a ribbon, else the one of the two that is less wide.

    `frame` is the height of title, legend and notes in points.
    """
    ranks = _ranks(nodes, edges)
    across = [_size(ranks, nodes, edges, flow="LR"), _size(ranks, nodes, edges, flow="TB")]
    width, height = across[0]
    if width <= WIDEST and width <= BROADEST * (height + frame):
        return "LR"
    return "LR" if width < across[1][0] else "TB"


def _size(
    ranks: Mapping[str, int], nodes: Sequence[Box], edges: Sequence[Line], flow: Direction
) -> tuple[float, float]:
    """Estimated width and height in points without title and legend: nodes by rank, words of edges between ranks."""
    count = max(ranks.values(), default=0) + 1
    long, broad = [0.0] * count, [0.0] * count
    gap_long, gap_broad = [30.0] * count, [0.0] * count
    for node in nodes:
        box = (_width((node.name, *node.lines)) + 24, LINE * (1 + len(node.lines) + bool(node.marks)) + 14)
        along, beside = box if flow == "LR" else box[::-1]
        rank = ranks[node.id]
        long[rank] = max(long[rank], along)
        broad[rank] += beside + 24
    for edge in edges:
        box = (_width(edge.lines) + 10, LINE * (len(edge.lines) + 3 * len(edge.marks)) + 10)
        along, beside = box if flow == "LR" else box[::-1]
        first, last = sorted((ranks[edge.tail], ranks[edge.head]))
        gap_long[first] = max(gap_long[first], along + 40)
        for rank in range(first, last):
            gap_broad[rank] += beside if rank == first else 10
    length = sum(long) + sum(gap_long[:-1]) + (100 if any(node.entry for node in nodes) else 0)
    breadth = max([*broad, *gap_broad], default=0.0) * (TANGLED if len(edges) >= len(nodes) else 1)
    return (length, breadth) if flow == "LR" else (breadth, length)


def _width(lines: Sequence[str]) -> float:
    return CHARACTER * max((len(line) for line in lines), default=0)


def _ranks(nodes: Sequence[Box], edges: Sequence[Line]) -> dict[str, int]:
    """The longest way to each node, edges that close a cycle left out: how far down a layered drawing puts it."""
    after: dict[str, list[str]] = {node.id: [] for node in nodes}
    for edge in edges:
        after[edge.tail].append(edge.head)
    finished: list[str] = []
    state: dict[str, int] = {}
    forward: list[tuple[str, str]] = []
    entries = [node.id for node in nodes if node.entry] + [node.id for node in nodes]
    for start in entries:
        stack = [] if start in state else [(start, 0)]
        while stack:
            here, position = stack.pop()
            state[here] = 1
            if position == len(after[here]):
                state[here] = 2
                finished.append(here)
                continue
            stack.append((here, position + 1))
            there = after[here][position]
            if state.get(there) != 1:
                forward.append((here, there))
            if there not in state:
                stack.append((there, 0))
    ranks = dict.fromkeys(after, 0)
    heads: dict[str, list[str]] = {}
    for tail, head in forward:
        heads.setdefault(tail, []).append(head)
    for here in reversed(finished):
        for there in heads.get(here, []):
            ranks[there] = max(ranks[there], ranks[here] + 1)
    return ranks
