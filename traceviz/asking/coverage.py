"""What part of the window asked for was seen, for which services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traceviz.asking.windows import Window, common, joined, without
from traceviz.documents import SeenDocument, ServiceWindow, WindowDocument
from traceviz.when import rfc3339


class Coverage:
    """For every service the windows that were seen whole, that stayed full at a millisecond, that failed."""

    def __init__(self, asked: Window, services: Sequence[str]) -> None:
        self.asked = asked
        self.services = list(services)
        self.horizon_ns = asked.from_ns
        self._seen: dict[str, list[Window]] = {service: [] for service in services}
        self._full: dict[str, list[Window]] = {service: [] for service in services}
        self._failed: dict[str, list[Window]] = {service: [] for service in services}
        self._done_ns = 0

    def see(self, service: str, window: Window) -> None:
        """All traces of it came."""
        self._seen[service].append(window)
        self._done_ns += window.length_ns

    def fill(self, service: str, window: Window) -> None:
        """It cannot be split further, and there may be more in it."""
        self._full[service].append(window)
        self._done_ns += window.length_ns

    def fail(self, service: str, window: Window) -> None:
        """It was not answered, or not to the end."""
        self._failed[service].append(window)
        self._done_ns += window.length_ns

    def end_at(self, horizon_ns: int) -> None:
        """Nothing older than this is wanted: as many traces as were asked for are newer."""
        self.horizon_ns = max(self.horizon_ns, horizon_ns)

    def missing(self, service: str) -> list[Window]:
        """What still has to be asked for, the newest first."""
        return without(
            Window(self.horizon_ns, self.asked.to_ns), [*self._seen.get(service, ()), *self._full.get(service, ())]
        )

    def done(self, more_ns: int = 0) -> float:
        """The part of what was to be asked for that has been asked for, from 0 to 1, with so much more."""
        whole_ns = len(self.services) * self.asked.length_ns
        return min((self._done_ns + more_ns) / whole_ns, 1.0) if whole_ns else 1.0

    def adopt(self, other: Coverage) -> None:
        """Take over what another one saw of the same services; what failed there is to be tried again."""
        for service in self.services:
            for window in other._seen.get(service, ()):
                self.see(service, window)
            for window in other._full.get(service, ()):
                self.fill(service, window)

    @property
    def full(self) -> list[tuple[str, Window]]:
        """Services and windows that stayed full."""
        return [(service, window) for service, windows in self._full.items() for window in joined(windows)]

    @property
    def failed(self) -> list[tuple[str, Window]]:
        """Services and windows that were not answered."""
        return [(service, window) for service, windows in self._failed.items() for window in joined(windows)]

    def document(self) -> SeenDocument:
        """The field `seen` of every JSON document."""
        wanted = [Window(self.horizon_ns, self.asked.to_ns)]
        seen = common([wanted, *(self._seen[service] for service in self.services)])
        whole_ns = self.asked.length_ns
        return {
            "share": round(sum(window.length_ns for window in seen) / whole_ns, 6) if whole_ns else 1.0,
            "windows": [_window(window) for window in seen],
            "full": [_of(service, window) for service, window in self.full],
            "failed": [_of(service, window) for service, windows in self._failed.items() for window in joined(windows)],
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, in ns, for `from_json`."""
        return {
            "asked": _pair(self.asked),
            "services": self.services,
            "seen": _pairs(self._seen),
            "full": _pairs(self._full),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Coverage:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        coverage = cls(Window(*map(int, document["asked"])), [str(name) for name in document["services"]])
        for kind, windows in (("seen", coverage._seen), ("full", coverage._full)):
            for service, pairs in document[kind].items():
                windows[str(service)] = [Window(int(from_ns), int(to_ns)) for from_ns, to_ns in pairs]
        return coverage


def _pair(window: Window) -> list[int]:
    return [window.from_ns, window.to_ns]


def _pairs(windows: dict[str, list[Window]]) -> dict[str, list[list[int]]]:
    return {service: [_pair(window) for window in joined(some)] for service, some in windows.items()}


def _window(window: Window) -> WindowDocument:
    return {"from": rfc3339(window.from_ns), "to": rfc3339(window.to_ns)}


def _of(service: str, window: Window) -> ServiceWindow:
    return {"service": service, **_window(window)}
