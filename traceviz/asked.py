"""What was asked for, and of whom: the head of every document and of every dump."""

from __future__ import annotations

from dataclasses import dataclass

from traceviz.documents import Asked as AskedDocument
from traceviz.documents import SeenDocument
from traceviz.when import rfc3339


@dataclass(frozen=True)
class Asked:
    """Where traces came from and which ones were asked for. Times in ns since 1970, durations of a span in ns,
    tags as `k=v`; None where nothing was said. `seen` is the part of a window that a Jaeger was read for,
    `join_requests` says that torn traces were put together."""

    source: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    service: str | None = None
    limit: int | None = None
    ui_url: str | None = None
    operation: str | None = None
    tags: tuple[str, ...] = ()
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    seen: SeenDocument | None = None
    join_requests: bool = False

    @property
    def has_conditions(self) -> bool:
        """Whether something was asked for beside service and window."""
        return bool(self.operation or self.tags or self.min_duration_ns or self.max_duration_ns)

    def document(self) -> AskedDocument:
        """The field `asked` of every JSON document."""
        return {
            "from": _instant(self.from_ns),
            "to": _instant(self.to_ns),
            "service": self.service,
            "limit": self.limit,
            "operation": self.operation,
            "tags": list(self.tags),
            "min_duration_ms": _ms(self.min_duration_ns),
            "max_duration_ms": _ms(self.max_duration_ns),
        }


def _instant(ns: int | None) -> str | None:
    return None if ns is None else rfc3339(ns)


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6
