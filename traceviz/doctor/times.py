"""Times that cannot be."""

from __future__ import annotations

from collections.abc import Iterable

from traceviz.analyze.resolved import Resolved
from traceviz.doctor.check import Found, describe
from traceviz.doctor.tally import Tally, workload_groups, workload_sizes
from traceviz.hops import Hops
from traceviz.notes import define
from traceviz.parties import Party
from traceviz.sources.fields import NEGATIVE_DURATION

#: Nobody traced requests before 2000, and 2100 is nobody's clock that is set; ns since 1970.
EARLIEST_NS = 946_684_800 * 10**9
LATEST_NS = 4_102_444_800 * 10**9
#: A span of a request that lasts a month is none: even streams are cut by idle and connection time-outs long before.
LONGEST_NS = 30 * 86_400 * 10**9

IMPOSSIBLE_TIMES = define(
    "impossible-times",
    "{count} {count:span has|spans have} a time that cannot be",
    """Spans began in a year in which nothing was traced, have no time at all, lasted for a month, or ended before they
    began.

    Sign: a start before 2000 or after 2100, a missing one (it stands at 1970), a duration of more than 30 days, a
    negative one (it counts as 0; which service that was is not known any more).

    Cause: an exporter that writes seconds or milliseconds where microseconds or nanoseconds belong, in a size that is
    not recognised as such; a clock that was never set, or was set back during the span; a start that was never
    recorded.

    What to do: correct the exporter, or the clock of the node. The spans are kept: calls and statuses count, and what
    is said about latencies, order and windows of time is wrong where they take part.

    Threshold: one span, because no load and no network makes such times. The years are those in which tracing exists,
    and 30 days is longer than any connection lives.""",
)
describe(
    IMPOSSIBLE_TIMES,
    "{count} {count:span|spans}{of_service} {count:has|have} a time that cannot be: {what}.",
    "Correct the unit that the exporter writes (µs in Jaeger and Zipkin, ns in OTLP), or the clock of the node.",
)


class ImpossibleTimes:
    """Spans with impossible times by workload; of all its spans."""

    def __init__(self) -> None:
        self._spans: Tally[Party] = Tally()

    def count(self, hops: Hops) -> None:
        forest, spans = hops.forest, hops.forest.spans
        odd = (spans.start_ns < EARLIEST_NS) | (spans.start_ns > LATEST_NS) | (spans.duration_ns > LONGEST_NS)
        for group in workload_groups(hops, odd & ~forest.duplicate):
            self._spans[hops.parties[group.number]].add(group.size, examples=group.examples)
        for number, size in workload_sizes(hops, ~forest.duplicate):
            self._spans[hops.parties[number]].add(of=size)

    def merge(self, other: ImpossibleTimes) -> ImpossibleTimes:
        self._spans.merge(other._spans)
        return self

    def found(self, resolved: Resolved) -> Iterable[Found]:
        for service, cases in self._spans.under(resolved.names.workload).met():
            yield Found(
                IMPOSSIBLE_TIMES,
                "problem",
                service,
                (),
                cases.count,
                cases.share,
                "certain",
                cases.examples,
                {
                    "of_service": f" of {service}",
                    "what": "before 2000, after 2100, missing, or longer than 30 days",
                },
            )
        for note in resolved.notes.documents():
            if note["code"] == NEGATIVE_DURATION:
                yield Found(
                    IMPOSSIBLE_TIMES,
                    "problem",
                    None,
                    (),
                    note["count"],
                    None,
                    "certain",
                    (),
                    {"of_service": "", "what": "it ended before it began"},
                )
