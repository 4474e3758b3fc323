"""traceviz doctor"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from traceviz.analyze.counting import Counted
from traceviz.commands import rounds
from traceviz.commands.delivery import Product
from traceviz.connecting import Sectioned
from traceviz.doctor import Checkup
from traceviz.doctor import doctor as examined
from traceviz.documents import Finding
from traceviz.options import judgement, output, planes, rows, selection, watching

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@output(FORMATS)
@planes
@rows
@judgement("share > 10%")
@watching
def doctor(**options: Any) -> None:
    """What is wrong with the traces themselves, at which service, what to change.

    All services of the window are looked at; --service shows the findings on one of them. `traceviz explain CODE` has
    the sign, the cause and the threshold of each.

    \b
    traceviz doctor --since 1h
    traceviz doctor --service reviews dump.json.gz
    traceviz doctor --fail-on 'share > 10%' -o json
    """
    run = rounds.run(options, FORMATS, Finding)
    service = run.wanted.service
    # What was torn off a service's traces has no span of it, so that no search for it would find them.
    run.wanted = replace(run.wanted, service=None)

    def findings(counted: Counted[Checkup]) -> Product:
        document = examined(counted.report, counted.counts, service)
        return Product(document, document["findings"])

    run.each(Checkup, findings)
