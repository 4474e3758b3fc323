"""traceviz demo"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from traceviz import demo
from traceviz.commands.delivery import unwritable
from traceviz.commands.streams import echo


@click.command(name="demo")
@click.option(
    "--directory", "-d", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="For pictures."
)
def demo_command(directory: Path) -> None:
    """A recorded mesh with a fault in it, served on a free port, and the ordinary commands run against it.

    Each command is printed before its output, to be repeated with your own --url.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from error
    ctx = click.get_current_context()
    cli = ctx.find_root().command
    with demo.serve_recording() as jaeger:
        echo("# A recorded mesh, served as a Jaeger would. With your own: --url http://localhost:16686")
        for arguments in (
            ["graph", "--service", "istio-ingress"],
            ["graph", "--service", "istio-ingress", "-O", str(directory / "graph.svg")],
            ["graph", "--service", "istio-ingress", "-O", str(directory / "graph.png")],
            ["errors", "--since", "10m"],
            ["tree", "--service", "service-js", "--failing"],
            ["tree", "--service", "service-js", "--failing", "-O", str(directory / "tree.svg")],
        ):
            command = [*arguments, "--url", jaeger.url]
            echo(f"\n$ {shlex.join(['traceviz', *command])}")
            cli.main(command, prog_name="traceviz", standalone_mode=False, parent=ctx)  # -q and -v are theirs
