"""The JSON documents of CONTRACT as types. Reports are turned into these; every drawing is made from these."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from traceviz.notes import NoteDocument

NodeKind = Literal["service", "gateway", "database", "queue", "external", "unknown"]


class Distribution(TypedDict):
    """Times in ms; percentiles are nearest rank, exact up to 10,000 values, above that within 1 %."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


Asked = TypedDict(
    "Asked",
    {
        "from": str | None,
        "to": str | None,
        "service": str | None,
        "limit": int | None,
        "operation": str | None,
        "tags": list[str],
        "min_duration_ms": float | None,
        "max_duration_ms": float | None,
    },
)
Window = TypedDict("Window", {"from": str | None, "to": str | None})
WindowDocument = TypedDict("WindowDocument", {"from": str, "to": str})
ServiceWindow = TypedDict("ServiceWindow", {"service": str, "from": str, "to": str})


class SeenDocument(TypedDict):
    """What part of the window asked for was read from a Jaeger: the share of its time in which all traces came, and
    where that was; windows of a millisecond that held more traces than a search may give; windows that failed."""

    share: float
    windows: list[WindowDocument]
    full: list[ServiceWindow]
    failed: list[ServiceWindow]


class Counts(TypedDict):
    """What was read."""

    traces: int
    spans: int
    failed_traces: int
    fragments: int
    services: int


class Head(TypedDict):
    """What every document begins with."""

    schema: str
    source: list[str]
    asked: Asked
    seen: SeenDocument | None
    window: Window


class Document(Head):
    """The head of a document about traces."""

    counts: Counts
    notes: list[NoteDocument]


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


class Edge(TypedDict):
    """All calls from one node to another. `joined` is there where `--join-requests` was given: how many of them began a
    trace of their own and were put into their place. `critical_share` is there where it was asked for: the part of the
    time that users waited in which they waited for such a call, with all beneath it; `critical_way_share` is what of
    that was not the callee's nor beneath it: network, proxies, queues, injected delays."""

    caller: str
    callee: str
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
    statuses: dict[str, int]
    flags: dict[str, int]
    protocol: str | None
    failing_hop: bool
    examples: EdgeExamples
    joined: NotRequired[int]
    critical_share: NotRequired[float | None]
    critical_way_share: NotRequired[float | None]


class Context(TypedDict):
    """A node in one of the contexts that it is called in; `parent` is the place of its caller's context in the list.

    `start` is there where a tree begins: with requests of users ("entry"), with calls that a program made by itself,
    with what came out of a queue ("async"), with a span whose parent is missing ("orphan"), with a fragment of a torn
    trace. `node` is null for all calls beneath its parent that were too deep or too many. `caller` is the parent's node
    but where the calls show another one between them. `self_ms` is the time of each call that no call beneath it
    covers, `self_share` the part of it in that of its whole tree; all else is as in Edge, of the calls in this context.
    """

    parent: int | None
    depth: int
    node: str | None
    start: Literal["entry", "program", "async", "orphan", "fragment"] | None
    caller: str | None
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
    self_ms: Distribution | None
    self_share: float | None
    statuses: dict[str, int]
    flags: dict[str, int]
    protocol: str | None
    failing_hop: bool
    examples: EdgeExamples


class GraphDocument(Document):
    """traceviz/graph/1. `group_by` and `contexts` are there where `--group-by` and `--view tree` were given, so that
    documents without these options are as they were; contexts in drawing order, each before those beneath it."""

    nodes: list[Node]
    edges: list[Edge]
    cycles: list[list[str]]
    group_by: NotRequired[str]
    contexts: NotRequired[list[Context]]


class Concentration(TypedDict):
    """A value that failing calls share and healthy ones do not; `share` is of the failing calls."""

    value: str
    share: float


class FailingHop(TypedDict):
    """One row of `traceviz errors`. `baseline_error_rate` is there with a baseline: which share of such calls failed in
    the same way before, null where there were none."""

    rank: int
    caller: str | None
    callee: str
    callers: dict[str, int]
    where: str
    reason: str
    blame: str | None
    traces: int
    calls: int
    failed_traces: int
    absorbed_traces: int
    absorbed_by: dict[str, int]
    explains: float | None
    score: float | None
    statuses: dict[str, int]
    flags: dict[str, int]
    concentrated_in: dict[str, Concentration]
    first: str
    last: str
    chain: list[str]
    text: str
    examples: list[str]
    request_ids: list[str]
    links: list[str]
    baseline_error_rate: NotRequired[float | None]


