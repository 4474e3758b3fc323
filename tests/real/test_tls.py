"""A real Envoy before a real Jaeger: it speaks TLS, wants a client certificate of its own authority, and lets nobody
pass at its second port who does not bring token and tenant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from tests.commands import Ended, installed
from tests.real import traffic
from tests.real.envoys import RealEnvoy, address
from tests.real.jaegers import RealJaeger
from tests.real.processes import free_port

pytestmark = pytest.mark.real

TRACES = 20
TOKEN = "t0ken-of-the-tests"
_API = "type.googleapis.com/envoy.extensions"
_OPEN: dict[str, str] = {}
_LOGIN = {"authorization": f"Bearer {TOKEN}", "x-tenant": "acme"}


class Guarded(NamedTuple):
    """Where Envoy listens, and a folder with ca.pem, which signed the server's certificate, client.pem and client.key,
    stranger.pem and stranger.key of another authority, other-ca.pem of a third, and token."""

    url: str
    login_url: str
    folder: Path

    def graph(self, url: str, *options: str) -> Ended:
        """Run `graph`; options that name a file name it in the folder."""
        given = [str(self.folder / option) if (self.folder / option).is_file() else option for option in options]
        return installed("graph", "--url", url, "--since", "1h", "-o", "json", *given)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("tls")
    write_certificates(folder)
    (folder / "token").write_text(TOKEN)
    port, login_port = free_port(), free_port()
    with RealJaeger(folder) as jaeger:
        now_ns = time.time_ns()
        traffic.send(jaeger.zipkin_url, traffic.traces(TRACES, now_ns - 60 * 10**9, now_ns))
        listeners = [listener(port, folder, _OPEN), listener(login_port, folder, _LOGIN)]
        config = {"static_resources": {"listeners": listeners, "clusters": [cluster(jaeger.query_port)]}}
        with RealEnvoy(folder, config):
            yield Guarded(f"https://127.0.0.1:{port}", f"https://127.0.0.1:{login_port}", folder)


def write_certificates(folder: Path) -> None:
    authority, strange = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    for name, certificate in {
        "server": authority.issue_cert("127.0.0.1"),
        "client": authority.issue_cert("client@example.com"),
        "stranger": strange.issue_cert("client@example.com"),
    }.items():
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")


def listener(port: int, folder: Path, wanted: Mapping[str, str]) -> dict[str, Any]:
    """TLS with a client certificate; 401 for whoever does not send these headers."""
    headers = [{"name": name, "string_match": {"exact": value}} for name, value in wanted.items()]
    routes = [
        {"match": {"prefix": "/", "headers": headers}, "route": {"cluster": "jaeger", "timeout": "0s"}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 401}},
    ]
    manager = {
        "@type": f"{_API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"at_{port}",
        "route_config": {"virtual_hosts": [{"name": "jaeger", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_API}.filters.http.router.v3.Router"},
            }
        ],
    }
    tls = {
        "@type": f"{_API}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": str(folder / "server.pem")},
                    "private_key": {"filename": str(folder / "server.key")},
                }
            ],
            "validation_context": {"trusted_ca": {"filename": str(folder / "ca.pem")}},
        },
    }
    chain = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    }
    return {"address": address(port), "filter_chains": [chain]}


def cluster(port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": "jaeger",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "jaeger", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


CLIENT = ("--cert", "client.pem", "--key", "client.key")


def test_with_its_authority_and_a_client_certificate_everything_comes(guarded: Guarded) -> None:
    run = guarded.graph(guarded.url, "--ca-cert", "ca.pem", *CLIENT)
    assert run.json()["counts"]["traces"] == TRACES
    assert run.json()["source"] == [guarded.url]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ca-cert", "ca.pem"), "client certificate"),
        (("--ca-cert", "ca.pem", "--cert", "stranger.pem", "--key", "stranger.key"), "client certificate"),
        (("--ca-cert", "other-ca.pem", *CLIENT), "is not trusted"),
        (CLIENT, "is not trusted"),
    ],
    ids=["without a certificate", "with one of an unknown authority", "of another authority", "of no known authority"],
)
def test_what_does_not_fit_is_named(guarded: Guarded, options: tuple[str, ...], said: str) -> None:
    run = guarded.graph(guarded.url, *options)
    assert run.code == 69
    assert said in " ".join(run.err.split())
    assert ("--ca-cert" if said == "is not trusted" else "--cert FILE --key FILE") in " ".join(run.err.split())
    assert run.out == b""


def test_token_and_tenant_pass_through_and_are_asked_for(guarded: Guarded) -> None:
    certified = ("--ca-cert", "ca.pem", *CLIENT)
    login = ("--bearer-token-file", "token", "--tenant", "acme")
    run = guarded.graph(guarded.login_url, *certified, *login)
    assert run.json()["counts"]["traces"] == TRACES
    assert TOKEN not in run.text + run.err

    anonymous = guarded.graph(guarded.login_url, *certified)
    assert anonymous.code == 69
    assert "401 Unauthorized" in anonymous.err
    assert "--bearer-token-file" in anonymous.err

    elsewhere = guarded.graph(guarded.login_url, *certified, "--bearer-token-file", "token", "--tenant", "other")
    assert elsewhere.code == 69
    assert "does not accept" in elsewhere.err
    assert TOKEN not in elsewhere.err
