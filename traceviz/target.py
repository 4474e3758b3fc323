"""A target ▸ whole traces, selected: a Jaeger, or files, globs and standard input, with the same options.

with open_target(["dump.json.gz"], Wanted(service="istio-ingress")) as traces:
    for spans in traces.batches(): ...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

import numpy as np

from traceviz.analyze.report import Asked, Report, report
from traceviz.errors import NothingFound, NothingReadable, UsageError
from traceviz.notes import Notes, define
from traceviz.reconstruct import reconstruct
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.files import STDIN, read_files
from traceviz.sources.join import Gathered, gather
from traceviz.sources.names import gateway_like, resolve_service
from traceviz.sources.query import Jaeger, services_asked
from traceviz.sources.refusals import without_secrets
from traceviz.spans import Bools, Spans
from traceviz.workloads import Workloads

DEFAULT_URL = "http://localhost:16686"
DEFAULT_SINCE_NS = 3_600 * 10**9
DEFAULT_LIMIT = 1000

OLDER_TRACES = define(
    "older-traces-left-out",
    "{count} older {count:trace was|traces were} left out because of --limit",
    """The files hold more traces than `--limit` allows. Those that began last were taken.

    Shares and latencies are of the traces taken. Without `--limit` files are read whole.""",
)


ONLY_ARRIVED = define(
    "only-arrived-calls",
    "calls that never reached the service asked for are not in these traces, unless something else of it is",
    """`--service` finds traces in which the service has a span, and a call that was refused on its way leaves none.

    An injected fault, an open circuit breaker, a missing route or endpoint is reported by the caller's proxy alone.
    To see them ask for the gateway, or for a caller, or leave `--service` out.""",
)


@dataclass(frozen=True)
class Wanted:
    """What to select. `since_ns` counts back from now against a Jaeger, from the last span of files.

    Against a Jaeger it is one hour and `limit` 1,000 traces where nothing is said; files are read whole.
    """

    service: str | None = None
    since_ns: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int | None = None
    api: Literal["auto", "v3", "v1"] = "auto"
    timeout_s: float = 60.0
    ui_url: str | None = None


@dataclass
class Traces:
    """The selected traces of an open target, and what was asked. `notes` are those of reading and selecting."""

    asked: Asked
    gathered: Gathered
    notes: Notes = field(default_factory=Notes)
    _services: frozenset[str] | None = None
    _workload: str | None = None
    _newest: frozenset[str] | None = None

    def batches(self) -> Iterator[Spans]:
        """Whole traces, each in exactly one batch."""
        for spans in self._in_window():
            if self._newest is None:
                yield spans
            else:
                chosen = spans.take(np.array([i in self._newest for i in spans.trace_ids], np.bool_)[spans.trace])
                if len(chosen):
                    yield chosen

    def report(self) -> Report:
        """The report of all of them. Raises NothingFound where there is none."""
        result = Report()
        for spans in self.batches():
            result.merge(report(reconstruct(spans)))
        if not result.traces:
            raise self._nothing()
        result.asked = self.asked
        result.notes.merge(self.notes)
        result.notes.merge(self.gathered.notes)
        return result

    def _nothing(self) -> NothingFound:
        if not self.gathered.spans and self.asked.from_ns is None:
            return NothingFound(f"{_listed(self.asked.source)} holds no trace")
        if not self.gathered.spans:
            return NothingFound(
                f"{_listed(self.asked.source)} has no trace for what was asked",
                "Ask for a longer time: --since 6h",
            )
        return NothingFound(
            f"none of the traces in {_listed(self.asked.source)} lies in the window asked for",
            "Leave out --since, --from and --to, or make the window longer",
        )

    def _in_window(self) -> Iterator[Spans]:
        for spans in self.gathered.batches():
            chosen = spans.take(_whole_traces(spans, self._matches(spans)))
            if len(chosen):
                yield chosen

    def _matches(self, spans: Spans) -> Bools:
        """The spans that make their trace a selected one, as a Jaeger's search does: by service and start."""
        matches = np.ones(len(spans), np.bool_)
        if self._services is not None:
            known = [code for name in self._services if (code := spans.texts.codes.get(name)) is not None]
            matches &= np.isin(spans.service, known)
        if self._workload is not None:
            matches &= _of_workload(spans, self._workload)
        if self.asked.from_ns is not None:
            matches &= spans.start_ns >= self.asked.from_ns
        if self.asked.to_ns is not None:
            matches &= spans.start_ns <= self.asked.to_ns
        return matches

    def select_service(self, service: str) -> None:
        """Select the traces that a service takes part in: by its service name, as `resolve_service` means it, else
        by the workload's own name, where one service name stands for many. Raises NothingFound."""
        gathered = self.gathered
        try:
            services = resolve_service(service, gathered.services, gathered.gateways, self.notes)
        except NothingFound:
            if not any(_of_workload(spans, service).any() for spans in gathered.batches()):
                raise
            self._workload = service
        else:
            self._services = frozenset(services)
            _note_what_is_missing(service, services, gathered.gateways, self.notes)

    def keep_newest(self, limit: int) -> None:
        """Select no more than this many traces: those that started last."""
        started: list[tuple[int, str]] = []
        for spans in self._in_window():
            first = np.full(len(spans.trace_ids), np.iinfo(np.int64).max)
            np.minimum.at(first, spans.trace, spans.start_ns)
            started += zip(first.tolist(), spans.trace_ids, strict=True)
        if len(started) > limit:
            started.sort(reverse=True)
            self._newest = frozenset(trace_id for _, trace_id in started[:limit])
            self.notes.add(OLDER_TRACES, len(started) - limit)


