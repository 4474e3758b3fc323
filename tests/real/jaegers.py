"""A real Jaeger on loopback, in memory: v2 or the last v1, with or without a base path."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, Literal

from tests.real import programs
from tests.real.processes import Process, free_port, listening

Version = Literal["v2", "v1"]


class RealJaeger(Process):
    """A Jaeger on free ports; `with RealJaeger(tmp_path) as jaeger:` runs it until the block ends.

    url         where traceviz asks, with the base path
    zipkin_url  takes Zipkin v2 JSON by POST
    otlp_url    takes OTLP by POST, protobuf or JSON
    kill(), start()   a crash, and the restart on the same ports; its memory is empty then

    v2 is Jaeger v2.13 and answers /api and /api/v3, and so does v1. Of more than `max_traces` it forgets the oldest,
    as its default does.
    """

    def __init__(
        self,
        folder: Path,
        version: Version = "v2",
        base_path: str = "",
        max_traces: int = 100_000,
        query_port: int | None = None,
    ) -> None:
        self.version = version
        self.base_path = base_path
        self.query_port = query_port or free_port()
        self.zipkin_port = free_port()
        self.otlp_port = free_port()
        self.otlp_grpc_port = free_port()
        self.max_traces = max_traces
        self.url = f"http://127.0.0.1:{self.query_port}{base_path}"
        self.zipkin_url = f"http://127.0.0.1:{self.zipkin_port}/api/v2/spans"
        self.otlp_url = f"http://127.0.0.1:{self.otlp_port}/v1/traces"
        name = f"jaeger-{version}-{self.query_port}"
        arguments = self._v2(folder / f"{name}.json") if version == "v2" else self._v1()
        # It traces itself, and by default it sends those spans to port 4317, where another Jaeger may be.
        own_spans = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.otlp_grpc_port}"}
        super().__init__(arguments, folder / f"{name}.log", {"SPAN_STORAGE_TYPE": "memory", **own_spans})

    def ready(self) -> bool:
        if not all(map(listening, (self.query_port, self.zipkin_port, self.otlp_port))):
            return False
        asking = http.client.HTTPConnection("127.0.0.1", self.query_port, timeout=5)
        try:
            asking.request("GET", f"{self.base_path}/api/services")
            return isinstance(json.loads(asking.getresponse().read()), dict)
        except (OSError, ValueError):
            return False
        finally:
            asking.close()

    def _v2(self, config: Path) -> list[str | Path]:
        """Its own default configuration with free ports, and without batching: a span that was taken is found."""
        config.write_text(json.dumps(self._v2_config(), indent=1))
        return [programs.jaeger_v2(), "--config", config]

    def _v2_config(self) -> dict[str, Any]:
        query: dict[str, Any] = {
            "storage": {"traces": "memory"},
            "http": {"endpoint": f"127.0.0.1:{self.query_port}"},
            "grpc": {"endpoint": f"127.0.0.1:{free_port()}"},
        }
        if self.base_path:
            query["base_path"] = self.base_path
        return {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {
                    "traces": {"receivers": ["otlp", "zipkin"], "exporters": ["jaeger_storage_exporter"]},
                },
                "telemetry": {"resource": {"service.name": "jaeger"}, "metrics": {"level": "none"}},
            },
            "extensions": {
                "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": self.max_traces}}}},
                "jaeger_query": query,
            },
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"127.0.0.1:{self.otlp_grpc_port}"},
                        "http": {"endpoint": f"127.0.0.1:{self.otlp_port}"},
                    }
                },
                "zipkin": {"endpoint": f"127.0.0.1:{self.zipkin_port}"},
            },
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
        }

    def _v1(self) -> list[str | Path]:
        used = {
            "query.http-server": self.query_port,
            "collector.zipkin": self.zipkin_port,
            "collector.otlp.http": self.otlp_port,
            "collector.otlp.grpc": self.otlp_grpc_port,
        }
        unused = ("query.grpc-server", "collector.grpc-server", "collector.http-server", "admin.http")
        ports = used | {name: free_port() for name in unused}
        return [
            programs.jaeger_v1(),
            *(f"--{name}.host-port=127.0.0.1:{port}" for name, port in ports.items()),
            f"--memory.max-traces={self.max_traces}",
            *([f"--query.base-path={self.base_path}"] if self.base_path else []),
        ]
