"""Forest ▸ self time: of every span the part of its time in which it waited for none of its children."""

from __future__ import annotations

import numpy as np

from traceviz.analyze.edges import union_lengths
from traceviz.reconstruct import Forest
from traceviz.roles import Role
from traceviz.spans import Ints


def self_times(forest: Forest) -> Ints:
    """Duration minus the time that children cover, in ns, one per row; children may overlap each other, and count no
    further than the span itself. What consumers do with a message holds nobody up. Never negative."""
    start = forest.spans.start_ns + forest.shift_ns
    end = start + forest.spans.duration_ns
    child = np.flatnonzero((forest.parent >= 0) & (forest.role != Role.CONSUMER))
    parent = forest.parent[child]
    rows, covered = union_lengths(parent, np.maximum(start[child], start[parent]), np.minimum(end[child], end[parent]))
    own = forest.spans.duration_ns.copy()
    own[rows] -= covered
    return own
