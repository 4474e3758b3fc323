"""A dump that can be shared: the same traces under other names.

Names, hosts, URLs, ids, users, statements, messages and everything that is not known to be harmless are replaced, each
by the same pseudonym throughout; times, durations, statuses, flags, kinds, methods, protocols, versions, retries and
the shape of every trace stay, so that the analysis says the same of both. Members that no format defines are left out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from traceviz.documents import SeenDocument, ServiceWindow
from traceviz.keeping.private_tags import NESTED, PrivateTags
from traceviz.keeping.pseudonyms import Pseudonyms
from traceviz.keeping.renaming import Renaming
from traceviz.notes import Notes, define
from traceviz.sources.fields import UNDECODABLE
from traceviz.sources.header import Header

NOT_ANONYMIZED = define(
    "not-anonymized",
    "{count} {count:line is|lines are} neither Jaeger's JSON nor OTLP's and {count:was|were} left out",
    """`--anonymize` writes only what it understands, so that nothing slips through.

    A line was no trace of Jaeger's v1 JSON and held no resource spans of OTLP. It is missing in the file.""",
)


class Anonymizer:
    """Replaces what is private in the lines and the header of one file. Without a `key` one is drawn and thrown away,
    so that no id can be looked up. `notes` count what was left out."""

    def __init__(self, key: bytes | None = None) -> None:
        self.notes = Notes()
        self._renaming = Renaming(Pseudonyms(key))
        self._tags = PrivateTags(self._renaming)
        self._jaeger, self._otlp = _jaeger(self._renaming, self._tags), _otlp(self._renaming, self._tags)

    def line(self, data: bytes) -> bytes:
        """One line of a dump: traces of v1, `{"data":[…]}`, or OTLP's `{"resourceSpans":[…]}`. For what is neither
        comes an empty line of v1, and the note `not-anonymized`."""
        try:
            document = msgspec.json.decode(data.decode("utf-8", "replace"))
        except UNDECODABLE:
            document = None
        if isinstance(document, dict):
            for name in _services(document):
                self._renaming.service(name)
            for key, rule in (("data", self._jaeger), ("resourceSpans", self._otlp)):
                if isinstance(document.get(key), list):
                    return msgspec.json.encode({key: rule(document[key])})
        self.notes.add(NOT_ANONYMIZED)
        return b'{"data":[]}'

    def header(self, header: Header) -> Header:
        """What the file says of itself. Files read are numbered; examples of notes stay where they are names or ids
        that the traces hold."""
        renaming, asked, said = self._renaming, header.asked, Notes()
        for note in header.notes.documents():
            examples = (self._example(example) for example in note["examples"])
            said.add(note["code"], note["count"], [example for example in examples if example])
        renamed = replace(
            asked,
            source=tuple(map(self._source, asked.source)),
            service=None if asked.service is None else renaming.service(asked.service),
            ui_url=None,  # its page knows none of these traces
            operation=None if asked.operation is None else renaming.operation(asked.operation),
            tags=tuple(map(self._condition, asked.tags)),
            seen=None if asked.seen is None else self._seen(asked.seen),
        )
        return replace(header, asked=renamed, notes=said, copied=tuple(map(renaming.trace_id, header.copied)))

    def _condition(self, text: str) -> str:
        tag, equals, value = text.partition("=")
        return self._tags.name(tag) + equals + self._tags.text(tag, value)

    def _source(self, text: str) -> str:
        return self._renaming.url(text) if "://" in text else self._renaming.words.word(text, "file")

    def _example(self, text: str) -> str:
        if re.fullmatch(r"[0-9a-f]{16}|[0-9a-f]{32}", text):
            return self._renaming.trace_id(text)
        first = text.partition(".")[0]
        return self._renaming.host(text) if self._renaming.words.known(first) and " " not in text else ""

    def _seen(self, seen: SeenDocument) -> SeenDocument:
        """Shares and times stay, services are renamed."""
        return {**seen, "full": self._renamed(seen["full"]), "failed": self._renamed(seen["failed"])}

    def _renamed(self, windows: list[ServiceWindow]) -> list[ServiceWindow]:
        return [{**window, "service": self._renaming.service(window["service"])} for window in windows]


def _services(document: dict[str, Any]) -> Iterator[str]:
    """The services of a line. They are met before everything else, because other names may begin with theirs."""
    for trace in _objects(document.get("data")):
        processes = trace.get("processes")
        several = [*processes.values()] if isinstance(processes, dict) else []
        several += [span.get("process") for span in _objects(trace.get("spans"))]
        for process in _objects(several):
            if isinstance(name := process.get("serviceName"), str):
                yield name
    for resource in _objects(document.get("resourceSpans")):
        inner = resource.get("resource")
        for attribute in _objects(inner.get("attributes") if isinstance(inner, dict) else None):
            value = attribute.get("value") if attribute.get("key") == "service.name" else None
            if isinstance(value, dict) and isinstance(name := value.get("stringValue"), str):
                yield name


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


#: What becomes of a value; None of one that is not of its type.
_Rule = Callable[[Any], Any]


