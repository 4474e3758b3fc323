"""The options that say how to reach a Jaeger, and as whom ▸ an Access. Flag goes before variable, before context."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from traceviz import when
from traceviz.asking.access import DEFAULT_TENANT_HEADER, DEFAULT_URL, Access
from traceviz.asking.refusals import without_secrets
from traceviz.config import Config, read_config
from traceviz.errors import TracevizError, UsageError
from traceviz.verbosity import verbose

_Command = TypeVar("_Command", bound=Callable[..., Any])

_HEADER = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(\S.*?)\s*", re.DOTALL)
_CONTEXT, _TROUBLE = "traceviz.context", "traceviz.context-trouble"
#: What is in force where nothing can be: of files it makes no difference.
_NO_CONTEXT = Config(Path(), None, {}), None
#: What a context says of the traces of its Jaeger, and nothing of those in files.
_ABOUT_ITS_TRACES = ("service", "since", "limit")
#: What a context says to its own Jaeger alone: who asks, and whom to trust.
_ITS_OWN = ("headers", "bearer_token_file", "basic_auth_file", "ca_cert", "cert", "key", "insecure")
_AUTHORIZATION = "authorization"
#: Of these only one is meant, the one that was said in the higher place.
_EXCLUSIVE = (
    ("bearer_token_file", "basic_auth_file", _AUTHORIZATION),
    ("ca_cert", "insecure"),
    ("limit", "everything"),
    ("since", "from_"),
)
_PLACES = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)

_log = logging.getLogger("traceviz")


class _Header(click.ParamType):  # type: ignore[type-arg]
    """`name: value` ▸ (name, value); in a variable one a line. What is wrong with one never quotes its value."""

    name = "header"

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return [line for line in rv.splitlines() if line.strip()]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        found = _HEADER.fullmatch(value)
        if found is None:
            raise UsageError("a header given by -H or TRACEVIZ_HEADERS is none", "It reads 'name: value', in quotes")
        return found[1], found[2]


class _FileName(click.ParamType):  # type: ignore[type-arg]
    """The name of a file, with `~`, which a shell leaves as it is in `--key=~/key`."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return value if isinstance(value, Path) else Path(os.path.expanduser(value))


