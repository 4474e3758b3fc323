"""What a person reads in a terminal: tables, the sentences and evidence of failing hops, notes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from traceviz.documents import ErrorsDocument, FailingHop, GraphDocument, Head, OperationsDocument, ServicesDocument
from traceviz.notes import NoteDocument
from traceviz.render import table
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

NARROWEST = 40
#: More columns than any name has.
UNCUT = 10**9
#: A name is never cut below this many columns, even where the table gets broader than the terminal.
LEAST_NAME = 12
#: A second row whose score is at least this part of the first one's is named as a runner-up.
CLOSE = 0.6

_STYLES = {"healthy": "", "some": "yellow", "failing": "bold red"}


def graph_table(document: GraphDocument, width: int, color: bool, wide: bool = False) -> str:
    """One line an edge, columns named as in JSON; `×` marks edges where errors start, `-` callees never reached.

    The lines fit into `width` columns, at least 40; with `wide` all columns are written, however broad. Times are the
    caller's, else the callee's. Escape sequences are written only with `color`.
    """
    lines = _head(document, max(width, NARROWEST))
    edges = document["edges"]
    if not edges:
        lines += [Text(sentence) for sentence in ([] if document["nodes"] else nothing_found(document))]
        lines += [Text(f"{name(node['name'])}: no calls to or from it were seen") for node in document["nodes"]]
        return _written(lines, width, color)
    nodes = {node["name"]: node for node in document["nodes"]}
    marks = [
        "× " if edge["failing_hop"] else "- " if never_seen(edge, nodes.get(edge["callee"])) else "  " for edge in edges
    ]
    styles = [_STYLES[health(edge["error_rate"])] if edge["errors"] else "" for edge in edges]
    columns = table.every(GRAPH_COLUMNS) if wide else table.GRAPH
    lines += [Text(), *table.lines(edges, columns, max(width, NARROWEST), marks, styles), *_signs_explained(document)]
    return _written(lines, width, color)


def _signs_explained(document: GraphDocument) -> list[Text]:
    nodes = {node["name"]: node for node in document["nodes"]}
    said = []
    if any(edge["failing_hop"] for edge in document["edges"]):
        said.append("× errors start here (traceviz errors says why)")
    if any(never_seen(edge, nodes.get(edge["callee"])) for edge in document["edges"] if not edge["failing_hop"]):
        said.append("- the callee was never reached, or has no spans of its own")
    if document["cycles"]:
        ways = [" → ".join(shorten(name(node), 20) for node in [*way, *way[:1]]) for way in document["cycles"][:2]]
        said.append(f"{counted(len(document['cycles']), 'cycle')}: {'; '.join(ways)}")
    return [Text(), *[Text(sentence, style="dim") for sentence in said]] if said else []


def _head(document: GraphDocument | ErrorsDocument, width: int) -> list[Text]:
    counts = document["counts"]
    read = [counted(counts["traces"], "trace"), counted(counts["spans"], "span")]
    if counts["traces"]:
        failed = counts["failed_traces"]
        read.append(f"{counted(failed, 'failed trace')} ({share(failed / counts['traces'])})")
    if counts["fragments"]:
        read.append(counted(counts["fragments"], "fragment"))
    return [_source(document, width), *_wrapped(", ".join(read), width, "")]


def _source(document: Head, width: int) -> Text:
    """Where the traces came from and of which time they are."""
    begin = document["window"]["from"] or document["asked"]["from"]
    end = document["window"]["to"] or document["asked"]["to"]
    when = window(begin, end)
    where = [part for part in (shorten(sources(document, 40), max(width - cell_len(when) - 2, 16)), when) if part]
    return Text(", ".join(where))


def services_table(document: ServicesDocument, width: int, color: bool, wide: bool = False) -> str:
    """One line a service, columns named as in JSON, `–` where the node is not known.

    The lines fit into `width` columns, at least 40; with `wide` no name is cut.
    """
    counts = document["counts"]
    read = f"nodes as in {counted(counts['traces'], 'trace')}" if counts["traces"] else "no trace was read"
    head = [_source(document, max(width, NARROWEST)), Text(f"{counted(counts['services'], 'service')}, {read}")]
    return _list(head, document["services"], table.SERVICES, width, color, wide)


def operations_table(document: OperationsDocument, width: int, color: bool, wide: bool = False) -> str:
    """One line an operation of a service, as `services_table` has them; `–` where the kind is not known."""
    counts, rows = document["counts"], document["operations"]
    said = f"{counted(len(rows), 'operation')} of {counted(counts['services'], 'service')}"
    if counts["traces"] is None:
        head = [Text(shorten(sources(document, width), max(width, NARROWEST)))]
    else:
        head = [_source(document, max(width, NARROWEST))]
        said += f" in {counted(counts['traces'], 'trace')}"
    return _list([*head, Text(said)], rows, table.OPERATIONS, width, color, wide)


def _list(
    head: Sequence[Text],
    rows: Sequence[table.Row],
    columns: Sequence[table.Column],
    width: int,
    color: bool,
    wide: bool,
) -> str:
    room = UNCUT if wide else max(width, NARROWEST)
    return _written(
        [*head, Text(), *table.lines(rows, columns, room, [""] * len(rows), [""] * len(rows))], width, color
    )


def errors_text(document: ErrorsDocument, width: int, color: bool, wide: bool = False) -> str:
    """One line a failing hop, columns named as in JSON, then each one's sentence and evidence.

    With `wide` all columns are written, and nothing else. Where the second row is close to the first a line says so;
    where nothing failed, the counts say what was looked at. Sentences are wrapped into `width` columns, names are
    never broken over lines.
    """
    width = max(width, NARROWEST)
    lines = _head(document, width)
    rows = document["failing_hops"]
    if not rows:
        lines += [Text(), *[Text(sentence, style="green") for sentence in _nothing_failed(document, width)]]
        return _written(lines, width, color)
    styles = ["bold red" if row["failed_traces"] else "yellow" for row in rows]
    columns = table.every(ERRORS_COLUMNS) if wide else table.ERRORS
    lines += [Text(), *table.lines(rows, columns, width, [""] * len(rows), styles)]
    if wide:
        return _written(lines, width, color)
    if not document["counts"]["failed_traces"]:
        said = "No request failed for the user"
        if document["counts"]["fragments"] >= document["counts"]["traces"]:
            said = "No trace holds a user's request: all are fragments of torn traces."
        elif absorbed := sum(row["absorbed_traces"] - row["absorbed_by"].get("unknown", 0) for row in rows):
            said += f": failures in {counted(absorbed, 'trace')} were absorbed on the way."
        else:
            said += ", as far as the traces show."
        lines += [Text(), *_wrapped(said, width, "green")]
    for row, style in zip(rows, styles, strict=True):
        lines += [Text(), *_block(row, document, width, style)]
    if (hint := _runner_up(rows)) is not None:
        lines += [Text(), *_wrapped(hint, width, "yellow")]
    return _written(lines, width, color)


def _nothing_failed(document: ErrorsDocument, width: int) -> list[str]:
    counts = document["counts"]
    if not counts["traces"]:
        said = " ".join(nothing_found(document))
    elif counts["failed_traces"]:
        failed = counted(counts["failed_traces"], "request")
        said = f"{counted(counts['traces'], 'trace')}, {failed} failed, and no hop was found where that began."
    else:
        said = f"{counted(counts['traces'], 'trace')}, no request failed, and no failing hop was found."
    return textwrap.wrap(said, width)


def _block(row: FailingHop, document: ErrorsDocument, width: int, style: str) -> list[Text]:
    lines = _wrapped(f"{row['rank']} {name(row['text'])}", width, style, after="  ")
    for title, text in _facts(row, document, width - 14):
        lines.append(Text(f"  {title:<9} ", style="dim") + Text(text, style=""))
    return lines


def _facts(row: FailingHop, document: ErrorsDocument, room: int) -> list[tuple[str, str]]:
    """The lines of a block as title and text, each at most `room` columns; a fact that is not known is left out."""
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
    facts += [("trace", text) for text in _examples(row)]
    if row["request_ids"]:
        facts.append(("requests", " ".join(shorten(name(one), 40) for one in row["request_ids"][:2])))
    long = ("trace", "requests")
    return [(title, text if title in long else shorten(text, room)) for title, text in facts if text]


def _felt(row: FailingHop) -> str:
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


def _examples(row: FailingHop) -> list[str]:
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
        lines += _wrapped(said, max(width, NARROWEST), "", after="      ")
    return _written(lines, width, color=False)


def _wrapped(text: str, width: int, style: str, after: str = "") -> list[Text]:
    """The sentence in lines; a word that is longer than a line is cut in its middle."""
    words = " ".join(shorten(word, width - len(after)) for word in text.split())
    wrapped = textwrap.wrap(words, width, subsequent_indent=after, break_on_hyphens=False)
    return [Text(line, style=style) for line in wrapped]


def _written(lines: Sequence[Text], width: int, color: bool) -> str:
    out = io.StringIO()
    broadest = max([width, *(line.cell_len for line in lines)], default=width)
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
