"""The picture of a trace as DOT: names come out as they went in, what broke and what was waited for is told apart."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.documents_made import HOSTILE
from tests.drawing import words
from tests.test_tree_text import many, shop
from tests.tree_made import broken, call, chain, failed, tree
from traceviz.documents import TreeDocument
from traceviz.errors import UsageError
from traceviz.render import render
from traceviz.render.layout import draw
from traceviz.render.tree_dot import tree_dot
from traceviz.render.tree_folding import all_but_alike, at_most, outline
from traceviz.render.tree_picture import MOST_NODES, TreePicture, tree_picture
from traceviz.render.tree_rows import rows_of
from traceviz.render.words import name, shorten

SVG = "{http://www.w3.org/2000/svg}"
NASTY = st.text(st.characters(exclude_categories=()) | st.sampled_from('\\"<>&|{}N;#%\n'), min_size=1, max_size=25)


def laid_out(picture: TreePicture) -> dict[str, Any]:
    layout: dict[str, Any] = json.loads(draw(tree_dot(picture), "json"))
    return layout


def hostile() -> TreeDocument:
    calls = [broken(text, operation=text, reason=text, flags=[text], blame=text, ms=3) for text in HOSTILE]
    return tree(*calls, caller=HOSTILE[1], text=HOSTILE[0], trace_id=HOSTILE[4])


@pytest.mark.parametrize("spans", [False, True], ids=["calls", "spans"])
@pytest.mark.parametrize(
    "made",
    [shop(), chain(5), many(300), hostile(), tree(call("alone"), caller=None)],
    ids=["shop", "chain", "many", "hostile", "one call"],
)
def test_the_engine_reads_back_every_node_and_edge(made: TreeDocument, spans: bool) -> None:
    picture = tree_picture(made, spans)
    layout = laid_out(picture)
    assert {node.id for node in picture.nodes} <= {part["name"] for part in layout["objects"]}
    assert {edge.id for edge in picture.edges} == {part["id"] for part in layout.get("edges", [])}


def test_ids_are_generated_and_names_only_labels() -> None:
    statements = re.findall(r"^    (\S+)(?: -> (\S+))? \[", tree_dot(tree_picture(hostile())), re.MULTILINE)
    assert all(re.fullmatch(r"[NSF]\d+", end) for pair in statements for end in pair if end and end != "graph")


@settings(max_examples=60, deadline=None)
@given(NASTY)
@example("\\N \\G \\E \\l")
@example("&amp;&lt;&#92;")
def test_a_name_drawn_is_the_name_given(text: str) -> None:
    picture = tree_picture(tree(call(text, operation="", ms=2), caller=None))
    root = ElementTree.fromstring(draw(tree_dot(picture), "svg"))
    group = next(group for group in root.iter(f"{SVG}g") if group.get("id") == "N1")
    drawn = [one.text or "" for one in group.iter(f"{SVG}text")]
    assert drawn[0].replace("\u00a0", " ") == shorten(name(text), 32).replace("\u00a0", " ")
    assert str(group.findtext(f"{SVG}title")).split("\n")[0] == name(text)


def test_what_broke_is_drawn_heavy_with_its_reason_and_its_edge_double() -> None:
    layout = laid_out(tree_picture(shop()))
    assert len([part for part in layout["objects"] if float(part.get("penwidth", 1)) > 3]) == 1
    assert len([part for part in layout["edges"] if ":" in part["color"]]) == 1
    assert "× fault-injected" in [word.box.text for word in words(layout)]


def test_the_critical_path_is_bold_and_asynchronous_and_unseen_calls_differ() -> None:
    layout = laid_out(tree_picture(shop()))
    edges = {part["id"]: part for part in layout["edges"]}
    picture = tree_picture(shop())
    names = {node.id: node.name for node in picture.nodes}
    widths = {names[edge.head]: float(edges[edge.id]["penwidth"]) for edge in picture.edges}
    styles = {names[edge.head]: edges[edge.id].get("style", "solid") for edge in picture.edges}
    assert {called for called, width in widths.items() if width > 2} == {"front", "pricing"}
    assert styles == {"front": "solid", "cart": "solid", "pricing": "solid", "redis": "dashed", "mail": "dotted"}


@pytest.mark.parametrize("made", [shop(), chain(12)], ids=["across", "down"])
def test_calls_stand_in_the_order_in_which_they_were_made(made: TreeDocument) -> None:
    made = tree(failed("front", *[call(f"s{number}", start=number, ms=1) for number in range(5)], ms=9))
    picture = tree_picture(made)
    layout = laid_out(picture)
    places = {part["name"]: tuple(map(float, part["pos"].split(","))) for part in layout["objects"] if "pos" in part}
    shown = [places[node.id] for node in picture.nodes if node.name.startswith("s")]
    across = picture.direction == "LR"
    assert shown == sorted(shown, key=lambda place: -place[1] if across else place[0])


def test_a_node_links_to_its_span_on_the_page_of_the_trace() -> None:
    picture = tree_picture(shop(link="http://localhost:16686/trace/" + "0" * 32))
    node = next(node for node in picture.nodes if node.name == "pricing")
    assert node.link == f"http://localhost:16686/trace/{'0' * 32}?uiFind=0000000000000006"
    assert all(one.link is None for one in tree_picture(shop()).nodes)


def test_a_link_that_is_not_http_is_refused() -> None:
    with pytest.raises(UsageError):
        tree_picture(shop(link="javascript:alert(1)"))


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(UsageError, match="no theme"):
        tree_picture(shop(), theme="pink")


def test_a_tooltip_has_every_number() -> None:
    node = next(node for node in tree_picture(shop()).nodes if node.name == "pricing")
    assert node.tooltip.split("\n") == [
        "pricing",
        "GET /",
        "from 20 ms to 90 ms of the trace",
        "took 70 ms, callee 56 ms, gap 14 ms, self 28 ms",
        "http, 3 attempts",
        "status and flags: 504 FI",
        "failed",
        "on the critical path",
        "× fault-injected, at the caller proxy, look first at pricing",
        "span 0000000000000006",
    ]


def test_notes_and_what_is_folded_are_said_in_the_picture() -> None:
    notes = [{"code": f"code-{number}", "count": number, "text": "text", "examples": []} for number in range(1, 8)]
    made = many(300)
    made["notes"] = notes  # type: ignore[typeddict-item]
    picture = tree_picture(made)
    assert picture.left_out[0] == "592 calls not shown one by one; -o json has them all"
    assert picture.left_out[-1] == "… and 4 more notes: -o json has them all"
    node = next(node for node in picture.nodes if node.shape == "fold")
    assert (node.name, node.lines) == ("+ 592 more calls", ("296 × catalog, 1.0 ms, 296 calls below",))


def test_a_trace_without_spans_is_a_picture_that_says_so() -> None:
    assert "The trace has no spans." in [word.box.text for word in words(laid_out(tree_picture(tree())))]


# What is folded


def test_a_long_chain_is_cut_in_its_middle_and_says_so() -> None:
    picture = tree_picture(chain(20_000, error=True, failing=True, reason="timeout"))
    assert len(picture.nodes) < 40
    assert [node.name for node in picture.nodes][-1] == "s19999"
    assert sum(edge.lines[-1].endswith("calls between") for edge in picture.edges) == 1


def test_of_many_services_those_that_broke_and_the_critical_path_are_drawn() -> None:
    leaves = [call(f"s{i}", call(f"t{i}", start=i, ms=0.5), start=i, ms=1) for i in range(2000)]
    leaves[1000].below[0] = broken("t1000", start=1000, ms=0.1)
    leaves[1500].more["on_critical_path"] = True
    picture = tree_picture(tree(call("front", *leaves, ms=2000)))
    drawn = {node.name for node in picture.nodes}
    assert {"front", "s1000", "t1000", "s1500"} <= drawn
    assert len(picture.nodes) <= 2 * MOST_NODES
    assert str(render(tree(call("front", *leaves, ms=2000)), "svg")).startswith("<?xml")


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=120),
    st.integers(1, 40),
)
def test_every_call_is_shown_or_counted_once(shape: list[tuple[int, int, bool, bool]], most: int) -> None:
    calls = [call(f"s{kind}", ms=2, failing=broke, error=broke, on_critical_path=way) for _, kind, broke, way in shape]
    roots = [calls[0]]
    for number, (above, *_) in enumerate(shape[1:], 1):
        (calls[number - 1 - above].below if above < number else roots).append(calls[number])
    rows = rows_of(tree(*roots), spans=False)
    for kept in (all_but_alike(rows, alike=2, shown=1), at_most(rows, [True] * len(rows), most)):
        entries = outline(rows, kept)
        shown = [entry.place for entry in entries if entry.place is not None]
        folds = [entry.fold for entry in entries if entry.fold is not None]
        assert shown == [place for place, is_kept in enumerate(kept) if is_kept]
        held = _held(rows, kept)
        assert len(shown) + sum(fold.siblings + fold.below for fold in folds) + held == len(rows)
        assert sum(fold.failing for fold in folds) <= sum(row.failing for row in rows)


def _held(rows: Any, kept: list[bool]) -> int:
    """Rows that are not shown and lie on the way to one that is."""
    on_a_way = set()
    for place, is_kept in enumerate(kept):
        here = rows[place].parent if is_kept else None
        while here is not None:
            on_a_way.add(here)
            here = rows[here].parent
    return sum(not kept[place] for place in on_a_way)


def test_a_caller_with_another_name_than_the_callee_above_is_named() -> None:
    made = tree(call("front", call("cart")))
    assert not any(line.startswith("by ") for edge in tree_picture(made).edges for line in edge.lines)
    made["calls"][1]["caller"] = "front-proxy"
    assert [edge.lines[-1] for edge in tree_picture(made).edges][1] == "by front-proxy"


def test_no_two_names_are_drawn_alike() -> None:
    names = [f"payments-production-eu-west-{number}-primary-database-service" for number in range(4)]
    drawn = [node.name for node in tree_picture(tree(call("front", *map(call, names)))).nodes]
    assert len(set(drawn)) == len(drawn) == 6
