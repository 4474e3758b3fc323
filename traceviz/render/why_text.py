"""Which workload to look at first, as a person reads it: one line a workload, then what speaks against it."""

from __future__ import annotations

from rich.text import Text

from traceviz.documents import Cause, WhyDocument
from traceviz.render import table
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.export import WHY_COLUMNS
from traceviz.render.slow_text import compared_with
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
from traceviz.render.words import counted, name, nothing_found, shorten

#: Workloads against which less speaks are counted and not listed: healthy traffic has some of that.
LEAST_SCORE = 0.1
#: So many workloads get their evidence told, and so many pieces of it.
_MOST_BLOCKS, _MOST_EVIDENCE = 3, 4

_COLUMNS = (
    table.Column("rank", lambda row: str(row["rank"])),
    table.name_of("service"),
    table.Column("kind", lambda row: name(row["kind"]), right=False, spare=1),
    table.Column("reason", lambda row: shorten(name(row["reason"]), 22), right=False, flexible=True),
    table.Column("score", lambda row: f"{row['score']:.2f}"),
)


def why_text(
    document: WhyDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a workload, columns named as in JSON, then the evidence against the first ones.

    With `wide` all workloads and columns are written, and nothing else; so it is where `arranged` names the columns.
    """
    whole = wide or arranged.columns or not arranged.headings
    every = arranged.ordered(document["causes"])
    rows = every if whole else [row for row in every if row["score"] >= LEAST_SCORE]
    styles = ["bold red" if row["rank"] == 1 else "" for row in rows]
    columns = columns_shown(arranged, _COLUMNS, WHY_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(rows, columns, styles, color)
    width = max(width, NARROWEST)
    lines = graph_head(document, width)
    for text in compared_with(document, width):
        lines += wrapped(text, width, "", after="  ")
    if rows:
        lines += rows_shown(rows, columns, UNCUT if wide else width, [""] * len(rows), styles)
    if whole:
        return written(lines, width, color)
    if not rows:
        lines += [Text(), *wrapped(_nothing(document), width, "green")]
    elif len(every) > len(rows):
        said = f"{counted(len(every) - len(rows), 'more workload')} with little against them (-o wide has all)"
        lines += [Text(), *wrapped(said, width, "dim")]
    for row, style in list(zip(rows, styles, strict=True))[:_MOST_BLOCKS]:
        lines += [Text(), *_told(row, width, style)]
    return written(lines, width, color)


def _nothing(document: WhyDocument) -> str:
    counts = document["counts"]
    if not counts["traces"]:
        return " ".join(nothing_found(document))
    if counts["fragments"] >= counts["traces"]:
        return "Nothing stands out, as far as fragments of torn traces tell: what users got is not in there."
    return "Nothing stands out: no workload fails, is slow or stopped calling in a way that users would notice."


def _told(row: Cause, width: int, style: str) -> list[Text]:
    more = [text for text in row["evidence"] if text != row["text"]]
    facts = [("also", name(text)) for text in more[: _MOST_EVIDENCE - 1]]
    if len(more) >= _MOST_EVIDENCE:
        facts.append(("also", f"{counted(len(more) - _MOST_EVIDENCE + 1, 'more piece')} of evidence (-o json)"))
    facts += [("trace", text) for text in example_traces(row)]
    text = name(row["text"])
    about = "" if text.startswith(name(row["service"])) else f"{name(row['service'])}: "
    return block(f"{row['rank']} {about}{text}", facts, width, style)
