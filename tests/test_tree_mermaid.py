"""A trace as Mermaid: what the real package reads and draws is what the picture of the tree says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings

from tests.commands import SEED, called
from tests.packages import Reader, packages
from tests.test_mermaid import NAMES, SIGNS, seen
from tests.test_tree_dot import hostile
from tests.test_tree_text import many, shop
from tests.tree_made import broken, call, chain, tree
from traceviz.documents import TreeDocument
from traceviz.render import formats_of, notes_on, render
from traceviz.render.tree_mermaid import tree_mermaid
from traceviz.render.tree_picture import TreePicture, tree_picture


@pytest.fixture(scope="module")
def ask() -> Iterator[Reader]:
    with packages() as reader:
        yield reader


def assert_read(made: TreePicture, ask: Reader) -> None:
    """The package reads and draws the very nodes, edges and words of the picture, and nothing else."""
    answer = ask(mermaid=tree_mermaid(made), draw=True)
    assert "error" not in answer, answer
    expected = {node.id: [seen(text) for text in (node.name, *node.lines)] for node in made.nodes}
    assert {key: words[: len(expected[key])] for key, words in answer["nodes"].items() if key in expected} == expected
    assert set(answer["nodes"]) - set(expected) == {"about", *(["N0"] if made.message else [])}
    assert [(edge["start"], edge["end"], edge["label"]) for edge in answer["edges"]] == [
        (edge.tail, edge.head, [seen(text) for text in edge.lines] or [""]) for edge in made.edges
    ]
    assert answer["drawn"]["nodes"] == answer["nodes"]
    assert answer["drawn"]["foreign"] == []


@pytest.mark.parametrize("spans", [False, True], ids=["calls", "spans"])
@pytest.mark.parametrize(
    "made",
    [shop(), chain(5), many(300), hostile(), tree(call("alone"), caller=None)],
    ids=["shop", "chain", "many", "hostile", "one call"],
)
def test_the_real_package_draws_every_word(made: TreeDocument, spans: bool, ask: Reader) -> None:
    assert_read(tree_picture(made, spans), ask)


@settings(max_examples=15)
@given(NAMES)
@example(SIGNS)
def test_a_name_drawn_is_the_name_given(ask: Reader, names: list[str]) -> None:
    calls = [broken(text, operation=text, reason=text, flags=[text]) for text in names]
    assert_read(tree_picture(tree(*calls, caller=names[0], text=names[0])), ask)


def test_what_broke_first_is_thick_and_red(ask: Reader) -> None:
    made = tree_picture(shop())
    answer = ask(mermaid=tree_mermaid(made), draw=False)
    assert {key for key, classes in answer["classes"].items() if "broken" in classes} == {
        node.id for node in made.nodes if node.marks
    }
    thick = [edge for edge in answer["edges"] if edge["stroke"] == "thick"]
    assert len(thick) == 1
    assert f"stroke:{made.palette.line['failing']}" in thick[0]["style"]


def test_a_trace_can_be_written_so_and_what_is_too_long_is_said() -> None:
    assert "mermaid" in formats_of(shop())
    assert str(render(shop(), "mermaid")) == tree_mermaid(tree_picture(shop()))
    assert notes_on(shop(), "mermaid") == []
    long = tree(*[broken(f"{'<&>' * 9}{number}", operation="&" * 90) for number in range(400)])
    assert [note["code"] for note in notes_on(long, "mermaid")] == ["mermaid-too-large"]


def test_the_commands_write_trees(ask: Reader) -> None:
    for arguments in (("tree", SEED, "--failing"), ("graph", SEED, "--view", "tree")):
        ended = called(*arguments, "-o", "mermaid")
        assert ended.code == 0, ended.err
        assert len(ask(mermaid=ended.text, draw=False)["edges"]) > 0
