"""What can be asked for: the services of a target, each with its node in graphs, and their operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from traceviz.analyze.graph import aliases
from traceviz.analyze.report import Report
from traceviz.analyze.resolved import Resolved
from traceviz.asked import Asked
from traceviz.asking.access import Access
from traceviz.asking.oversight import Oversight
from traceviz.asking.query import Jaeger, services_asked
from traceviz.asking.workers import Workers
from traceviz.documents import Document, Listing, ListingCounts, Operation, OperationsDocument, ServicesDocument
from traceviz.errors import NothingFound, NothingReadable, SourceFailed
from traceviz.live import ONLY_ARRIVED, read, to_be_read
from traceviz.notes import EXAMPLES, define
from traceviz.selection import Selection
from traceviz.spans import Kind
from traceviz.target import jaeger_meant, open_target
from traceviz.traces import Traces, listed
from traceviz.wanted import Wanted

NODE_NOT_SEEN = define(
    "node-not-seen",
    "{count} {count:service is|services are} in none of the traces read, so {count:its node is|their nodes are} not "
    "known; read more of them: a longer --since, a larger --limit, or --service with the name",
    """A service is known by name, and no trace that was read shows which node of a graph it is.

    Sign: `node` is null in `traceviz services`. The examples are such services.

    Cause: against a Jaeger only the newest traces are looked at, and a service that is seldom called is in none of
    them; a Jaeger also names services that reported nothing for days.

    What to do: a longer `--since`, a larger `--limit`, `--all`, or `--service` with the name. The name itself can be
    asked for as it is.
    """,
)
SAMPLE_FAILED = define(
    "sample-failed",
    "no trace could be read, so which nodes the services are is not known",
    """The Jaeger named its services, and then searches for traces failed.

    Sign: `node` is null for every service in `traceviz services`. The example is what was said.

    Cause: a storage in trouble, searches that take longer than `--timeout`.

    What to do: what `traceviz graph` says of the same Jaeger; it reads the same traces.
    """,
)
OPERATIONS_FAILED = define(
    "operations-failed",
    "the operations of {count} {count:service|services} could not be read",
    """The Jaeger was asked for the operations of every service, and failed over some.

    Sign: the examples are such services, and what was said. Several failures in a row end the asking.

    What to do: ask again, or for one with `--service`; look into Jaeger's log.
    """,
)
OF_ALL_TIMES = define(
    "operations-of-all-times",
    "a Jaeger lists the operations of all times and traces: {count} {count:condition was|conditions were} not applied",
    """A Jaeger was asked for operations together with conditions on traces, which its list does not know.

    Sign: the examples are the conditions. `--service` alone narrows the list.

    What to do: nothing, or keep the traces with `traceviz fetch` and ask the file, which knows them all.
    """,
)

#: So many traces tell which nodes the services of a Jaeger are, where nothing else is said.
SAMPLE = 100
_FAILURES_IN_A_ROW = 3
_UNKNOWN_KINDS = {"", "unspecified"}

_Operation = tuple[str, str, str]  # service, name, and kind, "" where it is not known


def services(
    targets: Sequence[str],
    wanted: Wanted,
    access: Access | None = None,
    stdin: BinaryIO | None = None,
    oversight: Oversight | None = None,
) -> ServicesDocument:
    """All services that a target knows by name, with the nodes that the wanted traces show; of a Jaeger these are
    `SAMPLE` ones where nothing else is said.

    Raises what `open_target` does. That no trace is found, or a Jaeger cannot be searched, is no error where services
    are known: then nodes are not.
    """
    access = access or Access()
    wanted = replace(wanted, control_plane=True)
    jaeger = jaeger_meant(targets, access)
    if jaeger is None:
        with open_target(targets, wanted, access, stdin) as traces:
            return services_document(traces.gathered.services, _counted(traces, traces.gathered.services))
    if wanted.limit is None and not wanted.everything:
        wanted = replace(wanted, limit=SAMPLE)
    with to_be_read(jaeger, wanted) as asked:
        names = services_asked(asked, None)
        try:
            with read(asked, wanted, jaeger.parallel, oversight or Oversight()) as traces:
                return services_document(names, _counted(traces, names))
        except (SourceFailed, NothingReadable) as trouble:
            unread = Report(asked=Asked((asked.url,), service=wanted.service, limit=wanted.limit))
            unread.notes.add(SAMPLE_FAILED, examples=[str(trouble)])
            document = services_document(names, unread)
            return {**document, "counts": _unread(len(names))}


def services_document(names: Iterable[str], report: Report) -> ServicesDocument:
    """The document of `traceviz services -o json`: these names, a row for each of the nodes that a name covers."""
    resolved = Resolved(report)
    nodes = _nodes(resolved)
    rows = sorted({(name, node) for name in names for node in nodes.get(name, [""])})
    unseen = [name for name, node in rows if not node]
    resolved.notes.add(NODE_NOT_SEEN, len(unseen), unseen[:EXAMPLES])
    head = resolved.head("services")
    return {
        **_listing(head, {**head["counts"], "services": len({name for name, _ in rows})}),
        "services": [{"name": name, "node": node or None} for name, node in rows],
    }


def operations(
    targets: Sequence[str],
    wanted: Wanted,
    access: Access | None = None,
    stdin: BinaryIO | None = None,
) -> OperationsDocument:
    """The operations of all services, or of the one that is wanted: those that a Jaeger lists, whenever they were; of
    files those in the wanted traces.

    Raises what `open_target` does, and NothingFound where there is none. A service over which the Jaeger fails is
    noted, and SourceFailed raised where nothing came.
    """
    access = access or Access()
    wanted = replace(wanted, control_plane=True)
    jaeger = jaeger_meant(targets, access)
    if jaeger is None:
        with open_target(targets, wanted, access, stdin) as traces:
            report = traces.report()
            report.notes = report.notes.without(ONLY_ARRIVED)  # a service did nothing in calls that never reached it
            return _operations_document(report, set(_performed(traces)))
    with Jaeger(jaeger, wanted.api) as asked:
        found = set(_told(asked, services_asked(asked, wanted.service), jaeger.parallel))
        if not found:
            raise NothingFound(f"{asked.url} knows no operation of what was asked for")
        unread = Report(asked=Asked((asked.url,), service=wanted.service))
        conditions = [option for option in wanted.given if option != "--service"]
        asked.notes.add(OF_ALL_TIMES, len(conditions), conditions)
        unread.notes.merge(asked.notes)
    document = _operations_document(unread, found)
    return {**document, "counts": _unread(document["counts"]["services"])}


def _operations_document(report: Report, found: set[_Operation]) -> OperationsDocument:
    head = Resolved(report).head("operations")
    rows: list[Operation] = [
        {"service": service, "name": name, "kind": kind or None} for service, name, kind in sorted(found)
    ]
    counts: ListingCounts = {**head["counts"], "services": len({row["service"] for row in rows})}
    return {**_listing(head, counts), "operations": rows}


def _listing(head: Document, counts: ListingCounts) -> Listing:
    """The head of a document about traces as that of a list."""
    return {
        "schema": head["schema"],
        "source": head["source"],
        "asked": head["asked"],
        "seen": head["seen"],
        "window": head["window"],
        "counts": counts,
        "notes": head["notes"],
    }


def _unread(services: int) -> ListingCounts:
    """The counts where no trace was read."""
    return {"traces": None, "spans": None, "failed_traces": None, "fragments": None, "services": services}


def _counted(traces: Traces, names: Collection[str]) -> Report:
    """The report of traces, an empty one where none was found and services are known all the same."""
    try:
        report = traces.report()
    except NothingFound:
        if not names:
            raise
    else:
        if not names:
            raise NothingFound(f"no span in {listed(traces.asked.source)} says of which service it is")
        return report
    empty = Report(asked=traces.asked)
    empty.notes.merge(traces.notes)
    empty.notes.merge(traces.gathered.notes)
    return empty


def _nodes(resolved: Resolved) -> dict[str, list[str]]:
    """The nodes by every name under which they are reported. What is stored and queued is no service."""
    nodes: dict[str, list[str]] = {}
    for node, parties in resolved.parties.items():
        if resolved.names.kind(parties) not in ("database", "queue"):
            for name in aliases(resolved, node):
                nodes.setdefault(name, []).append(node)
    return nodes


def _told(jaeger: Jaeger, names: Sequence[str], parallel: int) -> Iterator[_Operation]:
    """What a Jaeger lists for these services. Raises SourceFailed where it failed and nothing came."""
    failed: list[SourceFailed] = []
    in_a_row = came = 0
    with Workers[list[tuple[str, str]]](parallel) as workers:
        for number, (service, answer) in enumerate(workers.in_order(jaeger.operations, names), start=1):
            try:
                found = answer.result()
            except SourceFailed as failure:
                failed.append(failure)
                jaeger.notes.add(OPERATIONS_FAILED, examples=[f"{service}: {failure}"])
                in_a_row += 1
            else:
                in_a_row = 0
                came += len(found)
                yield from ((service, name, _kind(kind)) for name, kind in found)
            if in_a_row == _FAILURES_IN_A_ROW:
                jaeger.notes.add(OPERATIONS_FAILED, len(names) - number)
                break
    if failed and not came:
        raise failed[0]


def _kind(said: str) -> str:
    kind = said.lower()
    return "" if kind in _UNKNOWN_KINDS else kind


def _performed(traces: Traces) -> Iterator[_Operation]:
    """What the spans of the service that is wanted did, of all where none is."""
    of_service = Selection(services=traces.selection.services, workload=traces.selection.workload)
    for spans in traces.batches():
        chosen = spans.take(of_service.matches(spans))
        columns = np.unique(np.stack([chosen.service, chosen.operation, chosen.kind]), axis=1)
        for service, operation, kind in columns.T.tolist():
            kind_said = "" if kind == Kind.UNSET else Kind(kind).name.lower()
            yield chosen.texts[service], chosen.texts[operation], kind_said
