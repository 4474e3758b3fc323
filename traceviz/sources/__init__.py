"""Sources: bytes in, Spans out.

The contract of a source. It is an iterator of chunks (`Iterator[Spans]`), read lazily and once:

- A chunk has some thousand rows in the order of the input, and belongs to whoever takes it; its columns are never
  written to again. Chunks of one source may share one `Texts`, which grows while the source is read.
- A trace may be scattered over chunks, files and windows. `gather` joins them: its batches hold whole traces.
- No chunk is empty but for one: where notes are left that belong to no span, the last chunk has no rows and carries
  them. An input without traces gives no chunk at all; an input in which nothing was readable gives notes alone.
- What cannot be read, was guessed or repaired is counted in `Spans.notes`, with file, path and value; every other
  span is still given. Nothing that the bytes say raises.
- What is wrong with the question or the way to the bytes raises a `TracevizError` that names it: UsageError for a
  file that is not there, SourceFailed for a server. Chunks that were given before stay good.

The header of a dump that `traceviz fetch` wrote is no span: `Header`s are collected aside, its notes are adopted.

`split` finds records in bytes, `jaeger`, `otlp` and `zipkin` read one record each, `read_stream` puts them together,
`read_files` opens files.
"""

from traceviz.sources.files import read_files
from traceviz.sources.header import Header
from traceviz.sources.join import Gathered, gather
from traceviz.sources.reader import read_stream

__all__ = ["Gathered", "Header", "gather", "read_files", "read_stream"]
