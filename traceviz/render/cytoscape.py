"""The graph as Cytoscape.js JSON: for cytoscape.js itself, for Cytoscape on the desktop, and for networkx.

`data` of an element is what `-o json` has of the node or edge, beside the `id`, `source` and `target` that Cytoscape
needs. `data` of the whole is the rest of the document. networkx reads it with `networkx.cytoscape_graph`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.render.export import to_json
from traceviz.render.ids import edge_id, node_id
from traceviz.render.labels import DEFAULT, lines
from traceviz.render.marks import Mark
from traceviz.render.palette import Health
from traceviz.render.picture import Picture, picture

_SHAPES = {
    "service": "round-rectangle",
    "gateway": "tag",
    "database": "barrel",
    "queue": "concave-hexagon",
    "external": "cut-rectangle",
    "unknown": "rectangle",
}


class Element(TypedDict):
    """A node or an edge; `classes`, between spaces, are what `style` asks for, and a style of one's own can."""

    data: dict[str, object]
    classes: str


class Elements(TypedDict):
    """All nodes and edges, sorted as in `-o json`."""

    nodes: list[Element]
    edges: list[Element]


class Styled(TypedDict):
    """How what a selector chooses is drawn."""

    selector: str
    style: Mapping[str, object]


class Cytoscape(TypedDict):
    """What `cytoscape({container, ...})` takes as it is."""

    data: dict[str, object]
    directed: bool
    multigraph: bool
    elements: Elements
    style: list[Styled]
    layout: dict[str, object]


def document(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    theme: str = "light",
) -> Cytoscape:
    """The graph, with the failing hops of `errors` on their edges and nodes, and drawn as every picture draws it.

    `failing_hops` of an element are ranks; `label` is what stands on it. Raises UsageError for a column of `label` or a
    theme that does not exist.
    """
    drawn = picture(graph, errors, label, theme=theme)
    nodes: list[Element] = []
    for node, shown in zip(graph["nodes"], drawn.nodes, strict=True):
        nodes.append(
            {
                # networkx knows a node by its `value`.
                "data": {
                    "id": node_id(node["name"]),
                    "value": node_id(node["name"]),
                    "label": "\n".join([shown.name, *shown.lines]),
                    **node,
                    "failing_hops": _ranks(shown.marks),
                },
                "classes": _classes(node["kind"], shown.health, {"unseen": shown.unseen, "failing-hop": shown.marks}),
            }
        )
    edges: list[Element] = []
    for edge, line in zip(graph["edges"], drawn.edges, strict=True):
        edges.append(
            {
                # networkx tells edges between the same nodes apart by their `key`.
                "data": {
                    "id": edge_id(edge),
                    "source": node_id(edge["caller"]),
                    "target": node_id(edge["callee"]),
                    "key": edge["kind"],
                    "label": "\n".join([*(mark.title for mark in line.marks), *lines(edge, label)]),
                    "width": line.width,
                    **edge,
                    "failing_hops": _ranks(line.marks),
                },
                "classes": _classes(edge["kind"], line.health, {line.style: True, "failing-hop": line.marks}),
            }
        )
    return {
        "data": {key: value for key, value in graph.items() if key not in ("nodes", "edges")},
        "directed": True,
        "multigraph": True,
        "elements": {"nodes": nodes, "edges": edges},
        "style": _style(drawn),
        "layout": {"name": "breadthfirst", "directed": True, "spacingFactor": 1.5},
    }


def cytoscape(
    graph: GraphDocument,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    theme: str = "light",
) -> str:
    """`document` as JSON."""
    return to_json(document(graph, errors, label, theme))


def _ranks(marks: Sequence[Mark]) -> list[int]:
    return [mark.rank for mark in marks if mark.rank is not None]


def _classes(kind: str, health: Health, further: dict[str, object]) -> str:
    return " ".join([kind, health, *(name for name, holds in further.items() if holds)])


def _style(drawn: Picture) -> list[Styled]:
    """Colours, shapes and dashes of the picture; later ones go before earlier ones."""
    colours = drawn.palette
    failing = colours.line["failing"]
    box = {"label": "data(label)", "text-wrap": "wrap", "text-valign": "center", "width": 170, "height": 62}
    words = {"font-size": 11, "color": colours.ink}
    line = {"label": "data(label)", "text-wrap": "wrap", "width": "data(width)", "curve-style": "bezier"}
    ground = {"text-background-color": colours.background, "text-background-opacity": 1}
    styled: list[Styled] = [
        {"selector": "node", "style": {**box, **words, "background-color": colours.node, "border-width": 1.5}},
        {"selector": "edge", "style": {**line, **words, **ground, "target-arrow-shape": "triangle"}},
    ]
    styled += [{"selector": f"node.{kind}", "style": {"shape": shape}} for kind, shape in _SHAPES.items()]
    for health, colour in colours.line.items():
        styled.append({"selector": f"node.{health}", "style": {"border-color": colour}})
        text = {"color": colours.text[health], "line-color": colour, "target-arrow-color": colour}
        styled.append({"selector": f"edge.{health}", "style": text})
    unseen = {"border-style": "dashed", "border-color": colours.faint, "background-color": colours.unseen}
    broken = {"line-color": failing, "target-arrow-color": failing, "font-weight": "bold"}
    return [
        *styled,
        {"selector": "edge.dashed", "style": {"line-style": "dashed"}},
        {"selector": "edge.dotted", "style": {"line-style": "dotted"}},
        {"selector": "node.unseen", "style": unseen},
        {"selector": "node.failing-hop", "style": {"border-width": 4, "border-color": failing}},
        {"selector": "edge.failing-hop", "style": broken},
    ]
