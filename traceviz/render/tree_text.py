"""A trace in a terminal: its calls as a tree, with a bar each on one axis of time; or all columns of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from traceviz.documents import TreeDocument
from traceviz.render import table
from traceviz.render.export import TREE_CALL_COLUMNS, TREE_COLUMNS
from traceviz.render.text import NARROWEST, UNCUT, wrapped, written
from traceviz.render.tree_folding import all_but_alike, outline
from traceviz.render.tree_guides import guides
from traceviz.render.tree_lines import TreeLines, mark, style
from traceviz.render.tree_rows import TreeRow, rows_of
from traceviz.render.tree_words import head_words, left_out_words
from traceviz.render.words import name, shorten

#: Levels of guides that `wide` writes before it gives numbers.
WIDE_LEVELS = 30


def tree_text(document: TreeDocument, width: int, color: bool, spans: bool = False) -> str:
    """A line a call, or a span, below the one that made it: name, times in ms, status and flags, a bar.

    The lines fit into `width` columns, at least 40. Of many sibling calls that are alike some are folded into a line
    that counts them. `×` marks what failed and `×►` where that began; a legend explains every sign that occurs.
    """
    width = max(width, NARROWEST)
    rows = rows_of(document, spans)
    lines = _head(document, width)
    if not rows:
        return written(lines, width, color)
    of_spans = rows[0].role is not None
    entries = outline(rows, [True] * len(rows) if of_spans else all_but_alike(rows))
    drawn = TreeLines(rows, entries, document["duration_ms"], width)
    lines += [Text(), *drawn.lines(), Text()]
    for said in (*left_out_words(entries, "-o wide"), *([_NO_CALL] if of_spans and not spans else [])):
        lines += wrapped(said, width, "")
    return written([*lines, *_side_by_side(drawn.legend(), width)], width, color)


_BETWEEN = " · "
_NO_CALL = "No call between two services is in this trace: these are its spans."


def wide_tree(document: TreeDocument, width: int, color: bool, spans: bool = False) -> str:
    """Every call, or span, with all its columns, however broad; nothing is folded or cut."""
    rows = rows_of(document, spans)
    lines = _head(document, max(width, NARROWEST))
    if not rows:
        return written(lines, width, color)
    of_spans = rows[0].role is not None
    shown: Sequence[Mapping[str, Any]] = document["spans"] if of_spans else document["calls"]
    led = guides(outline(rows, [True] * len(rows)), rows, WIDE_LEVELS)
    trees = [{**one, "tree": before + _named(row)} for one, before, row in zip(shown, led, rows, strict=True)]
    columns = table.every(TREE_COLUMNS if of_spans else TREE_CALL_COLUMNS)
    tree = table.Column("tree", lambda row: str(row["tree"]), right=False)
    marks = [f"{mark(row):<3}" for row in rows]
    lines += [Text(), *table.lines(trees, (tree, *columns), UNCUT, marks, [style(row) for row in rows])]
    return written(lines, width, color)


def _named(row: TreeRow) -> str:
    return name(row.name) if row.caller is None else f"{name(row.caller)} → {name(row.name)}"


def _head(document: TreeDocument, width: int) -> list[Text]:
    words = head_words(document)
    verdict = "bold red" if words.failed else "yellow" if words.verdict.startswith("×") else "green"
    lines = [*wrapped(f"{words.trace}, {words.when}", width, ""), *wrapped(words.facts, width, "")]
    lines += wrapped(words.verdict, width, verdict, after="  ")
    return lines if document["link"] is None else [*lines, Text(name(document["link"]), style="dim")]


def _side_by_side(parts: Sequence[str], width: int) -> list[Text]:
    """`× failed · █ own time` in lines, never broken within a part."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + len(_BETWEEN) + cell_len(part) <= width:
            lines[-1] += _BETWEEN + part
        else:
            lines.append(part)
    return [Text(shorten(line, width), style="dim") for line in lines]
