"""What a Jaeger, or what stands before it, does wrong: what is said, what is kept, how the run ends."""

from __future__ import annotations

import base64
import gzip
import json
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.commands import Ended, called, ended, started
from tests.schemas import faults
from tests.unruly import (
    GOOD,
    HTML,
    NOT_FOUND,
    WINDOW,
    Behaviour,
    Exchange,
    always,
    at_first,
    cut,
    cut_in_the_middle,
    every_third,
    for_limits_above,
    for_searches,
    for_windows_around,
    good,
    late,
    length_wrong_by,
    refusing_url,
    rewritten,
    searched,
    silent,
    slams,
    stalls,
    unruly,
    v3_only,
    wants,
    without,
)
from traceviz.demo.answers import Answer
from traceviz.when import rfc3339_nano

PLAIN = "text/plain; charset=utf-8"
THEN = WINDOW[0] + (WINDOW[1] - WINDOW[0]) * 2 // 5
BROKEN = always(Answer(500, PLAIN, b'{"error":{"httpCode":500,"message":"all shards failed"}}'))
BUSY = always(Answer(429, PLAIN, b"slow down"), {"Retry-After": "1"})
TOKEN = "Bearer t0ken"
PACKED = {"Content-Encoding": "gzip"}
TO_LOGIN = {"Location": "https://login.example.com/oauth2/start"}
MOVED = always(Answer(301, "text/html", b""), TO_LOGIN)
NO_TENANT = Answer(401, PLAIN, b"missing tenant header")
TOO_DEEP = Answer(500, PLAIN, b'{"error":{"message":"search depth must be less than max traces"}}')
NOTHING = always(Answer(404, PLAIN, b'{"error":{"httpCode":404,"message":"No traces found"}}'))
NO_TOKEN = Answer(401, PLAIN, b"Jwt is missing")


def unpadded(body: bytes) -> bytes:
    """Trace ids of 64 bits, without their leading zeros."""
    return re.sub(rb'"traceID":"[0-9a-f]{16}0*([0-9a-f]+)"', rb'"traceID":"\1"', body)


def in_base64(body: bytes) -> bytes:
    """Ids as protobuf's JSON has them."""

    def encoded(found: re.Match[bytes]) -> bytes:
        return b'"%s":"%s"' % (found[1], base64.b64encode(bytes.fromhex(found[2].decode())))

    return re.sub(rb'"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"', encoded, body)


def twice(body: bytes) -> bytes:
    """Every trace twice, the oldest first, every span list the other way round."""
    document = json.loads(body)
    for trace in document["data"]:
        trace["spans"].reverse()
    document["data"] = document["data"][::-1] * 2
    return json.dumps(document).encode()


def every_trace(exchange: Exchange) -> None:
    """The traces of the window, whatever the limit."""
    exchange.send(GOOD.of(re.sub("num_traces=[0-9]+", "num_traces=1000", exchange.path)))


def comes_back(dead: Behaviour, holding: Behaviour) -> Behaviour:
    """Takes no limit above 20, answers ten requests for traces, is then dead for one, and comes back holding this."""
    answered = 0
    counting = threading.Lock()

    def behave(exchange: Exchange) -> None:
        nonlocal answered
        if "traces?" in exchange.path and searched(exchange.path)[2] > 20:
            exchange.send(TOO_DEEP)
            return
        with counting:
            answered += "traces" in exchange.path
            number = answered
        (good if number <= 10 else dead if number == 11 else holding)(exchange)

    return behave


#: The options of a row, where it has any; TOKEN stands for a file with the token, LIGHT for pages of at most 200 kB.
ASKED_WITH = {
    "delays over the time-out": "--timeout 100ms",
    "is too slow for many traces": "--timeout 500ms",
    "stalls in long bodies": "--timeout 500ms",
    "has pages that are too heavy": "LIGHT",
    "leaves zeros out of ids": "--api v1",
    "gives traces twice and backwards": "--api v1",
    "knows v3 only, asked for v1": "--api v1",
    "wants a tenant and gets it": "--tenant acme",
    "wants a tenant by another name": "--tenant acme",
    "wants a token and gets it": "--bearer-token-file TOKEN",
    "looks at no limit": "--limit 7",
    "dies and comes back as it was": "--parallel 1",
    "dies and comes back empty": "--parallel 1",
}

