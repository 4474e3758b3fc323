"""What the doctor found, as a person reads it: one line a finding, then what is wrong with what there is to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from traceviz.documents import DoctorDocument, Finding
from traceviz.render import table
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.export import DOCTOR_COLUMNS
from traceviz.render.text import (
    NARROWEST,
    UNCUT,
    bare_rows,
    columns_shown,
    graph_head,
    rows_shown,
    wrapped,
    written,
)
from traceviz.render.words import clean, count, counted, name, nothing_found, share, shorten

#: So many traces of a problem are named.
_TRACES = 3
#: Columns before what stands in a block.
_INDENT = 8

_COLUMNS = (
    table.Column("level", lambda row: name(row["level"]), right=False),
    table.Column("code", lambda row: shorten(name(row["code"]), 30), right=False, flexible=True),
    table.Column("service", lambda row: _service(row["service"]), right=False, flexible=True),
    table.Column("towards", lambda row: shorten(_several(row["towards"]), 24), right=False, flexible=True, spare=3),
    table.Column("count", lambda row: count(row["count"]), spare=1),
    table.Column("share", lambda row: table.UNKNOWN if row["share"] is None else share(row["share"]), spare=2),
)


def doctor_text(
    document: DoctorDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a finding, columns named as in JSON, problems first; then each problem's sentence, what to do and
    traces that show it, and the sentence of each fact.

    With `wide` all columns are written, and nothing else; so it is where `arranged` names the columns. Where no problem
    was found a line says so. Sentences are wrapped into `width` columns, at least 40.
    """
    rows = arranged.ordered(document["findings"])
    styles = ["bold red" if row["level"] == "problem" else "" for row in rows]
    columns = columns_shown(arranged, _COLUMNS, DOCTOR_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(rows, columns, styles, color)
    width = max(width, NARROWEST)
    lines = [*graph_head(document, width), *_summary(document, width)]
    if rows:
        lines += rows_shown(rows, columns, UNCUT if wide else width, [""] * len(rows), styles)
    if wide or arranged.columns:
        return written(lines, width, color)
    for row in rows:
        lines += [Text(), *(_problem(row, width) if row["level"] == "problem" else _fact(row, width))]
    return written(lines, width, color)


def _summary(document: DoctorDocument, width: int) -> list[Text]:
    """How many problems and facts there are."""
    if not document["counts"]["traces"]:
        return wrapped(" ".join(nothing_found(document)), width, "")
    problems = sum(row["level"] == "problem" for row in document["findings"])
    said = [counted(problems, "problem") if problems else "no problem found"]
    if facts := len(document["findings"]) - problems:
        said.append(counted(facts, "fact"))
    of = f" on {shorten(name(document['asked']['service']), 40)}" if document["asked"]["service"] else ""
    return wrapped(f"{', '.join(said)}{of}", width, "" if problems else "green")


def _problem(row: Finding, width: int) -> list[Text]:
    doubt = " (likely)" if row["proof"] == "likely" else ""
    lines = wrapped(f"{name(row['code'])}{doubt}: {name(row['text'])}", width, "bold red", after="  ")
    lines += _remedy(row["remedy"], width)
    for trace in row["examples"][:_TRACES]:
        lines.append(Text(f"  {'trace':<{_INDENT - 3}} ", style="dim") + Text(name(trace)))
    return lines


def _fact(row: Finding, width: int) -> list[Text]:
    return wrapped(f"{name(row['code'])}: {name(row['text'])}", width, "", after="  ")


def _remedy(text: str, width: int) -> list[Text]:
    """What to do, each line under the one before; lines of code stay whole, so that they can be copied."""
    lines: list[Text] = []
    for part in text.split("\n"):
        is_code = part.startswith("    ")
        lines += [Text(clean(part))] if is_code else wrapped(name(part), width - _INDENT, "")
    return [
        Text(f"  {'' if number else 'do':<{_INDENT - 3}} ", style="dim") + line for number, line in enumerate(lines)
    ]


def _service(service: str | None) -> str:
    return table.UNKNOWN if service is None else name(service)


def _several(names: Sequence[str]) -> str:
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{name(names[0])}{more}" if names else ""
