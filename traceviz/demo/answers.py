"""What a Jaeger with the recorded traces answers: the routes, limits and error messages of a real jaeger-query.

Compared with what a real one (v2.13, in memory) answered by tests/test_demo_server.py. Left out: dependencies, metrics,
archive, and parameters not named below, which are refused with 501 instead of being ignored.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from traceviz.demo.traces import Json, RecordedTrace, Recording, Search
from traceviz.errors import UsageError
from traceviz.when import parse_duration, parse_instant

MOST_TRACES = 100_000  # what Jaeger's memory store keeps where nothing else is configured

_BAD_DEPTH = "search depth must be greater than 0 and less than max traces"
_DEFAULT_LIMIT = 100
_TWO_DAYS_NS = 2 * 86400 * 10**9
_PAGE = """<!DOCTYPE html>
<html lang="en">
    <meta charset="UTF-8">
    <title>traceviz demo</title>
    <body><p>Jaeger's page would be here. The demo has its API only, at /api/traces and /api/v3/traces.</p></body>
</html>
"""
_V1_PARAMETERS = {
    "service",
    "operation",
    "start",
    "end",
    "limit",
    "minDuration",
    "maxDuration",
    "tag",
    "tags",
    "lookback",
    "raw",
}
_V3_PARAMETERS = {
    "query.service_name",
    "query.operation_name",
    "query.start_time_min",
    "query.start_time_max",
    "query.num_traces",
    "query.duration_min",
    "query.duration_max",
    "query.raw_traces",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, content type, body."""

    status: int
    content_type: str
    body: bytes


