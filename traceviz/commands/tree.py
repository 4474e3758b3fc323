"""traceviz tree"""

from __future__ import annotations

import glob
import os
import re
from typing import Any, Literal

import click

from traceviz.commands.context_selection import leave_out_context_selection
from traceviz.commands.delivery import Delivery
from traceviz.commands.waiting import overseen
from traceviz.connecting import Sectioned
from traceviz.errors import UsageError
from traceviz.one_trace import Choice, chosen_trace, named_trace
from traceviz.options import drawing, joining, output, planes, selection
from traceviz.sources.files import STDIN
from traceviz.sources.names import shown
from traceviz.trace_name import TraceName, read_trace_name

FORMATS = ("table", "wide", "json", "csv", "dot", "svg", "png", "pdf", "mermaid")

_HOW_TO_NAME = (
    "Give its id, the start of it, or the URL of its page in Jaeger; or a file that holds one trace; or say --failing "
    "or --slowest"
)
_TOO_LONG = re.compile(r"[0-9a-f]{33,}", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@click.command(cls=Sectioned)
@click.argument("trace", required=False)
@selection
@output(FORMATS)
@planes
@joining
@click.option("--failing", is_flag=True, help="The newest trace that failed for its user, else one with a failed call.")
@click.option("--slowest", is_flag=True, help="The trace that took longest.")
@click.option("--spans", is_flag=True, help="Every span, instead of one line or box for each call.")
@drawing
def tree(
    trace: str | None,
    failing: bool,
    slowest: bool,
    spans: bool,
    theme: Literal["light", "dark"],
    dot_command: str | None,
    **options: Any,
) -> None:
    """One request as a call tree: where its time went, and which call broke first.

    TRACE is an id, the start of one, or the URL of a trace in Jaeger's page.

    \b
    traceviz tree 1f2e3d4c5b6a7988
    traceviz tree http://localhost:16686/jaeger/trace/1f2e3d4c5b6a7988
    traceviz tree 1f2e dump.json.gz --spans
    traceviz tree --service istio-ingress --failing -O tree.svg
    """
    choice = _choice(failing, slowest)
    name = _named(trace, choice, options)
    run = Delivery(options, FORMATS)
    if name is None and choice == "only" and not run.targets and not run.wanted.given:
        raise UsageError("which trace is meant was not said", _HOW_TO_NAME)
    with overseen(run.quiet) as oversight:
        where = (run.targets, run.wanted, run.access)
        if name is None:
            found = chosen_trace(choice, *where, oversight=oversight)
        else:
            found = named_trace(name, *where, oversight=oversight)
    run.interrupted = found.interrupted
    run.write(found.document(), spans=spans, theme=theme, dot_command=dot_command)
    run.end()


def _choice(failing: bool, slowest: bool) -> Choice:
    if failing and slowest:
        raise UsageError("--failing and --slowest exclude each other", "Use one of them")
    return "failing" if failing else "slowest" if slowest else "only"


def _named(first: str | None, choice: Choice, options: dict[str, Any]) -> TraceName | None:
    """The trace that the first argument names; where it names none it is the first target. Of a trace's page the
    Jaeger is the target, or where links lead to from files."""
    name = None if first is None else read_trace_name(first)
    others = [other for other in options["targets"] if not os.path.lexists(other) and read_trace_name(other)]
    if name is None:
        if others:
            raise UsageError(f"{shown(others[0])} names a trace, and does not stand first", "traceviz tree TRACE FILE…")
        if first is not None:
            _check_target(first)
            options["targets"] = (first, *options["targets"])
        return None
    if choice != "only":
        raise UsageError(
            f"{shown(first or '')} names a trace, and --{choice} chooses one",
            "Leave one of them out; a file of that name is ./NAME",
        )
    if others:
        raise UsageError(
            f"{shown(first or '')} names a trace, and {shown(others[0])} another one", "A tree is of one trace"
        )
    if name.url is not None:
        if not options["targets"]:
            options["targets"] = (name.url,)
        else:
            options["ui_url"] = options["ui_url"] or name.url
    # A trace that is named is meant whoever takes part in it, and whenever it was.
    leave_out_context_selection(options)
    return name


def _check_target(text: str) -> None:
    """Say what is wrong with a first argument that is neither a trace nor a target."""
    is_target = text == STDIN or text.startswith(("http://", "https://")) or os.path.lexists(text)
    if is_target or glob.has_magic(text):
        return
    if _TOO_LONG.fullmatch(text):
        raise UsageError(f"{shown(text)} is no trace id: it has {len(text)} hex digits, and ids have 32 or 16")
    if _REQUEST_ID.fullmatch(text):
        raise UsageError(
            f"{shown(text)} is no trace id",
            f"It looks like a request id of Envoy: traceviz tree --slowest --tag guid:x-request-id={text}",
        )
    raise UsageError(f"{shown(text)} is neither the id of a trace nor a file", _HOW_TO_NAME)
