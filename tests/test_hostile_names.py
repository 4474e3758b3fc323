"""Names that are markup of some dialect come back from every dialect as they were given."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import builder
from traceviz import Report
from traceviz.analyze.report import report
from traceviz.render import render

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


@pytest.mark.parametrize("name", MARKUP)
def test_an_svg_is_one_drawing_that_says_the_name_and_holds_nothing_else(name: str) -> None:
    result = of(name, "other")
    root = ET.fromstring(drawn(result, "svg"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {
        "svg",
        "g",
        "a",
        "title",
        "text",
        "polygon",
        "path",
        "ellipse",
        "polyline",
        "rect",
        "style",
        "tspan",
    }
    attributes = {key for element in root.iter() for key in element.attrib}
    assert not [key for key in attributes if key.lower().startswith("on")]
    said = unescape("".join(root.itertext()))
    letters = [letter for letter in name if letter.isalnum()][:8]
    assert all(letter in said for letter in letters)


@pytest.mark.parametrize("name", MARKUP)
@pytest.mark.parametrize("format", ["table", "wide", "dot", "mermaid", "svg", "json", "csv"])
def test_every_dialect_takes_the_name_and_says_the_same_twice(name: str, format: str) -> None:
    result = of(name, name + "2")
    assert drawn(result, format)
    assert drawn(result, format) == drawn(of(name, name + "2"), format)


@pytest.mark.parametrize("name", MARKUP)
def test_a_table_holds_no_letter_that_moves_others(name: str) -> None:
    assert not set(drawn(of(name, "other"), "table")) & {"\u202e", "\u200b", "\t", "\x1b"}
