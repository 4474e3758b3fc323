"""As whom a Jaeger is asked: what excludes what, options, and that secrets appear nowhere."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from tests.commands import called, installed, started
from tests.unruly import WINDOW, Behaviour, Exchange, cut, for_searches, good, refusing_url, silent, unruly
from traceviz.asking.access import Access
from traceviz.demo.answers import Answer
from traceviz.errors import UsageError

PLAIN = "text/plain; charset=utf-8"
ASKED = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1] + 1))

#: what is given ▸ what is said
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"bearer_token_file": Path("t"), "basic_auth_file": Path("b")}, "--bearer-token-file and --basic-auth-file"),
    ({"bearer_token_file": Path("t"), "headers": {"authorization": "x"}}, "--bearer-token-file and the Authorization"),
    ({"basic_auth_file": Path("b"), "url": "http://u:p@h"}, "--basic-auth-file and user and password of the URL"),
    ({"headers": {"Authorization": "x"}, "url": "http://u:p@h"}, "the Authorization of -H and user"),
    ({"tenant": "a", "headers": {"X-Tenant": "b"}}, "the header x-tenant is given by --tenant and by -H"),
    ({"tenant": "a", "tenant_header": "X-Org", "headers": {"x-org": "b"}}, "the header X-Org is given"),
    ({"key": Path("k")}, "--key is given without --cert"),
    ({"ca_cert": Path("c"), "insecure": True}, "--ca-cert and --insecure exclude each other"),
    ({"timeout_s": 0.0}, "--timeout 0"),
    ({"parallel": 0}, "--parallel 0"),
]


@pytest.mark.parametrize(("given", "said"), CONTRADICTIONS)
def test_what_contradicts_itself_is_a_usage_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Access(**given)
    assert caught.value.remedy


def test_what_an_access_shows_of_itself_holds_no_secret() -> None:
    shown = repr(Access("http://me:s3cret@h", {"X-Key": "s3cret"}))
    assert "s3cret" not in shown


def test_every_option_reaches_the_server(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token")
    with unruly(good) as server:
        options = ("--bearer-token-file", str(tmp_path / "token"), "--tenant", "acme", "--tenant-header", "X-Org")
        run = called("graph", "--url", server.url, *ASKED, *options, "-H", "X-A:1", "--header", "X-B:  two words ")
        assert run.code == 0
        sent = server.headers[0]
    assert (sent["Authorization"], sent["X-Org"]) == ("Bearer the-token", "acme")
    assert (sent["X-A"], sent["X-B"]) == ("1", "two words")


@pytest.mark.parametrize("header", ["s3cret", "Authorization:", "Authorization", ": s3cret", "a b: s3cret", ""])
def test_a_header_that_is_none_is_not_repeated(header: str) -> None:
    run = called("graph", "-H", header, "--url", "http://127.0.0.1:1")
    assert run.code == 2
    assert "s3cret" not in run.err
    assert "'name: value', in quotes" in run.err


def test_a_header_whose_value_came_loose_is_told_before_its_pieces_are_taken_for_files() -> None:
    run = called("graph", "-H", "Authorization:", "Bearer", "s3cret")
    assert run.code == 2
    assert "in quotes" in run.err
    assert "s3cret" not in run.err


def test_a_header_given_twice_is_a_usage_error() -> None:
    run = called("graph", "-H", "X-A: s3cret", "-H", "x-a: s3cret")
    assert (run.code, "s3cret" in run.err) == (2, False)
    assert "the header x-a is given twice" in run.err


def test_a_header_with_a_line_break_is_a_usage_error() -> None:
    run = called("graph", "-H", "X-A: s3cret\nX-B: s3cret", "--url", refusing_url())
    assert (run.code, "s3cret" in run.err) == (2, False)


def test_the_tilde_of_a_files_name_is_the_home(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token")
    with unruly(good) as server:
        run = called("graph", "--bearer-token-file=~/token", "--url", server.url, *ASKED, env={"HOME": str(tmp_path)})
        assert run.code == 0
        assert server.headers[0]["Authorization"] == "Bearer the-token"


# Secrets appear nowhere


SECRET = "s3cret/Pässwörd+1"
PLAIN_SECRET = "s3cret-t0ken.abc+/="
ALL_FORMS = {
    form
    for text in (SECRET, PLAIN_SECRET)
    for form in (text, quote(text), quote(text, safe=""), json.dumps(text)[1:-1])
} | {base64.b64encode(f"me:{SECRET}".encode()).decode(), "s3cret"}


def repeated(*texts: str) -> list[str]:
    """The secrets that stand in these texts."""
    return [secret for secret in ALL_FORMS for text in texts if secret in text]


def heard(exchange: Exchange) -> str:
    """Everything that a request brought, as a server may repeat it."""
    headers = exchange.handler.headers
    text = "\n".join(f"{name}: {value}" for name, value in headers.items())
    kind, _, value = headers.get("Authorization", "").partition(" ")
    login = base64.b64decode(value).decode() if kind == "Basic" else value
    return f"{text}\n{login}\n{quote(login)}\n{login.partition(':')[2]}"


def parrot(status: int, page: str = "{}", **headers: str) -> Behaviour:
    """Answers everything with what it heard, in a page and in headers."""

    def behave(exchange: Exchange) -> None:
        said = heard(exchange)
        named = {name.replace("_", "-"): value.format(quote(said, safe="")) for name, value in headers.items()}
        exchange.send(Answer(status, PLAIN, page.replace("{}", said).encode()), named)

    return behave


def json_parrot(exchange: Exchange) -> None:
    body = {"error": {"httpCode": 500, "message": heard(exchange)}}
    exchange.send(Answer(500, PLAIN, json.dumps(body).encode()))


BEHAVIOURS: dict[str, Behaviour | None] = {
    "answers": good,
    "is not there": None,
    "is silent": silent,
    "breaks off": for_searches(cut(300)),
    "refuses": parrot(401, WWW_Authenticate="Bearer error={}"),
    "forbids": parrot(403),
    "does not know": parrot(404),
    "fails": for_searches(json_parrot),
    "is busy": parrot(503, Retry_After="3600"),
    "sends on": parrot(302, Location="https://sso.example.com/login?next={}"),
    "sends on to a path": parrot(302, Location="/login/{}"),
    "shows a page": parrot(200, "<html><title>Sign in {}</title>"),
    "talks": parrot(200),
    "is no tenant": parrot(401, "unknown tenant {}"),
}

Given = tuple[tuple[str, ...], dict[str, str]]


def by_header(folder: Path, url: str) -> Given:
    return ("--url", url, "-H", f"Authorization: Bearer {PLAIN_SECRET}", "-H", f"X-Key:{PLAIN_SECRET}"), {}


def by_cookie(folder: Path, url: str) -> Given:
    return ("--url", url, "-H", f"Cookie: a=b; session={PLAIN_SECRET}"), {}


def by_variable(folder: Path, url: str) -> Given:
    return ("--url", url), {"TRACEVIZ_HEADERS": f"X-Key: {PLAIN_SECRET}\nAuthorization: Custom {PLAIN_SECRET}\n"}


def by_token_file(folder: Path, url: str) -> Given:
    (folder / "token").write_text(f"{PLAIN_SECRET}\n")
    return ("--url", url, "--bearer-token-file", str(folder / "token")), {}


def by_login_file(folder: Path, url: str) -> Given:
    (folder / "login").write_text(f"me:{SECRET}\n")
    return ("--basic-auth-file", str(folder / "login")), {"TRACEVIZ_URL": url}


def by_url(folder: Path, url: str) -> Given:
    return ("--url", url.replace("//", f"//me:{quote(SECRET, safe='')}@")), {}


def by_target(folder: Path, url: str) -> Given:
    return (url.replace("//", f"//me:{quote(SECRET, safe='')}@"),), {}


def by_netrc(folder: Path, url: str) -> Given:
    (folder / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (folder / "netrc").chmod(0o600)
    return ("--url", url), {"NETRC": str(folder / "netrc")}


def by_context(folder: Path, url: str) -> Given:
    text = f"""
    [contexts.x]
    url = "{url}"
    headers = {{ X-Key = "{PLAIN_SECRET}", Authorization = "Bearer {PLAIN_SECRET}" }}
    """
    (folder / "config.toml").write_text(text)
    return ("--context", "x"), {"TRACEVIZ_CONFIG": str(folder / "config.toml")}


def by_client_key(folder: Path, url: str) -> Given:
    (folder / "key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{PLAIN_SECRET}\n-----END PRIVATE KEY-----\n")
    trustme.CA().cert_pem.write_to_path(folder / "cert.pem")
    return ("--url", url, "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")), {}


def by_mistake(folder: Path, url: str) -> Given:
    return ("--url", url, "--bearer-token-file", f"eyJ.{PLAIN_SECRET}"), {}


WAYS: list[Callable[[Path, str], Given]] = [
    *(by_header, by_cookie, by_variable, by_token_file, by_login_file, by_url, by_target, by_netrc, by_context),
    *(by_client_key, by_mistake),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_secrets_appear_in_no_output_and_no_file(
    tmp_path: Path, behaviour: str, way: Callable[[Path, str], Given]
) -> None:
    behave = BEHAVIOURS[behaviour]
    written = tmp_path / "product.json"
    with unruly(behave or good) as server:
        arguments, env = way(tmp_path, server.url if behave else refusing_url())
        run = called("graph", *arguments, *ASKED, "-vv", "--timeout", "200ms", "-O", str(written), env=env)
    assert "GET http" in run.err or run.code == 2
    assert repeated(run.err, run.text, written.read_text() if run.code == 0 else "") == []


@pytest.mark.parametrize("way", WAYS)
def test_what_is_in_force_is_shown_without_secrets(tmp_path: Path, way: Callable[[Path, str], Given]) -> None:
    arguments, env = way(tmp_path, "http://127.0.0.1:1")
    run = called("config", "show", *arguments, env=env)
    assert "bearer-token-file" in run.text
    assert repeated(run.err, run.text) == []


def test_secrets_are_sent_in_these_ways_at_all(tmp_path: Path) -> None:
    """Without this the test above could hold for lack of secrets."""
    for way in WAYS[:-2]:
        with unruly(good) as server:
            arguments, env = way(tmp_path, server.url)
            assert called("graph", *arguments, *ASKED, env=env).code == 0
            sent = json.dumps(server.headers[0])
        assert any(secret in sent for secret in ALL_FORMS), way.__name__


def test_a_proxys_password_is_not_shown() -> None:
    proxy = refusing_url().replace("//", f"//me:{quote(SECRET, safe='')}@")
    env = {"HTTP_PROXY": proxy, "NO_PROXY": ""}
    for run in (
        called("graph", "-vv", "--url", "http://jaeger.example", env=env),
        called("config", "--url", "http://jaeger.example", env=env),
    ):
        assert repeated(run.err, run.text) == []


def test_the_list_of_processes_shows_no_secret_that_came_by_file_or_variable(tmp_path: Path) -> None:
    with unruly(silent) as server:
        arguments, env = by_token_file(tmp_path, server.url)
        more = {"TRACEVIZ_HEADERS": f"X-Key: {PLAIN_SECRET}"}
        process = started("graph", *arguments, "--timeout", "3s", env={**env, **more})
        while not server.asked:
            assert process.poll() is None
        command_line = subprocess.check_output(["ps", "-o", "args=", "-p", str(process.pid)], text=True)
        process.terminate()
        process.communicate()
    assert "graph" in command_line
    assert "s3cret" not in command_line


# -v


def test_each_v_says_more_and_none_says_nothing() -> None:
    with unruly(good) as server:
        quiet, once, twice = (called("graph", "--url", server.url, *ASKED, *flags) for flags in ((), ("-v",), ("-vv",)))
    assert quiet.err == once.err
    assert twice.err.count("GET http") == len(server.asked) / 3
    assert all("traceviz: GET " in line for line in twice.err.splitlines() if "GET" in line)
    assert quiet.out == twice.out
    again = called("graph", "--url", refusing_url(), *ASKED)
    assert "GET" not in again.err


def test_insecure_is_said_on_stderr_once_without_noise(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere").configure_cert(context)
    with unruly(good, tls=context) as server:
        run = installed("graph", "--url", server.url, *ASKED, "--insecure", "-q")
    assert run.code == 0
    assert run.err == f"traceviz: --insecure: nothing proves that {server.url} is who it says it is\n"
