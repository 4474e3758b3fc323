"""The document of `traceviz graph`: nodes, edges, and the contexts that nodes are called in."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from traceviz.documents.distribution import Distribution
from traceviz.documents.head import Document

NodeKind = Literal["service", "gateway", "database", "queue", "external", "unknown"]


class Node(TypedDict):
    """A workload, a database, a queue, something outside, or something that was called and never seen.

    `workload` and `group` are there where `--group-by` was given: whose node it is, and the version, namespace, pod or
    operation that tells it apart, null where that is not known or the node stands for several. `critical_share` is
    there where it was asked for: the part of the time that users waited in which they waited for its own work.
    """

    name: str
    kind: NodeKind
    aliases: list[str]
    versions: list[str]
    calls: int
    errors: int
    error_rate: float | None
    entry_calls: int
    entered_by: dict[str, int]
    self_ms: Distribution | None
    workload: NotRequired[str]
    group: NotRequired[str | None]
    critical_share: NotRequired[float | None]


class EdgeExamples(TypedDict):
    """1 to 5 trace ids each."""

    error: list[str]
    slowest: list[str]


class Ends(TypedDict):
    """Between which nodes, by their names."""

    caller: str
    callee: str


class Calls(TypedDict):
    """How many calls, how many of them failed, how long they took."""

    kind: Literal["sync", "async"]
    seen_from: Literal["both", "caller", "callee"]
    calls: int
    errors: int
    error_rate: float
    calls_per_s: float | None
    attempts: int
    failed_attempts: int
    unanswered: int
    client_ms: Distribution | None
    server_ms: Distribution | None
    gap_ms: Distribution | None


class Answers(TypedDict):
    """What those calls were answered, whether errors start there, and traces to look at."""

    statuses: dict[str, int]
    flags: dict[str, int]
    protocol: str | None
    failing_hop: bool
    examples: EdgeExamples


class Edge(Ends, Calls, Answers):
    """All calls from one node to another. `joined` is there where `--join-requests` was given: how many of them began a
    trace of their own and were put into their place. `critical_share` is there where it was asked for: the part of the
    time that users waited in which they waited for such a call, with all beneath it; `critical_way_share` is what of
    that was not the callee's nor beneath it: network, proxies, queues, injected delays."""

    joined: NotRequired[int]
    critical_share: NotRequired[float | None]
    critical_way_share: NotRequired[float | None]


class Place(TypedDict):
    """Where in the tree a context stands; `parent` is the place of its caller's context in the list.

    `start` is there where a tree begins: with requests of users ("entry"), with calls that a program made by itself,
    with what came out of a queue ("async"), with a span whose parent is missing ("orphan"), with a fragment of a torn
    trace. `node` is null for all calls beneath its parent that were too deep or too many. `caller` is the parent's node
    but where the calls show another one between them.
    """

    parent: int | None
    depth: int
    node: str | None
    start: Literal["entry", "program", "async", "orphan", "fragment"] | None
    caller: str | None


class OwnTime(TypedDict):
    """`self_ms` is the time of each call that no call beneath it covers, `self_share` the part of it in that of its
    whole tree."""

    self_ms: Distribution | None
    self_share: float | None


class Context(Place, Calls, OwnTime, Answers):
    """A node in one of the contexts that it is called in, with its calls in this context."""


class GraphDocument(Document):
    """traceviz/graph/1. `group_by` and `contexts` are there where `--group-by` and `--view tree` were given, so that
    documents without these options are as they were; contexts in drawing order, each before those beneath it."""

    nodes: list[Node]
    edges: list[Edge]
    cycles: list[list[str]]
    group_by: NotRequired[str]
    contexts: NotRequired[list[Context]]
