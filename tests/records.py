"""Records read one by one, and in bulk: tests and fuzzing compare the two."""

from __future__ import annotations

from collections.abc import Callable

from traceviz.building import SpansBuilder
from traceviz.sources.bulk import Bulk, Form
from traceviz.spans import Spans

Read = Callable[[bytes, str, SpansBuilder], None]


def one_by_one(records: list[bytes], read: Read) -> Spans:
    """The spans of records that are read by themselves."""
    builder = SpansBuilder()
    for record in records:
        read(record, "x", builder)
    return builder.build()


def in_bulk(records: list[bytes], form: Form) -> Spans:
    """The spans of records that are read together."""
    builder = SpansBuilder()
    bulk = Bulk(form, builder)
    for record in records:
        bulk.add(record, "x")
    bulk.flush()
    return builder.build()
