"""Documents and drawings as whole files, and one pointed assertion beside each that outlives an update of the file;
and `fixtures/`, the same traces in three formats, in every wrapping.

`pytest tests/test_goldens.py --update-golden` writes goldens anew. A test that fails leaves what it got as `….actual`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import traceviz
from tests import oracle
from tests.builder import forest, gateway, inbound, outbound, span
from tests.commands import Ended, called
from tests.compared import recording
from tests.conftest import MESH, ROOT, SHARED, recorded
from tests.documents_made import HOSTILE
from tests.test_flame import document as flames
from traceviz.analyze.diff import diff
from traceviz.analyze.report import Report, report
from traceviz.asked import Asked
from traceviz.documents import DiffDocument, TreeDocument
from traceviz.errors import DrawingFailed
from traceviz.render import render
from traceviz.render.flame import flame_svg
from traceviz.render.folded import folded

GOLDENS = Path(__file__).parent / "goldens"
SVG = "{http://www.w3.org/2000/svg}"
DEEP = 10_000
Check = Callable[[str, str], None]


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    """Compares a text with the golden file of a name."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        golden, actual = GOLDENS / name, GOLDENS / f"{name}.actual"
        if update:
            golden.write_text(text, newline="\n")
        actual.write_text(text, newline="\n")
        assert text == golden.read_text(), f"{actual} is not {golden}"
        actual.unlink()

    return compare


# What is shown


def seed_504() -> Report:
    """The recorded mesh with half the calls to service-python aborted, as if it had been read here."""
    return Report(asked=Asked(("seed_504.json",), service="istio-ingress")).merge(recorded("seed_504", "v1"))


def one_span() -> Report:
    return report(forest(span("a", service="lonely", kind="server", operation="GET /")))


def cycle() -> Report:
    #  user ─▶ a ─▶ b ─▶ a, and the second a fails
    failed = {"status": "500", "error": True}
    return report(
        forest(
            gateway("g", "a", ms=20),
            inbound("g-a", "g", "a", start=1, ms=18),
            outbound("a-b", "g-a", "a", "b", start=2, ms=14),
            inbound("b", "a-b", "b", start=3, ms=12),
            outbound("b-a", "b", "b", "a", start=4, ms=8, **failed),
            inbound("a2", "b-a", "a", start=5, ms=6, **failed),
        )
    )


def hostile() -> Report:
    """Every name that tries to break a dialect, as a service, a version, a flag, a database and a queue."""
    rows = [span("front", service="front", kind="server", ms=100)]
    for number, name in enumerate(HOSTILE):
        failing = {"error": True, "status": "500", "flags": name} if number % 2 else {"status": "200"}
        common = {"start": number + 1, "version": name, "operation": name, "request_id": name, **failing}
        rows.append(span(f"c{number}", "front", service="front", kind="client", ms=9, **common))
        rows.append(span(f"s{number}", f"c{number}", service=name, kind="server", ms=8, **common))
    nasty = "".join(HOSTILE[:6])
    rows.append(span("db", "front", service="front", kind="client", db_system="redis", db_name=nasty, ms=1))
    queue = {"queue": nasty, "queue_system": "kafka", "kind": "producer"}
    rows.append(span("queue", "front", service="front", ms=1, **queue))
    return report(forest(*rows))


@cache
def deep() -> Report:
    """One request through 10,000 services, each calling the next; the last one fails, and all before it."""
    rows = (
        span(
            f"{number:05}",
            f"{number - 1:05}" if number else "",
            service=f"service-{number:05}",
            kind="server",
            start=number * 0.001,
            ms=100 - number * 0.002,
            error=True,
            status="500",
        )
        for number in range(DEEP)
    )
    return report(forest(*rows))


REPORTS = {"seed_504": seed_504, "empty": Report, "one_span": one_span, "cycle": cycle, "hostile": hostile}


# What is compared


def legible(text: str) -> str:
    """For files that people look at: runs of one letter by their length, signs that turn the writing by their name."""
    shorter = re.sub(r"(.)\1{40,}", lambda run: f"‹{run[1]} × {len(run[0])}›", text)
    return re.sub("[\u202a-\u202e\u2066-\u2069]", lambda sign: f"‹U+{ord(sign[0]):X}›", shorter)


