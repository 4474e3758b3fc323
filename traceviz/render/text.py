"""Tables for a terminal: fixed columns first, names get the room that is left and are cut in their middle."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from traceviz.documents import Distribution, Edge, ErrorsDocument, FailingHop, GraphDocument
from traceviz.notes import NoteDocument
from traceviz.render.palette import health
from traceviz.render.words import (
    count,
    counted,
    keys,
    latency,
    millis,
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
GAP = "  "
#: A name is never cut below this many columns, even where the table gets broader than the terminal.
LEAST_NAME = 12
#: A second row whose score is at least this part of the first one's is named as a runner-up.
CLOSE = 0.6

_STYLES = {"healthy": "", "some": "yellow", "failing": "bold red"}


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    text: Callable[[Edge], str]
    right: bool = True


def _percentile(which: str) -> Callable[[Edge], str]:
    def text(edge: Edge) -> str:
        value = latency(edge, which)
        return "–" if value is None else millis(value)

    return text


def _of(side: Callable[[Edge], Distribution | None]) -> Callable[[Edge], str]:
    def text(edge: Edge) -> str:
        times = side(edge)
        return "–" if times is None else f"{millis(times['p50'])} / {millis(times['p95'])}"

    return text


_NARROW = (
    _Column("CALLS", lambda edge: count(edge["calls"])),
    _Column("ERRORS", lambda edge: share(edge["error_rate"])),
    _Column("P50", _percentile("p50")),
    _Column("P95", _percentile("p95")),
)
_SIGNS = _Column("SIGNS", lambda edge: _signs(edge), right=False)
_WIDE = (
    _Column("KIND", lambda edge: edge["kind"], right=False),
    _Column("SEEN FROM", lambda edge: edge["seen_from"], right=False),
    _Column("PROTOCOL", lambda edge: edge["protocol"] or "–", right=False),
    _Column("CALLS", lambda edge: count(edge["calls"])),
    _Column("CALLS/S", lambda edge: "–" if edge["calls_per_s"] is None else f"{edge['calls_per_s']:.3g}"),
    _Column("ERRORS", lambda edge: count(edge["errors"])),
    _Column("SHARE", lambda edge: share(edge["error_rate"])),
    _Column("ATTEMPTS", lambda edge: count(edge["attempts"])),
    _Column("FAILED", lambda edge: count(edge["failed_attempts"])),
    _Column("UNANSWERED", lambda edge: count(edge["unanswered"])),
    _Column("P50", _percentile("p50")),
    _Column("P90", _percentile("p90")),
    _Column("P95", _percentile("p95")),
    _Column("P99", _percentile("p99")),
    _Column("MAX", _percentile("max")),
    _Column("CALLER P50/P95", _of(lambda edge: edge["client_ms"])),
    _Column("CALLEE P50/P95", _of(lambda edge: edge["server_ms"])),
    _Column("GAP P50/P95", _of(lambda edge: edge["gap_ms"])),
    _Column("STATUSES", lambda edge: tally(edge["statuses"], most=6), right=False),
    _Column("FLAGS", lambda edge: tally(edge["flags"], most=6), right=False),
)


def graph_table(document: GraphDocument, width: int, color: bool, wide: bool = False) -> str:
    """One line an edge: `×` where errors start, caller, callee, calls, errors, p50, p95 flags and bad statuses.

    The lines fit into `width` columns, at least 40; with `wide` all columns are written, however broad. Times are the
    caller's, else the callee's. Escape sequences are written only with `color`.
    """
    lines = _head(document)
    if not document["edges"]:
        lines += [Text(sentence) for sentence in ([] if document["nodes"] else nothing_found(document))]
        lines += [Text(f"{name(node['name'])}: no calls to or from it were seen") for node in document["nodes"]]
        return _written([*lines, *_note_lines(document["notes"], width)], width, color)
    lines.append(Text())
    columns = _WIDE if wide else (*_NARROW, _SIGNS)
    cells = [[column.text(edge) for column in columns] for edge in document["edges"]]
    needed = [
        max(cell_len(text) for text in (column.title, *texts))
        for column, texts in zip(columns, zip(*cells, strict=True), strict=True)
    ]
    left = max(width, NARROWEST) - 2 - sum(needed) - len(GAP) * (len(columns) + 1)
    callers, callees = [[name(edge[end]) for edge in document["edges"]] for end in ("caller", "callee")]
    room = _rooms(max(map(cell_len, callers)), max(map(cell_len, callees)), 10**6 if wide else left)
    titles = [column.title for column in columns]
    lines.append(_row("  ", "CALLER", "CALLEE", titles, room, needed, columns, "bold"))
    nodes = {node["name"]: node for node in document["nodes"]}
    for edge, caller, callee, texts in zip(document["edges"], callers, callees, cells, strict=True):
        mark = "× " if edge["failing_hop"] else "- " if never_seen(edge, nodes.get(edge["callee"])) else "  "
        style = _STYLES[health(edge["error_rate"])] if edge["errors"] else ""
        lines.append(_row(mark, caller, callee, texts, room, needed, columns, style))
    lines += _signs_explained(document)
    return _written([*lines, *_note_lines(document["notes"], width)], width, color)


def _signs(edge: Edge) -> str:
    """Flags, and statuses that are no success: `FI 504`. At most 16 columns."""
    failed = {status: number for status, number in edge["statuses"].items() if status == "0" or status[:1] not in "123"}
    flags = {flag: number for flag, number in edge["flags"].items() if flag != "-"}
    return shorten(" ".join(part for part in (keys(flags), keys(failed)) if part), 16)


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


def _rooms(callers: int, callees: int, left: int) -> tuple[int, int]:
    """Columns for callers and callees: what they need where there is room, else half each, and what one spares."""
    callers, callees = max(callers, len("CALLER")), max(callees, len("CALLEE"))
    if callers + callees <= left:
        return callers, callees
    left = max(left, 2 * LEAST_NAME)
    half = left // 2
    if callers <= half:
        return callers, left - callers
    return (left - callees, callees) if callees <= half else (left - half, half)


def _row(
    mark: str,
    caller: str,
    callee: str,
    texts: Sequence[str],
    room: tuple[int, int],
    needed: Sequence[int],
    columns: Sequence[_Column],
    style: str,
) -> Text:
    parts = [_padded(shorten(caller, room[0]), room[0]), _padded(shorten(callee, room[1]), room[1])]
    parts += [_padded(text, size, column.right) for text, size, column in zip(texts, needed, columns, strict=True)]
    return Text((mark + GAP.join(parts)).rstrip(), style=style)


def _padded(text: str, cells: int, right: bool = False) -> str:
    space = " " * max(0, cells - cell_len(text))
    return space + text if right else text + space


def _head(document: GraphDocument | ErrorsDocument) -> list[Text]:
    counts = document["counts"]
    read = [counted(counts["traces"], "trace"), counted(counts["spans"], "span")]
    if counts["traces"]:
        failed = counts["failed_traces"]
        read.append(f"{counted(failed, 'failed trace')} ({share(failed / counts['traces'])})")
    if counts["fragments"]:
        read.append(counted(counts["fragments"], "fragment"))
    begin = document["window"]["from"] or document["asked"]["from"]
    end = document["window"]["to"] or document["asked"]["to"]
    where = [part for part in (sources(document, 40), window(begin, end)) if part]
    return [Text(", ".join(where)), Text(", ".join(read))]


def errors_text(document: ErrorsDocument, width: int, color: bool) -> str:
    """Each failing hop as a block: rank and sentence, then who, where, reason, share, way, evidence, time, examples.

    Where the second row is close to the first a line says so; where nothing failed, the counts and notes say what was
    looked at. Long sentences are wrapped into `width` columns, names are never broken over lines.
    """
    width = max(width, NARROWEST)
    lines = _head(document)
    rows = document["failing_hops"]
    if not rows:
        lines += [Text(), *[Text(sentence, style="green") for sentence in _nothing_failed(document, width)]]
    elif not document["counts"]["failed_traces"]:
        absorbed = sum(row["absorbed_traces"] for row in rows)
        said = f"No request failed for the user: failures in {counted(absorbed, 'trace')} were absorbed on the way."
        lines += [Text(), *_wrapped(said, width, "green")]
    for row in rows:
        lines += [Text(), *_block(row, document, width)]
    if (hint := _runner_up(rows)) is not None:
        lines += [Text(), *_wrapped(hint, width, "yellow")]
    return _written([*lines, *_note_lines(document["notes"], width)], width, color)


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


def _block(row: FailingHop, document: ErrorsDocument, width: int) -> list[Text]:
    heading = f"{row['rank']}  {shorten(name(row['reason']), 30)}  {_way([row['caller'], row['callee']], width - 36)}"
    lines = [Text(shorten(heading, width), style="bold red" if row["failed_traces"] else "bold yellow")]
    lines += _wrapped(name(row["text"]), width, "", indent="   ")
    for title, text in _facts(row, document, width - 14):
        lines.append(Text(f"   {title:<9}  ", style="dim") + Text(text, style=""))
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
    return _written(_note_lines(notes, width), width, color=False)


def _note_lines(notes: Sequence[NoteDocument], width: int) -> list[Text]:
    lines = [Text()] if notes else []
    for note in notes:
        said = f"note: {shorten(name(note['code']), 40)} ({count(note['count'])}): {shorten(name(note['text']), 400)}"
        lines += _wrapped(said, max(width, NARROWEST), "dim", after="      ")
    return lines


def _wrapped(text: str, width: int, style: str, indent: str = "", after: str | None = None) -> list[Text]:
    """The sentence in lines; a word that is longer than a line is cut in its middle."""
    follow = indent if after is None else after
    words = " ".join(shorten(word, width - len(follow)) for word in text.split())
    wrapped = textwrap.wrap(words, width, initial_indent=indent, subsequent_indent=follow, break_on_hyphens=False)
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
