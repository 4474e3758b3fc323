"""What the colours, lines and shapes of a picture mean: only those that occur in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from traceviz.documents import NodeKind
from traceviz.render.marks import Mark
from traceviz.render.palette import FAILING_SHARE, HOT_SHARE, WARM_SHARE, ColourBy, Health, Palette
from traceviz.render.words import count, share


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A drawn sample in its colour, and what it means. A sample may be empty."""

    sample: str
    colour: str
    text: str


class ShownNode(Protocol):
    """What the legend reads of a node."""

    @property
    def health(self) -> Health: ...
    @property
    def kind(self) -> NodeKind: ...
    @property
    def unseen(self) -> bool: ...
    @property
    def marks(self) -> tuple[Mark, ...]: ...


class ShownEdge(Protocol):
    """What the legend reads of an edge."""

    @property
    def health(self) -> Health: ...
    @property
    def style(self) -> str: ...
    @property
    def joined(self) -> bool: ...
    @property
    def marks(self) -> tuple[Mark, ...]: ...


_SHAPES: dict[NodeKind, str] = {
    "gateway": "arrow-shaped box: gateway",
    "database": "cylinder: database",
    "queue": "box with two tabs: queue",
    "external": "double border: outside the mesh",
}


def legend(
    nodes: Sequence[ShownNode],
    edges: Sequence[ShownEdge],
    colours: Palette,
    times: bool,
    calls: Sequence[int],
    colour_by: ColourBy = "errors",
) -> tuple[LegendEntry, ...]:
    """The entries of a picture, in a fixed order; `times` says whether percentiles stand on its edges."""
    entries: list[LegendEntry] = []

    def add(occurs: bool, sample: str, colour: str, text: str) -> None:
        if occurs:
            entries.append(LegendEntry(sample, colour, text))

    healths = {edge.health for edge in edges}
    limit = share(FAILING_SHARE)
    failing = colours.text["failing"]
    if colour_by == "critical":
        warm, hot = share(WARM_SHARE), share(HOT_SHARE)
        healths |= {node.health for node in nodes}
        add("healthy" in healths, "──►", colours.text["healthy"], f"less than {warm} of the time that users waited")
        add("some" in healths, "──►", colours.text["some"], f"{warm} or more of it")
        add("failing" in healths, "──►", failing, f"{hot} or more of it")
        add(True, "", colours.ink, "of a line: its calls with all beneath them; of a box: its own work")
    else:
        add("healthy" in healths, "──►", colours.text["healthy"], "calls without an error")
        add("some" in healths, "─┼►", colours.text["some"], f"errors in less than {limit} of the calls")
        add("failing" in healths, "─┼►", failing, f"errors in {limit} or more")
    add(any(edge.marks for edge in edges), "══►", failing, "× n: errors start here, n is the rank")
    add(any(node.marks for node in nodes), "■", failing, "thick border: where to look first")
    styles = {edge.style for edge in edges}
    add("dashed" in styles, "- - ►", colours.ink, "callee never reached, or not seen")
    add("dotted" in styles, "· · >", colours.ink, "asynchronous, through a queue")
    joined = any(edge.joined for edge in edges)
    add(joined, "o──►", colours.ink, "joined: the caller lost the tracing headers, and the trace was torn here")
    entries += shapes(nodes, colours)
    if calls and colour_by == "critical":
        add(True, "", colours.ink, "width of a line: share of the time that users waited")
    elif calls:
        spread = count(calls[0]) if min(calls) == max(calls) else f"{count(min(calls))} to {count(max(calls))}"
        add(True, "", colours.ink, f"width of a line: calls ({spread})")
    add(times and bool(edges), "", colours.ink, "p50, p95: time of a call as its caller saw it")
    return tuple(entries)


def shapes(nodes: Sequence[ShownNode], colours: Palette) -> list[LegendEntry]:
    """What the borders and shapes of nodes mean."""
    unseen = [LegendEntry("- -", colours.ink, "dashed border: no spans of its own")]
    kinds = {node.kind for node in nodes}
    found = unseen if any(node.unseen for node in nodes) else []
    return found + [LegendEntry("", colours.ink, text) for kind, text in _SHAPES.items() if kind in kinds]
