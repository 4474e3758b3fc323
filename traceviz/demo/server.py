"""The demo's Jaeger on a loopback port."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from traceviz.demo.answers import Answer, Answers
from traceviz.demo.traces import Recording

ENDED_BEFORE_NS = 3 * 10**9  # the recording seems to have ended 3 s ago


@dataclass(frozen=True, slots=True)
class DemoJaeger:
    """A running server: its URL with the base path, and the recording it answers from."""

    url: str
    recording: Recording


@contextmanager
def serve_recording(recording: Recording | None = None, base_path: str = "") -> Iterator[DemoJaeger]:
    """Serve a recording (by default the packaged one, ended 3 s ago) on a free loopback port until the block ends.

    `base_path` is Jaeger's option of that name: with `/jaeger`, what Istio's addon sets, every route begins with it.
    """
    held = recording or Recording.packaged(time.time_ns() - ENDED_BEFORE_NS)
    answers = Answers(held, base_path.rstrip("/"))

    class Handler(_Handler):
        def answer(self) -> Answer:
            return answers.of(self.path)

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield DemoJaeger(f"http://127.0.0.1:{server.server_address[1]}{answers.base_path}", held)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Says nothing where a client hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Writes an Answer. Bodies go out in one piece with their length, connections are kept, nothing is logged."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def answer(self) -> Answer:
        raise NotImplementedError

    def do_GET(self) -> None:
        answer = self.answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
