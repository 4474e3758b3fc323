"""One search of a Jaeger: what is asked for, and how either API wants to be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from traceviz.when import rfc3339_nano

Api = Literal["v3", "v1"]


@dataclass(frozen=True)
class Search:
    """Traces with a span of `service` that fulfils all of this at once. Times in ns since 1970, ends included;
    durations in ns, of that span; None where nothing is asked."""

    service: str
    from_ns: int
    to_ns: int
    operation: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None

    def within(self, service: str, from_ns: int, to_ns: int) -> Search:
        """The same search of another service and window."""
        return replace(self, service=service, from_ns=from_ns, to_ns=to_ns)

    def question(self, api: Api, limit: int) -> tuple[str, list[tuple[str, str]]]:
        """Route and parameters of it. Older versions of v3 know snake_case only, and fail without num_traces; v1 knows
        whole µs, and is asked for a window that is rather longer."""
        if api == "v3":
            route, names = "/api/v3/traces", _V3
            window = (rfc3339_nano(self.from_ns), rfc3339_nano(self.to_ns))
        else:
            route, names = "/api/traces", _V1
            window = (str(self.from_ns // 1000), str(-(-self.to_ns // 1000)))
        values = (
            self.service,
            self.operation,
            *window,
            _go_duration(self.min_duration_ns),
            _go_duration(self.max_duration_ns),
            str(limit),
        )
        said = [(name, value) for name, value in zip(names, values, strict=True) if value is not None]
        return route, [*said, RAW_OF_SEARCH[api]]


#: Traces are asked for as they were reported. Jaeger repairs them while it answers, and where it keeps them in memory
#: it does so in its own store: two answers at a time then mix up the tags of spans for good (seen in 2.13). What it
#: would repair, `reconstruct` does.
RAW_OF_SEARCH: dict[Api, tuple[str, str]] = {"v3": ("query.raw_traces", "true"), "v1": ("raw", "true")}
RAW_OF_TRACE: dict[Api, tuple[str, str]] = {"v3": ("raw_traces", "true"), "v1": ("raw", "true")}

_V1 = ("service", "operation", "start", "end", "minDuration", "maxDuration", "limit")
_V3 = tuple(
    f"query.{name}"
    for name in (
        *("service_name", "operation_name", "start_time_min", "start_time_max"),
        *("duration_min", "duration_max", "num_traces"),
    )
)


def _go_duration(duration_ns: int | None) -> str | None:
    return None if duration_ns is None else f"{duration_ns}ns"
