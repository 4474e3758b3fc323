"""traceviz graph"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import click

from traceviz.analyze.counting import Counted, ReportAlone
from traceviz.analyze.groups import GroupBy
from traceviz.analyze.narrow import narrow
from traceviz.analyze.report import VIEWS, View
from traceviz.analyze.report import report as count
from traceviz.commands import rounds
from traceviz.commands.delivery import Product
from traceviz.connecting import Sectioned
from traceviz.documents import Context, Edge, GraphDocument
from traceviz.options import drawing, grouping, joining, judgement, near, output, planes, rows, selection, watching
from traceviz.render.labels import check as check_labels
from traceviz.render.palette import COLOUR_BY, ColourBy

FORMATS = ("table", "wide", "json", "csv", "dot", "svg", "png", "pdf", "mermaid", "nodegraph", "cytoscape")


@click.command(cls=Sectioned)
@selection
@output(FORMATS)
@planes
@joining
@rows
@judgement("error_rate > 1%")
@watching
@click.option(
    "--view",
    type=click.Choice(VIEWS),
    default="graph",
    show_default=True,
    help="tree: every service in each context that it is called in, from the entry.",
)
@grouping
@click.option("--min-calls", type=click.IntRange(min=0), default=0, help="Leave out edges with fewer calls.")
@near
@click.option("--label", metavar="FIELD,...", help="What stands on the edges of a picture.")
@click.option(
    "--color-by",
    type=click.Choice(COLOUR_BY),
    default="errors",
    show_default=True,
    help="critical: colours and widths of a picture are shares of the time that users waited.",
)
@drawing
def graph(
    view: View,
    group_by: GroupBy,
    min_calls: int,
    focus: str | None,
    depth: int,
    hide: tuple[str, ...],
    label: str | None,
    color_by: ColourBy,
    theme: Literal["light", "dark"],
    dot_command: str | None,
    **options: Any,
) -> None:
    """The service graph: calls, errors and latency on every edge.

    \b
    traceviz graph --service istio-ingress
    traceviz graph --service istio-ingress -O graph.svg
    traceviz graph dump.json.gz --focus reviews --depth 2
    traceviz graph --view tree
    traceviz graph --group-by version -O versions.svg
    traceviz graph --color-by critical -O waiting.svg
    traceviz graph --columns +critical_share --sort -critical_share
    """
    shown: dict[str, Any] = {"theme": theme, "dot_command": dot_command, "colour_by": color_by}
    asked = (label, *(options.get(name) for name in ("columns", "sort", "fail_on")))
    # It takes time to count, and so it is only where somebody asks for it.
    critical = color_by == "critical" or any("critical_" in (text if isinstance(text, str) else "") for text in asked)
    if label is not None:
        shown["label"] = [name.strip() for name in label.split(",") if name.strip()]
        check_labels(shown["label"])
    run = rounds.run(options, FORMATS, Context if view == "tree" else Edge)

    def narrowed(counted: Counted[ReportAlone]) -> Product:
        report = counted.report
        document = narrow(report.graph(), hide=hide, focus=focus, depth=depth, min_calls=min_calls)
        marks = {"errors": report.errors(), "ui_url": report.asked.ui_url} if run.draws else {}
        return Product(document, _rows(document), shown | marks)

    run.each(partial(ReportAlone, partial(count, group_by=group_by, view=view, critical=critical)), narrowed)


def _rows(document: GraphDocument) -> Sequence[Mapping[str, Any]]:
    """What `--fail-on` judges: the edges, or what a tree shows instead of them, every context."""
    contexts = document.get("contexts")
    return document["edges"] if contexts is None else [{**one, "callee": one["node"] or "…"} for one in contexts]
