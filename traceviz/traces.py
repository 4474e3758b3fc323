"""The traces that a target gave, whole and selected, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from traceviz.analyze.report import Count, Report, report
from traceviz.asked import Asked
from traceviz.asking.copies import without_copies
from traceviz.control_plane import CONTROL_PLANE_HIDDEN, without_control_plane
from traceviz.errors import NothingFound, NothingReadable
from traceviz.notes import Notes
from traceviz.reconstruct import reconstruct
from traceviz.selection import Selection
from traceviz.sources.files import STDIN
from traceviz.sources.join import Gathered
from traceviz.spans import Spans


@dataclass
class Traces:
    """The selected traces of an open target, and what was asked. `notes` are those of asking, reading and selecting.

    Of these traces only `newest` are wanted, all where it is None; those of `copied` came several times, and every span
    of them counts once. `interrupted` says that the reading was stopped before its end. Spans of the control plane are
    hidden, with a note, unless `control_plane` says otherwise.
    """

    asked: Asked
    gathered: Gathered
    notes: Notes = field(default_factory=Notes)
    selection: Selection = field(default_factory=Selection)
    newest: Collection[str] | None = None
    copied: Collection[str] = ()
    interrupted: bool = False
    control_plane: bool = False

    def batches(self) -> Iterator[Spans]:
        """Whole traces, each in exactly one batch. Read to the end, it has noted what was hidden."""
        hidden = Notes()
        for spans in self.selected():
            if self.newest is not None:
                spans = spans.take(np.array([i in self.newest for i in spans.trace_ids], np.bool_)[spans.trace])
            if not self.control_plane:
                spans = without_control_plane(spans, hidden)
            if len(spans):
                yield spans
        if not self.notes.count(CONTROL_PLANE_HIDDEN):
            self.notes.merge(hidden)

    def selected(self) -> Iterator[Spans]:
        """The same without regard to `newest`."""
        for batch in self.gathered.batches():
            spans = without_copies(batch, self.copied) if self.copied else batch
            if self.selection.narrows:
                spans = spans.take(self.selection.whole_traces(spans))
            if len(spans):
                yield spans

    def report(self, count: Count = report) -> Report:
        """The report of all of them. Raises NothingFound where there is none."""
        result = Report()
        for spans in self.batches():
            result.merge(count(reconstruct(spans)))
        if not result.traces:
            raise self.nothing()
        result.asked = self.asked
        result.notes.merge(self.notes)
        result.notes.merge(self.gathered.notes)
        return result

    def nothing(self) -> NothingFound:
        """What to raise where none of them is wanted."""
        source = listed(self.asked.source)
        if self.notes.count(CONTROL_PLANE_HIDDEN):
            return NothingFound(
                f"all that {source} holds for what was asked is of the mesh's control plane",
                "--control-plane shows it",
            )
        if not self.gathered.spans and self.asked.from_ns is None:
            return NothingFound(f"{source} holds no trace")
        if self.asked.has_conditions:
            return NothingFound(
                f"none of the traces in {source} has a span with all that was asked for",
                "Operation, durations and tags have to be on one and the same span of the service, in the window",
            )
        if not self.gathered.spans:
            return NothingFound(f"{source} has no trace for what was asked", "Ask for a longer time")
        return NothingFound(
            f"none of the traces in {source} lies in the window asked for",
            "Leave out --since, --from and --to, or make the window longer",
        )


def listed(names: tuple[str, ...]) -> str:
    """The targets, for a message."""
    shown = ["standard input" if name == STDIN else name for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def nothing_readable(names: tuple[str, ...], notes: Notes) -> NothingReadable:
    """What to raise where there was input, and nothing in it could be read."""
    said = [f"{note['text']}: {'; '.join(note['examples'])}" for note in notes.documents()]
    return NothingReadable(
        f"nothing in {listed(names)} could be read. {'. '.join(said)}",
        "Jaeger v1 JSON, OTLP JSON and Zipkin v2 JSON are understood, plain, .gz, or as JSON lines",
    )
