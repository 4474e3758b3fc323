"""Programs behind sidecars that are called otherwise: one workload under two names, known by how its spans hang.

A program may report itself as CartService while its sidecar says `cart.default`, and nothing in either span says that
they belong together. Where they hang does. What is found in a trace holds for that trace; the names are put together
after the last merge (`analyze.names`).
"""

from __future__ import annotations

import numpy as np

from traceviz import envoy
from traceviz.notes import Notes, raises
from traceviz.roles import Role, Roles, from_proxy
from traceviz.shared_ids import example_traces
from traceviz.spans import Bools, Rows, Spans
from traceviz.workloads import Workload, Workloads


@raises(
    "program-behind-proxy",
    "{count} {count:time|times} a program stood behind a sidecar of another name; both are one node, called as the "
    "sidecar is",
)
def behind_sidecars(
    spans: Spans, role: Roles, parent: Rows, top: Rows, workloads: Workloads, notes: Notes
) -> Workloads:
    """A program has another service name than the sidecar before it.

    Sign: the program's server span is the only one right under the sidecar's inbound span, and no call of the sidecar's
    hangs there beside it; or a call of the sidecar's hangs right under the program's client span for the same host.
    The example is such a trace. Both names stand in `aliases`.

    Cause: OTEL_SERVICE_NAME of the program is not the name of its workload.

    What to do: nothing. To see one name everywhere, set OTEL_SERVICE_NAME to the workload's name.
    """
    outside = ~from_proxy(spans) & (parent >= 0)
    found: dict[int, set[int]] = {}
    for row, sidecar in [
        *_under_inbound(role, parent, outside, workloads),
        *_over_outbound(spans, role, parent, workloads),
    ]:
        found.setdefault(int(top[row]), set()).add(int(workloads.of_row[sidecar]))
    sure = {
        row: min(keys) for row, keys in found.items() if len(keys) == 1 and not _has_own(role, parent, row, workloads)
    }
    if not sure:
        return workloads
    notes.add("program-behind-proxy", len(sure), example_traces(spans, spans.trace[sorted(sure)]))
    moved = np.full(len(spans), -1, np.int64)
    moved[list(sure)] = list(sure.values())
    return workloads.behind(moved[top])


def _under_inbound(role: Roles, parent: Rows, outside: Bools, workloads: Workloads) -> list[tuple[int, int]]:
    """Servers of another name that are the only program right under a sidecar's inbound half, which nothing went out
    from by itself: a program that reports nothing would have its proxy's calls there."""
    under = (parent >= 0) & (role[parent] == Role.CALLEE) & workloads.mask("sidecar")[parent]
    serving = np.flatnonzero(under & outside & (role == Role.SERVER))
    serving = serving[~workloads.same(serving, parent[serving])]
    if not len(serving):
        return []
    beside = np.zeros(len(parent), np.int64)
    counted = np.flatnonzero(under & ((role == Role.SERVER) | (role == Role.CALLER) | (role == Role.ATTEMPT)))
    np.add.at(beside, parent[counted], 1)
    serving = serving[beside[parent[serving]] == 1]
    return [
        (row, above)
        for row, above in zip(serving.tolist(), parent[serving].tolist(), strict=True)
        if _may_be_one(workloads.of(row), workloads.of(above))
    ]


def _over_outbound(spans: Spans, role: Roles, parent: Rows, workloads: Workloads) -> list[tuple[int, int]]:
    """Clients of another name right above a sidecar's outbound half that goes to the same host."""
    sent = np.flatnonzero((parent >= 0) & (role == Role.CALLER) & workloads.mask("sidecar"))
    sent = sent[role[parent[sent]] == Role.CLIENT]
    sent = sent[~workloads.same(sent, parent[sent])]
    texts = spans.texts
    places, clusters = [spans.tag(name) for name in ("url", "server_address")], spans.tag("cluster")
    pairs = []
    for row, above in zip(sent.tolist(), parent[sent].tolist(), strict=True):
        said = [texts[int(column[above])] for column in places]
        hosts = {envoy.url_host(text).partition(".")[0] for text in said} - {""}
        cluster = envoy.read_host(envoy.read_cluster(texts[int(clusters[row])]).host)
        if cluster.name.partition(".")[0] in hosts and _may_be_one(workloads.of(above), workloads.of(row)):
            pairs.append((above, row))
    return pairs


def _may_be_one(program: Workload, sidecar: Workload) -> bool:
    """Whether nothing that both say contradicts that they are one."""
    if program.proxy or program.canonical:
        return False
    apart = program.namespace and sidecar.namespace and program.namespace != sidecar.namespace
    return not (apart or (program.deployment and sidecar.deployment))


def _has_own(role: Roles, parent: Rows, row: int, workloads: Workloads) -> bool:
    """Whether a program hangs right under the inbound half of a sidecar that goes by its name."""
    above = parent[[row]]
    return bool(above[0] >= 0 and role[above[0]] == Role.CALLEE and workloads.same(np.array([row]), above)[0])
