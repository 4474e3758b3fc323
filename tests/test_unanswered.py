"""Every way in which a server, or the way to it, fails to answer: what is said, and what is kept."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tests.asking import ask, failure
from tests.unruly import (
    HTML,
    NOT_FOUND,
    RECORDING,
    WINDOW,
    Behaviour,
    Exchange,
    always,
    below,
    cut,
    cut_in_the_middle,
    for_searches,
    good,
    refusing_url,
    silent,
    slams,
    stalls,
    unruly,
    without,
)
from traceviz.asking.access import Access
from traceviz.asking.collect import COPIES_DIFFERED, FAILED, GAVE_UP, INTERRUPTED, LOST
from traceviz.asking.complete import COMPLETED, NOT_COMPLETED
from traceviz.asking.connection import split_url
from traceviz.asking.forgotten import FORGOTTEN
from traceviz.asking.query import ANSWER_CUT_OFF, LIMIT_LOWERED, Jaeger
from traceviz.asking.search import Search
from traceviz.demo.answers import Answer
from traceviz.errors import SourceFailed, TracevizError, UsageError
from traceviz.live import LIMIT_HIT, NOT_AS_ASKED, STAYED_FULL
from traceviz.notes import catalogue

PLAIN = "text/plain; charset=utf-8"


OTHER_PAGE = Answer(200, "text/html", b"<html><head><title>It works!</title></head></html>")
LOGIN = {"Location": "https://user:pass@login.example.com/sign-in?state=s3cret"}


def jaeger_says(status: int, message: str) -> Answer:
    body = {"error": {"httpCode": status, "message": message}}
    return Answer(status, PLAIN, json.dumps(body).encode())


#: behaviour ▸ what is said after the URL ▸ what to try
FAILURES: dict[str, tuple[Behaviour, str, str]] = {
    "a time-out": (silent, "gave no answer within 0.3 s", "--limit"),
    "slams the door": (slams, "broke the connection without an answer", "http or https"),
    "wants a login": (always(Answer(401, PLAIN, b"who are you?")), "401 Unauthorized", "wants a login"),
    "wants a tenant": (always(Answer(401, PLAIN, b"missing tenant header")), "401 Unauthorized", "--tenant NAME"),
    "forbids": (always(Answer(403, PLAIN, b"RBAC: access denied")), "RBAC: access denied", "port-forward"),
    "forbids searches": (
        for_searches(always(Answer(403, PLAIN, b"no"))),
        "403 Forbidden to GET /api/v3/traces",
        "rights",
    ),
    "has no such route": (always(NOT_FOUND), "404 Not Found to GET /api/services", "base path"),
    "shows a login": (always(HTML), "with an HTML page, 'Sign in', which is a login", "--bearer-token-file"),
    "shows a page": (always(OTHER_PAGE), "with an HTML page, 'It works!'", "no login before it"),
    "shows a page to searches": (
        for_searches(always(OTHER_PAGE)),
        "GET /api/v3/traces with an HTML page",
        "base path",
    ),
    "says nothing": (always(Answer(200, PLAIN, b"")), "with nothing at all", "a Jaeger"),
    "says nothing to searches": (for_searches(always(Answer(200, PLAIN, b""))), "with nothing at all", "a Jaeger"),
    "talks nonsense": (always(Answer(200, PLAIN, b"\x1b[2Jhello\x00")), "no Jaeger says: [2Jhello", "a Jaeger"),
    "speaks other JSON": (
        always(Answer(200, PLAIN, b'{"status":"ok"}')),
        'no Jaeger says: {"status":"ok"}',
        "a Jaeger",
    ),
    "other JSON to searches": (
        for_searches(always(Answer(200, PLAIN, b'{"ok":1}'))),
        'no Jaeger says: {"ok":1}',
        "a J",
    ),
    "a list to searches": (for_searches(always(Answer(200, PLAIN, b"[]"))), "no Jaeger says: []", "a Jaeger"),
    "deep JSON": (always(Answer(200, PLAIN, b"[" * 100_000)), "no Jaeger says: [[[", "a Jaeger"),
    "redirects to a login": (
        always(Answer(302, "text/html", b""), LOGIN),
        "sends GET /api/v3/services on to https://login.example.com/sign-in, which is a login",
        "--bearer-token-file",
    ),
    "redirects elsewhere": (
        always(Answer(301, "text/html", b""), {"Location": "https://other.example.com/"}),
        "sends GET /api/v3/services on to https://other.example.com/",
        "give that address as --url",
    ),
    "redirects nowhere": (always(Answer(307, "text/html", b"")), "on to nowhere", "Past a login"),
    "does not understand": (
        for_searches(always(jaeger_says(400, "malformed parameter"))),
        "400 Bad Request to GET /api/v3/traces: malformed parameter",
        "did not understand",
    ),
    "fails": (
        for_searches(always(jaeger_says(500, "elasticsearch is \u202edown\n\nall of it"))),
        "500 Internal Server Error to GET /api/v3/traces: elasticsearch is down all of it",
        "--limit",
    ),
    "fails at everything": (always(jaeger_says(500, "no storage")), "500 Internal Server Error to GET", "log"),
    "stays busy": (
        always(Answer(503, PLAIN, b"no healthy upstream"), {"Retry-After": "0"}),
        "503 Service Unavailable to GET /api/v3/services: no healthy upstream",
        "in trouble",
    ),
    "an unheard-of status": (always(Answer(599, PLAIN, b"")), "answered 599", "in trouble"),
    "breaks off at once": (for_searches(cut(100)), "broke off before a whole trace", "--limit"),
    "breaks off before the body": (for_searches(cut(0)), "broke off before a whole trace", "--limit"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_server_that_does_not_answer_is_told_in_a_sentence_with_what_to_try(name: str) -> None:
    behave, said, remedy = FAILURES[name]
    error, url = failure(behave, timeout_s=0.3 if behave is silent else 5.0)
    assert isinstance(error, SourceFailed)
    assert said in str(error)
    assert url in str(error)
    assert remedy in error.remedy
    assert str(error).isprintable()
    assert error.remedy.isprintable()
    assert len(str(error)) < 400
    assert "s3cret" not in str(error) + error.remedy
    assert "pass" not in str(error)


def test_v1_says_no_by_null_data_with_errors() -> None:
    for status in (200, 500):
        body = (
            b'{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":500,"msg":"no shards"},{"msg":"really"}]}'
        )
        with unruly(for_searches(always(Answer(status, "application/json", body)))) as server:
            jaeger = Jaeger(Access(server.url), "v1")
            with jaeger, pytest.raises(SourceFailed, match="no shards; really"):
                jaeger.page(Search("x", *WINDOW), 10)


def test_operations_that_are_none_are_a_failure() -> None:
    for body in (b'{"operations":5}', b'{"data":[]}', b"<html>"):
        with (
            unruly(without("/api/v3/operations", Answer(200, PLAIN, body))) as server,
            Jaeger(Access(server.url)) as jaeger,
            pytest.raises(SourceFailed, match="answered GET /api/v3/operations with"),
        ):
            jaeger.operations("x")


def test_a_host_that_takes_no_connection_is_told_with_the_time_waited() -> None:
    # A listener whose queue is full: the system answers to no further connection.
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with pytest.raises(SourceFailed, match=r"takes no connection within 0\.3 s"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)


def test_no_traces_is_an_empty_answer_in_every_form() -> None:
    for api, answer in (
        ("v3", jaeger_says(404, "No traces found")),
        ("v3", Answer(200, PLAIN, b'{"result":{}}')),
        ("v3", Answer(200, PLAIN, b'{"result":{"resourceSpans":[]}}\n')),
        ("v1", Answer(200, PLAIN, b'{"data":[],"total":0,"limit":0,"offset":0,"errors":null}')),
        ("v1", Answer(200, PLAIN, b'{"data":null,"total":0,"limit":0,"offset":0,"errors":null}')),
    ):
        with unruly(for_searches(always(answer))) as server, Jaeger(Access(server.url), api) as jaeger:  # type: ignore[arg-type]
            assert len(jaeger.page(Search("x", *WINDOW), 10).spans) == 0
            assert len(jaeger.notes) == 0


def test_an_answer_that_breaks_off_however_little_is_asked_for_is_used_as_far_as_it_came() -> None:
    with unruly(for_searches(cut_in_the_middle)) as server:
        came = ask(server.url)
    assert 40 < len(came.ids) < 70
    assert came.notes.count(ANSWER_CUT_OFF) == 1
    assert came.seen is not None
    assert (came.seen["share"], len(came.seen["failed"])) == (0.0, 1)


@pytest.mark.parametrize("behave", [cut(200_000), stalls(200_000)])
def test_of_answers_that_break_off_because_they_are_large_smaller_ones_are_asked_for(behave: Behaviour) -> None:
    with unruly(for_searches(behave)) as server:
        came = ask(server.url, timeout_s=0.5)
    assert len(came.ids) == 100
    assert len(came.notes) == 0
    assert came.seen is not None
    assert came.seen["share"] == 1.0


@pytest.mark.parametrize("elsewhere", [OTHER_PAGE, NOT_FOUND, Answer(307, PLAIN, b"")])
def test_a_missing_base_path_is_found_and_named(elsewhere: Answer) -> None:
    error, url = failure(below("/jaeger", elsewhere))
    assert error.remedy == f"A Jaeger answers there: --url {url}/jaeger"


def test_a_base_path_too_much_is_found_and_named() -> None:
    with unruly(good) as server, pytest.raises(SourceFailed) as caught:
        ask(server.url + "/tracing")
    assert caught.value.remedy == f"A Jaeger answers there: --url {server.url}"


def test_an_api_that_was_insisted_on_and_is_not_there_is_told_with_the_one_that_is() -> None:
    with unruly(without("/api/v3/", OTHER_PAGE)) as server, Jaeger(Access(server.url), "v3") as jaeger:
        with pytest.raises(SourceFailed, match="HTML page") as caught:
            jaeger.services()
        assert caught.value.remedy == "Its API is v1: --api v1"


def test_connection_refused_tells_how_to_reach_istios_jaeger() -> None:
    url = refusing_url()
    with pytest.raises(SourceFailed, match=f"nothing listens at {url}: connection refused") as caught:
        ask(url)
    assert "kubectl -n istio-system port-forward svc/tracing 16686:80" in caught.value.remedy
    assert "--url http://localhost:16686/jaeger" in caught.value.remedy


def test_a_host_that_dns_does_not_know_is_named() -> None:
    with pytest.raises(SourceFailed, match=r"host 'tracing\.istio-system\.invalid' of http://tracing") as caught:
        ask("http://tracing.istio-system.invalid:16686/jaeger")
    assert "port-forward" in caught.value.remedy


def test_https_to_a_plain_port_says_so() -> None:
    with unruly(good) as server, pytest.raises(SourceFailed, match="no TLS connection to https://127") as caught:
        ask(server.url.replace("http:", "https:"))
    assert f"--url {server.url}" in caught.value.remedy


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    for proxy in (refusing_url().replace("//", "//user:s3cret@"), "http:///s3cret"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(SourceFailed, match="cannot be reached through the proxy") as caught:
            ask("http://jaeger.example:16686")
        assert "NO_PROXY=jaeger.example" in caught.value.remedy
        assert "s3cret" not in str(caught.value) + caught.value.remedy


def test_user_and_password_of_the_url_are_sent_and_never_shown() -> None:
    with unruly(good) as server:
        with Jaeger(Access(server.url.replace("//", "//us%40er:s3cret@") + "/search?service=x")) as jaeger:
            assert jaeger.services() == RECORDING.services()
            assert jaeger.url == server.url
        assert server.headers[0]["Authorization"] == "Basic dXNAZXI6czNjcmV0"


def test_secrets_that_a_server_repeats_are_not_shown() -> None:
    def parrot(exchange: Exchange) -> None:
        heard = exchange.handler.headers
        exchange.send(Answer(401, PLAIN, f"no: {heard['Authorization']} {heard['X-Key']}".encode()))

    with (
        unruly(parrot) as server,
        Jaeger(Access(server.url, {"Authorization": "Bearer s3cret", "X-Key": "k3y-k3y"})) as jaeger,
        pytest.raises(SourceFailed, match="401 Unauthorized to GET /api/v3/services: no: … …"),
    ):
        jaeger.services()


def test_a_header_that_cannot_be_sent_is_a_usage_error_that_keeps_its_value() -> None:
    with Jaeger(Access("http://127.0.0.1:1", {"Authorization": "s3cret\nX: y"})) as jaeger:
        with pytest.raises(UsageError, match="header") as caught:
            jaeger.services()
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("http://localhost:16686", "http://localhost:16686"),
        ("http://localhost:16686/", "http://localhost:16686"),
        ("http://localhost:16686/jaeger", "http://localhost:16686/jaeger"),
        (" https://Tracing.Example.com/a/b/ ", "https://tracing.example.com/a/b"),
        ("http://localhost:16686/jaeger/search", "http://localhost:16686/jaeger"),
        ("http://localhost:16686/search?end=1&service=x&lookback=1h", "http://localhost:16686"),
        ("http://h/jaeger/trace/2a4de32b04ac730de49da80acf96c258", "http://h/jaeger"),
        ("http://h/jaeger/trace/2a4de32b04ac730d...e49da80acf96c258?cohort=1", "http://h/jaeger"),
        ("http://h/jaeger/dependencies#x", "http://h/jaeger"),
        ("http://h/jaeger/monitor", "http://h/jaeger"),
        ("http://h/jaeger/api/traces/2a4d", "http://h/jaeger"),
        ("http://h/api/v3/services", "http://h"),
        ("http://h/api/jaeger", "http://h/api/jaeger"),
        ("http://h/research", "http://h/research"),
        ("http://user:pass@[::1]:16686/jaeger", "http://[::1]:16686/jaeger"),
    ],
)
def test_what_people_paste_is_cut_to_the_base_url(text: str, base: str) -> None:
    assert split_url(text)[0] == base


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:16686",
        "//localhost",
        "ftp://h",
        "http://",
        "http:///jaeger",
        "http://h:port",
        "http://h:99999",
        "http://[::1",
        "http://a b/",
        "user:s3cret@h:16686",
        "http://user:s3cret@h:x?token=s3cret",
        "http://user:s3/cret@h:x",
        "http://h/\ud800",
    ],
)
def test_a_url_that_is_none_is_a_usage_error_without_its_secrets(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Jaeger(Access(text))
    assert "s3cret" not in str(caught.value)
    assert "http://localhost:16686/jaeger" in caught.value.remedy


def test_what_latin_letters_cannot_say_is_sent_or_refused_but_no_traceback() -> None:
    with unruly(good) as server:
        with Jaeger(Access(server.url.replace("//", "//%D0%B6:s3cret@"))) as jaeger:
            assert jaeger.services() == RECORDING.services()
            assert len(jaeger.page(Search("half a \ud800 pair", *WINDOW), 10).spans) == 0
        assert server.headers[0]["Authorization"] == "Basic 0LY6czNjcmV0"
        with Jaeger(Access(server.url, {"X": "ж"})) as jaeger, pytest.raises(UsageError, match="header"):
            jaeger.services()


@pytest.mark.parametrize("host", ["http://" + "a" * 70 + ".example", "http://*.example", "http://a..b"])
def test_a_host_that_cannot_be_one_is_no_traceback(host: str) -> None:
    with pytest.raises(TracevizError):
        ask(host)


def test_every_note_of_a_jaeger_is_explained() -> None:
    codes = (LIMIT_HIT, LIMIT_LOWERED, STAYED_FULL, NOT_AS_ASKED, ANSWER_CUT_OFF, FAILED, GAVE_UP, LOST, FORGOTTEN)
    for code in (*codes, INTERRUPTED, COPIES_DIFFERED, COMPLETED, NOT_COMPLETED):
        assert "What to do:" in catalogue()[code].explanation
