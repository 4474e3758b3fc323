"""What a picture of one trace shows, decided once for every drawing: a node a call, the way to it, what was folded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from traceviz.documents import TreeDocument
from traceviz.render.direction import Direction, direction
from traceviz.render.legend import LegendEntry
from traceviz.render.palette import Palette, palette
from traceviz.render.picture import LEFT_OUT_CELLS, TITLE_CELLS, wrap
from traceviz.render.telling_apart import Names
from traceviz.render.tree_folding import Entry, Fold, all_but_alike, at_most, outline
from traceviz.render.tree_rows import TreeRow, attempts, rows_of, telling
from traceviz.render.tree_tooltips import fold_tooltip, row_tooltip
from traceviz.render.tree_words import fold_facts, head_words, left_out_words
from traceviz.render.words import count, counted, millis, name, shorten, web_address

NAME_CELLS = 32
OPERATION_CELLS = 36
#: Nodes beyond this cannot be read, and their layout takes long.
MOST_NODES = 100
#: Of more siblings that are alike than this only some are drawn.
ALIKE = 6
NOTES = 4

Style = Literal["solid", "dashed", "dotted"]
Shape = Literal["call", "database", "queue", "start", "fold"]


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A call, a span, calls that are folded, or who made the first call. `signs` are status and flags, `marks` what
    broke here."""

    id: str
    name: str
    shape: Shape
    lines: tuple[str, ...]
    signs: str
    error: bool
    critical: bool
    unseen: bool
    entry: str | None
    marks: tuple[str, ...]
    tooltip: str
    link: str | None


@dataclass(frozen=True, slots=True)
class TreeEdge:
    """The way from a call, or who made the first one, to a call that it made."""

    id: str
    tail: str
    head: str
    lines: tuple[str, ...]
    style: Style
    error: bool
    critical: bool
    marks: tuple[str, ...]
    tooltip: str


@dataclass(frozen=True, slots=True)
class TreePicture:
    """Everything a dialect needs. `message` says why there is nothing to draw, else it is empty."""

    title: str
    subtitle: tuple[str, ...]
    verdict: tuple[str, ...]
    failed: bool
    nodes: tuple[TreeNode, ...]
    edges: tuple[TreeEdge, ...]
    legend: tuple[LegendEntry, ...]
    left_out: tuple[str, ...]
    message: tuple[str, ...]
    link: str | None
    direction: Direction
    palette: Palette


def tree_picture(document: TreeDocument, spans: bool = False, theme: str = "light") -> TreePicture:
    """Decide the picture of a trace: a node a call, with `spans` a node a span.

    Siblings that are alike, and beyond 100 nodes whatever neither broke nor is on the critical path, are folded into
    nodes that count them. Raises UsageError for an unknown theme.
    """
    colours = palette(theme)
    rows = rows_of(document, spans)
    entries = outline(rows, at_most(rows, all_but_alike(rows, ALIKE), MOST_NODES))
    page = document["link"] and web_address(document["link"])
    nodes, edges = _drawn(rows, entries, page)
    words = head_words(document)
    verdict = tuple(wrap(words.verdict, TITLE_CELLS, most=3))
    legend = _legend(nodes, edges, colours)
    left_out = _left_out(document, entries)
    return TreePicture(
        title=f"Trace {shorten(name(document['trace_id']), 40)}",
        subtitle=(words.when, words.facts),
        verdict=verdict,
        failed=words.failed,
        nodes=nodes,
        edges=edges,
        legend=legend,
        left_out=left_out,
        message=() if rows else ("The trace has no spans.",),
        link=page,
        direction=direction(nodes, edges, 75.0 + 20 * len(verdict) + 16 * (math.ceil(len(legend) / 3) + len(left_out))),
        palette=colours,
    )


def _drawn(
    rows: Sequence[TreeRow], entries: Sequence[Entry], page: str | None
) -> tuple[tuple[TreeNode, ...], tuple[TreeEdge, ...]]:
    """Nodes and edges of the entries; whoever made calls without being called is a node as well, once."""
    nodes: list[TreeNode] = []
    edges: list[TreeEdge] = []
    apart = Names(each for row in rows for each in (row.name, row.caller) if each is not None)
    starts: dict[str, str] = {}
    folds: dict[int | None, list[Fold]] = {}
    for number, entry in enumerate(entries, 1):
        if entry.fold is not None:
            folds.setdefault(entry.parent, []).append(entry.fold)
        elif entry.place is not None:
            row = rows[entry.place]
            tail = None if entry.parent is None else f"N{entry.parent + 1}"
            if tail is None and row.caller is not None:
                if row.caller not in starts:
                    starts[row.caller] = f"S{len(starts) + 1}"
                    nodes.append(_start(starts[row.caller], row, apart))
                tail = starts[row.caller]
            nodes.append(_node(f"N{number}", row, apart, page))
            if tail is not None:
                edges.append(_edge(f"E{number}", tail, f"N{number}", row, entry.between, apart))
    for number, (parent, folded) in enumerate(folds.items(), 1):
        nodes.append(_fold_node(f"F{number}", folded))
        if parent is not None:
            edges.append(_fold_edge(f"G{number}", f"N{parent + 1}", f"F{number}", folded))
    return tuple(nodes), tuple(edges)


def _start(identifier: str, row: TreeRow, apart: Names) -> TreeNode:
    by = row.caller or ""
    who = name(by)
    tooltip = f"{shorten(who, 300)}\nmade the first call that is known"
    return TreeNode(
        *(identifier, apart.cut(by, NAME_CELLS), "start", (), "", False, row.critical, False, None, (), tooltip, None)
    )


