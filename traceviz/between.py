"""`2h..1h`: a stretch of time between two instants, either of which may count back from an end that is known later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from traceviz import when
from traceviz.errors import UsageError
from traceviz.sources.names import shown


class End(NamedTuple):
    """An instant in ns since 1970, or so many ns `back` from the end."""

    ns: int
    back: bool

    def instant_ns(self, end_ns: int) -> int:
        """The instant; nothing began before 1970."""
        return max(end_ns - self.ns, 0) if self.back else self.ns


@dataclass(frozen=True)
class Between:
    """From one end to another. What counts back does so from now with a Jaeger, from the last span with files."""

    text: str
    begin: End
    finish: End

    def window(self, end_ns: int | None) -> tuple[int | None, int | None]:
        """From and to in ns, None for what counts back from an end that there is not. Raises UsageError where nothing
        is between them."""
        from_ns, to_ns = (
            None if end_ns is None and end.back else end.instant_ns(end_ns or 0) for end in (self.begin, self.finish)
        )
        if from_ns is not None and to_ns is not None and from_ns >= to_ns:
            raise UsageError(f"{shown(self.text)} ends before it begins", "The earlier instant stands first: 2h..1h")
        return from_ns, to_ns

    def fixed(self, end_ns: int) -> Between:
        """The same with both ends as instants, so that two of them count back from the same one."""
        begin, finish = (End(end.instant_ns(end_ns), back=False) for end in (self.begin, self.finish))
        return Between(self.text, begin, finish)


def read_between(option: str, text: str, now_ns: int) -> Between:
    """`2h..1h`, `1h..now`, `2026-11-23T00:00:00Z..2026-11-23T01:00:00Z`, epochs; without a second end, up to the last.

    Raises UsageError for anything else.
    """
    begin, dots, finish = text.strip().partition("..")
    if not dots or not begin.strip():
        raise UsageError(f"{option} {shown(text)} is no stretch of time", "Write it FROM..TO, like 2h..1h or 1h..now")
    between = Between(text, _end(begin, now_ns), _end(finish or "now", now_ns))
    if between.begin.back == between.finish.back:
        between.window(now_ns)
    return between


def _end(text: str, now_ns: int) -> End:
    """A duration or `now` counts back; anything else is an instant. `now-1h` is an hour back, as `1h` is."""
    wanted = "".join(text.split())
    if wanted == "now":
        return End(0, back=True)
    back = wanted.removeprefix("now-")
    if when.is_duration(back):
        return End(when.parse_duration(back), back=True)
    return End(when.parse_instant(text, now_ns), back=False)
