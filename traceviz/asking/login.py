"""Logins that stand before a Jaeger: redirects to them, their pages, and refusals that ask for one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SEEN = 200_000

#: Parts of a path that lead to a login: oauth2-proxy, Dex, Keycloak, OpenShift, ADFS, CAS, SAML, home-made ones.
_LOGIN_PATH = re.compile(
    r"/(?:log[-_]?[io]n|sign[-_]?[io]n|oauth\d?|auth|authn|authorize|authenticate|authentication|dex|saml\d?|sso|oidc"
    r"|openid(?:-connect)?|adfs|cas|idp|realms|users/sign_in|session/new)(?:[./_]|$)",
    re.IGNORECASE,
)
_LOGIN_HOST = re.compile(
    r"^(?:accounts\.google\.com|login\.microsoftonline\.com|(?:.+\.)?(?:okta|auth0|onelogin|pingidentity)\.com"
    r"|(?:login|signin|sso|auth|oauth|idp|dex|keycloak|oauth-openshift)[.-].+)$",
    re.IGNORECASE,
)
_LOGIN_QUERY = re.compile(r"(?:^|&)(?:SAMLRequest|client_id|response_type|redirect_uri)=", re.IGNORECASE)

_PASSWORD = re.compile(rb"<input\b[^>]{0,500}\btype\s*=\s*[\"']?password", re.IGNORECASE)
_SAML = re.compile(rb"<input\b[^>]{0,500}\bname\s*=\s*[\"']?SAML(?:Request|Response)", re.IGNORECASE)
_TARGETS = re.compile(
    rb"<form\b[^>]{0,1000}?\baction\s*=\s*[\"']?([^\"'\s>]{1,2000})"
    rb"|<meta\b[^>]{0,200}?http-equiv\s*=\s*[\"']?refresh[^>]{0,200}?url\s*=\s*[\"']?([^\"'\s>]{1,2000})"
    rb"|\blocation(?:\.href)?\s*(?:=|\.(?:replace|assign)\()\s*[\"']([^\"']{1,2000})",
    re.IGNORECASE,
)
_TITLE = re.compile(
    rb"<title[^>]{0,200}>[^<]{0,200}?\b(?:log[ -]?in|log[ -]?on|sign[ -]?in|sign[ -]?on|authenticat\w+"
    rb"|authorization required|anmelden|anmeldung)\b",
    re.IGNORECASE,
)
#: Jaeger's own page: what it answers to a route that it does not know.
_JAEGERS_PAGE = re.compile(rb"jaeger-ui-root|<title>\s*Jaeger\b|JAEGER_CONFIG", re.IGNORECASE)


def leads_to_login(location: str, asked: str) -> bool:
    """Whether a redirect away from the URL `asked` goes to a login, and not to the same place under another name."""
    try:
        there, here = urlsplit(location), urlsplit(asked)
        host = there.hostname or ""
    except ValueError:
        return False
    if here.path and there.path.rstrip("/").endswith(here.path.rstrip("/")):
        return False  # http to https, or a slash more
    elsewhere = host not in ("", here.hostname)
    return bool(
        _LOGIN_PATH.search(there.path) or _LOGIN_QUERY.search(there.query) or (elsewhere and _LOGIN_HOST.match(host))
    )


def is_login_page(body: bytes) -> bool:
    """Whether an HTML page asks for a user and a password, or sends a browser on to one that does."""
    page = body[:_SEEN]
    if _JAEGERS_PAGE.search(page):
        return False
    if _PASSWORD.search(page) or _SAML.search(page) or _TITLE.search(page):
        return True
    targets = (next(filter(None, groups)).decode("utf-8", "replace") for groups in _TARGETS.findall(page))
    return any(leads_to_login(target.replace("&amp;", "&"), "") for target in targets)
