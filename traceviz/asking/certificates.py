"""The certificates of an access, as requests takes them, looked at before the first request."""

from __future__ import annotations

import ssl
from pathlib import Path

from traceviz.asking.access import Access
from traceviz.asking.credentials import shown_name
from traceviz.errors import UsageError


def verification(access: Access) -> bool | str | None:
    """What a server's certificate is checked against: False is nothing, None what the environment or requests says.

    Raises UsageError where --ca-cert is no file, or folder, of PEM certificates.
    """
    if access.insecure:
        return False
    if access.ca_cert is None:
        return None
    if not access.ca_cert.is_dir():
        _readable(access.ca_cert, "--ca-cert")
        try:
            ssl.create_default_context().load_verify_locations(access.ca_cert)
        except ssl.SSLError:
            raise UsageError(f"{access.ca_cert} of --ca-cert holds no certificate in PEM") from None
    return str(access.ca_cert)


def client_certificate(access: Access) -> str | tuple[str, str] | None:
    """The certificate to show to a server, with its key where that has a file of its own.

    Raises UsageError where a file cannot be read, the key is encrypted, or the two do not belong together.
    """
    if access.cert is None:
        return None
    key = access.key or access.cert
    _readable(access.cert, "--cert")
    _readable(key, "--key")
    try:
        ssl.create_default_context().load_cert_chain(access.cert, key, _no_passphrase)
    except _Encrypted:
        raise UsageError(
            f"the private key in {key} is encrypted",
            "Decrypt it into a file that only you can read: openssl pkey -in KEY -out PLAIN",
        ) from None
    except ssl.SSLError as error:
        why = "they do not belong together" if "MISMATCH" in (error.reason or "") else "PEM was expected"
        told = "" if access.key else ". Is the private key in a file of its own? --key FILE"
        raise UsageError(f"{access.cert} and {key} are no certificate with its private key: {why}{told}") from None
    return str(access.cert) if access.key is None else (str(access.cert), str(access.key))


class _Encrypted(Exception):
    """OpenSSL asked for a passphrase."""


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, once for every connection.
    raise _Encrypted


def _readable(path: Path, option: str) -> None:
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such file"
        raise UsageError(f"cannot read the file of {option}, {shown_name(path)}: {why}") from None
