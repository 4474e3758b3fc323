"""Spans of Istio's Mixer, hidden or shown."""

from __future__ import annotations

from collections.abc import Iterable

from traceviz.analyze.resolved import Resolved
from traceviz.control_plane import CONTROL_PLANE_HIDDEN, is_mixer
from traceviz.doctor.check import Found, describe
from traceviz.hops import Hops
from traceviz.notes import define

MIXER_SPANS = define(
    "mixer-spans",
    "{count} {count:span is|spans are} of Istio's Mixer",
    """Traces hold what proxies asked Istio's Mixer before and after every request.

    Sign: services istio-mixer, istio-policy and istio-telemetry, operations /istio.mixer.v1.Mixer/Check and /Report.
    Hidden spans of Jaeger itself, if there are any, are in the number: both are hidden together.

    Cause: an Istio up to 1.7 with Mixer (policy checks, telemetry) that is traced as well.

    What to do: nothing; they are hidden, so that the graph shows services only. With `--control-plane` they are shown.
    A slow policy check delays every request: look at the edges to istio-policy. Mixer is gone since Istio 1.8.

    Threshold: one span, because they are hidden only if somebody is told.""",
)
describe(
    MIXER_SPANS,
    "{count} {count:span is|spans are} of Istio's Mixer or of Jaeger itself, {share} of all, and {count:is|are} "
    "{what}.",
    "Nothing to mend. {remedy}",
)


class MixerSpans:
    """Needs no counts of its own: what is hidden was noted, and what is shown is in the report."""

    def count(self, hops: Hops) -> None:
        pass

    def merge(self, other: MixerSpans) -> MixerSpans:
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        report = resolved.report
        shown = sum(counts.spans for party, counts in report.workloads.items() if is_mixer(party.service))
        hidden = {note["code"]: note for note in resolved.notes.documents()}.get(CONTROL_PLANE_HIDDEN)
        if hidden is not None:
            number, of, examples = hidden["count"], hidden["count"] + report.spans, tuple(hidden["examples"])
            values = {"what": "hidden", "remedy": "--control-plane shows them."}
        else:
            number, of, examples = shown, report.spans, ()
            values = {"what": "shown as asked", "remedy": "Without --control-plane they are hidden."}
        if number:
            share = round(number / of, 6)
            yield Found(MIXER_SPANS, "fact", None, (), number, share, "certain", examples, values)
