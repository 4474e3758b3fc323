"""Folded stacks, `frame;frame;frame NUMBER` a line, as flamegraph.pl, inferno and speedscope read them.

Names of strangers cannot break a line: `;` and `%` are written as in a URL, and so is the blank before a number at the
end of a frame, which readers would take for a second value. A line's number is in ns, or counts failures.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import unquote

from traceviz.documents import FlameDocument
from traceviz.render.frames import check, stacks, value

_ENDS_IN_NUMBER = re.compile(r"\s(?=[\d.]+\Z)")


def folded(document: FlameDocument, by: str = "critical") -> str:
    """A line for every stack with a value, sorted. Raises UsageError for a value that there is not."""
    shown = check(by)
    lines: Counter[str] = Counter()
    for frame, stack in zip(document["frames"], stacks(document["frames"]), strict=True):
        lines[";".join(map(escaped, stack))] += value(frame, shown)
    return "".join(f"{stack} {number}\n" for stack, number in sorted(lines.items()) if number)


def escaped(frame: str) -> str:
    """A frame of a line: `unquote` gives the label back."""
    frame = frame.replace("%", "%25").replace(";", "%3B")
    return _ENDS_IN_NUMBER.sub("%20", frame)


def parsed(text: str) -> dict[tuple[str, ...], int]:
    """Labels from the first to the last frame ▸ number, of lines as `folded` writes them."""
    lines = (line.rpartition(" ") for line in text.splitlines())
    return {tuple(unquote(frame) for frame in stack.split(";")): int(number) for stack, _, number in lines}
