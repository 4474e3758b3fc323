"""The command line: arguments to calls to exit code. stdout is the product, stderr the talk."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from traceviz.commands import about, config, demo, errors, fetch, graph, operations, services
from traceviz.commands.delivery import INTERRUPTED, say, silence
from traceviz.errors import TracevizError

UNEXPECTED = 70


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Who calls whom, how slow and how broken is each call, which hop broke first, and why:
    from the traces a Jaeger already has, or from files of them."""


for command in (
    *(graph.graph, errors.errors),
    *(fetch.fetch, services.services, operations.operations),
    *(config.config_command, about.explain, demo.demo_command, about.version, about.completion),
):
    cli.add_command(command)


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
        say("traceviz: interrupted")
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
    """The entry point of the installed command."""
    _open_streams()
    sys.exit(main())


def _open_streams() -> None:
    """Streams that were closed (`>&-`) read and write nothing; letters that stdout's encoding lacks become `?`."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 - open for as long as the process lives
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
