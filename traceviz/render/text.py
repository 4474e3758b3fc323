"""What a person reads in a terminal: tables, the sentences and evidence of failing hops, notes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from traceviz.documents import (
    Cause,
    Counts,
    DiffSide,
    Document,
    ErrorsDocument,
    FailingHop,
    GraphDocument,
    Head,
    ListingCounts,
    OperationsDocument,
    ServicesDocument,
    SlowHop,
)
from traceviz.notes import NoteDocument
from traceviz.render import table
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.export import ERRORS_COLUMNS, GRAPH_COLUMNS
from traceviz.render.palette import health
from traceviz.render.words import (
    count,
    counted,
    moment,
    name,
    never_seen,
    nothing_found,
    share,
    shorten,
    sources,
    tally,
    window,
)
from traceviz.rows import Row

NARROWEST = 40
#: Sentences are not broader than this, however broad the terminal is.
BROADEST = 100
#: More columns than any name has.
UNCUT = 10**9
#: A name in the way from the user is never cut below this many columns.
LEAST_NAME = 12
#: A second row whose score is at least this part of the first one's is named as a runner-up.
CLOSE = 0.6
#: Where a line leaves less than this to the source, it has a line of its own.
_SHORTEST_SOURCE = 16

#: The reason of those that failed nobody's call, and do less than before.
STOPPED_CALLING = "stopped-calling"

#: What is to be copied stays whole on its line, however long.
_WHOLE = ("trace", "request")
#: Columns before a fact.
_FACTS = 12

_STYLES = {"healthy": "", "some": "yellow", "failing": "bold red"}


def graph_table(
    document: GraphDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line an edge, columns named as in JSON; `×` marks edges where errors start, `-` callees never reached.

    The lines fit into `width` columns, at least 40, except where `arranged` asks for more; with `wide` all columns are
    written, however broad. Columns for which there was no room are named below. Times are the caller's, else the
    callee's. Escape sequences are written only with `color`.
    """
    edges = arranged.ordered(document["edges"])
    nodes = {node["name"]: node for node in document["nodes"]}
    marks = [
        "× " if edge["failing_hop"] else "- " if never_seen(edge, nodes.get(edge["callee"])) else "  " for edge in edges
    ]
    styles = [_STYLES[health(edge["error_rate"])] if edge["errors"] else "" for edge in edges]
    columns = columns_shown(arranged, table.GRAPH, GRAPH_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(edges, columns, styles, color)
    width = max(width, NARROWEST)
    lines = graph_head(document, width)
    if not edges:
        said = [] if document["nodes"] else nothing_found(document)
        said += [f"{name(node['name'])}: no calls to or from it were seen" for node in document["nodes"]]
        return written([*lines, *sentences(said, width)], width, color)
    lines += rows_shown(edges, columns, UNCUT if wide else width, marks, styles)
    return written([*lines, *_signs_explained(document, width)], width, color)


def columns_shown(
    arranged: Arrangement, usual: Sequence[table.Column], every: Sequence[str] | None
) -> tuple[table.Column, ...]:
    """The columns to show, where `every` are those of `wide`, None where it is not asked for."""
    if every is not None:
        return table.every(arranged.titles(every))
    if arranged.columns or arranged.more:
        return table.chosen(arranged.titles([column.title for column in usual]), usual)
    return tuple(usual)


def rows_shown(
    rows: Sequence[Row],
    columns: Sequence[table.Column],
    width: int,
    marks: Sequence[str],
    styles: Sequence[str],
) -> list[Text]:
    """An empty line, the heading and the rows, and which columns were left out."""
    laid = table.lay_out(rows, columns, width, marks, styles)
    lines = [Text(), laid.heading, *laid.rows]
    if laid.left_out:
        said = f"left out for lack of room: {', '.join(laid.left_out)} (-o wide has all columns)"
        lines += [Text(), *wrapped(said, width, "dim", after="  ")]
    return lines


def bare_rows(rows: Sequence[Row], columns: Sequence[table.Column], styles: Sequence[str], color: bool) -> str:
    """Rows alone, in which nothing is cut or left out."""
    laid = table.lay_out(rows, table.bare(columns), UNCUT, [""] * len(rows), styles)
    return written(laid.rows, UNCUT, color)


def _signs_explained(document: GraphDocument, width: int) -> list[Text]:
    nodes = {node["name"]: node for node in document["nodes"]}
    said = []
    if any(edge["failing_hop"] for edge in document["edges"]):
        said.append("× errors start here (traceviz errors says why)")
    if any(never_seen(edge, nodes.get(edge["callee"])) for edge in document["edges"] if not edge["failing_hop"]):
        said.append("- the callee was never reached, or has no spans of its own")
    if document["cycles"]:
        ways = [" → ".join(shorten(name(node), 20) for node in [*way, *way[:1]]) for way in document["cycles"][:2]]
        said.append(f"{counted(len(document['cycles']), 'cycle')}: {'; '.join(ways)}")
    return [Text(), *sentences(said, width, "dim")] if said else []


def sentences(texts: Sequence[str], width: int, style: str = "") -> list[Text]:
    """Each sentence in as many lines as it needs."""
    return [line for text in texts for line in wrapped(text, width, style, after="  ")]


def graph_head(document: Document, width: int) -> list[Text]:
    """Where the traces came from, of which time they are, and how many were read."""
    return [*source_line(document, width), *wrapped(counts_read(document["counts"]), width, "")]


def counts_read(counts: Counts | ListingCounts) -> str:
    """`100 traces, 533 spans, 17 failed traces (17 %)`, as far as it is known."""
    traces, spans, failed = counts["traces"], counts["spans"], counts["failed_traces"]
    read = [counted(number, noun) for number, noun in ((traces, "trace"), (spans, "span")) if number is not None]
    if traces and failed is not None:
        read.append(f"{counted(failed, 'failed trace')} ({share(failed / traces)})")
    if counts["fragments"]:
        read.append(counted(counts["fragments"], "fragment"))
    return ", ".join(read)


def source_line(document: Head | DiffSide, width: int) -> list[Text]:
    """Where the traces came from and of which time they are, on one line where there is room."""
    begin = document["window"]["from"] or document["asked"]["from"]
    end = document["window"]["to"] or document["asked"]["to"]
    when = window(begin, end)
    whole = sources(document, width)
    if not whole:
        return [Text(when)]
    room = width - cell_len(when) - 2
    if cell_len(whole) > room and room < _SHORTEST_SOURCE:
        return [Text(shorten(whole, width)), *wrapped(when, width, "")]
    return [Text(f"{shorten(whole, room)}, {when}")]


def services_table(
    document: ServicesDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a service, columns named as in JSON, `–` where the node is not known.

    The lines fit into `width` columns, at least 40; with `wide` no name is cut.
    """
    counts, reading = document["counts"], max(width, NARROWEST)
    read = f"nodes as in {counted(counts['traces'], 'trace')}" if counts["traces"] else "no trace was read"
    said = f"{counted(counts['services'], 'service')}, {read}"
    head = [*source_line(document, reading), *wrapped(said, reading, "")]
    return _list(head, document["services"], table.SERVICES, UNCUT if wide else reading, color, arranged)


def operations_table(
    document: OperationsDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line an operation of a service, as `services_table` has them; `–` where the kind is not known."""
    counts, rows, reading = document["counts"], document["operations"], max(width, NARROWEST)
    said = f"{counted(len(rows), 'operation')} of {counted(counts['services'], 'service')}"
    if counts["traces"] is None:
        head = [Text(shorten(sources(document, reading), reading))]
    else:
        head = source_line(document, reading)
        said += f" in {counted(counts['traces'], 'trace')}"
    head += wrapped(said, reading, "")
    return _list(head, rows, table.OPERATIONS, UNCUT if wide else reading, color, arranged)


def _list(
    head: Sequence[Text],
    rows: Sequence[Row],
    usual: Sequence[table.Column],
    width: int,
    color: bool,
    arranged: Arrangement,
) -> str:
    rows, columns, plain = arranged.ordered(rows), columns_shown(arranged, usual, None), [""] * len(rows)
    if not arranged.headings:
        return bare_rows(rows, columns, plain, color)
    return written([*head, *rows_shown(rows, columns, width, plain, plain)], width, color)


def errors_text(
    document: ErrorsDocument, width: int, color: bool, wide: bool = False, arranged: Arrangement = AS_USUAL
) -> str:
    """One line a failing hop, columns named as in JSON, then each one's sentence and evidence.

    With `wide` all columns are written, and nothing else; so it is where `arranged` names the columns. Rows keep their
    rank in whatever order they stand. Where the second row is close to the first a line says so; where nothing failed,
    the counts say what was looked at. Sentences are wrapped into `width` columns, names are never broken over lines.
    """
    rows = arranged.ordered(document["failing_hops"])
    styles = ["bold red" if row["failed_traces"] else "yellow" for row in rows]
    columns = columns_shown(arranged, table.ERRORS, ERRORS_COLUMNS if wide else None)
    if not arranged.headings:
        return bare_rows(rows, columns, styles, color)
    width = max(width, NARROWEST)
    lines = graph_head(document, width)
    if not rows:
        return written([*lines, Text(), *wrapped(_nothing_failed(document), width, "green")], width, color)
    lines += rows_shown(rows, columns, UNCUT if wide else width, [""] * len(rows), styles)
    if wide or arranged.columns:
        return written(lines, width, color)
    if not document["counts"]["failed_traces"]:
        said = "No request failed for the user"
        if document["counts"]["fragments"] >= document["counts"]["traces"]:
            said = "No trace holds a user's request: all are fragments of torn traces."
        elif absorbed := sum(
            row["absorbed_traces"] - row["absorbed_by"].get("unknown", 0)
            for row in rows
            if row["reason"] != STOPPED_CALLING
        ):
            said += f": failures in {counted(absorbed, 'trace')} were absorbed on the way."
        else:
            said += ", as far as the traces show."
        lines += [Text(), *wrapped(said, width, "green")]
    for row, style in zip(rows, styles, strict=True):
        facts = _facts(row, document, width - _FACTS)
        lines += [Text(), *block(f"{row['rank']} {name(row['text'])}", facts, width, style)]
    if (hint := _runner_up(document["failing_hops"])) is not None:
        lines += [Text(), *wrapped(hint, width, "yellow")]
    return written(lines, width, color)


def _nothing_failed(document: ErrorsDocument) -> str:
    counts = document["counts"]
    if not counts["traces"]:
        return " ".join(nothing_found(document))
    if counts["failed_traces"]:
        failed = counted(counts["failed_traces"], "request")
        return f"{counted(counts['traces'], 'trace')}, {failed} failed, and no hop was found where that began."
    return f"{counted(counts['traces'], 'trace')}, no request failed, and no failing hop was found."


def block(sentence: str, facts: Sequence[tuple[str, str]], width: int, style: str) -> list[Text]:
    """A sentence, and facts under it, each a title and a text; traces stay whole, so that they can be copied."""
    lines = wrapped(sentence, width, style, after="  ")
    for title, fact in facts:
        texts = [Text(fact)] if title in _WHOLE else wrapped(fact, width - _FACTS, "")
        for number, text in enumerate(texts):
            led = f"  {'' if number else title:<9} "
            lines.append(Text(led, style="dim") + text)
    return lines


def _facts(row: FailingHop, document: ErrorsDocument, room: int) -> list[tuple[str, str]]:
    """The facts of a block as title and text, in about `room` columns; one that is not known is left out."""
    blame = f", look first at {shorten(name(row['blame']), 40)}" if row["blame"] is not None else ""
    facts = [("where", f"{name(row['where'])}{blame}"), ("calls", _felt(row))]
    if document["counts"]["failed_traces"] and row["explains"] is not None:
        facts.append(
            ("explains", f"{share(row['explains'])} of {counted(document['counts']['failed_traces'], 'failed trace')}")
        )
    if row["absorbed_by"]:
        facts.append(("absorbed", f"by {tally(row['absorbed_by'])}"))
    if len(row["callers"]) > 1:
        facts.append(("callers", tally(row["callers"])))
    if len(row["chain"]) > 2:
        facts.append(("way", _way(row["chain"], room)))
    facts.append(("evidence", _evidence(row)))
    first, last = moment(row["first"]), moment(row["last"])
    if first is not None and last is not None:
        facts.append(("when", window(row["first"], row["last"])))
    facts += [("trace", text) for text in example_traces(row)]
    facts += [("request", name(one)) for one in row["request_ids"][:2]]
    return [(title, text) for title, text in facts if text]


def _felt(row: FailingHop) -> str:
    if row["reason"] == STOPPED_CALLING:
        return f"{counted(row['calls'], 'call')}; whether users felt it nobody marked"
    said = f"{counted(row['calls'], 'failed call')} in {counted(row['traces'], 'trace')}"
    if not row["absorbed_traces"]:
        return f"{said}, all of them failed for the user" if row["failed_traces"] else said
    if not row["failed_traces"]:
        return f"{said}, none of them failed for the user"
    return f"{said}, {count(row['failed_traces'])} of them failed for the user"


def _evidence(row: FailingHop) -> str:
    parts = []
    if row["statuses"]:
        parts.append(f"status {tally(row['statuses'])}")
    if row["flags"]:
        parts.append(f"flags {tally(row['flags'])}")
    for what, shared in sorted(row["concentrated_in"].items()):
        parts.append(f"{name(what)} {shorten(name(shared['value']), 30)} in {share(shared['share'])}")
    return "; ".join(parts)


def example_traces(row: FailingHop | SlowHop | Cause) -> list[str]:
    """Up to three traces: the link where there is one, whole, so that it can be opened."""
    links = [name(link) for link in row["links"]]
    ids = [name(trace) for trace in row["examples"]]
    return (links or ids)[:3]


def _way(nodes: Sequence[str | None], room: int) -> str:
    """`a → b → c` in about `room` columns, each name cut in its middle where it must be."""
    names = [name(node) for node in nodes if node is not None]
    if len(names) > 8:
        names = [*names[:4], "…", *names[-3:]]
    each = max(LEAST_NAME, (room - 3 * (len(names) - 1)) // max(1, len(names)))
    whole = " → ".join(names)
    return whole if cell_len(whole) <= room else " → ".join(shorten(one, each) for one in names)


def _runner_up(rows: Sequence[FailingHop]) -> str | None:
    if len(rows) < 2:
        return None
    first, second = rows[0], rows[1]
    if bool(first["failed_traces"]) != bool(second["failed_traces"]):
        return None
    known = first["score"] and second["score"]
    close = second["score"] >= CLOSE * first["score"] if known and first["score"] and second["score"] else not known
    if not close:
        return None
    runner_up = f"{shorten(name(second['reason']), 30)} at {shorten(name(second['callee']), 40)}"
    return f"Not clear-cut: the second ({runner_up}) is close to the first."


def notes_text(notes: Sequence[NoteDocument], width: int = 100) -> str:
    """The notes of a document, one `note: CODE (COUNT): text` each, wrapped into `width` columns; empty without any."""
    lines: list[Text] = []
    for note in notes:
        said = f"note: {shorten(name(note['code']), 40)} ({count(note['count'])}): {shorten(name(note['text']), 400)}"
        lines += wrapped(said, max(width, NARROWEST), "", after="      ")
    return written(lines, width, color=False)


def wrapped(text: str, width: int, style: str, after: str = "") -> list[Text]:
    """The sentence in lines, which are not broader than is read with ease; a word that is longer than a line is cut in
    its middle."""
    width = min(width, BROADEST)
    words = " ".join(shorten(word, width - len(after)) for word in text.split())
    wrapped = textwrap.wrap(words, width, subsequent_indent=after, break_on_hyphens=False)
    return [Text(line, style=style) for line in wrapped]


def written(lines: Sequence[Text], width: int, color: bool) -> str:
    """The lines as text, never wrapped or cut; with escape sequences only where `color` is asked for."""
    if not color:
        return "".join(f"{line.plain}\n" for line in lines)
    out = io.StringIO()
    broadest = max((line.cell_len for line in lines), default=0)
    console = Console(
        file=out,
        width=broadest + 1,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
    )
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    return out.getvalue()