def structure(svg: str) -> dict[str, Any]:
    """What an SVG shows, without where: title, words, and of nodes and edges class, tooltip and words.

    `counts` leaves out what is drawn beside the graph: the requests from outside, a sentence where nothing is there.
    """
    root = ElementTree.fromstring(svg)

    def texts(group: ElementTree.Element) -> Iterator[str]:
        return (text for element in group.iter(f"{SVG}text") if (text := "".join(element.itertext()).strip()))

    def group(element: ElementTree.Element) -> dict[str, Any]:
        tooltip = element.findtext(f"{SVG}title", "").splitlines()
        return {"class": element.get("class"), "words": list(texts(element)), "tooltip": tooltip}

    groups = list(root.iter(f"{SVG}g"))
    kinds = {kind: [g for g in groups if g.get("class", "").split()[:1] == [kind]] for kind in ("node", "edge")}
    inside = [text for kind in kinds.values() for element in kind for text in texts(element)]
    return {
        "title": root.findtext(f"{SVG}title"),
        "around": [text for text in texts(root) if text not in inside],
        "counts": {kind: sum(" " in g.get("class", "") for g in found) for kind, found in kinds.items()},
        "nodes": sorted(map(group, kinds["node"]), key=str),
        "edges": sorted(map(group, kinds["edge"]), key=str),
    }


def drawn(case: str) -> dict[str, Any]:
    made = REPORTS[case]()
    return structure(str(render(made.graph(), "svg", errors=made.errors())))


@pytest.mark.parametrize("case", REPORTS)
def test_the_documents_are_the_golden_ones(case: str, check: Check) -> None:
    made = REPORTS[case]()
    check(f"{case}.graph.json", legible(str(render(made.graph(), "json"))))
    check(f"{case}.errors.json", legible(str(render(made.errors(), "json"))))


@pytest.mark.parametrize("case", REPORTS)
def test_the_dot_is_the_golden_one(case: str, check: Check) -> None:
    made = REPORTS[case]()
    check(f"{case}.dot", legible(str(render(made.graph(), "dot", errors=made.errors()))))


@pytest.mark.parametrize("case", REPORTS)
def test_the_drawing_has_the_golden_structure(case: str, check: Check) -> None:
    check(f"{case}.svg.json", legible(json.dumps(drawn(case), indent=2, ensure_ascii=False)) + "\n")


#: Recorded requests as trees: a fault before the first program, retries beside what broke, a deadline, no proxies.
TREES = {
    "seed_504": MESH / "seed_504" / "v3" / "traces.json.gz",
    "retries": MESH / "retries_spawned" / "v3" / "traces.json.gz",
    "two_faults": MESH / "two_faults" / "v3" / "traces.json.gz",
    "shop_deadline": SHARED / "data" / "otel" / "shop_deadline" / "v3" / "traces.json.gz",
}


def failing_tree(case: str) -> TreeDocument:
    """The newest failing request of a recording, as if it had been read here."""
    document: TreeDocument = called("tree", str(TREES[case]), "--failing", "-o", "json").json()
    document["source"] = [f"{case}.json.gz"]
    return document


@pytest.mark.parametrize("case", TREES)
def test_the_tree_of_a_request_is_the_golden_one(case: str, check: Check) -> None:
    document = failing_tree(case)
    shown = [str(render(document, "table", width=width)) for width in (80, 200)]
    shown.append(str(render(document, "table", width=120, spans=True)))
    check(f"{case}.tree.txt", "\n".join(shown))
    check(f"{case}.tree.dot", str(render(document, "dot")))


def compared() -> DiffDocument:
    """The seeded mesh before and after: redis became slow, lua is no longer asked, and the injected fault is gone."""
    of = recording(MESH / "seed_504" / "v1" / "traces.json.gz")
    before = np.arange(of.traces) % 2 == 0
    slow, gone = of.calls(~before, "service-go", "service-redis"), of.calls(~before, "service-python", "service-lua")
    aborted = of.failed(~before, "istio-ingress", "service-python")
    after = of.report(~before, slowed=slow, factor=2, without=gone, mended=aborted)
    return diff(of.report(before), after)


def test_a_comparison_is_the_golden_one(check: Check) -> None:
    document = compared()
    check("compared.json", str(render(document, "json")))
    check("compared.txt", str(render(document, "table", width=80)))
    check("compared.dot", str(render(document, "dot")))
    check("compared.mmd", str(render(document, "mermaid")))


# What has to hold whatever the files say


def test_a_comparison_shows_what_was_changed_and_nothing_else() -> None:
    document = compared()
    assert {(one["callee"], one["change"]) for one in document["edges"] if one["significant"]} == {
        ("service-redis", "worse"),
        ("service-lua", "removed"),
        ("service-python", "better"),
    }
    assert document["changes"]["same"] == len(document["edges"]) - 3
    assert all(one["before"] or one["after"] for one in (*document["edges"], *document["nodes"]))


