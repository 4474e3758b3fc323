"""How to reach a Jaeger, and as whom: what the options, variables and contexts say together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from traceviz.errors import UsageError

DEFAULT_URL = "http://localhost:16686"
DEFAULT_TENANT_HEADER = "x-tenant"

#: What the name of a header may be made of.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ONE_LOGIN = "One request has one Authorization: leave all but one of them out"


@dataclass(frozen=True)
class Access:
    """A URL, and what a request to it has to carry. `timeout_s` is the longest silence, in seconds; `parallel` the
    number of requests at a time.

    Secrets stand in files, which are read when a Connection is made; `url` may hold `user:password@`. Raises UsageError
    where two parts exclude each other.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0
    parallel: int = 4
    bearer_token_file: Path | None = None
    basic_auth_file: Path | None = None
    tenant: str | None = None
    tenant_header: str = DEFAULT_TENANT_HEADER
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        for name in ("bearer_token_file", "basic_auth_file", "ca_cert", "cert", "key"):
            if (file := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(file))  # a notebook has names of files as text
        names = {name.lower() for name in self.headers}
        logins = {
            "--bearer-token-file": self.bearer_token_file is not None,
            "--basic-auth-file": self.basic_auth_file is not None,
            "the Authorization of -H": "authorization" in names,
            "user and password of the URL": _names_a_user(self.url),
        }
        given = [login for login, is_given in logins.items() if is_given]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other", _ONE_LOGIN)
        if self.tenant is not None and self.tenant_header.lower() in names:
            raise UsageError(f"the header {self.tenant_header} is given by --tenant and by -H", "Leave one of them out")
        if self.key is not None and self.cert is None:
            raise UsageError("--key is given without --cert", "A private key belongs to a certificate: --cert FILE")
        if self.ca_cert is not None and self.insecure:
            raise UsageError(
                "--ca-cert and --insecure exclude each other", "With --insecure no certificate is looked at"
            )
        if not _TOKEN.fullmatch(self.tenant_header):
            raise UsageError("--tenant-header is no name of a header", "It reads like x-tenant")
        if self.timeout_s <= 0:
            raise UsageError("--timeout 0 would wait for nothing", "Give a duration like 60s")
        if self.parallel < 1:
            raise UsageError(f"--parallel {self.parallel} would ask for nothing", "It has to be at least 1")

    def request_headers(self) -> dict[str, str]:
        """What every request carries besides its Authorization: the headers given, and the tenant."""
        return self.headers | ({} if self.tenant is None else {self.tenant_header: self.tenant})


def _names_a_user(url: str) -> bool:
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:  # no URL at all, which is said when it is asked for
        return False
