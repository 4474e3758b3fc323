"""Make a virtual environment with pip from nothing but Python: `python3 .ci/make_venv.py .venv`.

Debian ships Python without ensurepip, so that `python3 -m venv` alone fails there. Then pip itself is fetched as
one file whose hash is pinned here; that hash vouches for it, also on a machine without certificates.
"""

import configparser
import hashlib
import html
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def main(folder: str) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older Python is told so
        print(f"traceviz needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    try:
        import ensurepip  # noqa: F401 - only to know whether it is there

        venv.create(folder, clear=True, with_pip=True)
    except (ImportError, subprocess.CalledProcessError):
        venv.create(folder, clear=True, with_pip=False)
        install_pip(Path(folder))
    return 0


def install_pip(folder: Path) -> None:
    """Fetch the pinned pip and let it install itself."""
    index = package_index().rstrip("/") + "/pip/"
    page = fetch(index).decode()
    link = re.search(rf'href="([^"]*{re.escape(PIP)}[^"]*)"', page)
    if link is None:
        sys.exit(f"{PIP} is not at {index}: install your system's python3-venv and try again")
    wheel = fetch(urllib.parse.urljoin(index, html.unescape(link[1])))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        sys.exit(f"{PIP} from {index} is not the file that is expected (its hash differs)")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, PIP)
        path.write_bytes(wheel)
        python = folder / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-index", path],
            env={**os.environ, "PYTHONPATH": str(path)},
            check=True,
        )


def package_index() -> str:
    """The index that pip would ask."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    config = configparser.ConfigParser()
    config.read(["/etc/pip.conf", Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"])
    return config.get("global", "index-url", fallback="https://pypi.org/simple")


def fetch(url: str) -> bytes:
    """The bytes at a URL."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.path.isdir(ssl.get_default_verify_paths().openssl_capath):
        context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(url, timeout=60, context=context) as answer:
            return answer.read()
    except OSError as error:
        sys.exit(f"cannot fetch pip from {url}: {error}. Install your system's python3-venv and try again")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 .ci/make_venv.py FOLDER")
    sys.exit(main(sys.argv[1]))
