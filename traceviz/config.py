"""Contexts: named Jaegers with what it takes to ask them, in a TOML file that people write.

current-context = "prod"

[contexts.prod]
url = "https://jaeger.example.com/jaeger"
bearer-token-file = "prod.token"          # beside this file, or ~/…, or absolute
tenant = "acme"
headers = { X-Scope-OrgID = "acme" }
since = "30m"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from traceviz import when
from traceviz.asking.refusals import printable, without_secrets
from traceviz.errors import UsageError
from traceviz.sources.names import shown

EXAMPLE = """\
current-context = "prod"

[contexts.prod]
url = "https://jaeger.example.com/jaeger"
bearer-token-file = "prod.token"
tenant = "acme"
since = "30m"

[contexts.local]
url = "http://localhost:16686"
"""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CURRENT = re.compile(r"""^(\s*current-context\s*=\s*)(?:"[^"\n]*"|'[^'\n]*')(.*)$""", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


class _Wrong(Exception):
    """A value that is none of its kind. The text says what one is."""


@dataclass(frozen=True)
class Config:
    """A configuration file that was read. `contexts` are as they stand there; one is looked at when it is used."""

    path: Path
    current: str | None
    contexts: Mapping[str, Mapping[str, Any]]

    def defaults(self, name: str) -> dict[str, Any]:
        """What a context says, by option: `{"url": …, "bearer_token_file": Path(…), "headers": [(name, value)]}`.

        Raises UsageError for a context that does not exist, an unknown key, a value of the wrong kind.
        """
        if name not in self.contexts:
            raise UsageError(f"there is no context {shown(name)} in {self.path}", self._which(name))
        read: dict[str, Any] = {}
        for key, value in self.contexts[name].items():
            where = f"{self.path}: contexts.{name}.{printable(key)}"
            if key not in KEYS:
                raise UsageError(f"{where} is not known", _which_key(key))
            try:
                read[key.replace("-", "_")] = KEYS[key](value, self.path.parent)
            except _Wrong as wrong:
                raise UsageError(f"{where} {_quoted(key, value)}, and not {wrong}") from None
        return read

    def _which(self, name: str) -> str:
        if not self.contexts:
            return f"It may read:\n{EXAMPLE}"
        close = get_close_matches(name, self.contexts, n=1)
        return f"Did you mean {shown(close[0])}?" if close else f"There is {_listed(self.contexts)}"


def config_path() -> Path:
    """Where the configuration is: TRACEVIZ_CONFIG, else traceviz/config.toml where XDG says, else in ~/.config."""
    if named := os.environ.get("TRACEVIZ_CONFIG"):
        return Path(os.path.expanduser(named))
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # XDG's own rule: a relative one is not valid and has to be ignored.
    folder = home if os.path.isabs(home) else os.path.expanduser("~/.config")
    return Path(folder, "traceviz", "config.toml")


def read_config() -> Config:
    """Read the configuration; one without contexts where there is no file, unless TRACEVIZ_CONFIG names it.

    Raises UsageError with file and line, or file and key, where it cannot be read.
    """
    path = config_path()
    if not os.path.exists(path):  # or in a folder that may not be looked into: a home of somebody else's
        if os.environ.get("TRACEVIZ_CONFIG"):
            raise UsageError(f"{printable(str(path))}, which TRACEVIZ_CONFIG names, does not exist")
        return Config(path, None, {})
    try:
        text = path.read_bytes().decode("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {printable(str(error))}", f"It may read:\n{EXAMPLE}") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deep") from None
    return _checked(path, document)


def use(name: str) -> Config:
    """Make a context the current one, in the file, where everything else stays as it is, and give what it now says.

    Raises UsageError where there is no such context, or the file cannot be changed.
    """
    config = read_config()
    if name not in config.contexts:
        config.defaults(name)
    text = config.path.read_bytes().decode("utf-8-sig")
    changed = _with_current(text, name)
    try:
        written = _checked(config.path, tomllib.loads(changed))
    except tomllib.TOMLDecodeError:
        written = config
    if (written.current, written.contexts) != (name, config.contexts):
        raise UsageError(f"{config.path} is not written in a way that can be changed here", "Set current-context there")
    _replace(config.path, changed)
    return written


