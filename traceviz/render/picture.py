"""What to draw and what was left out, decided once for every drawing: nodes, edges, colours, words, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import quote

from traceviz.documents import Change, Edge, ErrorsDocument, GraphDocument, Node, NodeKind
from traceviz.notes import NoteDocument
from traceviz.render import labels
from traceviz.render.direction import Direction, direction
from traceviz.render.labels import DEFAULT
from traceviz.render.legend import LegendEntry, legend
from traceviz.render.marks import Mark, Marks, marks
from traceviz.render.palette import ColourBy, Health, Palette, health, heat, palette
from traceviz.render.tooltips import edge_tooltip, node_tooltip
from traceviz.render.words import (
    counted,
    millis,
    name,
    never_seen,
    nothing_found,
    share,
    shorten,
    sources,
    tally,
    web_address,
    window,
)

NAME_CELLS = 32
TITLE_CELLS = 100
MESSAGE_CELLS = 60
LEFT_OUT_CELLS = 110
LEFT_OUT_LINES = 6
#: With more edges than this only those with errors carry words; every edge keeps its tooltip.
EDGES_WITH_WORDS = 120
#: Widths of lines in points: the busiest edge, and the least any edge gets.
WIDEST = 5.0
THINNEST = 1.0

Style = Literal["solid", "dashed", "dotted"]
_KIND_WORDS: dict[NodeKind, str] = {
    "service": "not seen itself",
    "gateway": "not seen itself",
    "database": "database",
    "queue": "queue",
    "external": "external",
    "unknown": "not seen itself",
}


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A node: `id` is `N1`…, `name` what is shown, `full_name` what the document says, cleaned.

    `entry` says how many requests enter the mesh here, `users` who sent them; `unseen` is a callee that has no spans of
    its own; nodes with one `frame`, a namespace, stand in a frame of that name. `change` is there where two sides are
    compared, and is drawn instead of `health`.
    """

    id: str
    name: str
    full_name: str
    kind: NodeKind
    lines: tuple[str, ...]
    health: Health
    unseen: bool
    entry: str | None
    users: str
    marks: tuple[Mark, ...]
    tooltip: str
    link: str | None
    frame: str | None = None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """An edge between the nodes with the ids `tail` and `head`; `width` is in points and grows with calls. `joined`
    says that some of its calls began a trace of their own and were put into their place; `change` is as in nodes."""

    id: str
    tail: str
    head: str
    lines: tuple[str, ...]
    health: Health
    style: Style
    asynchronous: bool
    width: float
    marks: tuple[Mark, ...]
    tooltip: str
    link: str | None
    joined: bool = False
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything a dialect needs. `message` says why there is nothing to draw, else it is empty."""

    title: str
    subtitle: tuple[str, ...]
    verdict: tuple[str, ...]
    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]
    legend: tuple[LegendEntry, ...]
    left_out: tuple[str, ...]
    message: tuple[str, ...]
    direction: Direction
    palette: Palette
    colour_by: ColourBy = "errors"


def picture(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    ui_url: str | None = None,
    theme: str = "light",
    colour_by: ColourBy = "errors",
) -> Picture:
    """Decide the picture of a graph, with the failing hops of `errors` marked in it.

    With `colour_by` critical, for which the graph has to have the shares, colours and widths are shares of the time
    that users waited, and no failing hop is marked. `label` are columns of `labels.COLUMNS`; `ui_url` is the address of
    Jaeger's page, for links to example traces.
    Raises UsageError for an unknown label or theme, and for an address that is not http or https.
    """
    labels.check(label)
    colours = palette(theme)
    page = None if ui_url is None else web_address(ui_url)
    critical = colour_by == "critical"
    placed = Marks() if critical else marks(graph, errors)
    if critical and "critical_share" not in label:
        label = (*label, "critical_share")
    ids = {node["name"]: f"N{index}" for index, node in enumerate(graph["nodes"], 1)}
    nodes = _nodes(graph, placed, page, colour_by)
    edges = _edges(graph, placed, page, ids, label, colour_by)
    parts = Parts(nodes, edges, [edge["calls"] for edge in graph["edges"]], placed.outside, times_shown(label))
    what = "What users waited for" if critical else "Who calls whom"
    return framed(title_of(graph, what), graph, None if critical else errors, parts, colours, colour_by)


class Parts(NamedTuple):
    """What is drawn, and what its frame has to say: the calls that widths stand for, the failing hops without a place,
    whether times stand on the edges."""

    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]
    calls: Sequence[int]
    outside: Sequence[str]
    times: bool


def framed(
    title: str,
    graph: GraphDocument,
    errors: ErrorsDocument | None,
    parts: Parts,
    colours: Palette,
    colour_by: ColourBy = "errors",
) -> Picture:
    """The picture with all that stands around nodes and edges."""
    nodes, edges = parts.nodes, parts.edges
    verdict = _verdict(graph, errors)
    entries = legend(nodes, edges, colours, parts.times, parts.calls, colour_by)
    left_out = _left_out(graph, parts.outside, edges)
    frame = 75.0 + 20 * len(verdict) + 16 * (math.ceil(len(entries) / 3) + len(left_out))
    return Picture(
        title=title,
        subtitle=_subtitle(graph),
        verdict=verdict,
        nodes=nodes,
        edges=edges,
        legend=entries,
        left_out=left_out,
        message=() if nodes else _message(graph),
        direction=direction(nodes, edges, frame),
        palette=colours,
        colour_by=colour_by,
    )


def _nodes(graph: GraphDocument, placed: Marks, page: str | None, colour_by: ColourBy) -> tuple[PictureNode, ...]:
    near: dict[str, list[Edge]] = {}
    for edge in graph["edges"]:
        near.setdefault(edge["callee"], []).append(edge)
    for edge in graph["edges"]:
        near.setdefault(edge["caller"], []).append(edge)
    drawn = []
    for index, node in enumerate(graph["nodes"], 1):
        own_marks = placed.nodes.get(node["name"], [])
        drawn.append(
            PictureNode(
                id=f"N{index}",
                name=shorten(name(node["name"]), NAME_CELLS),
                full_name=name(node["name"]),
                kind=node["kind"],
                lines=_node_lines(node, _calls_others(node, near), colour_by),
                health=heat(node.get("critical_share")) if colour_by == "critical" else health(node["error_rate"]),
                unseen=not node["calls"] and not node["entry_calls"] and not _calls_others(node, near),
                entry=counted(node["entry_calls"], "request") if node["entry_calls"] else None,
                users=users_of(node),
                marks=tuple(own_marks),
                tooltip=node_tooltip(node, own_marks),
                link=example_link(page, own_marks, near.get(node["name"], [])),
                frame=_frame(node) if graph.get("group_by") == "namespace" else None,
            )
        )
    return tuple(drawn)


def _frame(node: Node) -> str | None:
    namespace = node.get("group")
    return None if namespace is None else shorten(name(namespace), NAME_CELLS)


def users_of(node: Node) -> str:
    """Who sent the requests from outside, as far as their User-Agents tell, the commonest first."""
    known = node["entered_by"]
    if len(known) == 1 and sum(known.values()) == node["entry_calls"]:
        return f"from {name(next(iter(known)))}"
    return f"from {shorten(name(tally(known)), NAME_CELLS)}" if known else "from outside"


def _calls_others(node: Node, near: dict[str, list[Edge]]) -> bool:
    return any(edge["caller"] == node["name"] for edge in near.get(node["name"], []))


def _node_lines(node: Node, calls_others: bool, colour_by: ColourBy) -> tuple[str, ...]:
    lines = []
    if len(node["versions"]) > 1:
        lines.append(shorten(", ".join(name(version) for version in node["versions"]), NAME_CELLS))
    if node["calls"]:
        error_share = "" if node["error_rate"] is None else f" · {share(node['error_rate'])} err"
        lines.append(counted(node["calls"], "call") + error_share)
    elif not node["entry_calls"]:
        reports = calls_others and node["kind"] in ("service", "gateway")
        lines.append("no calls to it seen" if reports else _KIND_WORDS[node["kind"]])
    if node["self_ms"] is not None:
        lines.append(f"self p50 {millis(node['self_ms']['p50'])}")
    waited = node.get("critical_share")
    if colour_by == "critical" and waited:
        lines.append(f"{share(waited)} of waiting")
    return tuple(lines)


def _edges(
    graph: GraphDocument,
    placed: Marks,
    page: str | None,
    ids: dict[str, str],
    label: Sequence[str],
    colour_by: ColourBy,
) -> tuple[PictureEdge, ...]:
    nodes = {node["name"]: node for node in graph["nodes"]}
    busiest = max((edge["calls"] for edge in graph["edges"]), default=0)
    few = len(graph["edges"]) <= EDGES_WITH_WORDS
    drawn = []
    for index, edge in enumerate(graph["edges"], 1):
        own_marks = placed.edges.get((edge["caller"], edge["callee"]), [])
        asynchronous = edge["kind"] == "async"
        unseen = never_seen(edge, nodes.get(edge["callee"]))
        waited = edge.get("critical_share") or 0.0
        critical = colour_by == "critical"
        drawn.append(
            PictureEdge(
                id=f"E{index}",
                tail=ids[edge["caller"]],
                head=ids[edge["callee"]],
                lines=tuple(labels.lines(edge, label)) if few or edge["errors"] or own_marks else (),
                health=heat(waited) if critical else health(edge["error_rate"]),
                style="dotted" if asynchronous else "dashed" if unseen else "solid",
                asynchronous=asynchronous,
                width=line_width(round(waited * 1000), 1000) if critical else line_width(edge["calls"], busiest),
                marks=tuple(own_marks),
                tooltip=edge_tooltip(edge, own_marks, unseen),
                link=example_link(page, own_marks, [edge]),
                joined=bool(edge.get("joined")),
            )
        )
    return tuple(drawn)


def line_width(calls: int, busiest: int) -> float:
    """How wide the line of so many calls is, in points."""
    return round(max(THINNEST, WIDEST * math.sqrt(calls / busiest)) if busiest else THINNEST, 2)


def example_link(page: str | None, own_marks: Sequence[Mark], edges: Sequence[Edge]) -> str | None:
    """The page of one example trace: a failing hop's, else one with an error, else the slowest."""
    if page is None:
        return None
    candidates = [mark.example for mark in own_marks if mark.example]
    candidates += [trace for edge in edges for trace in edge["examples"]["error"]]
    candidates += [trace for edge in edges for trace in edge["examples"]["slowest"]]
    return f"{page}/trace/{quote(name(candidates[0]), safe='')}" if candidates else None