class ErrorsDocument(Document):
    """traceviz/errors/1. `baseline` is there where one was given."""

    baseline: NotRequired[BaselineDocument]

    failing_hops: list[FailingHop]


class SlowHop(TypedDict):
    """One row of `traceviz slow`: a place where users waited, with its share of all their time. `self_ms` is what one
    call waited there, `baseline_ms` the same before, or in the window's own fast requests. `explains` is the row's part
    of all time that was added since, `slower_share` the part of its calls that is slower beyond chance; both are null
    where there is nothing to compare with."""

    rank: int
    caller: str | None
    callee: str
    callers: dict[str, int]
    where: str
    reason: str
    blame: str
    share: float
    explains: float | None
    slower_share: float | None
    self_ms: Distribution | None
    baseline_ms: Distribution | None
    calls_per_request: float | None
    baseline_calls_per_request: float | None
    traces: int
    concentrated_in: dict[str, Concentration]
    text: str
    examples: list[str]
    links: list[str]


class PathShare(TypedDict):
    """An operation's part of the time that users waited; `mean_ms` is that of the traces whose critical path it is
    on."""

    service: str
    operation: str
    share: float
    mean_ms: float
    traces: int


class BaselineDocument(TypedDict):
    """What traces were compared with: other traces, those of `version` alone, or the window's own fast requests
    (`own`); `notes` are on the reading of those others."""

    source: list[str]
    window: Window
    traces: int
    own: bool
    version: str | None
    notes: list[NoteDocument]


class SlowDocument(Document):
    """traceviz/slow/1"""

    baseline: BaselineDocument | None
    requests_ms: Distribution | None
    slow_hops: list[SlowHop]
    critical_path: list[PathShare]


class Cause(TypedDict):
    """One row of `traceviz why`: a workload, with what speaks against it, the strongest first. `score` is between 0 and
    1: how much of a workload's calls changed beyond chance, and how far. `caller` is whose calls show it."""

    rank: int
    service: str
    caller: str | None
    kind: Literal["error", "latency", "headers"]
    reason: str
    score: float
    text: str
    evidence: list[str]
    examples: list[str]
    links: list[str]


class WhyDocument(Document):
    """traceviz/why/1"""

    baseline: BaselineDocument | None
    causes: list[Cause]


class Finding(TypedDict):
    """One row of `traceviz doctor`: what is so with the traces, and whether that is a problem. `service` is null where
    it is about all of them; `share` is `count` of all that could have been so, null where that is not known."""

    code: str
    level: Literal["problem", "fact"]
    service: str | None
    towards: list[str]
    count: int
    share: float | None
    proof: Literal["certain", "likely"]
    text: str
    remedy: str
    examples: list[str]


class DoctorDocument(Document):
    """traceviz/doctor/1. Problems before facts."""

    findings: list[Finding]


class TreeSpan(TypedDict):
    """A span of one trace; `parent` is the place of its parent in the list. Times count from the trace's start.

    `status` is what was answered ("504", "grpc 14"), `call` the place of the call that it proves, null for a span
    inside of a program. Of a duplicate nothing stands here.
    """

    span_id: str
    parent: int | None
    depth: int
    service: str
    operation: str
    kind: Literal["internal", "server", "client", "producer", "consumer"] | None
    role: Literal["caller", "attempt", "callee", "program"]
    start_ms: float
    duration_ms: float
    self_ms: float
    error: bool
    status: str | None
    flags: list[str]
    on_critical_path: bool
    failing: bool
    call: int | None


class TreeCall(TypedDict):
    """A call of one trace with everything that proves it: `spans` are places in the list of spans.

    `parent` is the place of the call that made it. `duration_ms` is what its caller waited, else what its callee took,
    `server_ms` what its callee took, `self_ms` what of that no call that the callee made covers, `gap_ms` the caller's
    time minus the callee's. `failing` is an error that started here, for `reason`, with `blame` and `where` as in
    `traceviz errors`.
    """

    parent: int | None
    depth: int
    caller: str | None
    callee: str
    kind: Literal["sync", "async"]
    seen_from: Literal["both", "caller", "callee"]
    operation: str
    start_ms: float
    duration_ms: float
    server_ms: float | None
    gap_ms: float | None
    self_ms: float | None
    attempts: int
    failed_attempts: int
    error: bool
    status: str | None
    flags: list[str]
    protocol: str | None
    on_critical_path: bool
    failing: bool
    reason: str | None
    where: str | None
    blame: str | None
    spans: list[int]


