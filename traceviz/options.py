"""The options that commands share, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from traceviz.analyze.groups import GROUP_BY
from traceviz.connecting import connection
from traceviz.verbosity import quiet
from traceviz.wanted import DEFAULT_COMPLETE, DEFAULT_LIMIT

_Command = TypeVar("_Command", bound=Callable[..., Any])


def selection(command: _Command) -> _Command:
    """Targets, what to select of them, and how to reach a Jaeger."""
    return sample(DEFAULT_LIMIT)(command)


def sample(limit: int) -> Callable[[_Command], _Command]:
    """The same for a command that reads so many traces of a Jaeger where nothing is said."""

    def decorated(command: _Command) -> _Command:
        return with_options(connection(command), _selection(limit))

    return decorated


def _selection(limit: int) -> tuple[Callable[[_Command], _Command], ...]:
    return (
        click.argument("targets", nargs=-1, metavar="[FILE|URL]..."),
        click.option("--service", "-s", help="Keep whole traces that this service takes part in."),
        click.option("--since", metavar="DURATION", help="How far back, like 10m. [default for a Jaeger: 1h]"),
        click.option("--from", "from_", metavar="TIME", help="RFC 3339, epoch s/ms/µs, or now-1h."),
        click.option("--to", metavar="TIME", help="Likewise."),
        click.option("--operation", metavar="NAME", help="Keep traces with a span of this operation, and service."),
        click.option("--min-duration", metavar="DURATION", help="With a span that took at least so long."),
        click.option("--max-duration", metavar="DURATION", help="With a span that took at most so long."),
        click.option(
            "--tag", "tags", metavar="NAME=VALUE", multiple=True, help="With a span that has this tag. Repeatable."
        ),
        click.option(
            "--limit",
            "-n",
            type=click.IntRange(min=1),
            help=f"At most so many traces, the newest. [default for a Jaeger: {limit}]",
        ),
        click.option("--all", "everything", is_flag=True, help="All traces of the window, however many."),
        click.option(
            "--complete",
            type=click.IntRange(min=0),
            metavar="N",
            default=DEFAULT_COMPLETE,
            show_default=True,
            help="Ask a Jaeger again for at most N traces in which parents are missing.",
        ),
    )


def output(formats: tuple[str, ...]) -> Callable[[_Command], _Command]:
    """Where the product goes, and as what."""

    def decorated(command: _Command) -> _Command:
        return with_options(
            command,
            (
                click.option("--output", "-o", "format", type=click.Choice(formats), help="[default: table]"),
                click.option(
                    "--output-file", "-O", "file", type=click.Path(dir_okay=False), help="Its suffix gives the format."
                ),
                click.option(
                    "--color",
                    type=click.Choice(["auto", "always", "never"]),
                    default="auto",
                    show_default=True,
                    help="On stdout: on a terminal, into a pipe as well, or not at all. Never in a file of -O.",
                ),
                quiet,
            ),
        )

    return decorated


def rows(command: _Command) -> _Command:
    """Which columns and rows a list is shown with, as table, wide or csv."""
    return with_options(
        command,
        (
            click.option(
                "--columns",
                metavar="FIELD,...",
                help="Of rows: these columns, named as in JSON, like caller,callee,p99_ms,flags.UT; with + before them "
                "after the usual ones.",
            ),
            click.option(
                "--sort", metavar="FIELD,...", help="Of rows: by these fields, with - before one the largest first."
            ),
            click.option("--no-headers", is_flag=True, help="Rows alone, nothing cut, for awk and cut."),
        ),
    )


def planes(command: _Command) -> _Command:
    """Whether what runs the mesh is shown as well."""
    return click.option(
        "--control-plane", is_flag=True, help="Also show Istio's Mixer and Jaeger's own services, hidden otherwise."
    )(command)


def joining(command: _Command) -> _Command:
    """Whether torn traces are put together."""
    return click.option(
        "--join-requests",
        is_flag=True,
        help="Put traces together that were torn where a program lost the tracing headers, where it is certain which "
        "request they belong to. Reads all services of the window.",
    )(command)


def judgement(example: str) -> Callable[[_Command], _Command]:
    """What the exit code says of the rows, with an example of an expression about such rows."""
    return click.option("--fail-on", metavar="EXPR", help=f"Exit with 79 if a row satisfies it: '{example}'.")


def watching(command: _Command) -> _Command:
    """Whether it goes on."""
    return with_options(
        command,
        (
            click.option(
                "--watch",
                metavar="DURATION",
                help="Follow a Jaeger: so often, like 30s, ask for what is new (--limit is for that) and show the "
                "last --since.",
            ),
            click.option(
                "--settle",
                metavar="DURATION",
                help="With --watch: so long after its beginning a trace is asked for again, for spans that come late. "
                "[default: 30s]",
            ),
        ),
    )


def grouping(command: _Command) -> _Command:
    """What is one node."""
    return click.option(
        "--group-by", type=click.Choice(GROUP_BY), default="service", show_default=True, help="What tells nodes apart."
    )(command)


def near(command: _Command) -> _Command:
    """Which part of a graph is shown."""
    return with_options(
        command,
        (
            click.option("--focus", metavar="NODE", help="Only what is near this node."),
            click.option(
                "--depth", type=click.IntRange(min=0), default=1, show_default=True, help="How near, in edges."
            ),
            click.option("--hide", metavar="NODE", multiple=True, help="Leave a node out, with its edges. Repeatable."),
        ),
    )


def drawing(command: _Command) -> _Command:
    """How pictures look, and what draws them."""
    return with_options(
        command,
        (
            click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True),
            click.option(
                "--dot", "dot_command", envvar="TRACEVIZ_DOT", show_envvar=True, help="A system's dot to draw with."
            ),
        ),
    )


def with_options(command: _Command, options: Sequence[Callable[[_Command], _Command]]) -> _Command:
    """The command with options that its help shows in this order."""
    for decorate in reversed(options):
        command = decorate(command)
    return command
