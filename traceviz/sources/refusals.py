"""What a server or the way to it did instead of answering, said in one sentence with the next thing to try."""

from __future__ import annotations

import json
import re
import socket
import ssl
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from traceviz.errors import SourceFailed, UsageError

_FORWARD = "kubectl -n istio-system port-forward svc/tracing 16686:80, then --url http://localhost:16686/jaeger"
_IN_A_MESH = f"In an Istio mesh: {_FORWARD}"
_PAST_LOGIN = f"Past a login, in an Istio mesh: {_FORWARD}"
_WHICH_URL = f"Is that a Jaeger, with its base path and no login before it? {_PAST_LOGIN}"
_IN_TROUBLE = "Jaeger or its storage is in trouble, its log says why; a smaller --limit or a shorter --since may do"
_MOST_QUOTED = 200
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,500})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end. `secrets` are texts that no message may repeat."""

    base: str
    path: str
    status: int
    location: str
    body: bytes
    secrets: Sequence[str] = ()

    @property
    def is_page(self) -> bool:
        """Whether the body is HTML: of Jaeger's UI, a proxy, a login."""
        return looks_like_page(self.body)

    def error(self) -> str:
        """Jaeger's own message, empty where it has none."""
        document = self.document()
        return _message_v3(document) or _message_v1(document) if isinstance(document, dict) else ""

    def message(self) -> str:
        """What the server said, shortly: Jaeger's own message, the title of a page, else the text. May be empty."""
        text = self.error()
        if not text:
            start = self.body[:20_000].decode("utf-8", "replace")
            title = _TITLE.search(start)
            text = title.group(1) if title else "" if self.is_page else start
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return printable(text)

    def document(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def looks_like_page(body: bytes) -> bool:
    """Whether this begins like HTML or XML, which no answer of Jaeger's API does."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def printable(text: str) -> str:
    """Text of strangers for a message: one line, nothing that steers a terminal or turns the writing, cut when long."""
    plain = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    line = " ".join(plain.split())
    return line if len(line) <= _MOST_QUOTED else line[: _MOST_QUOTED - 1] + "…"


def usage_failure(url: str, trouble: str) -> UsageError:
    """The UsageError for a URL that is none."""
    return UsageError(f"{without_secrets(url)!r} {trouble}", "A URL looks like http://localhost:16686/jaeger")


def without_secrets(url: str) -> str:
    """A URL as a message may show it: no user, no query, nothing unprintable."""
    return printable(
        re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://|//)?[^/?#]*@", r"\1", url.partition("?")[0].partition("#")[0])
    )


def transport_failure(error: requests.RequestException, url: str, timeout_s: float) -> SourceFailed:
    """Why no answer came from `url`, from the exceptions inside requests' own."""
    causes = list(_causes(error))
    host = urlsplit(url).hostname or ""
    if isinstance(error, (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL)):
        return SourceFailed(
            f"{url} cannot be reached through the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY)",
            f"Set NO_PROXY={host} to go without it",
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return SourceFailed(f"nothing listens at {url}: connection refused", f"Is Jaeger there? {_IN_A_MESH}")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return SourceFailed(
            f"the host {host!r} of {url} is not known to DNS",
            f"Names inside a cluster are known only there. {_IN_A_MESH}",
        )
    if tls := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        return _tls_failure(tls, url)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return SourceFailed(f"{url} takes no connection within {timeout_s:g} s", _IN_A_MESH)
    if isinstance(error, requests.exceptions.Timeout):
        return SourceFailed(
            f"{url} gave no answer within {timeout_s:g} s",
            "Ask for less: a shorter --since, a smaller --limit, one --service",
        )
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return SourceFailed(
        f"{url} broke the connection without an answer" + (f": {printable(reason)}" if reason else ""),
        "Is it the right port, and http or https? A port-forward that lost its pod has to be started anew",
    )


def status_failure(answer: Answer) -> SourceFailed:
    """Why an answer is none, from its status, its body and where it sends."""
    message = answer.message()
    status = answer.status
    said = f"{answer.base} answered {_status_text(status)} to GET {answer.path}"
    if message:
        said += f": {message}"
    if status in (401, 403):
        return SourceFailed(said, f"It wants a login, or other rights. {_PAST_LOGIN}")
    if status in (301, 302, 303, 307, 308):
        return SourceFailed(
            f"{answer.base} sends GET {answer.path} on to {without_secrets(answer.location) or 'nowhere'}",
            f"If a Jaeger is there, give that address as --url. {_PAST_LOGIN}",
        )
    if status == 404:
        return SourceFailed(said, _WHICH_URL)
    if status == 429 or status >= 500:
        return SourceFailed(said, _IN_TROUBLE)
    if status == 200:
        return _no_json(answer, message)
    return SourceFailed(said, "Jaeger did not understand the question; is --url a Jaeger, and its version known?")


def _no_json(answer: Answer, message: str) -> SourceFailed:
    said = f"{answer.base} answered GET {answer.path}"
    if answer.error():
        return SourceFailed(f"{said} with an error: {message}", _IN_TROUBLE)
    if answer.is_page:
        return SourceFailed(f"{said} with an HTML page" + (f", {message!r}" if message else ""), _WHICH_URL)
    if not answer.body.strip():
        return SourceFailed(f"{said} with nothing at all", _WHICH_URL)
    return SourceFailed(f"{said} with something that no Jaeger says: {message}", _WHICH_URL)


def _tls_failure(error: ssl.SSLError, url: str) -> SourceFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceFailed(
            f"the certificate of {url} is not trusted: {printable(error.verify_message)}",
            "Name the authority that signed it in the environment: REQUESTS_CA_BUNDLE=/path/to/ca.pem",
        )
    plain = url.replace("https://", "http://", 1)
    return SourceFailed(
        f"no TLS connection to {url}: {printable(error.reason or str(error))}",
        f"Does it speak plain HTTP? --url {plain}",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all it was made from: requests and urllib3 keep them in args, `reason` and the chain."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        cause = pending.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            pending += [*cause.args, getattr(cause, "reason", None), cause.__context__, cause.__cause__]


def _message_v3(document: dict[str, Any]) -> str:
    """`{"error": {"httpCode": 500, "message": "…"}}`"""
    error = document.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


def _message_v1(document: dict[str, Any]) -> str:
    """`{"data": null, …, "errors": [{"code": 400, "msg": "…"}]}`"""
    errors = document.get("errors")
    messages = [error.get("msg") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return "; ".join(message for message in messages if isinstance(message, str))


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
