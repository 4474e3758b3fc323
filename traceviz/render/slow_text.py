"""Where the time went, as a person reads it: one line a place, then what the largest of them mean."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from traceviz.documents import SlowDocument, SlowHop, WhyDocument
from traceviz.render import table
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.export import SLOW_COLUMNS
from traceviz.render.text import (
    NARROWEST,
    UNCUT,
    bare_rows,
    block,
    columns_shown,
    example_traces,
    graph_head,
    rows_shown,
    wrapped,
    written,
)
from traceviz.render.words import count, counted, name, nothing_found, share, shorten, sources, window
from traceviz.sources.files import STDIN

#: Places with less of the time, and nothing of what was added, are counted and not listed, but for the first ten.
LEAST_SHARE = 0.01
_FIRST = 10
#: So many places get a sentence, as long as each is this much of the time or of what was added.
_MOST_BLOCKS, _LEAST_TOLD = 5, 0.1

_COLUMNS = (
    table.Column("rank", lambda row: str(row["rank"])),
    table.name_of("caller"),
    table.name_of("callee"),
    table.Column("reason", lambda row: name(row["reason"]), right=False),
    table.Column("share", lambda row: share(row["share"])),
    table.milliseconds("self_ms.p95", spare=1),
    table.milliseconds("baseline_ms.p95", spare=3),
    table.Column("explains", lambda row: table.UNKNOWN if row["explains"] is None else share(row["explains"]), spare=2),
)


def slow_text(
    document: SlowDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a place where users waited, columns named as in JSON, then the sentences of the largest.

    With `wide` all places and columns are written, and nothing else; so it is where `arranged` names the columns.
    Otherwise places below a hundredth of the time are counted in one line. Sentences are wrapped into `width` columns.
    """
    whole = wide or arranged.columns or not arranged.headings
    every = arranged.ordered(document["slow_hops"])
    rows = [row for row in every if whole or _listed(row)]
    styles = ["bold" if row["rank"] == 1 else "" for row in rows]
    columns = columns_shown(arranged, _COLUMNS, SLOW_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(rows, columns, styles, color)
    width = max(width, NARROWEST)
    lines = [*graph_head(document, width), *_waited(document, width)]
    if rows:
        lines += rows_shown(rows, columns, UNCUT if wide else width, [""] * len(rows), styles)
    if whole:
        return written(lines, width, color)
    if len(every) > len(rows):
        rest = sum(row["share"] for row in every if not _listed(row))
        said = f"{counted(len(every) - len(rows), 'more place')} with {share(rest)} of the time (-o wide has all)"
        lines += [Text(), *wrapped(said, width, "dim")]
    told = [row for row in rows if row["rank"] == 1 or _tells(row, _LEAST_TOLD)][:_MOST_BLOCKS]
    for row in told:
        traces = [("trace", text) for text in example_traces(row)]
        lines += [
            Text(),
            *block(f"{row['rank']} {name(row['text'])}", traces, width, "bold" if row["rank"] == 1 else ""),
        ]
    return written(lines, width, color)


def _listed(row: SlowHop) -> bool:
    return _tells(row, LEAST_SHARE) or row["rank"] <= _FIRST


def _tells(row: SlowHop, least: float) -> bool:
    return row["share"] >= least or (row["explains"] or 0.0) * (row["slower_share"] or 0.0) >= least


def _waited(document: SlowDocument, width: int) -> list[Text]:
    """How long requests took, and what they are compared with."""
    times = document["requests_ms"]
    if times is None:
        return wrapped(_nobody(document), width, "")
    said = [
        f"{counted(times['count'], 'request')}: half of them within {table.plain(times['p50'])} ms, one in twenty took "
        f"{table.plain(times['p95'])} ms or more"
    ]
    return [
        line
        for text in [*said, *compared_with(document, width), *_no_longer(document)]
        for line in wrapped(text, width, "", after="  ")
    ]


def _nobody(document: SlowDocument) -> str:
    counts = document["counts"]
    if not counts["traces"]:
        return " ".join(nothing_found(document))
    if counts["fragments"] >= counts["traces"]:
        return "No user's request is in here: all traces are fragments of torn traces."
    return "Nobody waited in these traces: what is in them came out of queues, has lost its parent, or takes no time."


def compared_with(document: SlowDocument | WhyDocument, width: int) -> Sequence[str]:
    """What the traces are compared with, if with anything."""
    baseline = document["baseline"]
    if baseline is None:
        return []
    if baseline["own"]:
        return [f"compared with the {count(baseline['traces'])} fast ones of the same kind"]
    when = window(baseline["window"]["from"], baseline["window"]["to"])
    source = "standard input" if baseline["source"] == [STDIN] else shorten(sources(baseline, width), 60)
    version = "" if baseline["version"] is None else f"version {name(baseline['version'])} alone, "
    return [f"baseline: {version}{f'{source}, ' if source else ''}{when}, {counted(baseline['traces'], 'trace')}"]


def _no_longer(document: SlowDocument) -> list[str]:
    """Where users wait no longer than before that is said: then rows stand by their part of the time."""
    baseline, rows = document["baseline"], document["slow_hops"]
    compared = baseline is not None and not baseline["own"] and any(row["slower_share"] is not None for row in rows)
    none = all(row["explains"] is None for row in rows)
    return ["requests take no longer than in the baseline"] if compared and none else []
