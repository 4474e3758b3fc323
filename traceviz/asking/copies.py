"""Spans that came several times because their trace was in several answers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from traceviz.spans import Bools, Spans


def without_copies(spans: Spans, traces: Collection[str]) -> Spans:
    """The rows, those of `traces` (ids) once each. Rows are copies where everything that tells spans apart is equal;
    a span that its own program sent twice is one, too, which a trace that came once would have noted."""
    copied: Bools = np.array([trace_id in traces for trace_id in spans.trace_ids], np.bool_)[spans.trace]
    rows = np.flatnonzero(copied)
    if not len(rows):
        return spans
    columns = (
        *(spans.trace, spans.span_id, spans.parent_id, spans.start_ns, spans.duration_ns),
        *(spans.service, spans.operation, spans.kind),
    )
    keys = np.stack([column[rows].astype(np.uint64) for column in columns], axis=1)
    first = np.unique(keys, axis=0, return_index=True)[1]
    keep = ~copied
    keep[rows[first]] = True
    return spans.take(keep)
