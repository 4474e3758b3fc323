"""Documents into what people and programs read: `render` gives text or bytes, `FORMATS` says what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import cast

from traceviz.documents import AnyDocument, ErrorsDocument, OperationsDocument, ServicesDocument
from traceviz.errors import UsageError
from traceviz.render.dot import dot
from traceviz.render.export import main_list, to_csv, to_json
from traceviz.render.labels import DEFAULT
from traceviz.render.layout import TIMEOUT_S, Format, draw
from traceviz.render.picture import picture
from traceviz.render.text import errors_text, graph_table, operations_table, services_table


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """A format by its name for `-o`: the suffixes of files that mean it, whether it is bytes, what it can show."""

    name: str
    suffixes: tuple[str, ...]
    binary: bool
    drawing: bool


FORMATS: dict[str, OutputFormat] = {
    one.name: one
    for one in (
        OutputFormat("table", (".txt",), binary=False, drawing=False),
        OutputFormat("wide", (), binary=False, drawing=False),
        OutputFormat("json", (".json",), binary=False, drawing=False),
        OutputFormat("csv", (".csv",), binary=False, drawing=False),
        OutputFormat("dot", (".dot", ".gv"), binary=False, drawing=True),
        OutputFormat("svg", (".svg",), binary=False, drawing=True),
        OutputFormat("png", (".png",), binary=True, drawing=True),
        OutputFormat("pdf", (".pdf",), binary=True, drawing=True),
    )
}


def format_of_file(path: str) -> str | None:
    """The format that a file's suffix names, in any case of letters; None where it names none."""
    suffix = PurePath(path).suffix.lower()
    return next((one.name for one in FORMATS.values() if suffix in one.suffixes), None)


def formats_of(document: AnyDocument) -> list[str]:
    """The formats a document can be written in: only a graph can be drawn."""
    return [one.name for one in FORMATS.values() if "edges" in document or not one.drawing]


def render(
    document: AnyDocument,
    format: str,
    *,
    errors: ErrorsDocument | None = None,
    label: Sequence[str] = DEFAULT,
    ui_url: str | None = None,
    theme: str = "light",
    dot_command: str | None = None,
    width: int = 100,
    color: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> str | bytes:
    """The document in a format of `FORMATS`: text, or bytes where the format is binary.

    `errors` marks the failing hops in a drawing of a graph, `label` and `ui_url` go to its edges, `theme` is light or
    dark. `width` and `color` are for table and wide. Raises UsageError where the document has no such format, and
    DrawingFailed where the layout engine fails, is missing, or needs more than `timeout_s` seconds.
    """
    if format not in formats_of(document):
        what = "a graph" if "edges" in document else f"a list of {main_list(document).replace('_', ' ')}"
        raise UsageError(f"{what} cannot be written as {format!r}", f"formats: {', '.join(formats_of(document))}")
    if format == "json":
        return to_json(document)
    if format == "csv":
        return to_csv(document)
    if "failing_hops" in document:
        return errors_text(cast(ErrorsDocument, document), width, color, wide=format == "wide")
    if "services" in document:
        return services_table(cast(ServicesDocument, document), width, color, wide=format == "wide")
    if "operations" in document:
        return operations_table(cast(OperationsDocument, document), width, color, wide=format == "wide")
    if not FORMATS[format].drawing:
        return graph_table(document, width, color, wide=format == "wide")
    source = dot(picture(document, errors, label, ui_url, theme))
    if format == "dot":
        return source
    drawn = draw(source, cast(Format, format), dot_command, timeout_s)
    return drawn if FORMATS[format].binary else drawn.decode("utf-8")
