"""What a JSON object is, by the keys that it begins with: a record of one of the formats, or what holds records."""

from __future__ import annotations

from typing import Literal

from traceviz.sources import scan

Format = Literal["jaeger", "otlp", "zipkin"]

#: Keys that hold records, or further envelopes with records.
ENVELOPES = frozenset({"data", "result", "resourceSpans", "batches", "trace", "traces"})
#: Keys beside them that are understood: the errors of a server, the first line of `traceviz fetch`.
ASIDE: dict[str, Literal["refusal", "header"]] = {"errors": "refusal", "error": "refusal", "traceviz": "header"}

_JAEGER_KEYS = frozenset({"spans", "processes"})
_OTLP_KEYS = frozenset({"resource", "scopeSpans", "instrumentationLibrarySpans"})
#: What a search answers about a trace in place of its spans: Tempo's, and summaries of Jaeger's v3.
_SUMMARY_KEYS = frozenset({"rootServiceName", "rootTraceName", "spanSets", "spanSet"})
_ZIPKIN_PARTS = frozenset({"tags", "annotations", "binaryAnnotations", "localEndpoint", "remoteEndpoint"})
_SKIPPED = _ZIPKIN_PARTS | {"warnings"}


def kind_of_object(data: bytes, start: int, ended: bool) -> Format | Literal["envelope", "nothing", "summary"] | None:
    """The kind of the object at `start`; None where more bytes are needed to tell."""
    seen: set[str] = set()
    at = start + 1
    while True:
        gap = scan.GAP.match(data, at)
        at = gap.end() if gap else at
        key = scan.KEY.match(data, at)
        if key is None:
            unfinished = at == len(data) or scan.OPEN_KEY.fullmatch(data, at) is not None
            break
        name = scan.text_of_key(key)
        seen.add(name)
        if name in _JAEGER_KEYS:
            return "jaeger"
        if name in _OTLP_KEYS:
            return "otlp"
        if name in _SUMMARY_KEYS and _by_keys(seen) != "envelope":
            return "summary"
        if "traceId" in seen and "id" in seen:
            return "zipkin"
        if name in ENVELOPES or name in ASIDE:
            return "envelope"
        at = key.end()
        if data[at : at + 1] and data[at] in scan.OPENING and name not in _SKIPPED:
            return _by_keys(seen)
        end = scan.end_of(data, at) if at < len(data) else None
        unfinished = end is None or end == len(data)
        if end is None or unfinished:
            break
        at = end
    if unfinished and not ended:
        return None
    if not seen and data[at : at + 1] != b"}":
        return "nothing"
    what = _by_keys(seen)
    broken = data[at : at + 1] != b"}"
    return "zipkin" if broken and what == "envelope" and seen & _ZIPKIN_PARTS else what


def _by_keys(seen: set[str]) -> Format | Literal["envelope"]:
    if "traceId" in seen and "spanId" not in seen:
        return "zipkin"
    return "jaeger" if "traceID" in seen and "spanID" not in seen else "envelope"
