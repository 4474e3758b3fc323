"""HTTP to one Jaeger: its base URL, GETs with retries, bodies as they arrive. Failures are SourceFailed."""

from __future__ import annotations

import logging
import math
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from traceviz.asking.access import Access
from traceviz.asking.certificates import client_certificate, verification
from traceviz.asking.credentials import Secrets, credentials
from traceviz.asking.refusals import Answer, BrokenOff, NotThere, printable, transport_failure, usage_failure
from traceviz.asking.refusals import TimedOut as TimedOut
from traceviz.errors import SourceFailed, UsageError

_BLOCK = 1024 * 1024
_MOST_BODY = 16 * 1024 * 1024
_CONNECT_S = 10.0
#: Answers that say "not now".
_BUSY = frozenset({429, 502, 503, 504})
_TRIES = 4
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
#: How long a server that had answered before is waited for: a Jaeger restarts, a port-forward is made anew.
_PATIENCE_S = 20.0
#: The longest pause that a server may ask for, and how long it may do so again and again.
_LONGEST_RETRY_AFTER_S = 30.0
_MOST_RETRY_AFTER_S = 90.0

#: What people paste after the base path: pages of Jaeger's UI, routes of its API.
_BEYOND_BASE = re.compile(
    r"/(?:search|dependencies|deep-dependencies|monitor|compare|quality-metrics|trace/[^/]*"
    r"|api(?:/v3)?/(?:traces|trace-summaries|services|operations|dependencies|metrics)(?:/.*)?)/?$"
)

_CA_BUNDLE = "The environment names them, in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE; --ca-cert FILE goes before it"

_log = logging.getLogger("traceviz")


def split_url(text: str) -> tuple[str, tuple[str, str] | None]:
    """A given URL as (base URL without user, query and trailing slash; user and password, if it had them).

    `http://u:p@host:16686/jaeger/search?service=x` is (`http://host:16686/jaeger`, ("u", "p")): the base path is kept,
    what the UI or the API puts behind it is cut. Raises UsageError where it is no http(s) URL, without quoting secrets.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
        text.encode()
    except ValueError as error:  # a port that is no number, brackets that do not close, half a character
        raise usage_failure(text, "is not a URL") from error
    if parts.scheme not in ("http", "https"):
        raise usage_failure(text, "does not begin with http:// or https://")
    if not host or not all(character.isprintable() and character != " " for character in host):
        raise usage_failure(text, "names no host")
    user = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    place = f"[{host}]" if ":" in host else host
    path = _BEYOND_BASE.sub("", parts.path).rstrip("/")
    return f"{parts.scheme}://{place}{'' if port is None else f':{port}'}{path}", user


class Connection:
    """Keeps connections to a server open. GETs only; redirects are not followed, so that no header reaches a stranger.

    Asked again, after growing pauses, are answers 429, 502, 503 and 504, and connections that broke before an answer:
    a few times, or for 20 s where the server had answered before. Then it is also waited for where nothing listens any
    more, by all threads together. What timed out is not asked again, because the server is still busy with it.
    `timeout_s` is the longest silence. `base` is the URL in every message. `lost` counts how often the server was gone
    after it had been there.

    May be used by `parallel` threads at a time. They share a requests session: none of its parts changes once it is
    made, its cookies neither, as none are taken, and urllib3's pools below it are made for threads.
    """

    def __init__(self, access: Access) -> None:
        self.base, user = split_url(access.url)
        self.timeout_s = access.timeout_s
        self.lost = 0
        self._was_there = self._is_there = False
        self._gone_since = math.inf
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._secrets = Secrets()
        self._credentials = credentials(access, self.base, user, self._secrets)
        tenant = "" if access.tenant is None else f"{access.tenant_header}: {access.tenant}"
        self._sent = _Sent(self._credentials.whose, tenant, self._secrets)
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(access.request_headers())
        self._session.headers["Accept"] = "application/json"
        self._session.auth = self._credentials
        self._session.cert = client_certificate(access)
        # What the environment says of proxies and authorities is looked up here, and not again for every request. What
        # was given goes before it.
        found = self._session.merge_environment_settings(self.base, {}, None, verification(access), None)
        self._session.proxies, self._session.verify = found["proxies"], found["verify"]
        self._session.trust_env = False
        # One more than threads that search: whoever waits for them may ask something, too.
        adapter = HTTPAdapter(pool_maxsize=access.parallel + 1, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        if access.insecure and self.base.startswith("https:"):
            _log.warning("--insecure: nothing proves that %s is who it says it is", self.base)
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it would come with every request

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open. Whoever waits to ask again gives up."""
        self._closed.set()
        self._session.close()

    def get(self, path: str, parameters: Sequence[tuple[str, str]] = (), base: str | None = None) -> Reply:
        """GET a route below the base. Raises SourceFailed where no answer comes, TimedOut where it would come too
        late; any status is an answer."""
        at = base or self.base
        patience = _Patience()
        if self._closed.is_set():
            raise SourceFailed(f"the connection to {self.base} was closed")
        while True:
            try:
                reply = self._ask(at, path, parameters)
            except (NotThere, BrokenOff) as failure:
                self._lose()
                final = isinstance(failure, NotThere) and not self._was_there
                # What is asked for while the server is gone waits no longer than what was asked for before.
                patience.began_by(self._gone_since)
                if final or not self._wait(patience.pause_s(self._was_there), str(failure)):
                    raise
                continue
            if reply.status not in _BUSY:
                self._was_there = self._is_there = True
                return reply
            pause_s = patience.pause_s(self._was_there, reply.retry_after_s)
            if pause_s is None:
                return reply
            reply.close()
            if not self._wait(pause_s, f"{at} answered {reply.status}"):
                raise SourceFailed(f"{at} answered {reply.status}, and was not asked again")

    def _lose(self) -> None:
        """Many threads may meet the same loss; it counts once."""
        with self._changing:
            if self._is_there:
                self._is_there = False
                self._gone_since = time.monotonic()
                self.lost += 1

    def _wait(self, pause_s: float | None, why: str) -> bool:
        """Wait before asking again. False where there is nothing to wait for any more."""
        if pause_s is None or self._closed.is_set():
            return False
        _log.info("%s; asking again in %.1f s", why, pause_s)
        return not self._closed.wait(pause_s)

    def _ask(self, at: str, path: str, parameters: Sequence[tuple[str, str]]) -> Reply:
        """Ask once, and once more where newer credentials are found for those refused."""
        began = time.monotonic()
        response = self._send(at, path, parameters)
        refused = response.request.headers.get("Authorization", "")
        if response.status_code == 401 and self._credentials.renewed(str(refused)):
            _log.info("%s answered 401; asking again with what %s is now", at, self._credentials.whose)
            response.close()
            response = self._send(at, path, parameters)
        return Reply(response, path, at, began, self._sent)

    def _send(self, at: str, path: str, parameters: Sequence[tuple[str, str]]) -> requests.Response:
        connect_s = min(_CONNECT_S, self.timeout_s)
        try:
            return self._session.get(
                at + path,
                # Half a surrogate pair, which a name can hold, is no text that a URL can carry.
                params=[(name, value.encode("utf-8", "replace")) for name, value in parameters],
                stream=True,
                allow_redirects=False,
                timeout=(connect_s, self.timeout_s),
            )
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise UsageError("a header given holds characters that no header may have, such as a line break") from None
        except (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError) as error:
            if isinstance(error, requests.exceptions.InvalidProxyURL):
                raise transport_failure(error, at, self.timeout_s) from error
            raise usage_failure(at, "is not a URL") from error
        except requests.RequestException as error:  # an OSError as well
            wait_s = connect_s if isinstance(error, requests.ConnectTimeout) else self.timeout_s
            failure = transport_failure(error, at, wait_s)
            if not self._closed.is_set():
                _log.debug("GET %s%s: %s", at, path, failure)
            raise failure from error
        except OSError as error:
            raise UsageError(f"no certificates to check {at} with: {printable(str(error))}", _CA_BUNDLE) from error


