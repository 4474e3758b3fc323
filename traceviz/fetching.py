"""A Jaeger's traces ▸ a dump, which every command reads back to the same answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from traceviz.asked import Asked
from traceviz.errors import NothingFound, UsageError
from traceviz.live import Plan, Reading, plan
from traceviz.notes import Notes
from traceviz.selection import Selection, parse_tag
from traceviz.sources.access import Access
from traceviz.sources.anonymize import Anonymizer
from traceviz.sources.collect import Collected
from traceviz.sources.coverage import Coverage
from traceviz.sources.dump import DumpWriter
from traceviz.sources.header import Header
from traceviz.sources.lines import lines
from traceviz.sources.oversight import Oversight
from traceviz.sources.query import Jaeger
from traceviz.sources.reader import CUT_OFF, read_stream
from traceviz.wanted import Wanted

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """A dump that was written: where, how many traces, what was noted, whether it was stopped before its end, and
    whether there is something left that `resume` would fetch."""

    path: str
    traces: int
    notes: Notes
    interrupted: bool
    complete: bool


def fetch(
    access: Access,
    wanted: Wanted,
    path: str | os.PathLike[str],
    oversight: Oversight | None = None,
    anonymizer: Anonymizer | None = None,
) -> Fetched:
    """Write the traces of a Jaeger that are wanted to FILE (.jsonl or .jsonl.gz), which must not be there yet.

    Raises NothingFound where there is none, and leaves no file then.
    """
    with ExitStack() as undo, Jaeger(access, wanted.api, Selection(tags=wanted.tags).extra_tags) as jaeger:
        planned = plan(jaeger, wanted, time.time_ns())
        writing = _Writing(jaeger, planned, wanted.complete, access.parallel, oversight or Oversight(), anonymizer)
        with DumpWriter.create(path, writing.header(complete=False), writing.state()) as dump:
            undo.callback(dump.discard)
            fetched = writing.write(dump)
            if fetched.traces:
                undo.pop_all()
                return fetched
        if fetched.interrupted:
            raise KeyboardInterrupt
        raise NothingFound(f"{jaeger.url} has no trace for what was asked", "Ask for a longer time: --since 6h")


def resume(access: Access, wanted: Wanted, path: str | os.PathLike[str], oversight: Oversight | None = None) -> Fetched:
    """Go on with a dump that was not completed: with what it asked for, in its window. What `wanted` says besides must
    agree with it, or say nothing. Nothing is asked where nothing is left."""
    with DumpWriter.resume(path) as dump:
        asked = dump.header.asked
        _check_agreement(wanted, asked)
        if dump.header.complete:
            return Fetched(dump.path, sum(1 for _ in dump.trace_ids()), dump.header.notes, False, True)
        wanted = _as_begun(wanted, asked)
        with Jaeger(access, wanted.api, Selection(tags=wanted.tags).extra_tags) as jaeger:
            planned = plan(jaeger, wanted, time.time_ns())
            writing = _Writing(jaeger, planned, wanted.complete, access.parallel, oversight or Oversight(), None)
            writing.go_on(dump)
            return writing.write(dump)


class _Writing:
    """One run of a plan into a dump."""

    def __init__(
        self,
        jaeger: Jaeger,
        planned: Plan,
        complete: int,
        parallel: int,
        oversight: Oversight,
        anonymizer: Anonymizer | None,
    ) -> None:
        self._reading = Reading(jaeger, planned, complete, parallel, oversight)
        self._jaeger = jaeger
        self._oversight = oversight
        self._anonymizer = anonymizer
        self._written: list[str] = []
        self._copied: set[str] = set()

    def header(self, complete: bool) -> Header:
        """What the dump says of itself by now."""
        copied = tuple(sorted(self._reading.copied | self._copied))
        notes = Notes()
        notes.merge(self._jaeger.notes)
        if self._anonymizer is None:
            return Header(self._reading.asked, notes, complete, copied)
        notes.merge(self._anonymizer.notes)
        return self._anonymizer.header(Header(self._reading.asked, notes, complete, copied))

    def state(self) -> dict[str, object] | None:
        """What has to be known to go on; nothing for an anonymised dump, beside which no true name must stand."""
        if self._anonymizer:
            return None
        return {
            "coverage": self._reading.collection.coverage.to_json(),
            "copied": sorted(self._copied | self._reading.collection.grown),
        }

    def go_on(self, dump: DumpWriter) -> None:
        """Take over what is in a dump."""
        try:
            coverage = Coverage.from_json(dump.progress["coverage"])
            self._copied = {str(trace_id) for trace_id in dump.progress["copied"]}
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"what stands beside {dump.path} does not say what is done", "Remove both, and fetch anew"
            ) from error
        self._written = list(dump.trace_ids())
        self._reading.collection.adopt(coverage, read_stream(_blocks(dump.path), dump.path))

    def write(self, dump: DumpWriter) -> Fetched:
        """Write what comes, page by page, and at the end what was noted."""
        for collected in self._reading.answers():
            dump.add(self._lines(collected), self.state())
        wanted = self._wanted()
        interrupted = self._oversight.stop.is_set()
        complete = not interrupted and not self._reading.collection.coverage.failed
        header = self.header(complete)
        dump.finish(header, wanted)
        traces = len(set(self._written)) if wanted is None else len(self._reading.newest or ())
        return Fetched(dump.path, traces, header.notes, interrupted, complete)

    def _lines(self, collected: Collected) -> Iterator[bytes]:
        fresh = set(collected.spans.trace_ids)
        noted = Notes()
        for line in lines(collected.body, self._jaeger.url, noted):
            if line.trace_id in fresh or not line.trace_id:
                self._written.append(line.trace_id)
                yield self._anonymizer.line(line.data) if self._anonymizer else line.data
        # What is wrong in a line is found again by whoever reads it; what is no line is not in the dump.
        self._jaeger.notes.merge(noted.without(CUT_OFF))

    def _wanted(self) -> Sequence[bool] | None:
        newest = self._reading.newest
        return None if newest is None else [trace_id in newest for trace_id in self._written]


def _check_agreement(wanted: Wanted, asked: Asked) -> None:
    """Raise UsageError where what the user says now is not what the dump was begun with."""
    begun = _as_begun(wanted, asked)
    for name in ("service", "operation", "min_duration_ns", "max_duration_ns", "tags", "limit"):
        if getattr(wanted, name) and getattr(wanted, name) != getattr(begun, name):
            option = "--tag" if name == "tags" else "--" + name.removesuffix("_ns").replace("_", "-")
            raise UsageError(f"{option} is not what the fetch was begun with", "With --resume it need not be given")


def _as_begun(wanted: Wanted, asked: Asked) -> Wanted:
    """What a dump was begun with; how to ask for it is the user's."""
    return replace(
        wanted,
        service=asked.service,
        operation=asked.operation,
        min_duration_ns=asked.min_duration_ns,
        max_duration_ns=asked.max_duration_ns,
        tags=tuple(parse_tag(tag) for tag in asked.tags),
        since_ns=None,
        from_ns=asked.from_ns,
        to_ns=asked.to_ns,
        limit=asked.limit,
        everything=asked.limit is None,
    )


def _blocks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            yield block
