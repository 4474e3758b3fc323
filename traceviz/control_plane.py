"""Spans of what runs the mesh instead of in it: Istio's Mixer, which proxies asked before and after every request up to
Istio 1.7, and Jaeger itself. They are no part of who calls whom, so they are hidden unless somebody asks for them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from traceviz import envoy
from traceviz.notes import Notes, define
from traceviz.spans import Bools, Spans

CONTROL_PLANE_HIDDEN = define(
    "control-plane-hidden",
    "{count} {count:span|spans} of Istio's Mixer or of Jaeger itself {count:is|are} hidden; --control-plane shows "
    "{count:it|them}",
    """Spans of services that run the mesh, and the proxies' calls to them, are left out of every count.

    Sign: services istio-mixer, istio-policy and istio-telemetry; operations `/istio.mixer.v1.Mixer/Check` and
    `/Report`; calls to a cluster of these. Jaeger's own are jaeger, jaeger-query and their kin.

    Cause: up to Istio 1.7 every proxy asked Mixer about every request, and traced that as well; a Jaeger may trace
    itself.

    What to do: nothing. To see what Mixer did, or how long proxies waited for its checks, `--control-plane`.""",
)

_MIXER = frozenset({"istio-mixer", "istio-policy", "istio-telemetry"})
_SERVICES = _MIXER | {"jaeger", "jaeger-query", "jaeger-collector", "jaeger-all-in-one"}
_OPERATION = re.compile(r"/?istio\.mixer\.v1\.Mixer/\w+")


def is_control_plane(service: str) -> bool:
    """Whether a service by its name, with or without a namespace, runs the mesh or keeps its traces."""
    return service.partition(".")[0] in _SERVICES


def is_mixer(service: str) -> bool:
    """Whether a service by its name, with or without a namespace, is Istio's Mixer."""
    return service.partition(".")[0] in _MIXER


def without_control_plane(spans: Spans, notes: Notes) -> Spans:
    """The other spans. What hung under a hidden one hangs under the nearest ancestor that is left. A trace of which
    nothing is left is gone."""
    hidden = _of_control_plane(spans)
    if not hidden.any():
        return spans
    rows = np.flatnonzero(hidden)
    notes.add(CONTROL_PLANE_HIDDEN, len(rows), sorted(spans.trace_ids[i] for i in np.unique(spans.trace[rows]))[:5])
    return _rehung(spans, hidden).take(~hidden)


def _of_control_plane(spans: Spans) -> Bools:
    texts = spans.texts
    own = envoy.look_up(spans.service, texts, is_control_plane, np.bool_)
    asked = envoy.look_up(spans.tag("cluster"), texts, _is_mixers, np.bool_)
    asked |= envoy.look_up(spans.operation, texts, _asks_mixer, np.bool_)
    found: Bools = own | asked
    return found


def _is_mixers(cluster: str) -> bool:
    found = envoy.read_cluster(cluster)
    return found.direction >= 0 and found.host.partition(".")[0] in _MIXER


def _asks_mixer(operation: str) -> bool:
    cluster = envoy.asked_cluster(operation) or envoy.routed_cluster(operation)
    return bool(_OPERATION.fullmatch(operation)) or (cluster is not None and _is_mixers(cluster))


def _rehung(spans: Spans, hidden: Bools) -> Spans:
    trace, own, named = spans.trace.tolist(), spans.span_id.tolist(), spans.parent_id.tolist()
    left = {(trace[row], own[row]) for row in np.flatnonzero(~hidden).tolist()}
    above = {(trace[row], own[row]): named[row] for row in np.flatnonzero(hidden).tolist()}
    parent_id = spans.parent_id.copy()
    for row in np.flatnonzero(~hidden & (spans.parent_id != 0)).tolist():
        at = (trace[row], named[row])
        passed = set()
        while at in above and at not in left and at not in passed:
            passed.add(at)
            at = (at[0], above[at])
        parent_id[row] = 0 if at in passed else at[1]
    return replace(spans, parent_id=parent_id)