def test_seed_504_shows_the_injected_fault() -> None:
    made = seed_504()
    edge = next(edge for edge in made.graph()["edges"] if edge["callee"] == "service-python")
    assert (edge["caller"], edge["calls"], edge["errors"], edge["flags"]) == ("istio-ingress", 66, 35, {"FI": 35})
    assert made.errors()["failing_hops"][0]["reason"] == "fault-injected"
    shown = drawn("seed_504")
    assert shown["counts"] == {"node": 7, "edge": 8}
    assert any("53 %" in " ".join(edge["words"]) for edge in shown["edges"])


@pytest.mark.parametrize("case", TREES)
def test_the_tree_of_a_failing_request_marks_the_call_that_broke(case: str) -> None:
    document = failing_tree(case)
    broke = [call for call in document["calls"] if call["failing"]]
    text = str(render(document, "table", width=200))
    assert broke
    assert sum(line.startswith("×►") for line in text.split("\n\n")[1].splitlines()) == len(broke)
    assert all(f"^ {call['reason']}, at the" in text for call in broke)


def test_an_empty_report_is_a_whole_document_and_a_drawing_that_says_so() -> None:
    document = Report().graph()
    assert (document["nodes"], document["edges"], document["cycles"], document["notes"]) == ([], [], [], [])
    assert document["window"] == {"from": None, "to": None}
    assert set(document["counts"].values()) == {0}
    assert Report().errors()["failing_hops"] == []
    shown = drawn("empty")
    assert shown["counts"] == {"node": 0, "edge": 0}
    assert shown["nodes"][0]["words"][0] == "No trace was found."
    for format in ("table", "wide", "csv", "png"):
        assert render(document, format)


def test_one_span_is_one_node_at_which_one_request_entered() -> None:
    document = one_span().graph()
    assert [(node["name"], node["calls"], node["entry_calls"]) for node in document["nodes"]] == [("lonely", 1, 1)]
    assert document["edges"] == []
    assert drawn("one_span")["counts"] == {"node": 1, "edge": 0}


def test_a_cycle_is_named_and_drawn_with_both_its_edges() -> None:
    document = cycle().graph()
    assert document["cycles"] == [["a", "b"]]
    assert [(edge["caller"], edge["callee"], edge["calls"]) for edge in document["edges"]] == [
        ("a", "b", 1),
        ("b", "a", 1),
        ("istio-ingress", "a", 1),
    ]
    row = cycle().errors()["failing_hops"][0]
    assert (row["caller"], row["callee"], row["absorbed_by"]) == ("b", "a", {"b": 1})
    assert drawn("cycle")["counts"] == {"node": 3, "edge": 3}


def test_hostile_names_stay_whole_in_data_and_break_no_drawing() -> None:
    made = hostile()
    names = {node["name"] for node in made.graph()["nodes"]}
    assert {name for name in HOSTILE if name} <= names
    read = json.loads(str(render(made.graph(), "json")))
    assert {node["name"] for node in read["nodes"]} == {name.replace("\ud800", "�") for name in names}
    shown = drawn("hostile")
    assert shown["counts"] == {"node": len(names), "edge": len(HOSTILE) + 2}
    words = [" ".join(node["words"]) for node in shown["nodes"]]
    for visible in ("</script>", 'quote " and \\ and \\N', "<b>&amp;&lt;|{}", "日本語のサービス"):
        assert any(visible in text for text in words), visible
    for format in ("table", "wide", "dot", "svg"):
        text = str(render(made.graph(), format, errors=made.errors()))
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text), format
    for format in ("table", "wide", "csv"):
        assert render(made.errors(), format)