def _members(rules: Mapping[str, _Rule]) -> _Rule:
    """An object with the members that have a rule."""

    def rule(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {key: rules[key](member) for key, member in value.items() if key in rules}

    return rule


def _each(rule: _Rule) -> _Rule:
    return lambda value: [rule(element) for element in value] if isinstance(value, list) else None


def _text(rename: Callable[[str], str]) -> _Rule:
    return lambda value: rename(value) if isinstance(value, str) else None


def _one_of(*texts: str) -> _Rule:
    """An enumeration's number, or one of these names."""
    return lambda value: value if isinstance(value, int) or value in texts else None


def _number(value: Any) -> Any:
    """A number, or the decimal text of one."""
    is_number = isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value))
    return value if is_number else None


def _jaeger(renaming: Renaming, tags: PrivateTags) -> _Rule:
    """What becomes of the traces of v1."""

    def tag(value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(key := value.get("key"), str):
            return None
        old, kind = value.get("value"), value.get("type")
        new: Any = tags.scalar(key, old)
        if kind == "int64" and isinstance(old, str):
            new = str(tags.number(key, int(old))) if re.fullmatch(r"-?\d{1,20}", old) else "0"
        made = {"key": tags.name(key), "type": kind, "value": new}
        return {name: made[name] for name in value if name in made and (name != "type" or kind in _TYPES)}

    def processes(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {process_id(name): process(member) for name, member in value.items()}

    def process_id(text: str) -> str:
        return text if re.fullmatch(r"p\d*", text) else renaming.words.word(text, "process")

    trace_id, span_id, warnings = _text(renaming.trace_id), _text(renaming.span_id), _each(_text(tags.warning))
    process = _members({"serviceName": _text(renaming.service), "tags": _each(tag)})
    kinds = _one_of("CHILD_OF", "FOLLOWS_FROM")
    span = _members(
        {
            **{"traceID": trace_id, "spanID": span_id, "parentSpanID": span_id, "flags": _number},
            "operationName": _text(renaming.operation),
            "references": _each(_members({"refType": kinds, "traceID": trace_id, "spanID": span_id})),
            **{"startTime": _number, "duration": _number, "tags": _each(tag)},
            "logs": _each(_members({"timestamp": _number, "fields": _each(tag)})),
            **{"processID": _text(process_id), "process": process, "warnings": warnings},
        }
    )
    return _each(_members({"traceID": trace_id, "spans": _each(span), "processes": processes, "warnings": warnings}))


_TYPES = ("string", "bool", "int64", "float64", "binary")


def _otlp(renaming: Renaming, tags: PrivateTags) -> _Rule:
    """What becomes of OTLP's resource spans."""

    def attribute(value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(key := value.get("key"), str):
            return None
        return {"key": tags.name(key), "value": any_value(key, value.get("value"))}

    def any_value(key: str, value: Any) -> Any:
        """One of OTLP's values. Of lists the elements are replaced, what is nested deeper all together."""
        if not isinstance(value, dict) or len(value) != 1:
            return None
        ((name, inner),) = value.items()
        if name == "arrayValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
            return {name: {"values": [scalar(key, element) for element in inner["values"]]}}
        return scalar(key, value)

    def scalar(key: str, value: Any) -> Any:
        if not isinstance(value, dict) or len(value) != 1:
            return None
        ((name, inner),) = value.items()
        if name == "intValue" and (isinstance(inner, int) or (isinstance(inner, str) and _number(inner))):
            return {name: type(inner)(tags.number(key, int(inner)))}
        if name == "bytesValue" and isinstance(inner, str):
            return {name: base64.b64encode(tags.text(key, inner).encode()).decode()}
        if name in ("stringValue", "boolValue", "doubleValue") and isinstance(inner, str | bool | int | float):
            return {name: tags.scalar(key, inner)}
        return {"stringValue": NESTED}

    trace_id, span_id, attributes = _text(renaming.trace_id), _text(renaming.span_id), _each(attribute)
    dropped = {f"dropped{what}Count": _number for what in ("Attributes", "Events", "Links")}
    common = {"attributes": attributes, "flags": _number, **dropped}
    scope = _members(
        {
            "name": _text(lambda text: tags.text("otel.scope.name", text)),
            "version": _text(renaming.version),
            **common,
        }
    )
    status = _members(
        {
            "code": _one_of("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR", "0", "1", "2"),
            "message": _text(lambda text: tags.text("otel.status_description", text)),
        }
    )
    span = _members(
        {
            **{"traceId": trace_id, "spanId": span_id, "parentSpanId": span_id, "name": _text(renaming.operation)},
            **{"kind": _one_of(*_KINDS), "startTimeUnixNano": _number, "endTimeUnixNano": _number, "status": status},
            "events": _each(_members({"timeUnixNano": _number, "name": _text(renaming.event), **common})),
            "links": _each(_members({"traceId": trace_id, "spanId": span_id, **common})),
            **common,
        }
    )
    scopes = _each(
        _members({"scope": scope, "instrumentationLibrary": scope, "spans": _each(span), "schemaUrl": _schema})
    )
    return _each(
        _members(
            {
                **{"resource": _members(common), "schemaUrl": _schema},
                **{"scopeSpans": scopes, "instrumentationLibrarySpans": scopes},
            }
        )
    )


_KINDS = tuple(
    prefix + kind
    for prefix in ("SPAN_KIND_", "")
    for kind in ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
)


def _schema(value: Any) -> Any:
    return (
        value if isinstance(value, str) and re.fullmatch(r"https://opentelemetry\.io/schemas/[\d.]+", value) else None
    )
