"""What traceviz says of itself: explain, version, completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

import traceviz
from traceviz.commands.streams import echo


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """What a note's or a reason's code means: sign, cause, and what to do. Without a code: all of them."""
    from traceviz import codes  # which loads everything

    echo(codes.overview() if code is None else codes.explanation(code))


@click.command()
def version() -> None:
    """The version of traceviz."""
    echo(f"traceviz {traceviz.__version__}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """A completion script: source <(traceviz completion bash)"""
    complete = get_completion_class(shell)
    assert complete is not None
    echo(complete(click.get_current_context().find_root().command, {}, "traceviz", "_TRACEVIZ_COMPLETE").source())
