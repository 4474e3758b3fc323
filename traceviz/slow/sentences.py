"""A row of slow hops ▸ the sentence that a person on call reads."""

from __future__ import annotations

from traceviz.analyze.sentences import counted, percent
from traceviz.documents import SlowHop
from traceviz.slow.reasons import LOOK_AT

_OPENINGS = {
    "delay-injected": "{way}: a delay was injected on purpose (DI), {share} of the time that users waited",
    "slow": "{callee} itself took {share} of the time that users waited",
    "network": "{way}: on the way between the two {share} of the time that users waited passed",
    "proxy": "{way}: the proxy of {blame} kept requests for {share} of the time that users waited",
    "waits-for-timeout": "{share} of the time that users waited went by until a deadline ran out, while {callee} was "
    "still at work",
    "more-calls": "{callee}, which is called more often than before, took {share} of the time that users waited",
}


def sentence(row: SlowHop, *, own: bool) -> str:
    """Where the time went, how much of it, how that was before, what it explains, where to look. `own`: what it is
    compared with are the window's own fast requests."""
    callers = " and ".join(list(row["callers"])[:2]) + (" and others" if len(row["callers"]) > 2 else "")
    words = {
        "way": f"{callers} → {row['callee']}" if callers else f"requests to {row['callee']}",
        "callee": row["callee"],
        "blame": row["blame"],
        "caller": row["caller"] or "the user",
        "share": percent(row["share"]),
    }
    parts = [f"{_OPENINGS[row['reason']].format(**words)}{_per_call(row, own)}."]
    if row["explains"]:
        since = "what slow requests take longer than fast ones" if own else "what users wait longer than before"
        parts.append(f"That is {percent(row['explains'])} of {since}.")
    for trait, shared in row["concentrated_in"].items():
        parts.append(f"{percent(shared['share'])} of it is in {trait} {shared['value']}.")
    parts.append(f"Look at {LOOK_AT[row['reason']].format(**words)}.")
    return " ".join(parts)


def _per_call(row: SlowHop, own: bool) -> str:
    """How long a call takes there, and took before."""
    times, before = row["self_ms"], row["baseline_ms"]
    if times is None:
        return ""
    requests = counted(row["traces"], "request")
    if row["reason"] == "more-calls" and row["calls_per_request"] and row["baseline_calls_per_request"]:
        was = row["baseline_calls_per_request"]
        return f": {row['calls_per_request']:.1f} calls a request, {was:.1f} {'in fast ones' if own else 'before'}"
    said = f": {_ms(times['p50'])} a call, for one in twenty {_ms(times['p95'])} or more, in {requests}"
    if before is None:
        return said
    return f"{said}; {'in fast requests' if own else 'before'} it was {_ms(before['p50'])}"


def _ms(value: float) -> str:
    """Three digits are enough: `7.46 ms`, `251 ms`, `1,890 ms`."""
    if value >= 100:
        return f"{value:,.0f} ms"
    return f"{value:.3g} ms"
