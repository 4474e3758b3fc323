"""traceviz slow"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import click
from click.core import ParameterSource

from traceviz.analyze.counting import Counted
from traceviz.analyze.flame import FlameCounts
from traceviz.analyze.flame_document import flame_document
from traceviz.analyze.report import Report, count_hops
from traceviz.analyze.resolved import Resolved
from traceviz.commands import rounds
from traceviz.commands.comparing import Compared, Comparing, baseline
from traceviz.commands.delivery import Product, Run
from traceviz.connecting import Sectioned
from traceviz.documents import SlowHop
from traceviz.errors import UsageError
from traceviz.hops import hops
from traceviz.options import drawing, joining, judgement, output, planes, rows, selection, watching
from traceviz.reconstruct import Forest
from traceviz.render import OF_CONTEXTS
from traceviz.render.frames import BY, By
from traceviz.slow.counts import SlowCounts
from traceviz.slow.document import slow_document

FORMATS = ("table", "wide", "json", "csv", *OF_CONTEXTS)
_PICTURES = ("svg", "png", "pdf")


@click.command(cls=Sectioned)
@selection
@baseline
@output(FORMATS)
@planes
@joining
@rows
@judgement("share > 20%")
@watching
@click.option(
    "--by",
    type=click.Choice(BY),
    default="critical",
    show_default=True,
    help="Of folded, svg, png and pdf: time that users waited, time at work, or failures that started there.",
)
@drawing
def slow(by: By, theme: Literal["light", "dark"], dot_command: str | None, **options: Any) -> None:
    """Where the time goes that users wait: whose it is, how much, since when, why.

    Every moment of every request's critical path counts once. With a baseline the first row is what changed most,
    without one what takes most, slow requests set against the window's own fast ones. As svg it is a flame graph of
    the calling context, as folded and pprof the same for flamegraph.pl, speedscope and go tool pprof.

    \b
    traceviz slow --service istio-ingress --since 1h
    traceviz slow --since 10m --baseline-since 1d
    traceviz slow dump.json.gz --baseline healthy.json.gz
    traceviz slow -O flame.svg --by critical
    traceviz slow -o folded | flamegraph.pl > flame.svg
    """
    comparing = Comparing(options)
    run = rounds.run(options, FORMATS, SlowHop)
    if run.format in OF_CONTEXTS:
        if comparing.given:
            raise UsageError(f"{run.format} shows one set of traces, and no baseline", "Take a table or json for both")
        run.each(Profiled, partial(_profile, by=by, theme=theme, dot_command=dot_command))
        return
    _refuse_drawing(run)

    def slow_hops(compared: Compared[SlowCounts]) -> Product:
        document = slow_document(compared.report, compared.counts, compared.baseline)
        return Product(document, document["slow_hops"])

    comparing.each(run, SlowCounts, slow_hops)


def _refuse_drawing(run: Run) -> None:
    """What is said of a drawing and can do nothing is no help to anybody."""
    ctx = click.get_current_context()
    about = (("by", "--by", OF_CONTEXTS), ("theme", "--theme", _PICTURES), ("dot_command", "--dot", _PICTURES))
    for name, option, formats in about:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"{option} is about {', '.join(formats)}, and {run.format} was asked for")


class Profiled:
    """Where the time went, by place and by calling context."""

    def __init__(self) -> None:
        self.slow = SlowCounts()
        self.flame = FlameCounts()

    def count(self, forest: Forest) -> Report:
        """Count a batch of whole traces, and give its Report."""
        found = hops(forest)
        self.slow.count_hops(found)
        self.flame.count(found)
        return count_hops(found)

    def merge(self, other: Profiled) -> Profiled:
        """Add what was counted of other traces, and give these counts back."""
        self.slow.merge(other.slow)
        self.flame.merge(other.flame)
        return self


def _profile(counted: Counted[Profiled], **drawing: Any) -> Product:
    document = flame_document(Resolved(counted.report), counted.counts.flame)
    return Product(document, slow_document(counted.report, counted.counts.slow)["slow_hops"], drawing)
