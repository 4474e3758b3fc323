"""traceviz errors"""

from __future__ import annotations

from typing import Any

import click

from traceviz.analyze.report import Report
from traceviz.commands import rounds
from traceviz.commands.comparing import Comparing, baseline
from traceviz.commands.delivery import Product, Run
from traceviz.connecting import Sectioned
from traceviz.documents import FailingHop
from traceviz.errors import UsageError
from traceviz.options import joining, judgement, output, planes, rows, selection, watching

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@joining
@rows
@judgement
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
    if comparing.given:
        _compare(comparing, options)
        return

    def failing(report: Report) -> Product:
        document = report.errors()
        return Product(document, document["failing_hops"])

    rounds.run(options, FORMATS, FailingHop).each(failing)


def _compare(comparing: Comparing, options: dict[str, Any]) -> None:
    from traceviz.why.behaviour import BehaviourCounts  # for those who compare
    from traceviz.why.failures import errors_against

    if options.pop("watch") is not None or options.pop("settle") is not None:
        raise UsageError("--watch shows one window after another, and none is compared", "Leave --watch out")
    run = Run(options, FORMATS, FailingHop)
    found = comparing.read(run, BehaviourCounts)
    document = (
        found.report.errors() if found.baseline is None else errors_against(found.report, found.counts, *found.baseline)
    )
    run.deliver(document, document["failing_hops"])