@contextmanager
def open_target(
    targets: Sequence[str], wanted: Wanted, url: str | None = None, stdin: BinaryIO | None = None
) -> Iterator[Traces]:
    """Open files, or the Jaeger at a URL where none are named. Raises a TracevizError where that fails.

    A target that is a URL is a Jaeger as well; `url` is the one to take where nothing is named, and the one that links
    lead to where files are.
    """
    addresses = [target for target in targets if target.startswith(("http://", "https://"))]
    if addresses and len(targets) > 1:
        raise UsageError(f"{without_secrets(addresses[0])} is a Jaeger and cannot be read together with other targets")
    opened = (
        _open_files(targets, wanted, url, stdin or sys.stdin.buffer)
        if targets and not addresses
        else _open_jaeger(addresses[0] if addresses else url or DEFAULT_URL, wanted)
    )
    with opened as traces:
        yield traces


@contextmanager
def _open_jaeger(url: str, wanted: Wanted) -> Iterator[Traces]:
    from_ns, to_ns = window(wanted, time.time_ns(), DEFAULT_SINCE_NS)
    limit = DEFAULT_LIMIT if wanted.limit is None else wanted.limit
    with Jaeger(url, wanted.api, timeout_s=wanted.timeout_s) as jaeger:
        services = services_asked(jaeger, wanted.service)
        if wanted.service is not None:
            _note_what_is_missing(wanted.service, services, gateway_like(services), jaeger.notes)
        assert from_ns is not None
        assert to_ns is not None
        with gather(jaeger.traces(services, from_ns, to_ns, limit)) as gathered:
            if not gathered.spans and jaeger.notes.count(UNREADABLE_RECORD):
                raise _nothing_readable([jaeger.url], jaeger.notes)
            ui_url = wanted.ui_url or jaeger.url
            asked = Asked((jaeger.url,), from_ns, to_ns, wanted.service, limit, ui_url.rstrip("/"))
            yield Traces(asked, gathered, jaeger.notes)


@contextmanager
def _open_files(names: Sequence[str], wanted: Wanted, url: str | None, stdin: BinaryIO) -> Iterator[Traces]:
    with gather(read_files(names, stdin)) as gathered:
        if not gathered.spans and len(gathered.notes):
            raise _nothing_readable(names, gathered.notes)
        from_ns, to_ns = window(wanted, gathered.last_ns, None)
        ui_url = wanted.ui_url or (without_secrets(url) if url else "")
        asked = Asked(tuple(names), from_ns, to_ns, wanted.service, wanted.limit, ui_url.rstrip("/") or None)
        traces = Traces(asked, gathered)
        if wanted.service is not None and gathered.spans:
            traces.select_service(wanted.service)
        if wanted.limit is not None:
            traces.keep_newest(wanted.limit)
        yield traces


def _note_what_is_missing(service: str, services: Iterable[str], gateways: Iterable[str], notes: Notes) -> None:
    """All requests pass a gateway; of any other service a search sees only what arrived there."""
    if not set(services) & set(gateways):
        notes.add(ONLY_ARRIVED, 1, [service])


def _of_workload(spans: Spans, name: str) -> Bools:
    """The spans of the workload that its own tags and its pod call so."""
    workloads = Workloads(spans)
    called_so: Bools = np.array([key.own_name == name for key in workloads.keys], np.bool_)[workloads.of_row]
    return called_so


def window(wanted: Wanted, end_ns: int | None, since_ns: int | None) -> tuple[int | None, int | None]:
    """The window asked for, from and to in ns; `end_ns` is what `--since` counts back from."""
    if wanted.since_ns is not None and wanted.from_ns is not None:
        raise UsageError("--since and --from exclude each other", "Use one of them, with --to where needed")
    to_ns = wanted.to_ns
    since = wanted.since_ns if wanted.since_ns is not None else since_ns if wanted.from_ns is None else None
    if since is not None and end_ns is not None:
        to_ns = end_ns if to_ns is None else to_ns
        return max(to_ns - since, 0), to_ns  # nothing began before 1970, and some Jaegers cannot read such a time
    if since_ns is not None and to_ns is None:
        to_ns = end_ns
    if wanted.from_ns is not None and to_ns is not None and wanted.from_ns >= to_ns:
        raise UsageError("the window ends before it begins", "See --since, --from and --to")
    return wanted.from_ns, to_ns


def _whole_traces(spans: Spans, matches: Bools) -> Bools:
    if matches.all():
        return matches
    chosen = np.zeros(len(spans.trace_ids), np.bool_)
    chosen[spans.trace[matches]] = True
    return chosen[spans.trace]


def _nothing_readable(names: Sequence[str], notes: Notes) -> NothingReadable:
    said = [f"{note['text']}: {'; '.join(note['examples'])}" for note in notes.documents()]
    return NothingReadable(
        f"nothing in {_listed(names)} could be read. {'. '.join(said)}",
        "Jaeger v1 JSON, OTLP JSON and Zipkin v2 JSON are understood, plain, .gz, or as JSON lines",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ["standard input" if name == STDIN else name for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
