"""What every document begins with: what was asked for, what of it was seen, what was read."""

from __future__ import annotations

from typing import TypedDict

from traceviz.notes import NoteDocument

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
