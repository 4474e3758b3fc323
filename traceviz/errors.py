"""What can go wrong, as a tree: each carries the exit code of CONTRACT and what to try next."""

from __future__ import annotations


class TracevizError(Exception):
    """An expected trouble: said in one sentence, with a remedy where there is one.

    `exit_code` is the one the command line ends with; `remedy` is a sentence or a command to try next.
    """

    exit_code = 70

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageError(TracevizError):
    """What was asked for makes no sense: a bad option, a file that does not exist."""

    exit_code = 2


class NothingFound(TracevizError):
    """The source answered, but holds no such trace or no such service."""

    exit_code = 3


class NothingReadable(TracevizError):
    """There was input, and not one span of it could be read."""

    exit_code = 65


class SourceFailed(TracevizError):
    """The Jaeger could not be reached, refused, or failed."""

    exit_code = 69


class DrawingFailed(TracevizError):
    """The layout engine failed, took too long, or is not installed."""


class MissingPackage(TracevizError):
    """A package that only this needs is not installed."""
