"""A Jaeger over its HTTP API: its services, its operations, one page of a search. /api/v3 where there is one, else the
older /api."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal

from traceviz.asking.access import Access
from traceviz.asking.connection import Connection, Reply, TimedOut
from traceviz.asking.page import Page
from traceviz.asking.refusals import Answer, is_login, looks_like_page, status_failure
from traceviz.asking.search import RAW_OF_TRACE, Api, Search
from traceviz.errors import NothingFound, SourceFailed
from traceviz.notes import Notes, define
from traceviz.sources.names import gateway_like, resolve_service

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
_HEAVY = 64 * 1024 * 1024  # what a page may weigh unpacked, several are held at once

_SMALL = 64 * 1024

_SERVICES: dict[Api, tuple[str, str]] = {"v3": ("/api/v3/services", "services"), "v1": ("/api/services", "data")}


class TooMuch(SourceFailed):
    """A search failed in a way that a smaller one may not: it took too long, it broke the storage."""


class Jaeger:
    """A jaeger-query, asked with an `Access`. To be closed by `with`; may be asked from several threads.

    `api` is "v3" or "v1" once it is known, by the body of an answer, never by its content type (Jaeger says text/plain
    for good JSON and 200 for pages). `extra_tags` are read beside those of `spans.TAGS`. `notes` collects what was
    said on the way. Every method raises SourceFailed where the Jaeger cannot be reached, refuses, fails, or is none;
    UsageError for a URL that is none.
    """

    def __init__(
        self, access: Access, api: Literal["auto", "v3", "v1"] = "auto", extra_tags: Sequence[str] = ()
    ) -> None:
        self.api: Api | None = None if api == "auto" else api
        self.notes = Notes()
        self._api_is_fixed = api != "auto"
        self._connection = Connection(access)
        self._extra_tags = tuple(extra_tags)
        self._services: list[str] | None = None
        self._largest_limit = _MOST_LIMIT

    @property
    def url(self) -> str:
        """The base URL, without user and password."""
        return self._connection.base

    @property
    def lost(self) -> int:
        """How often the connection was lost after it had been there."""
        return self._connection.lost

    def __enter__(self) -> Jaeger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def services(self) -> list[str]:
        """The names of all services it knows, sorted; finds out which API there is. It is asked for them once."""
        if self._services is None:
            self._services = self._services_told()
        return self._services

    def _services_told(self) -> list[str]:
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

    def page(self, search: Search, limit: int) -> Page:
        """The traces of a search, at most `limit`, or as many as the storage allows. No trace is no failure."""
        api = self._known_api()
        while True:
            allowed = min(limit, self._largest_limit)
            try:
                with self._connection.get(*search.question(api, allowed)) as reply:
                    if reply.status == 200:
                        return self._read(reply, allowed)
                    answer = reply.answer()
            except TimedOut as error:
                raise TooMuch(str(error), error.remedy) from error
            if answer.status == 404 and _no_traces_found(answer):
                return Page(allowed)
            if answer.status == 500 and "search depth" in answer.message() and allowed > 1:
                self._lower_limit(allowed)
            elif answer.status >= 500:
                raise TooMuch(*_said(self._failure(answer)))
            else:
                raise self._failure(answer)

    def trace(self, trace_id: str) -> Page:
        """One trace by its id, wherever in time it is; a page without traces where there is none."""
        api = self._known_api()
        route = "/api/v3/traces/" if api == "v3" else "/api/traces/"
        with self._connection.get(route + trace_id, [RAW_OF_TRACE[api]]) as reply:
            if reply.status == 200:
                return self._read(reply, 1)
            answer = reply.answer()
        if answer.status == 404 and answer.error():
            return Page(1)
        raise self._failure(answer)

    def _known_api(self) -> Api:
        if self.api is None:
            self.services()
        assert self.api is not None
        return self.api

    def _ask(self, path: str, parameters: Sequence[tuple[str, str]] = (), base: str | None = None) -> Answer:
        with self._connection.get(path, parameters, base) as reply:
            return reply.answer()

    def _lower_limit(self, refused: int) -> None:
        # Several threads may be refused the same limit at once: it is halved once, and said once.
        if refused <= self._largest_limit:
            self._largest_limit = refused // 2
            self.notes.add(LIMIT_LOWERED, examples=[f"{refused:,} refused"])

    def _read(self, reply: Reply, limit: int) -> Page:
        """The traces of a 200, which can still be a page, an error, or break off."""
        body, is_whole = self._body(reply, limit)
        if is_whole:
            answer = reply.answer(body)
            # Only a small answer is looked at as a document: only small ones are an error or empty.
            document = answer.document() if len(body) < _SMALL else None
            if not _may_be_json(body) or (document is not None and _is_refusal(document)):
                raise self._failure(answer)
            if document is not None and not _holds_traces(document):
                return Page(limit)
        page = Page(limit, body, self.url, self._extra_tags, not is_whole or not _ends_as_json(body))
        if reply.cut_off and not len(page.spans):
            raise TooMuch(
                f"the answer of {self.url} broke off before a whole trace had arrived",
                "Ask for less: a smaller --limit, a shorter --since",
            )
        return page

    def _body(self, reply: Reply, limit: int) -> tuple[bytes, bool]:
        """What arrives, and whether it is everything: of several traces no more is read than a page may weigh."""
        arrived: list[bytes] = []
        size = 0
        for block in reply.blocks():
            arrived.append(block)
            size += len(block)
            if size > _HEAVY and limit > 1:
                return b"".join(arrived), False
        return b"".join(arrived), not reply.cut_off

    def _failure(self, answer: Answer) -> SourceFailed:
        """What to say of an answer that is none; where the base path or the API looks wrong, which one answers."""
        failure = status_failure(answer)
        if answer.status not in (200, 301, 302, 303, 307, 308, 404) or answer.error() or is_login(answer):
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


def _said(failure: SourceFailed) -> tuple[str, str]:
    return str(failure), failure.remedy


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


def _ends_as_json(body: bytes) -> bool:
    """Where the length that was said is too short, nothing else tells that there is more."""
    return body.startswith(b"\x1f") or body.rstrip().endswith(b"}")


def _may_be_json(beginning: bytes) -> bool:
    """JSON objects, plain or gzipped."""
    return not looks_like_page(beginning) and beginning.lstrip()[:1] in (b"{", b"\x1f")