def title_of(graph: GraphDocument, what: str) -> str:
    """What is drawn, and the service that was asked for."""
    service = graph["asked"]["service"]
    return f"{what}: {shorten(name(service), 60)}" if service else what


def _subtitle(graph: GraphDocument) -> tuple[str, ...]:
    counts = graph["counts"]
    read = [counted(counts["traces"], "trace"), counted(counts["spans"], "span")]
    if counts["traces"]:
        read.append(f"{counted(counts['failed_traces'], 'failed trace')} ({_of(counts['failed_traces'], graph)})")
    if counts["fragments"]:
        read.append(counted(counts["fragments"], "fragment"))
    begin = graph["window"]["from"] or graph["asked"]["from"]
    end = graph["window"]["to"] or graph["asked"]["to"]
    where = [part for part in (sources(graph), window(begin, end)) if part]
    return (" · ".join(where), " · ".join(read))


def _of(number: int, graph: GraphDocument) -> str:
    return share(number / graph["counts"]["traces"])


def _verdict(graph: GraphDocument, errors: ErrorsDocument | None) -> tuple[str, ...]:
    """What the ranking says, in a line or two: its first sentence, or that nothing failed."""
    if errors is None or not graph["nodes"]:
        return ()
    if not errors["failing_hops"]:
        return ("No failing hop was found.",)
    first = errors["failing_hops"][0]
    return tuple(wrap(f"× {first['rank']}  {name(first['text'])}", TITLE_CELLS, most=3))


