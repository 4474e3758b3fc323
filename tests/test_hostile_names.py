"""Names that are markup of some dialect come back from every dialect as they were given."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html import unescape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import builder
from tests.documents_made import edge, graph, node
from tests.tree_made import call, tree
from traceviz import Report
from traceviz.analyze.report import report
from traceviz.render import render
from traceviz.render.words import clean, shorten

#: Markup of every dialect, and letters that move others about.
MARKUP = (
    *(
        "</script>",
        "<b>",
        "&amp;",
        "a\"b'c`d",
        "a\\nb",
        "\\",
        "#quot;",
        "end",
        "subgraph x",
        "%%{init}%%",
        "a;b",
        "a|b",
    ),
    *(
        "label=<x>",
        "{a|b}",
        "->",
        "--",
        "[x](y)",
        "=1+1",
        "@x",
        "\u202eabc",
        "\u200b",
        "é",
        "𐍈",
        "x" * 300,
        "a,b",
        "\t",
    ),
)
names = st.sampled_from(MARKUP) | st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn")), min_size=1, max_size=12
)


def of(caller: str, callee: str) -> Report:
    """One call from one to the other, between programs."""
    return report(
        builder.forest(
            builder.span("a", service=caller, kind="server", start=0, ms=50),
            builder.span("b", "a", service=caller, kind="client", start=1, ms=40, status="503", error=True),
            builder.span("c", "b", service=callee, kind="server", start=2, ms=30, status="503", error=True),
        )
    )


def drawn(result: Report, format: str) -> str:
    text = render(result.graph(), format, errors=result.errors(), width=1000)
    return text.decode() if isinstance(text, bytes) else text


@given(names, names)
@settings(max_examples=150, deadline=None)
def test_json_csv_and_cytoscape_give_the_names_back(caller: str, callee: str) -> None:
    result = of(caller, callee)
    graph = json.loads(drawn(result, "json"))
    expected = [(edge["caller"], edge["callee"]) for edge in result.graph()["edges"]]
    assert [(edge["caller"], edge["callee"]) for edge in graph["edges"]] == expected
    rows = list(csv.DictReader(io.StringIO(drawn(result, "csv"))))
    assert [(row["caller"].removeprefix("'"), row["callee"].removeprefix("'")) for row in rows] == [
        (one.removeprefix("'"), other.removeprefix("'")) for one, other in expected
    ]
    elements = json.loads(drawn(result, "cytoscape"))["elements"]
    found = {node["data"]["name"] for node in elements["nodes"]}
    assert found >= {name for pair in expected for name in pair}


def assert_one_drawing_that_says(name: str, svg: str) -> None:
    """An SVG is of what drawings are made of, runs nothing, and has the first letters of the name among its words."""
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    shapes = {"polygon", "path", "ellipse", "polyline", "rect"}
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "a", "title", "text", "style", "tspan", *shapes}
    assert not [key for element in root.iter() for key in element.attrib if key.lower().startswith("on")]
    said = unescape("".join(root.itertext()))
    assert all(letter in said for letter in [letter for letter in name if letter.isalnum()][:8])


@pytest.mark.parametrize("name", MARKUP)
def test_an_svg_is_one_drawing_that_says_the_name_and_holds_nothing_else(name: str) -> None:
    assert_one_drawing_that_says(name, drawn(of(name, "other"), "svg"))


#: Any name at all: control characters and halves of surrogates, that no XML can hold, and spaces among them.
anything = st.text(st.characters(exclude_categories=()) | st.sampled_from("\\\"'<>&|{}\n\r\t\0\x1b]"), max_size=25)
SVG = "{http://www.w3.org/2000/svg}"
CANNOT_STAND = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def standing(name: str) -> str:
    """What a drawing has in the place of a name: `�` for what cannot stand in XML, or steers, and no spaces around."""
    return clean(CANNOT_STAND.sub("\N{REPLACEMENT CHARACTER}", name)).strip() or "(no name)"


def said_in(svg: str | bytes) -> tuple[set[str], set[str]]:
    """The words of an SVG, and the first lines of the titles of its groups."""
    root = ET.fromstring(svg)
    groups = [group for group in root.iter(f"{SVG}g") if re.fullmatch(r"[NE]\d+", group.get("id", ""))]
    words = {(text.text or "").replace("\u00a0", " ") for group in groups for text in group.iter(f"{SVG}text")}
    return words, {str(group.findtext(f"{SVG}title")).split("\n")[0] for group in groups}


@given(anything, anything)
@example("", "\0")
@example("a\x1b[31mb\r\n", "]]>\ud800")
@example("&#0;&lt;b&gt;", "<!-- --><![CDATA[x")
@settings(max_examples=60, deadline=None)
def test_an_svg_gives_the_names_back(caller: str, callee: str) -> None:
    ends = [node(caller), node(callee)] if caller != callee else [node(caller)]
    words, titles = said_in(render(graph([edge(caller, callee)], nodes=ends), "svg"))
    shown = standing(caller), standing(callee)
    assert titles == {*shown, " → ".join(shown)}
    if shown[0] != shown[1] or caller == callee:  # two that look alike are told apart
        assert words >= {name.replace("\u00a0", " ") for name in shown}


@given(anything, anything)
@example("a\x1b[31mb\r\n", "]]>\ud800")
@settings(max_examples=60, deadline=None)
def test_an_svg_of_a_tree_gives_the_names_back(above: str, below: str) -> None:
    _, titles = said_in(render(tree(call(above, call(below)), caller=None), "svg"))
    assert titles >= {standing(above), standing(below)}


@given(names, names)
@example("a", "combined\U000e0100")  # a sign of no width
@settings(max_examples=100, deadline=None)
def test_a_table_and_grafana_give_the_names_back(caller: str, callee: str) -> None:
    result = of(caller, callee)
    pairs = [(one["caller"], one["callee"]) for one in result.graph()["edges"]]
    listed = {tuple(re.split(r"\s{2,}", line[2:])[:2]) for line in drawn(result, "wide").splitlines()}
    assert listed >= {(clean(one).strip(), clean(other).strip()) for one, other in pairs}
    answer = json.loads(drawn(result, "nodegraph"))
    assert {one["title"] for one in answer["nodes"]} == {shorten(clean(one), 32) for pair in pairs for one in pair}


@pytest.mark.parametrize("name", MARKUP)
@pytest.mark.parametrize("format", ["table", "wide", "dot", "mermaid", "svg", "json", "csv", "nodegraph", "cytoscape"])
def test_every_dialect_takes_the_name_and_says_the_same_twice(name: str, format: str) -> None:
    result = of(name, name + "2")
    assert drawn(result, format)
    assert drawn(result, format) == drawn(of(name, name + "2"), format)


@pytest.mark.parametrize("name", MARKUP)
def test_a_table_holds_no_letter_that_moves_others(name: str) -> None:
    assert not set(drawn(of(name, "other"), "table")) & {"\u202e", "\u200b", "\t", "\x1b"}
