"""What library users call: `load`, reports and drawings of what was loaded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import graphviz

from traceviz import when
from traceviz.analyze.report import Report, report
from traceviz.asked import Asked
from traceviz.errors import NothingFound
from traceviz.notes import Notes
from traceviz.reconstruct import Forest, reconstruct
from traceviz.render import render as render_document
from traceviz.spans import concat
from traceviz.target import open_target
from traceviz.wanted import Wanted


@dataclass(frozen=True, eq=False)
class LoadedForest(Forest):
    """The Forest of everything that a target holds; `report()` counts it."""

    asked: Asked
    reading: Notes

    def report(self) -> Report:
        """The Report of these traces, to be merged with others, drawn, or turned into networkx."""
        result = report(self)
        result.asked = self.asked
        result.notes.merge(self.reading)
        return result


def load(
    target: str | Sequence[str],
    *,
    service: str | None = None,
    since: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    limit: int | None = None,
    api: Literal["auto", "v3", "v1"] = "auto",
    ui_url: str | None = None,
) -> LoadedForest:
    """Read traces: the URL of a Jaeger, or file names, globs and `-`, with the options of the command line.

    `since` is a duration ("10m"), `from_` and `to` are instants (RFC 3339, epoch, "now-1h"). Everything is held in
    memory. Raises a `TracevizError` where nothing could be reached, read or found.
    """
    now = time.time_ns()
    wanted = Wanted(
        service=service,
        since_ns=None if since is None else when.parse_duration(since),
        from_ns=None if from_ is None else when.parse_instant(from_, now),
        to_ns=None if to is None else when.parse_instant(to, now),
        limit=limit,
        api=api,
        ui_url=ui_url,
    )
    with open_target([target] if isinstance(target, str) else target, wanted) as traces:
        batches = list(traces.batches())
        if not batches:
            raise NothingFound(f"there is no trace in {', '.join(traces.asked.source)} for what was asked")
        forest = reconstruct(concat(batches))
        reading = Notes()
        reading.merge(traces.notes)
        reading.merge(traces.gathered.notes)
        columns = {field.name: getattr(forest, field.name) for field in fields(Forest)}
        return LoadedForest(**columns, asked=traces.asked, reading=reading)


def render(report: Report, format: str, *, theme: Literal["light", "dark"] = "light") -> str | bytes:
    """The service graph of a report as "svg", "png", "dot", "json", "csv", "table", "wide" or "pdf".

    Text formats give str, drawings and PDF bytes. Raises `DrawingFailed` where the layout engine does.
    """
    return render_document(report.graph(), format, errors=report.errors(), ui_url=report.asked.ui_url, theme=theme)


def to_graphviz(report: Report, *, theme: Literal["light", "dark"] = "light") -> graphviz.Source:
    """The service graph as a `graphviz.Source`: a notebook shows it, and the system's Graphviz renders it with any of
    its engines and formats. `render` needs no Graphviz."""
    return graphviz.Source(str(render(report, "dot", theme=theme)))
