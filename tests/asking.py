"""Asks a server for the traces of the packaged recording's window, as the commands do."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.unruly import WINDOW, Behaviour, unruly
from traceviz.asking.access import Access
from traceviz.asking.oversight import Oversight
from traceviz.errors import TracevizError
from traceviz.live import open_jaeger
from traceviz.notes import Notes
from traceviz.traces import Traces
from traceviz.wanted import Wanted


class Asked:
    """What came: the ids of the traces, and the notes of asking and reading."""

    def __init__(self, traces: Traces) -> None:
        batches = list(traces.batches())
        self.ids = [trace_id for spans in batches for trace_id in spans.trace_ids]
        self.spans = sum(len(spans) for spans in batches)
        self.seen = traces.asked.seen
        self.notes = Notes()
        self.notes.merge(traces.notes)
        self.notes.merge(traces.gathered.notes)
        assert len(set(self.ids)) == len(self.ids)


def ask(
    url: str,
    service: str | None = "istio-ingress",
    limit: int | None = 1000,
    timeout_s: float = 5.0,
    api: Literal["auto", "v3", "v1"] = "auto",
) -> Asked:
    """The traces of the window, all of them without a limit."""
    from_ns, to_ns = WINDOW
    wanted = Wanted(service, from_ns=from_ns, to_ns=to_ns, limit=limit, everything=limit is None, api=api)
    with open_jaeger(Access(url, timeout_s=timeout_s), wanted, Oversight()) as traces:
        return Asked(traces)


def failure(behave: Behaviour, timeout_s: float = 5.0) -> tuple[TracevizError, str]:
    """What is raised, and the URL of the server."""
    with unruly(behave) as server, pytest.raises(TracevizError) as caught:
        ask(server.url, timeout_s=timeout_s)
    return caught.value, server.url
