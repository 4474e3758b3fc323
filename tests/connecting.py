"""Asks one server over a Connection, with nothing of the machine's own settings."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tests.unruly import Unruly
from traceviz.asking.access import Access
from traceviz.asking.connection import Connection
from traceviz.asking.refusals import Answer as ReadAnswer

ROUTE = "/api/v3/services"
PLAIN = "text/plain; charset=utf-8"


@pytest.fixture
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NETRC", os.devnull)


def answer_of(connection: Connection, path: str = ROUTE) -> ReadAnswer:
    with connection.get(path) as reply:
        return reply.answer()


def asked(access: Access) -> ReadAnswer:
    with Connection(access) as connection:
        return answer_of(connection)


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def authorizations(server: Unruly) -> list[str | None]:
    sent = [{name.lower(): value for name, value in headers.items()} for headers in server.headers]
    return [headers.get("authorization") for headers in sent]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"
