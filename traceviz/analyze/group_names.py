"""What the nodes of a grouped graph are called: `reviews@v2`, `default/reviews`, a pod, `reviews: GET /reviews/{id}`.

A group tells the calls of one workload apart, so that a workload is never put together with another one: `--group-by
namespace` gives `default/reviews`, and pictures draw a frame around each namespace. Only what reports spans has
groups; databases, queues and what lies outside keep their names. A workload that does not say its version stands as
`reviews@(no version)`, calls that never arrived anywhere as `reviews@(not seen)`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from traceviz.analyze.fewer_groups import MOST_COUNTED, OTHER_GROUP
from traceviz.analyze.groups import GroupBy
from traceviz.analyze.names import Names
from traceviz.documents import NodeKind
from traceviz.notes import Notes, define
from traceviz.parties import Party

#: So many groups of one workload are nodes, those with the most spans; the others are one.
MOST_GROUPS = 50

GROUPS_FOLDED = define(
    "groups-folded",
    "{count} {count:group is|groups are} drawn as one node a workload, (other): {count:it has|they have} the fewest "
    "spans",
    """A workload has more than 50 pods, versions or operations, so that the rarest of them are one node.

    Sign: the examples are such workloads. Calls and errors of the node (other) are those of all of them.

    Cause: many pods, or names of operations that hold an id, a query or a user: numbers, hex and long tokens in a path
    are taken for one `{id}`, other text is not.

    What to do: a shorter `--since`; `--service` or `--operation`; names of operations without values in them
    (`http.route` in the program's instrumentation).""",
)
GROUPS_CUT = define(
    "groups-cut",
    f"{{count}} {{count:workload has|workloads have}} more than {MOST_COUNTED:,} groups: most of them are counted "
    "together",
    f"""A workload has so many pods, versions or operations that only {MOST_COUNTED:,} of them are counted by
    themselves, and all others together, as part of its node (other).

    Sign: the examples are such workloads. What is counted of the others is exact. Which ones these are follows from
    their names alone, so that no split of the traces changes an answer: names without a digit go first.

    Cause and remedy are those of `groups-folded`.""",
)
GROUP_UNKNOWN = define(
    "group-unknown",
    "{count} {count:workload|workloads} with spans that do not say what they are to be grouped by",
    """`--group-by version` or `pod` was asked for, and some spans of a workload say no version or no pod.

    Sign: the examples are such workloads; those spans are in a node of their own, `reviews@(no version)`.

    Cause: a version is read from `istio.canonical_revision`, `service.version` and `version`, a pod from
    `k8s.pod.name`, `pod` and a proxy's `node_id`; the span or its process has none of them.

    What to do: label the pods with `version` (Istio), or set the resource attributes `service.version` and
    `k8s.pod.name` (OpenTelemetry).""",
)

_FORMS = {"version": "{}@{}", "operation": "{}: {}", "pod": "{} {}"}
_NONE = {"version": "(no version)", "operation": "(no operation)", "pod": "(no pod)"}
_UNSEEN = "(not seen)"
_OTHER = "(other)"


class NodeNames:
    """The node of every party. `spans` are the workloads, with how many spans each has."""

    def __init__(
        self,
        parties: Iterable[Party],
        spans: Mapping[Party, int],
        hosts: Mapping[Party, Mapping[Party, int]],
        group_by: GroupBy,
        notes: Notes,
    ) -> None:
        parties = set(parties)
        self._by = group_by
        self._names = Names({party._replace(group="") for party in parties}, hosts, notes)
        self.reporting = {self.workload(party) for party in spans}
        self._kept = self._commonest(spans, notes)
        self._namespaces = self._namespaces_of(parties)
        self._crowded = _in_several_namespaces(spans)
        cut = sorted({self.workload(party) for party in parties if party.group == OTHER_GROUP})
        notes.add(GROUPS_CUT, len(cut), cut)
        if group_by in ("version", "pod"):
            silent = sorted({self.workload(party) for party, number in spans.items() if number and not party.group})
            notes.add(GROUP_UNKNOWN, len(silent), silent)

    def workload(self, party: Party) -> str:
        """The name of its workload, whatever the group."""
        return self._names[party._replace(group="")]

    def kind(self, parties: Iterable[Party]) -> NodeKind:
        """The kind of the node of these parties."""
        return self._names.kind(parties)

    def group(self, party: Party) -> str | None:
        """What it is told apart by, None where that is not known."""
        if self._by == "service":
            return None
        if self._by == "namespace":
            return self._namespaces.get(self.workload(party))
        return party.group if party.group in self._kept.get(self.workload(party), ()) else None

    def __getitem__(self, party: Party) -> str:
        """The node's name."""
        workload = self.workload(party)
        if self._by == "service":
            return workload
        if self._by == "namespace":
            return self._in_namespace(workload)
        if workload not in self.reporting or party.kind not in ("workload", "host"):
            return workload
        group = self.group(party)
        if group is None:
            unnamed = _UNSEEN if party.kind == "host" else _NONE[self._by]
            return _FORMS[self._by].format(workload, _OTHER if party.group else unnamed)
        if self._by == "pod":
            return f"{group}.{party.namespace}" if group in self._crowded and party.namespace else group
        return _FORMS[self._by].format(workload, group)

    def _in_namespace(self, workload: str) -> str:
        namespace = self._namespaces.get(workload)
        if namespace:
            return f"{namespace}/{workload.removesuffix(f'.{namespace}')}"
        return f"(no namespace)/{workload}" if workload in self.reporting else workload

    def _namespaces_of(self, parties: Iterable[Party]) -> dict[str, str]:
        """Workload ▸ its namespace, as its own spans say, else as those who call it."""
        named = [(party.kind != "workload", party.namespace, self.workload(party)) for party in parties]
        return {workload: namespace for _, namespace, workload in sorted(named, reverse=True) if namespace}

    def _commonest(self, spans: Mapping[Party, int], notes: Notes) -> dict[str, set[str]]:
        """The groups of every workload that are nodes."""
        sizes: dict[str, Counter[str]] = defaultdict(Counter)
        for party, number in spans.items():
            if party.group not in ("", OTHER_GROUP):
                sizes[self.workload(party)][party.group] += number
        kept = {
            workload: set(sorted(groups, key=lambda group: (-groups[group], group))[:MOST_GROUPS])
            for workload, groups in sizes.items()
        }
        folded = {
            workload: len(groups) - MOST_GROUPS for workload, groups in sizes.items() if len(groups) > MOST_GROUPS
        }
        notes.add(GROUPS_FOLDED, sum(folded.values()), sorted(folded))
        return kept


def _in_several_namespaces(parties: Iterable[Party]) -> set[str]:
    """Groups that occur in more than one namespace, as pods of a stateful set do."""
    namespaces: dict[str, set[str]] = defaultdict(set)
    for party in parties:
        if party.group and party.namespace:
            namespaces[party.group].add(party.namespace)
    return {group for group, several in namespaces.items() if len(several) > 1}
