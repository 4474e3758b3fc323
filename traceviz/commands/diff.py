"""traceviz diff"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import click

from traceviz.analyze.by_version import diff_versions
from traceviz.analyze.counting import ReportAlone
from traceviz.analyze.diff import diff as compared
from traceviz.analyze.diff import differs
from traceviz.analyze.groups import GroupBy
from traceviz.analyze.narrow_diff import narrow_diff
from traceviz.analyze.report import report
from traceviz.between import read_between
from traceviz.commands.delivery import Run
from traceviz.connecting import Sectioned
from traceviz.documents import DiffDocument, DiffEdge
from traceviz.errors import NothingFound, UsageError
from traceviz.options import drawing, grouping, joining, judgement, near, output, planes, rows, selection
from traceviz.sources.files import STDIN
from traceviz.target import jaeger_meant
from traceviz.wanted import Wanted

FORMATS = ("table", "wide", "json", "csv", "dot", "svg", "png", "pdf", "mermaid")
DIFFERENT = 1

_WAYS = (
    "Name two files or globs, BEFORE and AFTER (a glob in quotes); or two times of one target, --before 2h..1h --after "
    "1h..now; or two versions, --by-version v1 v2"
)


@click.command(cls=Sectioned)
@selection
@click.option("--before", metavar="FROM..TO", help="The one time: 2h..1h, now-2h..now-1h, RFC 3339 or epochs.")
@click.option("--after", metavar="FROM..TO", help="The other: 1h..now. On files they count back from the last span.")
@click.option("--by-version", nargs=2, metavar="V1 V2", help="Compare the calls to and from two versions.")
@output(FORMATS)
@planes
@joining
@rows
@judgement("p95_ratio > 2")
@grouping
@near
@drawing
def diff(
    before: str | None,
    after: str | None,
    by_version: tuple[str, str] | None,
    group_by: GroupBy,
    focus: str | None,
    depth: int,
    hide: tuple[str, ...],
    theme: Literal["light", "dark"],
    dot_command: str | None,
    **options: Any,
) -> None:
    """What changed between two times, files or versions, and which of it is chance.

    Exits with 1 where an edge was added or removed, or changed beyond chance.

    \b
    traceviz diff monday.jsonl.gz tuesday.jsonl.gz
    traceviz diff --service istio-ingress --before 2h..1h --after 1h..now
    traceviz diff --by-version v1 v2 --since 1h
    traceviz diff before.json after.json -O diff.svg
    """
    if by_version is not None and group_by != "service":
        raise UsageError("--by-version and --group-by exclude each other", "Leave one of them out")
    run = Run(options, FORMATS, DiffEdge)
    if by_version is not None:
        if before is not None or after is not None:
            raise UsageError("--by-version and --before and --after exclude each other", _WAYS)
        read = run.count(_grouped("version"), run.targets, run.wanted, run.access)
        document = diff_versions(read.report, *by_version)
        if run.interrupted:
            run.end()
    else:
        document = _between_two(run, _sides(run, before, after), group_by)
    document = narrow_diff(document, hide=hide, focus=focus, depth=depth)
    code = DIFFERENT if differs(document) else 0
    run.deliver(document, document["edges"], code, theme=theme, dot_command=dot_command)


_Target = tuple[Sequence[str], Wanted]


def _sides(run: Run, before: str | None, after: str | None) -> tuple[_Target, _Target]:
    """The targets of both sides, and what is wanted of each."""
    if before is None and after is None:
        if len(run.targets) != 2:
            raise UsageError(f"diff compares two things, and {len(run.targets) or 'none'} was named", _WAYS)
        if run.targets[0] == run.targets[1] == STDIN:
            raise UsageError("standard input can be one side only", _WAYS)
        return (run.targets[:1], run.wanted), (run.targets[1:], run.wanted)
    if before is None or after is None:
        raise UsageError(f"{'--before' if before is None else '--after'} is missing", _WAYS)
    if {"--since", "--from", "--to"} & set(run.wanted.given):
        raise UsageError("--before and --after say the times, and so do --since, --from and --to", _WAYS)
    if STDIN in run.targets:
        raise UsageError("standard input can be read once, and two times of it are to be compared", "Keep it in a file")
    now_ns = time.time_ns()
    times = (read_between(option, text, now_ns) for option, text in (("--before", before), ("--after", after)))
    if jaeger_meant(run.targets, run.access) is not None:
        # Reading takes its time, and both count back from the same now.
        times = (one.fixed(now_ns) for one in times)
    earlier, later = (replace(run.wanted, between=one) for one in times)
    return (run.targets, earlier), (run.targets, later)


def _grouped(group_by: GroupBy) -> Callable[[], ReportAlone]:
    return partial(ReportAlone, partial(report, group_by=group_by))


def _between_two(run: Run, sides: tuple[_Target, _Target], group_by: GroupBy) -> DiffDocument:
    reports = []
    for which, (targets, wanted) in zip(("before", "after"), sides, strict=True):
        with _naming(which):
            reports.append(run.count(_grouped(group_by), targets, wanted, run.access).report)
        if run.interrupted:
            # Half of a side would differ from the other for that alone.
            run.end()
    return compared(*reports)


@contextmanager
def _naming(which: str) -> Iterator[None]:
    """Say which side it is that has nothing to compare."""
    try:
        yield
    except NothingFound as nothing:
        raise NothingFound(f"{which}: {nothing}", nothing.remedy) from nothing
