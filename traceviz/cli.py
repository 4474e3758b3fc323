"""The command line: arguments to calls to exit code. stdout is the product, stderr the talk."""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import click
from click.shell_completion import get_completion_class

import traceviz
from traceviz import codes, demo
from traceviz.analyze.narrow import narrow
from traceviz.documents import Edge, ErrorsDocument, FailingHop, GraphDocument
from traceviz.errors import TracevizError, UsageError
from traceviz.fail_on import FailOn
from traceviz.notes import NoteDocument
from traceviz.options import output, selection, wanted
from traceviz.render import FORMATS, format_of_file, render
from traceviz.render.labels import check as check_labels
from traceviz.render.text import notes_text
from traceviz.render.words import clean
from traceviz.target import open_target

EXPRESSION_HELD = 79
INTERRUPTED = 130
UNEXPECTED = 70

GRAPH_FORMATS = ("table", "wide", "json", "csv", "dot", "svg", "png", "pdf")
ERRORS_FORMATS = ("table", "wide", "json", "csv")
#: Formats that are read by people in a terminal, where stderr says the notes below them.
_TABLES = frozenset({"table", "wide"})
#: Formats that say the notes themselves.
_SELF_CONTAINED = frozenset({"json", "svg", "png", "pdf"})


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Who calls whom, how slow and how broken is each call, which hop broke first, and why:
    from the traces a Jaeger already has, or from files of them."""


@cli.command()
@selection
@output(GRAPH_FORMATS)
@click.option("--min-calls", type=click.IntRange(min=0), default=0, help="Leave out edges with fewer calls.")
@click.option("--focus", metavar="NODE", help="Only what is near this node.")
@click.option("--depth", type=click.IntRange(min=0), default=1, show_default=True, help="How near, in edges.")
@click.option("--hide", metavar="NODE", multiple=True, help="Leave a node out, with its edges. Repeatable.")
@click.option("--label", metavar="FIELD,...", help="What stands on the edges of a picture.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--dot", "dot_command", envvar="TRACEVIZ_DOT", show_envvar=True, help="A system's dot to draw with.")
def graph(
    min_calls: int,
    focus: str | None,
    depth: int,
    hide: tuple[str, ...],
    label: str | None,
    theme: Literal["light", "dark"],
    dot_command: str | None,
    **options: Any,
) -> None:
    """The service graph: calls, errors and latency on every edge.

    \b
    traceviz graph --service istio-ingress
    traceviz graph --service istio-ingress -O graph.svg
    traceviz graph dump.json.gz --focus reviews --depth 2
    """
    drawing: dict[str, Any] = {"theme": theme, "dot_command": dot_command}
    if label is not None:
        drawing["label"] = [name.strip() for name in label.split(",") if name.strip()]
        check_labels(drawing["label"])
    run = _Run(options, GRAPH_FORMATS, Edge)
    report = run.report()
    document = narrow(report.graph(), hide=hide, focus=focus, depth=depth, min_calls=min_calls)
    if run.draws:
        drawing |= {"errors": report.errors(), "ui_url": report.asked.ui_url}
    run.deliver(document, document["edges"], **drawing)


@cli.command()
@selection
@output(ERRORS_FORMATS)
def errors(**options: Any) -> None:
    """The failing hops, ranked: where errors started, why, who felt them, where to look.

    \b
    traceviz errors --since 10m
    traceviz errors dump.json.gz -o json
    """
    run = _Run(options, ERRORS_FORMATS, FailingHop)
    document = run.report().errors()
    run.deliver(document, document["failing_hops"])


class _Run:
    """One run of an analysing command: the report it is about, and the delivery of its product."""

    def __init__(self, options: dict[str, Any], formats: Sequence[str], row_type: type) -> None:
        self._targets: tuple[str, ...] = options.pop("targets")
        self._url: str | None = options.pop("url")
        file: str | None = options.pop("file")
        self._file = None if file is None else Path(file)
        self._format = _format(options.pop("format"), file, formats)
        self._quiet: bool = options.pop("quiet")
        self._color = _color(options.pop("color"))
        text: str | None = options.pop("fail_on")
        self._fail_on = None if text is None else FailOn(text, row_type)
        self._wanted = wanted(**options)
        if FORMATS[self._format].binary and self._file is None and sys.stdout.isatty():
            raise UsageError(
                f"{self._format} is binary and does not go to a terminal", f"Name a file: -O graph.{self._format}"
            )

    @property
    def draws(self) -> bool:
        """Whether the product is a picture, which shows the failing hops as well."""
        return FORMATS[self._format].drawing

    def report(self) -> traceviz.Report:
        """Read and count what was asked for."""
        with open_target(self._targets, self._wanted, self._url) as traces:
            return traces.report()

    def deliver(
        self, document: GraphDocument | ErrorsDocument, rows: Sequence[Mapping[str, Any]], **drawing: Any
    ) -> None:
        """Write the product, say the notes, and judge `--fail-on`."""
        said: list[NoteDocument] = [] if self._format in _SELF_CONTAINED else document["notes"]
        shown = copy.copy(document)
        if self._format in _TABLES:
            shown["notes"] = []
        product = render(shown, self._format, width=_width(), color=self._color, **drawing)
        if self._file is not None:
            _write(self._file, product)
        else:
            # Data is UTF-8 wherever it goes; what a terminal shows is in its own encoding.
            _echo(product.encode() if isinstance(product, str) and self._format not in _TABLES else product)
        if not self._quiet:
            if self._file is not None:
                _say(f"wrote {self._file}")
            if said:
                _say(notes_text(said, _width()))
        held = [row for row in rows if self._fail_on and self._fail_on.holds(row)]
        if held and self._fail_on:
            first = f"{held[0]['caller'] or 'outside'} → {held[0]['callee']}"
            _say(f"--fail-on {self._fail_on.text!r} holds for {len(held)} of {len(rows)} rows, first {first}")
            raise click.exceptions.Exit(EXPRESSION_HELD)


def _format(named: str | None, file: str | None, formats: Sequence[str]) -> str:
    """The format that -o names, else the one of -O's suffix, else a table."""
    if named is not None or file is None:
        return named or "table"
    found = format_of_file(file)
    if found is None or found not in formats:
        suffixes = " ".join(suffix for name in formats for suffix in FORMATS[name].suffixes)
        trouble = f"means {found}, which this command does not write" if found else "names no format"
        raise UsageError(f"the suffix of {file} {trouble}", f"Name one with -o, or use a suffix of {suffixes}")
    return found