class _Refused(Exception):
    """The question gets an error of this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Answers:
    """What a Jaeger that holds `recording` answers to each path with its query."""

    def __init__(self, recording: Recording, base_path: str = "") -> None:
        self.recording = recording
        self.base_path = base_path

    def of(self, path_and_query: str) -> Answer:
        """The answer to one GET."""
        path, query = urlsplit(path_and_query)[2:4]
        parameters = parse_qs(query, keep_blank_values=True)
        if not path.startswith(self.base_path + "/api/"):
            return _page()
        segments = [unquote(segment) for segment in path.removeprefix(self.base_path + "/api/").split("/")]
        if segments[0] == "v3":
            return self._v3(segments[1:], parameters)
        return self._v1(segments, parameters)

    def _v1(self, segments: list[str], parameters: Mapping[str, list[str]]) -> Answer:
        recording = self.recording
        try:
            match segments:
                case ["services"]:
                    return _v1_list(recording.services())
                case ["services", service, "operations"]:
                    return _v1_list(sorted({name for name, _ in recording.operations(service)}))
                case ["operations"]:
                    service = _required(parameters, "service")
                    pairs = recording.operations(service, _first(parameters, "spanKind"))
                    return _v1_list([{"name": name, "spanKind": kind} for name, kind in pairs])
                case ["traces"]:
                    search, limit = _v1_search(parameters, time.time_ns())
                    return _v1_traces(self._found(search, limit))
                case ["traces", trace_id]:
                    return _v1_traces([self._trace(trace_id, "trace not found")])
        except _Refused as refused:
            error = {"code": refused.status, "msg": str(refused)}
            return _json(refused.status, _v1_envelope(None, errors=[error]), "text/plain; charset=utf-8", "\n")
        return _page()

    def _v3(self, segments: list[str], parameters: Mapping[str, list[str]]) -> Answer:
        try:
            match segments:
                case ["services"]:
                    return _v3_json({"services": self.recording.services()})
                case ["operations"]:
                    service = _required(parameters, "service")
                    pairs = self.recording.operations(service, _first(parameters, "span_kind"))
                    return _v3_json({"operations": [{"name": name, "spanKind": kind} for name, kind in pairs]})
                case ["traces"]:
                    return _v3_traces(self._found(*_v3_search(parameters)))
                case ["traces", trace_id]:
                    return _v3_traces([self._trace(trace_id, "No traces found", "malformed parameter trace_id: ")])
        except _Refused as refused:
            error = {"error": {"httpCode": refused.status, "message": str(refused)}}
            return _json(refused.status, error, "text/plain; charset=utf-8", "\n")
        return _page()

    def _found(self, search: Search, limit: int) -> list[RecordedTrace]:
        if not 0 < limit <= MOST_TRACES:
            raise _Refused(500, _BAD_DEPTH)
        return self.recording.search(search, limit)

    def _trace(self, trace_id: str, missing: str, context: str = "") -> RecordedTrace:
        if not re.fullmatch("[0-9a-fA-F]{1,32}", trace_id):
            raise _Refused(400, f'{context}strconv.ParseUint: parsing "{trace_id}": invalid syntax')
        trace = self.recording.trace(trace_id)
        if trace is None:
            raise _Refused(404, missing)
        return trace


def _v1_search(parameters: Mapping[str, list[str]], now_ns: int) -> tuple[Search, int]:
    _refuse_unknown(parameters, _V1_PARAMETERS)
    to_ns = _v1_time(parameters, "end", now_ns)
    from_ns = _v1_time(parameters, "start", now_ns - _TWO_DAYS_NS)
    limit = _integer(_first(parameters, "limit") or str(_DEFAULT_LIMIT))
    search = Search(
        service=_required(parameters, "service"),
        operation=_first(parameters, "operation"),
        from_ns=from_ns,
        to_ns=to_ns,
        min_duration_ns=_duration(parameters, "minDuration") or 0,
        max_duration_ns=_duration(parameters, "maxDuration"),
        tags=_v1_tags(parameters),
    )
    return search, limit


def _v1_time(parameters: Mapping[str, list[str]], name: str, default_ns: int) -> int:
    text = _first(parameters, name)
    return _integer(text, f"unable to parse param '{name}': ") * 1000 if text else default_ns


def _v1_tags(parameters: Mapping[str, list[str]]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for text in parameters.get("tag", ()):
        key, colon, value = text.partition(":")
        if not colon:
            raise _Refused(400, f"malformed 'tag' parameter, expecting key:value, received: {text}")
        tags[key] = value
    for text in parameters.get("tags", ()):
        try:
            given = json.loads(text)
        except ValueError as error:
            raise _Refused(400, f"malformed 'tags' parameter, cannot unmarshal JSON: {error}") from None
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise _Refused(400, "malformed 'tags' parameter, cannot unmarshal JSON: not an object of strings")
        tags.update(given)
    return tags


def _v3_search(parameters: Mapping[str, list[str]]) -> tuple[Search, int]:
    _refuse_unknown(parameters, _V3_PARAMETERS)
    earliest, latest = _first(parameters, "query.start_time_min"), _first(parameters, "query.start_time_max")
    if not (earliest and latest):
        raise _Refused(400, "query.start_time_min and query.start_time_max are required")
    search = Search(
        service=_required(parameters, "query.service_name"),
        operation=_first(parameters, "query.operation_name"),
        from_ns=_v3_time("query.start_time_min", earliest),
        to_ns=_v3_time("query.start_time_max", latest),
        min_duration_ns=_duration(parameters, "query.duration_min") or 0,
        max_duration_ns=_duration(parameters, "query.duration_max"),
    )
    num_traces = _first(parameters, "query.num_traces") or "0"
    return search, _integer(num_traces, "malformed parameter query.num_traces: ")


def _v3_time(name: str, text: str) -> int:
    if "T" not in text:
        raise _Refused(400, f'malformed parameter {name}: parsing time "{text}" as RFC 3339: cannot parse')
    try:
        return parse_instant(text, now_ns=0)
    except UsageError:
        raise _Refused(400, f'malformed parameter {name}: parsing time "{text}" as RFC 3339: cannot parse') from None


def _duration(parameters: Mapping[str, list[str]], name: str) -> int | None:
    text = _first(parameters, name)
    try:
        return parse_duration(text) if text else None
    except UsageError:
        raise _Refused(400, f"unable to parse param '{name}': time: invalid duration \"{text}\"") from None


def _first(parameters: Mapping[str, list[str]], name: str) -> str:
    return parameters.get(name, [""])[0]


def _required(parameters: Mapping[str, list[str]], name: str) -> str:
    value = _first(parameters, name)
    if not value:
        raise _Refused(400, f"parameter '{name}' is required")
    return value


def _integer(text: str, context: str = "") -> int:
    if not re.fullmatch("[+-]?[0-9]{1,19}", text):
        raise _Refused(400, f'{context}strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _refuse_unknown(parameters: Mapping[str, list[str]], known: set[str]) -> None:
    if unknown := sorted(set(parameters) - known):
        raise _Refused(501, f"the demo does not know the parameter {unknown[0]!r}")


def _v1_envelope(data: Any, total: int = 0, errors: list[Json] | None = None) -> Json:
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}


def _v1_list(data: list[Any]) -> Answer:
    return _json(200, _v1_envelope(data, total=len(data)), "application/json")


def _v1_traces(traces: list[RecordedTrace]) -> Answer:
    return _json(200, _v1_envelope([trace.v1 for trace in traces]), "application/json")


def _v3_traces(traces: list[RecordedTrace]) -> Answer:
    if not traces:
        raise _Refused(404, "No traces found")
    return _v3_json({"result": {"resourceSpans": [group for trace in traces for group in trace.v3]}})


def _v3_json(document: Json) -> Answer:
    # Jaeger says text/plain for v3's JSON, good and bad.
    return _json(200, document, "text/plain; charset=utf-8")


def _json(status: int, document: Json, content_type: str, end: str = "") -> Answer:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False) + end
    return Answer(status, content_type, text.encode())


def _page() -> Answer:
    """Before v2.16 Jaeger answers an unknown route with its page and 200."""
    return Answer(200, "text/html; charset=utf-8", _PAGE.encode())
