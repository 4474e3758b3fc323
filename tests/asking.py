"""Asks a server for the traces of the packaged recording's window, as the commands do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unruly import WINDOW, Behaviour, unruly
from traceviz.errors import TracevizError
from traceviz.sources.query import Jaeger, fetch
from traceviz.spans import Spans


def traces_of(parts: Sequence[Spans]) -> list[str]:
    return [trace_id for part in parts for trace_id in part.trace_ids]


def ask(
    url: str, service: str | None = "istio-ingress", limit: int = 1000, timeout_s: float = 5.0
) -> tuple[int, Jaeger]:
    """How many traces come, each once, and the Jaeger with its notes."""
    with Jaeger(url, timeout_s=timeout_s) as jaeger:
        parts = list(fetch(jaeger, service, *WINDOW, limit))
        assert len(set(traces_of(parts))) == len(traces_of(parts))
        assert all(len(part) for part in parts)
        return len(traces_of(parts)), jaeger


def failure(behave: Behaviour, timeout_s: float = 5.0) -> tuple[TracevizError, str]:
    """What is raised, and the URL of the server."""
    with unruly(behave) as server, pytest.raises(TracevizError) as caught:
        ask(server.url, timeout_s=timeout_s)
    return caught.value, server.url
