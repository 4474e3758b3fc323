"""traceviz why"""

from __future__ import annotations

from typing import Any

import click

from traceviz.commands import rounds
from traceviz.commands.comparing import Compared, Comparing, baseline
from traceviz.commands.delivery import Product
from traceviz.connecting import Sectioned
from traceviz.documents import Cause
from traceviz.options import judgement, output, planes, rows, selection, watching
from traceviz.why.counts import WhyCounts
from traceviz.why.document import why_document

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@rows
@judgement("score > 0.5")
@watching
def why(**options: Any) -> None:
    """Which workload to look at first: errors, slow hops and lost headers in one list.

    With a baseline every workload is also compared with what it did before: how long it is at work, how long calls to
    it are on their way, how often it fails by itself, what it no longer does.

    \b
    traceviz why --since 10m --baseline-since 1d
    traceviz why --baseline healthy.json.gz broken.json.gz
    """
    comparing = Comparing(options)
    run = rounds.run(options, FORMATS, Cause)

    def causes(compared: Compared[WhyCounts]) -> Product:
        document = why_document(compared.report, compared.counts, compared.baseline)
        return Product(document, document["causes"])

    comparing.each(run, WhyCounts, causes)
