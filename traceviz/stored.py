"""Files, globs and standard input ▸ Traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from traceviz.asked import Asked
from traceviz.asking.collect import started
from traceviz.errors import NothingFound
from traceviz.joining import joined
from traceviz.live import note_what_is_missing
from traceviz.notes import define
from traceviz.selection import Selection
from traceviz.sources.files import read_files
from traceviz.sources.header import Header
from traceviz.sources.join import gather
from traceviz.sources.names import resolve_service
from traceviz.spans import Spans
from traceviz.traces import Traces, nothing_readable
from traceviz.wanted import Wanted

OLDER_TRACES = define(
    "older-traces-left-out",
    "{count} older {count:trace was|traces were} left out because of --limit",
    """The files hold more traces than `--limit` allows. Those that began last were taken.

    Shares and latencies are of the traces taken. Without `--limit` files are read whole.""",
)


@contextmanager
def open_files(
    names: Sequence[str],
    wanted: Wanted,
    stdin: BinaryIO,
    ui_url: str | None,
    taken: Callable[[str], bool] | None = None,
) -> Iterator[Traces]:
    """The traces of files that are wanted. `ui_url` is where links lead to if the files do not say. Spans of traces
    whose ids are not `taken` are let go while the files are read, as if they held no others."""
    selection = Selection(
        operation=wanted.operation,
        min_duration_ns=wanted.min_duration_ns,
        max_duration_ns=wanted.max_duration_ns,
        tags=wanted.tags,
    )
    headers: list[Header] = []
    reading = _Reading(read_files(names, stdin, selection.extra_tags, headers), taken)
    with ExitStack() as open_until_read:
        gathered = open_until_read.enter_context(gather(reading))
        if not reading.spans and len(gathered.notes) and not headers:
            raise nothing_readable(tuple(names), gathered.notes)
        from_ns, to_ns = wanted.window(gathered.last_ns, None)
        asked = _asked(tuple(names), wanted, from_ns, to_ns, ui_url, headers)
        copied = {trace_id for header in headers for trace_id in header.copied}
        selection = replace(selection, from_ns=from_ns, to_ns=to_ns)
        traces = Traces(asked, gathered, selection=selection, copied=copied, control_plane=wanted.control_plane)
        if wanted.join_requests:
            open_until_read.enter_context(joined(traces))
        if wanted.service is not None and gathered.spans:
            _select_service(traces, wanted.service)
        if wanted.limit is not None:
            _keep_newest(traces, wanted.limit)
        yield traces


class _Reading:
    """The chunks of files, of all traces or of those that are taken; `spans` counts what was read."""

    def __init__(self, chunks: Iterable[Spans], taken: Callable[[str], bool] | None) -> None:
        self.spans = 0
        self._chunks = chunks
        self._taken = taken

    def __iter__(self) -> Iterator[Spans]:
        for chunk in self._chunks:
            self.spans += len(chunk)
            yield chunk if self._taken is None else self._of_taken(chunk, self._taken)

    def _of_taken(self, chunk: Spans, taken: Callable[[str], bool]) -> Spans:
        chosen = np.array([taken(trace_id) for trace_id in chunk.trace_ids], np.bool_)
        return replace(chunk.take(chosen[chunk.trace]), notes=chunk.notes)


def _asked(
    names: tuple[str, ...],
    wanted: Wanted,
    from_ns: int | None,
    to_ns: int | None,
    ui_url: str | None,
    headers: Sequence[Header],
) -> Asked:
    """What was asked of the files; where nothing was, what was asked when a dump was fetched that is the only one."""
    asked = Asked(
        names,
        from_ns,
        to_ns,
        wanted.service,
        wanted.limit,
        operation=wanted.operation,
        tags=tuple(f"{key}={value}" for key, value in wanted.tags),
        min_duration_ns=wanted.min_duration_ns,
        max_duration_ns=wanted.max_duration_ns,
    )
    if len(headers) == 1 and asked == Asked(names):
        asked = replace(headers[0].asked, source=names)
    return replace(asked, ui_url=(wanted.ui_url or ui_url or asked.ui_url or "").rstrip("/") or None)


def _select_service(traces: Traces, service: str) -> None:
    """Select the traces that a service takes part in: by its service name, as `resolve_service` means it, else
    by the workload's own name, where one service name stands for many. Raises NothingFound."""
    gathered = traces.gathered
    try:
        services = resolve_service(service, gathered.services, gathered.gateways, traces.notes)
    except NothingFound:
        of_workload = Selection(workload=service)
        if not any(of_workload.matches(spans).any() for spans in gathered.batches()):
            raise
        traces.selection = replace(traces.selection, workload=service)
    else:
        traces.selection = replace(traces.selection, services=frozenset(services))
        note_what_is_missing(service, services, gathered.gateways, traces.notes)


def _keep_newest(traces: Traces, limit: int) -> None:
    """Select no more than this many traces: those that started last."""
    starts: list[tuple[int, str]] = []
    for spans in traces.selected():
        starts += zip(started(spans).tolist(), spans.trace_ids, strict=True)
    if len(starts) > limit:
        starts.sort(key=lambda start: (-start[0], start[1]))
        traces.newest = frozenset(trace_id for _, trace_id in starts[:limit])
        traces.notes.add(OLDER_TRACES, len(starts) - limit)
