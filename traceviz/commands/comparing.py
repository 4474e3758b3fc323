"""`--baseline`: the same counts of other traces beside those of a window, for `slow`, `why` and `errors`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import click

from traceviz import when
from traceviz.analyze.counting import Baseline, Counted, Counts
from traceviz.analyze.report import Report
from traceviz.asking.access import DEFAULT_URL, Access
from traceviz.commands.delivery import Product, Run
from traceviz.errors import NothingFound, UsageError
from traceviz.options import with_options
from traceviz.sources.files import STDIN
from traceviz.wanted import Wanted
from traceviz.why.by_version import ByVersions

_Command = TypeVar("_Command", bound=Callable[..., Any])


def baseline(command: _Command) -> _Command:
    """What a window is compared with."""
    return with_options(
        command,
        (
            click.option(
                "--baseline",
                metavar="TARGET",
                help="Compare with these traces: a file, a glob in quotes, the URL of a Jaeger.",
            ),
            click.option(
                "--baseline-since",
                metavar="DURATION",
                help="Compare with what was before the window, from so far back, like 1d.",
            ),
            click.option(
                "--baseline-version",
                metavar="VERSION",
                help="Compare other versions of a workload with this one, like v1.",
            ),
        ),
    )


@dataclass(frozen=True)
class Compared(Generic[Counts]):
    """The report and the counts of a window, and its baseline where there is one."""

    report: Report
    counts: Counts
    baseline: Baseline[Counts] | None


class Comparing:
    """What the options of `baseline` say; takes them out of a command's options."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._target: str | None = options.pop("baseline")
        since: str | None = options.pop("baseline_since")
        self._since_ns = None if since is None else when.parse_duration(since)
        self._version: str | None = options.pop("baseline_version")
        # Beside files it is the only Jaeger, and what is said of who asks is for it.
        self._alone = _is_url(self._target) and bool(options["targets"]) and options["url"] is None
        self._alone = self._alone and not any(map(_is_url, options["targets"]))
        if self._alone:
            options["url"] = self._target
        given = [
            option
            for option, value in (
                ("--baseline", self._target),
                ("--baseline-since", since),
                ("--baseline-version", self._version),
            )
            if value is not None
        ]
        if self._target == "":
            raise UsageError("--baseline names nothing", "A file, a glob in quotes, or the URL of a Jaeger")
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other", "Compare with one thing at a time")

    @property
    def given(self) -> bool:
        """Whether anything is compared."""
        return self._target is not None or self._since_ns is not None or self._version is not None

    def each(self, run: Run, fresh: Callable[[], Counts], made: Callable[[Compared[Counts]], Product]) -> None:
        """Deliver what is made of the window, and of what it is compared with, which is read once."""
        self._check(run)
        if self._version is not None:
            run.each(partial(ByVersions, fresh), lambda read: made(self._by_version(read)))
            return
        theirs = run.access
        if self._alone:
            run.access = replace(theirs, url=DEFAULT_URL)
        read_once: list[Baseline[Counts]] = []

        def beside(now: Counted[Counts]) -> Product:
            # Half of a window, or of a baseline, would differ for that alone.
            if self.given and not read_once and not run.interrupted:
                read_once.append(self._baseline(run, theirs, fresh, now.report))
            return made(Compared(now.report, now.counts, read_once[0] if read_once and not run.interrupted else None))

        run.each(fresh, beside)

    def _by_version(self, read: Counted[ByVersions[Counts]]) -> Compared[Counts]:
        assert self._version is not None
        now, before = read.counts.sides(self._version, read.report)
        return Compared(now.report, now.counts, before)

    def _check(self, run: Run) -> None:
        if self._since_ns is not None and STDIN in run.targets:
            raise UsageError(
                "standard input can be read once, and --baseline-since reads it twice", "Keep it in a file"
            )
        if self._target == STDIN and STDIN in run.targets:
            raise UsageError("standard input can be one side only")

    def _baseline(self, run: Run, access: Access, fresh: Callable[[], Counts], window: Report) -> Baseline[Counts]:
        targets, wanted, access = self._where(run, access, window)
        try:
            other = run.count(fresh, targets, wanted, access)
        except NothingFound as nothing:
            remedy = "Go further back, with --baseline-since" if self._since_ns is not None else nothing.remedy
            raise NothingFound(f"baseline: {nothing}", remedy) from nothing
        return Baseline(other.report, other.counts)

    def _where(self, run: Run, access: Access, window: Report) -> tuple[tuple[str, ...], Wanted, Access]:
        wanted = run.wanted
        if self._target is not None:
            if not _is_url(self._target):
                # The file is the baseline, from its first trace to its last.
                wanted = replace(wanted, since_ns=None, from_ns=None, to_ns=None, limit=None, everything=False)
                return (self._target,), wanted, access
            return (self._target,), wanted, _access_to(self._target, access)
        from_ns = window.asked.from_ns
        end_ns = window.asked.to_ns if window.asked.to_ns is not None else window.last_ns
        if from_ns is None or end_ns is None or self._since_ns is None:
            raise UsageError(
                "--baseline-since compares a window with what was before it, and there is no window",
                "Name one with --since or --from",
            )
        if end_ns - self._since_ns >= from_ns:
            raise UsageError(
                "--baseline-since goes no further back than the window itself", "Make it longer, like 1d beside 1h"
            )
        earlier = replace(wanted, since_ns=None, from_ns=max(end_ns - self._since_ns, 0), to_ns=from_ns - 1)
        return run.targets, earlier, access


def _is_url(target: str | None) -> bool:
    return target is not None and target.startswith(("http://", "https://"))


def _access_to(url: str, access: Access) -> Access:
    """How another Jaeger is reached: what was said of who asks is for the one that was named first, and goes nowhere
    else."""
    mine, theirs = urlsplit(access.url), urlsplit(url)
    if (mine.scheme, mine.hostname, mine.port) == (theirs.scheme, theirs.hostname, theirs.port):
        return replace(access, url=url)
    return Access(url, timeout_s=access.timeout_s, parallel=access.parallel, ca_cert=access.ca_cert)
