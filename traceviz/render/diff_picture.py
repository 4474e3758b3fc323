"""The picture of what changed: an ordinary one, with lines and words that tell what came, went, got worse or better.

Each change has a line and a word of its own beside its colour, so that no colour has to be told from another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from traceviz.documents import Change, DiffDocument, DiffEdge, DiffNode, DiffSide, Node
from traceviz.render.diff_words import calls, counted_on, errors, ratio, time, times_that_moved, verdict
from traceviz.render.direction import direction
from traceviz.render.legend import LegendEntry, shapes
from traceviz.render.palette import Palette, palette
from traceviz.render.picture import (
    EDGES_WITH_WORDS,
    LEFT_OUT_CELLS,
    LEFT_OUT_LINES,
    MESSAGE_CELLS,
    NAME_CELLS,
    TITLE_CELLS,
    Picture,
    PictureEdge,
    PictureNode,
    Style,
    line_width,
    note_line,
    users_of,
    wrap,
)
from traceviz.render.text import counts_read
from traceviz.render.tooltips import TOOLTIP_CELLS, edge_tooltip
from traceviz.render.words import counted, name, share, shorten, sources, window

_STYLES: dict[Change, Style] = {
    "added": "solid",
    "removed": "dashed",
    "worse": "solid",
    "better": "dotted",
    "same": "solid",
}
#: The least width in points of a line that says something; the others stand back.
_CHANGED, _SAME = 2.2, 1.6
_SOURCE_CELLS = 60


def diff_picture(document: DiffDocument, theme: str = "light") -> Picture:
    """Decide the picture of a comparison. Raises UsageError for an unknown theme."""
    colours = palette(theme)
    ids = {node["name"]: f"N{index}" for index, node in enumerate(document["nodes"], 1)}
    nodes = tuple(_node(node, ids[node["name"]]) for node in document["nodes"])
    edges = _edges(document, ids)
    said = tuple(wrap(verdict(document), TITLE_CELLS, most=3))
    entries = _legend(document, nodes, colours)
    left_out = _left_out(document, edges)
    service = document["asked"]["service"]
    frame = 90.0 + 20 * len(said) + 16 * (math.ceil(len(entries) / 3) + len(left_out))
    return Picture(
        title="What changed" if service is None else f"What changed: {shorten(name(service), NAME_CELLS)}",
        subtitle=(_side("before", document["before"]), _side("after", document["after"])),
        verdict=said,
        nodes=nodes,
        edges=edges,
        legend=entries,
        left_out=left_out,
        message=() if nodes else tuple(wrap(verdict(document), MESSAGE_CELLS, most=3)),
        direction=direction(nodes, edges, frame),
        palette=colours,
    )


def _side(which: str, side: DiffSide) -> str:
    version = [f"version {shorten(name(side['version']), NAME_CELLS)}"] if "version" in side else []
    when = window(side["window"]["from"], side["window"]["to"])
    return f"{which}: {' · '.join([*version, sources(side, _SOURCE_CELLS), when, counts_read(side['counts'])])}"


def _node(node: DiffNode, number: str) -> PictureNode:
    before, after = node["before"], node["after"]
    change: Change = "added" if before is None else "removed" if after is None else "same"
    there = [side for side in (before, after) if side is not None]
    entered = counted_on([side["entry_calls"] for side in there], "request")
    received = counted_on([side["calls"] for side in there], "call")
    rates = dict.fromkeys(share(rate) for side in there if (rate := side["error_rate"]) is not None)
    lines: list[str] = [] if change == "same" else [change]
    if any(side["calls"] for side in there):
        lines.append(" · ".join([received, *([f"{' → '.join(rates)} err"] if rates else [])]))
    asked = any(side["entry_calls"] for side in there)
    return PictureNode(
        id=number,
        name=shorten(name(node["name"]), NAME_CELLS),
        full_name=name(node["name"]),
        kind=node["kind"],
        lines=tuple(lines),
        health="healthy",
        unseen=not asked and not any(side["calls"] for side in there) and not _reports(there),
        entry=entered if asked else None,
        users=users_of(there[-1]),
        marks=(),
        tooltip="\n".join([name(node["name"]), node["kind"], *lines]),
        link=None,
        change=change,
    )


def _reports(there: Sequence[Node]) -> bool:
    """Whether a node has spans of its own."""
    return any(side["self_ms"] is not None or side["versions"] for side in there)


def _edges(document: DiffDocument, ids: dict[str, str]) -> tuple[PictureEdge, ...]:
    few = len(document["edges"]) <= EDGES_WITH_WORDS
    most = [max(side["calls"] for side in (edge["before"], edge["after"]) if side) for edge in document["edges"]]
    busiest = max(most, default=0)
    drawn = []
    for index, (edge, number) in enumerate(zip(document["edges"], most, strict=True), 1):
        same = edge["change"] == "same"
        width = line_width(number, busiest)
        drawn.append(
            PictureEdge(
                id=f"E{index}",
                tail=ids[edge["caller"]],
                head=ids[edge["callee"]],
                lines=() if same and not few else tuple(_lines(edge)),
                # What changed keeps its words where there is no room for all.
                health="healthy" if same else "failing",
                style=_STYLES[edge["change"]],
                asynchronous=edge["kind"] == "async",
                width=min(width, _SAME) if same else max(width, _CHANGED),
                marks=(),
                tooltip=_tooltip(edge),
                link=None,
                change=edge["change"],
            )
        )
    return tuple(drawn)


def _lines(edge: DiffEdge) -> list[str]:
    """`worse`, `0 % → 12 % err`, `p50 ×1.9 · p95 ×2.1`, `66 → 70 calls`; the calls alone of what is the same."""
    if edge["change"] == "same":
        return [calls(edge)]
    lines = [edge["change"] if edge["significant"] else f"{edge['change']}, may be chance"]
    if edge["error_rate_delta"] != 0.0:
        lines.append(errors(edge))
    ratios = {"p50": ratio(edge["p50_ratio"]), "p95": ratio(edge["p95_ratio"])}
    moved = [f"{which} {said}" for which in times_that_moved(edge) if (said := ratios[which]) is not None]
    own = None if moved or (edge["before"] and edge["after"]) else time(edge, "p95")
    return [line for line in (*lines, " · ".join(moved), own, calls(edge)) if line]


def _tooltip(edge: DiffEdge) -> str:
    """The change, then every number of both sides."""
    lines = [f"{edge['change']}: {calls(edge)}, {errors(edge)}"]
    lines += [said for said in (time(edge, "p50"), time(edge, "p95")) if said is not None]
    if edge["p_value"] is not None:
        lines.append(f"chance of that where nothing changed: {edge['p_value']:.2g}, corrected for all tests")
    for which, side in (("before", edge["before"]), ("after", edge["after"])):
        lines.append(f"{which}: none" if side is None else f"{which}: {edge_tooltip(side, (), unseen=False)}")
    return "\n".join(shorten(line, TOOLTIP_CELLS) for text in lines for line in text.split("\n"))


def _legend(document: DiffDocument, nodes: Sequence[PictureNode], colours: Palette) -> tuple[LegendEntry, ...]:
    found = {edge["change"] for edge in document["edges"]}
    meant: tuple[tuple[Change, str, str], ...] = (
        ("worse", "─┼►", "worse: slower, or more errors"),
        ("better", "· · ►", "better: faster, or fewer errors"),
        ("added", "══►", "added: no call before"),
        ("removed", "- - ►", "removed: no call after"),
        ("same", "──►", "the same, within chance"),
    )
    entries = [LegendEntry(sample, colours.changed_text[kind], said) for kind, sample, said in meant if kind in found]
    if any(edge["kind"] == "async" for edge in document["edges"]):
        entries.append(LegendEntry("──>", colours.ink, "asynchronous, through a queue"))
    if found & {"worse", "better"}:
        entries.append(LegendEntry("", colours.ink, "p50, p95: time of a call, after over before"))
    return (*entries, *shapes(nodes, colours))


def _left_out(document: DiffDocument, edges: Sequence[PictureEdge]) -> tuple[str, ...]:
    silent = sum(not edge.lines for edge in edges)
    lines = [f"{counted(silent, 'edge')} that are the same drawn without numbers"] if silent else []
    lines += [note_line(note) for note in document["notes"]]
    if len(lines) > LEFT_OUT_LINES:
        hidden = len(lines) - LEFT_OUT_LINES + 1
        lines[LEFT_OUT_LINES - 1 :] = [f"… and {counted(hidden, 'more note')}: traceviz diff -o json has them all"]
    return tuple(shorten(line, LEFT_OUT_CELLS) for line in lines)
