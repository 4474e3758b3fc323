"""The documents of `traceviz services` and `traceviz operations`: what can be asked for."""

from __future__ import annotations

from typing import TypedDict

from traceviz.documents.head import Head
from traceviz.notes import NoteDocument


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
