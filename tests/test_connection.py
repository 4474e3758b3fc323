"""Asking one server: retries, waiting for one that was there, threads, what is logged."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.connecting import PLAIN, ROUTE, answer_of, asked
from tests.connecting import nothing_from_outside as nothing_from_outside
from tests.unruly import Exchange, always, at_first, good, refusing_url, silent, unruly
from traceviz.asking.access import Access
from traceviz.asking.connection import Connection, TimedOut
from traceviz.asking.refusals import status_failure
from traceviz.demo.answers import Answer
from traceviz.errors import SourceFailed

pytestmark = pytest.mark.usefixtures("nothing_from_outside")

BUSY = Answer(503, PLAIN, b"no healthy upstream")


# Again


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    with unruly(at_first(always(Answer(status, PLAIN, b"busy")), 2)) as server, Connection(Access(server.url)) as http:
        assert answer_of(http).status == 200
        assert (len(server.asked), http.lost) == (3, 0)


def test_a_server_that_only_ever_says_it_is_busy_is_given_up_after_a_few_tries() -> None:
    with unruly(always(BUSY)) as server:
        began = time.monotonic()
        assert asked(Access(server.url)).status == 503
        assert len(server.asked) == 4
        assert 0.8 < time.monotonic() - began < 4


def test_pauses_grow() -> None:
    times: list[float] = []

    def noting(exchange: Exchange) -> None:
        times.append(time.monotonic())
        exchange.send(BUSY)

    with unruly(noting) as server:
        asked(Access(server.url))
    pauses = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert pauses[0] > 0.12
    assert pauses[2] > 0.5
    assert pauses[2] > pauses[0]


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    with unruly(at_first(always(BUSY, {"Retry-After": "1"}))) as server:
        began = time.monotonic()
        assert asked(Access(server.url)).status == 200
        assert time.monotonic() - began > 1


@pytest.mark.parametrize("wish", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_server_that_asks_for_too_long_a_pause_gets_none_and_that_is_said(wish: str) -> None:
    with unruly(always(BUSY, {"Retry-After": wish})) as server:
        failure = status_failure(asked(Access(server.url)))
        assert len(server.asked) == 1
    assert "It asks to be left alone for" in failure.remedy


def test_a_pause_that_cannot_be_read_is_none() -> None:
    with unruly(at_first(always(BUSY, {"Retry-After": "soon"}))) as server:
        assert asked(Access(server.url)).status == 200


def test_what_is_too_slow_is_not_asked_again() -> None:
    with unruly(silent) as server, pytest.raises(TimedOut, match=r"no answer within 0\.2 s"):
        asked(Access(server.url, timeout_s=0.2))
    assert len(server.asked) == 1


def test_a_port_where_nothing_was_ever_heard_is_a_failure_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(SourceFailed, match="connection refused"):
        asked(Access(refusing_url()))
    assert time.monotonic() - began < 0.5


def one_at_a_time(exchange: Exchange) -> None:
    """Answers well and closes the connection, so that nothing is left of this server once it has stopped."""
    good(exchange)
    exchange.handler.close_connection = True


def test_a_server_that_restarts_is_waited_for_and_the_loss_is_counted_once_for_all_threads() -> None:
    with contextlib.ExitStack() as opened:
        with unruly(one_at_a_time) as server:
            connection = opened.enter_context(Connection(Access(server.url)))
            assert answer_of(connection).status == 200
        assert connection.lost == 0
        pool = opened.enter_context(ThreadPoolExecutor(4))
        answers = [pool.submit(answer_of, connection, f"{ROUTE}?{number}") for number in range(4)]
        time.sleep(0.5)
        with unruly(one_at_a_time, port=int(server.url.rpartition(":")[2])) as restarted:
            assert [answer.result(20).status for answer in answers] == [200] * 4
        assert len(restarted.asked) == 4
        assert connection.lost == 1


def test_every_loss_counts() -> None:
    def slams_every_second(exchange: Exchange) -> None:
        if exchange.repeated % 2:
            exchange.handler.close_connection = True
        else:
            good(exchange)

    with unruly(slams_every_second) as server, Connection(Access(server.url)) as connection:
        assert [answer_of(connection).status for _ in range(3)] == [200] * 3
        assert connection.lost == 2


def test_whoever_waits_to_ask_again_gives_up_when_the_connection_is_closed() -> None:
    with unruly(one_at_a_time) as server:
        connection = Connection(Access(server.url))
        answer_of(connection)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(answer_of, connection)
        time.sleep(0.3)
        began = time.monotonic()
        connection.close()
        with pytest.raises(SourceFailed, match="connection refused"):
            waiting.result(20)
        assert time.monotonic() - began < 0.5
    with pytest.raises(SourceFailed, match="was closed"):
        answer_of(connection)


def test_a_proxy_gets_the_requests_and_a_login_that_it_wants_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with unruly(good) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        with Connection(Access("http://jaeger.example:16686/jaeger")) as connection, connection.get("/x"):
            pass
        assert proxy.asked == ["http://jaeger.example:16686/jaeger/x"]
    with unruly(always(Answer(407, PLAIN, b"who?"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert "The proxy wants a login" in status_failure(asked(Access("http://jaeger.example:16686"))).remedy


# Threads


def test_as_many_threads_as_are_allowed_ask_at_the_same_time_over_connections_that_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together = threading.Barrier(8)
    peers = set()

    def noting(exchange: Exchange) -> None:
        together.wait(10)
        peers.add(exchange.handler.client_address)
        good(exchange)

    with (
        caplog.at_level(logging.WARNING, "urllib3"),
        unruly(noting) as server,
        Connection(Access(server.url, parallel=8)) as connection,
        ThreadPoolExecutor(8) as pool,
    ):
        for _ in range(5):
            assert [answer.status for answer in pool.map(answer_of, [connection] * 8)] == [200] * 8
    assert len(peers) == 8
    assert caplog.records == []


# What is said on the way


def test_every_request_is_logged_without_its_secrets_and_nothing_below_speaks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "traceviz")
    with (
        unruly(at_first(always(BUSY))) as server,
        Connection(Access(server.url.replace("//", "//me:s3cret@"), {"X-Key": "k3y-k3y"})) as connection,
        connection.get(ROUTE, [("service", "a b"), ("key", "k3y-k3y")]) as reply,
    ):
        assert len(b"".join(reply.blocks())) == 175
    refused = refusing_url()
    with pytest.raises(SourceFailed):
        asked(Access(refused))
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"GET {server.url}{ROUTE}?service=a+b&key=…: 503, 0 bytes, {said[0].split()[-2]} ms"
    assert said[1].startswith(f"{server.url} answered 503; asking again in 0.")
    assert said[2].startswith(f"GET {server.url}{ROUTE}?service=a+b&key=…: 200, 175 bytes, ")
    assert said[3].startswith(f"GET {refused}{ROUTE}: nothing listens at {refused}")
    assert len(said) == 4