class _Patience:
    """How long one GET is tried: a few times, or for 20 s where the server is known to exist."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tries = 0

    def began_by(self, at: float) -> None:
        """The waiting began at that time by the monotonic clock, if not before."""
        self._began = min(self._began, at)

    def pause_s(self, known: bool, retry_after_s: float | None = None) -> float | None:
        """How long to wait before the next try; None where there is to be none."""
        self._tries += 1
        # Drawn by lot, so that requests that failed together do not come back together.
        pause_s = min(_PAUSE_S * 2 ** (self._tries - 1), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)
        longest_s = _PATIENCE_S if retry_after_s is None else _MOST_RETRY_AFTER_S
        if retry_after_s is not None:
            if retry_after_s > _LONGEST_RETRY_AFTER_S:
                return None
            pause_s += retry_after_s
        over = time.monotonic() + pause_s - self._began > longest_s
        return None if over or (not known and self._tries >= _TRIES) else pause_s


@dataclass(frozen=True)
class _Sent:
    """As whom it was asked: which credentials, which tenant. `secrets` stand in them."""

    whose: str
    tenant: str
    secrets: Secrets


class Reply:
    """One answer, of which only the head has been read. To be closed by `with`.

    `began` is when it was asked for, by the monotonic clock.
    """

    def __init__(self, response: requests.Response, path: str, base: str, began: float, sent: _Sent) -> None:
        self.status = response.status_code
        self.cut_off = False
        self._response = response
        self._path = path
        self._base = base
        self._began = began
        self._sent = sent

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, which is used again if the body was read to its end."""
        size, ms = self._response.raw.tell(), (time.monotonic() - self._began) * 1000
        url = self._sent.secrets.hidden(str(self._response.url))
        _log.debug("GET %s: %d, %s bytes, %.0f ms", url, self.status, f"{size:,}", ms)
        self._response.close()

    @property
    def retry_after_s(self) -> float | None:
        """How long the server asks to be left alone."""
        wish = self._response.headers.get("Retry-After")
        try:
            return None if wish is None else urllib3.Retry().parse_retry_after(wish)
        except urllib3.exceptions.InvalidHeader:
            return None

    def blocks(self) -> Iterator[bytes]:
        """The body as it arrives, never an empty block. Where it breaks off it ends, and `cut_off` is set."""
        try:
            # Everything that is there, and no waiting for more, which would be lost where it breaks off. Small pieces
            # would each wait for the threads that decode.
            while block := self._response.raw.read1(_BLOCK, decode_content=True):
                yield block
        except urllib3.exceptions.HTTPError:
            self.cut_off = True

    def answer(self, body: bytes | None = None) -> Answer:
        """The whole answer, body read (up to 16 MB) unless given: for small documents and error messages."""
        if body is None:
            arrived = bytearray()
            for block in self.blocks():
                arrived += block
                if len(arrived) >= _MOST_BODY:
                    break
            body = bytes(arrived)
        headers = self._response.headers
        return Answer(
            base=self._base,
            path=self._path,
            status=self.status,
            location=headers.get("Location", ""),
            body=body,
            challenge=headers.get("WWW-Authenticate", ""),
            retry_after_s=self.retry_after_s,
            whose=self._sent.whose,
            tenant=self._sent.tenant,
            secrets=self._sent.secrets,
        )
