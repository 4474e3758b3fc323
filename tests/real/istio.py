"""Envoy's configuration as Istio gives it to a sidecar and to a gateway: names of clusters, tags, tracing, faults.

Compare a span of the recordings (data/mesh/seed_504/zipkin.json.gz): node id, tags, operation and cluster names are
the same. Unlike Istio's, it is static, without TLS, and all addresses are ports of the loopback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.real.article import ABORT_STATUS, DELAY_S, INGRESS
from tests.real.envoys import address

Json = dict[str, Any]
_API = "type.googleapis.com/envoy"
_EXTENSIONS = f"{_API}.extensions.filters"


def gateway(port: int, callees: Mapping[str, int], collector_port: int) -> Json:
    """The ingress: `/service-js/…` goes to service-js's proxy. `callees`: name ▸ port of the callee's proxy."""
    routes = [_route_outbound(callee, f"/{callee}/") for callee in callees]
    hosts = [{"name": "*:80", "domains": ["*"], "routes": routes}]
    listeners = [_listener("outbound", port, hosts, INGRESS, [_fault()])]
    clusters = [_cluster(outbound(callee), port) for callee, port in callees.items()]
    return _bootstrap(INGRESS, listeners, clusters, collector_port)


def sidecar(
    name: str, inbound_port: int, outbound_port: int, program_port: int, callees: Mapping[str, int], collector_port: int
) -> Json:
    """A workload's proxy: from outside to its program, and from its program to the callees' proxies, by Host header."""
    route = {"cluster": INBOUND, "timeout": "0s"}
    to_program = [{"match": {"prefix": "/"}, "route": route, "decorator": {"operation": operation(name)}}]
    hosts = [
        {"name": f"{callee}.default.svc.cluster.local:80", "domains": [callee], "routes": [_route_outbound(callee)]}
        for callee in callees
    ]
    listeners = [
        _listener("inbound", inbound_port, [{"name": "inbound|http|80", "domains": ["*"], "routes": to_program}], name),
        _listener("outbound", outbound_port, hosts, name, [_fault()]),
    ]
    clusters = [
        _cluster(INBOUND, program_port),
        *(_cluster(outbound(callee), port) for callee, port in callees.items()),
    ]
    return _bootstrap(name, listeners, clusters, collector_port)


INBOUND = "inbound|80||"


def outbound(callee: str) -> str:
    """The cluster's name, which stands in spans (`upstream_cluster`) and in Envoy's counters."""
    return f"outbound|80||{callee}.default.svc.cluster.local"


def operation(service: str) -> str:
    """The name of the spans of calls to a service, at the caller's proxy and at its own."""
    return f"{service}.default.svc.cluster.local:80/*"


def reported_name(workload: str) -> str:
    """The name of a workload's service in spans: Istio's sidecars add the namespace, a gateway has its own name."""
    return workload if workload == INGRESS else f"{workload}.default"


def runtime_key(kind: str, callee: str) -> str:
    """The runtime value, in percent, that switches `abort` or `delay` of the calls to `callee` in a caller's proxy."""
    return f"traceviz.{kind}.{callee}"


def _route_outbound(callee: str, prefix: str = "/") -> Json:
    """A route with the article's faults, as a VirtualService has them; at 0 % until the runtime says otherwise."""
    never = {"numerator": 0, "denominator": "HUNDRED"}
    fault = {
        "@type": f"{_EXTENSIONS}.http.fault.v3.HTTPFault",
        "abort": {"http_status": ABORT_STATUS, "percentage": never},
        "abort_percent_runtime": runtime_key("abort", callee),
        "delay": {"fixed_delay": f"{DELAY_S}s", "percentage": never},
        "delay_percent_runtime": runtime_key("delay", callee),
    }
    return {
        "match": {"prefix": prefix},
        "route": {"cluster": outbound(callee), "timeout": "0s"},
        "decorator": {"operation": operation(callee)},
        "typed_per_filter_config": {"envoy.filters.http.fault": fault},
    }


def _fault() -> Json:
    return {
        "name": "envoy.filters.http.fault",
        "typed_config": {"@type": f"{_EXTENSIONS}.http.fault.v3.HTTPFault"},
    }


def _listener(direction: str, port: int, hosts: Sequence[Json], workload: str, filters: Sequence[Json] = ()) -> Json:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_EXTENSIONS}.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": direction,
        "tracing": _tracing(workload),
        "route_config": {"name": direction, "virtual_hosts": list(hosts)},
        "http_filters": [*filters, router],
    }
    return {
        "name": direction,
        "address": address(port),
        "traffic_direction": direction.upper(),  # makes the span's kind: CLIENT or SERVER
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _tracing(workload: str) -> Json:
    tags = {
        "istio.canonical_service": workload,
        "istio.canonical_revision": "v1",
        "istio.mesh_id": "cluster.local",
        "istio.namespace": "default",
    }
    zipkin = {
        "@type": f"{_API}.config.trace.v3.ZipkinConfig",
        "collector_cluster": "zipkin",
        "collector_endpoint": "/api/v2/spans",
        "collector_endpoint_version": "HTTP_JSON",
        "trace_id_128bit": True,
        "shared_span_context": False,
    }
    return {
        "provider": {"name": "envoy.tracers.zipkin", "typed_config": zipkin},
        "custom_tags": [{"tag": tag, "literal": {"value": value}} for tag, value in tags.items()],
    }


def _cluster(name: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _bootstrap(workload: str, listeners: Sequence[Json], clusters: Sequence[Json], collector_port: int) -> Json:
    kind = "router" if workload == INGRESS else "sidecar"
    return {
        "node": {
            "id": f"{kind}~127.0.0.1~{workload}-v1-5f7c8~default.svc.cluster.local",
            "cluster": reported_name(workload),  # becomes the service's name
        },
        "static_resources": {
            "listeners": list(listeners),
            "clusters": [*clusters, _cluster("zipkin", collector_port)],
        },
        "layered_runtime": {"layers": [{"name": "switched while it runs", "admin_layer": {}}]},
    }
