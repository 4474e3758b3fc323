"""Documents into what people and programs read: `render` gives text or bytes, `FORMATS` says what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, cast

from traceviz.documents import (
    AnyDocument,
    DiffDocument,
    DoctorDocument,
    ErrorsDocument,
    FlameDocument,
    GraphDocument,
    OperationsDocument,
    ServicesDocument,
    SlowDocument,
    TreeDocument,
    WhyDocument,
)
from traceviz.errors import UsageError
from traceviz.notes import NoteDocument
from traceviz.render.arrangement import AS_USUAL, Arrangement
from traceviz.render.contexts_picture import contexts_picture
from traceviz.render.contexts_text import contexts_text
from traceviz.render.cytoscape import cytoscape
from traceviz.render.diff_picture import diff_picture
from traceviz.render.diff_text import diff_text
from traceviz.render.doctor_text import doctor_text
from traceviz.render.dot import dot
from traceviz.render.export import main_list, to_csv, to_json
from traceviz.render.flame import flame_dot, flame_svg
from traceviz.render.folded import folded
from traceviz.render.frames import By
from traceviz.render.labels import DEFAULT
from traceviz.render.layout import TIMEOUT_S, Format, draw
from traceviz.render.mermaid import mermaid, unshown
from traceviz.render.nodegraph import nodegraph
from traceviz.render.palette import ColourBy
from traceviz.render.picture import Picture, picture
from traceviz.render.pprof import pprof
from traceviz.render.slow_text import slow_text
from traceviz.render.text import errors_text, graph_table, operations_table, services_table
from traceviz.render.tree_dot import tree_dot
from traceviz.render.tree_mermaid import tree_mermaid
from traceviz.render.tree_mermaid import unshown as unshown_tree
from traceviz.render.tree_picture import tree_picture
from traceviz.render.tree_text import tree_text, wide_tree
from traceviz.render.why_text import why_text


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
        OutputFormat("mermaid", (".mmd", ".mermaid"), binary=False, drawing=True),
        OutputFormat("nodegraph", (), binary=False, drawing=True),
        OutputFormat("cytoscape", (".cyjs",), binary=False, drawing=True),
        OutputFormat("folded", (".folded",), binary=False, drawing=True),
        OutputFormat("pprof", (".pb.gz", ".pprof"), binary=True, drawing=True),
    )
}

#: What a tree and a comparison are drawn in.
OF_A_TREE = ("dot", "svg", "png", "pdf", "mermaid")
#: What calling contexts are written as.
OF_CONTEXTS = ("folded", "pprof", "svg", "png", "pdf")

#: What a graph can be coloured in by what users waited for.
COLOURED = ("dot", "svg", "png", "pdf")


def format_of_file(path: str) -> str | None:
    """The format that a file's suffix names, in any case of letters; None where it names none."""
    name = PurePath(path).name.lower()
    return next((one.name for one in FORMATS.values() if one.suffixes and name.endswith(one.suffixes)), None)