_every, _less, _some, _most, _nearly = 100, range(5, 95), range(40, 100), range(90, 100), range(90, 101)

#: What it does ▸ how, the exit code, a part of what is said (the only note's code, or of the message), how many of the
#: 100 traces are kept, the share of the window that is said to be seen whole.
# fmt: off
TABLE: dict[str, tuple[Behaviour, int, str, int | range, float]] = {
    "behaves":                          (good,                                      0, "",                  _every, 1),
    "delays a little":                  (late(0.1),                                 0, "",                  _every, 1),
    "delays over the time-out":         (for_searches(silent),                     69, "gave no answer within",  0, 0),
    "is too slow for many traces":      (for_limits_above(100, silent),             0, "",                  _every, 1),
    "slams the door once":              (at_first(slams),                           0, "connection-lost",   _every, 1),
    "cuts long bodies":                 (for_searches(cut(200_000)),                0, "",                  _every, 1),
    "cuts every body":                  (for_searches(cut_in_the_middle),           0, "answer-cut-off",     _some, 0),
    "cuts every body early":            (for_searches(cut(300)),                   69, "before a whole trace",   0, 0),
    "stalls in long bodies":            (for_searches(stalls(200_000)),             0, "",                  _every, 1),
    "fails every third time":           (for_searches(every_third(BROKEN)),         0, "",                  _every, 1),
    "fails for many traces":            (for_limits_above(100, BROKEN),             0, "",                  _every, 1),
    "fails for one window":             (for_windows_around(THEN, BROKEN),          0, "searches-failed",   _most, .98),
    "fails at all searches":            (for_searches(BROKEN),                     69, "all shards failed",      0, 0),
    "fails at everything":              (BROKEN,                                   69, "all shards failed",      0, 0),
    "has pages that are too heavy":     (good,                                      0, "",                  _every, 1),
    "says a page of HTML":              (always(HTML),                             69, "HTML page",              0, 0),
    "says HTML to searches":            (for_searches(always(HTML)),               69, "HTML page",              0, 0),
    "says a length too long":           (for_searches(length_wrong_by(+50)),        0, "answer-cut-off",    _nearly, 0),
    "says a length too short":          (for_searches(length_wrong_by(-50)),        0, "answer-cut-off",     _most, 0),
    "packs bodies":                     (rewritten(gzip.compress, PACKED),          0, "",                  _every, 1),
    "packs bodies and does not say so": (for_searches(rewritten(gzip.compress)),    0, "",                  _every, 1),
    "sends on to a login":              (always(Answer(302, "", b""), TO_LOGIN),   69, "which is a login",       0, 0),
    "sends searches on for good":       (for_searches(MOVED),                      69, "which is a login",       0, 0),
    "leaves zeros out of ids":          (rewritten(unpadded),                       0, "",                  _every, 1),
    "has ids in base64":                (for_searches(rewritten(in_base64)),        0, "",                  _every, 1),
    "gives traces twice and backwards": (for_searches(rewritten(twice)),            0, "duplicate-spans",   _every, 1),
    "knows v3 only":                    (v3_only,                                   0, "",                  _every, 1),
    "knows v1 only":                    (without("/api/v3/", NOT_FOUND),            0, "",                  _every, 1),
    "knows v3 only, asked for v1":      (v3_only,                                  69, "--api v3",               0, 0),
    "wants a tenant":                   (wants("x-tenant", "acme", NO_TENANT),     69, "--tenant NAME",          0, 0),
    "wants a tenant and gets it":       (wants("x-tenant", "acme", NO_TENANT),      0, "",                  _every, 1),
    "wants a tenant by another name":   (wants("x-org", "acme", NO_TENANT),        69, "--tenant-header",        0, 0),
    "wants a token":                    (wants("Authorization", TOKEN, NO_TOKEN),  69, "--bearer-token-file",    0, 0),
    "wants a token and gets it":        (wants("Authorization", TOKEN, NO_TOKEN),   0, "",                  _every, 1),
    "asks for patience":                (for_searches(at_first(BUSY)),              0, "",                  _every, 1),
    "looks at no limit":                (for_searches(every_trace),                 0, "limit-hit",             7, .07),
    "dies and comes back as it was":    (comes_back(slams, good),                   0, "connection-lost",   _every, 1),
    "dies and comes back empty":        (comes_back(slams, NOTHING),                0, "traces-forgotten",  _less, .55),
}
# fmt: on