def wrap(text: str, cells: int, most: int) -> list[str]:
    """The text in lines of at most `cells` columns, broken at spaces, at most `most` of them; a long word is cut."""
    lines: list[str] = []
    for word in text.split():
        word = shorten(word, cells)
        if lines and len(lines[-1]) + 1 + len(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines[most - 1 :] = [shorten(lines[most - 1], cells - 2) + " …"]
    return lines


def _message(graph: GraphDocument) -> tuple[str, ...]:
    return tuple(line for sentence in nothing_found(graph) for line in wrap(sentence, MESSAGE_CELLS, most=3))


def times_shown(label: Sequence[str]) -> bool:
    """Whether times stand on the edges."""
    return any(labels.COLUMNS[column].line == 1 for column in label)


def _left_out(graph: GraphDocument, outside: Sequence[str], edges: Sequence[PictureEdge]) -> tuple[str, ...]:
    """One line each for what the picture does not show, then the notes of the document."""
    lines = list(outside)
    silent = sum(not edge.lines for edge in edges)
    if silent:
        lines.append(f"{counted(silent, 'edge')} without errors drawn without numbers: point at an edge to read them")
    if graph["cycles"]:
        ways = [" → ".join(shorten(name(node), 24) for node in [*cycle, *cycle[:1]]) for cycle in graph["cycles"]]
        lines.append(f"{counted(len(ways), 'cycle')} of calls: {ways[0]}" + (" …" if len(ways) > 1 else ""))
    lines += [note_line(note) for note in graph["notes"]]
    if len(lines) > LEFT_OUT_LINES:
        hidden = len(lines) - LEFT_OUT_LINES + 1
        lines[LEFT_OUT_LINES - 1 :] = [f"… and {counted(hidden, 'more note')}: traceviz graph -o json has them all"]
    return tuple(shorten(line, LEFT_OUT_CELLS) for line in lines)


def note_line(note: NoteDocument) -> str:
    """A note as it stands under a picture."""
    return f"{name(note['code'])} ({note['count']:,}): {name(note['text'])}"
