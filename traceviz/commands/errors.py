"""traceviz errors"""

from __future__ import annotations

from typing import Any

import click

from traceviz.analyze.counting import ReportAlone
from traceviz.commands import rounds
from traceviz.commands.comparing import Compared, Comparing, baseline
from traceviz.commands.delivery import Product, Run
from traceviz.connecting import Sectioned
from traceviz.documents import ErrorsDocument, FailingHop
from traceviz.options import joining, judgement, output, planes, rows, selection, watching

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@joining
@rows
@judgement("failed_traces > 20")
@watching
def errors(**options: Any) -> None:
    """The failing hops, ranked: where errors started, why, who felt them, where to look.

    With a baseline each says how often it failed before, and who no longer does what it did is listed as well.

    \b
    traceviz errors --since 10m
    traceviz errors --since 10m --baseline-since 1d
    traceviz errors dump.json.gz -o json
    """
    comparing = Comparing(options)
    run = rounds.run(options, FORMATS, FailingHop)
    if comparing.given:
        _compare(comparing, run)
    else:
        run.each(ReportAlone, lambda counted: _product(counted.report.errors()))


def _compare(comparing: Comparing, run: Run) -> None:
    from traceviz.why.behaviour import BehaviourCounts  # for those who compare
    from traceviz.why.failures import errors_against

    def failing(compared: Compared[BehaviourCounts]) -> Product:
        if compared.baseline is None:  # reading was interrupted
            return _product(compared.report.errors())
        return _product(errors_against(compared.report, compared.counts, compared.baseline))

    comparing.each(run, BehaviourCounts, failing)


def _product(document: ErrorsDocument) -> Product:
    return Product(document, document["failing_hops"])
