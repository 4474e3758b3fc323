"""The full numbers behind a node or an edge, as the lines of a tooltip."""

from __future__ import annotations

from collections.abc import Sequence

from traceviz.documents import Distribution, Edge, Node
from traceviz.render.marks import Mark
from traceviz.render.words import count, counted, millis, name, share, shorten, tally

#: Even a tooltip has an end: names of ten thousand characters are cut here.
TOOLTIP_CELLS = 300


def node_tooltip(node: Node, marks: Sequence[Mark]) -> str:
    """Name, kind, aliases, versions, calls, errors, entry, own time, and what the ranking says; `\\n` between lines."""
    lines = [name(node["name"]), node["kind"]]
    if others := [name(alias) for alias in node["aliases"] if alias != node["name"]]:
        lines.append(f"also reported as {', '.join(others)}")
    if node["versions"]:
        lines.append(f"versions: {', '.join(name(version) for version in node['versions'])}")
    if node["calls"]:
        lines.append(f"received {counted(node['calls'], 'call')}, {_errors(node['errors'], node['error_rate'])}")
    if node["entry_calls"]:
        lines.append(f"{counted(node['entry_calls'], 'request')} entered the mesh here")
    if (waited := node.get("critical_share")) is not None:
        lines.append(f"its own work is {share(waited)} of the time that users waited")
    if node["entered_by"]:
        lines.append(f"sent by {tally(node['entered_by'])}")
    lines += _times("own time", node["self_ms"])
    return _joined(lines, marks)


def edge_tooltip(edge: Edge, marks: Sequence[Mark], unseen: bool) -> str:
    """Both names, every number of the edge, and what the ranking says; `\\n` between lines."""
    lines = [f"{shorten(name(edge['caller']), 140)} → {shorten(name(edge['callee']), 140)}"]
    rate = "" if edge["calls_per_s"] is None else f" ({edge['calls_per_s']:.3g} per second)"
    lines.append(f"{counted(edge['calls'], 'call')}{rate}, {_errors(edge['errors'], edge['error_rate'])}")
    if edge["attempts"] != edge["calls"]:
        lines.append(f"{counted(edge['attempts'], 'attempt')}, {count(edge['failed_attempts'])} failed")
    if joined := edge.get("joined"):
        lines.append(f"{counted(joined, 'call')} began a trace of {'its' if joined == 1 else 'their'} own; joined")
    if (waited := edge.get("critical_share")) is not None:
        way = share(edge.get("critical_way_share") or 0.0)
        lines.append(f"users waited for it {share(waited)} of their time, {way} on the way to the callee and back")
    if edge["unanswered"]:
        lines.append(f"{count(edge['unanswered'])} calls never reached the callee, as far as its spans tell")
    lines.append(f"{edge['kind']}, {edge['protocol'] or 'protocol not known'}, seen from {_SEEN[edge['seen_from']]}")
    if unseen and not edge["unanswered"]:
        lines.append("the callee has no spans of its own")
    if edge["statuses"]:
        lines.append(f"statuses: {tally(edge['statuses'], most=8)}")
    if edge["flags"]:
        lines.append(f"flags: {tally(edge['flags'], most=8)}")
    lines += _times("caller", edge["client_ms"]) + _times("callee", edge["server_ms"]) + _times("gap", edge["gap_ms"])
    return _joined(lines, marks)


_SEEN = {"both": "both sides", "caller": "the caller only", "callee": "the callee only"}


def _errors(errors: int, rate: float | None) -> str:
    return counted(errors, "error") + ("" if rate is None else f" ({share(rate)})")


def _times(side: str, times: Distribution | None) -> list[str]:
    if times is None:
        return []
    shown = ("mean", times["mean"]), ("p50", times["p50"]), ("p90", times["p90"]), ("p95", times["p95"])
    rest = ("p99", times["p99"]), ("max", times["max"])
    return [f"{side}: {', '.join(f'{what} {millis(value)}' for what, value in (*shown, *rest))}"]


def _joined(lines: Sequence[str], marks: Sequence[Mark]) -> str:
    said = dict.fromkeys(f"× {mark.rank or ''}".rstrip() + f" {mark.text}" for mark in marks)
    return "\n".join(shorten(line, TOOLTIP_CELLS) for line in (*lines, *said))
