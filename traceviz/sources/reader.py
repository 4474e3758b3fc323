"""A stream of bytes, plain or gzipped, in any format and order ▸ chunks of Spans."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence

from traceviz.building import SpansBuilder
from traceviz.notes import Notes, define
from traceviz.sources import scan, zipkin
from traceviz.sources.bulk import Bulk
from traceviz.sources.bulk_jaeger import JAEGER
from traceviz.sources.bulk_otlp import OTLP
from traceviz.sources.fields import UNREADABLE_RECORD, Unreadable
from traceviz.sources.header import UNFINISHED_FETCH, UNREADABLE_HEADER, Header
from traceviz.sources.split import Record, split
from traceviz.spans import Spans, Texts, concat

SKIPPED_TEXT = define(
    "skipped-text",
    "{count} {count:stretch|stretches} of text in the input {count:is|are} no JSON and {count:was|were} passed over",
    """Something stands before, between or after the JSON: a log line, a page of HTML, a progress bar.

    Where nothing else was in the input, it is not what was meant: an address that answers with a page instead of
    Jaeger's data, for example a wrong base path.""",
)
CUT_OFF = define(
    "cut-off",
    "{count} {count:input ends|inputs end} in the middle; what came before the end was used",
    """The file is incomplete: a download that broke off, a disk that was full, a program that is still writing.

    Traces after the cut are missing, and the last one may be.""",
)
TOO_LONG = define(
    "too-long",
    "{count} {count:value is|values are} longer than can be held; the traces in {count:it|them} may be torn",
    """One trace, text or list in the input goes on for more than 512 MB: as much as 300,000 spans in one trace.

    A text whose end is missing looks like that, and so does a file that was made to fill the memory. Reading takes what
    is readable up to there and goes on behind it; how long the whole input is plays no part. Each example names the
    file, the place in it and what stands there. Ask for the traces in smaller windows, or repair the file.""",
)
BOMB = define(
    "zip-bomb",
    "{count} compressed {count:input was|inputs were} read only in part, because {count:it unpacks|they unpack} to "
    "more than traces could",
    """A gzip file unpacked to more than 256 MB, and to more than 500 times its own size.

    Traces do not compress like that, because each span has an id and times of its own. What was unpacked until then was
    used, the rest was not looked at. If the file is what you meant, unpack it yourself and read what comes out.""",
)
REFUSAL = define(
    "errors-in-answer",
    "{count} {count:answer|answers} of a server {count:carries|carry} errors instead of traces, or beside them",
    """The input is what a Jaeger answered, and the answer says that something went wrong, such as "trace not found".

    Each example gives the server's own words. Traces beside the errors were used.""",
)

#: What is read many records at a time.
_FORMS = {"jaeger": JAEGER, "otlp": OTLP}
_GZIP = b"\x1f\x8b"
_PIECE = 512
_BLOCK = 1 << 18
#: A span has a dozen bytes that no compression makes smaller, in one or two KB: ratios beyond 150 are not seen.
_MOST_RATIO = 500
_RATIO_COUNTS_FROM = 1 << 28

#: A new `Texts` is begun after so many texts, or so many characters of them.
_MOST_TEXTS = 500_000
_MOST_CHARACTERS = 50_000_000


def read_stream(
    blocks: Iterable[bytes],
    name: str,
    chunk_spans: int = 50_000,
    extra_tags: Sequence[str] = (),
    headers: list[Header] | None = None,
) -> Iterator[Spans]:
    """Read the spans of a stream of byte blocks; `name` is the file or URL that messages say.

    `extra_tags` are names of tags to keep, each in its `extra_column`, besides those that are always read. The header
    of a dump is appended to `headers` when it is met; its notes go into the chunk it stands in.

    Yields chunks of at least `chunk_spans` rows, and up to one record or a thousand rows more, the last one smaller, in
    the order of the stream. A chunk is never empty but for one case: notes that belong to no span come as a last Spans
    of no rows. So an empty input, or a valid one without traces, yields nothing, and one in which nothing was readable
    yields only notes. The chunks own their columns; several may share one `Texts`. A trace may be scattered over them.

    Never raises for what the bytes say: what cannot be read is counted in `notes` under `unreadable-record` and its
    kin, with file, path and value.
    """
    notes = Notes()
    texts = _Bounded()
    builder = SpansBuilder(texts.current(), extra_tags)
    bulks = {what: Bulk(form, builder, chunk_spans) for what, form in _FORMS.items()}
    before = ""
    for record in split(unzipped(blocks, name, notes)):
        if before in bulks and record.what != before:
            bulks[before].flush()  # rows are in the order of the stream
        before = record.what
        if record.what in bulks:
            bulks[record.what].add(record.data, f"{name}: {record.path}")
        elif record.what == "zipkin":
            zipkin.read(record.data, f"{name}: {record.path}", builder)
        elif record.what == "header":
            header = _header(record, name, builder.notes)
            if header and headers is not None:
                headers.append(header)
        else:
            note_no_record(record, name, builder.notes)
        if len(builder) >= chunk_spans:
            yield builder.build()
            builder = SpansBuilder(texts.current(), extra_tags)
            for bulk in bulks.values():
                bulk.use(builder)
    for bulk in bulks.values():
        bulk.flush()
    builder.notes.merge(notes)
    if len(builder) or len(builder.notes):
        yield builder.build()


