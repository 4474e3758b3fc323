"""The picture as Mermaid: what the real package reads and draws is what the picture says, whatever a name is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import traceviz
from tests.commands import SEED, called
from tests.conftest import CASES, recorded
from tests.documents_made import DRAWN, HOSTILE, article, edge, graph, hostile, kinds, large, node
from tests.packages import Reader, packages
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.render.mermaid import mermaid, unshown
from traceviz.render.mermaid_words import MOST_CHARACTERS, MOST_EDGES
from traceviz.render.picture import Picture, PictureNode, picture
from traceviz.render.words import name

#: What means something to Mermaid, to its Markdown, to HTML or KaTeX, or to those who escape for them.
SIGNS = [
    *('"', "'", "`", "``", "end", "-->", "---", "==>", "-.->", "~~~", "%%", "%%{init: {}}%%", "%%{init", "}%%", ":::"),
    *("</script>", "<br/>", "<b>", "<", ">", "&", "&lt;", "&#35;", "#quot;", "#35;", "#", ";", "#;", "style:#1;", "|"),
    *("**bold**", "__init__", "*", "_", "~~", "[a](b)", "![x](y)", "1. one", "1) one", "- one", "+ one", "> one"),
    *("# one", "===", "| a | b |", "http://a.example/", "www.a.example", "a@b.example", "$$x^2$$", "$", "fa:fa-bell"),
    *("click N1 href", "classDef", "subgraph", "linkStyle 0", "N1", "\n", "\r", "\t", "\u2028", "\u202e", "\u200f"),
    *(
        "\u200d",
        "\ud800",
        "\udfff",
        "ﬂ°°60¶ß",
        "ﬂ°",
        "¶ß",
        "°",
        "ß",
        "é",
        "日本語",
        "🚀",
        "\x00",
        "\x1b[31m",
        "{{",
        "}}",
    ),
    *(
        "((",
        "))",
        "[[",
        "]]",
        "[/",
        "/]",
        "\\",
        "\\n",
        "@{shape: cyl}",
        "javascript:alert(1)",
        "graph TD",
        "---\ntitle: x",
    ),
]
NAMES = st.lists(
    st.lists(
        st.sampled_from(SIGNS) | st.text(st.characters(exclude_categories=()), max_size=8), min_size=1, max_size=5
    ),
    min_size=1,
    max_size=12,
    unique_by=str,
).map(lambda names: ["".join(parts) for parts in names])


@pytest.fixture(scope="module")
def ask() -> Iterator[Reader]:
    with packages() as reader:
        yield reader


def seen(text: str) -> str:
    """A text as HTML shows it: runs of spaces are one."""
    return re.sub("[ \n\t]+", " ", text).strip()


def assert_read(made: Picture, ask: Reader, draw: bool) -> None:
    """The package reads, and draws where asked to, the very nodes, edges and words of the picture, and nothing else."""
    answer = ask(mermaid=mermaid(made), draw=draw)
    assert "error" not in answer, answer
    entered = [node.id for node in made.nodes if node.entry]
    names = {node.id: [seen(text) for text in (node.name, *node.lines)] for node in made.nodes}
    for identifier, words in names.items():
        assert answer["nodes"][identifier][: len(words)] == words
    expected = {*names, *(f"I{identifier}" for identifier in entered), "about", *(["N0"] if made.message else [])}
    assert set(answer["nodes"]) == expected
    hops = [(f"I{identifier}", identifier) for identifier in entered] + [(one.tail, one.head) for one in made.edges]
    assert [(one["start"], one["end"]) for one in answer["edges"]] == hops
    for one, read in zip(made.edges, answer["edges"][len(entered) :], strict=True):
        shown = [seen(text) for text in one.lines]
        assert read["label"][len(read["label"]) - len(shown) :] == shown
    if draw:
        assert answer["drawn"]["foreign"] == []
        assert {key: words for key, words in answer["drawn"]["nodes"].items()} == answer["nodes"]
        labels = [read["label"] for read in answer["edges"]]
        assert sorted(answer["drawn"]["edges"]) == sorted(labels)


@pytest.mark.parametrize("case", CASES)
def test_the_real_package_reads_every_recorded_graph(case: str, ask: Reader) -> None:
    report = recorded(case, "v3")
    made = picture(report.graph(), report.errors(), ui_url="http://localhost:16686/jaeger")
    assert_read(made, ask, draw=False)
    assert mermaid(picture(report.graph(), report.errors())) == traceviz.render(report, "mermaid")


@pytest.mark.parametrize("documents", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_real_package_draws_every_word(
    documents: tuple[GraphDocument, ErrorsDocument | None], theme: str, ask: Reader
) -> None:
    assert_read(picture(*documents, ui_url="http://localhost", theme=theme), ask, draw=True)


@settings(max_examples=25)
@given(NAMES)
@example(SIGNS)
@example([f"{sign}{sign}" for sign in SIGNS])
@example([f"a{sign}b" for sign in SIGNS])
@example([f"{sign} x" for sign in SIGNS])
@example(HOSTILE)
def test_a_name_drawn_is_the_name_given(ask: Reader, names: list[str]) -> None:
    calls = [edge("front", text, flags={text: 1}) for text in dict.fromkeys(names)]
    nodes = [node(text, calls=100, versions=[text, text[::-1]]) for text in dict.fromkeys(names)]
    document = graph(calls, nodes=nodes, entries={"front": 1}, service="".join(names))
    assert_read(picture(document, label=("calls", "flags")), ask, draw=True)


def test_ids_are_generated_and_names_only_labels() -> None:
    outside_of_quotes = re.sub('"[^"]*"', "", mermaid(picture(*hostile())))
    for hostile_name in filter(None, (text for text in HOSTILE if text != "N1")):
        assert hostile_name not in outside_of_quotes


def test_kinds_have_shapes_and_unseen_nodes_and_lines_are_dashed(ask: Reader) -> None:
    made = picture(*kinds())
    answer = ask(mermaid=mermaid(made), draw=False)
    shapes = {node.kind: answer["shapes"][node.id] for node in made.nodes}
    assert len(set(shapes.values())) == len(shapes) == 6
    assert {node.id for node in made.nodes if node.unseen} == {
        identifier for identifier, classes in answer["classes"].items() if "unseen" in classes
    }
    lines = {(one["start"], one["end"]): one for one in answer["edges"]}
    for one in made.edges:
        dashed = any(part.startswith("stroke-dasharray") for part in lines[one.tail, one.head]["style"])
        assert dashed == (one.style != "solid")
    assert len({tuple(lines[one.tail, one.head]["style"][-2:]) for one in made.edges if one.style != "solid"}) >= 2


@settings(max_examples=15)
@given(NAMES)
@example(SIGNS)
def test_namespaces_are_frames_around_their_nodes(ask: Reader, names: list[str]) -> None:
    def framed(one: PictureNode, place: int) -> PictureNode:
        return replace(one, frame=shown[place % (len(shown) + 1)] if place % (len(shown) + 1) < len(shown) else None)

    shown = list(dict.fromkeys(name(text) for text in names))
    made = picture(graph([edge("front", f"service-{number}") for number in range(2 * len(shown))]))
    made = replace(made, nodes=tuple(framed(one, place) for place, one in enumerate(made.nodes)))
    answer = ask(mermaid=mermaid(made), draw=True)
    assert "error" not in answer, answer
    assert answer["frames"] == [
        {"title": [seen(frame)], "nodes": sorted(one.id for one in made.nodes if one.frame == frame)}
        for frame in sorted(shown)
    ]
    assert answer["drawn"]["foreign"] == []


def test_the_failing_hop_is_thick_red_and_named_with_its_rank(ask: Reader) -> None:
    made = picture(*article())
    answer = ask(mermaid=mermaid(made), draw=False)
    thick = [one for one in answer["edges"] if one["stroke"] == "thick"]
    assert sorted(one["label"][0] for one in thick) == ["× 1 fault-injected", "× 2 fault-injected (absorbed)"]
    assert all(f"stroke:{made.palette.line['failing']}" in one["style"] for one in thick)
    first = [identifier for identifier, classes in answer["classes"].items() if "first" in classes]
    assert [answer["nodes"][identifier][0] for identifier in first] == ["service-python"]


def test_what_stands_around_a_picture_stands_beside_the_graph(ask: Reader) -> None:
    made = picture(*article())
    said = " ".join(ask(mermaid=mermaid(made), draw=False)["nodes"]["about"])
    for text in (made.title, *made.verdict, *made.subtitle, *made.left_out):
        assert seen(text) in said
    assert "hexagon: gateway" in said
    assert "cylinder" not in said


def test_a_node_leads_to_the_page_of_an_example_trace(ask: Reader) -> None:
    made = picture(*article(), ui_url="http://localhost:16686/jaeger")
    links = ask(mermaid=mermaid(made), draw=False)["links"]
    assert {node.id: node.link for node in made.nodes} == {node.id: links[node.id] for node in made.nodes}
    assert mermaid(picture(*article())).count("click") == 0


def test_the_same_graph_gives_the_same_text() -> None:
    assert mermaid(picture(*article())) == mermaid(picture(*article()))


def star(callees: int, entries: int = 0) -> GraphDocument:
    """One service that calls many."""
    calls = [edge("front", f"service-{number:04}", calls=10, errors=1 - number % 2) for number in range(callees)]
    return graph(calls, entries={"front": 100} if entries else {})


def test_as_many_edges_as_mermaid_draws_are_not_too_many_and_one_more_is_said(ask: Reader) -> None:
    for document, fits in (
        (star(MOST_EDGES), True),
        (star(MOST_EDGES + 1), False),
        (star(MOST_EDGES, entries=1), False),
    ):
        made = picture(document)
        answer = ask(mermaid=mermaid(made), draw=False)
        assert ("error" not in answer) == fits, answer.get("error")
        assert ("mermaid-too-large" not in [note["code"] for note in unshown(made)]) == fits


def test_numbers_are_cut_where_mermaid_would_refuse_the_text_and_that_is_said(ask: Reader) -> None:
    names = [f"{'<&>' * 9}{number:03}" for number in range(260)]
    document = graph([edge("front", text, errors=number % 2) for number, text in enumerate(names)])
    made = picture(document)
    text = mermaid(made)
    assert len(text) <= MOST_CHARACTERS
    (note,) = unshown(made)
    assert note["code"] == "mermaid-words-cut"
    assert note["count"] > 50
    answer = ask(mermaid=text, draw=False)
    assert f"{note['count']} nodes and edges without numbers" in " ".join(answer["nodes"]["about"])
    kept = [one["label"] for one in answer["edges"] if one["label"] != [""]]
    assert all("err" in label[0] for label in kept)


def test_a_text_that_stays_too_long_is_said(ask: Reader) -> None:
    document = graph([edge("front", f"{'<&>' * 9}{number:03}") for number in range(400)])
    made = picture(document)
    assert len(mermaid(made)) > MOST_CHARACTERS
    assert "mermaid-too-large" in [note["code"] for note in unshown(made)]
    words = ask(mermaid=mermaid(made), draw=True)["drawn"]["nodes"]
    assert list(words.values()) == [["Maximum text size in diagram exceeded"]]


def test_a_large_graph_loses_numbers_of_what_is_healthy_first() -> None:
    made = picture(large(150))
    assert len(made.edges) < MOST_EDGES
    assert len(mermaid(made)) <= MOST_CHARACTERS


def test_the_command_writes_it_and_says_what_cannot_be_drawn(tmp_path: Path) -> None:
    for suffix in ("mmd", "mermaid"):
        file = tmp_path / f"graph.{suffix}"
        ended = called("graph", SEED, "-O", str(file))
        assert (ended.code, ended.err) == (0, f"wrote {file}\n")
        assert "flowchart" in file.read_text()
    assert called("graph", SEED, "-o", "mermaid").text == file.read_text()
