"""Rows ▸ the list of slow hops: what weighs most first, with what it explains, whom to look at, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from traceviz.analyze.blame import SHARED_BY
from traceviz.analyze.culprits import Way
from traceviz.analyze.sketch import Sketch
from traceviz.analyze.slower import slower
from traceviz.documents import BaselineDocument, Concentration, SlowHop
from traceviz.slow import reasons
from traceviz.slow.counts import OTHERS, added_up
from traceviz.slow.moved import NOTICED
from traceviz.slow.rows import Row, RowKey, ends_of_ways, reason_of
from traceviz.slow.sentences import sentence


class Ranking(NamedTuple):
    """What rows are ranked by: how long users waited, in all and for what can be compared, and with what it is."""

    waited_ns: int
    compared_ns: int
    baseline: BaselineDocument | None
    ui_url: str | None

    def ranked(self, rows: Mapping[RowKey, Row]) -> list[SlowHop]:
        """The rows as documents, what weighs most first."""
        added = sum(max(row.moved.added_ns, 0.0) for row in rows.values() if row.moved)
        longer = sum(row.moved.added_ns for row in rows.values() if row.moved)
        # Where users wait no longer than before, nothing explains that they do.
        of_all = added if longer > NOTICED * self.compared_ns else None
        ends = ends_of_ways(rows.items())
        documents = [
            (self._weight(row, of_all), key, self._document(key, row, of_all, ends)) for key, row in rows.items()
        ]
        documents.sort(key=lambda one: (-one[0], -one[2]["share"], one[1][1:], one[1].caller or ""))
        ranked = [document for *_, document in documents]
        for rank, document in enumerate(ranked, 1):
            document["rank"] = rank
            document["text"] = sentence(document, self.baseline)
        return ranked

    @property
    def _own(self) -> bool:
        return self.baseline is None or self.baseline["own"]

    def _share(self, row: Row) -> float:
        return row.times.total_ns / self.waited_ns if self.waited_ns else 0.0

    def _weight(self, row: Row, of_all: float | None) -> float:
        """With a baseline what changed goes first. The window's own fast requests only tell what varies, and what is
        always slow is slow in them as well: there the share counts, up to twice as much where it varies."""
        certain = row.moved.certain if row.moved else 0.0
        if self._own:
            return self._share(row) * (1 + (_explains(row, of_all) or 0.0) * certain)
        # In the order of what they explain, also where something else became faster by as much.
        return max(row.moved.added_ns, 0.0) * certain if row.moved else 0.0

    def _document(self, key: RowKey, row: Row, of_all: float | None, ends: Mapping[Way, str]) -> SlowHop:
        callers = dict(sorted(row.callers.items(), key=lambda item: (-item[1], item[0])))
        caller = key.caller or next(iter(callers), None)
        reason = reason_of(key, row, own=self._own)
        moved, explains = row.moved, _explains(row, of_all)
        examples = [trace_id for _, trace_id in row.slowest]
        return {
            "rank": 0,
            "caller": caller,
            "callee": key.callee,
            "callers": callers,
            "where": "caller" if reason == reasons.MORE_CALLS else key.where,
            "reason": reason,
            "blame": _blame(key, row, reason, caller, ends),
            "share": round(self._share(row), 6),
            "explains": None if explains is None else round(explains, 6),
            "slower_share": None if moved is None else round(moved.certain, 6),
            "self_ms": row.times.document(),
            "baseline_ms": moved.before.document() if moved else None,
            "calls_per_request": None if moved is None else round(moved.calls, 6),
            "baseline_calls_per_request": None if moved is None else round(moved.calls_before, 6),
            "traces": row.traces,
            "concentrated_in": _concentrated(row),
            "text": "",
            "examples": examples,
            "links": [f"{self.ui_url}/trace/{trace_id}" for trace_id in examples] if self.ui_url else [],
        }


def _explains(row: Row, of_all: float | None) -> float | None:
    """The row's part of all time that was added."""
    return None if row.moved is None or not of_all else max(row.moved.added_ns, 0.0) / of_all


def _blame(key: RowKey, row: Row, reason: str, caller: str | None, ends: Mapping[Way, str]) -> str:
    """The workload to look at first."""
    if reason == reasons.NETWORK and key.caller is not None:
        return ends.get(Way(key.caller, key.callee), key.callee)
    if reason == reasons.MORE_CALLS:
        return (row.moved and row.moved.whose_doing) or caller or key.callee
    return caller or key.callee if reason == reasons.PROXY and key.where == "caller-proxy" else key.callee


def _concentrated(row: Row) -> dict[str, Concentration]:
    """The version, pod, operation … that most of the time sits in, where its calls are slower than the others."""
    traits: dict[str, dict[str, Sketch]] = {}
    for trait, sketch in row.by_trait.items():
        traits.setdefault(trait.name, {})[trait.value] = sketch
    found: dict[str, Concentration] = {}
    for name, values in sorted(traits.items()):
        alone = {value: sketch for value, sketch in values.items() if value != OTHERS}
        if len(values) < 2 or not alone:
            continue
        value = min(alone, key=lambda text: (-alone[text].total_ns, text))
        share = alone[value].total_ns / row.times.total_ns
        rest = added_up(sketch for other, sketch in values.items() if other != value)
        apart = slower(rest, alone[value], 0.0)
        if share >= SHARED_BY and apart is not None and apart.share >= SHARED_BY:
            found[name] = {"value": value, "share": round(share, 6)}
    return found
