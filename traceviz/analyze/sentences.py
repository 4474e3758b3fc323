"""A row of failing hops ▸ the sentence that a person on call reads."""

from __future__ import annotations

from collections.abc import Mapping

from traceviz.analyze.reasons import LOOK_AT
from traceviz.documents import FailingHop
from traceviz.notes import catalogue


def ends_of(row: FailingHop) -> dict[str, str]:
    """Who there is to look at, by what they are of the row."""
    return {"caller": row["caller"] or "the user", "callee": row["callee"], "blame": row["blame"] or "the user"}


def sentence(row: FailingHop, of_calls: int, of_traces: int, ends: Mapping[str, str]) -> str:
    """What a person on call reads: who, what, how often, why, who felt it, where to look.

    `ends` are who there is to look at, as `ends_of` gives them. One call and one trace have no shares.
    """
    callers = " and ".join(list(row["callers"])[:2]) + (" and others" if len(row["callers"]) > 2 else "")
    who = f"{callers} → {row['callee']}" if callers else f"requests to {row['callee']}"
    failed = f"{percent(row['calls'] / of_calls)} of {of_calls} calls" if of_calls else counted(row["calls"], "call")
    who = who if of_calls == 1 else f"{who}: {failed}"
    answered = " or ".join(status for status in row["statuses"] if not _says_nothing_wrong(status))
    answers = f" with {answered}" if answered else " without an answer" if "0" in row["statuses"] else ""
    meaning = catalogue()[row["reason"]].explanation.split("\n")[0].rstrip(".")
    flags = f" ({', '.join(row['flags'])})" if row["flags"] else ""
    parts = [f"{who} failed{answers}: {meaning[0].lower()}{meaning[1:]}{flags}."]
    if row["where"] == "callee" and row["blame"] not in (None, row["callee"]):
        parts.append(f"{row['blame']} held the time.")
    for trait, shared in row["concentrated_in"].items():
        parts.append(f"{percent(shared['share'])} of the failing calls have {trait} {shared['value']}.")
    parts.append(_felt(row) if of_traces > 1 else _felt_in_one(row))
    # Where a user left, somebody had kept that user waiting.
    kept_waiting = row["reason"] == "client-gone" and row["where"] == "callee"
    look_at = ("what {blame} was doing" if kept_waiting else LOOK_AT[row["reason"]]).format(**ends)
    parts.append(f"Look at {look_at}" if look_at.endswith("?") else f"Look at {look_at}.")
    return " ".join(parts)


def _says_nothing_wrong(status: str) -> bool:
    """Whether a failed call's status is not what was wrong with it: none came, or the callee's half was content."""
    return status in ("0", "grpc 0") or (status.isdecimal() and int(status) < 400)


def _felt(row: FailingHop) -> str:
    """Who felt it, who absorbed it, and in how many traces that cannot be known because they are torn."""
    absorbers = [name for name in row["absorbed_by"] if name != "unknown"][:2]
    torn = row["absorbed_by"].get("unknown", 0)
    said = []
    if row["failed_traces"]:
        explains = percent(row["explains"] or 0.0)
        said.append(f"Users felt it in {counted(row['failed_traces'], 'request')}, {explains} of those that failed")
    elif not torn:
        said.append("No user felt it")
    if absorbers:
        names = " and ".join("a retry" if name == "retry" else name for name in absorbers)
        said.append(
            f"{names} absorbed {row['absorbed_traces'] - torn if torn or row['failed_traces'] else 'all of it'}"
        )
    if torn:
        said.append(f"whether users felt it in {counted(torn, 'torn trace')} is not known")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _felt_in_one(row: FailingHop) -> str:
    """The same of the only trace."""
    if row["failed_traces"]:
        return "The user felt it."
    absorbers = " and ".join("a retry" if name == "retry" else name for name in row["absorbed_by"] if name != "unknown")
    if "unknown" in row["absorbed_by"]:
        return "Whether the user felt it is not known, because the trace is torn."
    return f"No user felt it; {absorbers} absorbed it." if absorbers else "No user felt it."


def counted(number: int, noun: str) -> str:
    """`1 call`, `66 calls`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percent(share: float) -> str:
    """`0.5303` ▸ `53 %`; small shares keep a digit, and only none is 0 %, only all is 100 %."""
    if 0 < share < 0.01:
        return f"{max(share * 100, 0.1):.1f} %"
    if 0.99 < share < 1:
        return f"{min(share * 100, 99.9):.1f} %"
    return f"{share * 100:.0f} %"
