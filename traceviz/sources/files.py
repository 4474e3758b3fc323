"""Files, globs and standard input ▸ chunks of Spans."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from traceviz.errors import UsageError
from traceviz.sources.header import Header
from traceviz.sources.reader import read_stream
from traceviz.spans import Spans

STDIN = "-"
_STDIN_NAME = "standard input"
_BLOCK = 1 << 20


def read_files(
    names: Sequence[str],
    stdin: BinaryIO,
    extra_tags: Sequence[str] = (),
    headers: list[Header] | None = None,
) -> Iterator[Spans]:
    """Read files in the order given: paths, globs such as `more/*.json` (in the order of their names), `-` for `stdin`.

    All names are looked up before anything is read. Yields what `read_stream` does for one file after the other, and
    takes further tags and collects the headers of dumps as that does.
    Raises UsageError that names the file: one that does not exist or is a directory, a glob without a match, one
    that may not or cannot be read. A name that exists as it stands is never taken as a glob.
    """
    paths = [path for name in names for path in _paths(name)]
    streams = [
        (_blocks(stdin, _STDIN_NAME), _STDIN_NAME) if path == STDIN else (_blocks_of(path), path) for path in paths
    ]
    return itertools.chain.from_iterable(
        read_stream(blocks, name, extra_tags=extra_tags, headers=headers) for blocks, name in streams
    )


def _paths(name: str) -> list[str]:
    """The files that one name means."""
    if name == STDIN:
        return [name]
    if os.path.isdir(name):
        raise UsageError(f"{name} is a directory", f"Name the files in it: '{os.path.join(name, '*')}'")
    if os.path.exists(name):
        return [name]
    if not glob.has_magic(name):
        raise UsageError(f"there is no file {name}")
    found = sorted(path for path in glob.glob(name, recursive=True) if not os.path.isdir(path))
    if not found:
        raise UsageError(f"no file matches {name}")
    return found


def _blocks_of(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb", buffering=0) as file:
            yield from _blocks(file, path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _blocks(file: BinaryIO, name: str) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(_BLOCK)
        except OSError as error:
            raise _unreadable(name, error) from error
        if not block:
            return
        yield block


def _unreadable(name: str, error: OSError) -> UsageError:
    return UsageError(f"cannot read {name}: {error.strerror or error}")
