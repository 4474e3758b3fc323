"""The document of `traceviz diff`: nodes and edges on two sides."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from traceviz.documents.graph import Edge, Ends, Node, NodeKind
from traceviz.documents.head import Asked, Document, SeenDocument, Window
from traceviz.documents.listing import ListingCounts

Change = Literal["added", "removed", "worse", "better", "same"]


class DiffEdge(Ends):
    """An edge on two sides; one where nobody called is null there.

    It is worse or better where something of it `changed` significantly: "error_rate_delta", "p50_ratio", "p95_ratio".
    `significant` of an edge that was added or removed says that its absence on one side is beyond chance. Ratios are
    after over before, of the times that its callers measured, else its callees (`times_from`). `p_value` is the least
    chance of its tests, corrected for the number of all tests; null where no outcome could be significant.
    """

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
