"""A Jaeger ▸ Traces: what a user wants, as searches of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from traceviz.asked import Asked
from traceviz.asking.access import Access
from traceviz.asking.collect import INTERRUPTED, Collected, Collection
from traceviz.asking.complete import complete, incomplete
from traceviz.asking.coverage import Coverage
from traceviz.asking.oversight import Oversight
from traceviz.asking.query import Jaeger, services_asked
from traceviz.asking.search import Search
from traceviz.asking.windows import OVERLAP_NS
from traceviz.errors import UsageError
from traceviz.joining import joined
from traceviz.notes import EXAMPLES, Notes, define
from traceviz.selection import Selection
from traceviz.sources.fields import UNREADABLE_RECORD
from traceviz.sources.join import gather
from traceviz.sources.names import gateway_like
from traceviz.spans import Bools, Spans
from traceviz.traces import Traces, nothing_readable
from traceviz.wanted import DEFAULT_LIMIT, DEFAULT_SINCE_NS, Wanted
from traceviz.when import rfc3339

LIMIT_HIT = define(
    "limit-hit",
    "the limit was reached: only the newest of the window are here, {count} {count:trace|traces}; for older ones "
    "raise --limit, use --all or shorten --since",
    """The newest traces were read, as many as were allowed, and there may be more in the window.

    Sign: `seen` in the JSON says which part of the window was read. The example is where it begins.

    What to do: a larger `--limit`, `--all`, or a shorter `--since`. Shares and latencies are of the traces that came;
    counts and rates are not those of the whole window. In `doctor` it is a fact, whenever the limit was reached: what
    is not found may still be in the traces that were not read.
    """,
)
STAYED_FULL = define(
    "window-stayed-full",
    "{count} {count:window|windows} of a millisecond held more traces than one search gives: some are missing",
    """A search that comes back full is split into shorter windows, and these could not be split further.

    Sign: the examples are services and windows, `seen.full` in the JSON has all of them.

    Cause: a burst of traces that began in the same millisecond, or a storage that counts in larger steps.

    What to do: narrow the search with `--service` or `--operation`. What came is used.
    """,
)
NOT_AS_ASKED = define(
    "not-as-asked",
    "{count} {count:trace|traces} came that did not have what was asked for, and {count:was|were} left out",
    """A Jaeger gave traces without any span of the service that has the operation and the duration asked for and lies
    in the window. The examples are such traces.

    Cause: an older API that does not know a condition, a storage that matches the conditions on different spans, or
    that finds durations by the hour (Cassandra); a Jaeger that corrects clocks after it has searched.

    What to do: nothing, every condition is checked here as well.
    """,
)
ONLY_ARRIVED = define(
    "only-arrived-calls",
    "calls that never reached the service asked for are not in these traces, unless something else of it is",
    """`--service` finds traces in which the service has a span, and a call that was refused on its way leaves none.

    An injected fault, an open circuit breaker, a missing route or endpoint is reported by the caller's proxy alone.
    To see them ask for the gateway, or for a caller, or leave `--service` out.""",
)

#: So many spans are kept in memory until the last one has come; more of them wait on disk.
_IN_MEMORY = 50_000
_US = 1000


class Keeps:
    """Called with whole traces, says which rows are of those that fulfil all of a Selection, which has a window,
    whatever the Jaeger made of it. Traces that it should not have given are noted."""

    def __init__(self, selection: Selection, notes: Notes) -> None:
        self._selection = selection
        self._notes = notes
        self._left_out: set[str] = set()

    def __call__(self, spans: Spans) -> Bools:
        selection = self._selection
        assert selection.from_ns is not None
        assert selection.to_ns is not None
        kept = selection.whole_traces(spans)
        if kept.all():
            return kept
        # Searches ask for a little more than the window, of storages that may count in ms; tags are not asked for.
        from_ns, to_ns = selection.from_ns - 2 * OVERLAP_NS, selection.to_ns + 2 * OVERLAP_NS
        nearly = replace(selection, tags=(), from_ns=from_ns, to_ns=to_ns)
        served = nearly.whole_traces(spans)
        if not served.all():
            # A trace can be in several answers, and counts once.
            wrong = {spans.trace_ids[i] for i in spans.trace[~served].tolist()} - self._left_out
            self._left_out |= wrong
            self._notes.add(NOT_AS_ASKED, len(wrong), sorted(wrong)[:EXAMPLES])
        return kept


@dataclass(frozen=True)
class Plan:
    """What a user wants, of one Jaeger: the services to search for, the search, and what is checked here."""

    asked: Asked
    services: Sequence[str]
    search: Search
    selection: Selection

    def for_everything(self, jaeger: Jaeger) -> Plan:
        """The plan for all traces of the window."""
        services = services_asked(jaeger, None)
        search = Search(services[0], self.search.from_ns, self.search.to_ns)
        selection = Selection(frozenset(services), from_ns=self.selection.from_ns, to_ns=self.selection.to_ns)
        return replace(self, services=services, search=search, selection=selection)

    def collection(self, jaeger: Jaeger, parallel: int, oversight: Oversight) -> Collection:
        """The collection of these traces."""
        keeps = Keeps(self.selection, jaeger.notes)
        limit = self.asked.limit
        return Collection(jaeger, self.services, self.search, keeps, limit, parallel, oversight=oversight)


def plan(jaeger: Jaeger, wanted: Wanted, now_ns: int) -> Plan:
    """What to ask a Jaeger. Raises NothingFound for a service that it does not know."""
    # Documents and dumps say when in µs, so whole µs are asked for.
    from_ns, to_ns = wanted.window(-(-now_ns // _US) * _US, DEFAULT_SINCE_NS)
    assert from_ns is not None
    assert to_ns is not None
    from_ns, to_ns = from_ns // _US * _US, -(-to_ns // _US) * _US
    if from_ns >= to_ns:
        raise UsageError("the window ends before it begins", "See --since, --from and --to")
    services = services_asked(jaeger, wanted.service)
    if wanted.service is not None:
        note_what_is_missing(wanted.service, services, gateway_like(services), jaeger.notes)
    limit = None if wanted.everything else wanted.limit or DEFAULT_LIMIT
    asked = Asked(
        (jaeger.url,),
        from_ns,
        to_ns,
        wanted.service,
        limit,
        (wanted.ui_url or jaeger.url).rstrip("/"),
        wanted.operation,
        tuple(f"{key}={value}" for key, value in wanted.tags),
        wanted.min_duration_ns,
        wanted.max_duration_ns,
    )
    conditions = (wanted.operation, wanted.min_duration_ns, wanted.max_duration_ns)
    search = Search(services[0], from_ns, to_ns, *conditions)
    selection = Selection(frozenset(services), None, *conditions, wanted.tags, from_ns, to_ns)
    return Plan(asked, services, search, selection)


class Reading:
    """One run of a plan. `answers` gives what comes, and afterwards `newest` are the traces that are wanted of it, None
    for all, `copied` those that came several times, and `asked` says what was seen of the window."""

    def __init__(self, jaeger: Jaeger, planned: Plan, complete: int, parallel: int, oversight: Oversight) -> None:
        self.asked = planned.asked
        self.newest: frozenset[str] | None = None
        self.copied: set[str] = set()
        self.collection = planned.collection(jaeger, parallel, oversight)
        self._jaeger = jaeger
        self._complete = complete
        self._parallel = parallel
        self._oversight = oversight
        self._torn: dict[str, int] = {}

    def adopt(self, coverage: Coverage, batches: Iterable[Spans]) -> None:
        """Go on where another reading stopped: with what it has seen, and the whole traces that came."""
        self.collection.adopt(coverage, map(self._with_torn_noted, batches))

    def answers(self) -> Iterator[Collected]:
        """What the searches give, then the traces that are completed by their ids. To be read once, to the end."""
        for collected in self.collection.answers():
            self._with_torn_noted(collected.spans)
            yield collected
        newest = self.newest = self.collection.kept()
        self.copied |= self.collection.grown
        wanting = {trace_id: spans for trace_id, spans in self._torn.items() if newest is None or trace_id in newest}
        for page in complete(self._jaeger, wanting, self._complete, self._parallel, self._oversight):
            self.copied.update(page.spans.trace_ids)
            yield Collected(page.body, page.spans)
        if self._oversight.stop.is_set() and not self._jaeger.notes.count(INTERRUPTED):
            self._jaeger.notes.add(INTERRUPTED)
        self.asked = replace(self.asked, seen=self.collection.coverage.document())
        note_limits(self.collection, self._jaeger.notes)

    def _with_torn_noted(self, spans: Spans) -> Spans:
        self._torn.update(incomplete(spans))
        return spans


@contextmanager
def open_jaeger(access: Access, wanted: Wanted, oversight: Oversight) -> Iterator[Traces]:
    """The traces of a Jaeger that are wanted, all read before this begins."""
    with to_be_read(access, wanted) as jaeger, read(jaeger, wanted, access.parallel, oversight) as traces:
        yield traces


def to_be_read(access: Access, wanted: Wanted) -> Jaeger:
    """The Jaeger, to be closed by `with`, that gives what the conditions wanted are about."""
    return Jaeger(access, wanted.api, Selection(tags=wanted.tags).extra_tags)


@contextmanager
def read(jaeger: Jaeger, wanted: Wanted, parallel: int, oversight: Oversight) -> Iterator[Traces]:
    """The same of a Jaeger from `to_be_read`."""
    planned = plan(jaeger, wanted, time.time_ns())
    # The torn-off parts of a request have nothing of what it is selected by.
    to_read = planned.for_everything(jaeger) if wanted.join_requests else planned
    reading = Reading(jaeger, to_read, wanted.complete, parallel, oversight)
    with ExitStack() as open_until_read:
        gathered = open_until_read.enter_context(
            gather((collected.spans for collected in reading.answers()), _IN_MEMORY)
        )
        interrupted = oversight.stop.is_set()
        if interrupted and not gathered.spans:
            raise KeyboardInterrupt
        if not gathered.spans and gathered.notes.count(UNREADABLE_RECORD):
            raise nothing_readable((jaeger.url,), gathered.notes)
        traces = Traces(
            reading.asked,
            gathered,
            jaeger.notes,
            newest=reading.newest,
            copied=reading.copied,
            interrupted=interrupted,
            control_plane=wanted.control_plane,
        )
        if wanted.join_requests:
            traces.selection = planned.selection
            open_until_read.enter_context(joined(traces))
        yield traces


def note_limits(collection: Collection, notes: Notes) -> None:
    """Say what a limit, the user's or the Jaeger's, left out."""
    coverage = collection.coverage
    if collection.limit_hit:
        kept = collection.kept()
        notes.add(LIMIT_HIT, collection.traces if kept is None else len(kept), [rfc3339(coverage.horizon_ns)])
    full = coverage.full
    notes.add(STAYED_FULL, len(full), [f"{service} {rfc3339(window.from_ns)}" for service, window in full])


def note_what_is_missing(service: str, services: Iterable[str], gateways: Iterable[str], notes: Notes) -> None:
    """All requests pass a gateway; of any other service a search sees only what arrived there."""
    if not set(services) & set(gateways):
        notes.add(ONLY_ARRIVED, 1, [service])
