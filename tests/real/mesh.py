"""The mesh of the article on loopback: a gateway, six programs, an Envoy beside each, and a switch for its faults."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real import istio
from tests.real.article import CALLS, EDGES, INGRESS, PROGRAMS, TOLERANT, Experiment
from tests.real.envoys import RealEnvoy
from tests.real.processes import Process, free_port, listening
from tests.real.relay import Relay

#: Workload ▸ its proxy's counters by name.
Counters = Mapping[str, Mapping[str, int]]


class Program(Process):
    """One workload's program."""

    def __init__(self, folder: Path, name: str, port: int, proxy: int) -> None:
        self.port = port
        arguments: list[str | Path] = [sys.executable, Path(__file__).with_name("workload.py")]
        arguments += ["--port", str(port), "--proxy", str(proxy), "--calls", *CALLS[name]]
        arguments += ["--tolerant"] if name in TOLERANT else []
        super().__init__(arguments, folder / f"{name}-program.log")

    def ready(self) -> bool:
        return listening(self.port)


class Mesh:
    """`with Mesh(folder) as mesh:` runs it; `mesh.url` is the ingress, `mesh.relay` what its proxies report to.

    All ports are free ones chosen at the start; the ingress's may be given. Logs and configurations are in `folder`.
    """

    def __init__(self, folder: Path, ingress_port: int | None = None) -> None:
        self.relay = Relay()
        ports = {name: free_port() for name in PROGRAMS}
        self.programs: dict[str, Program] = {}
        self.envoys: dict[str, RealEnvoy] = {}
        for name in PROGRAMS:
            program_port, proxy_port = free_port(), free_port()
            callees = {callee: ports[callee] for callee in CALLS[name]}
            self.programs[name] = Program(folder, name, program_port, proxy_port)
            config = istio.sidecar(name, ports[name], proxy_port, program_port, callees, self.relay.port)
            self.envoys[name] = RealEnvoy(folder, config, name)
        port = ingress_port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = istio.gateway(port, {callee: ports[callee] for callee in CALLS[INGRESS]}, self.relay.port)
        self.envoys[INGRESS] = RealEnvoy(folder, config, INGRESS)
        self._running = contextlib.ExitStack()

    def switch(self, experiment: Experiment) -> None:
        """Break what this experiment breaks, and mend everything else."""
        for kind, percents in (("abort", experiment.aborts), ("delay", experiment.delays)):
            for caller, callee in EDGES:
                percent = percents.get((caller, callee), 0)
                key = istio.runtime_key(kind, callee)
                self.envoys[caller].ask_admin("POST", f"/runtime_modify?{key}={percent}")
        for name, program in self.programs.items():
            if name in experiment.killed:
                program.kill()
            elif not program.alive:
                program.start()

    def counters(self) -> Counters:
        """What every proxy has counted so far."""
        return {name: envoy.counters() for name, envoy in self.envoys.items()}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.relay)
            for process in (*self.programs.values(), *self.envoys.values()):
                starting.enter_context(process)
            self._running = starting.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.close()
