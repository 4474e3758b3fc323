"""Counts by calling context ▸ the flame document, under the names of nodes. Derived after the last merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from traceviz.analyze.contexts import DEEPEST
from traceviz.analyze.flame import MOST_FRAMES, FlameCounts, Frame, FrameCounts
from traceviz.analyze.resolved import Resolved
from traceviz.documents import FlameDocument, FlameFrame, FrameKind
from traceviz.notes import define

FRAMES_FOLDED = define(
    "frames-folded",
    "{count} {count:frame stands|frames stand} for all calling contexts beneath {count:it|them}, which are too many or "
    "too deep",
    f"""A flame graph has at most {MOST_FRAMES:,} calling contexts, none deeper than {DEEPEST} calls.

    Sign: a frame `…`, whose time and errors are all those beneath the frame that it is in. The examples are what it is
    in. No time is lost.

    Cause: a service that calls itself in a loop, directly or through others; very many different ways of calls; or
    names of operations that hold an id that is not known as one. Names with a digit go first.

    What to do: nothing for a loop that is meant. Else `--service`, `--operation` or a shorter `--since`; names of
    operations without values in them (`http.route` in the program's instrumentation).""",
)


class _Name(NamedTuple):
    """A frame by the name of its node, in the order of siblings."""

    service: str
    operation: str
    kind: FrameKind


@dataclass(slots=True)
class _Place:
    counts: FrameCounts = field(default_factory=FrameCounts)
    beneath: dict[_Name, _Place] = field(default_factory=dict)


def flame_document(resolved: Resolved, counts: FlameCounts) -> FlameDocument:
    """The flame document of the same traces' report and counts. Contexts without time and errors have no frame."""
    top = _Place()
    for path, counted in counts.frames.items():
        if counted == FrameCounts():
            continue
        place = top
        for frame in path:
            place = place.beneath.setdefault(_named(resolved, frame), _Place())
        place.counts.merge(counted)
    frames = _frames(top)
    folded = [frames[frame["parent"]] for frame in frames if frame["kind"] == "folded" and frame["parent"] is not None]
    resolved.notes.add(
        FRAMES_FOLDED,
        sum(frame["kind"] == "folded" for frame in frames),
        sorted(f"{frame['service']} {frame['operation'] or ''}".rstrip() for frame in folded),
    )
    return {**resolved.head("flame"), "frames": frames}


def _named(resolved: Resolved, frame: Frame) -> _Name:
    service = "" if frame.party is None else resolved.names.workload(frame.party)
    return _Name(service, frame.operation, frame.kind)


def _frames(top: _Place) -> list[FlameFrame]:
    """All places beneath the top in drawing order."""
    frames: list[FlameFrame] = []
    waiting: list[tuple[int | None, int, _Name, _Place]] = [(None, 0, *item) for item in _last_first(top)]
    while waiting:
        parent, depth, name, place = waiting.pop()
        waiting += [(len(frames), depth + 1, *item) for item in _last_first(place)]
        frames.append(
            {
                "parent": parent,
                "depth": depth,
                "kind": name.kind,
                "service": name.service or None,
                "operation": name.operation or None,
                "critical_ns": place.counts.critical_ns,
                "self_ns": place.counts.self_ns,
                "errors": place.counts.errors,
            }
        )
    return frames


def _last_first(place: _Place) -> list[tuple[_Name, _Place]]:
    return sorted(place.beneath.items(), key=lambda item: item[0], reverse=True)
