"""Facts about the traces that every command counts and notes already."""

from __future__ import annotations

from collections.abc import Iterable

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.hops import Hops
from traceviz.notes import NoteDocument, explain_further

explain_further(
    "shared-span-ids",
    """In `doctor` it is a fact, from one id on: nothing is wrong with such traces, and other tools may count them
    wrongly.

    What to do: nothing.""",
)
explain_further(
    "no-span-kind",
    """In `doctor` it is a fact, from one trace of two spans on: what is shown is right, and less than there could "
    "be.""",
)
describe(
    "shared-span-ids",
    "{count} span {count:id is|ids are} shared by both halves of a call, as Zipkin does it; here they are told apart.",
    "Nothing to mend. Other tools that read these spans have to know it.",
)
describe(
    "no-span-kind",
    "{count} {count:trace has|traces have} no span kinds, {share} of all: what the caller waited, and databases, "
    "queues and hosts outside, cannot be seen.",
    "Set span.kind (client, server, producer, consumer) where programs call and are called; the instrumentation "
    "libraries of OpenTelemetry do.",
)
describe(
    "limit-hit",
    "Only the newest {count} {count:trace|traces} of the window were read, as many as the limit allows: what is rare, "
    "or was before, may be missing here.",
    "A larger --limit, --all, or a shorter --since.",
)


class Noted:
    """Needs no counts of its own: the notes of the report have them."""

    def count(self, hops: Hops) -> None:
        pass

    def merge(self, other: Noted) -> Noted:
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        notes = {note["code"]: note for note in resolved.notes.documents()}
        if "shared-span-ids" in notes:
            yield _fact("shared-span-ids", notes["shared-span-ids"], None)
        if "no-span-kind" in notes:
            yield _fact("no-span-kind", notes["no-span-kind"], notes["no-span-kind"]["count"] / resolved.report.traces)
        if "limit-hit" in notes:
            # Its example is a time, and no trace.
            yield _fact("limit-hit", {**notes["limit-hit"], "examples": []}, None)


def _fact(code: str, note: NoteDocument, share: float | None) -> Found:
    whole = None if share is None else round(share, 6)
    return Found(code, "fact", None, (), note["count"], whole, "certain", tuple(note["examples"]), {})
