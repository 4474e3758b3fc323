"""What may stand on an edge: the columns of `--label`, each a few words, and the line it stands in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from traceviz.documents import Edge
from traceviz.errors import UsageError
from traceviz.render.words import count, counted, keys, latency, millis, share, tally


@dataclass(frozen=True, slots=True)
class Column:
    """One thing an edge can say. Columns of one `line` stand beside each other; `text` gives None for not known."""

    line: int
    text: Callable[[Edge], str | None]


def _time(percentile: str) -> Column:
    def text(edge: Edge) -> str | None:
        value = latency(edge, percentile)
        return None if value is None else f"{percentile} {millis(value)}"

    return Column(1, text)


def _gap(edge: Edge) -> str | None:
    return None if edge["gap_ms"] is None else f"gap p50 {millis(edge['gap_ms']['p50'])}"


def _per_second(edge: Edge) -> str | None:
    rate = edge["calls_per_s"]
    return None if rate is None else f"{rate:.3g}/s"


def _critical(edge: Edge) -> str | None:
    whole, way = edge.get("critical_share"), edge.get("critical_way_share")
    if whole is None:
        return None
    # Where it is hardly anything it needs no words.
    return f"{share(whole)} of waiting" + (f", {share(way)} on the way" if way and way >= 0.05 else "")


COLUMNS: dict[str, Column] = {
    "calls": Column(0, lambda edge: counted(edge["calls"], "call")),
    "calls_per_s": Column(0, _per_second),
    "attempts": Column(0, lambda edge: counted(edge["attempts"], "attempt")),
    "errors": Column(0, lambda edge: counted(edge["errors"], "error")),
    "error_rate": Column(0, lambda edge: f"{share(edge['error_rate'])} err"),
    "unanswered": Column(0, lambda edge: f"{count(edge['unanswered'])} unanswered"),
    "mean_ms": _time("mean"),
    "p50_ms": _time("p50"),
    "p90_ms": _time("p90"),
    "p95_ms": _time("p95"),
    "p99_ms": _time("p99"),
    "max_ms": _time("max"),
    "gap_ms": Column(2, _gap),
    "statuses": Column(3, lambda edge: tally(edge["statuses"]) or None),
    "flags": Column(4, lambda edge: keys(edge["flags"]) or None),
    "protocol": Column(4, lambda edge: edge["protocol"]),
    "critical_share": Column(-1, _critical),
}

DEFAULT: tuple[str, ...] = ("calls", "error_rate", "p50_ms", "p95_ms")


def check(columns: Sequence[str]) -> None:
    """Raise UsageError where a column of `--label` does not exist."""
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise UsageError(f"an edge cannot be labelled with {unknown[0]!r}", f"labels: {', '.join(COLUMNS)}")


def lines(edge: Edge, columns: Sequence[str]) -> list[str]:
    """The lines on an edge, `66 calls · 53 % err` and `p50 1.2 ms · p95 3.1 ms`; nothing for what is not known."""
    parts: dict[int, list[str]] = {}
    for name in columns:
        column = COLUMNS[name]
        text = column.text(edge)
        if text is not None:
            parts.setdefault(column.line, []).append(text)
    said = [" · ".join(parts[line]) for line in sorted(parts)]
    return [*said, f"{count(edge['joined'])} joined"] if edge.get("joined") else said
