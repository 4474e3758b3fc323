"""A server on loopback that misbehaves on demand: what a Jaeger, or what stands before it, does to a client."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from traceviz.demo import Recording
from traceviz.demo.answers import Answer, Answers
from traceviz.when import parse_instant

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


class _Server(ThreadingHTTPServer):
    """Says nothing where a client hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def unruly(behave: Behaviour, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Unruly]:
    """Serve a behaviour on a loopback port, a free one unless it is named, until the block ends."""
    served = Unruly("")
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_GET(self) -> None:
            route = self.path.partition("?")[0]
            repeated = sum(path.partition("?")[0] == route for path in served.asked)
            served.asked.append(self.path)
            served.headers.append(dict(self.headers))
            with contextlib.suppress(ConnectionError):
                behave(Exchange(self, self.path, repeated, closing))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = _Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
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
    """Breaks the connection after so many bytes of a longer body."""

    def behave(exchange: Exchange) -> None:
        answer = GOOD.of(exchange.path)
        exchange.send(answer, only=at if len(answer.body) > at else None)

    return behave


def stalls(at: int) -> Behaviour:
    """Sends so many bytes of a longer body and then nothing more."""

    def behave(exchange: Exchange) -> None:
        answer = GOOD.of(exchange.path)
        if len(answer.body) <= at:
            exchange.send(answer)
            return
        exchange.send(answer, only=at)
        exchange.closing.wait(20)

    return behave


def cut_in_the_middle(exchange: Exchange) -> None:
    """Breaks the connection after the larger part of every body."""
    answer = GOOD.of(exchange.path)
    exchange.send(answer, only=len(answer.body) * 2 // 3)


def late(seconds: float) -> Behaviour:
    """Answers well, after so long."""

    def behave(exchange: Exchange) -> None:
        exchange.closing.wait(seconds)
        good(exchange)

    return behave


def every_third(behave: Behaviour) -> Behaviour:
    """Behaves like this at the third request of each route, the sixth, and so on."""
    return lambda exchange: (behave if exchange.repeated % 3 == 2 else good)(exchange)


def length_wrong_by(difference: int) -> Behaviour:
    """Says that a body is so much longer than it is, or shorter, and closes the connection behind it; but not where it
    has nothing to give."""

    def behave(exchange: Exchange) -> None:
        answer, handler = GOOD.of(exchange.path), exchange.handler
        if answer.status != 200:
            exchange.send(answer)
            return
        handler.send_response(answer.status)
        handler.send_header("Content-Length", str(len(answer.body) + difference))
        handler.end_headers()
        handler.wfile.write(answer.body)
        handler.close_connection = True

    return behave


def rewritten(body: Callable[[bytes], bytes], headers: dict[str, str] | None = None) -> Behaviour:
    """Answers with another body than the good one."""

    def behave(exchange: Exchange) -> None:
        answer = GOOD.of(exchange.path)
        exchange.send(Answer(answer.status, answer.content_type, body(answer.body)), headers)

    return behave


def wants(header: str, value: str, otherwise: Answer) -> Behaviour:
    """Answers to those who send this header."""
    return lambda exchange: (
        good(exchange) if exchange.handler.headers.get(header) == value else exchange.send(otherwise)
    )


def searched(path: str) -> tuple[int, int, int]:
    """The window (ns) and the limit of a search of v3."""
    given = parse_qs(urlsplit(path).query)
    from_ns, to_ns = (parse_instant(given[f"query.start_time_{end}"][0], 0) for end in ("min", "max"))
    return from_ns, to_ns, int(given["query.num_traces"][0])


def for_windows_around(instant_ns: int, behave: Behaviour) -> Behaviour:
    """Behaves like this to searches whose window holds an instant."""

    def around(exchange: Exchange) -> None:
        from_ns, to_ns, _ = searched(exchange.path)
        (behave if from_ns <= instant_ns <= to_ns else good)(exchange)

    return for_searches(around)


def for_limits_above(limit: int, behave: Behaviour) -> Behaviour:
    """Behaves like this to searches for more traces than that."""
    return for_searches(lambda exchange: (behave if searched(exchange.path)[2] > limit else good)(exchange))