def _write(file: Path, product: str | bytes) -> None:
    try:
        file.write_bytes(product if isinstance(product, bytes) else product.encode())
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}")


def _echo(text: str | bytes, err: bool = False) -> None:
    """Write to stdout, or to stderr. Where the reader has seen enough the rest goes nowhere, and the run goes on: what
    it finds, its exit code, does not hang on who reads."""
    try:
        click.echo(text, nl=isinstance(text, str) and not text.endswith("\n"), err=err, color=True)
    except BrokenPipeError:
        _silence(sys.stderr if err else sys.stdout)


def _say(text: str) -> None:
    """Write to stderr, without what steers a terminal: messages repeat names that strangers chose."""
    _echo("\n".join(clean(line) for line in text.split("\n")), err=True)


def _silence(stream: TextIO) -> None:
    """Let a stream that cannot be written to any more go nowhere: Python flushes what is left when it ends."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _color(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@cli.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """What a note's or a reason's code means: sign, cause, and what to do. Without a code: all of them."""
    _echo(codes.overview() if code is None else codes.explanation(code))


@cli.command()
def version() -> None:
    """The version of traceviz."""
    _echo(f"traceviz {traceviz.__version__}")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """A completion script: source <(traceviz completion bash)"""
    complete = get_completion_class(shell)
    assert complete is not None
    _echo(complete(cli, {}, "traceviz", "_TRACEVIZ_COMPLETE").source())


@cli.command(name="demo")
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
        raise _unwritable(directory, error) from error
    with demo.serve_recording() as jaeger:
        _echo("# A recorded mesh, served as a Jaeger would. With your own: --url http://localhost:16686")
        for arguments in (
            ["graph", "--service", "istio-ingress"],
            ["graph", "--service", "istio-ingress", "-O", str(directory / "graph.svg")],
            ["graph", "--service", "istio-ingress", "-O", str(directory / "graph.png")],
            ["errors", "--since", "10m"],
        ):
            command = [*arguments, "--url", jaeger.url]
            _echo(f"\n$ {shlex.join(['traceviz', *command])}")
            cli.main(command, prog_name="traceviz", standalone_mode=False)


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
        _say(shown.getvalue())
        return trouble.exit_code
    except TracevizError as trouble:
        _say(f"traceviz: {_sentence(str(trouble))}")
        if trouble.remedy:
            _say(_sentence(trouble.remedy))
        return trouble.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("traceviz: interrupted")
        return INTERRUPTED
    except OSError as trouble:
        # A full disk under stdout or the temporary folder; no bug, and nothing to be written there any more.
        _silence(sys.stdout)
        where = f"{trouble.filename}: " if trouble.filename else ""
        _say(f"traceviz: {_sentence(f'{where}{trouble.strerror or trouble}')}")
        return UNEXPECTED
    except Exception as bug:
        _say(traceback.format_exc())
        _say(f"traceviz: an unexpected failure, which is a bug of traceviz: {bug}")
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
