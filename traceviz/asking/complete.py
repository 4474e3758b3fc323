"""Traces that came without some of their spans, asked for again by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait

import numpy as np

from traceviz.asking.oversight import Oversight
from traceviz.asking.page import Page
from traceviz.asking.query import Jaeger
from traceviz.asking.workers import Workers
from traceviz.errors import SourceFailed
from traceviz.notes import define
from traceviz.spans import Ids, Spans

COMPLETED = define(
    "completed-by-id",
    "{count} {count:trace|traces} came with parents missing and {count:was|were} completed by asking for the id",
    """A search gave traces without all of their spans; asked for by their ids they had more.

    Cause: Elasticsearch and its kin read only the spans near the window of the search; or spans arrived in between.

    What to do: nothing. `--complete 0` asks for none.
    """,
)
NOT_COMPLETED = define(
    "not-asked-again",
    "{count} more {count:trace|traces} with parents missing {count:was|were} not asked for by id: see --complete",
    """Traces in which parents are missing are asked for again by id, up to a bound, and it was reached while that
    brought spans, or before it was known to bring none.

    What to do: a larger `--complete`, which costs a request for every such trace.
    """,
)

#: Where so many traces came back as they were, the storage gives whole traces already.
_IN_VAIN = 8
_LOOK_S = 0.2


def incomplete(spans: Spans) -> dict[str, int]:
    """The traces in which a span names a parent that is not there, with the number of their spans. For Spans of whole
    traces."""
    odd = np.uint64(0x9E3779B97F4A7C15)  # one number for trace and span; two that are equal by chance are 1 in 2**64
    place: Ids = spans.trace.astype(np.uint64) * odd
    here, parent = (spans.span_id + place) * odd, (spans.parent_id + place) * odd
    missing = (spans.parent_id != 0) & ~np.isin(parent, here)
    sizes = np.bincount(spans.trace, minlength=len(spans.trace_ids))
    return {spans.trace_ids[i]: int(sizes[i]) for i in np.unique(spans.trace[missing])}


def complete(
    jaeger: Jaeger, torn: Mapping[str, int], bound: int, parallel: int, oversight: Oversight
) -> Iterator[Page]:
    """Ask for traces (id ▸ number of its spans that came) again, at most `bound` of them, and give the answers that
    have more spans now. It ends early where asking brings nothing, or fails. Notes go to the jaeger's."""
    wanted = sorted(torn)
    grown = in_vain = asked = 0
    with Workers[Page](parallel) as workers:
        answers: list[tuple[str, Future[Page]]] = []
        while asked < min(bound, len(wanted)) and not oversight.stop.is_set():
            for trace_id in wanted[asked + len(answers) : min(asked + parallel, bound)]:
                answers.append((trace_id, workers.submit(jaeger.trace, trace_id)))
            if not wait([answers[0][1]], _LOOK_S).done:
                continue
            trace_id, answer = answers.pop(0)
            asked += 1
            try:
                page = answer.result()
            except SourceFailed:
                break  # what came is used, and nothing is known to be missing but the parents, which is noted
            if trace_id in page.spans.trace_ids and len(page.spans) > torn[trace_id]:
                grown += 1
                yield page
            else:
                in_vain += 1
                if in_vain >= _IN_VAIN and not grown:
                    break
    jaeger.notes.add(COMPLETED, grown)
    if asked >= bound > 0 and (grown or in_vain < _IN_VAIN):
        jaeger.notes.add(NOT_COMPLETED, len(wanted) - asked)
