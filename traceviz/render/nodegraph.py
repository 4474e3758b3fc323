"""The graph for Grafana's node graph panel, through the data source Node Graph API (hamedkarbasi93-nodegraphapi).

That asks `/api/graph/fields` for the columns and `/api/graph/data` for the rows; `fields` and `data` are those two
answers, and `-o nodegraph` has both in one document. It knows texts and numbers and no units: what stands in a node or
on an edge is text with its unit in it, and a number says its unit in its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from traceviz.documents import Distribution, Edge, ErrorsDocument, GraphDocument, Node
from traceviz.render.export import to_json
from traceviz.render.ids import edge_id, node_id
from traceviz.render.labels import DEFAULT, lines
from traceviz.render.marks import Mark
from traceviz.render.picture import Picture, PictureEdge, PictureNode, picture
from traceviz.render.words import counted, name, share, tally

Value = str | int | float | None
Row = dict[str, Value]


class _Described(TypedDict):
    field_name: str
    type: Literal["string", "number"]


class Field(_Described, total=False):
    """What the data source is told of a column; `color` is for the arcs of the circle around a node."""

    displayName: str
    color: str


class Fields(TypedDict):
    """The answer to `/api/graph/fields`."""

    nodes_fields: list[Field]
    edges_fields: list[Field]


class Data(TypedDict):
    """The answer to `/api/graph/data`: rows with a value, perhaps null, for every field."""

    nodes: list[Row]
    edges: list[Row]


#: Of a distribution, in ms.
_TIMES = ("mean", "p50", "p95", "p99", "max")
_DASHES = {"solid": None, "dashed": "7 5", "dotted": "2 5"}


def fields() -> Fields:
    """The columns of `data`, the same for every graph."""
    return {
        "nodes_fields": [
            *_texts("id", "title", "subTitle", "mainStat", "secondaryStat"),
            {"field_name": "arc__errors", "type": "number", "displayName": "failed", "color": "red"},
            {"field_name": "arc__ok", "type": "number", "displayName": "without an error", "color": "green"},
            {"field_name": "arc__unknown", "type": "number", "displayName": "not seen itself", "color": "gray"},
            _detail("kind", "string", "Kind"),
            _detail("calls", "number", "Calls received"),
            _detail("errors", "number", "Errors"),
            _detail("error_rate", "number", "Error rate (0 to 1)"),
            _detail("entry_calls", "number", "Requests from outside"),
            *_times_fields("self", "Own time"),
            _detail("versions", "string", "Versions"),
            _detail("aliases", "string", "Reported as"),
            _detail("failing_hop", "string", "Failing hop"),
        ],
        "edges_fields": [
            *_texts("id", "source", "target", "mainStat", "secondaryStat"),
            {"field_name": "thickness", "type": "number"},
            *_texts("color", "strokeDasharray"),
            _detail("kind", "string", "Kind"),
            _detail("protocol", "string", "Protocol"),
            _detail("seen_from", "string", "Seen from"),
            _detail("calls", "number", "Calls"),
            _detail("calls_per_s", "number", "Calls per second"),
            _detail("errors", "number", "Errors"),
            _detail("error_rate", "number", "Error rate (0 to 1)"),
            _detail("attempts", "number", "Attempts"),
            _detail("failed_attempts", "number", "Failed attempts"),
            _detail("unanswered", "number", "Unanswered calls"),
            *_times_fields("client", "Caller's time"),
            *_times_fields("server", "Callee's time"),
            *_times_fields("gap", "Gap"),
            _detail("statuses", "string", "Statuses"),
            _detail("flags", "string", "Flags"),
            _detail("failing_hop", "string", "Failing hop"),
            _detail("trace", "string", "Example trace"),
        ],
    }


def data(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    theme: str = "light",
) -> Data:
    """The rows of a graph, with the failing hops of `errors` in them. `label` are columns of `labels.COLUMNS`, `theme`
    gives the colours of edges. Raises UsageError for one that does not exist.

    Ids stay the same from one window to the next, so that the panel keeps its layout. It shows 1,500 nodes at most,
    and says so itself.
    """
    drawn = picture(graph, errors, label, theme=theme)
    return {
        "nodes": [_node(*pair) for pair in zip(graph["nodes"], drawn.nodes, strict=True)],
        "edges": [_edge(*pair, label, drawn) for pair in zip(graph["edges"], drawn.edges, strict=True)],
    }


def nodegraph(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    theme: str = "light",
) -> str:
    """`fields` and `data` as one JSON document."""
    return to_json({**fields(), **data(graph, errors, label, theme)})


def _texts(*names: str) -> list[Field]:
    return [{"field_name": name, "type": "string"} for name in names]


def _detail(field: str, type: Literal["string", "number"], said: str) -> Field:
    return {"field_name": f"detail__{field}", "type": type, "displayName": said}


def _times_fields(side: str, said: str) -> list[Field]:
    return [_detail(f"{side}_ms_{part}", "number", f"{said} {part} (ms)") for part in _TIMES]


def _times(side: str, times: Distribution | None) -> Row:
    known: Mapping[str, object] = times or {}
    values = {part: known.get(part) for part in _TIMES}
    return {f"detail__{side}_ms_{part}": value for part, value in values.items() if isinstance(value, Value)}


def _node(node: Node, drawn: PictureNode) -> Row:
    rate = node["error_rate"]
    came = [counted(node["calls"], "call")] if node["calls"] else list(drawn.lines[:1])
    return {
        "id": node_id(node["name"]),
        "title": drawn.name,
        "subTitle": ", ".join(mark.title for mark in drawn.marks[:1]) or node["kind"],
        "mainStat": next(iter(came), None),
        "secondaryStat": None if rate is None else f"{share(rate)} err",
        # The arcs of a node add up to 1.
        "arc__errors": rate or 0.0,
        "arc__ok": 0.0 if rate is None else 1.0 - rate,
        "arc__unknown": 1.0 if rate is None else 0.0,
        "detail__kind": node["kind"],
        "detail__calls": node["calls"],
        "detail__errors": node["errors"],
        "detail__error_rate": rate,
        "detail__entry_calls": node["entry_calls"],
        **_times("self", node["self_ms"]),
        "detail__versions": ", ".join(map(name, node["versions"])) or None,
        "detail__aliases": ", ".join(map(name, node["aliases"])) or None,
        "detail__failing_hop": _said(drawn.marks),
    }


def _edge(edge: Edge, drawn: PictureEdge, label: Sequence[str], whole: Picture) -> Row:
    words = lines(edge, label)
    return {
        "id": edge_id(edge),
        "source": node_id(edge["caller"]),
        "target": node_id(edge["callee"]),
        "mainStat": next(iter(words), None),
        "secondaryStat": " · ".join(words[1:]) or None,
        "thickness": drawn.width,
        "color": whole.palette.line["failing" if drawn.marks else drawn.health],
        "strokeDasharray": _DASHES[drawn.style],
        "detail__kind": edge["kind"],
        "detail__protocol": edge["protocol"],
        "detail__seen_from": edge["seen_from"],
        "detail__calls": edge["calls"],
        "detail__calls_per_s": edge["calls_per_s"],
        "detail__errors": edge["errors"],
        "detail__error_rate": edge["error_rate"],
        "detail__attempts": edge["attempts"],
        "detail__failed_attempts": edge["failed_attempts"],
        "detail__unanswered": edge["unanswered"],
        **_times("client", edge["client_ms"]),
        **_times("server", edge["server_ms"]),
        **_times("gap", edge["gap_ms"]),
        "detail__statuses": tally(edge["statuses"], most=len(edge["statuses"])) or None,
        "detail__flags": tally(edge["flags"], most=len(edge["flags"])) or None,
        "detail__failing_hop": _said(drawn.marks),
        "detail__trace": next(iter([*edge["examples"]["error"], *edge["examples"]["slowest"]]), None),
    }


def _said(marks: Sequence[Mark]) -> str | None:
    """What the ranking says of this place, the best rank first."""
    ranked = (f"× {'' if mark.rank is None else f'{mark.rank}  '}{mark.text}" for mark in marks)
    return " ".join(dict.fromkeys(ranked)) or None
