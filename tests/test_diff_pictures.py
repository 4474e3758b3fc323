"""The picture of a comparison: each change has a line, a colour and a word of its own, and everything can be read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import traceviz
from tests import drawing
from tests.compared import recording
from tests.conftest import MESH, SHARED
from tests.documents_made import HOSTILE, edge, graph, large, node, times
from tests.drawing import contrast
from tests.schemas import faults
from tests.test_hostile_names import MARKUP, assert_one_drawing_that_says
from traceviz.analyze.diff import changes_of
from traceviz.analyze.report import Report
from traceviz.documents import Change, DiffDocument, DiffEdge, Edge
from traceviz.render import notes_on, render
from traceviz.render.diff_picture import diff_picture
from traceviz.render.dot import dot
from traceviz.render.layout import draw
from traceviz.render.palette import PALETTES

OTEL = SHARED / "data" / "otel"
BOUTIQUE = SHARED / "data" / "nezha" / "OB-2022-08-22T055254-paymentservice-network_delay"


def row(caller: str, callee: str, change: Change, **more: Any) -> DiffEdge:
    """An edge of a comparison that changed so."""
    before: Edge | None = None if change == "added" else edge(caller, callee, 100)
    after: Edge | None = None if change == "removed" else edge(caller, callee, 120)
    ratio = {"worse": 2.1, "better": 0.4, "same": 1.01}.get(change)
    if after is not None and ratio is not None:
        after |= {"client_ms": times(3 * ratio), "errors": 0}
    both = before is not None and after is not None
    made: DiffEdge = {
        "caller": caller,
        "callee": callee,
        "kind": "sync",
        "change": change,
        "before": before,
        "after": after,
        "error_rate_delta": 0.0 if both else None,
        "p50_ratio": ratio,
        "p95_ratio": ratio,
        "significant": change != "same",
        "changed": ["p50_ratio", "p95_ratio"] if change in ("worse", "better") else [],
        "p_value": 0.001,
        "times_from": "caller" if both else None,
    }
    return made | more  # type: ignore[return-value]


def comparison(edges: Sequence[DiffEdge], kinds: Mapping[str, Any] | None = None, **more: Any) -> DiffDocument:
    """The document of these edges; a node that only one side calls is of that side alone."""
    head: Any = graph([], traces=100)
    side = {field: head[field] for field in ("source", "asked", "seen", "window", "counts")}
    nodes = []
    for name in sorted({end for one in edges for end in (one["caller"], one["callee"])}):
        touching = [one for one in edges if name in (one["caller"], one["callee"])]
        there = {which: any(one[which] for one in touching) for which in ("before", "after")}  # type: ignore[literal-required]
        both = {which: node(name, calls=100) if there[which] else None for which in there}
        nodes.append({"name": name, "kind": (kinds or {}).get(name, "service"), **both})
    whole = {key: value for key, value in head.items() if key not in ("nodes", "edges", "cycles")}
    rows = {"nodes": nodes, "edges": list(edges), "changes": changes_of(edges), "before": side, "after": side}
    return {**whole, "schema": "traceviz/diff/1", "seen": None, **rows, **more}  # type: ignore[typeddict-item]


def everything() -> DiffDocument:
    changed = [row("front", change, change) for change in ("worse", "better", "added", "removed", "same")]
    queue = row("front", "jobs", "worse", kind="async")
    failing = row("worse", "db", "worse", changed=["error_rate_delta"], error_rate_delta=0.12)
    failing["after"] = edge("worse", "db", 100, 12)
    return comparison([*changed, failing, queue], kinds={"db": "database", "jobs": "queue"})


def halved(of: str) -> DiffDocument:
    whole = recording(MESH / of / "v1" / "traces.json.gz")
    even = [index % 2 == 0 for index in range(whole.traces)]
    import numpy as np

    chosen = np.array(even)
    return traceviz.diff(whole.report(chosen), whole.report(~chosen))


def shop(case: str) -> DiffDocument:
    return traceviz.diff(*(traceviz.load(str(OTEL / one / "v1" / "traces.json.gz")) for one in ("shop_healthy", case)))


def other_mesh() -> DiffDocument:
    """Two meshes that have the gateway alone in common: everything is added or removed."""
    reports: list[Report] = [
        recording(MESH / of / "v1" / "traces.json.gz").forest.report() for of in ("none", "seed_504")
    ]
    return traceviz.diff(*reports)


def boutique() -> DiffDocument:
    return traceviz.diff(*(traceviz.load(str(BOUTIQUE / f"{which}.json.gz")) for which in ("normal", "faulty")))


PICTURES: dict[str, Callable[[], DiffDocument]] = {
    "everything": everything,
    "seed_504 halved": lambda: halved("seed_504"),
    "none halved": lambda: halved("none"),
    "shop_db_error": lambda: shop("shop_db_error"),
    "shop_network_slow": lambda: shop("shop_network_slow"),
    "other mesh": other_mesh,
    "boutique": boutique,
    "nothing": lambda: comparison([]),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("case", PICTURES)
def test_the_picture_of_a_comparison_can_be_read(case: str, theme: str) -> None:
    document = PICTURES[case]()
    assert faults(document) == []
    layout = json.loads(draw(dot(diff_picture(document, theme)), "json"))
    assert drawing.label_overlaps(layout) == []
    assert drawing.words_outside(layout) == []
    assert drawing.poor_contrasts(layout) == []
    assert drawing.aspect(layout) <= 4.6
    assert drawing.smallest_text_px(layout, 1600) >= 8


def test_each_change_has_a_line_a_colour_and_a_word_of_its_own() -> None:
    picture = diff_picture(everything())
    looks = {}
    for drawn, said in zip(picture.edges, everything()["edges"], strict=True):
        line = dot(picture).split(f"{drawn.tail} -> {drawn.head} ")[1].split("\n")[0]
        colour = line.partition('color="')[2].partition('"')[0]
        looks[said["change"]] = (drawn.style, ":" in colour, "tee" in line), colour, drawn.lines[0]
    shapes, colours, words = (list(column) for column in zip(*looks.values(), strict=True))
    assert len(set(shapes)) == 5 == len(set(colours))
    assert words == ["worse", "better", "added", "removed", "100 → 120 calls"]
    assert {entry.text.partition(":")[0] for entry in picture.legend} >= {"worse", "better", "added", "removed"}


@pytest.mark.parametrize("theme", PALETTES)
def test_lines_stand_out_from_the_ground(theme: Any) -> None:
    colours = PALETTES[theme]
    for change, colour in colours.changed_line.items():
        assert contrast(colour, colours.background) >= (2.8 if change == "same" else 3), change
        assert contrast(colours.changed_text[change], colours.background) >= 4.5, change


def test_words_on_an_edge_say_what_changed() -> None:
    found = {
        said["callee"]: drawn.lines
        for said, drawn in zip(everything()["edges"], diff_picture(everything()).edges, strict=True)
    }
    assert found["worse"] == ("worse", "p50 ×2.1 · p95 ×2.1", "100 → 120 calls")
    assert found["better"] == ("better", "p50 ×0.4 · p95 ×0.4", "100 → 120 calls")
    assert found["db"][:2] == ("worse", "0 % → 12 % err")
    assert found["added"] == ("added", "0 % err", "p95 7.2 ms", "120 calls")


def test_a_legend_explains_what_occurs_and_nothing_else() -> None:
    said = [entry.text for entry in diff_picture(comparison([row("a", "b", "same")])).legend]
    assert said == ["the same, within chance"]


def test_words_of_what_is_the_same_give_way_in_a_large_comparison() -> None:
    rows = [row(one["caller"], one["callee"], "same") for one in large(100)["edges"]]
    rows[7] = row(rows[7]["caller"], rows[7]["callee"], "worse")
    document = comparison(rows)
    picture = diff_picture(document)
    assert [edge.lines[0] for edge in picture.edges if edge.lines] == ["worse"]
    assert f"{len(rows) - 1} edges that are the same drawn without numbers" in picture.left_out
    flowchart = str(render(document, "mermaid"))
    assert "worse" in flowchart
    assert notes_on(comparison(rows * 1), "mermaid") == notes_on(document, "mermaid")


def test_a_flowchart_draws_every_change_in_its_own_line() -> None:
    text = str(render(everything(), "mermaid"))
    colours = PALETTES["light"].changed_line
    styles = [line for line in text.splitlines() if line.strip().startswith("linkStyle")]
    for change, more in (
        ("removed", "stroke-dasharray:7 5"),
        ("better", "stroke-dasharray:2 5"),
        ("added", ""),
        ("worse", ""),
    ):
        assert any(colours[change] in line and more in line for line in styles), change  # type: ignore[index]
    assert "dashed purple line" in text


# Names of strangers


def hostile(name: str) -> DiffDocument:
    return comparison([row(name, f"{name}2", "worse"), row(name, "gone", "removed"), row(name, "new", "added")])


@pytest.mark.parametrize("name", [*MARKUP, *HOSTILE], ids=lambda name: repr(name[:20]))
@pytest.mark.parametrize("format", ["table", "wide", "csv", "json", "dot", "mermaid"])
def test_every_dialect_takes_every_name_and_says_the_same_twice(name: str, format: str) -> None:
    text = str(render(hostile(name), format))
    assert text == str(render(hostile(name), format))
    text.encode()
    if format in ("table", "wide", "dot", "mermaid"):
        assert not set(text) & {"\u202e", "\x1b", "\r", "\0"}
    if format == "json":
        assert [one["caller"] for one in json.loads(text)["edges"]] == [
            name.replace("\ud800", "\N{REPLACEMENT CHARACTER}")
        ] * 3
    if format == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 3


@pytest.mark.parametrize("name", MARKUP, ids=lambda name: repr(name[:20]))
def test_an_svg_is_one_drawing_that_says_the_name_and_holds_nothing_else(name: str) -> None:
    assert_one_drawing_that_says(name, str(render(hostile(name), "svg")))
