"""What checks found ▸ the document of `traceviz doctor`: sentences, their order, and which of them a service's are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from traceviz.analyze.graph import aliases
from traceviz.analyze.resolved import Resolved
from traceviz.analyze.sentences import percent
from traceviz.doctor.check import Found, wording
from traceviz.doctor.words import listed
from traceviz.documents import DoctorDocument, Finding
from traceviz.notes import Number, define
from traceviz.sources.names import resolve_service

OTHER_FINDINGS = define(
    "other-findings-left-out",
    "{count} {count:finding|findings} on other services {count:is|are} left out because of --service",
    """`doctor --service X` shows what it found on X, and leaves out what is about other services alone.

    All services of the window are looked at, because what is torn off X's traces never has X in it. The examples are
    the services of what was left out; without `--service`, or with that of a gateway, all findings are shown.""",
)


def doctor_document(resolved: Resolved, found: Iterable[Found], service: str | None) -> DoctorDocument:
    """The document of these findings, in the order of their checks, problems first."""
    every = list(found)
    rank = {code: number for number, code in enumerate(dict.fromkeys(one.code for one in every))}
    kept = every if service is None else _on(service, every, resolved)
    findings = [_finding(one) for one in kept]
    # What a finding says needs no note any more.
    resolved.notes = resolved.notes.without(*(one.code for one in kept))
    findings.sort(
        key=lambda one: (
            one["level"] != "problem",
            rank[one["code"]],
            one["proof"] != "certain",
            -one["count"],
            one["service"] or "",
            one["towards"],
            one["text"],
        )
    )
    if service is not None:
        asked = replace(resolved.report.asked, service=service)
        resolved.report = replace(resolved.report, asked=asked)
    return {**resolved.head("doctor"), "findings": findings}


def _finding(found: Found) -> Finding:
    said = wording(found.code)
    values = {
        # Only the wording breaks lines; a name must not.
        **{key: " ".join(value.splitlines()) for key, value in found.values.items()},
        "service": " ".join((found.service or "no service in particular").splitlines()),
        "towards": " ".join(listed(found.towards).splitlines()),
        "count": Number(found.count),
        "share": "an unknown share" if found.share is None else percent(found.share),
    }
    return {
        "code": found.code,
        "level": found.level,
        "service": found.service,
        "towards": list(found.towards),
        "count": found.count,
        "share": found.share,
        "proof": found.proof,
        "text": said.text.format_map(values),
        "remedy": said.remedy.format_map(values),
        "examples": list(found.examples),
    }


def _on(service: str, every: list[Found], resolved: Resolved) -> list[Found]:
    """Those on a service, or on nobody in particular; all of them for a gateway."""
    nodes = _nodes(service, resolved)
    if any(_is_gateway(node, resolved) for node in nodes):
        return every
    kept = [one for one in every if one.service is None or nodes & {one.service, *one.towards}]
    others = [one for one in every if one not in kept]
    resolved.notes.add(OTHER_FINDINGS, len(others), [one.service for one in others if one.service is not None])
    return kept


def _nodes(service: str, resolved: Resolved) -> set[str]:
    """The nodes that are meant: by a name under which they were reported, as everywhere, else by their own."""
    if service in resolved.parties:
        return {service}
    reported: dict[str, set[str]] = defaultdict(set)
    for node in resolved.parties:
        for name in aliases(resolved, node):
            reported[name].add(node)
    gateways = [name for name, nodes in reported.items() if any(_is_gateway(node, resolved) for node in nodes)]
    meant = resolve_service(service, sorted(reported), gateways, resolved.notes)
    return {node for name in meant for node in reported[name]}


def _is_gateway(node: str, resolved: Resolved) -> bool:
    return resolved.names.kind(resolved.parties[node]) == "gateway"