@pytest.mark.parametrize("name", TABLE)
def test_a_jaeger_that(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behave, code, said, kept, share = TABLE[name]
    options = ASKED_WITH.get(name, "")
    if options == "LIGHT":
        monkeypatch.setattr("traceviz.asking.query._HEAVY", 200_000)
        options = ""
    token = tmp_path / "token"
    token.write_text(TOKEN.removeprefix("Bearer "))
    given = [str(token) if option == "TOKEN" else option for option in options.split()]
    window = ("--from", rfc3339_nano(WINDOW[0]), "--to", rfc3339_nano(WINDOW[1]))
    with unruly(behave) as server:
        run = called("graph", "--url", server.url, "--service", "istio-ingress", *window, *given, "-o", "json")
    assert run.code == code, run.err
    assert "t0ken" not in run.text + run.err
    if code:
        assert said in run.err
        assert run.text == ""
        return
    document = run.json()
    assert document["counts"]["traces"] in (kept if isinstance(kept, range) else (kept,))
    codes = [note["code"] for note in document["notes"]]
    assert said in codes if said else codes == []
    assert document["seen"]["share"] == pytest.approx(share, abs=0.005)


def falls_silent(after: int) -> tuple[Behaviour, threading.Event]:
    """Takes no limit above 20, and gives no more answers after so many; and whether that has come."""
    fell = threading.Event()
    answered = 0
    counting = threading.Lock()

    def behave(exchange: Exchange) -> None:
        nonlocal answered
        if "traces?" in exchange.path and searched(exchange.path)[2] > 20:
            exchange.send(TOO_DEEP)
            return
        with counting:
            answered += 1
            is_silent = answered > after
        if is_silent:
            fell.set()
        (silent if is_silent else good)(exchange)

    return behave, fell


def interrupted(times: int) -> tuple[Ended, float]:
    """The end of a run that gets so many Ctrl-C while it waits for a server that has fallen silent, and the seconds
    that this took."""
    behave, fell = falls_silent(14)
    window = ("--from", rfc3339_nano(WINDOW[0]), "--to", rfc3339_nano(WINDOW[1]))
    with unruly(behave) as server:
        process = started("graph", "--url", server.url, "--service", "istio-ingress", *window, "-o", "json")
        assert fell.wait(20)
        time.sleep(0.5)  # for it to use what had come
        began = time.monotonic()
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        return ended(process), time.monotonic() - began


def test_ctrl_c_keeps_what_has_come() -> None:
    run, seconds = interrupted(1)
    assert run.code == 130
    document = json.loads(run.out)
    assert faults(document) == []
    assert 0 < document["counts"]["traces"] < 100
    assert 0 < document["seen"]["share"] < 1
    assert "interrupted" in [note["code"] for note in document["notes"]]
    assert seconds < 5


def test_a_second_ctrl_c_ends_at_once() -> None:
    run, seconds = interrupted(2)
    assert run.code == 130
    assert seconds < 5


def test_what_always_fails_is_not_asked_for_ever() -> None:
    for behave in (BROKEN, silent):
        with unruly(for_searches(behave)) as server:
            run = called("graph", "--url", server.url, "--timeout", "50ms", "--since", "6h", env={"TRACEVIZ_API": "v3"})
        assert run.code == 69
        assert len(server.asked) < 100


def test_a_jaeger_that_is_not_there() -> None:
    run = called("graph", "--url", refusing_url(), "-o", "json")
    assert run.code == 69
    assert run.text == ""
    assert "nothing listens" in run.err
