"""The document of `traceviz tree`: one trace, by spans and by calls."""

from __future__ import annotations

from typing import Literal, TypedDict

from traceviz.documents.head import Document


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
