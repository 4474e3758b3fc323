"""What a server or the way to it did instead of answering, said in one sentence with the next thing to try."""

from __future__ import annotations

import json
import re
import socket
import ssl
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from traceviz.asking.credentials import Secrets
from traceviz.asking.login import is_login_page, leads_to_login
from traceviz.errors import SourceFailed, UsageError

_FORWARD = "kubectl -n istio-system port-forward svc/tracing 16686:80, then --url http://localhost:16686/jaeger"
_IN_A_MESH = f"In an Istio mesh: {_FORWARD}"
_PAST_LOGIN = f"Past a login, in an Istio mesh: {_FORWARD}"
_LOG_IN = (
    f"Give a token (--bearer-token-file FILE), a session of your browser (-H 'Cookie: …'), or go past it: {_FORWARD}"
)
_WHICH_URL = f"Is that a Jaeger, with its base path and no login before it? {_PAST_LOGIN}"
_IN_TROUBLE = "Jaeger or its storage is in trouble, its log says why; a smaller --limit or a shorter --since may do"
_REDIRECTS = (301, 302, 303, 307, 308)
#: OpenSSL's verify codes for a certificate of another host name or address.
_OTHER_NAME = (62, 64)
#: What a server's TLS says to a client without a certificate, or with one that it does not trust.
_ABOUT_CLIENT = (
    "CERTIFICATE_REQUIRED",
    "ALERT_UNKNOWN_CA",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE",
    "ALERT_HANDSHAKE",
)
_CERTIFICATE = "--cert FILE --key FILE"
_MOST_QUOTED = 200
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,500})", re.IGNORECASE)


class NotThere(SourceFailed):
    """Nothing takes a connection at the URL."""


class BrokenOff(SourceFailed):
    """The connection broke before an answer came."""


