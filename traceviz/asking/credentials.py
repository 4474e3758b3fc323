"""Who asks: the Authorization of every request, and the files that secrets stand in."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from base64 import b64encode
from netrc import NetrcParseError
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from requests.utils import get_netrc_auth

from traceviz.asking.access import Access
from traceviz.errors import UsageError
from traceviz.sources.names import shown

_MOST_BYTES = 64 * 1024
#: What a token is made of; a header can carry no more than that.
_TOKEN = re.compile(r"[!-~]+")
#: A secret that was given where a file's name belongs: a JWT, OpenShift's tokens, user:password, long random text.
_LIKE_A_SECRET = re.compile(r"(?![/.~])(?:eyJ[\w-]*\..*|sha256~.*|[^/\s]+:.*|\S{32,})", re.DOTALL)
#: The words of a header's value, one of which may be repeated alone: `session=abc; theme=dark`, `Bearer abc`.
_WORD = re.compile(r"[^\s;,=\"]{6,}")
_SCHEMES = {"bearer", "basic", "digest", "negotiate"}
_SHORTEST = 4

_log = logging.getLogger("traceviz")


class Credentials(Protocol):
    """What gives a request its Authorization. `whose` says in a message what that is, empty where there is none."""

    whose: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest: ...

    def renewed(self, refused: str) -> bool:
        """Whether there are others now than the Authorization that was refused."""


class Secrets:
    """Texts that no message and no log may repeat, in the forms in which a server may say them back."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, *texts: str) -> None:
        """Hide these from now on, and the words they are made of. Texts too short to be secret are not."""
        for text in texts:
            words = [word for word in _WORD.findall(text) if word.lower() not in _SCHEMES]
            forms = {form for part in (text, *words) for form in (part, quote(part, safe=""), quote(part))}
            known = {*self._texts, *(form for form in forms if len(form) >= _SHORTEST)}
            self._texts = sorted(known, key=lambda form: (-len(form), form))  # the longer one may hold the shorter

    def hidden(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._texts:
            text = text.replace(secret, "…")
        return text


class Fixed(AuthBase):
    """One Authorization for the whole run; without one the headers given are sent as they are.

    Either way requests looks into no .netrc of its own, which would overwrite a header given.
    """

    def __init__(self, whose: str = "", authorization: str = "") -> None:
        self.whose = whose
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request

    def renewed(self, refused: str) -> bool:
        return False


class BearerToken(AuthBase):
    """The token in a file, read again when the file changes: tokens of a cluster live for an hour or less.

    Once a token is known, a file that is missing or empty while it is replaced leaves it in use.
    """

    def __init__(self, path: Path, secrets: Secrets) -> None:
        self.whose = f"the token of --bearer-token-file {path}"
        self._path = path
        self._secrets = secrets
        self._state: tuple[int, ...] = ()
        self._token = ""
        self._read()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._file_state() != self._state:
            self._read_again()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def renewed(self, refused: str) -> bool:
        self._read_again()
        return f"Bearer {self._token}" != refused

    def _read_again(self) -> None:
        with contextlib.suppress(UsageError):
            self._read()

    def _read(self) -> None:
        state = self._file_state()
        lines = secret_lines(self._path, "--bearer-token-file", "the token")
        if len(lines) > 1 or not _TOKEN.fullmatch(lines[0]):
            raise UsageError(
                f"{self._path} of --bearer-token-file holds more than a token",
                "It takes a file with the token alone, without the word Bearer",
            )
        self._secrets.add(lines[0])
        self._token, self._state = lines[0], state

    def _file_state(self) -> tuple[int, ...]:
        """What differs once a file was written or replaced, also behind a link as in a pod's mounted secrets."""
        try:
            status = self._path.stat()
        except (OSError, ValueError):  # not there, for the moment or at all
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino


def credentials(access: Access, base: str, user: tuple[str, str] | None, secrets: Secrets) -> Credentials:
    """The credentials of an access to `base`; `user` are user and password of its URL. Their secrets are added.

    Raises UsageError where a file cannot be read or holds something else.
    """
    secrets.add(*access.headers.values())
    if access.bearer_token_file is not None:
        return BearerToken(access.bearer_token_file, secrets)
    if access.basic_auth_file is not None:
        path = access.basic_auth_file
        name, colon, password = secret_lines(path, "--basic-auth-file", "user:password")[0].partition(":")
        if not colon:
            raise UsageError(f"the first line of {path} of --basic-auth-file holds no colon", "It reads user:password")
        return _basic(f"the user of --basic-auth-file {path}", name, password, secrets)
    if any(name.lower() == "authorization" for name in access.headers):
        return Fixed("the Authorization given")
    if user is not None:
        return _basic("the user of the URL", *user, secrets)
    if netrc := netrc_login(base):
        return _basic("the user of .netrc", *netrc, secrets)
    return Fixed("the Cookie given" if any(name.lower() == "cookie" for name in access.headers) else "")


def netrc_login(url: str) -> tuple[str, str] | None:
    """User and password that .netrc, or the file that NETRC names, has for a URL. One that is broken is warned of."""
    try:
        return get_netrc_auth(url, raise_errors=True)
    except NetrcParseError as error:  # its message quotes the file
        _log.warning("%s is not understood, from line %s on; no login is taken from it", error.filename, error.lineno)
    except (OSError, ValueError) as error:
        _log.warning(".netrc cannot be read: %s", getattr(error, "strerror", None) or "no text")
    return None


def secret_lines(path: Path, option: str, content: str) -> list[str]:
    """The lines of a small file that holds a secret, at least one. Raises UsageError, which never quotes them."""
    takes = f"It takes the name of a file that holds {content}"
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or "no such file"
        raise UsageError(f"cannot read the file of {option}, {shown_name(path)}: {why}", takes) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    lines = text.strip("\r\n\t ").splitlines()
    if not lines:
        raise UsageError(f"{path} of {option} is empty", takes)
    if len(data) > _MOST_BYTES or not all(line.isprintable() for line in lines):
        raise UsageError(f"{path} of {option} is no text file", takes)
    return lines


def shown_name(path: Path) -> str:
    """A file's name for a message; not where there is none and it looks like the secret itself, put in its place."""
    name = str(path)
    if _LIKE_A_SECRET.fullmatch(name) and not os.path.exists(name):
        return "a name that looks like the secret itself"
    return shown(name)


def _basic(whose: str, name: str, password: str, secrets: Secrets) -> Fixed:
    # UTF-8, because requests takes text for Latin-1.
    encoded = b64encode(f"{name}:{password}".encode()).decode()
    secrets.add(name, password, encoded)
    return Fixed(whose, f"Basic {encoded}")
