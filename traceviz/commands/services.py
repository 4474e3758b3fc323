"""traceviz services"""

from __future__ import annotations

from typing import Any

import click

from traceviz import listing
from traceviz.commands.delivery import Delivery
from traceviz.commands.waiting import overseen
from traceviz.connecting import Sectioned
from traceviz.documents import Service
from traceviz.options import output, rows, sample

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@sample(listing.SAMPLE)
@output(FORMATS)
@rows
def services(**options: Any) -> None:
    """The services that can be asked for, each with the node that it is in graphs.

    The names are all that the target knows; which nodes they are is known as far as the selected traces show.

    \b
    traceviz services
    traceviz services dump.json.gz -o csv
    """
    run = Delivery(options, FORMATS, Service)
    with overseen(run.quiet) as oversight:
        document = listing.services(run.targets, run.wanted, run.access, oversight=oversight)
    run.interrupted = oversight.stop.is_set()
    run.write(document)
    run.end()
