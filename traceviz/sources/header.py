"""The first line of a dump that `traceviz fetch` writes: what was asked, of whom, and what was noted on the way.

    {"traceviz": {"asked": {"from": "2026-11-23T00:00:00.000000Z", "to": …, "service": "istio-ingress", "limit": 1000,
                            …, "seen": {"share": 1.0, …}},
                  "notes": [{"code": "limit-hit", "count": 1, "text": "…", "examples": ["…"]}],
                  "source": ["http://localhost:16686"], "ui_url": …, "complete": true, "copied": []}}

A file may hold several, where dumps were put behind one another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from traceviz.asked import Asked
from traceviz.documents import SeenDocument
from traceviz.errors import UsageError
from traceviz.notes import Notes, catalogue, define
from traceviz.sources.fields import Unreadable, decoded, quoted
from traceviz.when import parse_instant, rfc3339, rfc3339_nano

UNREADABLE_HEADER = define(
    "unreadable-header",
    "{count} {count:dump does|dumps do} not say in a readable way what was asked for; the traces were used",
    """The first line of a dump tells what was asked for when it was fetched, and what was noted then.

    It is damaged or was written by hand. Each example names the file, the place in it and what stands there. All
    traces were read; only the notes of the fetch and the window it asked for are not known. Fetch again, or repair
    the line.""",
)
UNFINISHED_FETCH = define(
    "fetch-unfinished",
    "{count} {count:dump was|dumps were} read while the fetch still ran, or after it broke off",
    """A dump says at its beginning whether `traceviz fetch` came to its end, and this one says that it did not.

    The traces in it are whole, but those that were to come are missing. `traceviz fetch --resume` goes on where it
    stopped.""",
)
UNKNOWN_NOTE = define(
    "note-of-another-version",
    "{count} {count:note|notes} of the fetch {count:is|are} not known to this version of traceviz",
    """The dump was fetched by another version of traceviz, which noted something under a code that this one lacks.

    The examples are the codes. The traces were read all the same; `traceviz explain CODE` of the version that fetched
    them says what was noted.""",
)

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Ms = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class _Note(msgspec.Struct):
    code: str
    count: _Count
    examples: list[str] = []


class _Asked(msgspec.Struct, rename={"start": "from", "end": "to"}):
    start: str | None = None
    end: str | None = None
    service: str | None = None
    limit: _Count | None = None
    operation: str | None = None
    tags: list[str] = []
    min_duration_ms: _Ms | None = None
    max_duration_ms: _Ms | None = None
    seen: SeenDocument | None = None


class _Said(msgspec.Struct):
    asked: _Asked = msgspec.field(default_factory=_Asked)
    notes: list[_Note] = []
    source: list[str] = []
    ui_url: str | None = None
    complete: bool = True
    copied: list[str] = []


class _Line(msgspec.Struct):
    traceviz: _Said


_LINE = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What a dump says about itself. `complete` is False as long as there is something left to fetch; `copied` are
    the ids of traces that came several times with different spans, each time as a line of its own."""

    asked: Asked = field(default_factory=Asked)
    notes: Notes = field(default_factory=Notes)
    complete: bool = True
    copied: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: bytes) -> Header:
        """The header in a line. Notes under codes of other versions are counted as `note-of-another-version`.

        Raises Unreadable with the path and the value of what does not fit.
        """
        said = decoded(_LINE, data).traceviz
        asked = Asked(
            source=tuple(said.source),
            from_ns=_instant(said.asked.start, ".traceviz.asked.from"),
            to_ns=_instant(said.asked.end, ".traceviz.asked.to"),
            service=said.asked.service,
            limit=said.asked.limit,
            ui_url=said.ui_url,
            operation=said.asked.operation,
            tags=tuple(said.asked.tags),
            min_duration_ns=_ns(said.asked.min_duration_ms),
            max_duration_ns=_ns(said.asked.max_duration_ms),
            seen=said.asked.seen,
        )
        return cls(asked, _adopted(said.notes), said.complete, tuple(said.copied))

    def to_json(self) -> bytes:
        """The line, without its end: one line whatever the texts in it hold."""
        asked = self.asked
        window = {"from": _text(asked.from_ns), "to": _text(asked.to_ns)}
        said = {
            "asked": {**asked.document(), **window, "seen": asked.seen},
            "notes": self.notes.documents(),
            "source": asked.source,
            "ui_url": asked.ui_url,
            "complete": self.complete,
            "copied": self.copied,
        }
        line = json.dumps({"traceviz": said}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return line.encode("utf-8", "replace")  # a file's name may hold bytes that are no text


def _adopted(said: list[_Note]) -> Notes:
    """The notes of a fetch, as far as their codes are known here."""
    known, adopted = catalogue(), Notes()
    for note in said:
        if note.code in known:
            adopted.add(note.code, note.count, note.examples)
        else:
            adopted.add(UNKNOWN_NOTE, 1, [quoted(note.code)])
    return adopted


def _instant(text: str | None, path: str) -> int | None:
    """The ns of an instant in UTC; parse_instant knows more forms, none of which ends in Z."""
    if text is None:
        return None
    try:
        if text.endswith("Z"):
            return parse_instant(text, 0)
    except UsageError:
        pass
    raise Unreadable(path, f"expected an instant such as 2026-11-23T00:00:00Z, got {quoted(text)}")


def _text(instant_ns: int | None) -> str | None:
    """Microseconds, as everywhere; nanoseconds only where there are any, so that no instant changes on its way."""
    if instant_ns is None:
        return None
    return rfc3339_nano(instant_ns) if instant_ns % 1000 else rfc3339(instant_ns)


def _ns(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms * 1e6)
