"""A Jaeger's traces ▸ a dump, which every command reads back to the same answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from traceviz.asked import Asked
from traceviz.asking.access import DEFAULT_URL, Access
from traceviz.asking.collect import COPIES_DIFFERED, LOST, Collected
from traceviz.asking.complete import COMPLETED
from traceviz.asking.copies import without_copies
from traceviz.asking.coverage import Coverage
from traceviz.asking.oversight import Oversight
from traceviz.asking.query import LIMIT_LOWERED, Jaeger
from traceviz.errors import NothingFound, UsageError
from traceviz.keeping.anonymize import Anonymizer
from traceviz.keeping.dump import DumpWriter
from traceviz.live import NOT_AS_ASKED, Plan, Reading, plan
from traceviz.notes import Notes, define
from traceviz.selection import Selection, parse_tag
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.header import Header
from traceviz.sources.join import gather
from traceviz.sources.lines import lines
from traceviz.sources.reader import CUT_OFF, REFUSAL, SKIPPED_TEXT, read_stream
from traceviz.traces import nothing_readable
from traceviz.wanted import Wanted

#: What stays true of the traces in a dump when it is resumed. Everything else is said again, or was made good.
_LASTING = (
    *(NOT_AS_ASKED, COPIES_DIFFERED, COMPLETED, LOST, LIMIT_LOWERED),
    *(UNREADABLE_RECORD, SKIPPED_TEXT, REFUSAL),
)
RESUMED_ELSEWHERE = define(
    "resumed-elsewhere",
    "the fetch was gone on with at {count:another URL|{count} other URLs} than it was begun at",
    """A fetch was resumed, and the Jaeger was not at the URL at which it had been.

    Sign: `source` has both; the examples are those it was gone on with.

    What to do: nothing, if it is the same Jaeger, behind another port-forward. If it is another one, the dump holds
    some traces of each: fetch anew.
    """,
)

_BLOCK = 1 << 20
_US = 1000


@dataclass(frozen=True)
class Fetched:
    """A dump that was written: where, how many traces are in it, what was noted, whether the fetch was stopped before
    its end, and whether all is there, so that `resume` has nothing left to fetch."""

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

    Raises NothingFound where there is none, NothingReadable where no answer could be read, KeyboardInterrupt where it
    was stopped before anything came; no file is left then. Whatever else it raises, the traces that came are kept.
    """
    with Jaeger(access, wanted.api, Selection(tags=wanted.tags).extra_tags) as jaeger:
        planned = plan(jaeger, wanted, time.time_ns())
        writing = _Writing(jaeger, planned, wanted.complete, access.parallel, oversight or Oversight(), anonymizer)
        with DumpWriter.create(path, writing.header(complete=False), writing.state()) as dump:
            try:
                fetched = writing.write(dump)
            finally:
                if not any(writing.trace_ids):
                    dump.discard()
        if fetched.traces:
            return fetched
        if fetched.interrupted:
            raise KeyboardInterrupt
        if writing.read.count(UNREADABLE_RECORD):
            raise nothing_readable((jaeger.url,), writing.read)
        raise NothingFound(
            f"{jaeger.url} has no trace for what was asked",
            "Ask for a longer time" + (", or with fewer conditions" if planned.asked.has_conditions else ""),
        )


def resume(access: Access, wanted: Wanted, path: str | os.PathLike[str], oversight: Oversight | None = None) -> Fetched:
    """Go on with a dump that was not completed: with what it asked for, in its window. Nothing is asked where nothing
    is left.

    Raises UsageError where `wanted` says something else than what it was begun with, and where `access` names no
    Jaeger while another than the default one was asked.
    """
    with DumpWriter.resume(path) as dump:
        asked = dump.header.asked
        _check_agreement(wanted, asked)
        if dump.header.complete:
            return Fetched(dump.path, len(set(dump.trace_ids())), dump.header.notes, False, True)
        if access.url == DEFAULT_URL and asked.source and DEFAULT_URL not in asked.source:
            raise UsageError(f"{dump.path} was begun at {asked.source[0]}", f"Go on there: --url {asked.source[0]}")
        wanted = _as_begun(wanted, asked)
        with Jaeger(access, wanted.api, Selection(tags=wanted.tags).extra_tags) as jaeger:
            planned = plan(jaeger, wanted, time.time_ns())
            source = tuple(dict.fromkeys((*asked.source, jaeger.url)))
            jaeger.notes.add(RESUMED_ELSEWHERE, len(source) - 1, source[1:])
            planned = replace(planned, asked=replace(planned.asked, source=source))
            writing = _Writing(jaeger, planned, wanted.complete, access.parallel, oversight or Oversight(), None)
            writing.go_on(dump)
            return writing.write(dump)


