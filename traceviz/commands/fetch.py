"""traceviz fetch"""

from __future__ import annotations

from typing import Any

import click

from traceviz import fetching, verbosity
from traceviz.commands.context_selection import leave_out_context_selection
from traceviz.commands.delivery import say_notes
from traceviz.commands.streams import say
from traceviz.commands.waiting import overseen
from traceviz.connecting import Sectioned, access
from traceviz.errors import UsageError
from traceviz.keeping.anonymize import Anonymizer
from traceviz.keeping.dump import is_begun
from traceviz.loading import INTERRUPTED
from traceviz.notes import Number
from traceviz.options import selection
from traceviz.wanted import read_wanted


@click.command(cls=Sectioned)
@selection
@click.option(
    "--output-file", "-O", "file", required=True, type=click.Path(dir_okay=False), help="A .jsonl.gz or .jsonl."
)
@click.option("--resume", is_flag=True, help="Go on with a fetch into this file that did not come to its end.")
@click.option("--anonymize", is_flag=True, help="Replace names, hosts, URLs and ids, for sharing.")
@verbosity.quiet
def fetch(file: str, resume: bool, anonymize: bool, quiet: bool, **options: Any) -> None:
    """Keep traces in a file, a trace a line; every command reads them back to the same answer.

    \b
    traceviz fetch --service istio-ingress --since 1d --all -O day.jsonl.gz
    traceviz fetch --resume -O day.jsonl.gz
    traceviz errors day.jsonl.gz
    """
    if resume:
        # It goes on with what it was begun with, and only the user can want something else.
        leave_out_context_selection(options)
    to = access(options)
    targets = options.pop("targets")
    if any(not target.startswith(("http://", "https://")) for target in targets) or len(targets) > 1:
        raise UsageError("traces are fetched from one Jaeger, and a file was named", "Files need not be fetched")
    if resume and anonymize:
        raise UsageError(
            "--resume and --anonymize exclude each other: other pseudonyms would stand in the rest of the file",
            "Fetch as it is, or anonymize from the beginning",
        )
    what = read_wanted(**options)
    try:
        with overseen(quiet) as oversight:
            if resume and is_begun(file):
                fetched = fetching.resume(to, what, file, oversight)
            else:
                fetched = fetching.fetch(to, what, file, oversight, Anonymizer() if anonymize else None)
    except KeyboardInterrupt:
        if is_begun(file) and not anonymize:
            say(f"{file} has what came; --resume goes on with it")
        raise
    if not quiet:
        goes_on = "" if fetched.complete or anonymize else "; --resume goes on with it"
        say(f"{file} has {fetched.traces:,} {Number(fetched.traces):trace|traces}{goes_on}")
        say_notes(fetched.notes.documents())
    if fetched.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
