"""A smaller graph of a larger one: what stays, and that everything left out is counted."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.commands import SEED, called
from tests.documents_made import edge, graph, node, note
from traceviz.analyze.narrow import narrow
from traceviz.documents import GraphDocument
from traceviz.errors import NothingFound

#   shop ──▶ cart ──▶ db        left ──▶ right ──▶ left   (a circle)
#     └────▶ ads  ──▶ db        lonely  (calls nobody)
CALLS = {
    ("shop", "cart"): 50,
    ("shop", "ads"): 5,
    ("cart", "db"): 40,
    ("ads", "db"): 4,
    ("left", "right"): 9,
    ("right", "left"): 3,
}
NODES = ["ads", "cart", "db", "left", "lonely", "right", "shop"]


def made() -> GraphDocument:
    calls = [edge(caller, callee, number) for (caller, callee), number in CALLS.items()]
    notes = [note("clock-skew", 1, "one"), note("several-roots", 2, "two")]
    return graph(calls, nodes=[node("lonely")], notes=notes, cycles=[["left", "right"]])


def names(document: GraphDocument) -> list[str]:
    return [node["name"] for node in document["nodes"]]


def edges(document: GraphDocument) -> list[tuple[str, str]]:
    return [(edge["caller"], edge["callee"]) for edge in document["edges"]]


def said(document: GraphDocument) -> dict[str, tuple[int, list[str]]]:
    """The notes of narrowing: count and examples."""
    before = [note["code"] for note in made()["notes"]]
    return {n["code"]: (n["count"], n["examples"]) for n in document["notes"] if n["code"] not in before}


def test_nothing_asked_changes_nothing() -> None:
    assert names(made()) == NODES
    assert narrow(made()) == made()


def test_narrowing_makes_a_new_document() -> None:
    before = made()
    kept = copy.deepcopy(before)
    narrow(before, hide=["db"], focus="shop", depth=1, min_calls=10)
    assert before == kept


def test_a_hidden_node_goes_with_its_edges_and_is_counted() -> None:
    document = narrow(made(), hide=["db", "ads", "db"])
    assert names(document) == ["cart", "left", "lonely", "right", "shop"]
    assert edges(document) == [("left", "right"), ("right", "left"), ("shop", "cart")]
    assert said(document) == {"hidden-nodes": (2, ["ads", "db"])}


def test_a_hidden_node_takes_its_cycle_along() -> None:
    assert narrow(made())["cycles"] == [["left", "right"]]
    assert narrow(made(), hide=["right"])["cycles"] == []


def test_the_focus_keeps_what_is_near_before_and_behind() -> None:
    near = narrow(made(), focus="cart")
    assert names(near) == ["cart", "db", "shop"]
    assert edges(near) == [("cart", "db"), ("shop", "cart")]
    assert said(near) == {"out-of-focus": (4, ["ads", "left", "lonely", "right"])}


def test_depth_is_how_many_edges_away() -> None:
    assert names(narrow(made(), focus="shop", depth=0)) == ["shop"]
    assert names(narrow(made(), focus="shop", depth=1)) == ["ads", "cart", "shop"]
    assert names(narrow(made(), focus="shop", depth=2)) == ["ads", "cart", "db", "shop"]
    assert names(narrow(made(), focus="shop", depth=99)) == ["ads", "cart", "db", "shop"]
    # ads is neither before nor behind cart: they only have shop and db in common.
    assert "ads" not in names(narrow(made(), focus="cart", depth=99))


def test_edges_between_nodes_in_focus_stay() -> None:
    assert edges(narrow(made(), focus="shop", depth=2)) == edges(narrow(made(), hide=["left", "right", "lonely"]))


def test_the_focus_does_not_look_through_hidden_nodes() -> None:
    document = narrow(made(), focus="shop", depth=2, hide=["cart", "ads"])
    assert names(document) == ["shop"]
    assert set(said(document)) == {"hidden-nodes", "out-of-focus"}
    assert said(document)["out-of-focus"] == (4, ["db", "left", "lonely", "right"])


def test_a_focus_that_is_hidden_leaves_nothing_and_says_so() -> None:
    document = narrow(made(), focus="shop", hide=["shop"])
    assert names(document) == []
    assert said(document)["out-of-focus"][0] == 6


def test_rare_edges_go_with_nodes_that_nothing_else_joins() -> None:
    document = narrow(made(), min_calls=10)
    assert edges(document) == [("cart", "db"), ("shop", "cart")]
    assert names(document) == ["cart", "db", "lonely", "shop"]
    rare = sorted(f"{caller} → {callee}" for (caller, callee), calls in CALLS.items() if calls < 10)
    assert said(document) == {"rare-edges": (4, rare)}
    assert document["cycles"] == []


def test_min_calls_counts_the_very_number_as_enough() -> None:
    assert ("shop", "ads") in edges(narrow(made(), min_calls=5))
    assert ("shop", "ads") not in edges(narrow(made(), min_calls=6))


def test_notes_stay_sorted_by_code_and_the_old_ones_are_kept() -> None:
    codes = [n["code"] for n in narrow(made(), hide=["db"], focus="shop", min_calls=10)["notes"]]
    assert codes == ["clock-skew", "hidden-nodes", "out-of-focus", "rare-edges", "several-roots"]


@pytest.mark.parametrize("options", [{"hide": ["carts"]}, {"focus": "carts"}, {"hide": ["db", "carts"]}])
def test_a_name_that_is_no_node_is_told_with_the_nearest(options: dict[str, Any]) -> None:
    with pytest.raises(NothingFound, match="no node 'carts'") as caught:
        narrow(made(), **options)
    assert caught.value.remedy == "Did you mean 'cart'?"


def test_a_name_like_no_other_is_told_with_the_names_there_are() -> None:
    with pytest.raises(NothingFound) as caught:
        narrow(made(), focus="???")
    assert "'ads', 'cart', 'db'" in caught.value.remedy


def _options() -> Iterator[dict[str, Any]]:
    for hide, focus, depth, calls in itertools.product(
        [[], ["db"], ["left", "ads"]], [None, "shop"], [0, 1, 2], [0, 9]
    ):
        yield {"hide": hide, "focus": focus, "depth": depth, "min_calls": calls}


def test_whatever_is_left_out_every_edge_ends_at_nodes_and_every_node_left_out_is_counted() -> None:
    for options in _options():
        document = narrow(made(), **options)
        assert {end for pair in edges(document) for end in pair} <= set(names(document)), options
        gone = set(NODES) - set(names(document))
        counted = sum(said(document).get(code, (0, []))[0] for code in ("hidden-nodes", "out-of-focus"))
        loose = gone if "rare-edges" in said(document) else set()
        assert counted == len(gone) or (counted < len(gone) and loose), options


def test_the_command_line_takes_the_options() -> None:
    document = called(
        "graph",
        SEED,
        "--focus",
        "service-js",
        "--depth",
        "1",
        "--hide",
        "service-go",
        "--min-calls",
        "61",
        "-o",
        "json",
    ).json()
    assert names(document) == ["istio-ingress", "service-js", "service-python"]
    # istio-ingress calls service-js 61 times, service-js calls service-python 61 times
    assert all(edge["calls"] >= 61 for edge in document["edges"])
    assert set(said(document)) == {"hidden-nodes", "out-of-focus"}
    unknown = called("graph", SEED, "--hide", "service-jss")
    assert unknown.code == 3
    assert "service-js" in unknown.err