class TreeDocument(Document):
    """traceviz/tree/1. Both lists are in drawing order: a call before the calls that its callee made, by their start.
    `link` is its page in Jaeger, `text` a sentence about the call that broke first, null where none failed."""

    trace_id: str
    duration_ms: float
    spans: list[TreeSpan]
    calls: list[TreeCall]
    text: str | None
    link: str | None


#: What a workload did; of a call what was on the way, an injected delay, all of one whose callee was not seen; all that
#: was too deep or too rare; with what a tree begins where it is no user's request.
FrameKind = Literal["work", "way", "delay", "unseen", "folded", "program", "async", "orphan", "fragment"]


class FlameFrame(TypedDict):
    """A calling context, without those beneath it; `parent` is its place in the list.

    `service` is the node of the workload, of a call its callee, null where that is not known; `operation` is what it
    was asked for. `critical_ns` is time for which users waited, `self_ns` time in which nothing that it called was
    under way, `errors` are failures that started there.
    """

    parent: int | None
    depth: int
    kind: FrameKind
    service: str | None
    operation: str | None
    critical_ns: int
    self_ns: int
    errors: int


class FlameDocument(Document):
    """traceviz/flame/1. Frames in drawing order, each before those beneath it, siblings by name."""

    frames: list[FlameFrame]


class ListingCounts(TypedDict):
    """What was read, null where no trace was; `services` are the names that are listed or whose rows are."""

    traces: int | None
    spans: int | None
    failed_traces: int | None
    fragments: int | None
    services: int


class Listing(Head):
    """The head of a list of what can be asked for, which a Jaeger gives without any trace."""

    counts: ListingCounts
    notes: list[NoteDocument]


Change = Literal["added", "removed", "worse", "better", "same"]


class DiffEdge(TypedDict):
    """An edge on two sides; one where nobody called is null there.

    It is worse or better where something of it `changed` significantly: "error_rate_delta", "p50_ratio", "p95_ratio".
    `significant` of an edge that was added or removed says that its absence on one side is beyond chance. Ratios are
    after over before, of the times that its callers measured, else its callees (`times_from`). `p_value` is the least
    chance of its tests, corrected for the number of all tests; null where no outcome could be significant.
    """

    caller: str
    callee: str
    kind: Literal["sync", "async"]
    change: Change
    before: Edge | None
    after: Edge | None
    error_rate_delta: float | None
    p50_ratio: float | None
    p95_ratio: float | None
    significant: bool
    changed: list[str]
    p_value: float | None
    times_from: Literal["caller", "callee"] | None


class DiffNode(TypedDict):
    """A node on two sides, null where it was not seen."""

    name: str
    kind: NodeKind
    before: Node | None
    after: Node | None


class DiffSide(TypedDict):
    """What stands in the head of a document, for one side. Of the traces of `version`, which is there with
    `--by-version`, only the spans of what is compared are counted; the rest is null."""

    source: list[str]
    asked: Asked
    seen: SeenDocument | None
    window: Window
    counts: ListingCounts
    version: NotRequired[str]


class Changes(TypedDict):
    """How many edges there are of each change; `significant` are among them."""

    added: int
    removed: int
    worse: int
    better: int
    same: int
    significant: int


class DiffDocument(Document):
    """traceviz/diff/1. The head is of both sides together: counts are added up, windows span both; `asked.from`, `to`
    and the like are null where one side was asked for without. `group_by` is there where it was given."""

    before: DiffSide
    after: DiffSide
    changes: Changes
    nodes: list[DiffNode]
    edges: list[DiffEdge]
    group_by: NotRequired[str]


class Service(TypedDict):
    """A service by the name that spans have; `node` is its name in graphs, null where no span shows it."""

    name: str
    node: str | None


class Operation(TypedDict):
    """What a service did, under the name that `--operation` takes; `kind` is null where it is not known."""

    service: str
    name: str
    kind: str | None


class ServicesDocument(Listing):
    """traceviz/services/1"""

    services: list[Service]


class OperationsDocument(Listing):
    """traceviz/operations/1"""

    operations: list[Operation]


#: What an analysing command delivers.
CountedDocument = GraphDocument | ErrorsDocument | SlowDocument | WhyDocument | DoctorDocument | DiffDocument

#: What can be rendered.
AnyDocument = CountedDocument | FlameDocument | TreeDocument | ServicesDocument | OperationsDocument
