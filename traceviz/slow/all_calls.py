"""All calls now and before ▸ what critical paths alone do not tell: whether there really are more calls, whose doing
that is, and how far a place moved that was hidden beside a longer call before.

    front → cart → db        front asks cart four times instead of once. So cart asks db four times as often as well,
     ×4      ×4              and once each time that it is asked, as before: it is front's doing, not cart's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from traceviz.analyze.resolved import EdgeName, Resolved
from traceviz.analyze.sketch import Sketch
from traceviz.analyze.slower import LEAST_RATIO, slower
from traceviz.slow.counts import added_up
from traceviz.slow.moved import Moved
from traceviz.slow.places import Where


class AllCalls:
    """The calls of a window and of its baseline, whether or not anybody waited for them."""

    def __init__(self, now: Resolved, before: Resolved) -> None:
        self._now, self._before = now, before

    def checked(self, caller: str | None, callee: str, where: Where, moved: Moved, least_ns: float) -> Moved:
        """How a place moved that is on more critical paths than before: because of more calls, or by its times in all
        calls. A call that is waited for since another one became shorter, or the callee longer, is no new one."""
        if not moved.new or where not in ("callee", "network"):
            return moved
        if doing := self.whose_doing(callee):
            # What was called before, and never waited for, is waited for since there are more calls.
            hidden = not moved.calls_before and any(edge.callee == callee for edge in self._before.edges)
            return replace(moved, whose_doing=doing, more_calls=moved.more_calls or hidden)
        times = self._own_times if where == "callee" else self._gaps
        how = slower(times(caller, callee, self._before), times(caller, callee, self._now), least_ns)
        return replace(moved, new=0.0, more_calls=False, slower=how or moved.slower)

    def whose_doing(self, callee: str) -> str | None:
        """The workload from which it comes that there are more calls to the callee: up from it, the next one that
        calls more often than before each time that it is asked itself. None where nobody does: then there are no more
        calls, or more requests."""
        seen = {callee}
        while (edge := self._most_added(callee)) is not None:
            if self._per_visit(edge, self._now) >= LEAST_RATIO * self._per_visit(edge, self._before):
                return edge.caller
            callee = edge.caller
            if callee in seen:
                break
            seen.add(callee)
        return None

    def _most_added(self, callee: str) -> EdgeName | None:
        """Of the edges to a callee the one on which most calls a request were added."""
        edges = [edge for edge in self._now.edges if edge.callee == callee]
        return max(edges, key=lambda edge: (self._added(edge), edge), default=None)

    def _added(self, edge: EdgeName) -> float:
        return _calls(edge, self._now) / _requests(self._now) - _calls(edge, self._before) / _requests(self._before)

    def _per_visit(self, edge: EdgeName, resolved: Resolved) -> float:
        """How often it is called each time that its caller is asked; in a request, where nobody is seen asking."""
        caller = resolved.workloads.get(edge.caller)
        visits = max(caller.received, caller.entered) if caller else 0
        return _calls(edge, resolved) / (visits or _requests(resolved))

    def _own_times(self, _: str | None, callee: str, resolved: Resolved) -> Sketch:
        """How long a workload itself was at work; of who reports no spans all of the calls' time."""
        if callee in resolved.workloads:
            return resolved.workloads[callee].own_time
        return self._over_edges(resolved, lambda edge: edge.callee == callee, "client")

    def _gaps(self, caller: str | None, callee: str, resolved: Resolved) -> Sketch:
        return self._over_edges(resolved, lambda edge: (edge.caller, edge.callee) == (caller, callee), "gap")

    def _over_edges(self, resolved: Resolved, chosen: Callable[[EdgeName], bool], times: str) -> Sketch:
        of_edges = resolved.edges.items()
        return added_up(getattr(counts, times) for edge, counts in of_edges if chosen(edge) and not edge.asynchronous)


def _calls(edge: EdgeName, resolved: Resolved) -> int:
    return resolved.edges[edge].calls if edge in resolved.edges else 0


def _requests(resolved: Resolved) -> int:
    return max(resolved.report.traces, 1)
