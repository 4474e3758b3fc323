"""A Jaeger's traces over its HTTP API: /api/v3 where there is one, else the older /api."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Literal

import numpy as np

from traceviz.errors import NothingFound, SourceFailed, UsageError
from traceviz.notes import Notes, define
from traceviz.sources.connection import Connection, Reply
from traceviz.sources.names import gateway_like, resolve_service
from traceviz.sources.reader import read_stream
from traceviz.sources.refusals import Answer, looks_like_page, status_failure
from traceviz.spans import Spans
from traceviz.when import rfc3339_nano

Api = Literal["v3", "v1"]

LIMIT_HIT = define(
    "limit-hit",
    "the limit was reached at {count} traces, there may be more in the window: raise --limit or shorten --since",
    """As many traces came as were allowed, so there are probably more.

    Sign: the number of traces is the limit. The examples are the services whose search was full.

    Cause: a search of Jaeger has no pages and does not say how many traces it left out. What it leaves out is the
    older part of the window with most storages, any part with Cassandra and ClickHouse.

    What to do: a larger `--limit`, a shorter `--since`, or one `--service`. Shares and latencies are of the traces
    that came; counts are not of the whole window.
    """,
)
LIMIT_LOWERED = define(
    "limit-lowered",
    "the Jaeger refused the limit asked for, a lower one was used",
    """A Jaeger's storage allows fewer traces a search than were asked for.

    Sign: it answers 500 "search depth must be greater than 0 and less than max traces". The examples are limits
    it refused; half of the last one was taken.

    Cause: the memory store takes no limit above its `max_traces`, others have a fixed largest one.

    What to do: nothing, unless `limit-hit` stands beside it: then shorten `--since`.
    """,
)
SERVICES_NOT_ASKED = define(
    "services-not-asked",
    "{count} {count:service was|services were} not asked for because the limit was reached before: "
    "raise --limit or name a --service",
    """Every service was to be asked for, and the limit on traces was reached before the last of them.

    Sign: no `--service`, and more traces than `--limit`. The examples are services that were not asked for.

    Cause: services are asked one after another, gateways first, and the limit holds for all of them together. Traces
    in which only the services left out take part are not in the answer.

    What to do: a larger `--limit`, a shorter `--since`, or `--service`.
    """,
)
ANSWER_CUT_OFF = define(
    "answer-cut-off",
    "{count} {count:answer|answers} of the Jaeger broke off midway, what had arrived is used",
    """The connection broke, or was silent for too long, while a Jaeger was sending traces.

    Sign: fewer traces than expected, the last one perhaps torn. The examples are the services that were asked for.

    Cause: a Jaeger that ran out of memory over a large answer, a proxy's time limit, a port-forward that ended.

    What to do: ask again; if it happens again, a smaller `--limit` or a shorter `--since`.
    """,
)

#: Jaeger's own services: it traces itself, in every version under another name.
_OWN_SERVICES = {"jaeger", "jaeger-query", "jaeger-all-in-one"}
_MOST_LIMIT = 2**31 - 1  # v1 reads 32 bits
_BEGINNING = 64 * 1024

_SERVICES: dict[Api, tuple[str, str]] = {"v3": ("/api/v3/services", "services"), "v1": ("/api/services", "data")}


class Jaeger:
    """A jaeger-query at a URL. To be closed by `with`.

    `api` is "v3" or "v1" once it is known, by the body of an answer, never by its content type (Jaeger says text/plain
    for good JSON and 200 for pages). `notes` collects what the answers left out. Every method raises SourceFailed
    where the Jaeger cannot be reached, refuses, fails, or is none; UsageError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        api: Literal["auto", "v3", "v1"] = "auto",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self.api: Api | None = None if api == "auto" else api
        self.notes = Notes()
        self._api_is_fixed = api != "auto"
        self._connection = Connection(url, headers, timeout_s)
        self._largest_limit = _MOST_LIMIT

    @property
    def url(self) -> str:
        """The base URL, without user and password."""
        return self._connection.base

    def __enter__(self) -> Jaeger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def services(self) -> list[str]:
        """The names of all services it knows, sorted; finds out which API there is."""
        refusals = []
        for api in [self.api] if self.api else _SERVICES:
            path, key = _SERVICES[api]
            answer = self._ask(path)
            names = _listed(answer, key)
            if names is not None:
                self.api = api
                return sorted({name for name in names if isinstance(name, str)})
            refusals.append(answer)
        # "No such route" from one API is what an old or a new Jaeger says; the other's answer is then the trouble.
        raise self._failure(next((a for a in refusals if a.status not in (200, 404)), refusals[-1]))

    def operations(self, service: str) -> list[tuple[str, str]]:
        """(operation, kind) of everything a service did, sorted; kind is "" where it is not known."""
        api = self._known_api()
        path, key = ("/api/v3/operations", "operations") if api == "v3" else ("/api/operations", "data")
        answer = self._ask(path, [("service", service)])
        entries = _listed(answer, key)
        if entries is None:
            raise self._failure(answer)
        operations = [entry for entry in entries if isinstance(entry, dict)]
        return sorted({(str(entry.get("name") or ""), str(entry.get("spanKind") or "")) for entry in operations})

    def traces(self, services: Sequence[str], from_ns: int, to_ns: int, limit: int) -> Iterator[Spans]:
        """At most `limit` whole traces in which one of `services` has a span that began in the window.

        The services are asked for one after another, and a trace that several searches find is given once. Notes
        `limit-hit`, `limit-lowered`, `services-not-asked`, `answer-cut-off`. No trace is no failure.
        """
        if limit < 1:
            raise UsageError(f"the limit of traces is {limit}", "It has to be at least 1")
        if from_ns >= to_ns:
            raise UsageError("the window ends before it begins", "See --since, --from and --to")
        before: set[str] = set()
        full: list[str] = []
        for position, service in enumerate(services):
            if len(before) >= limit:
                self.notes.add(SERVICES_NOT_ASKED, len(services) - position, services[position:])
                break
            found: set[str] = set()
            now: set[str] = set()
            for spans in self._search(service, from_ns, to_ns, limit):
                found.update(spans.trace_ids)
                room = limit - len(before) - len(now)
                new = [t for t in spans.trace_ids if t not in before and t not in now][:room]
                now.update(new)
                wanted = _with_traces(spans, now)
                if len(wanted):
                    yield wanted
                else:
                    self.notes.merge(wanted.notes)
            before |= now
            if len(found) >= min(limit, self._largest_limit):
                full.append(service)
        if full or len(before) >= limit:
            self.notes.add(LIMIT_HIT, len(before), full)

    def _known_api(self) -> Api:
        if self.api is None:
            self.services()
        assert self.api is not None
        return self.api

    def _ask(self, path: str, parameters: Sequence[tuple[str, str]] = (), base: str | None = None) -> Answer:
        with self._connection.get(path, parameters, base) as reply:
            return reply.answer()

    def _search(self, service: str, from_ns: int, to_ns: int, limit: int) -> Iterator[Spans]:
        """The answer to one search, its limit halved until the Jaeger takes it."""
        api = self._known_api()
        while True:
            allowed = min(limit, self._largest_limit)
            with self._connection.get(*_question(api, service, from_ns, to_ns, allowed)) as reply:
                if reply.status == 200:
                    yield from self._read(reply, service)
                    return
                answer = reply.answer()
            if answer.status == 404 and _no_traces_found(answer):
                return
            if answer.status != 500 or "search depth" not in answer.message() or allowed == 1:
                raise self._failure(answer)
            self._lower_limit(allowed)

    def _lower_limit(self, refused: int) -> None:
        self._largest_limit = refused // 2
        self.notes.add(LIMIT_LOWERED, examples=[f"{refused:,} refused"])

    def _read(self, reply: Reply, service: str) -> Iterator[Spans]:
        """The traces of a 200, which can still be a page, an error, or break off."""
        blocks = reply.blocks()
        arriving = bytearray()
        for block in blocks:
            arriving += block
            if len(arriving) >= _BEGINNING:
                break
        beginning = bytes(arriving)
        if not reply.cut_off:
            answer = reply.answer(beginning)
            # Only a small answer is a whole document already, and only small ones are an error or empty.
            document = answer.document() if len(beginning) < _BEGINNING else None
            if not _may_be_json(beginning) or (document is not None and _is_refusal(document)):
                raise self._failure(answer)
            if document is not None and not _holds_traces(document):
                return
        arrived = 0
        for spans in read_stream(chain([beginning], blocks), self.url):
            arrived += len(spans)
            yield spans
        if reply.cut_off:
            if not arrived:
                raise SourceFailed(
                    f"the answer of {self.url} broke off before a whole trace had arrived",
                    "Ask for less: a smaller --limit, a shorter --since",
                )
            self.notes.add(ANSWER_CUT_OFF, examples=[service])

    def _failure(self, answer: Answer) -> SourceFailed:
        """What to say of an answer that is none; where the base path or the API looks wrong, which one answers."""
        failure = status_failure(answer)
        if answer.status not in (200, 301, 302, 303, 307, 308, 404) or answer.error():
            return failure
        scheme, _, rest = self.url.partition("://")
        root = f"{scheme}://{rest.partition('/')[0]}"
        for base in dict.fromkeys((self.url, f"{self.url}/jaeger", f"{root}/jaeger", root)):
            if base == self.url and not self._api_is_fixed:
                continue  # both APIs were tried there
            if api := self._api_at(base):
                failure.remedy = (
                    f"Its API is {api}: --api {api}" if base == self.url else f"A Jaeger answers there: --url {base}"
                )
                break
        return failure

    def _api_at(self, base: str) -> Api | None:
        """The API that answers below another base URL."""
        for api, (path, key) in _SERVICES.items():
            try:
                if _listed(self._ask(path, base=base), key) is not None:
                    return api
            except SourceFailed:
                return None
        return None


