"""Hops ▸ counted failure shapes: the failed hops of one trace as a small tree of keys.

Traces that failed alike have one shape, with a count, the first and the last time, and five traces as examples.
What started a failure, and who absorbed it, is read off the shapes after the last merge (`analyze.blame`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from traceviz import envoy
from traceviz.analyze.beginnings import STARTS, Start, beginnings
from traceviz.analyze.edges import flag_labels, status_labels
from traceviz.analyze.entries import Entries
from traceviz.analyze.holders import holders
from traceviz.analyze.reasons import Reason, Signs, reason
from traceviz.hops import Hops
from traceviz.notes import Notes, define
from traceviz.parties import Party
from traceviz.reconstruct import climb, depths
from traceviz.roles import Role
from traceviz.shared_ids import example_traces
from traceviz.spans import Bools, Rows
from traceviz.verdict import CANCELLED, DEADLINE_EXCEEDED

EXAMPLES = 5
#: Two proxies see the same moment this far apart at most.
SLACK_NS = 1_000_000
LONGEST_PATH = 64

PATH_SHORTENED = define(
    "chain-shortened",
    "{count} {count:way|ways} from the user to a failing hop {count:is|are} longer than 64 hops; the "
    "middle was left out",
    """A chain of calls is so long that its middle is left out of `chain`; the ends are complete.

    So deep a chain is rarely meant: look whether a service calls itself in a loop.""",
)

SAVED_BY_RETRY = define(
    "saved-by-retry",
    "{count} {count:call|calls} failed at first and {count:was|were} saved by a retry",
    """A proxy tried again after a failed attempt, and the call went well in the end.

    Nobody felt it, so it is no failing hop; `failed_attempts` of the edge counts it. It costs time, and load on
    the callee when it needs it least.""",
)

Fate = Literal["failed", "retried"]
Top = Literal["user", "absorbed", "torn", ""]


class Failure(NamedTuple):
    """One failed hop of a shape, or several alike.

    `above` indexes the shape, -1 where the hop above did not fail with it; then `top` says what became of the
    failure: the "user" got it, the caller "absorbed" it, or the trace is "torn" there; and `path` are the callers
    from where its tree `begins` down. `answered`: the callee reported a half of this call. `fate` "retried" means that
    a later attempt of the same call succeeded.
    """

    above: int
    caller: Party | None
    callee: Party
    reason: str
    where: str
    blame: Party | None
    status: str
    flags: str
    fate: Fate
    answered: bool
    top: Top
    begins: Start | None
    path: tuple[Party, ...]
    calls: int


Shape = tuple[Failure, ...]


@dataclass(slots=True)
class ShapeCount:
    """How many traces have a shape, when each of its failures first and last began, and five of the traces with
    their request ids."""

    count: int
    periods: list[tuple[int, int]]
    examples: list[tuple[str, str]]

    def merge(self, other: ShapeCount) -> None:
        """Add what `other` counted."""
        self.count += other.count
        self.periods = [_around(*both) for both in zip(self.periods, other.periods, strict=True)]
        self.examples = sorted({*self.examples, *other.examples})[:EXAMPLES]


class Failures(NamedTuple):
    """What `count_shapes` finds in a batch: the shapes, the hops at which a failure started in their trace, and the
    place of every hop in the shape of its trace, -1 where it is in none; hops that are counted as one have one."""

    shapes: dict[Shape, ShapeCount]
    started: Bools
    place: Rows


def count_shapes(hops: Hops, entries: Entries, notes: Notes) -> Failures:
    """The failure shapes of all traces of a batch."""
    failed = hops.failed & ~_effects(hops)
    retried = ~hops.failed & (hops.failed_attempts > 0)
    saved = np.flatnonzero(retried)
    notes.add(SAVED_BY_RETRY, len(saved), example_traces(hops.forest.spans, hops.trace[saved]))
    started, place = np.zeros(len(hops), np.bool_), np.full(len(hops), -1, np.int64)
    if not failed.any():
        return Failures({}, started, place)
    judge = _Judge(hops, np.flatnonzero(failed), entries)
    above = _linked(hops, failed, retried, judge)
    # A retry is no failure of its own, but it may have absorbed one further down.
    chosen = np.union1d(np.flatnonzero(failed), above[above >= 0])
    started[np.setdiff1d(np.flatnonzero(failed), above)] = True

    holder = judge.holders(chosen.tolist())
    nodes = {
        hop: judge.failure(hop, holder.get(hop), bool(retried[hop]), bool(above[hop] >= 0), notes)
        for hop in chosen.tolist()
    }
    shapes: dict[Shape, ShapeCount] = {}
    borders = np.flatnonzero(np.diff(hops.trace[chosen])) + 1
    for group in np.split(chosen, borders):
        starts = dict(zip(group.tolist(), hops.start_ns[group].tolist(), strict=True))
        periods = {hop: (start, start) for hop, start in starts.items()}
        shape, order, place_of = _shape(group.tolist(), nodes, above, periods)
        place[list(place_of)] = list(place_of.values())
        seen = ShapeCount(1, [periods[hop] for hop in order], [_example(hops, group)])
        if shape in shapes:
            shapes[shape].merge(seen)
        else:
            shapes[shape] = seen
    return Failures(shapes, started, place)


def ran_into_deadline(hops: Hops, entries: Entries) -> Bools:
    """The hops that failed because somebody waited no longer, as `reason` judges them."""
    late = np.zeros(len(hops), np.bool_)
    failed = np.flatnonzero(hops.failed & ~_effects(hops))
    judge = _Judge(hops, failed, entries)
    late[[hop for hop in failed.tolist() if judge.reason(hop).deadline]] = True
    return late


def _effects(hops: Hops) -> Bools:
    """Hops that failed only because somebody above stopped waiting: nobody's fault of their own."""
    flags = hops.forest.spans.tag("flags")
    texts = hops.forest.spans.texts

    def marked(rows: Rows, column: Any) -> Bools:
        return np.where(rows >= 0, column[np.maximum(rows, 0)], False).astype(np.bool_)

    gone = envoy.look_up(flags, texts, lambda text: bool(envoy.read_flags(text) & {"DC", "DR"}), np.bool_)
    gone |= hops.outcomes.grpc == CANCELLED
    late = envoy.look_up(
        flags, texts, lambda text: bool(envoy.read_flags(text) & {"UT", "UMSDR", "SI", "DT"}), np.bool_
    )
    late |= hops.outcomes.grpc == DEADLINE_EXCEEDED
    left = marked(hops.caller_row, gone) | ((hops.caller_row < 0) & marked(hops.callee_row, gone))
    stopped = left | marked(hops.caller_row, late) | marked(hops.callee_row, gone)
    stopped |= (hops.client_ns >= 0) & (hops.server_ns > hops.client_ns)
    below = np.zeros(len(hops), np.bool_)
    known = hops.up >= 0
    below[known] = stopped[hops.up[known]] & hops.failed[hops.up[known]]
    judged = envoy.look_up(
        flags,
        texts,
        lambda text: bool((envoy.read_flags(text) & envoy.FLAGS.keys()) - envoy.HARMLESS - {"URX"}),
        np.bool_,
    )
    return hops.failed & below & left & ~marked(hops.caller_row, judged)


