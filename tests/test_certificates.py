"""TLS: whom to trust, who one is, and what is said where that does not fit."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.connecting import PLAIN, answer_of, asked
from tests.connecting import nothing_from_outside as nothing_from_outside
from tests.unruly import Behaviour, Unruly, always, good, unruly
from traceviz.asking.access import Access
from traceviz.asking.connection import Connection
from traceviz.asking.refusals import status_failure
from traceviz.demo.answers import Answer
from traceviz.errors import SourceFailed, UsageError

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def pem(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem; client.pem, client.key, both.pem, locked.key; other.key; other-ca.pem."""
    folder = tmp_path_factory.mktemp("pem")
    client, other = authority.issue_cert("client@example.com"), authority.issue_cert("other@example.com")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    other.private_key_pem.write_to_path(folder / "other.key")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    )
    (folder / "locked.key").write_bytes(encrypted)
    return folder


@contextlib.contextmanager
def tls(
    authority: trustme.CA, behave: Behaviour = good, name: str = "127.0.0.1", client: bool = False
) -> Iterator[Unruly]:
    """A server with a certificate of the authority for a name; with `client` it wants one of that authority too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    with unruly(behave, tls=context) as server:
        yield server


def test_a_server_is_trusted_through_the_authority_named(authority: trustme.CA, pem: Path) -> None:
    with tls(authority) as server:
        assert asked(Access(server.url, ca_cert=pem / "ca.pem")).status == 200


def test_an_unknown_authority_is_a_failure_that_names_the_option(authority: trustme.CA, pem: Path) -> None:
    with tls(authority) as server:
        for access in (Access(server.url), Access(server.url, ca_cert=pem / "other-ca.pem")):
            with pytest.raises(SourceFailed, match=f"the certificate of {server.url} is not trusted") as caught:
                asked(access)
            assert "--ca-cert FILE" in caught.value.remedy
    assert server.asked == []


def test_a_certificate_of_another_name_is_told_as_such(authority: trustme.CA, pem: Path) -> None:
    with (
        tls(authority, name="jaeger.example.com") as server,
        pytest.raises(SourceFailed, match="is not trusted") as caught,
    ):
        asked(Access(server.url, ca_cert=pem / "ca.pem"))
    assert "host name that stands in the certificate" in caught.value.remedy


def test_insecure_looks_at_nothing_and_says_so_once(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    with (
        tls(authority, name="jaeger.example.com") as server,
        warnings.catch_warnings(record=True) as warned,
        Connection(Access(server.url, insecure=True)) as connection,
    ):
        assert [answer_of(connection).status for _ in range(3)] == [200] * 3
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"--insecure: nothing proves that {server.url} is who it says it is"
    ]
    assert warned == []


def test_the_authority_named_goes_before_the_one_of_the_environment(
    authority: trustme.CA, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls(authority) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem / "ca.pem"))
        assert asked(Access(server.url)).status == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem / "other-ca.pem"))
        assert asked(Access(server.url, ca_cert=pem / "ca.pem")).status == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem / "nothing.pem"))
        assert asked(Access(server.url, ca_cert=pem / "ca.pem")).status == 200
        with pytest.raises(UsageError, match=r"nothing\.pem") as caught:
            asked(Access(server.url))
        assert "REQUESTS_CA_BUNDLE" in caught.value.remedy


@pytest.mark.parametrize("parts", [("client.pem", "client.key"), ("both.pem", None)])
def test_a_client_certificate_is_shown(authority: trustme.CA, pem: Path, parts: tuple[str, str | None]) -> None:
    cert, key = pem / parts[0], parts[1] and pem / parts[1]
    with tls(authority, client=True) as server:
        assert asked(Access(server.url, ca_cert=pem / "ca.pem", cert=cert, key=key or None)).status == 200


def test_a_server_that_wants_a_client_certificate_says_so(authority: trustme.CA, pem: Path) -> None:
    with (
        tls(authority, client=True) as server,
        pytest.raises(SourceFailed, match=r"the (TLS )?connection") as caught,
    ):
        asked(Access(server.url, ca_cert=pem / "ca.pem"))
    assert "--cert FILE --key FILE" in caught.value.remedy


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca_cert": "nothing.pem"}, "cannot read the file of --ca-cert"),
        ({"ca_cert": "client.key"}, "holds no certificate in PEM"),
        ({"cert": "nothing.pem"}, "cannot read the file of --cert"),
        ({"cert": "client.pem", "key": "nothing.key"}, "cannot read the file of --key"),
        ({"cert": "client.pem"}, "--key FILE"),
        ({"cert": "client.pem", "key": "other.key"}, "they do not belong together"),
        ({"cert": "client.pem", "key": "ca.pem"}, "PEM was expected"),
        ({"cert": "client.pem", "key": "locked.key"}, "is encrypted"),
    ],
)
def test_certificates_are_looked_at_before_anything_is_asked(pem: Path, files: dict[str, str], said: str) -> None:
    paths: dict[str, Any] = {option: pem / name for option, name in files.items()}
    with pytest.raises(UsageError, match=said):
        Connection(Access("https://127.0.0.1:1", **paths))


def test_plain_http_to_a_port_of_tls_says_what_to_try(authority: trustme.CA) -> None:
    with tls(authority) as server, pytest.raises(SourceFailed, match="broke the connection") as caught:
        asked(Access(server.url.replace("https", "http")))
    assert "http or https" in caught.value.remedy
    with unruly(always(Answer(400, PLAIN, b"Client sent an HTTP request to an HTTPS server.\n"))) as server:
        failure = status_failure(asked(Access(server.url)))
    assert failure.remedy == f"It speaks TLS: --url {server.url.replace('http', 'https')}"
