"""traceviz errors"""

from __future__ import annotations

from typing import Any

import click

from traceviz.analyze.report import Report
from traceviz.commands import rounds
from traceviz.commands.delivery import Product
from traceviz.connecting import Sectioned
from traceviz.documents import FailingHop
from traceviz.options import joining, judgement, output, planes, rows, selection, watching

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@output(FORMATS)
@planes
@joining
@rows
@judgement
@watching
def errors(**options: Any) -> None:
    """The failing hops, ranked: where errors started, why, who felt them, where to look.

    \b
    traceviz errors --since 10m
    traceviz errors dump.json.gz -o json
    """

    def ranked(report: Report) -> Product:
        document = report.errors()
        return Product(document, document["failing_hops"])

    rounds.run(options, FORMATS, FailingHop).each(ranked)
