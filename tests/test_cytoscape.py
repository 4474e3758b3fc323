"""The graph as Cytoscape.js JSON: the real cytoscape.js and networkx read back every node, edge and number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import traceviz
from tests.commands import SEED, called
from tests.conftest import CASES, recorded
from tests.documents_made import HOSTILE, article, edge, empty, graph, hostile, kinds
from tests.packages import Reader, packages
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.render import render
from traceviz.render.palette import palette


@pytest.fixture(scope="module")
def ask() -> Iterator[Reader]:
    with packages() as reader:
        yield reader


def written(document: GraphDocument, errors: ErrorsDocument | None = None, theme: str = "light") -> str:
    return str(render(document, "cytoscape", errors=errors, theme=theme))


def plain(document: GraphDocument) -> Any:
    """The document as `-o json` has it."""
    return json.loads(str(render(document, "json")))


def assert_read(document: GraphDocument, text: str, ask: Reader) -> dict[str, Any]:
    """cytoscape.js has all nodes and edges of the document with all that `-o json` says of them."""
    answer = ask(cytoscape=text)
    assert "error" not in answer, answer
    whole = plain(document)
    for kind in ("nodes", "edges"):
        assert len(answer[kind]) == len(whole[kind])
        for read, said in zip(answer[kind], whole[kind], strict=True):
            assert {key: read["data"][key] for key in said} == said
    ids = {node["data"]["name"]: node["data"]["id"] for node in answer["nodes"]}
    for one in answer["edges"]:
        assert (one["data"]["source"], one["data"]["target"]) == (
            ids[one["data"]["caller"]],
            ids[one["data"]["callee"]],
        )
    assert answer["data"] == {key: value for key, value in whole.items() if key not in ("nodes", "edges")}
    return answer


@pytest.mark.parametrize("case", CASES)
def test_cytoscape_reads_every_recorded_graph(case: str, ask: Reader) -> None:
    report = recorded(case, "v3")
    assert_read(report.graph(), str(traceviz.render(report, "cytoscape")), ask)


@pytest.mark.parametrize("documents", [article(), kinds(), (empty(), None)], ids=["article", "kinds", "empty"])
def test_cytoscape_reads_every_kind_of_graph(
    documents: tuple[GraphDocument, ErrorsDocument | None], ask: Reader
) -> None:
    assert_read(documents[0], written(*documents), ask)


def test_cytoscape_reads_hostile_names_as_they_are(ask: Reader) -> None:
    answer = ask(cytoscape=written(*hostile()))
    names = [node["data"]["name"] for node in answer["nodes"]]
    assert sorted(names) == sorted(name.replace("\ud800", "�") for name in [*HOSTILE, "front"])
    alike = ["a\ud800", "a\ud801", "a\\ud800", 'a" → "b', "a → b"]
    calls = [edge(caller, callee, kind=kind) for caller in alike for callee in alike for kind in ("sync", "async")]
    answer = ask(cytoscape=written(graph(calls)))
    assert (len(answer["nodes"]), len(answer["edges"])) == (len(alike), len(calls))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_drawn_as_every_picture_is(theme: str, ask: Reader) -> None:
    colours = palette(theme)
    answer = ask(cytoscape=written(*kinds(), theme=theme))
    assert len({node["shape"] for node in answer["nodes"]}) == 6
    lines = {(one["data"]["caller"], one["data"]["callee"]): one for one in answer["edges"]}
    refused = lines["orders", "inventory"]
    assert (refused["colour"], refused["line"]) == (rgb(colours.line["failing"]), "dashed")
    assert refused["data"]["failing_hops"] == [1]
    assert lines["orders", "kafka: order-events"]["line"] == "dotted"
    assert lines["web", "orders"]["colour"] == rgb(colours.line["some"])
    assert float(lines["orders", "postgres"]["width"].removesuffix("px")) == 5


def rgb(colour: str) -> str:
    return f"rgb({','.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def test_networkx_reads_the_same_graph_as_the_library_gives() -> None:
    report = recorded("seed_504", "v3")
    read = nx.cytoscape_graph(json.loads(str(traceviz.render(report, "cytoscape"))))
    given = report.to_networkx()
    assert sorted(read.edges(keys=True)) == sorted(given.edges(keys=True))
    for caller, callee, key in given.edges(keys=True):
        for field, value in given.edges[caller, callee, key].items():
            assert read.edges[caller, callee, key][field] == value
    assert read.graph["counts"] == report.graph()["counts"]


def test_the_command_writes_it_and_leaves_no_note_out(tmp_path: Path) -> None:
    file = tmp_path / "graph.cyjs"
    ended = called("graph", SEED, "-O", str(file), "--min-calls", "60")
    assert (ended.code, ended.err) == (0, f"wrote {file}\n")
    assert [note["code"] for note in json.loads(file.read_text())["data"]["notes"]] == ["rare-edges"]