def test_ten_thousand_hops_deep_is_data_of_every_kind(check: Check) -> None:
    graph, errors = deep().graph(), deep().errors()
    names = [f"service-{number:05}" for number in range(DEEP)]
    assert [(edge["caller"], edge["callee"]) for edge in graph["edges"]] == list(pairwise(names))
    row = errors["failing_hops"][0]
    assert (row["callee"], row["chain"], len(errors["failing_hops"])) == (names[-1], names, 1)
    assert len(json.loads(str(render(graph, "json")))["edges"]) == DEEP - 1
    assert str(render(graph, "csv")).count("\n") == DEEP
    assert str(render(graph, "table")).count("service-") >= 2 * (DEEP - 1)
    assert str(render(graph, "dot", errors=errors)).count(" -> ") >= DEEP - 1
    assert "service-09999" in str(render(errors, "table"))
    summary = {
        "graph": {
            **graph,
            "nodes": [len(graph["nodes"]), graph["nodes"][0], graph["nodes"][-1]],
            "edges": [len(graph["edges"]), graph["edges"][0], graph["edges"][-1]],
        },
        "failing_hop": {**row, "chain": [len(row["chain"]), row["chain"][0], row["chain"][-1]]},
    }
    check("deep.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def test_a_drawing_that_takes_too_long_says_what_to_do_instead() -> None:
    with pytest.raises(DrawingFailed, match="the layout took more than 2 s") as caught:
        render(deep().graph(), "svg", timeout_s=2)
    assert "--focus" in caught.value.remedy
    assert "-o json" in caught.value.remedy


# fixtures/: the same traces in each format, with what must come out

FIXTURES = ROOT / "fixtures"
INPUTS = [
    path for name in ("jaeger", "otlp", "zipkin") for path in sorted(FIXTURES.glob(f"*/{name}.json"))
]  # zipkin.json is missing where the programs' own spans were never Zipkin


def found(made: Report) -> dict[str, Any]:
    """What `expected.json` says."""
    graph, first = made.graph(), made.errors()["failing_hops"][0]
    said: dict[str, Any] = dict(first)
    return {
        "traces": graph["counts"]["traces"],
        "failed_traces": graph["counts"]["failed_traces"],
        "edges": {
            f"{edge['caller']} → {edge['callee']}": {"calls": edge["calls"], "errors": edge["errors"]}
            for edge in graph["edges"]
        },
        "first_failing_hop": {
            field: said[field] for field in ("caller", "callee", "where", "reason", "blame", "failed_traces")
        },
    }


def expected(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((path.parent / "expected.json").read_text())
    return document


def lines(path: Path) -> str:
    """The fixture as JSON lines: a trace, a resource or a span each."""
    document = json.loads(path.read_text())
    if path.stem == "jaeger":
        pieces = [{"data": [trace]} for trace in document["data"]]
    elif path.stem == "otlp":
        pieces = [{"resourceSpans": [resource]} for resource in document["result"]["resourceSpans"]]
    else:
        pieces = [[one] for one in document]
    return "".join(json.dumps(piece) + "\n" for piece in pieces)


def test_the_fixtures_are_there() -> None:
    assert len({path.parent for path in INPUTS}) == 7
    assert len(INPUTS) == 20


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_fixture_gives_what_is_expected_in_every_wrapping(path: Path, tmp_path: Path) -> None:
    assert found(traceviz.load(str(path)).report()) == expected(path)
    wrapped = {
        "unknown": path.read_bytes(),
        "unknown.gz": gzip.compress(path.read_bytes()),
        "unknown-lines": lines(path).encode(),
        "unknown-lines-zipped": gzip.compress(lines(path).encode()),
    }
    for name, content in wrapped.items():
        (tmp_path / name).write_bytes(content)
        assert found(traceviz.load(str(tmp_path / name)).report()) == expected(path), name


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_fixture_through_standard_input_is_the_same_document(path: Path) -> None:
    def document(run: Ended) -> dict[str, Any]:
        return {key: value for key, value in run.json().items() if key != "source"}

    for content in (path.read_bytes(), lines(path).encode()):
        for command in ("graph", "errors"):
            from_file = document(called(command, str(path), "-o", "json"))
            assert document(called(command, "-", "-o", "json", stdin=content)) == from_file


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_expected_calls_are_those_of_envoys_own_spans(path: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    counted = {f"{caller} → {callee}": counts for (caller, callee), counts in oracle.edges(zipped).items()}
    assert counted == {edge: (c["calls"], c["errors"]) for edge, c in expected(path)["edges"].items()}


# Flame graphs


def test_the_flame_graph_of_what_users_waited_for(check: Check) -> None:
    found = flames(traceviz.load(str(MESH / "seed_504" / "v1" / "traces.json.gz")))
    svg = flame_svg(found)
    check("seed_504.flame.svg", svg)
    assert ">to service-go: injected delay  74 %<" in svg


def test_the_folded_stacks_of_failures(check: Check) -> None:
    found = flames(traceviz.load(str(MESH / "seed_504" / "v1" / "traces.json.gz")))
    text = folded(found, "errors")
    check("seed_504.errors.folded", text)
    assert text.count("service-python (not seen)") == 2