class _Writing:
    """One run of a plan into a dump. `trace_ids` are those of its lines, "" where one has none; `read` is what was
    noted when the answers were read, as it will be when the dump is."""

    def __init__(
        self,
        jaeger: Jaeger,
        planned: Plan,
        complete: int,
        parallel: int,
        oversight: Oversight,
        anonymizer: Anonymizer | None,
    ) -> None:
        self.trace_ids: list[str] = []
        self.read = Notes()
        self._reading = Reading(jaeger, planned, complete, parallel, oversight)
        self._jaeger = jaeger
        self._oversight = oversight
        self._anonymizer = anonymizer
        self._copied: set[str] = set()
        self._noted_before = Notes()

    @property
    def notes(self) -> Notes:
        """What was noted by now, before a resumption and since."""
        notes = Notes()
        notes.merge(self._noted_before)
        notes.merge(self._jaeger.notes)
        return notes

    def header(self, complete: bool) -> Header:
        """What the dump says of itself by now."""
        header = Header(self._reading.asked, self.notes, complete, tuple(sorted(self._all_copied())))
        if self._anonymizer is None:
            return header
        header.notes.merge(self._anonymizer.notes)
        return self._anonymizer.header(header)

    def state(self) -> dict[str, object] | None:
        """What has to be known to go on; nothing for an anonymised dump, beside which no true name must stand."""
        if self._anonymizer:
            return None
        notes = self.notes
        if not self._jaeger.notes.count(COPIES_DIFFERED):  # which is noted at the end
            grown = self._reading.collection.grown
            notes.add(COPIES_DIFFERED, len(grown), grown)
        return {
            "coverage": self._reading.collection.coverage.to_json(),
            "copied": sorted(self._all_copied()),
            "notes": notes.documents(),
        }

    def go_on(self, dump: DumpWriter) -> None:
        """Take over what is in a dump."""
        try:
            coverage = Coverage.from_json(dump.progress["coverage"])
            self._copied = {str(trace_id) for trace_id in dump.progress["copied"]}
            for note in dump.progress["notes"]:
                if note["code"] in _LASTING:
                    self._noted_before.add(note["code"], int(note["count"]), map(str, note["examples"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"what stands beside {dump.path} does not say what is done", "Remove both, and fetch anew"
            ) from error
        self.trace_ids = list(dump.trace_ids())
        with gather(read_stream(_blocks(dump.path), dump.path)) as gathered:
            batches = (without_copies(spans, self._copied) for spans in gathered.batches())
            self._reading.adopt(coverage, batches)

    def write(self, dump: DumpWriter) -> Fetched:
        """Write what comes, page by page, and at the end what was noted."""
        for collected in self._reading.answers():
            dump.add(self._lines(collected), self.state())
        interrupted = self._oversight.stop.is_set()
        complete = not interrupted and not self._reading.collection.coverage.failed
        header = self.header(complete)
        dump.progress = self.state()
        dump.finish(header, self._wanted())
        traces = set(self.trace_ids) - {""}
        newest = self._reading.newest
        return Fetched(
            dump.path, len(traces if newest is None else traces & newest), header.notes, interrupted, complete
        )

    def _lines(self, collected: Collected) -> Iterator[bytes]:
        self.read.merge(collected.spans.notes)
        fresh = set(collected.spans.trace_ids)
        noted = Notes()
        for line in lines(collected.body, self._jaeger.url, noted):
            if line.trace_id in fresh or not line.trace_id:
                self.trace_ids.append(line.trace_id)
                yield self._anonymizer.line(line.data) if self._anonymizer else line.data
        # What is wrong in a line is found again by whoever reads it; what is no line is not in the dump.
        self._jaeger.notes.merge(noted.without(CUT_OFF))

    def _wanted(self) -> Sequence[bool] | None:
        newest = self._reading.newest
        return None if newest is None else [not trace_id or trace_id in newest for trace_id in self.trace_ids]

    def _all_copied(self) -> set[str]:
        return self._copied | self._reading.copied | self._reading.collection.grown


def _check_agreement(wanted: Wanted, asked: Asked) -> None:
    """Raise UsageError where what the user says now is not what the dump was begun with."""
    begun = _as_begun(wanted, asked)
    differ = [
        f"--{name.removesuffix('_ns').removesuffix('s').replace('_', '-')}"
        for name in ("service", "operation", "min_duration_ns", "max_duration_ns", "tags", "limit")
        if getattr(wanted, name) and getattr(wanted, name) != getattr(begun, name)
    ]
    if wanted.everything and not begun.everything:
        differ.append("--all")
    # The window was asked for in whole µs, outwards.
    ends = {"--from": (wanted.from_ns, begun.from_ns), "--to": (wanted.to_ns, begun.to_ns)}
    if wanted.since_ns is not None and begun.from_ns is not None and begun.to_ns is not None:
        ends["--since"] = wanted.since_ns, begun.to_ns - begun.from_ns
    differ += [
        option
        for option, (given, was) in ends.items()
        if given is not None and was is not None and abs(given - was) > 2 * _US
    ]
    if differ:
        raise UsageError(
            f"{' and '.join(differ)} differ{'s' if len(differ) == 1 else ''} from what the fetch was begun with",
            "With --resume nothing of it need be given",
        )


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
        ui_url=wanted.ui_url or asked.ui_url,
    )


def _blocks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            yield block
