"""Why a call failed and where the trouble sits: CONTRACT's table, in its order of precedence.

The signs are what the two halves of one call say. What happened beneath the callee is no matter of this module.
"""

from __future__ import annotations

import re
import textwrap
from typing import Literal, NamedTuple

from traceviz.notes import define
from traceviz.verdict import CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE

Side = Literal["caller", "callee", "nobody"]


class Signs(NamedTuple):
    """What both halves of one failed call say. Flags are of the head with its attempts, and of the callee half."""

    caller_flags: frozenset[str]
    callee_flags: frozenset[str]
    answered: bool  # a callee half exists
    callee_failed: bool  # and it is a failure itself
    status: int  # HTTP's, -1 for none
    grpc: frozenset[int]  # gRPC's, of both halves
    error_types: frozenset[str]  # error.type and exception types of both halves
    gave_up: bool  # the caller's half ended before the callee's
    marked: bool  # the caller's span itself is marked failed
    from_user: bool  # nobody of the mesh is before the caller: a gateway, or a root that received


class Reason(NamedTuple):
    """A reason code, where it puts the trouble, and whose it is. `deadline`: who held the time must be looked for."""

    code: str
    where: str
    blame: Side
    deadline: bool = False


TIMEOUTS = frozenset({"UT", "UMSDR", "SI", "DT"})
_CONNECTION = frozenset({"UF", "UC", "UR", "LR"})
TIMEOUT_ERROR = re.compile(r"time.?out|timed.?out|deadline", re.IGNORECASE)
_CONNECTION_ERROR = re.compile(
    r"connect|connection|refused|reset|unreachable|unavailable|broken.?pipe|socket|eof|hang.?up|resolve|gaierror|enotfound|url\.error",
    re.IGNORECASE,
)


def reason(signs: Signs) -> Reason:
    """The first row of the table whose sign is there."""
    return _from_rules(signs) or _from_times(signs) or _from_connections(signs) or _from_answers(signs)


def _from_rules(signs: Signs) -> Reason | None:
    """What a proxy decided by a rule of the mesh."""
    caller, callee = signs.caller_flags, signs.callee_flags
    if "FI" in caller | callee:
        return Reason("fault-injected", "caller-proxy" if "FI" in caller else "callee-proxy", "callee")
    if (caller | callee) & {"NR", "NC", "NFCF"}:
        at_caller = bool(caller & {"NR", "NC", "NFCF"})
        return Reason("no-route", *(("caller-proxy", "caller") if at_caller else ("callee-proxy", "callee")))
    if "UH" in caller:
        return Reason("no-healthy-upstream", "caller-proxy", "callee")
    if "UH" in callee or "LH" in caller | callee:
        return Reason("no-healthy-upstream", "callee-proxy", "callee")
    if "UO" in caller | callee:
        return Reason("circuit-breaker", "caller-proxy" if "UO" in caller else "callee-proxy", "callee")
    return _said_by_proxy(signs, "rate-limited", {"RL", "RLSE"}) or _said_by_proxy(signs, "unauthorized", {"UAEX"})


def _said_by_proxy(signs: Signs, code: str, flags: set[str]) -> Reason | None:
    """The proxy that says so, and its workload. The callee's goes first: it is nearer to the trouble."""
    if signs.callee_flags & flags:
        return Reason(code, "callee-proxy", "callee")
    return Reason(code, "caller-proxy", "caller") if signs.caller_flags & flags else None


def _from_times(signs: Signs) -> Reason | None:
    timed_out = bool((signs.caller_flags | signs.callee_flags) & TIMEOUTS) or DEADLINE_EXCEEDED in signs.grpc
    timed_out |= any(TIMEOUT_ERROR.search(error) for error in signs.error_types)
    # Whoever left by itself (DC) has no deadline in its proxy; that is client-gone.
    timed_out |= signs.gave_up and not signs.caller_flags & {"DC", "DR"}
    return Reason("timeout", "callee", "callee", deadline=True) if timed_out else None


def _from_connections(signs: Signs) -> Reason | None:
    caller, callee = signs.caller_flags, signs.callee_flags
    if "DF" in caller | callee:
        return Reason("dns", "caller-proxy", "caller")
    if callee & _CONNECTION:
        return Reason("connection-failed", "callee", "callee")
    refused = UNAVAILABLE in signs.grpc or any(_CONNECTION_ERROR.search(error) for error in signs.error_types)
    if caller & _CONNECTION or (refused and not signs.answered):
        return Reason("connection-failed", "network", "callee")
    if (caller | callee) & {"UPE", "DPE", "IH"}:
        # UPE: the upstream side spoke wrongly; DPE and IH: the downstream side did.
        where = "callee-proxy" if callee & {"UPE", "DPE", "IH"} else "caller-proxy"
        return Reason("protocol-error", where, "callee" if "UPE" in caller | callee else "caller")
    overloaded = _said_by_proxy(signs, "overloaded", {"OM", "DO", "UDO"})
    left = bool((caller | callee) & {"DC", "DR"}) or CANCELLED in signs.grpc
    if overloaded or not left:
        return overloaded
    if signs.from_user:
        # At a gateway the user is the caller, and left for a reason: somebody held the time.
        return (
            Reason("client-gone", "callee", "callee", deadline=True)
            if caller
            else Reason("client-gone", "caller", "nobody")
        )
    return Reason("client-gone", "caller", "caller")


