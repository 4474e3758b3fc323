"""traceviz operations"""

from __future__ import annotations

from typing import Any

import click

from traceviz import listing
from traceviz.commands.delivery import Delivery
from traceviz.connecting import Sectioned
from traceviz.documents import Operation
from traceviz.options import output, rows, selection

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@output(FORMATS)
@rows
def operations(**options: Any) -> None:
    """The operations that can be asked for, of one service or of all.

    A Jaeger lists those of all times: only --service narrows its list. Of files it is what the selected traces hold.

    \b
    traceviz operations --service productpage
    traceviz operations dump.json.gz -o csv
    """
    run = Delivery(options, FORMATS, Operation)
    run.write(listing.operations(run.targets, run.wanted, run.access))
