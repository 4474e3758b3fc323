"""A row of slow hops ▸ the sentence that a person on call reads."""

from __future__ import annotations

from traceviz.analyze.sentences import counted, percent
from traceviz.documents import BaselineDocument, SlowHop
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


#: What a row explains is said where so much of its calls is slower beyond chance: less is noise.
_LEAST_SURE = 0.05


def sentence(row: SlowHop, baseline: BaselineDocument | None) -> str:
    """Where the time went, how much, how that was in what it is compared with, what it explains, where to look."""
    callers = " and ".join(list(row["callers"])[:2]) + (" and others" if len(row["callers"]) > 2 else "")
    words = {
        "way": f"{callers} → {row['callee']}" if callers else f"requests to {row['callee']}",
        "callee": row["callee"],
        "blame": row["blame"],
        "caller": row["caller"] or "the user",
        "share": percent(row["share"]),
    }
    parts = [f"{_OPENINGS[row['reason']].format(**words)}{_per_call(row, _elsewhere(baseline))}."]
    if row["explains"] and (row["slower_share"] or 0.0) >= _LEAST_SURE:
        own = baseline is None or baseline["own"]
        since = (
            "what slow requests take longer than fast ones" if own else f"what users wait longer than {_then(baseline)}"
        )
        parts.append(f"That is {percent(row['explains'])} of {since}.")
    for trait, shared in row["concentrated_in"].items():
        parts.append(f"{percent(shared['share'])} of it is in {trait} {shared['value']}.")
    parts.append(f"Look at {LOOK_AT[row['reason']].format(**words)}.")
    return " ".join(parts)


def _then(baseline: BaselineDocument | None) -> str:
    return f"with version {baseline['version']}" if baseline and baseline["version"] else "before"


def _elsewhere(baseline: BaselineDocument | None) -> str:
    """In what a row is compared with."""
    return "in fast requests" if baseline is None or baseline["own"] else _then(baseline)


def _per_call(row: SlowHop, elsewhere: str) -> str:
    """How long a call takes there, and took elsewhere."""
    times, before = row["self_ms"], row["baseline_ms"]
    if times is None:
        return ""
    requests = counted(row["traces"], "request")
    if row["reason"] == "more-calls" and row["calls_per_request"] and row["baseline_calls_per_request"]:
        was = row["baseline_calls_per_request"]
        return f": {row['calls_per_request']:.1f} calls a request, {was:.1f} {elsewhere}"
    half, most = _ms(times["p50"]), _ms(times["p95"])
    long = f"{half} a call" if half == most else f"half of the calls within {half}, one in twenty {most} or more"
    said = f": {long}, in {requests}"
    return said if before is None else f"{said}; {elsewhere} it was {_ms(before['p50'])}"


def _ms(value: float) -> str:
    """Three digits are enough: `7.46 ms`, `251 ms`, `1,890 ms`."""
    if value >= 100:
        return f"{value:,.0f} ms"
    return f"{value:.3g} ms"
