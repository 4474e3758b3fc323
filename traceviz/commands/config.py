"""traceviz config"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource
from requests.utils import get_environ_proxies, select_proxy
from rich.cells import cell_len

from traceviz.asking.credentials import netrc_login, shown_name
from traceviz.asking.refusals import without_secrets
from traceviz.commands.streams import echo, say
from traceviz.config import EXAMPLE, KEYS, config_path, read_config, use
from traceviz.connecting import Sectioned, access, context_in_force, settle
from traceviz.errors import UsageError
from traceviz.options import selection
from traceviz.render.words import clean


class _ShowsWithoutCommand(click.Group):
    """`traceviz config --context prod` is `traceviz config show --context prod`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("config", cls=_ShowsWithoutCommand)
def config_command() -> None:
    """How Jaegers are reached: what is in force, and the contexts.

    Contexts stand in ~/.config/traceviz/config.toml, or where TRACEVIZ_CONFIG says. A flag goes before its TRACEVIZ_
    variable, and that before the context. Without a command: show.

    \b
    traceviz config
    traceviz config use prod
    """


@config_command.command(cls=Sectioned)
@selection
def show(**options: Any) -> None:
    """What is in force, and where each value comes from. Secrets are not shown."""
    config, name = context_in_force()
    given = dict(options)
    settle(options)
    rows = [
        ("config", clean(str(config.path)), "" if os.path.exists(config.path) else "no such file"),
        ("context", clean(name or "none"), _source("context", "current-context" if name else "")),
        *((key, *_row(key, given, options, name)) for key in KEYS),
        *_of_environment(options),
    ]
    echo(_table(rows))
    if not config.contexts:
        echo(f"\nThere are no contexts yet. {clean(str(config.path))} may read:\n\n{EXAMPLE}")
    access(options)


@config_command.command()
def contexts() -> None:
    """All contexts; the current one has a star."""
    config = read_config()
    if not config.contexts:
        echo(f"There are no contexts. {clean(str(config.path))} may read:\n\n{EXAMPLE}")
        return
    rows = []
    for name in config.contexts:
        try:
            url = config.defaults(name).get("url")
            said = without_secrets(url) if url else "no url"
        except UsageError as error:
            said = f"cannot be used: {error}"
        rows.append(("*" if name == config.current else " ", clean(name), clean(said)))
    echo(_table(rows))
    if config.current and config.current not in config.contexts:
        say(f"current-context is {config.current!r}, and there is no such context")


@config_command.command("use")
@click.argument("name")
def use_command(name: str) -> None:
    """Make a context the current one, in the file, where all else stays as it is."""
    use(name)
    say(f"{config_path()}: current-context is now {name!r}")


def _row(key: str, given: dict[str, Any], settled: dict[str, Any], context: str | None) -> tuple[str, str]:
    """The value of an option, as it may be shown, and where it comes from."""
    parameter = key.replace("-", "_")
    source = _source(parameter, clean(f"context {context}"))
    if settled[parameter] != given[parameter] and parameter != "url":
        return "not used here", source
    if parameter == "url" and settled["url"] in given["targets"]:
        source = "argument"
    return clean(_shown(parameter, settled[parameter])), source


def _shown(parameter: str, value: Any) -> str:
    if value is None or value == ():
        return "–"
    if parameter == "headers":
        return ", ".join(f"{name}: …" for name, _ in value)
    if parameter in ("url", "ui_url"):
        shown = without_secrets(value)
        return shown if "@" not in value else f"{shown} (user and password: …)"
    if parameter in ("bearer_token_file", "basic_auth_file"):
        return shown_name(value).strip("'\"")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(parameter: str, context: str) -> str:
    """Where an option was said: its flag, its variable, the context, or nowhere."""
    ctx = click.get_current_context()
    option = next(option for option in ctx.command.params if option.name == parameter)
    places = {
        ParameterSource.COMMANDLINE: max(option.opts, key=len),
        ParameterSource.ENVIRONMENT: str(option.envvar),
        ParameterSource.DEFAULT_MAP: context,
    }
    place = ctx.get_parameter_source(parameter)
    found = context if parameter == "context" and place is ParameterSource.DEFAULT else places.get(place, "")  # type: ignore[arg-type]
    return found or "default"


def _of_environment(options: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What else steers a request: a proxy, a login in .netrc."""
    url = options["url"]
    if proxy := select_proxy(url, get_environ_proxies(url)):
        yield "proxy", clean(without_secrets(proxy)), "environment"
    if netrc_login(url):
        yield "netrc", "user and password: …", ".netrc"


def _table(rows: Sequence[tuple[str, str, str]]) -> str:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)
