"""Numbers and names as people read them: the same words in every picture and table."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote, urlsplit, urlunsplit

from rich.cells import cell_len

from traceviz.documents import BaselineDocument, Context, DiffSide, Document, Edge, Head, Node
from traceviz.errors import UsageError

#: What a character that must not be shown becomes: visible, and no longer able to do anything.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
NO_NAME = "(no name)"

#: Control, surrogate, unassigned, private and format characters (direction marks among these), separators of lines.
_UNSHOWABLE = frozenset({"Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp"})
#: Format characters that scripts and emoji need.
_JOINERS = frozenset("\u200c\u200d")


def clean(text: str) -> str:
    """The text with every control character, ANSI escape, lone surrogate and direction mark shown as `�`.

    What comes out is valid in UTF-8 and XML and cannot move a cursor. Cleaning twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(REPLACEMENT if _must_go(character) else character for character in text)


def _must_go(character: str) -> bool:
    return unicodedata.category(character) in _UNSHOWABLE and character not in _JOINERS


def name(text: str) -> str:
    """A name that is certain to be visible: cleaned, spaces around it gone, `(no name)` where nothing is left."""
    return clean(text).strip() or NO_NAME


def shorten(text: str, cells: int) -> str:
    """The text in at most `cells` columns of a terminal, the middle replaced by `…`: both ends tell names apart.

    A character counts at least one column, so that ten thousand combining marks are cut as well.
    """
    cells = max(cells, 1)
    if len(text) <= cells and columns_of(text) <= cells:
        return text
    head = _fit(text[:cells], cells // 2)
    tail = _fit(text[: -cells - 1 : -1], cells - 1 - columns_of(head))[::-1]
    return f"{head}…{tail}"


def columns_of(text: str) -> int:
    """The columns of a terminal that `shorten` counts for a text."""
    return len(text) if text.isascii() else sum(max(1, cell_len(character)) for character in text)


def _fit(text: str, cells: int) -> str:
    if text.isascii():
        return text[:cells]
    used = 0
    for index, character in enumerate(text):
        used += max(1, cell_len(character))
        if used > cells:
            return text[:index]
    return text


def count(number: int) -> str:
    """`12,345`"""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`1 call`, `12,345 calls`"""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def share(fraction: float) -> str:
    """`53 %`; one digit below 1 % and above 99 %, so that 0 % and 100 % mean exactly that."""
    percent = fraction * 100
    if percent in (0.0, 100.0) or 0.95 <= percent <= 99.05:
        return f"{percent:.0f} %"
    if percent < 1:
        return f"{percent:.1f} %" if percent >= 0.05 else "<0.1 %"
    return f"{percent:.1f} %" if percent < 99.95 else ">99.9 %"


def millis(value: float) -> str:
    """A time given in ms: `0.04 ms`, `0.4 ms`, `1.2 ms`, `12 ms`, `1.25 s`, `125 s`."""
    size = abs(value)
    if size >= 99_950:
        return f"{value / 1000:,.0f} s"
    if size >= 999.5:
        return f"{value / 1000:.3g} s"
    if size >= 9.95:
        return f"{value:.0f} ms"
    if size >= 0.95 or size == 0:
        return f"{value:.1f} ms" if size else "0 ms"
    return f"{value:.1g} ms" if size >= 0.001 else "<0.001 ms"


def tally(counts: Mapping[str, int], most: int = 3) -> str:
    """`504 ×35, 200 ×31`: the commonest first, and how many more kinds there are."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{shorten(name(key), 24)} ×{count(number)}" for key, number in ordered[:most]]
    return ", ".join(shown + ([f"{len(ordered) - most} more"] if len(ordered) > most else []))


def keys(counts: Mapping[str, int], most: int = 2) -> str:
    """`504 500`: what was counted, the commonest first."""
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return " ".join([shorten(name(key), 16) for key in ordered[:most]] + (["…"] if len(ordered) > most else []))


def moment(text: str | None) -> datetime | None:
    """An instant of a document, None where there is none or it is not readable."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def window(begin: str | None, end: str | None) -> str:
    """`2026-11-23 05:29:01 – 05:34:12 UTC`; the day stands twice only where it changes."""
    first, last = moment(begin), moment(end)
    if first is None or last is None:
        return "time not known"
    to = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} – {to} UTC"


def web_address(url: str) -> str:
    """The address of Jaeger's page, without user and password, without a slash at its end.

    Raises UsageError for anything that is not http or https: a picture is opened in a browser.
    """
    try:
        parts = urlsplit(clean(url))
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UsageError("the address of Jaeger's page cannot be read", "write it as http://HOST:PORT/PATH") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("the address of Jaeger's page must start with http:// or https://", "http://localhost:16686")
    return urlunsplit(
        (
            parts.scheme,
            (f"[{host}]" if ":" in host else host) + port,
            quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"),
            "",
            "",
        )
    )


def sources(document: Head | DiffSide | BaselineDocument, cells: int = 60) -> str:
    """Where the traces came from, shortened; user and password of an address are left out."""
    given = [shorten(_without_secrets(name(source)), cells) for source in document["source"]]
    if len(given) > 2:
        return f"{given[0]} and {len(given) - 1} more"
    return ", ".join(given)


def _without_secrets(source: str) -> str:
    if source.startswith(("http://", "https://")):
        try:
            return web_address(source)
        except UsageError:
            return source.split("@")[-1]
    return source


def nothing_found(document: Document) -> list[str]:
    """Why a graph has no node or an answer no row: one or two sentences from the counts and what was asked."""
    counts, asked = document["counts"], document["asked"]
    of = f" of {shorten(name(asked['service']), 60)}" if asked["service"] else ""
    if not counts["traces"]:
        between = f" between {window(asked['from'], asked['to'])}" if asked["from"] and asked["to"] else ""
        return [f"No trace{of} was found{between}.", "Ask for a longer time (--since 6h) or another --service."]
    read = f"{counted(counts['traces'], 'trace')} with {counted(counts['spans'], 'span')}"
    left_out = {"rare-edges", "hidden-nodes", "out-of-focus"} & {note["code"] for note in document["notes"]}
    if left_out:
        return [f"{read}{of} were read, and every call was left out as asked (see the notes)."]
    return [f"{read}{of} were read, and no call between two services is in them."]


def latency(edge: Edge | Context, percentile: str) -> float | None:
    """A percentile in ms as the caller saw it, else as the callee did, else None."""
    times = edge["client_ms"] or edge["server_ms"]
    return None if times is None else cast(Mapping[str, float], times)[percentile]


def never_seen(edge: Edge | Context, callee: Node | None) -> bool:
    """Whether nothing of the callee was seen behind this edge: it does not report, or never got one of the calls."""
    if edge["calls"] and edge["unanswered"] >= edge["calls"]:
        return True
    return edge["seen_from"] == "caller" and (callee is None or callee["kind"] == "unknown" or not callee["calls"])
