"""traceviz why"""

from __future__ import annotations

from typing import Any

import click

from traceviz.commands.comparing import Comparing, baseline
from traceviz.commands.delivery import Run
from traceviz.connecting import Sectioned
from traceviz.documents import Cause
from traceviz.options import judgement, output, planes, rows, selection
from traceviz.why.counts import WhyCounts
from traceviz.why.document import Baseline, why_document

FORMATS = ("table", "wide", "json", "csv")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@rows
@judgement
def why(**options: Any) -> None:
    """Which workload to look at first: errors, slow hops and lost headers in one list.

    With a baseline every workload is also compared with what it did before: how long it is at work, how long calls to
    it are on their way, how often it fails by itself, what it no longer does.

    \b
    traceviz why --since 10m --baseline-since 1d
    traceviz why --baseline healthy.json.gz broken.json.gz
    """
    comparing = Comparing(options)
    run = Run(options, FORMATS, Cause)
    found = comparing.read(run, WhyCounts)
    before = None if found.baseline is None else Baseline(*found.baseline)
    document = why_document(found.report, found.counts, before)
    run.deliver(document, document["causes"])
