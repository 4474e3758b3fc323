"""`make mesh`: the mesh of the article and a Jaeger, until Ctrl-C; what is broken is switched while it runs."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.real import programs
from tests.real.article import ABORT_STATUS, DELAY_S, EXPERIMENTS
from tests.real.jaegers import RealJaeger
from tests.real.mesh import Mesh
from tests.real.processes import free_port, listening

JAEGER_PORT, INGRESS_PORT, SWITCH_PORT = 16686, 8080, 8081
SAID = {
    "none": "nothing is broken",
    "abort": f"half of the calls to service-python answer {ABORT_STATUS}",
    "delay": f"half of service-js's calls to service-go take {DELAY_S} s longer",
    "both": "abort and delay together",
    "down": "the program of service-redis was killed, its proxy is still there",
}


def main() -> int:
    """Run until Ctrl-C. Logs are kept only if something failed, and then it says where."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        for program in (programs.envoy, programs.fortio, programs.jaeger_v2):
            program()
    except programs.Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="traceviz-mesh-"))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _run(folder)
    except (RuntimeError, OSError) as trouble:
        print(f"{trouble}\nlogs: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print("\nstopped")
    return 0


def _run(folder: Path) -> None:
    with (
        RealJaeger(folder, "v2", query_port=_port(JAEGER_PORT, "Jaeger")) as jaeger,
        Mesh(folder, ingress_port=_port(INGRESS_PORT, "the ingress")) as mesh,
        ThreadingHTTPServer(("127.0.0.1", _port(SWITCH_PORT, "the switch")), _switch(mesh)) as switch,
    ):
        mesh.relay.targets = [jaeger.zipkin_url]
        _say_what_is_where(jaeger, mesh, f"http://localhost:{switch.server_port}")
        with contextlib.suppress(KeyboardInterrupt):
            switch.serve_forever()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave half of it running


def _port(usual: int, what: str) -> int:
    """The usual port; where somebody has it, a free one, and it says so."""
    if not listening(usual):
        return usual
    free = free_port()
    print(f"port {usual} is taken, {what} is at {free}", file=sys.stderr)
    return free


def _say_what_is_where(jaeger: RealJaeger, mesh: Mesh, switch: str) -> None:
    usual = jaeger.query_port == JAEGER_PORT
    url = "" if usual else f" --url {jaeger.url}"
    ingress = mesh.url.replace("127.0.0.1", "localhost")
    print(f"ingress  {ingress}/service-js/env, /service-python/env, /service-go/env")
    print(f"Jaeger   {jaeger.url.replace('127.0.0.1', 'localhost')}   logs  {jaeger.log.parent}")
    print("\nbreak something:")
    for name, what in SAID.items():
        print(f"  {f'curl -X POST {switch}/{name}':42}  {what}")
    print("\nsend requests, 20 a second for 15 seconds:")
    print(f"  FORTIO={shlex.quote(str(programs.fortio()))}")
    print(f"  $FORTIO load -quiet -allow-initial-errors -qps 20 -t 15s {ingress}/service-python/env")
    print("\nlook (spans come five seconds after the calls at the latest):")
    for command in ("errors --since 1m", "graph --since 1m -O graph.svg"):
        print(f"  traceviz {command}{url}")
    print("\nCtrl-C ends all of it.", flush=True)


def _switch(mesh: Mesh) -> type[BaseHTTPRequestHandler]:
    """POST /NAME of an experiment breaks what it breaks, and mends the rest."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = self.path.strip("/")
            if name not in SAID:
                self._answer(404, f"there is no {name!r}: {', '.join(SAID)}")
                return
            mesh.switch(EXPERIMENTS[name])
            self._answer(200, SAID[name])

        def do_GET(self) -> None:
            self._answer(405, f"POST one of: {', '.join(SAID)}")

        def _answer(self, status: int, text: str) -> None:
            body = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


if __name__ == "__main__":
    sys.exit(main())
