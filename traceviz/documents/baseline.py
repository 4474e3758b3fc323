"""What traces were compared with, in the documents of `errors`, `slow` and `why`."""

from __future__ import annotations

from typing import TypedDict

from traceviz.documents.head import Window
from traceviz.notes import NoteDocument


class BaselineDocument(TypedDict):
    """What traces were compared with: other traces, those of `version` alone, or the window's own fast requests
    (`own`); `notes` are on the reading of those others."""

    source: list[str]
    window: Window
    traces: int
    own: bool
    version: str | None
    notes: list[NoteDocument]
