"""What stands before a Jaeger and is none: logins in all their forms, and pages and redirects that are no logins."""

from __future__ import annotations

import pytest

from traceviz.asking.login import is_login_page
from traceviz.asking.refusals import Answer, is_login, status_failure

BASE = "https://jaeger.example.com/jaeger"
PATH = "/api/v3/services"
JAEGERS_PAGE = (
    b'<!doctype html><html><head><base href="/jaeger/"><title>Jaeger UI</title><script>const JAEGER_CONFIG = '
    b'{"menu":[{"label":"Log in","url":"/login"}]};</script></head><body><div id="jaeger-ui-root"></div></body></html>'
)


def answer(status: int = 200, body: bytes = b"", location: str = "", challenge: str = "", **more: str) -> Answer:
    return Answer(BASE, PATH, status, location, body, challenge, **more)  # type: ignore[arg-type]


#: where it is sent ▸ whether that is a login
REDIRECTS = {
    "/oauth2/sign_in?rd=%2Fjaeger": True,
    "/oauth2/start?rd=https://jaeger.example.com/": True,
    "https://accounts.google.com/o/oauth2/v2/auth?client_id=1&redirect_uri=x": True,
    "https://login.microsoftonline.com/0/oauth2/v2.0/authorize?client_id=1": True,
    "https://github.com/login/oauth/authorize?client_id=1": True,
    "https://example.okta.com/app/jaeger/sso/saml?SAMLRequest=abc": True,
    "https://keycloak.example.com/realms/ops/protocol/openid-connect/auth?client_id=jaeger": True,
    "https://sso.example.com/": True,
    "https://dex.example.com/auth?client_id=1": True,
    "/dex/auth/ldap?req=1": True,
    "https://oauth-openshift.apps.example.com/oauth/authorize?client_id=system": True,
    "/oauth/start": True,
    "/login": True,
    "/login.html": True,
    "/users/sign_in": True,
    "https://gateway.example.com/adfs/ls/?wa=wsignin1.0": True,
    "https://cas.example.com/cas/login?service=x": True,
    "https://idp.example.com/x?SAMLRequest=abc": True,
    "/auth": True,
    "//login.example.com/": True,
    "": False,
    "https://jaeger.example.com/jaeger/api/v3/services": False,
    "https://auth.example.com/jaeger/api/v3/services/": False,
    "http://jaeger.internal/": False,
    "/jaeger/search": False,
    "/authors": False,
    "/blog/dexterity": False,
    "/logins-of-the-week": False,
    "https://[": False,
}


@pytest.mark.parametrize("location", REDIRECTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_is_a_login_or_not(location: str, status: int) -> None:
    sent_on = answer(status, location=location)
    assert is_login(sent_on) == REDIRECTS[location]
    failure = status_failure(sent_on)
    assert f"sends GET {PATH} on to" in str(failure)
    assert ("which is a login" in str(failure)) == REDIRECTS[location]
    assert ("--bearer-token-file" in failure.remedy) == REDIRECTS[location]
    assert "?" not in str(failure)


#: a page ▸ whether it is a login
PAGES: dict[str, tuple[bytes, bool]] = {
    "oauth2-proxy": (b'<!DOCTYPE html><title>Sign In</title><form method="GET" action="/oauth2/start">', True),
    "Keycloak": (b'<html><title>Sign in to ops</title><form id="kc-form-login"><input type="password">', True),
    "Dex": (b'<html><title>dex</title><a href="/x">Log in with</a><form action="/dex/auth/local">', True),
    "OpenShift": (b"<!DOCTYPE html><html><title>Log In</title><form action='/oauth/start'>", True),
    "Grafana's proxy": (b"<html><body><input name=p type=password></body>", True),
    "SAML": (
        b'<html><body onload="document.forms[0].submit()"><input type="hidden" name="SAMLRequest" value="x">',
        True,
    ),
    "sent on by the page": (b'<html><meta http-equiv="refresh" content="0; url=/oauth2/sign_in"></html>', True),
    "sent on by a script": (b'<html><script>window.location.href = "https://sso.example.com/x"</script>', True),
    "replaced by a script": (b"<html><script>location.replace('/login?next=/')</script>", True),
    "in German": (b"<html><title>Anmeldung</title>", True),
    "Authentication required": (b"<html><head><title>Authentication required</title>", True),
    "Jaeger's own": (JAEGERS_PAGE, False),
    "Jaeger's placeholder": (b"<html><title>Jaeger UI</title><body>Login</body>", False),
    "nginx": (b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>", False),
    "a search form": (b'<html><title>Search</title><form action="/search"><input type="text"></form>', False),
    "a word like it": (b"<html><title>Design inspirations</title>", False),
    "nothing": (b"", False),
    "hostile": (b"<form " * 30_000 + b"<input " * 30_000, False),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_a_login_or_not(name: str) -> None:
    page, expected = PAGES[name]
    assert is_login_page(page) is expected
    if page:
        failure = status_failure(answer(200, page))
        assert "an HTML page" in str(failure)
        assert ("which is a login" in str(failure)) is expected
        assert ("-H 'Cookie: …'" in failure.remedy) is expected
        assert "port-forward svc/tracing" in failure.remedy


#: status, body, WWW-Authenticate ▸ what is said after the status, what is to be done
REFUSALS: list[tuple[int, bytes, str, str, str]] = [
    (401, b"<html><h1>401 Authorization Required</h1>", "", "A login stands before it", "--bearer-token-file"),
    (401, b"", 'Basic realm="x"', "A login stands before it", "-H 'Cookie: …'"),
    (401, b"Unauthorized", "", "Unauthorized", "It wants a login"),
    (401, b"Jwt is missing", "", "Jwt is missing", "--bearer-token-file"),
    (403, b"<html><title>Sign In</title><form action='/oauth2/start'>", "", "A login stands before it", "Cookie"),
    (403, b"RBAC: access denied", "", "RBAC: access denied", "other rights"),
    (401, b"missing tenant header", "", "missing tenant header", "--tenant NAME"),
    (401, b"unknown tenant", "", "unknown tenant", "--tenant NAME"),
    (401, b'{"error":{"httpCode":401,"message":"missing tenant header"}}', "", "missing tenant", "--tenant NAME"),
]


@pytest.mark.parametrize(("status", "body", "challenge", "said", "remedy"), REFUSALS)
def test_a_refusal_says_what_is_wanted(status: int, body: bytes, challenge: str, said: str, remedy: str) -> None:
    failure = status_failure(answer(status, body, challenge=challenge))
    assert said in str(failure)
    assert remedy in failure.remedy


def test_a_tenant_that_is_not_known_is_named_with_its_header() -> None:
    failure = status_failure(answer(401, b"unknown tenant", tenant="x-tenant: acme"))
    assert failure.remedy.startswith("Sent was x-tenant: acme.")
    assert "--tenant-header" in failure.remedy


def test_rights_that_are_too_few_are_told_with_the_login_that_was_sent() -> None:
    failure = status_failure(answer(403, b"forbidden", whose="the user of the URL"))
    assert failure.remedy.startswith("Sent was the user of the URL.")
