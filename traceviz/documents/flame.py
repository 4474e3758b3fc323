"""The document that flame graphs, folded stacks and profiles are made of."""

from __future__ import annotations

from typing import Literal, TypedDict

from traceviz.documents.head import Document

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
