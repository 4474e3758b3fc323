"""Who calls whom, counted in Envoy's own spans: json alone, nothing of traceviz. 40 lines at most."""

import gzip
import json
from collections import Counter
from pathlib import Path


def _spans(path: Path):
    document = json.loads(gzip.decompress(path.read_bytes()))
    if isinstance(document, list):
        entered = {s["traceId"] for s in document if s["localEndpoint"]["serviceName"] == "istio-ingress"}
        for span in document:
            if span["traceId"] in entered:
                yield span["localEndpoint"]["serviceName"], span["name"], span["tags"]
    elif "data" in document:
        for trace in document["data"]:
            for span in trace["spans"]:
                tags = {tag["key"]: tag["value"] for tag in span["tags"]}
                yield trace["processes"][span["processID"]]["serviceName"], span["operationName"], tags
    else:
        for resource in document["result"]["resourceSpans"]:
            names = {a["key"]: a["value"].get("stringValue", "") for a in resource["resource"]["attributes"]}
            for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                tags = {a["key"]: next(iter(a["value"].values()), "") for a in span.get("attributes", ())}
                yield names["service.name"], span["name"], tags | {"error": span.get("status", {}).get("code") == 2}


def edges(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """(caller, callee) ▸ (calls, errors): one request is one span of the caller's proxy, not `router`, not inbound."""
    calls, failed = Counter(), Counter()
    for service, name, tags in _spans(path):
        cluster = tags.get("upstream_cluster", "")
        if tags.get("component") != "proxy" or name.startswith("router ") or cluster.startswith("inbound|"):
            continue
        host = cluster.split("|")[3] if cluster else name
        edge = service.split(".")[0], host.split(".")[0]
        calls[edge] += 1
        failed[edge] += str(tags.get("error", "")).lower() == "true" or tags.get("response_flags") == "NR"
    return {edge: (calls[edge], failed[edge]) for edge in calls}
