"""traceviz errors"""

from __future__ import annotations

from typing import Any

import click

from traceviz.commands.delivery import Run
from traceviz.documents import FailingHop
from traceviz.options import output, selection

FORMATS = ("table", "wide", "json", "csv")


@click.command()
@selection
@output(FORMATS)
def errors(**options: Any) -> None:
    """The failing hops, ranked: where errors started, why, who felt them, where to look.

    \b
    traceviz errors --since 10m
    traceviz errors dump.json.gz -o json
    """
    run = Run(options, FORMATS, FailingHop)
    document = run.report().errors()
    run.deliver(document, document["failing_hops"])
