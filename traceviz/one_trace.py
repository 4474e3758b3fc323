"""A target ▸ one trace: the one that a user names, the newest that failed, the slowest, or the only one there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import numpy as np

from traceviz.analyze.entries import entries
from traceviz.analyze.shapes import count_shapes
from traceviz.analyze.tree import extents, tree_document
from traceviz.asked import Asked
from traceviz.asking.access import Access
from traceviz.asking.oversight import Oversight
from traceviz.asking.query import Jaeger
from traceviz.control_plane import without_control_plane
from traceviz.documents import TreeDocument
from traceviz.errors import NothingFound, SourceFailed, UsageError
from traceviz.hops import hops
from traceviz.joining import homes
from traceviz.live import open_jaeger
from traceviz.notes import Notes, define
from traceviz.reconstruct import Forest, reconstruct
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.spans import Spans
from traceviz.stored import open_files
from traceviz.target import jaeger_meant, open_target, page_beside
from traceviz.trace_name import TraceName
from traceviz.traces import Traces, listed, nothing_readable
from traceviz.wanted import Wanted

CONDITIONS_NOT_APPLIED = define(
    "named-trace-not-selected",
    "the trace was asked for by its id: {count} {count:option|options} that {count:selects|select} traces "
    "{count:was|were} not applied",
    """A trace was named, and options that select traces stood beside its id.

    Sign: the examples are the options.

    What to do: nothing. The trace is shown wherever it is in time and whoever takes part in it. Such options are for
    `--failing`, `--slowest`, and the start of an id that is looked for in a Jaeger.
    """,
)

Choice = Literal["failing", "slowest", "only"]
_SHOWN = 5
#: So much time before and after a trace is looked at for the rest of its request, at least.
_LEAST_AROUND_NS = 10 * 10**9

#: What makes a trace the better choice, the larger the better; None where it is none.
_Rank = tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class OneTrace:
    """The spans of one trace, what was asked, and what was noted while it was found. `interrupted` says that the
    reading was stopped before its end."""

    spans: Spans
    asked: Asked
    notes: Notes
    interrupted: bool = False

    def document(self) -> TreeDocument:
        """The document of `traceviz tree -o json`."""
        return tree_document(reconstruct(self.spans), self.asked, self.notes)


def named_trace(
    name: TraceName,
    targets: Sequence[str],
    wanted: Wanted,
    access: Access | None = None,
    stdin: BinaryIO | None = None,
    oversight: Oversight | None = None,
) -> OneTrace:
    """The trace of this name, in files or in a Jaeger. A Jaeger is asked for it by its id; where it has none, or the
    name is too short to be one, it is looked for among the wanted traces. Of files all traces are looked at.

    Raises NothingFound where there is none, UsageError where several begin so, and what `open_target` does.
    """
    access = access or Access()
    jaeger = jaeger_meant(targets, access)
    if jaeger is None:
        joins = wanted.join_requests
        every = Wanted(ui_url=wanted.ui_url, control_plane=True, join_requests=joins)
        taken = None if joins else name.may_mean  # parts of it may have any id
        with open_files(targets, every, stdin or sys.stdin.buffer, page_beside(access), taken) as traces:
            found = _meant(name, traces, "--failing and --slowest show one of those that are there")
            return _with_note(_in_view(found, wanted), wanted)
    if name.id is not None and (asked := _asked_by_id(name, name.id, jaeger, wanted)):
        if wanted.join_requests:
            with open_jaeger(jaeger, _at_the_time_of(asked.spans, wanted), oversight or Oversight()) as traces:
                asked = _meant(name, traces, "The Jaeger has it no more")
        return _with_note(_in_view(asked, wanted), wanted)
    with open_jaeger(jaeger, wanted, oversight or Oversight()) as traces:
        return _meant(name, traces, "Only the window was looked at: give the whole id, or a longer --since")


def chosen_trace(
    choice: Choice,
    targets: Sequence[str],
    wanted: Wanted,
    access: Access | None = None,
    stdin: BinaryIO | None = None,
    oversight: Oversight | None = None,
) -> OneTrace:
    """One of the wanted traces: "failing" is the newest that failed for its user, else the newest in which a call
    failed; "slowest" the longest; "only" the only one there is. Of equal ones that with the smallest id.

    Raises NothingFound where there is none, UsageError where there are several of which only one should be, and what
    `open_target` does.
    """
    with open_target(targets, wanted, access, stdin, oversight) as traces:
        best = _Best()
        for spans in traces.batches():
            forest = reconstruct(spans)
            best.add(forest, _RANKS[choice](forest))
        if not best.met:
            raise traces.nothing()
        if best.spans is None:
            raise NothingFound(
                f"no call failed in the {best.met:,} traces of {listed(traces.asked.source)} that were looked at"
                if best.met > 1
                else f"no call failed in the only trace of {listed(traces.asked.source)} that was looked at",
                "Ask for a longer time, or for --slowest",
            )
        if choice == "only" and best.met > 1:
            raise UsageError(
                f"{listed(traces.asked.source)} has {best.met:,} traces, and which one is meant was not said",
                f"Name one, or say --failing or --slowest. The newest is {best.spans.trace_ids[0]}",
            )
        return _found(best.spans, traces)


def only_trace_named(name: TraceName, trace_ids: Iterable[str], remedy: str, source: str) -> str:
    """The one of these ids that a name means. Raises NothingFound where there is none, UsageError for several."""
    found = name.meant(trace_ids)
    if not found:
        how = "has the id" if name.is_whole else "has an id that begins with"
        raise NothingFound(f"no trace in {source} {how} {name.digits}", remedy)
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise UsageError(
            f"{len(found):,} traces have ids that begin with {name.digits}",
            f"More digits tell which: {', '.join(found[:_SHOWN])}{more}",
        )
    return found[0]


def of_trace(spans: Spans, trace_id: str) -> Spans:
    """The spans of one trace."""
    return spans.take(spans.trace == spans.trace_ids.index(trace_id))


def _asked_by_id(name: TraceName, trace_id: str, access: Access, wanted: Wanted) -> OneTrace | None:
    """What a Jaeger has under an id; None where that is nothing and the name may be the start of another."""
    with Jaeger(access, wanted.api) as jaeger:
        page = jaeger.trace(trace_id)
        found = name.meant(page.spans.trace_ids)
        if found:
            asked = Asked((jaeger.url,), ui_url=(wanted.ui_url or jaeger.url).rstrip("/"))
            notes = Notes()
            notes.merge(jaeger.notes)
            notes.merge(page.spans.notes)
            return OneTrace(of_trace(page.spans, found[0]), asked, notes)
        if not page.is_whole:
            raise SourceFailed(f"the answer of {jaeger.url} broke off before the trace had arrived", "Ask again")
        if page.spans.notes.count(UNREADABLE_RECORD):
            raise nothing_readable((jaeger.url,), page.spans.notes)
        if name.is_whole:
            raise NothingFound(
                f"{jaeger.url} has no trace {trace_id}",
                "It may have forgotten it: a Jaeger keeps traces for some days, one in memory the newest. Is it the "
                "right one (--url), and the right tenant?",
            )
    return None


def _at_the_time_of(spans: Spans, wanted: Wanted) -> Wanted:
    """Everything at about the time of a trace: the rest of its request lies around it, or within."""
    margin_ns = max(int(spans.end_ns.max() - spans.start_ns.min()), _LEAST_AROUND_NS)
    begin_ns, end_ns = int(spans.start_ns.min()) - margin_ns, int(spans.end_ns.max()) + margin_ns
    return Wanted(
        from_ns=max(begin_ns, 0),
        to_ns=end_ns,
        everything=True,
        complete=wanted.complete,
        api=wanted.api,
        ui_url=wanted.ui_url,
        control_plane=True,
        join_requests=True,
    )


def _meant(name: TraceName, traces: Traces, remedy: str) -> OneTrace:
    """The trace of a name. One that was put into another one is a part of that."""
    home = {one: trace_id for spans in traces.batches() for one, trace_id in homes(spans)}
    known = set(home) | set(home.values())
    meant = only_trace_named(name, known, remedy, listed(traces.asked.source))
    trace_id = home.get(meant, meant)
    spans = next(batch for batch in traces.batches() if trace_id in batch.trace_ids)
    return _found(of_trace(spans, trace_id), traces)


def _found(spans: Spans, traces: Traces) -> OneTrace:
    notes = Notes()
    notes.merge(traces.notes)
    notes.merge(traces.gathered.notes)
    return OneTrace(spans, traces.asked, notes, traces.interrupted)


def _in_view(found: OneTrace, wanted: Wanted) -> OneTrace:
    """The trace without its control plane, unless that is all of it, or was asked for."""
    hidden = Notes()
    spans = found.spans if wanted.control_plane else without_control_plane(found.spans, hidden)
    if not len(spans):
        return found
    found.notes.merge(hidden)
    return replace(found, spans=spans)


def _with_note(found: OneTrace, wanted: Wanted) -> OneTrace:
    """Say which options were of no use."""
    found.notes.add(CONDITIONS_NOT_APPLIED, len(wanted.given), wanted.given)
    return found


class _Best:
    """The best of the traces that were met, of which alone the spans are kept."""

    def __init__(self) -> None:
        self.met = 0
        self.spans: Spans | None = None
        self._rank: _Rank = None

    def add(self, forest: Forest, ranks: Sequence[_Rank]) -> None:
        for trace_id, rank in zip(forest.spans.trace_ids, ranks, strict=True):
            self.met += 1
            if rank is not None and self._is_better(rank, trace_id):
                self.spans, self._rank = of_trace(forest.spans, trace_id), rank

    def _is_better(self, rank: tuple[int, ...], trace_id: str) -> bool:
        if self.spans is None or self._rank is None:
            return True
        return rank > self._rank or (rank == self._rank and trace_id < self.spans.trace_ids[0])


def _failing(forest: Forest) -> list[_Rank]:
    found = hops(forest)
    entered = entries(found)
    started = count_shapes(found, entered, Notes()).started
    broken = np.zeros(len(forest.spans.trace_ids), np.bool_)
    broken[found.trace[started]] = True
    columns = (entered.failed.tolist(), broken.tolist(), extents(forest)[0].tolist())
    return [
        (int(failed), begun) if failed or started_there else None
        for failed, started_there, begun in zip(*columns, strict=True)
    ]


def _slowest(forest: Forest) -> list[_Rank]:
    first, last = extents(forest)
    return [(duration,) for duration in (last - first).tolist()]


def _newest(forest: Forest) -> list[_Rank]:
    return [(begun,) for begun in extents(forest)[0].tolist()]


_RANKS: dict[Choice, Callable[[Forest], list[_Rank]]] = {"failing": _failing, "slowest": _slowest, "only": _newest}
