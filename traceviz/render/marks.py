"""Which edges and nodes of a picture carry a failing hop, and what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from traceviz.documents import Edge, ErrorsDocument, FailingHop, GraphDocument
from traceviz.render.words import counted, keys, name, shorten

#: A reason is a code of CONTRACT; whatever else stands there is cut.
REASON_CELLS = 40
#: Reasons that a rule of the mesh made, named after the workload it is for: its program did nothing.
RULES_OF_THE_MESH = ("fault-injected", "circuit-breaker")


@dataclass(frozen=True, slots=True)
class Mark:
    """A failing hop as it stands in the picture: `× 1  fault-injected`, below it `504 FI`.

    `rank` is None where the graph knows that errors started here and nobody ranked them.
    """

    rank: int | None
    title: str
    detail: str
    text: str
    example: str | None

    @property
    def first(self) -> bool:
        """Whether it is drawn heavy: the first of the ranking, or not ranked at all."""
        return self.rank in (1, None)


@dataclass(slots=True)
class Marks:
    """Failing hops by (caller, callee) and by blamed node, best rank first; `outside` are ranks without a place."""

    edges: dict[tuple[str, str], list[Mark]] = field(default_factory=dict)
    nodes: dict[str, list[Mark]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)


def marks(graph: GraphDocument, errors: ErrorsDocument | None) -> Marks:
    """Where every failing hop belongs: on the edges of all its callers, and on the workload that is blamed."""
    placed = Marks()
    edges = {(edge["caller"], edge["callee"]) for edge in graph["edges"]}
    nodes = {node["name"] for node in graph["nodes"]}
    for row in [] if errors is None else errors["failing_hops"]:
        hops = {(caller, row["callee"]) for caller in (*row["callers"], row["caller"]) if caller is not None} & edges
        for hop in hops:
            placed.edges.setdefault(hop, []).append(_hop_mark(row))
        blamed = row["blame"] if row["blame"] in nodes else None
        if blamed is None and not hops and row["callee"] in nodes:
            blamed = row["callee"]
        if blamed is not None:
            placed.nodes.setdefault(blamed, []).append(_node_mark(row))
        if blamed is None and not hops:
            way = " → ".join(shorten(name(end), 40) for end in (row["caller"], row["callee"]) if end is not None)
            placed.outside.append(f"failing hop {row['rank']} ({way}) is not in this picture")
    for edge in graph["edges"]:
        if edge["failing_hop"]:
            placed.edges.setdefault((edge["caller"], edge["callee"]), [_unranked(edge)])
    return placed


def _hop_mark(row: FailingHop) -> Mark:
    absorbed = "" if row["failed_traces"] or not row["traces"] else " (absorbed)"
    return Mark(
        rank=row["rank"],
        title=f"× {row['rank']}  {shorten(name(row['reason']), REASON_CELLS)}{absorbed}",
        detail=" ".join(part for part in (keys(_telling(row["flags"])), keys(row["statuses"])) if part),
        text=name(row["text"]),
        example=next(iter(row["examples"]), None),
    )


def _node_mark(row: FailingHop) -> Mark:
    what = "at its mesh rules" if row["reason"] in RULES_OF_THE_MESH else "here"
    return Mark(
        rank=row["rank"],
        title=f"look {what} first" if row["rank"] == 1 else f"look {what}",
        detail="",
        text=name(row["text"]),
        example=next(iter(row["examples"]), None),
    )


def _unranked(edge: Edge) -> Mark:
    return Mark(
        rank=None,
        title="×  errors start here",
        detail=" ".join(part for part in (keys(_telling(edge["flags"])), keys(_failed(edge["statuses"]))) if part),
        text=f"errors started here: {counted(edge['errors'], 'failed call')}",
        example=next(iter(edge["examples"]["error"]), None),
    )


def _telling(flags: dict[str, int]) -> dict[str, int]:
    return {flag: number for flag, number in flags.items() if flag != "-"}


def _failed(statuses: dict[str, int]) -> dict[str, int]:
    return {status: number for status, number in statuses.items() if status == "0" or status[:1] not in "123"}