def _adopt_context(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Make what the context says click's defaults. It is read before all other options, so that one that cannot be used
    is told by `settle`, which knows whether it is needed; one that the command line names is told at once."""
    if not ctx.resilient_parsing:
        ctx.meta[_CONTEXT], ctx.meta[_TROUBLE] = _NO_CONTEXT, None
        try:
            config = read_config()
            chosen = config.current if name is None else name
            defaults = config.defaults(chosen) if chosen else {}
        except UsageError as trouble:
            if ctx.get_parameter_source("context") is ParameterSource.COMMANDLINE:
                raise
            ctx.meta[_TROUBLE] = trouble
        else:
            ctx.meta[_CONTEXT] = config, chosen
            ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return name


def _complete_context(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        return [CompletionItem(name) for name in read_config().contexts if name.startswith(incomplete)]
    except TracevizError:
        return []


def _option(*names: str, variable: str, **more: Any) -> Callable[[_Command], _Command]:
    return click.option(*names, envvar=f"TRACEVIZ_{variable}", show_envvar=True, **more)


_FILE = _FileName()
_OPTIONS = (
    _option("--url", "-u", variable="URL", help=f"The Jaeger. [default: {DEFAULT_URL}]"),
    _option(
        "--context",
        variable="CONTEXT",
        metavar="NAME",
        is_eager=True,
        expose_value=False,
        callback=_adopt_context,
        shell_complete=_complete_context,
        help="What `traceviz config` shows under this name; '' is none. [default: current-context]",
    ),
    _option(
        "--api",
        variable="API",
        type=click.Choice(["auto", "v3", "v1"]),
        default="auto",
        show_default=True,
        help="Jaeger's API.",
    ),
    _option(
        "--header",
        "-H",
        "headers",
        variable="HEADERS",
        metavar="'NAME: VALUE'",
        type=_Header(),
        multiple=True,
        help="A header of every request. Repeatable; in the variable one a line. Others on the machine see a command "
        "line: secrets belong into the variable, a context, or the files below.",
    ),
    _option(
        "--bearer-token-file",
        variable="BEARER_TOKEN_FILE",
        type=_FILE,
        help="A file with a token, read again when it changes.",
    ),
    _option("--basic-auth-file", variable="BASIC_AUTH_FILE", type=_FILE, help="A file with user:password."),
    _option("--tenant", variable="TENANT", metavar="NAME", help="Whose traces, in a Jaeger with tenants."),
    _option(
        "--tenant-header",
        variable="TENANT_HEADER",
        metavar="NAME",
        default=DEFAULT_TENANT_HEADER,
        show_default=True,
        help="The header that says so.",
    ),
    _option(
        "--ca-cert", variable="CA_CERT", type=_FILE, help="The authority (PEM) that signed the server's certificate."
    ),
    _option("--cert", variable="CERT", type=_FILE, help="A client certificate (PEM)."),
    _option("--key", variable="KEY", type=_FILE, help="Its private key (PEM), where that is not in the same file."),
    _option("--insecure", variable="INSECURE", is_flag=True, help="Do not look at the server's certificate."),
    _option(
        "--timeout",
        variable="TIMEOUT",
        metavar="DURATION",
        default="60s",
        show_default=True,
        help="How long to wait for an answer.",
    ),
    _option(
        "--parallel",
        variable="PARALLEL",
        type=click.IntRange(min=1),
        default=4,
        show_default=True,
        help="So many requests at a time.",
    ),
    _option("--ui-url", variable="UI_URL", metavar="URL", help="Jaeger's page for links. [default: --url]"),
)
_AS_THEY_ARE = (
    *("parallel", "bearer_token_file", "basic_auth_file", "tenant", "tenant_header"),
    *("ca_cert", "cert", "key"),
)
_NAMES = {"url", "context", "api", "headers", "insecure", "timeout", "ui_url", "verbose", *_AS_THEY_ARE}


def connection(command: _Command) -> _Command:
    """How to reach a Jaeger, and as whom: the options that `access` takes, and `api` and `ui_url`."""
    for decorate in reversed((*_OPTIONS, verbose)):
        command = decorate(command)
    return command


class Sectioned(click.Command):
    """A command whose help has the options of `connection` last, under a heading of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Connection": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections["Connection" if parameter.name in _NAMES else "Options"].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def access(options: dict[str, Any]) -> Access:
    """Take the options of `connection` out of a command's options, as an Access. Raises UsageError where they exclude
    each other, or a header is given twice."""
    settle(options)
    headers = _by_name(options.pop("headers") or ())
    return Access(
        options.pop("url"),
        dict(headers.values()),
        timeout_s=_duration_ns(options.pop("timeout"), "timeout") / 1e9,
        insecure=bool(options.pop("insecure")),
        **{name: options.pop(name) for name in _AS_THEY_ARE},
    )


def _duration_ns(text: str, name: str) -> int:
    """The duration of an option. Where it is none, that tells who said so: the flag, or its variable."""
    try:
        return when.parse_duration(text)
    except UsageError as error:
        ctx = click.get_current_context()
        option = next(option for option in ctx.command.params if option.name == name)
        by_variable = ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT
        raise UsageError(f"{option.envvar if by_variable else option.opts[0]}: {error}", error.remedy) from None


def settle(options: dict[str, Any]) -> None:
    """Set the URL that is meant, a target before `--url`, and leave out what something else goes before.

    Of options that exclude each other that is what was said in a lower place: a context's `since` where `--from` is
    given, its `limit` where `--all` is, its token where `--basic-auth-file` is. A context's `service`, `since` and
    `limit` are about the traces of its Jaeger, so they are left out where files are read. What it says of who asks
    goes to its own URL alone, with a warning elsewhere.
    """
    targets = options.get("targets", ())
    _tell_of_context(bool(targets) and not _addresses(targets))
    options["url"] = next(iter(_addresses(targets)), options["url"]) or DEFAULT_URL
    if targets and not _addresses(targets):
        _leave_out(options, [name for name in _ABOUT_ITS_TRACES if _place(name) is ParameterSource.DEFAULT_MAP])
    _leave_out(options, _kept_back(options))
    login = [header for header in options["headers"] or () if header[0].lower() == _AUTHORIZATION]
    for names in _EXCLUSIVE:
        _leave_out(options, _outranked(options | {_AUTHORIZATION: login}, names))
    if _AUTHORIZATION in options:
        del options[_AUTHORIZATION]
        options["headers"] = tuple(header for header in options["headers"] if header not in login)


def context_in_force() -> tuple[Config, str | None]:
    """The configuration, and the name of the context that gives defaults to the running command."""
    config, name = click.get_current_context().meta[_CONTEXT]
    return config, name or None


def _tell_of_context(only_files: bool) -> None:
    """Raise what is wrong with the context; where only files are read nothing of it is needed, and it is a warning."""
    trouble: UsageError | None = click.get_current_context().meta[_TROUBLE]
    if trouble is not None and not only_files:
        raise trouble
    if trouble is not None:
        _log.warning("no context is used for these files: %s", trouble)


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """(name, value) of headers by their name in small letters, in which names are the same."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        if name.lower() in found:
            raise UsageError(f"the header {name} is given twice")
        found[name.lower()] = name, value
    return found


def _addresses(targets: Sequence[str]) -> list[str]:
    return [target for target in targets if target.startswith(("http://", "https://"))]


def _place(name: str) -> ParameterSource | None:
    """Where an option was said."""
    return click.get_current_context().get_parameter_source("headers" if name == _AUTHORIZATION else name)


def _leave_out(options: dict[str, Any], names: Iterable[str]) -> None:
    """Take options as not given."""
    for name in names:
        options[name] = None


def _outranked(options: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of some options that exclude each other which were said in a lower place than another."""
    given = {name: _PLACES.index(place) for name in names if options.get(name) and (place := _place(name)) in _PLACES}
    return [name for name, rank in given.items() if rank > min(given.values())]


def _kept_back(options: Mapping[str, Any]) -> list[str]:
    """What the context gives and another server than its own would get."""
    config, name = context_in_force()
    home = config.defaults(name).get("url") if name else None
    if home is None or _origin(home) == _origin(options["url"]):
        return []
    kept = [name for name in _ITS_OWN if options.get(name) and _place(name) is ParameterSource.DEFAULT_MAP]
    if kept:
        _log.warning(
            "context %s is about %s: its %s %s left out for %s",
            name,
            without_secrets(home),
            ", ".join(key.replace("_", "-") for key in kept),
            "is" if len(kept) == 1 else "are",
            without_secrets(options["url"]),
        )
    return kept


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port. A URL that is none is like no other."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", url, None
