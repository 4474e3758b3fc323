"""A server on loopback that misbehaves on demand: what a Jaeger, or what stands before it, does to a client."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from traceviz.demo import Recording
from traceviz.demo.answers import Answer, Answers

#: The packaged recording at the times it was made, and the Jaeger that behaves.
RECORDING = Recording.packaged()
GOOD = Answers(RECORDING)
WINDOW = (RECORDING.from_ns, RECORDING.to_ns)

HTML = Answer(
    200, "text/html; charset=utf-8", b"<!DOCTYPE html>\n<html><title>Sign in</title><body>Who are you?</body></html>"
)
NOT_FOUND = Answer(404, "text/plain; charset=utf-8", b"404 page not found\n")


@dataclass
class Exchange:
    """One request, the handler to answer it with, and how many requests for the same route came before."""

    handler: BaseHTTPRequestHandler
    path: str
    repeated: int
    closing: threading.Event

    def send(self, answer: Answer, headers: dict[str, str] | None = None, only: int | None = None) -> None:
        """Send an answer; of its body only so many bytes, then break the connection."""
        handler = self.handler
        handler.send_response(answer.status)
        for name, value in {"Content-Type": answer.content_type, **(headers or {})}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body[:only])
        if only is not None:
            handler.close_connection = True


Behaviour = Callable[[Exchange], None]


@dataclass
class Unruly:
    """The running server: where it is, and the paths and headers it was asked with."""

    url: str
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def unruly(behave: Behaviour) -> Iterator[Unruly]:
    """Serve a behaviour on a free loopback port until the block ends."""
    served = Unruly("")
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            route = self.path.partition("?")[0]
            repeated = sum(path.partition("?")[0] == route for path in served.asked)
            served.asked.append(self.path)
            served.headers.append(dict(self.headers))
            with contextlib.suppress(ConnectionError):
                behave(Exchange(self, self.path, repeated, closing))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def refusing_url() -> str:
    """A URL at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def good(exchange: Exchange) -> None:
    """Answers as the recorded Jaeger."""
    exchange.send(GOOD.of(exchange.path))


def always(answer: Answer, headers: dict[str, str] | None = None) -> Behaviour:
    """Answers everything alike."""
    return lambda exchange: exchange.send(answer, headers)


def silent(exchange: Exchange) -> None:
    """Takes the question and says nothing."""
    exchange.closing.wait(20)


def slams(exchange: Exchange) -> None:
    """Closes the connection without an answer."""
    exchange.handler.close_connection = True


def for_searches(behave: Behaviour) -> Behaviour:
    """Behaves like this to searches for traces, and well to everything else."""
    return lambda exchange: (behave if "/traces?" in exchange.path else good)(exchange)


def at_first(behave: Behaviour, times: int = 1) -> Behaviour:
    """Behaves like this so many times on each route, and well afterwards."""
    return lambda exchange: (behave if exchange.repeated < times else good)(exchange)


def below(base_path: str, elsewhere: Answer) -> Behaviour:
    """Answers below a base path, and with `elsewhere` outside of it."""
    answers = Answers(RECORDING, base_path)
    return lambda exchange: exchange.send(
        answers.of(exchange.path) if exchange.path.startswith(base_path + "/") else elsewhere
    )


def without(routes: str, missing: Answer) -> Behaviour:
    """Answers, but not on the routes that begin like this: an older or a newer Jaeger."""
    return lambda exchange: exchange.send(missing if exchange.path.startswith(routes) else GOOD.of(exchange.path))


def v3_only(exchange: Exchange) -> None:
    """Jaeger since v2.21: 404 as text where v1's searches were."""
    exchange.send(GOOD.of(exchange.path) if exchange.path.startswith("/api/v3/") else NOT_FOUND)


def cut(at: int) -> Behaviour:
    """Breaks the connection after so many bytes of the body."""
    return lambda exchange: exchange.send(GOOD.of(exchange.path), only=at)


def stalls(at: int) -> Behaviour:
    """Sends so many bytes of the body and then nothing more."""

    def behave(exchange: Exchange) -> None:
        exchange.send(GOOD.of(exchange.path), only=at)
        exchange.closing.wait(20)

    return behave
