"""Pairs to compare, made of one recording: any half of its traces, with an edge slowed, failing, rare or gone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import traceviz
from traceviz.analyze.edges import count_edges
from traceviz.analyze.report import Report
from traceviz.hops import Hops, hops
from traceviz.library import LoadedForest
from traceviz.spans import Bools, Rows


class Recording:
    """The hops of a recording, found once, and reports of some of its traces."""

    def __init__(self, path: Path) -> None:
        self.forest: LoadedForest = traceviz.load(str(path))
        self._hops = hops(self.forest)
        self._whole = self.forest.report()
        self.traces = len(self.forest.spans.trace_ids)

    def half(self, rng: np.random.Generator) -> Bools:
        """A random half of the traces."""
        chosen = np.zeros(self.traces, np.bool_)
        chosen[rng.permutation(self.traces)[: self.traces // 2]] = True
        return chosen

    def calls(self, traces: Bools, caller: str, callee: str) -> Rows:
        """The calls of an edge in these traces, as hops."""
        parties = self._hops.parties
        ends = np.array([(party.service.partition(".")[0]) for party in parties])
        on_edge = (self._hops.caller >= 0) & (ends[self._hops.caller] == caller) & (ends[self._hops.callee] == callee)
        return np.flatnonzero(on_edge & traces[self._trace()])

    def failed(self, traces: Bools, caller: str, callee: str) -> Rows:
        """Those of them that failed."""
        calls = self.calls(traces, caller, callee)
        return calls[self._hops.failed[calls]]

    def report(
        self,
        traces: Bools,
        *,
        without: Rows | None = None,
        slowed: Rows | None = None,
        factor: float = 1.0,
        failing: Rows | None = None,
        mended: Rows | None = None,
    ) -> Report:
        """The edges of these traces as a report, some calls left out, so many times slower, failing, or not."""
        made = self._hops
        caller = np.where(traces[self._trace()], made.caller, -1)
        caller[[] if without is None else without] = -1
        client, server, failed = made.client_ns.copy(), made.server_ns.copy(), made.failed.copy()
        if slowed is not None:
            for times in (client, server):
                times[slowed] = np.where(times[slowed] >= 0, times[slowed] * factor, -1)
        failed[[] if failing is None else failing] = True
        failed[[] if mended is None else mended] = False
        changed: Hops = replace(made, caller=caller, client_ns=client, server_ns=server, failed=failed)
        whole = self._whole
        return Report(
            group_by="service",
            traces=int(traces.sum()),
            first_ns=whole.first_ns,
            last_ns=whole.last_ns,
            edges=count_edges(changed),
            workloads=whole.workloads,
            hosts=whole.hosts,
        )

    def _trace(self) -> Rows:
        rows: Rows = self.forest.spans.trace[self._hops.row].astype(np.int64)
        return rows


@cache
def recording(path: Path) -> Recording:
    """Read once."""
    return Recording(path)
