"""What Istio's proxies say in their spans: response flags, upstream_cluster, node_id, operation names.

Only the reading of texts lives here; a text is read once, whatever the number of spans that carry it
(`table`, `look_up`). Facts: Envoy's `tracing/http_tracer_impl.cc`, Istio's `pilot` and `bootstrap`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from traceviz.spans import Codes, Texts

#: Every response flag of Envoy (stream_info.h) ▸ what it says, in words for a person on call.
FLAGS: dict[str, str] = {
    "LH": "the local service failed its health check",
    "UH": "no healthy endpoint",
    "UT": "the callee took longer than the caller's deadline",
    "LR": "the connection was reset locally",
    "UR": "the callee reset the connection",
    "UF": "the connection could not be made",
    "UC": "the callee closed the connection",
    "UO": "the circuit breaker was open",
    "NR": "no route",
    "DI": "a delay was injected",
    "FI": "a fault was injected",
    "RL": "rate limited",
    "UAEX": "refused by external authorization",
    "RLSE": "the rate limit service failed",
    "DC": "the caller closed the connection",
    "URX": "retries used up",
    "SI": "the stream was idle for too long",
    "IH": "an invalid x-envoy header",
    "DPE": "the caller broke the protocol",
    "UMSDR": "the stream lasted longer than allowed",
    "RFCF": "answered from a cache",
    "NFCF": "the filter configuration was missing",
    "DT": "the connection lasted longer than allowed",
    "UPE": "the callee broke the protocol",
    "NC": "the cluster does not exist",
    "OM": "the overload manager cut it off",
    "DF": "the name could not be resolved",
    "DO": "dropped by an overload policy",
    "DR": "the caller reset the stream",
    "UDO": "everything is dropped by an overload policy",
}

#: Flags that do not make a call a failure by themselves; DC does where nothing was answered.
HARMLESS = frozenset({"DI", "RFCF", "DC"})


class Cluster(NamedTuple):
    """`outbound|9080|v1|reviews.default.svc.cluster.local` taken apart. Direction is -1 inbound, 1 outbound,
    0 unknown; host is empty where the cluster does not say it (inbound, PassthroughCluster). That of
    `inbound-vip|9080|http/v1|reviews.default.svc.cluster.local`, as a waypoint has it, is the callee itself."""

    direction: int
    host: str
    subset: str


def read_cluster(text: str) -> Cluster:
    """Read an `upstream_cluster`; bare Envoy's free names are hosts of unknown direction."""
    parts = text.rstrip(";").split("|")
    if len(parts) >= 4 and parts[0] == "inbound-vip":
        return Cluster(-1, parts[3], parts[2].partition("/")[2])
    if len(parts) >= 4 and parts[0] in ("outbound", "inbound"):
        outbound = parts[0] == "outbound"
        return Cluster(1 if outbound else -1, parts[3] if outbound else "", parts[2])
    if text.startswith(("inbound", "InboundPassthroughCluster", "in.")):
        return Cluster(-1, "", "")
    if text in ("PassthroughCluster", "BlackHoleCluster") or text.startswith(("outbound", "out.")):
        return Cluster(1, "", "")
    return Cluster(0, text, "")


_ROUTER = re.compile(r"router (?P<cluster>.*?);? egress")
_ASYNC = re.compile(r"async (?P<cluster>.*?);? egress")


def routed_cluster(operation: str) -> str | None:
    """`router outbound|80||reviews.default.svc.cluster.local; egress` ▸ its cluster; None for other names."""
    match = _ROUTER.fullmatch(operation)
    return match["cluster"] if match else None


def asked_cluster(operation: str) -> str | None:
    """`async outbound|9191||policy.istio-system.svc.cluster.local egress` ▸ its cluster, which a proxy asked by itself;
    None for other names."""
    match = _ASYNC.fullmatch(operation)
    return match["cluster"] if match else None


class NodeId(NamedTuple):
    """`sidecar~10.1.2.3~reviews-v1-6dcb58c4-x2x.default~default.svc.cluster.local` taken apart."""

    kind: str
    pod: str
    namespace: str


def read_node_id(text: str) -> NodeId:
    """Read a proxy's `node_id`; all parts are empty where it is not Istio's form."""
    parts = text.split("~")
    if len(parts) != 4:
        return NodeId("", "", "")
    kind, _, pod, domain = parts
    name, dot, namespace = pod.partition(".")
    # Istio's first gateways called themselves ingress.
    return NodeId("router" if kind == "ingress" else kind, name, namespace if dot else domain.partition(".")[0])


# Kubernetes writes generated names without vowels and look-alikes, so that `my-users` is no generated name.
_GENERATED = re.compile(r"(?:-[bcdfghjklmnpqrstvwxz2456789]{5,10})?-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d+)$")


def deployment(pod: str) -> str:
    """The deployment behind a pod: `reviews-v1-6dcb58c4-x2x9z` ▸ `reviews-v1`."""
    return _GENERATED.sub("", pod)


_VERSION = re.compile(r"-v\d+$")


def application(pod: str) -> str:
    """The application behind a pod: its deployment without Istio's customary version."""
    return _VERSION.sub("", deployment(pod))


def read_flags(text: str) -> frozenset[str]:
    """`DI,DC` ▸ both; `-` and nothing ▸ none."""
    return frozenset(flag.strip() for flag in text.split(",")) - {"", "-"}


class Host(NamedTuple):
    """A host of the mesh (`namespace` is known), of the outside (`external`), or a bare name."""

    name: str
    namespace: str
    external: bool


_ADDRESS = re.compile(r"[\d.]+|\[?[0-9a-fA-F:]*:[0-9a-fA-F:]+\]?")


def read_host(host: str) -> Host:
    """`reviews.default.svc.cluster.local` ▸ reviews in default; `api.example.com` stays whole and is outside.

    A name of two labels may be NAME.NAMESPACE or a domain: it stays whole until something confirms it.
    """
    name, _, rest = host.partition(".")
    namespace, dot, suffix = rest.partition(".")
    if dot and (suffix == "svc" or suffix.startswith("svc.")):
        return Host(name, namespace, False)
    return Host(host, "", bool(dot or _ADDRESS.fullmatch(host)))


def url_host(url: str) -> str:
    """The host of a URL or of an authority, without port and user."""
    authority = url.partition("://")[2] or url
    authority = re.split(r"[/?#]", authority, maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority.partition("]")[0].lstrip("[")
    return authority.partition(":")[0]


def table(column: Codes, texts: Texts, read: Callable[[str], Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """`read` of every text that occurs in the column, as an array indexed by code; zeros elsewhere."""
    values = np.zeros(len(texts), dtype)
    for code in np.flatnonzero(np.bincount(column, minlength=1)):
        values[code] = read(texts[int(code)])
    return values


def look_up(column: Codes, texts: Texts, read: Callable[[str], Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """`read` of the text in every row."""
    return table(column, texts, read, dtype)[column]
