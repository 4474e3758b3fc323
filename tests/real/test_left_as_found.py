"""Asking leaves a Jaeger as it was.

The memory store of Jaeger v2 hands out its own spans, and its query service works on them in place (sorts tags, splits
shared ids) without a lock: traces asked for twice at once come out with values of tags exchanged, and stay so. Upstream
knows (jaegertracing/jaeger#7986). What is asked for raw is not worked on.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.commands import installed
from tests.conftest import MESH
from tests.real.jaegers import RealJaeger, Version

pytestmark = pytest.mark.real

CASE = MESH / "seed_504"
#: As many traces as a Jaeger is asked for by default; the more, the likelier are two answers in the making at once.
COPIES = 5
#: Tags that no Jaeger takes for anything else than what Envoy said.
TAGS = ("node_id", "upstream_cluster", "response_flags", "guid:x-request-id", "http.url", "http.status_code")

Facts = dict[tuple[str, str], tuple[str | None, ...]]


@pytest.mark.parametrize("api", ["v3", "v1"])
@pytest.mark.parametrize("version", ["v2", "v1"])
def test_what_a_jaeger_holds_is_the_same_after_it_was_asked(tmp_path: Path, version: Version, api: str) -> None:
    truth = json.loads((CASE / "truth.json").read_text())
    start_s, end_s = truth["start"] - 60, truth["end"] + 60
    with RealJaeger(tmp_path, version) as jaeger:
        spans = []
        for copy in range(COPIES):
            spans += copied(copy)
            requests.post(jaeger.zipkin_url, json=copied(copy), timeout=60).raise_for_status()
        options = ("--api", api, "--from", str(start_s), "--to", str(end_s), "--all", "--parallel", "8")
        document = installed("graph", "--url", jaeger.url, *options, "-o", "json").json()
        assert document["counts"]["spans"] == len(spans)
        assert document["notes"] == []
        assert held(jaeger, start_s, end_s) == posted(spans)


def copied(copy: int) -> list[dict[str, Any]]:
    """The recorded spans, in traces of their own."""
    spans: list[dict[str, Any]] = json.loads(gzip.decompress((CASE / "zipkin.json.gz").read_bytes()))
    return [span | {"traceId": f"{copy}{span['traceId'][1:]}"} for span in spans]


def posted(spans: list[dict[str, Any]]) -> Facts:
    """What Envoy said of every span, by trace and span id."""
    return {(span["traceId"], span["id"]): tuple(span["tags"].get(tag) for tag in TAGS) for span in spans}


def held(jaeger: RealJaeger, start_s: float, end_s: float) -> Facts:
    """The same as a Jaeger has it now."""
    window = f"start={int(start_s * 1e6)}&end={int(end_s * 1e6)}"
    url = f"{jaeger.url}/api/traces?service=istio-ingress&limit=10000&raw=true&{window}"
    facts: Facts = {}
    for trace in requests.get(url, timeout=60).json()["data"]:
        for span in trace["spans"]:
            tags = {tag["key"]: str(tag["value"]) for tag in span["tags"]}
            facts[trace["traceID"].zfill(32), span["spanID"]] = tuple(tags.get(tag) for tag in TAGS)
    return facts
