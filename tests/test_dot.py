"""The picture as DOT: what goes in as text comes out of the engine as the same text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.documents_made import DRAWN, HOSTILE, article, edge, empty, graph, hostile, kinds, node
from tests.drawing import words
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.render.dot import dot
from traceviz.render.dot_words import quoted, quoted_tooltip
from traceviz.render.layout import draw
from traceviz.render.picture import picture
from traceviz.render.words import name, shorten

SVG = "{http://www.w3.org/2000/svg}"
NASTY = st.text(st.characters(exclude_categories=()) | st.sampled_from('\\"<>&|{}N;#%\n'), min_size=1, max_size=25)


def laid_out(source: str) -> dict[str, Any]:
    layout: dict[str, Any] = json.loads(draw(source, "json"))
    return layout


def test_ids_are_generated_and_names_only_labels() -> None:
    source = dot(picture(*hostile()))
    statements = re.findall(r"^    (\S+)(?: -> (\S+))? \[", source, re.MULTILINE)
    assert {end for pair in statements for end in pair if end} - {"graph"} <= {
        f"{prefix}N{index}" for prefix in ("", "I") for index in range(1, len(HOSTILE) + 2)
    }


def test_the_same_document_gives_the_same_text() -> None:
    assert dot(picture(*article())) == dot(picture(*article()))


@pytest.mark.parametrize("documents", DRAWN.values(), ids=DRAWN)
def test_the_engine_reads_back_every_node_and_edge(documents: tuple[GraphDocument, ErrorsDocument | None]) -> None:
    made = picture(*documents)
    layout = laid_out(dot(made))
    read = {part["name"] for part in layout["objects"]}
    assert {node.id for node in made.nodes} <= read
    edges = {part["id"] for part in layout["edges"] if "id" in part} if made.edges else set()
    assert edges == {edge.id for edge in made.edges}


def drawn_texts(source: str, identifier: str) -> tuple[list[str], str | None]:
    """The words and the tooltip of a group in the SVG."""
    root = ElementTree.fromstring(draw(source, "svg"))
    group = next(group for group in root.iter(f"{SVG}g") if group.get("id") == identifier)
    return [text.text or "" for text in group.iter(f"{SVG}text")], group.findtext(f"{SVG}title")


@settings(max_examples=80, deadline=None)
@given(NASTY)
@example("\\")
@example("\\N \\G \\E \\l")
@example("&amp;&lt;&#92;")
def test_a_name_drawn_is_the_name_given(text: str) -> None:
    made = graph([edge("a", text)], nodes=[node(text, calls=1)], service=text)
    source = dot(picture(made, ui_url="http://localhost"))
    drawn = picture(made)
    named = next(one for one in drawn.nodes if one.full_name == name(text))
    words_drawn, tooltip = drawn_texts(source, named.id)
    assert words_drawn[0].replace("\u00a0", " ") == shorten(name(text), 32).replace("\u00a0", " ")
    assert tooltip is not None
    assert tooltip.split("\n")[0] == name(text)
    _, tooltip = drawn_texts(source, "E1")
    assert str(tooltip).split("\n")[0] == f"a → {name(text)}"


@settings(max_examples=60, deadline=None)
@given(NASTY)
def test_a_quoted_text_comes_back_from_the_engine(text: str) -> None:
    shown = name(text)
    source = f'digraph traceviz {{ a [id="N1", label={quoted(shown)}, tooltip={quoted_tooltip(shown)}] }}'
    assert drawn_texts(source, "N1") == ([shown], shown)


def test_the_failing_hop_is_drawn_double_and_its_node_heavy() -> None:
    layout = laid_out(dot(picture(*article())))
    double = [part for part in layout["edges"] if ":" in part["color"]]
    assert len(double) == 2
    heavy = [part for part in layout["objects"] if float(part.get("penwidth", 1)) > 3]
    assert len(heavy) == 1


def test_shapes_tell_kinds_apart() -> None:
    made = picture(*kinds())
    shapes = {
        part["name"]: (part["shape"], part.get("peripheries"), "rounded" in part["style"])
        for part in laid_out(dot(made))["objects"]
        if "style" in part
    }
    by_kind = {node.kind: shapes[node.id] for node in made.nodes}
    assert len(set(by_kind.values())) == len(by_kind) == 6


def test_requests_from_outside_have_an_arrow_of_their_own() -> None:
    layout = laid_out(dot(picture(*kinds())))
    outside = [part["name"] for part in layout["objects"] if part["name"].startswith("IN")]
    assert len(outside) == 2
    assert "120 requests" in [word.box.text for word in words(layout)]


def test_an_empty_graph_is_a_picture_with_the_reason_in_it() -> None:
    texts = [word.box.text for word in words(laid_out(dot(picture(empty()))))]
    assert any(text.startswith("No trace of istio-ingress was found") for text in texts)


def test_errors_are_said_by_the_arrow_too() -> None:
    layout = laid_out(dot(picture(graph([edge("a", "b", 10, 0), edge("a", "c", 10, 5)]))))
    heads = {layout["objects"][part["head"]]["id"]: part["arrowhead"] for part in layout["edges"]}
    assert heads == {"N2": "normal", "N3": "normaltee"}


def test_the_first_ones_of_a_tree_stand_at_its_top_where_it_grows_to_the_right() -> None:
    names = "bcdefghijk"
    drawn = picture(graph([edge("a", name, 10, 0) for name in names] + [edge("b", f"b{name}", 9, 0) for name in names]))
    wide = replace(drawn, direction="LR")
    layout = laid_out(dot(wide))
    heights = {
        part["id"]: float(part["pos"].split(",")[1]) for part in layout["objects"] if "id" in part and "pos" in part
    }
    called = {node.name: heights[node.id] for node in wide.nodes}
    assert [called[name] for name in names] == sorted((called[name] for name in names), reverse=True)


def test_edges_of_a_large_tree_are_no_bundle() -> None:
    """The frame around the nodes once pulled them together more than edges pulled them straight."""
    middle = [f"m{number:02}" for number in range(8)]
    calls = [edge("a", name, 10, 0) for name in middle]
    calls += [edge(name, f"{name}-{number}", 10, 0) for name in middle for number in range(5)]
    drawn = replace(picture(graph(calls)), direction="LR")
    layout = laid_out(dot(drawn))
    heights = {
        part["id"]: float(part["pos"].split(",")[1]) for part in layout["objects"] if "id" in part and "pos" in part
    }
    of = {node.name: heights[node.id] for node in drawn.nodes}
    for one in middle:
        below = [of[f"{one}-{number}"] for number in range(5)]
        assert min(below) <= of[one] <= max(below)
