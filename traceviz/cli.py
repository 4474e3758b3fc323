"""The command line: arguments to calls to exit code. stdout is the product, stderr the talk."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, cast

import click

from traceviz.commands.streams import say, silence
from traceviz.errors import TracevizError
from traceviz.loading import INTERRUPTED, interrupted, loading
from traceviz.verbosity import quiet_beneath, verbose

UNEXPECTED = 70


class _Place(NamedTuple):
    """Where a command is, and the first sentence of its help, which the list of commands shows."""

    module: str
    attribute: str
    help: str


#: In the order of the help: what answers first.
_PLACES = {
    "graph": _Place("graph", "graph", "The service graph: calls, errors and latency on every edge."),
    "errors": _Place(
        "errors", "errors", "The failing hops, ranked: where errors started, why, who felt them, where to look."
    ),
    "slow": _Place("slow", "slow", "Where the time goes that users wait: whose it is, how much, since when, why."),
    "why": _Place("why", "why", "Which workload to look at first: errors, slow hops and lost headers in one list."),
    "tree": _Place("tree", "tree", "One request as a call tree: where its time went, and which call broke first."),
    "diff": _Place("diff", "diff", "What changed between two times, files or versions, and which of it is chance."),
    "doctor": _Place("doctor", "doctor", "What is wrong with the traces themselves, at which service, what to change."),
    "fetch": _Place(
        "fetch", "fetch", "Keep traces in a file, a trace a line; every command reads them back to the same answer."
    ),
    "services": _Place(
        "services", "services", "The services that can be asked for, each with the node that it is in graphs."
    ),
    "operations": _Place("operations", "operations", "The operations that can be asked for, of one service or of all."),
    "config": _Place("config", "config_command", "How Jaegers are reached: what is in force, and the contexts."),
    "explain": _Place("about", "explain", "What a note's or a reason's code means: sign, cause, and what to do."),
    "demo": _Place(
        "demo",
        "demo_command",
        "A recorded mesh with a fault in it, served on a free port, and the ordinary commands run against it.",
    ),
    "version": _Place("about", "version", "The version of traceviz."),
    "completion": _Place("about", "completion", "A completion script: source <(traceviz completion bash)"),
}


class _Commands(Mapping[str, click.Command]):
    """The commands by name, each loaded when it is looked at: what all of them need is ten times what one does."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            place = _PLACES[name]
            with loading():
                self._loaded[name] = getattr(import_module(f"traceviz.commands.{place.module}"), place.attribute)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


class _Group(click.Group):
    """Lists its commands in their order, without loading them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as pressed:
            # Of a KeyboardInterrupt click ends the line of a `^C` on stderr, also where that is a file or a pipe.
            raise click.Abort from pressed

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PLACES)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _PLACES[name].help) for name in self.list_commands(ctx)])


@click.group(
    cls=_Group,
    commands=cast(MutableMapping[str, click.Command], _Commands()),  # click only looks into it
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@verbose
@quiet_beneath
def cli() -> None:
    """Who calls whom, how slow and how broken is each call, which hop broke first, and why:
    from the traces a Jaeger already has, or from files of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code (CONTRACT). Nothing is raised at a user."""
    # Decoding makes millions of objects and no circles; to look for circles among them took a tenth of the time.
    gc.set_threshold(500_000)
    try:
        result = cli.main(argv, prog_name="traceviz", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SystemExit:
        # click leaves so after a completion, and where the reader of its help has seen enough.
        return 0
    except click.ClickException as trouble:
        shown = io.StringIO()
        trouble.show(shown)
        say(shown.getvalue())
        return trouble.exit_code
    except TracevizError as trouble:
        say(f"traceviz: {_sentence(str(trouble))}")
        if trouble.remedy:
            say(_sentence(trouble.remedy))
        return trouble.exit_code
    except (KeyboardInterrupt, click.Abort):
        say(interrupted(sys.stderr.isatty()))
        return INTERRUPTED
    except OSError as trouble:
        # A full disk under stdout or the temporary folder; no bug, and nothing to be written there any more.
        silence(sys.stdout)
        where = f"{trouble.filename}: " if trouble.filename else ""
        say(f"traceviz: {_sentence(f'{where}{trouble.strerror or trouble}')}")
        return UNEXPECTED
    except Exception as bug:
        say(traceback.format_exc())
        say(f"traceviz: an unexpected failure, which is a bug of traceviz: {bug}")
        return UNEXPECTED


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) or "\n" in text else f"{text}."


def run() -> None:
    """Run the command line on streams that are there, and end with its exit code."""
    _open_streams()
    sys.exit(main())


def _open_streams() -> None:
    """Streams that were closed (`>&-`) read and write nothing; letters that stdout's encoding lacks become `?`."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 - open for as long as the process lives
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