class TimedOut(SourceFailed):
    """No answer came in time. A question for less may have one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end.

    `challenge` is its WWW-Authenticate, `retry_after_s` how long it asks to be left alone. `whose` says which
    credentials were sent, `tenant` the tenant with its header; empty where none were. `secrets` no message may repeat.
    """

    base: str
    path: str
    status: int
    location: str
    body: bytes
    challenge: str = ""
    retry_after_s: float | None = None
    whose: str = ""
    tenant: str = ""
    secrets: Secrets = field(default_factory=Secrets)

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
        return printable(self.secrets.hidden(text))

    def document(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def looks_like_page(body: bytes) -> bool:
    """Whether this begins like HTML or XML, which no answer of Jaeger's API does."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def printable(text: str, most: int = _MOST_QUOTED) -> str:
    """Text of strangers for a message: one line, nothing that steers a terminal or turns the writing, cut when long."""
    plain = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    line = " ".join(plain.split())
    return line if len(line) <= most else line[: most - 1] + "…"


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
        return NotThere(f"nothing listens at {url}: connection refused", f"Is Jaeger there? {_IN_A_MESH}")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return SourceFailed(
            f"the host {host!r} of {url} is not known to DNS",
            f"Names inside a cluster are known only there. {_IN_A_MESH}",
        )
    if tls := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        return _tls_failure(tls, url)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotThere(f"{url} takes no connection within {timeout_s:g} s", _IN_A_MESH)
    if isinstance(error, requests.exceptions.Timeout):
        return TimedOut(
            f"{url} gave no answer within {timeout_s:g} s",
            "Ask for less, with a shorter --since, a smaller --limit, one --service; or wait longer, with --timeout",
        )
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return BrokenOff(
        f"{url} broke the connection without an answer" + (f": {printable(reason)}" if reason else ""),
        "Is it the right port, and http or https? A port-forward that lost its pod has to be started anew"
        + (f". A server may want a client certificate: {_CERTIFICATE}" if url.startswith("https:") else ""),
    )


def status_failure(answer: Answer) -> SourceFailed:
    """Why an answer is none, from its status, its body and where it sends."""
    message = answer.message()
    status = answer.status
    said = f"{answer.base} answered {_status_text(status)} to GET {answer.path}"
    if message:
        said += f": {message}"
    if status in (401, 403):
        return _refused(answer, said)
    if status in _REDIRECTS:
        return _redirect(answer)
    if status == 404:
        return SourceFailed(said, _WHICH_URL)
    if status == 407:
        return SourceFailed(said, "The proxy wants a login: HTTP_PROXY=http://user:password@host:port")
    if answer.retry_after_s:
        return SourceFailed(said, f"It asks to be left alone for {answer.retry_after_s:g} s. {_IN_TROUBLE}")
    if status == 429 or status >= 500:
        return SourceFailed(said, _IN_TROUBLE)
    if status == 200:
        return _no_json(answer, message)
    if status == 400 and "https" in message.lower():  # what TLS ports say to plain HTTP
        return SourceFailed(said, f"It speaks TLS: --url {answer.base.replace('http://', 'https://', 1)}")
    return SourceFailed(said, "Jaeger did not understand the question; is --url a Jaeger, and its version known?")


def is_login(answer: Answer) -> bool:
    """Whether this is a login that stands before the Jaeger: a redirect to one, its page, or a demand for one."""
    if answer.status in _REDIRECTS:
        return leads_to_login(answer.location, answer.base + answer.path)
    if answer.status in (401, 403) and (answer.is_page or answer.challenge):
        return True
    return answer.is_page and is_login_page(answer.body)


def _refused(answer: Answer, said: str) -> SourceFailed:
    """A 401 or 403: of Jaeger's tenancy, of a login before it, or for lack of rights."""
    if answer.status == 401 and "tenant" in answer.message().lower() and not answer.is_page:
        return _wrong_tenant(answer, said)
    if answer.status == 401 and answer.whose:
        return SourceFailed(said, f"It does not accept {answer.whose}: has it expired, is it for this Jaeger?")
    if is_login(answer):
        return SourceFailed(f"{said}. A login stands before it", _LOG_IN)
    if answer.status == 401:
        return SourceFailed(said, f"It wants a login. {_LOG_IN}")
    with_whom = f"Sent was {answer.whose}. " if answer.whose else ""
    return SourceFailed(said, f"{with_whom}It wants a login, or other rights. {_PAST_LOGIN}")


def _wrong_tenant(answer: Answer, said: str) -> SourceFailed:
    if not answer.tenant:
        return SourceFailed(said, "This Jaeger has tenants: say whose traces are meant with --tenant NAME")
    return SourceFailed(
        said,
        f"Sent was {answer.tenant}. Is the name right (--tenant), and is that the header it reads (--tenant-header)?",
    )


def _redirect(answer: Answer) -> SourceFailed:
    there = printable(answer.secrets.hidden(without_secrets(answer.location))) or "nowhere"
    said = f"{answer.base} sends GET {answer.path} on to {there}"
    if is_login(answer):
        return SourceFailed(f"{said}, which is a login", _LOG_IN)
    return SourceFailed(said, f"If a Jaeger is there, give that address as --url. {_PAST_LOGIN}")


def _no_json(answer: Answer, message: str) -> SourceFailed:
    said = f"{answer.base} answered GET {answer.path}"
    if answer.error():
        return SourceFailed(f"{said} with an error: {message}", _IN_TROUBLE)
    if answer.is_page:
        titled = f", {message!r}" if message else ""
        if is_login(answer):
            return SourceFailed(f"{said} with an HTML page{titled}, which is a login", _LOG_IN)
        return SourceFailed(f"{said} with an HTML page{titled}", _WHICH_URL)
    if not answer.body.strip():
        return SourceFailed(f"{said} with nothing at all", _WHICH_URL)
    return SourceFailed(f"{said} with something that no Jaeger says: {message}", _WHICH_URL)


def _tls_failure(error: ssl.SSLError, url: str) -> SourceFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceFailed(
            f"the certificate of {url} is not trusted: {printable(error.verify_message)}",
            "Ask by the host name that stands in the certificate"
            if error.verify_code in _OTHER_NAME
            else "Name the authority that signed it: --ca-cert FILE (PEM). "
            "The machine's own are often in /etc/ssl/certs/ca-certificates.crt",
        )
    reason = printable(error.reason or str(error))
    if any(sign in reason for sign in _ABOUT_CLIENT):
        return SourceFailed(
            f"{url} refused the TLS connection: {reason}",
            f"It wants a client certificate that it trusts: {_CERTIFICATE}",
        )
    plain = f"Does it speak plain HTTP? --url {url.replace('https://', 'http://', 1)}"
    if isinstance(error, ssl.SSLEOFError):
        # So ends a restart, and, sooner than its reason is heard, a server that misses a certificate.
        return BrokenOff(
            f"{url} broke the TLS connection off", f"{plain}. Does it want a client certificate? {_CERTIFICATE}"
        )
    return SourceFailed(f"no TLS connection to {url}: {reason}", plain)


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