def read_answer(body: bytes, name: str, extra_tags: Sequence[str] = ()) -> Spans:
    """The spans of a whole answer of a Jaeger, as `read_stream` gives them, at once where all of it is ordinary."""
    for form in _FORMS.values():
        builder = SpansBuilder(extra_tags=extra_tags)
        if Bulk(form, builder).whole_answer(body):
            return builder.build()
    return concat(list(read_stream([body], name, extra_tags=extra_tags)))


def unzipped(blocks: Iterable[bytes], name: str, notes: Notes) -> Iterator[bytes]:
    """The blocks, decompressed where they begin like gzip; several members follow one another.

    A stream that is cut off or damaged gives what came before, with a note.
    """
    stream = iter(blocks)
    head = b""
    for block in stream:
        head += block
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        if head:
            yield head
        yield from stream
        return
    unzip = _Unzip()
    try:
        for block in itertools.chain([head], stream):
            for start in range(0, len(block), _PIECE):
                unzip.feed(block[start : start + _PIECE])
                if unzip.is_bomb:
                    notes.add(BOMB, 1, [f"{name}: {unzip.read:,} bytes unpack to more than {unzip.unpacked:,}"])
                    yield unzip.take()
                    return
                if unzip.held >= _BLOCK:
                    yield unzip.take()
    except zlib.error as error:
        notes.add(CUT_OFF, 1, [f"{name}: damaged gzip: {error}"])
        yield unzip.take()
        return
    yield unzip.take()
    if unzip.trailing:
        notes.add(SKIPPED_TEXT, 1, [f"{name}: after the compressed data: {scan.shown(unzip.trailing)}"])
    elif not unzip.member.eof:
        notes.add(CUT_OFF, 1, [f"{name}: the gzip stream has no end"])


class _Unzip:
    """Decompresses gzip members one after another, in small pieces, because a damaged piece gives nothing at all."""

    def __init__(self) -> None:
        self.member = zlib.decompressobj(wbits=31)
        self.held = 0
        self.read = 0
        self.unpacked = 0
        self.trailing = b""
        self._parts: list[bytes] = []

    @property
    def is_bomb(self) -> bool:
        return self.unpacked > max(_RATIO_COUNTS_FROM, _MOST_RATIO * self.read)

    def feed(self, data: bytes) -> None:
        self.read += len(data)
        while data and not self.trailing:
            if self.member.eof:
                data = data.lstrip(b"\0")  # tapes and block devices pad with zeros
                if not data:
                    return
                if not data.startswith(_GZIP[: len(data)]):
                    self.trailing = data
                    return
                self.member = zlib.decompressobj(wbits=31)
            part = self.member.decompress(data)
            self._parts.append(part)
            self.held += len(part)
            self.unpacked += len(part)
            data = self.member.unused_data

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        self.held = 0
        return taken


def _header(record: Record, name: str, notes: Notes) -> Header | None:
    """What a dump says about itself, None where that cannot be read."""
    try:
        header = Header.from_json(b'{"traceviz":' + record.data + b"}")
    except Unreadable as error:
        path = record.path.removesuffix(".traceviz") + (error.path or ".traceviz")
        notes.add(UNREADABLE_HEADER, 1, [f"{name}: {path}: {error}"])
        return None
    notes.merge(header.notes)
    if not header.complete:
        notes.add(UNFINISHED_FETCH, 1, [name])
    return header


def note_no_record(record: Record, name: str, notes: Notes) -> None:
    """Count what is no trace and no span: refusals, text that is no JSON, the end of a stream that broke off."""
    text = f"{name}: {record.path}: {scan.shown(record.data)}"
    if record.what == "junk":
        notes.add(SKIPPED_TEXT, 1, [text])
    elif record.what == "cut":
        notes.add(CUT_OFF, 1, [f"{name}: {record.path}: it breaks off: {scan.shown(record.data[-40:])}"])
    elif record.what == "long":
        notes.add(TOO_LONG, 1, [f"{name}: {record.path}: it goes on: {scan.shown(record.data[-40:])}"])
    elif record.what == "refusal":
        notes.add(REFUSAL, 1, [text])
    else:
        what = f"expected a trace or a span, got {scan.shown(record.data)}"
        notes.add(UNREADABLE_RECORD, 1, [f"{name}: {record.path}: {what}"])


class _Bounded:
    """Hands out one `Texts` for many chunks, and a new one before it grows too large."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._counted = 0
        self._characters = 0

    def current(self) -> Texts:
        """The `Texts` for the next chunk."""
        new = self._texts.values[self._counted :]
        self._counted += len(new)
        self._characters += sum(map(len, new))
        if self._counted > _MOST_TEXTS or self._characters > _MOST_CHARACTERS:
            self._texts, self._counted, self._characters = Texts(), 0, 0
        return self._texts
