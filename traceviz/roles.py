"""The role of every span: which half of which call it is.

For a proxy's span direction stands in `upstream_cluster` and never in `span.kind`: an outbound listener's
span may be of kind SERVER, and older proxies mark inbound spans CLIENT.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from traceviz import envoy
from traceviz.spans import Bools, Kind, Spans

Roles = npt.NDArray[np.int8]


class Role(IntEnum):
    """What a span is in a call. The first two and the programs' CLIENT and PRODUCER are on the caller's side."""

    UNDECIDED = 0  # a proxy's span without a cluster, until its parent is known
    CALLER = 1  # the request as the caller's proxy saw it
    ATTEMPT = 2  # one attempt of it
    CALLEE = 3  # the request as the callee's proxy saw it
    INSIDE = 4  # the callee's proxy calling its own program
    CLIENT = 5  # from here on spans of programs, by kind
    SERVER = 6
    PRODUCER = 7
    CONSUMER = 8
    INTERNAL = 9


_PROGRAM = np.array([Role.INTERNAL, Role.INTERNAL, Role.SERVER, Role.CLIENT, Role.PRODUCER, Role.CONSUMER], np.int8)


def roles(spans: Spans) -> Roles:
    """The role of every row; UNDECIDED where only the parent can tell (`settle_undecided`)."""
    texts = spans.texts
    cluster = spans.tag("cluster")
    routed = envoy.look_up(spans.operation, texts, lambda text: envoy.routed_cluster(text) is not None, np.bool_)
    # `router … egress` and `async … egress` name their cluster; that serves where the tag is missing.
    named = envoy.look_up(spans.operation, texts, _routed_direction, np.int8)
    tagged = envoy.look_up(cluster, texts, lambda text: envoy.read_cluster(text).direction, np.int8)
    direction = np.where(tagged != 0, tagged, named)
    proxy = from_proxy(spans) | (direction != 0)

    result = _PROGRAM[_kinds(spans)]
    result[proxy & (direction > 0)] = Role.CALLER
    result[proxy & (direction > 0) & routed] = Role.ATTEMPT
    result[proxy & (direction < 0)] = Role.CALLEE
    result[proxy & (direction < 0) & routed] = Role.INSIDE
    # A bare Envoy's cluster has a free name without direction: there the kind must do.
    bare = proxy & (direction == 0) & (cluster != 0)
    result[bare] = np.where(routed, Role.ATTEMPT, np.where(spans.kind == Kind.CLIENT, Role.CALLER, Role.CALLEE))[bare]
    result[proxy & (direction == 0) & (cluster == 0)] = Role.UNDECIDED
    # What a waypoint rejected before it chose a cluster was sent to whom it stands before.
    result[(result == Role.UNDECIDED) & _at_waypoint(spans)] = Role.CALLEE
    return result


def _kinds(spans: Spans) -> npt.NDArray[np.int8]:
    """The kinds of programs' spans. Newer conventions have CLIENT for what takes from a queue or puts a batch into it:
    there the operation tells."""
    kind = spans.kind
    operation = envoy.look_up(spans.tag("queue_operation"), spans.texts, _queue_kind, np.int8)
    asking = (kind == Kind.CLIENT) & (operation != 0)
    return np.where(asking & ((spans.tag("queue") != 0) | (spans.tag("queue_system") != 0)), operation, kind)


def _queue_kind(operation: str) -> int:
    if operation.lower() in ("receive", "process", "deliver", "poll"):
        return Kind.CONSUMER
    return Kind.PRODUCER if operation.lower() in ("send", "publish", "create") else Kind.UNSET


def _at_waypoint(spans: Spans) -> Bools:
    return envoy.look_up(
        spans.tag("node_id"), spans.texts, lambda text: envoy.read_node_id(text).kind == "waypoint", np.bool_
    )


def from_proxy(spans: Spans) -> Bools:
    """Rows whose span an Envoy made."""
    component = envoy.look_up(spans.tag("component"), spans.texts, lambda text: text == "proxy", np.bool_)
    node = envoy.look_up(spans.tag("node_id"), spans.texts, lambda text: bool(envoy.read_node_id(text).kind), np.bool_)
    marked: Bools = component | node | (spans.tag("flags") != 0) | (spans.tag("cluster") != 0)
    return marked


def on_callers_side(role: Roles) -> Bools:
    """Rows that are a call going out, or a part of one."""
    out: Bools = (role == Role.CALLER) | (role == Role.ATTEMPT) | (role == Role.CLIENT) | (role == Role.PRODUCER)
    return out


def _routed_direction(operation: str) -> int:
    cluster = envoy.routed_cluster(operation) or envoy.asked_cluster(operation)
    return envoy.read_cluster(cluster).direction if cluster else 0
