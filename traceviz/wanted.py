"""Which traces a user wants, from whatever target, and the window of time that this means."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from traceviz import when
from traceviz.between import Between
from traceviz.control_plane import is_control_plane
from traceviz.errors import UsageError
from traceviz.selection import parse_tag

DEFAULT_SINCE_NS = 3_600 * 10**9
DEFAULT_LIMIT = 1000
#: So many traces with parents missing are asked for again by their ids.
DEFAULT_COMPLETE = 100


@dataclass(frozen=True)
class Wanted:
    """What to select. `since_ns` counts back from now against a Jaeger, from the last span of files.

    Against a Jaeger it is one hour and `limit` 1,000 traces where nothing is said, all of them with `everything`;
    files are read whole. `operation`, durations (ns) and `tags` are conditions on one and the same span of the service.
    `complete` is how many traces with missing parents are asked for again by id. `control_plane` keeps the spans of
    Mixer and of Jaeger itself. `join_requests` puts torn traces together before anything is selected. `between` is the
    window of one side of a comparison, instead of `since_ns`, `from_ns` and `to_ns`.
    """

    service: str | None = None
    operation: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    since_ns: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int | None = None
    everything: bool = False
    complete: int = DEFAULT_COMPLETE
    api: Literal["auto", "v3", "v1"] = "auto"
    ui_url: str | None = None
    control_plane: bool = False
    join_requests: bool = False
    between: Between | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.everything:
            raise UsageError("--limit and --all exclude each other", "Use one of them")
        if self.since_ns is not None and self.from_ns is not None:
            raise UsageError("--since and --from exclude each other", "Use one of them, with --to where needed")
        shortest, longest = self.min_duration_ns, self.max_duration_ns
        if shortest is not None and longest is not None and shortest > longest:
            raise UsageError("--min-duration is longer than --max-duration")

    @property
    def given(self) -> list[str]:
        """The options that narrow traces, as they are written."""
        said = {
            "--service": self.service,
            "--operation": self.operation,
            "--min-duration": self.min_duration_ns,
            "--max-duration": self.max_duration_ns,
            "--tag": self.tags or None,
            "--since": self.since_ns,
            "--from": self.from_ns,
            "--to": self.to_ns,
            "--limit": self.limit,
        }
        return [option for option, value in said.items() if value is not None]

    def window(self, end_ns: int | None, since_ns: int | None) -> tuple[int | None, int | None]:
        """The window asked for, from and to in ns; `end_ns` is what `--since` counts back from, `since_ns` how far
        where nothing is said."""
        if self.between is not None:
            return self.between.window(end_ns)
        to_ns = self.to_ns
        since = self.since_ns if self.since_ns is not None else since_ns if self.from_ns is None else None
        if since is not None and end_ns is not None:
            to_ns = end_ns if to_ns is None else to_ns
            return max(to_ns - since, 0), to_ns  # nothing began before 1970, and some Jaegers cannot read such a time
        if since_ns is not None and to_ns is None:
            to_ns = end_ns
        if self.from_ns is not None and to_ns is not None and self.from_ns >= to_ns:
            raise UsageError("the window ends before it begins", "See --since, --from and --to")
        return self.from_ns, to_ns


def read_wanted(
    service: str | None,
    operation: str | None,
    min_duration: str | None,
    max_duration: str | None,
    tags: Iterable[str],
    since: str | None,
    from_: str | None,
    to: str | None,
    limit: int | None,
    everything: bool,
    complete: int,
    api: Literal["auto", "v3", "v1"],
    ui_url: str | None,
    control_plane: bool = False,
    join_requests: bool = False,
) -> Wanted:
    """A Wanted from texts, as options and arguments of the library have them: durations like 10m, instants as
    `parse_instant` reads them, tags NAME=VALUE. Raises UsageError for what cannot be read."""
    now = time.time_ns()
    return Wanted(
        service=service,
        operation=operation,
        min_duration_ns=_duration(min_duration),
        max_duration_ns=_duration(max_duration),
        tags=tuple(parse_tag(tag) for tag in tags),
        since_ns=_duration(since),
        from_ns=None if from_ is None else when.parse_instant(from_, now),
        to_ns=None if to is None else when.parse_instant(to, now),
        limit=limit,
        everything=everything,
        complete=complete,
        api=api,
        ui_url=ui_url,
        # Whoever asks for Mixer wants to see it.
        control_plane=control_plane or (service is not None and is_control_plane(service)),
        join_requests=join_requests,
    )


def _duration(text: str | None) -> int | None:
    return None if text is None else when.parse_duration(text)