def _from_answers(signs: Signs) -> Reason:
    """Nobody's proxy flagged anything: somebody answered with an error."""
    if signs.callee_failed:
        return Reason("application-error", "callee", "callee")
    if signs.marked and 400 <= signs.status < 500:
        return Reason("bad-request", "caller", "caller")
    said = signs.status >= 500 or bool(signs.grpc - {0}) or bool(signs.error_types)
    if said and not signs.answered:
        return Reason("application-error", "callee", "callee")
    return Reason("unknown", "callee" if signs.answered else "network", "callee")


#: What to look at, for each reason; `{blame}`, `{caller}`, `{callee}` are names.
LOOK_AT: dict[str, str] = {}


def _define(code: str, meaning: str, look_at: str, explanation: str) -> None:
    LOOK_AT[code] = look_at
    define(code, f"{{count}} {{count:call|calls}}: {meaning}", explained(meaning, look_at, explanation))


def explained(meaning: str, look_at: str, explanation: str) -> str:
    """What `traceviz explain` says of a reason: what it means, its sign and cause, and what to do."""
    place = look_at.format(blame="the workload that is to blame", caller="the caller", callee="the callee")
    end = "" if place.endswith("?") else "."
    do = textwrap.fill(f"What to do: look at {place}{end}", 100)
    return f"{meaning[0].upper()}{meaning[1:]}.\n\n{explanation}\n\n{do}"


_define(
    "fault-injected",
    "a fault was injected on purpose",
    "the fault rule for {callee} in its VirtualService",
    """Sign: response flag FI. The proxy that carries the flag answered by itself, the callee never saw the call.
Somebody's experiment: `kubectl get virtualservice -A -o yaml | grep -B20 -A8 'fault:'` finds the rule.""",
)
_define(
    "no-route",
    "the caller's proxy has no route to the callee",
    "the routes of {caller}: VirtualService, Service and Sidecar of {callee}",
    """Sign: response flags NR, NC or NFCF, usually with a 404 that carries no error tag.
The host, the port or the match of a VirtualService does not cover the call, the Service does not exist, or a
Sidecar resource hides it. `istioctl proxy-config routes POD` shows what the caller's proxy knows.""",
)
_define(
    "no-healthy-upstream",
    "no healthy endpoint to send the call to",
    "the endpoints of {callee}: are its pods ready?",
    """Sign: response flag UH (or LH at the callee's proxy). The proxy knew the service, but none of its endpoints
could be used: no ready pod, all ejected by outlier detection, or a subset without pods.
`kubectl get endpoints` and `istioctl proxy-config endpoints POD` tell which.""",
)
_define(
    "circuit-breaker",
    "the circuit breaker was open",
    "the connection pool limits for {callee} in its DestinationRule, and why its calls pile up",
    """Sign: response flag UO. More calls were under way than the DestinationRule's connectionPool allows; the proxy
refused at once. Either the limit is too low, or the callee has become slow.""",
)
_define(
    "rate-limited",
    "a rate limit refused the call",
    "the rate limit of {blame}",
    """Sign: response flags RL or RLSE. A local or global rate limit refused, or the rate limit service failed.""",
)
_define(
    "unauthorized",
    "external authorization refused the call",
    "the authorization policy of {blame}",
    """Sign: response flag UAEX. An external authorizer (AuthorizationPolicy with action CUSTOM) said no.""",
)
_define(
    "timeout",
    "the caller's deadline passed",
    "what {blame} was doing, and the timeout for {callee}",
    """Sign: response flags UT, UMSDR, SI, DT, gRPC status 4, an error type or exception of a time-out, or a caller's
span that ended before its callee's. The blame is looked for beneath: from the callee down to a child that covers
more than half of its parent's time before the deadline, as far as there is one.""",
)
_define(
    "dns",
    "the callee's name could not be resolved",
    "the host that {caller} asks for, and DNS",
    """Sign: response flag DF. The host of a ServiceEntry or a cluster does not resolve.""",
)
_define(
    "connection-failed",
    "no connection, or it broke",
    "whether {callee} runs, listens and is reachable",
    """Sign: response flags UF, UC, UR, LR, gRPC status 14, or an error type or exception of a connection.
On the caller's half: nothing listens at the callee, a network policy is in between, or the connection broke.
On the callee's own half: its proxy cannot reach its own program, which is down or restarts.""",
)
_define(
    "protocol-error",
    "one side broke the protocol",
    "what {blame} sends",
    """Sign: response flags UPE (the callee's side spoke), DPE or IH (the caller's side). Often HTTP/1.1 spoken to
a port named grpc or http2, or the other way round.""",
)
_define(
    "overloaded",
    "a proxy shed load",
    "the load on {blame}",
    """Sign: response flags OM, DO or UDO. The proxy's overload manager or a drop policy cut calls off.""",
)
_define(
    "client-gone",
    "the caller left before the answer",
    "why {caller} closed the connection",
    """Sign: response flags DC or DR, or gRPC status 1, without a deadline above. The caller cancelled or crashed; at a
gateway it is the user who left, and the time is looked for beneath.""",
)
_define(
    "application-error",
    "the callee answered with an error",
    "the logs of {callee} for these requests",
    """Sign: the callee's half or its program failed, no proxy flagged anything, and nothing that it called failed; or a
callee without spans of its own answered with an error. The program itself failed.""",
)
_define(
    "bad-request",
    "the caller sent what the callee does not accept",
    "what {caller} sends to {callee}",
    """Sign: the caller's span is marked failed for a 4xx. The callee refused for a reason of the caller's.""",
)
_define(
    "unknown",
    "an error with no sign",
    "the logs of {callee} and of its caller",
    """The call is marked failed, and neither flags nor statuses nor error types say why.""",
)
