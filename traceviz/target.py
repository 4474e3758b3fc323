"""A target ▸ whole traces, selected: a Jaeger, or files, globs and standard input, with the same options.

with open_target(["dump.json.gz"], Wanted(service="istio-ingress")) as traces:
    for spans in traces.batches(): ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

from traceviz.asking.access import DEFAULT_URL, Access
from traceviz.asking.oversight import Oversight
from traceviz.asking.refusals import without_secrets
from traceviz.errors import UsageError
from traceviz.live import open_jaeger
from traceviz.stored import open_files
from traceviz.traces import Traces
from traceviz.wanted import Wanted


@contextmanager
def open_target(
    targets: Sequence[str],
    wanted: Wanted,
    access: Access | None = None,
    stdin: BinaryIO | None = None,
    oversight: Oversight | None = None,
) -> Iterator[Traces]:
    """Open files, or the Jaeger at a URL where none are named. Raises a TracevizError where that fails.

    A target that is a URL is a Jaeger as well; `access` names the one to take where nothing else is named, and says
    how to come to it. Where files are read, links lead to its URL if that is not the default.
    """
    access = access or Access()
    jaeger = jaeger_meant(targets, access)
    opened = (
        open_files(targets, wanted, stdin or sys.stdin.buffer, page_beside(access))
        if jaeger is None
        else open_jaeger(jaeger, wanted, oversight or Oversight())
    )
    with opened as traces:
        yield traces


def page_beside(access: Access) -> str | None:
    """Where links of traces in files lead to: the Jaeger of `access`, if that is not the default."""
    return without_secrets(access.url) if access.url != DEFAULT_URL else None


def jaeger_meant(targets: Sequence[str], access: Access) -> Access | None:
    """The Jaeger that targets mean: the one at a URL, that of `access` where there are none, None for files."""
    addresses = [target for target in targets if target.startswith(("http://", "https://"))]
    if addresses and len(targets) > 1:
        raise UsageError(f"{without_secrets(addresses[0])} is a Jaeger and cannot be read together with other targets")
    if targets and not addresses:
        return None
    return replace(access, url=addresses[0]) if addresses else access
