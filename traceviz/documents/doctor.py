"""The document of `traceviz doctor`: what is wrong with the traces themselves."""

from __future__ import annotations

from typing import Literal, TypedDict

from traceviz.documents.head import Document


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
