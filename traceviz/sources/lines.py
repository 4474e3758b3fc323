"""One answer to a search ▸ lines for a dump, one a trace, with everything in it as the Jaeger gave it.

v1: `{"data":[{"traceID":…}]}`, the traces verbatim. v3 sends all traces merged; they are regrouped by trace into
`{"resourceSpans":[{"resource":…,"scopeSpans":[{"scope":…,"spans":[…]}]}]}` with every span verbatim, and every resource
and scope, with all that stands beside them, repeated for each of its traces. Order is kept. A trace that stands in
several places of the answer is one line. Only whitespace between tokens changes, where the answer has line breaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from traceviz.notes import Notes
from traceviz.sources.fields import UNDECODABLE, UNREADABLE_RECORD, Unreadable, trace_id, what_is_wrong
from traceviz.sources.reader import note_no_record, unzipped
from traceviz.sources.split import split


class Line(NamedTuple):
    """A line without its end. `trace_id` has 32 hex digits, or is empty where none could be read."""

    trace_id: str
    data: bytes


def lines(body: bytes, name: str, notes: Notes) -> Iterator[Line]:
    """The lines of one answer, plain or gzipped; `name` is what `notes` say of it. Never raises for what the bytes say.

    What is valid JSON and has no readable trace id is a line as it came. What is no valid JSON is left out and noted.
    Of an answer that breaks off come only the traces that are whole. In v3's form that is all but the last one that
    began, because nothing says whether the cut took spans of it: Jaeger writes them trace by trace.
    """
    records = list(split(unzipped([body], name, notes)))
    torn = bool(records) and records[-1].what == "cut"
    read: dict[str, _Traces | _Regrouped] = {"jaeger": _Traces(), "otlp": _Regrouped()}
    last = max((at for at, record in enumerate(records) if record.what in read), default=-1)
    for at, record in enumerate(records):
        if record.what not in read:
            note_no_record(record, name, notes)
            continue
        try:
            data = _on_one_line(record.data)
        except UNDECODABLE as error:
            if not (torn and at == last):
                path, what = what_is_wrong(error, record.data)
                notes.add(UNREADABLE_RECORD, 1, [f"{name}: {record.path}{path}: {what}"])
            continue
        read[record.what].add(data)
    for form in read.values():
        if torn:
            form.forget_what_may_be_torn()
        yield from form.lines()


class _Traces:
    """v1's traces, by id."""

    def __init__(self) -> None:
        self._found: dict[str, list[bytes]] = defaultdict(list)

    def add(self, data: bytes) -> None:
        self._found[_id_of_trace(data)].append(data)

    def forget_what_may_be_torn(self) -> None:
        """A trace is one record, which is broken where it is cut off; all that were read are whole."""

    def lines(self) -> Iterator[Line]:
        for found, traces in self._found.items():
            yield Line(found, b'{"data":[' + b",".join(traces) + b"]}")


#: Where spans stand, by the number of the resource, the name of the list and the place in it.
_Place = tuple[int, str, int]
_Members = dict[str, msgspec.Raw]


class _Regrouped:
    """v3's spans, by trace. `_found` holds what has spans of a trace in the order of the answer: the place of a scope
    with the spans, or a whole resource that holds something else than spans."""

    def __init__(self) -> None:
        self._resources: list[_Members] = []
        self._scopes: dict[_Place, _Members] = {}
        self._found: dict[str, dict[_Place, list[bytes]]] = defaultdict(dict)
        self._strange: list[bytes] = []
        self._last = ""

    def add(self, data: bytes) -> None:
        number = len(self._resources)
        try:
            resource = _MEMBERS.decode(data)
            scopes = {
                (number, key, at): scope
                for key in _LISTS
                for at, scope in enumerate(_SCOPES.decode(resource.get(key, _NULL)) or ())
            }
            spans = {place: _SPANS.decode(scope.get("spans", _NULL)) or [] for place, scope in scopes.items()}
        except UNDECODABLE:
            self._strange.append(data)
            return
        self._resources.append(resource)
        self._scopes |= scopes
        for place, several in spans.items():
            for span in several:
                self._last = _id_of_span(span)
                self._found[self._last].setdefault(place, []).append(bytes(span))

    def forget_what_may_be_torn(self) -> None:
        self._found.pop(self._last, None)

    def lines(self) -> Iterator[Line]:
        for found, places in self._found.items():
            yield Line(found, b'{"resourceSpans":[' + b",".join(self._resources_of(places)) + b"]}")
        for data in self._strange:
            yield Line("", b'{"resourceSpans":[' + data + b"]}")

    def _resources_of(self, places: dict[_Place, list[bytes]]) -> Iterator[bytes]:
        by_resource: dict[int, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        for place, spans in places.items():
            number, key, _ = place
            listed = b"[" + b",".join(spans) + b"]"
            by_resource[number][key].append(_object(self._scopes[place], {"spans": listed}))
        for number, lists in by_resource.items():
            instead = {key: b"[" + b",".join(lists[key]) + b"]" if key in lists else None for key in _LISTS}
            yield _object(self._resources[number], instead)


_LISTS = ("scopeSpans", "instrumentationLibrarySpans")
_NULL = msgspec.Raw(b"null")
_MEMBERS = msgspec.json.Decoder(_Members)
_SCOPES = msgspec.json.Decoder(list[_Members] | None)
_SPANS = msgspec.json.Decoder(list[msgspec.Raw] | None)


class _Named(msgspec.Struct, rename={"v1": "traceID", "v3": "traceId"}):
    v1: str | None = None
    v3: str | None = None


class _Trace(msgspec.Struct):
    spans: list[_Named] | None = None


_NAMED = msgspec.json.Decoder(_Named)
_TRACE = msgspec.json.Decoder(_Trace)


def _id_of_trace(data: bytes) -> str:
    """The id of one of v1's traces: its own, else its first span's."""
    try:
        own = _NAMED.decode(data).v1
        return _normalised(own or next((span.v1 for span in _TRACE.decode(data).spans or ()), None))
    except UNDECODABLE:
        return ""


def _id_of_span(data: msgspec.Raw) -> str:
    try:
        return _normalised(_NAMED.decode(data).v3)
    except UNDECODABLE:
        return ""


def _normalised(text: str | None) -> str:
    try:
        return trace_id(text or "", "")
    except Unreadable:
        return ""


def _object(members: _Members, instead: dict[str, bytes | None]) -> bytes:
    """An object with some of its values replaced, or left out for None; the others are as they came."""
    values = {key: instead.get(key, bytes(value)) for key, value in members.items()}
    pairs = (msgspec.json.encode(key) + b":" + value for key, value in values.items() if value is not None)
    return b"{" + b",".join(pairs) + b"}"


def _on_one_line(data: bytes) -> bytes:
    """Valid JSON without line breaks; raises one of `UNDECODABLE` where it is none."""
    if b"\n" in data or b"\r" in data:
        return msgspec.json.format(data, indent=-1)
    msgspec.json.decode(data, type=msgspec.Raw)
    return data
