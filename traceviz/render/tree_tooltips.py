"""The full numbers behind a call or a span of one trace, as the lines of a tooltip."""

from __future__ import annotations

from collections.abc import Sequence

from traceviz.render.tooltips import TOOLTIP_CELLS
from traceviz.render.tree_folding import Fold
from traceviz.render.tree_rows import TreeRow, attempts
from traceviz.render.tree_words import fold_words
from traceviz.render.words import millis, name, shorten

FOLDS = 12


def row_tooltip(row: TreeRow) -> str:
    """Who called whom, what for, when, every time, status and flags, and what broke; `\\n` between lines."""
    lines = [
        name(row.name) if row.caller is None else f"{shorten(name(row.caller), 140)} → {shorten(name(row.name), 140)}"
    ]
    lines += [name(row.operation), f"from {millis(row.start_ms)} to {millis(row.end_ms)} of the trace"]
    times = (("took", row.duration_ms), ("callee", row.server_ms), ("gap", row.gap_ms), ("self", row.self_ms))
    lines.append(", ".join(f"{what} {millis(value)}" for what, value in times if value is not None))
    kinds = [row.role, row.protocol, "asynchronous" if row.asynchronous else None, attempts(row) or None]
    lines.append(", ".join(name(kind) for kind in kinds if kind is not None))
    lines += ["status and flags: " + " ".join(row.signs)] if row.signs else []
    lines += ["failed"] if row.error else []
    lines += ["the callee was never reached, or has no spans of its own"] if row.unseen else []
    lines += ["on the critical path"] if row.critical else []
    lines += [f"× {row.why}"] if row.why else []
    lines += [f"span {name(row.span_id)}"] if row.span_id is not None else []
    return "\n".join(shorten(line, TOOLTIP_CELLS) for line in lines if line)


def fold_tooltip(folded: Sequence[Fold]) -> str:
    """What is folded, a line a name."""
    more = [f"… and {len(folded) - FOLDS} more"] if len(folded) > FOLDS else []
    return "\n".join([*(fold_words(one) for one in folded[:FOLDS]), *more])
