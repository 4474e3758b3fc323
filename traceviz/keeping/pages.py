"""Pages of lines in a file, each readable by itself whatever follows it: gzip members, or plain text."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

_BLOCK = 1 << 20


class Form(Protocol):
    """How pages stand in a file."""

    def pack(self, text: bytes) -> bytes:
        """A page of lines as bytes of the file."""

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines of all pages from where the file stands. OSError, EOFError or zlib.error for damaged ones."""

    def first_page(self, file: BinaryIO) -> tuple[bytes, int]:
        """The first line and the bytes of its page, from the beginning of the file; empty and 0 where it has no end."""


class _Zipped:
    def pack(self, text: bytes) -> bytes:
        return gzip.compress(text, 6, mtime=0)

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        return iter(gzip.GzipFile(fileobj=file))

    def first_page(self, file: BinaryIO) -> tuple[bytes, int]:
        member, text, size = zlib.decompressobj(wbits=31), b"", 0
        try:
            while not member.eof and (block := file.read(_BLOCK)):
                text += member.decompress(block)
                size += len(block)
        except zlib.error:
            return b"", 0
        return (text, size - len(member.unused_data)) if member.eof else (b"", 0)


class _Plain:
    def pack(self, text: bytes) -> bytes:
        return text

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        return iter(file)

    def first_page(self, file: BinaryIO) -> tuple[bytes, int]:
        line = file.readline()
        return (line, len(line)) if line.endswith(b"\n") else (b"", 0)


_FORMS: dict[str, Form] = {".jsonl.gz": _Zipped(), ".jsonl": _Plain()}


def form_of(path: str) -> Form | None:
    """The form that the suffix of a file means: `.jsonl.gz` or `.jsonl`; None for any other."""
    return next((form for suffix, form in _FORMS.items() if path.lower().endswith(suffix)), None)