def formats_of(document: AnyDocument) -> list[str]:
    """The formats a document can be written in: a graph in all drawings of graphs, a tree and a comparison by Graphviz
    and Mermaid, calling contexts as profiles and flame graphs, the others as text."""
    if "frames" in document:
        return ["json", *OF_CONTEXTS]
    of_graphs = FORMATS.keys() - {"folded", "pprof"} if "edges" in document else ()
    drawn = OF_A_TREE if "spans" in document or "changes" in document else of_graphs
    return [one.name for one in FORMATS.values() if one.name in drawn or not one.drawing]


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
    arranged: Arrangement = AS_USUAL,
    spans: bool = False,
    colour_by: ColourBy = "errors",
    by: By = "critical",
) -> str | bytes:
    """The document in a format of `FORMATS`: text, or bytes where the format is binary.

    `errors` marks the failing hops in a drawing of a graph, `label` and `ui_url` go to its edges, `theme` is light or
    dark, and `colour_by` critical colours a graph that was counted so by what users waited for. Of a tree calls are
    shown, with `spans` its spans; of calling contexts the values that `by` names. `width` and `color` are for table and
    wide, `arranged` for rows: these and csv.

    Raises UsageError where the document has no such format, the format nothing of what `arranged` says, or no such
    colours, and DrawingFailed where the layout engine fails, is missing, or needs over `timeout_s` seconds.
    """
    if format not in formats_of(document):
        compared = "a comparison" if "changes" in document else None
        one = compared or ("a graph" if "edges" in document else "a tree" if "spans" in document else None)
        one = "a flame graph" if "frames" in document else one
        what = one or f"a list of {main_list(document).replace('_', ' ')}"
        raise UsageError(f"{what} cannot be written as {format!r}", f"formats: {', '.join(formats_of(document))}")
    arranged.check(format)
    if format == "json":
        return to_json(document)
    if "frames" in document:
        return _profile(cast(FlameDocument, document), format, by, theme, dot_command, timeout_s)
    if format == "csv":
        return to_csv(document, arranged)
    if "failing_hops" in document:
        return errors_text(cast(ErrorsDocument, document), width, color, format == "wide", arranged)
    if "slow_hops" in document:
        return slow_text(cast(SlowDocument, document), width, color, format == "wide", arranged)
    if "causes" in document:
        return why_text(cast(WhyDocument, document), width, color, format == "wide", arranged)
    if "findings" in document:
        return doctor_text(cast(DoctorDocument, document), width, color, format == "wide", arranged)
    if "services" in document:
        return services_table(cast(ServicesDocument, document), width, color, format == "wide", arranged)
    if "operations" in document:
        return operations_table(cast(OperationsDocument, document), width, color, format == "wide", arranged)
    if "spans" in document:
        tree = cast(TreeDocument, document)
        if not FORMATS[format].drawing:
            return (wide_tree if format == "wide" else tree_text)(tree, width, color, spans)
        shown = tree_picture(tree, spans, theme)
        return tree_mermaid(shown) if format == "mermaid" else _drawn(tree_dot(shown), format, dot_command, timeout_s)
    if "changes" in document:
        diff = cast(DiffDocument, document)
        if not FORMATS[format].drawing:
            return diff_text(diff, width, color, format == "wide", arranged)
        pictured = diff_picture(diff, theme)
        return mermaid(pictured) if format == "mermaid" else _drawn(dot(pictured), format, dot_command, timeout_s)
    graph = document
    if not FORMATS[format].drawing and "contexts" in document:
        return contexts_text(graph, width, color, format == "wide", arranged)
    if not FORMATS[format].drawing:
        return graph_table(graph, width, color, format == "wide", arranged)
    if "contexts" in document and format in ("nodegraph", "cytoscape"):
        raise UsageError(f"{format} shows the graph alone, and no tree", "Leave --view tree out, or take json or svg")
    if colour_by == "critical" and ("contexts" in document or format not in COLOURED):
        raise UsageError(
            f"only the graph as {', '.join(COLOURED)} is coloured by what users waited for",
            "Leave --color-by out, or take another format, and no --view tree",
        )
    if format == "nodegraph":
        return nodegraph(graph, errors, label, theme)
    if format == "cytoscape":
        return cytoscape(graph, errors, label, theme)
    more = {} if "contexts" in document else {"colour_by": colour_by}
    drawing = _picture(graph)(graph, errors, label, ui_url, theme, **more)
    if format == "mermaid":
        return mermaid(drawing)
    return _drawn(dot(drawing), format, dot_command, timeout_s)


def _profile(
    document: FlameDocument, format: str, by: By, theme: str, dot_command: str | None, timeout_s: float
) -> str | bytes:
    """Calling contexts as text for other tools, as a profile with all values, or as a flame graph."""
    if format == "folded":
        return folded(document, by)
    if format == "pprof":
        return pprof(document)
    if format == "svg":
        return flame_svg(document, by, theme=theme)
    return _drawn(flame_dot(document, by, theme=theme), format, dot_command, timeout_s)


def _drawn(source: str, format: str, dot_command: str | None, timeout_s: float) -> str | bytes:
    """DOT as it is, or laid out."""
    if format == "dot":
        return source
    drawn = draw(source, cast(Format, format), dot_command, timeout_s)
    return drawn if FORMATS[format].binary else drawn.decode("utf-8")


def _picture(document: GraphDocument) -> Callable[..., Picture]:
    """What decides the picture: a graph that was counted for the tree is drawn as one."""
    return contexts_picture if "contexts" in document else picture


def notes_on(document: AnyDocument, format: str, **drawing: Any) -> list[NoteDocument]:
    """Notes on what `render` cuts off a graph because the format takes no more; it takes what `render` takes."""
    if format == "mermaid" and "spans" in document:
        tree = cast(TreeDocument, document)
        return unshown_tree(tree_picture(tree, drawing.get("spans", False), drawing.get("theme", "light")))
    if format == "mermaid" and "changes" in document:
        return unshown(diff_picture(cast(DiffDocument, document), drawing.get("theme", "light")))
    if format != "mermaid" or "edges" not in document:
        return []
    said = {key: drawing[key] for key in ("errors", "label", "ui_url", "theme") if key in drawing}
    graph = cast(GraphDocument, document)
    return unshown(_picture(graph)(graph, **said))
