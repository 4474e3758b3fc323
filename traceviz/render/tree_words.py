"""What is said about a trace in words: above its drawing, in a fold, below what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from traceviz.documents import TreeDocument
from traceviz.render.tree_folding import Entry, Fold
from traceviz.render.words import count, counted, millis, moment, name, shorten, sources

NAME_CELLS = 32


@dataclass(frozen=True, slots=True)
class HeadWords:
    """Which trace it is, what was read, and how it ended; `failed` is whether its user got an error."""

    trace: str
    when: str
    facts: str
    verdict: str
    failed: bool


def head_words(document: TreeDocument) -> HeadWords:
    """The words above a drawing."""
    counts = document["counts"]
    started = moment(document["window"]["from"])
    when = "time not known" if started is None else f"{started:%Y-%m-%d %H:%M:%S}.{started.microsecond // 1000:03} UTC"
    facts = [millis(document["duration_ms"]), counted(counts["spans"], "span")]
    facts += [counted(len(document["calls"]), "call"), counted(counts["services"], "service"), _ended(document)]
    if came_from := sources(document, 40):
        facts.append(f"from {came_from}")
    return HeadWords(
        trace=f"trace {shorten(name(document['trace_id']), 40)}",
        when=when,
        facts=", ".join(part for part in facts if part),
        verdict=_verdict(document),
        failed=bool(counts["failed_traces"]),
    )


def _ended(document: TreeDocument) -> str:
    counts = document["counts"]
    if counts["fragments"]:
        return "a fragment of a torn trace"
    return "failed" if counts["failed_traces"] else ""


def _verdict(document: TreeDocument) -> str:
    """The sentence about the call that broke first, else that nothing did."""
    if document["text"] is not None:
        return f"× {name(document['text'])}"
    if any(call["error"] for call in document["calls"]):
        return "× There are errors, and no call in which they began."
    if saved := sum(call["failed_attempts"] > 0 for call in document["calls"]):
        was = "was" if saved == 1 else "were"
        return f"No call failed in the end: {counted(saved, 'call')} {was} saved by a retry."
    if failed := sum(span["error"] for span in document["spans"]):
        are, them = ("is", "it") if failed == 1 else ("are", "them")
        return (
            f"× No call failed, and {counted(failed, 'span')} {are} marked as failed all the same: --spans has {them}."
        )
    return "No call failed."


def fold_words(fold: Fold) -> str:
    """`+ 997 more of catalog, 3 failed, 1.2 ms to 40 ms`"""
    parts = [f"+ {count(fold.siblings)} more of {shorten(name(fold.name), NAME_CELLS)}", *fold_facts(fold)]
    return ", ".join(parts)


def fold_facts(fold: Fold) -> list[str]:
    """What is said of folded calls beside how many they are."""
    facts = [f"{count(fold.failing)} broke"] if fold.failing else []
    facts += [f"{count(fold.failed)} failed"] if fold.failed else []
    shortest, longest = millis(fold.shortest_ms), millis(fold.longest_ms)
    facts.append(shortest if shortest == longest else f"{shortest} to {longest}")
    facts += [f"{counted(fold.below, 'call')} below"] if fold.below else []
    facts += [f"{count(fold.critical)} on the critical path"] if fold.critical else []
    return facts


def left_out_words(entries: Iterable[Entry], where: str) -> list[str]:
    """How many calls are not shown one by one, and `where` all of them are; nothing where all are shown."""
    folds = [entry.fold for entry in entries if entry.fold is not None]
    hidden = sum(fold.siblings + fold.below for fold in folds) + sum(entry.between for entry in entries)
    return [f"{counted(hidden, 'call')} not shown one by one; {where} has them all"] if hidden else []