def _node(identifier: str, row: TreeRow, apart: Names, page: str | None) -> TreeNode:
    lines = [shorten(operation, OPERATION_CELLS)] if (operation := telling(row)) else []
    own = "" if row.self_ms is None else f" · self {millis(row.self_ms)}"
    lines.append(" · ".join(part for part in (row.role or "", millis(row.duration_ms) + own) if part))
    lines += [again] if (again := attempts(row)) else []
    shape: Shape = "call"
    if row.unseen and row.protocol in ("db", "messaging"):
        shape = "database" if row.protocol == "db" else "queue"
    return TreeNode(
        id=identifier,
        name=apart.cut(row.name, NAME_CELLS),
        shape=shape,
        lines=tuple(lines),
        signs=" ".join(row.signs),
        error=row.error,
        critical=row.critical,
        unseen=row.unseen,
        entry=None,
        marks=(f"× {row.broken}",) if row.failing else (),
        tooltip=row_tooltip(row),
        link=None if page is None else f"{page}?uiFind={quote(name(row.span_id), safe='')}" if row.span_id else page,
    )


def _edge(identifier: str, tail: str, head: str, row: TreeRow, between: int, apart: Names) -> TreeEdge:
    lines = [f"+{millis(row.start_ms)}" if row.start_ms >= 0 else millis(row.start_ms)]
    lines += [f"gap {millis(row.gap_ms)}"] if row.gap_ms is not None else []
    if row.caller is not None and row.parent is not None:
        lines.append(f"by {apart.cut(row.caller, NAME_CELLS)}")
    lines += [f"{counted(between, 'call')} between"] if between else []
    return TreeEdge(
        id=identifier,
        tail=tail,
        head=head,
        lines=tuple(lines),
        style="dotted" if row.asynchronous or between else "dashed" if row.unseen else "solid",
        error=row.error,
        critical=row.critical,
        marks=(f"× {row.broken}",) if row.failing else (),
        tooltip=row_tooltip(row),
    )


#: So many names of folded calls are written, the commonest first.
NAMES_IN_A_FOLD = 3


def _fold_node(identifier: str, folded: Sequence[Fold]) -> TreeNode:
    """One node for all that is folded below a call."""
    ranked = sorted(folded, key=lambda fold: (-fold.siblings, fold.name))
    lines = [", ".join([f"{count(one.siblings)} × {shorten(name(one.name), 24)}", *fold_facts(one)]) for one in ranked]
    if len(lines) > NAMES_IN_A_FOLD:
        rest = ranked[NAMES_IN_A_FOLD:]
        lines[NAMES_IN_A_FOLD:] = [
            f"{count(sum(one.siblings for one in rest))} × {counted(len(rest), 'other service')}"
        ]
    return TreeNode(
        id=identifier,
        name=f"+ {counted(sum(one.siblings + one.below for one in folded), 'more call')}",
        shape="fold",
        lines=tuple(lines),
        signs="",
        error=any(one.failed for one in folded),
        critical=any(one.critical for one in folded),
        unseen=False,
        entry=None,
        marks=tuple(f"× {count(one.failing)} of {shorten(name(one.name), 24)} broke" for one in ranked if one.failing),
        tooltip=fold_tooltip(ranked),
        link=None,
    )


def _fold_edge(identifier: str, tail: str, head: str, folded: Sequence[Fold]) -> TreeEdge:
    return TreeEdge(
        id=identifier,
        tail=tail,
        head=head,
        lines=(),
        style="dotted",
        error=any(one.failed for one in folded),
        critical=any(one.critical for one in folded),
        marks=(),
        tooltip=fold_tooltip(folded),
    )


def _legend(nodes: Sequence[TreeNode], edges: Sequence[TreeEdge], colours: Palette) -> tuple[LegendEntry, ...]:
    failing = colours.text["failing"]
    entries = (
        (
            any(edge.critical for edge in edges),
            "──►",
            colours.ink,
            "thick line: critical path, what the request waited for",
        ),
        (any(node.marks for node in nodes), "■", failing, "thick border: an error started here"),
        (any(edge.error for edge in edges), "─┼►", failing, "failed"),
        (any(edge.style == "dashed" for edge in edges), "- - ►", colours.ink, "callee never reached, or not seen"),
        (any(edge.style == "dotted" for edge in edges), "· · >", colours.ink, "asynchronous, or calls left out"),
        (any(node.shape == "database" for node in nodes), "", colours.ink, "cylinder: database"),
        (any(node.shape == "queue" for node in nodes), "", colours.ink, "box with two tabs: queue"),
        (any(edge.lines for edge in edges), "", colours.ink, "+ 5 ms: start of the call in the trace"),
        (any("gap" in line for edge in edges for line in edge.lines), "", colours.ink, "gap: network, proxies, queues"),
        (
            any("self" in line for node in nodes for line in node.lines),
            "",
            colours.ink,
            "self: no call covers this time",
        ),
    )
    return tuple(LegendEntry(sample, colour, text) for occurs, sample, colour, text in entries if occurs)


def _left_out(document: TreeDocument, entries: Sequence[Entry]) -> tuple[str, ...]:
    notes = [f"{name(note['code'])} ({count(note['count'])}): {name(note['text'])}" for note in document["notes"]]
    if len(notes) > NOTES:
        notes[NOTES - 1 :] = [f"… and {counted(len(notes) - NOTES + 1, 'more note')}: -o json has them all"]
    lines = [*left_out_words(entries, "-o json"), *notes]
    return tuple(shorten(line, LEFT_OUT_CELLS) for line in lines)