def services_asked(jaeger: Jaeger, service: str | None) -> list[str]:
    """The names to ask a Jaeger for: what `service` means, or all it knows but its own, gateways first.

    Gateways first because whole requests enter there, where a limit cuts the rest. Raises NothingFound.
    """
    known = jaeger.services()
    gateways = gateway_like(known)
    if service is None:
        names = [*gateways, *(name for name in known if name not in _OWN_SERVICES and name not in gateways)]
        if not names:
            raise NothingFound(
                f"{jaeger.url} knows no service yet",
                "Do the proxies send their spans there, and is the sampling above 0? It forgets when it restarts",
            )
        return names
    try:
        return resolve_service(service, known, gateways, jaeger.notes)
    except NothingFound as nothing:
        raise NothingFound(f"{nothing} at {jaeger.url}", nothing.remedy) from None


def fetch(jaeger: Jaeger, service: str | None, from_ns: int, to_ns: int, limit: int) -> Iterator[Spans]:
    """The traces of one service, as a user names it, or of every service: at most `limit`, each once.

    See `services_asked` for the names and `Jaeger.traces` for the rest.
    """
    yield from jaeger.traces(services_asked(jaeger, service), from_ns, to_ns, limit)


def _question(api: Api, service: str, from_ns: int, to_ns: int, limit: int) -> tuple[str, list[tuple[str, str]]]:
    """Route and parameters of a search. Older versions of v3 know snake_case only, and fail without num_traces."""
    if api == "v3":
        return "/api/v3/traces", [
            ("query.service_name", service),
            ("query.start_time_min", rfc3339_nano(from_ns)),
            ("query.start_time_max", rfc3339_nano(to_ns)),
            ("query.num_traces", str(limit)),
        ]
    return "/api/traces", [
        ("service", service),
        ("start", str(from_ns // 1000)),
        ("end", str(-(-to_ns // 1000))),
        ("limit", str(limit)),
    ]


def _listed(answer: Answer, key: str) -> list[Any] | None:
    """The list that an answer holds under `key`; None where it is no such answer.

    An empty list is `{"services": []}`, `{"data": null}`, or `{}`, as v3 leaves out what is empty.
    """
    document = answer.document()
    if answer.status != 200 or not isinstance(document, dict) or document.get("errors"):
        return None
    if key not in document and document:
        return None
    entries = document.get(key)
    return [] if entries is None else entries if isinstance(entries, list) else None


def _no_traces_found(answer: Answer) -> bool:
    """v3's 404 for no traces is JSON with this message; a route that is not there is not."""
    document = answer.document()
    return isinstance(document, dict) and "error" in document and "no traces found" in answer.message().lower()


def _holds_traces(document: Any) -> bool:
    """Whether a search's answer holds anything: not with `data: []` (v1) or an empty `result` (v3)."""
    result = document.get("result")
    return bool(document.get("data") or document.get("resourceSpans") or (result and result != {"resourceSpans": []}))


def _is_refusal(document: Any) -> bool:
    """Whether it is no answer to a search: v1's `data: null` with `errors`, v3's `error`, or strange altogether."""
    if not isinstance(document, dict):
        return True
    if _holds_traces(document):
        return False
    return bool(document.get("errors") or document.get("error") or not document.keys() & {"data", "result"})


def _may_be_json(beginning: bytes) -> bool:
    """JSON objects, plain or gzipped."""
    return not looks_like_page(beginning) and beginning.lstrip()[:1] in (b"{", b"\x1f")


def _with_traces(spans: Spans, wanted: set[str]) -> Spans:
    """The rows whose traces are wanted; what was noted while reading is kept with them."""
    keep = np.array([trace_id in wanted for trace_id in spans.trace_ids], np.bool_)
    if keep.all():
        return spans
    part = spans.take(keep[spans.trace])
    part.notes.merge(spans.notes)
    return part
