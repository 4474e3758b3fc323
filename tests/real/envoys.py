"""A real Envoy on loopback with a given configuration."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real import programs
from tests.real.processes import Process, free_port


class RealEnvoy(Process):
    """An Envoy with this bootstrap configuration: Envoy's v3 API as a dict, without `admin`, which gets a free port.

    `with RealEnvoy(tmp_path, config, "proxy") as envoy:` runs it until the block ends; kill() and start() again on
    the same ports. Files are `proxy.json` and `proxy.log` in the folder.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], name: str = "envoy") -> None:
        self.admin_port = free_port()
        admin = {"address": address(self.admin_port)}
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**config, "admin": admin}, indent=1))
        # Several Envoys on one machine would take each other for the process to hand over to.
        own = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        super().__init__([programs.envoy(), "--config-path", path, *own], folder / f"{name}.log")

    def ready(self) -> bool:
        try:
            return self.ask_admin("GET", "/ready").strip() == "LIVE"
        except OSError:
            return False

    def counters(self) -> dict[str, int]:
        """Its own counters and gauges by name, such as `cluster.NAME.upstream_rq_total`."""
        stats = json.loads(self.ask_admin("GET", "/stats?format=json"))["stats"]
        return {stat["name"]: stat["value"] for stat in stats if isinstance(stat.get("value"), int)}

    def ask_admin(self, method: str, path: str) -> str:
        """What its admin page answers; OSError if it does not answer or refuses."""
        asking = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            asking.request(method, path)
            answer = asking.getresponse()
            said = answer.read().decode()
        except http.client.HTTPException as broken:
            raise OSError(str(broken)) from broken
        finally:
            asking.close()
        if answer.status not in (200, 503):  # /ready says 503 until it is
            raise OSError(f"Envoy's admin page says {answer.status} to {method} {path}: {said.strip()}")
        return said


def address(port: int) -> dict[str, Any]:
    """A port of the loopback, as Envoy writes addresses."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