def _linked(hops: Hops, failed: Bools, retried: Bools, judge: _Judge) -> Rows:
    """For every failed hop the failed or retried hop right above that it may have made fail, -1 for none."""
    above = np.full(len(hops), -1, np.int64)
    start = hops.start_ns + hops.forest.shift_ns[hops.row]
    for hop in np.flatnonzero(failed & (hops.up >= 0) & hops.waited_for).tolist():
        up = int(hops.up[hop])
        if failed[up]:
            # What failed after the caller had given up cannot have been the cause.
            gave_up = judge.reason(up).deadline and hops.client_ns[up] >= 0
            length = hops.client_ns[hop] if hops.client_ns[hop] >= 0 else hops.server_ns[hop]
            late = int(start[hop]) + int(length) > int(start[up]) + int(hops.client_ns[up]) + SLACK_NS
            if not (gave_up and late):
                above[hop] = up
        elif retried[up] and hops.entry_row[hop] >= 0 and hops.outcomes.failed[hops.entry_row[hop]]:
            above[hop] = up
    return above


class _Judge:
    """Reads the signs of single hops: few, so row by row."""

    def __init__(self, hops: Hops, failed: Rows, entries: Entries) -> None:
        self.hops, self.entries = hops, entries
        forest = hops.forest
        self.spans, self.role, self.outcomes = forest.spans, forest.role, hops.outcomes
        self.start = hops.start_ns + forest.shift_ns[hops.row]
        self.statuses, self.status = status_labels(hops)
        self.flag_sets, self.flags = flag_labels(hops)
        self._tries = self._tries_of(failed)
        self._flags_of, self._error_types = self.spans.tag("flags"), self.spans.tag("error_type")
        self._reasons: dict[Signs, Reason] = {}
        self._reason_of: dict[int, Reason] = {}
        # The nearest hop above that is not far from the top: of long ways both ends are climbed, and not the middle.
        deep = depths(hops.up)[0] > LONGEST_PATH // 2
        self._high = climb(np.where(deep, hops.up, np.arange(len(hops))))
        top = climb(np.where(hops.up >= 0, hops.up, np.arange(len(hops))))
        self._begins = beginnings(hops, entries).start[top]

    def _tries_of(self, failed: Rows) -> dict[int, list[int]]:
        """The attempts' own spans, by head."""
        heads = self.hops.caller_row[failed]
        parent = self.hops.forest.parent
        rows = np.flatnonzero((self.role == Role.ATTEMPT) & np.isin(parent, heads[heads >= 0]))
        tries: dict[int, list[int]] = defaultdict(list)
        for row in rows.tolist():
            tries[int(parent[row])].append(row)
        return tries

    def _flags(self, row: int) -> frozenset[str]:
        return envoy.read_flags(self.spans.texts[int(self._flags_of[row])])

    def reason(self, hop: int) -> Reason:
        """Why this hop failed, as if nothing beneath it had."""
        known = self._reason_of.get(hop)
        if known is None:
            signs = self._signs(hop)
            if signs not in self._reasons:
                self._reasons[signs] = reason(signs)
            known = self._reason_of[hop] = self._reasons[signs]
        return known

    def holders(self, chosen: list[int]) -> dict[int, int]:
        """Who held the time of those that ran into a deadline: the hop whose callee did, by hop."""
        hops = self.hops
        late = np.array([hop for hop in chosen if self.reason(hop).deadline], np.int64)
        if not len(late):
            return {}
        waited_for = np.where(hops.waited_for, hops.up, -1)
        some = np.flatnonzero(np.isin(hops.trace, hops.trace[late]))
        place = np.full(len(hops) + 1, -1, np.int64)
        place[some] = np.arange(len(some))
        length = np.where(hops.client_ns >= 0, hops.client_ns, hops.server_ns)
        begin = self.start[some]
        held = holders(place[waited_for[some]], begin, begin + length[some], place[late])
        return dict(zip(late.tolist(), some[held].tolist(), strict=True))

    def _signs(self, hop: int) -> Signs:
        hops, outcomes = self.hops, self.outcomes
        head, half = int(hops.caller_row[hop]), int(hops.callee_row[hop])
        tries = self._tries.get(head, [])
        callers = [head, *tries] if head >= 0 else []
        halves = [half] if half >= 0 else []
        spoke = callers + halves + self._around(hop)
        return Signs(
            caller_flags=frozenset().union(*(self._flags(row) for row in callers)) - {"DI", "URX"},
            callee_flags=frozenset().union(*(self._flags(row) for row in halves)) - {"DI", "URX"},
            answered=half >= 0,
            callee_failed=half >= 0 and bool(outcomes.failed[half]),
            status=max((int(outcomes.status[row]) for row in callers + halves), default=-1),
            grpc=frozenset(int(outcomes.grpc[row]) for row in spoke) - {-1},
            error_types=frozenset(self.spans.texts[int(self._error_types[row])] for row in spoke) - {""},
            gave_up=bool(hops.failed[hop] and 0 <= hops.client_ns[hop] < hops.server_ns[hop] - SLACK_NS),
            marked=head >= 0 and bool(self.spans.error[[head, *self._around(hop)]].any()),
            from_user=bool(self.entries.user_root[hop]) and (head < 0 or bool(self.entries.listener[hop])),
        )

    def _around(self, hop: int) -> list[int]:
        """The program's own client span around a call, where it says more than the proxy or the inner span: that one
        went well, or was left without an answer."""
        head, outer = int(self.hops.caller_row[hop]), int(self.hops.outer_row[hop])
        if outer < 0:
            return []
        left = self.outcomes.status[head] == 0 or bool(self._flags(head) & {"DC", "DR"})
        return [outer] if left or not self.outcomes.failed[head] else []

    def failure(self, hop: int, holder: int | None, retried: bool, linked: bool, notes: Notes) -> Failure:
        """The hop as a node of its trace's shape, without its place in it. `holder` held its time, if it ran into a
        deadline."""
        hops = self.hops
        why = self.reason(hop)
        caller = hops.parties[int(hops.caller[hop])] if hops.caller[hop] >= 0 else None
        callee = hops.parties[int(hops.callee[hop])]
        blame = {"caller": caller, "callee": callee, "nobody": None}[why.blame]
        if holder is not None:
            blame = hops.parties[int(hops.callee[holder])]
        top: Top = ""
        if not linked and not retried:
            top = "absorbed" if hops.up[hop] >= 0 else "user" if self.entries.user_root[hop] else "torn"
        return Failure(
            above=-1,
            caller=caller,
            callee=callee,
            reason=why.code,
            where=why.where,
            blame=blame,
            status=self.statuses[int(self.status[hop])],
            flags=",".join(sorted(self._all_flags(hop))),
            fate="retried" if retried else "failed",
            answered=bool(hops.callee_row[hop] >= 0),
            top=top,
            begins=None if linked else STARTS[int(self._begins[hop])],
            path=() if linked else self._path(hop, notes),
            calls=1,
        )

    def _all_flags(self, hop: int) -> set[str]:
        """The flags of both halves, and those of attempts, which say what used the retries up."""
        halves = {flag for flag in self.flag_sets[int(self.flags[hop])].split(",") if flag}
        tries = self._tries.get(int(self.hops.caller_row[hop]), ())
        return halves.union(*(self._flags(row) for row in tries))

    def _path(self, hop: int, notes: Notes) -> tuple[Party, ...]:
        """The callers from the entry down to this hop's."""
        path = self._callers(hop)
        if len(path) > LONGEST_PATH:
            notes.add(PATH_SHORTENED, 1, [self.spans.trace_ids[self.hops.trace[hop]]])
            upper = self._callers(int(self._high[hop]))
            path = path[: LONGEST_PATH // 2] + upper[-LONGEST_PATH // 2 :]
        return tuple(reversed(path))

    def _callers(self, hop: int) -> list[Party]:
        """Who made this hop and those above it, from below, no more than tell that there are too many."""
        found: list[Party] = []
        while hop >= 0 and len(found) <= LONGEST_PATH:
            if self.hops.caller[hop] >= 0:
                found.append(self.hops.parties[int(self.hops.caller[hop])])
            hop = int(self.hops.up[hop])
        return found


def _shape(
    group: list[int], nodes: dict[int, Failure], above: Rows, periods: dict[int, tuple[int, int]]
) -> tuple[Shape, list[int], dict[int, int]]:
    """The failures of one trace in an order that follows from their contents, which hop stands for each, and the place
    of every hop; equal siblings are one with a count. Hops stand after the hops above them, so both passes are plain
    loops."""
    below: dict[int, list[int]] = defaultdict(list)
    twin_of: dict[int, int] = {}
    digests: dict[int, bytes] = {}
    for hop in reversed(group):
        merged = _merge_equal(below[hop], digests, nodes, below, periods, twin_of)
        below[hop] = merged
        text = repr((nodes[hop], [(digests[child], nodes[child].calls) for child in merged]))
        digests[hop] = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if above[hop] >= 0:
            below[int(above[hop])].append(hop)
    roots = _merge_equal([hop for hop in group if above[hop] < 0], digests, nodes, below, periods, twin_of)
    shape: list[Failure] = []
    order: list[int] = []
    stack = [(root, -1) for root in reversed(roots)]
    while stack:
        hop, parent = stack.pop()
        stack.extend((child, len(shape)) for child in reversed(below[hop]))
        shape.append(nodes[hop]._replace(above=parent))
        order.append(hop)
    return tuple(shape), order, _places(order, twin_of)


def _places(order: list[int], twin_of: dict[int, int]) -> dict[int, int]:
    """The place of every hop in a shape: of a twin that of the hop that it was counted in with, which may be a twin."""
    places = {hop: place for place, hop in enumerate(order)}
    for twin in twin_of:
        way = [twin]
        while way[-1] not in places:
            way.append(twin_of[way[-1]])
        places.update(dict.fromkeys(way, places[way[-1]]))
    return places


def _merge_equal(
    hops: list[int],
    digests: dict[int, bytes],
    nodes: dict[int, Failure],
    below: dict[int, list[int]],
    periods: dict[int, tuple[int, int]],
    twin_of: dict[int, int],
) -> list[int]:
    """Hops with equal subtrees as one, which counts their calls; in the order of their digests."""
    kept: dict[bytes, int] = {}
    for hop in hops:
        first = kept.setdefault(digests[hop], hop)
        if first != hop:
            _absorb(first, hop, nodes, below, periods, twin_of)
    return [kept[digest] for digest in sorted(kept)]


def _absorb(
    first: int,
    other: int,
    nodes: dict[int, Failure],
    below: dict[int, list[int]],
    periods: dict[int, tuple[int, int]],
    twin_of: dict[int, int],
) -> None:
    """Count a subtree in with an equal one, hop by hop: both have their children in the same order."""
    stack = [(first, other)]
    while stack:
        one, twin = stack.pop()
        nodes[one] = nodes[one]._replace(calls=nodes[one].calls + nodes[twin].calls)
        periods[one] = _around(periods[one], periods[twin])
        twin_of[twin] = one
        stack.extend(zip(below[one], below[twin], strict=True))


def _around(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The shortest period that holds both."""
    return min(one[0], other[0]), max(one[1], other[1])


def _example(hops: Hops, group: Rows) -> tuple[str, str]:
    """The trace's id, and the request id that its failed calls carry."""
    spans = hops.forest.spans
    requests = {spans.texts[int(code)] for code in spans.tag("request_id")[hops.row[group]]} - {""}
    return spans.trace_ids[hops.trace[group[0]]], min(requests, default="")
