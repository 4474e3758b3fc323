"""A Zipkin collector that hands on every body as it came.

Envoy's tracer reports to one collector only. For several Jaegers to hold the very same real spans, the proxies report
here, and each body goes on unchanged to all of them. What was posted is kept too: tests know by it when all spans came.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Relay:
    """`with Relay() as relay:` takes spans at port `relay.port`.

    `targets` are the Zipkin URLs it hands on to and may be changed at any time. `spans` are all spans since `forget`,
    `troubles` says what a target did not take.
    """

    def __init__(self) -> None:
        self.targets: Sequence[str] = ()
        self.spans: list[dict[str, Any]] = []
        self.troubles: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="relay", daemon=True)

    def forget(self) -> None:
        """Start to collect anew."""
        self.spans, self.troubles = [], []

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                relay.take(_body(self))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def take(self, body: bytes) -> None:
        """Hand a body on to every target; keep its spans when they have it."""
        for target in self.targets:
            trouble = _post(target, body)
            if trouble:
                self.troubles.append(f"{target}: {trouble}")
        self.spans.extend(json.loads(body))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """A request's body: Envoy sends it in chunks, each with its length in hex before it."""
    if "Content-Length" in request.headers:
        return request.rfile.read(int(request.headers["Content-Length"]))
    chunks = []
    while size := int(request.rfile.readline(), 16):
        chunks.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(chunks)


def _post(url: str, body: bytes) -> str:
    """What went wrong, else nothing."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
        return "" if answer.status == 202 else f"{answer.status} {said}"
    except (OSError, http.client.HTTPException) as broken:
        return repr(broken)
    finally:
        connection.close()