def _with_current(text: str, name: str) -> str:
    """The file's text with another current-context: in its line, else in a new one at the top."""
    table = _FIRST_TABLE.search(text)
    end = table.start() if table else len(text)
    line = f"current-context = {_quote(name)}"
    head, count = _CURRENT.subn(lambda found: f"{found[1]}{_quote(name)}{found[2]}", text[:end], count=1)
    return (head if count else f"{line}\n{text[:end]}") + text[end:]


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, where a link leads to, with its mode."""
    real = Path(os.path.realpath(path))
    new = real.with_name(f"{real.name}.new")
    try:
        new.touch(mode=0o600)
        new.chmod(real.stat().st_mode & 0o777)
        new.write_bytes(text.encode())
        new.replace(real)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def _checked(path: Path, document: dict[str, Any]) -> Config:
    for key in document:
        if key not in ("current-context", "contexts"):
            hint = (
                f"It belongs into a context: [contexts.NAME] {key} = …" if key in KEYS else f"It may read:\n{EXAMPLE}"
            )
            raise UsageError(f"{path}: {printable(key)} is not known", hint)
    current, contexts = document.get("current-context"), document.get("contexts", {})
    if not (current is None or isinstance(current, str)):
        raise UsageError(f"{path}: current-context is {_typed(current)}, and not the name of a context")
    if not isinstance(contexts, dict):
        raise UsageError(f"{path}: contexts is {_typed(contexts)}, and no table", f"It may read:\n{EXAMPLE}")
    for name, context in contexts.items():
        if not isinstance(context, dict):
            raise UsageError(f"{path}: contexts.{printable(name)} is {_typed(context)}, and no table")
    return Config(path, current or None, contexts)


def _text(value: object, folder: Path) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong("a text")
    return value


def _file(value: object, folder: Path) -> Path:
    """Relative names are relative to the file of the configuration, wherever traceviz is called."""
    if not isinstance(value, str) or not value:
        raise _Wrong("the name of a file")
    return folder / os.path.expanduser(value)


def _flag(value: object, folder: Path) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _count(value: object, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Wrong("a whole number from 1 up")
    return value


def _duration(value: object, folder: Path) -> str:
    try:
        when.parse_duration(_text(value, folder))
    except (UsageError, _Wrong):
        raise _Wrong("a duration like 30s or 10m") from None
    return str(value)


def _api(value: object, folder: Path) -> str:
    if value not in ("auto", "v3", "v1"):
        raise _Wrong("one of auto, v3, v1")
    return str(value)


def _headers(value: object, folder: Path) -> list[tuple[str, str]]:
    if not isinstance(value, dict) or not all(isinstance(text, str) and text for text in value.values()):
        raise _Wrong('a table of texts like { X-Scope-OrgID = "acme" }')
    if not all(_HEADER_NAME.fullmatch(name) for name in value):
        raise _Wrong("a table of headers: a name holds no blank, colon or umlaut")
    return list(value.items())


#: What a context may say; what reads it takes the value and the folder of the file.
KEYS: dict[str, Callable[[object, Path], Any]] = {
    "url": _text,
    "api": _api,
    "headers": _headers,
    "bearer-token-file": _file,
    "basic-auth-file": _file,
    "tenant": _text,
    "tenant-header": _text,
    "ca-cert": _file,
    "cert": _file,
    "key": _file,
    "insecure": _flag,
    "timeout": _duration,
    "parallel": _count,
    "ui-url": _text,
    "service": _text,
    "since": _duration,
    "limit": _count,
}
#: Their values are never shown, also where they are wrong.
_HIDDEN = {"headers"}


def _which_key(key: str) -> str:
    if any(word in key.lower() for word in ("token", "bearer")):
        return "A token stands in a file of its own: bearer-token-file"
    if any(word in key.lower() for word in ("password", "user", "auth")):
        return "User and password stand in a file of their own, as user:password: basic-auth-file"
    close = get_close_matches(key, KEYS, n=1)
    return f"Did you mean {close[0]}?" if close else f"A context may have {_listed(KEYS)}"


def _quoted(key: str, value: object) -> str:
    if key in _HIDDEN:
        return f"is {_typed(value)} that is not understood"
    if isinstance(value, str):
        return f"is {shown(without_secrets(value) if key.endswith('url') else value)}"
    return f"is {_typed(value)}" if isinstance(value, (dict, list)) else f"is {printable(str(value))}"


def _typed(value: object) -> str:
    kinds = ((bool, "a boolean"), (int, "a number"), (float, "a number"), (str, "a text"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a table")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(printable(name) for name in names)


def _quote(name: str) -> str:
    """A name as a TOML text."""
    escaped = "".join(
        f"\\{character}" if character in '"\\' else character if character.isprintable() else f"\\U{ord(character):08x}"
        for character in name
    )
    return f'"{escaped}"'
