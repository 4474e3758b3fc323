"""HTTP to one Jaeger: its base URL, GETs with retries, bodies as they arrive. Failures are SourceFailed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from traceviz.errors import UsageError
from traceviz.sources.refusals import Answer, transport_failure, usage_failure

_BLOCK = 64 * 1024
_MOST_BODY = 16 * 1024 * 1024
_CONNECT_S = 10.0
_RETRIES = 3
_BACKOFF_S = 0.2
_MOST_RETRY_AFTER_S = 5.0

#: What people paste after the base path: pages of Jaeger's UI, routes of its API.
_BEYOND_BASE = re.compile(
    r"/(?:search|dependencies|deep-dependencies|monitor|compare|quality-metrics|trace/[^/]*"
    r"|api(?:/v3)?/(?:traces|trace-summaries|services|operations|dependencies|metrics)(?:/.*)?)/?$"
)


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

    Repeated, with growing pauses, are GETs whose connection broke before an answer, and answers 429, 502, 503, 504;
    not those that timed out, because the server is still busy with them. `timeout_s` is the longest silence.
    `base` is the URL in every message.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout_s: float = 60.0) -> None:
        self.base, user = split_url(url)
        self.timeout_s = timeout_s
        self._secrets = [text for text in (*(headers or {}).values(), *(user or ())) if len(text) >= 4]
        self._session = requests.Session()
        self._session.headers.update(headers or {})
        self._session.headers["Accept"] = "application/json"
        if user is not None:
            # As bytes, because requests takes text for Latin-1.
            self._session.auth = HTTPBasicAuth(user[0].encode(), user[1].encode())
        adapter = HTTPAdapter(max_retries=_retries())
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    def get(self, path: str, parameters: Sequence[tuple[str, str]] = (), base: str | None = None) -> Reply:
        """GET a route below the base. Raises SourceFailed where no answer comes; any status is an answer."""
        at = base or self.base
        connect_s = min(_CONNECT_S, self.timeout_s)
        try:
            response = self._session.get(
                at + path,
                # Half a surrogate pair, which a name can hold, is no text that a URL can carry.
                params=[(name, value.encode("utf-8", "replace")) for name, value in parameters],
                stream=True,
                allow_redirects=False,
                timeout=(connect_s, self.timeout_s),
            )
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise UsageError("a header given holds characters that no header may have, such as a line break") from None
        except requests.ConnectTimeout as error:
            raise transport_failure(error, at, connect_s) from error
        except requests.exceptions.InvalidProxyURL as error:
            raise transport_failure(error, at, self.timeout_s) from error
        except (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError) as error:
            raise usage_failure(at, "is not a URL") from error
        except requests.RequestException as error:
            raise transport_failure(error, at, self.timeout_s) from error
        return Reply(response, path, at, self._secrets)


class Reply:
    """One answer, of which only the head has been read. To be closed by `with`."""

    def __init__(self, response: requests.Response, path: str, base: str, secrets: Sequence[str]) -> None:
        self.status = response.status_code
        self.cut_off = False
        self._response = response
        self._path = path
        self._base = base
        self._secrets = secrets

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._response.close()

    def blocks(self) -> Iterator[bytes]:
        """The body as it arrives, never an empty block. Where it breaks off it ends, and `cut_off` is set."""
        try:
            for block in self._response.iter_content(_BLOCK):
                if block:
                    yield block
        except requests.RequestException:
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
        return Answer(
            base=self._base,
            path=self._path,
            status=self.status,
            location=self._response.headers.get("Location", ""),
            body=body,
            secrets=self._secrets,
        )


class _Retries(urllib3.Retry):
    """Retry as documented at Connection."""

    def increment(self, *args: Any, **named: Any) -> _Retries:
        error = named.get("error")
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise error
        return super().increment(*args, **named)

    def get_retry_after(self, response: Any) -> float | None:
        wanted_s = super().get_retry_after(response)
        return None if wanted_s is None else min(wanted_s, _MOST_RETRY_AFTER_S)


def _retries() -> _Retries:
    return _Retries(
        total=_RETRIES,
        connect=0,
        redirect=0,
        other=0,
        allowed_methods={"GET"},
        status_forcelist={429, 502, 503, 504},
        backoff_factor=_BACKOFF_S,
        raise_on_status=False,
    )
