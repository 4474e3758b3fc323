"""The options that commands share, and what they mean together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from traceviz import when
from traceviz.errors import UsageError
from traceviz.target import Wanted

_Command = TypeVar("_Command", bound=Callable[..., Any])


def selection(command: _Command) -> _Command:
    """Targets, and what to select of them."""
    for decorate in reversed(
        (
            click.argument("targets", nargs=-1, metavar="[FILE|URL]..."),
            click.option(
                "--url",
                "-u",
                envvar="TRACEVIZ_URL",
                show_envvar=True,
                help="The Jaeger. [default: http://localhost:16686]",
            ),
            click.option(
                "--api",
                type=click.Choice(["auto", "v3", "v1"]),
                default="auto",
                show_default=True,
                help="Jaeger's API.",
            ),
            click.option("--service", "-s", help="Keep whole traces that this service takes part in."),
            click.option("--since", metavar="DURATION", help="How far back, like 10m. [default for a Jaeger: 1h]"),
            click.option("--from", "from_", metavar="TIME", help="RFC 3339, epoch s/ms/µs, or now-1h."),
            click.option("--to", metavar="TIME", help="Likewise."),
            click.option(
                "--limit", "-n", type=click.IntRange(min=1), help="At most so many traces. [default for a Jaeger: 1000]"
            ),
            click.option(
                "--timeout",
                metavar="DURATION",
                default="60s",
                show_default=True,
                help="How long to wait for an answer.",
            ),
            click.option("--ui-url", metavar="URL", help="Jaeger's page for links. [default: --url]"),
        )
    ):
        command = decorate(command)
    return command


def output(formats: tuple[str, ...]) -> Callable[[_Command], _Command]:
    """Where the product goes, and as what."""

    def decorated(command: _Command) -> _Command:
        for decorate in reversed(
            (
                click.option("--output", "-o", "format", type=click.Choice(formats), help="[default: table]"),
                click.option(
                    "--output-file", "-O", "file", type=click.Path(dir_okay=False), help="Its suffix gives the format."
                ),
                click.option(
                    "--fail-on", metavar="EXPR", help="Exit with 79 if a row satisfies it: 'error_rate > 1%'."
                ),
                click.option(
                    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True
                ),
                click.option("--quiet", "-q", is_flag=True, help="No notes on stderr."),
            )
        ):
            command = decorate(command)
        return command

    return decorated


def wanted(
    service: str | None,
    since: str | None,
    from_: str | None,
    to: str | None,
    limit: int | None,
    api: Literal["auto", "v3", "v1"],
    timeout: str,
    ui_url: str | None,
) -> Wanted:
    """The options of `selection` as a Wanted. Raises UsageError for times that cannot be read."""
    now = time.time_ns()
    timeout_ns = when.parse_duration(timeout)
    if timeout_ns <= 0:
        raise UsageError("--timeout 0 would wait for nothing", "Give a duration like 60s")
    return Wanted(
        service=service,
        since_ns=None if since is None else when.parse_duration(since),
        from_ns=None if from_ is None else when.parse_instant(from_, now),
        to_ns=None if to is None else when.parse_instant(to, now),
        limit=limit,
        api=api,
        timeout_s=timeout_ns / 1e9,
        ui_url=ui_url,
    )
