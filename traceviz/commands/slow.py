"""traceviz slow"""

from __future__ import annotations

from typing import Any

import click

from traceviz.commands.comparing import Comparing, baseline
from traceviz.commands.delivery import Run
from traceviz.connecting import Sectioned
from traceviz.documents import SlowHop
from traceviz.options import joining, judgement, output, planes, rows, selection
from traceviz.slow.counts import SlowCounts
from traceviz.slow.document import Baseline, slow_document

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@joining
@rows
@judgement
def slow(**options: Any) -> None:
    """Where the time goes that users wait: whose it is, how much, since when, why.

    Every moment of every request's critical path counts once. With a baseline the first row is what changed most,
    without one what takes most, slow requests set against the window's own fast ones.

    \b
    traceviz slow --service istio-ingress --since 1h
    traceviz slow --since 10m --baseline-since 1d
    traceviz slow dump.json.gz --baseline healthy.json.gz
    """
    comparing = Comparing(options)
    run = Run(options, FORMATS, SlowHop)
    found = comparing.read(run, SlowCounts)
    before = None if found.baseline is None else Baseline(*found.baseline)
    document = slow_document(found.report, found.counts, before)
    run.deliver(document, document["slow_hops"])
