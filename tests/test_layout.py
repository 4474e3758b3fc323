"""Drawings of every recorded system and of made ones, checked by machine; and what happens when the engine fails."""

from __future__ import annotations

import json
import pathlib
import stat
import struct
import sys
import time
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents_made import (
    article,
    chain,
    cycle,
    empty,
    fan,
    hostile,
    kinds,
    large,
    of_calls,
    one_node,
    two_faults,
)
from tests.drawing import aspect, contrast, label_overlaps, parsed, poor_contrasts, smallest_text_px, words_outside
from traceviz.documents import ErrorsDocument, GraphDocument
from traceviz.errors import DrawingFailed
from traceviz.render import layout
from traceviz.render.dot import dot
from traceviz.render.layout import bundled_engine, draw
from traceviz.render.picture import picture

Documents = tuple[GraphDocument, ErrorsDocument | None]
RECORDED = sorted((pathlib.Path(__file__).parents[1].parent / "shared" / "data" / "mesh").glob("*/truth.json"))
SVG = "{http://www.w3.org/2000/svg}"


def _recorded(truth: dict[str, Any]) -> Documents:
    """The system of a recording with its true cause as the failing hop."""
    cause = truth.get("root_cause") or {}
    pairs = [(caller, callee) for caller, callees in truth["calls"].items() for callee in callees]
    broken = next((pair for pair in pairs if pair == (cause.get("caller"), cause.get("callee"))), None)
    return of_calls(truth["calls"], broken or next((pair for pair in pairs if pair[1] == cause.get("service")), None))


MADE: dict[str, Documents] = {
    "article": article(),
    "two faults": two_faults(),
    "kinds": kinds(),
    "hostile": hostile(),
    "cycle": (cycle(), None),
    "empty": (empty(), None),
    "one node": (one_node(), None),
    "fan": (fan(12), None),
    **{f"chain of {length}": (chain(length), None) for length in (2, 3, 4, 5, 7)},
}


def check(documents: Documents, theme: str) -> None:
    made = draw(dot(picture(*documents, theme=theme)), "json")
    assert label_overlaps(made) == []
    assert words_outside(made) == []
    assert poor_contrasts(made) == []
    assert aspect(made) <= 4
    assert smallest_text_px(made, 1600) >= 9


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("documents", MADE.values(), ids=MADE.keys())
def test_made_drawings_can_be_read(documents: Documents, theme: str) -> None:
    check(documents, theme)


@pytest.mark.skipif(not RECORDED, reason="the recordings are not beside this checkout")
@pytest.mark.parametrize("truth", RECORDED, ids=lambda path: path.parent.name)
def test_drawings_of_recorded_systems_can_be_read(truth: pathlib.Path) -> None:
    check(_recorded(json.loads(truth.read_text())), "light")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16, unique=True), st.integers(0, 15))
def test_words_never_overlap_whatever_the_calls_are(calls: list[tuple[int, int]], broken: int) -> None:
    by_caller: dict[str, list[str]] = {"istio-ingress": ["s0"]}
    for caller, callee in calls:
        by_caller.setdefault(f"s{caller}", []).append(f"s{callee}")
    pairs = [(caller, callee) for caller, callees in by_caller.items() for callee in callees]
    made = draw(dot(picture(*of_calls(by_caller, pairs[broken % len(pairs)]))), "json")
    assert label_overlaps(made) == []
    assert words_outside(made) == []


def test_the_overlap_check_sees_an_overlap() -> None:
    """Two nodes laid on one another by hand, and a title on a node."""
    made = parsed(draw(dot(picture(chain(2))), "json"))
    nodes = [part for part in made["objects"] if "pos" in part]
    nodes[0]["_ldraw_"], nodes[0]["pos"] = nodes[1]["_ldraw_"], nodes[1]["pos"]
    assert label_overlaps(made)


def test_the_contrast_of_known_colours() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_svg_is_self_contained_and_says_what_it_shows() -> None:
    svg = draw(dot(picture(*article(), ui_url="http://localhost:16686")), "svg")
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    first = root.find(f"{SVG}title")
    assert first is not None
    assert (first.text, first.get("id")) == ("Who calls whom: istio-ingress", root.get("aria-labelledby"))
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    tooltip = groups["E3"].findtext(f"{SVG}title")
    assert tooltip is not None
    assert tooltip.startswith("istio-ingress → service-python\n66 calls (0.212 per second), 35 errors (53 %)")
    links = {anchor.get("{http://www.w3.org/1999/xlink}href") for anchor in groups["E3"].iter(f"{SVG}a")}
    assert links == {"http://localhost:16686/trace/00000000000000000000000000000001"}
    fonts = {text.get("font-family") for text in root.iter(f"{SVG}text")}
    assert len(fonts) == 1
    assert "sans-serif" in str(fonts.pop())
    assert b"<!DOCTYPE" not in svg
    assert not list(root.iter(f"{SVG}script")) + list(root.iter(f"{SVG}image"))


def test_a_png_has_the_size_of_the_drawing_in_pixels() -> None:
    source = dot(picture(*article()))
    png = draw(source, "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width / height == pytest.approx(aspect(draw(source, "json")), rel=0.1)


def test_the_same_source_gives_the_same_bytes() -> None:
    source = dot(picture(*article()))
    assert draw(source, "svg") == draw(source, "svg")
    assert draw(source, "png") == draw(source, "png")


def test_five_hundred_services_are_laid_out() -> None:
    made = draw(dot(picture(large(500, 2))), "json", timeout_s=300)
    assert sum(part["name"].startswith("N") for part in parsed(made)["objects"]) == 500


def test_the_bundled_engine_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert bundled_engine() is not None
    assert draw("digraph { a }", "svg").startswith(b"<?xml")


def _program(folder: pathlib.Path, lines: str) -> str:
    """An engine that does what the lines of Python say."""
    path = folder / "engine"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_engine_that_takes_too_long_is_stopped(tmp_path: pathlib.Path) -> None:
    slow = _program(tmp_path, "time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(DrawingFailed, match=r"more than 0\.5 s") as raised:
        draw("digraph { a }", "svg", dot_command=slow, timeout_s=0.5)
    assert time.monotonic() - began < 10
    assert "--focus" in raised.value.remedy


def test_an_engine_that_fails_is_quoted(tmp_path: pathlib.Path) -> None:
    broken = _program(tmp_path, "sys.exit('Error: out of ink')")
    with pytest.raises(DrawingFailed, match="engine failed \\(Error: out of ink\\)"):
        draw("digraph { a }", "svg", dot_command=broken)


def test_an_engine_that_says_nothing_and_writes_nothing_has_failed(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DrawingFailed, match="exit code 0"):
        draw("digraph { a }", "svg", dot_command=_program(tmp_path, "pass"))


def test_the_system_is_asked_where_the_bundled_engine_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = tmp_path / "dot"
    pathlib.Path(_program(tmp_path, "sys.stdout.write('%PDF' if '-Tpdf' in sys.argv else '<svg >')")).rename(works)
    broken = _program(tmp_path, "sys.exit(1)")
    monkeypatch.delenv("TRACEVIZ_DOT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(layout, "bundled_engine", lambda: broken)
    assert draw("digraph { a }", "svg").startswith(b"<svg ")
    assert draw("digraph { a }", "pdf") == b"%PDF"


def test_an_engine_named_in_the_environment_is_the_only_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIZ_DOT", _program(tmp_path, "sys.stdout.write('{}')"))
    assert draw("digraph { a }", "json") == b"{}"
    monkeypatch.setenv("TRACEVIZ_DOT", "no-such-engine")
    with pytest.raises(DrawingFailed, match="no layout engine 'no-such-engine'"):
        draw("digraph { a }", "json")


def test_missing_engines_are_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEVIZ_DOT", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DrawingFailed, match="PDF needs the system's Graphviz") as raised:
        draw("digraph { a }", "pdf")
    assert "apt-get install graphviz" in raised.value.remedy
    monkeypatch.setattr(layout, "bundled_engine", lambda: None)
    with pytest.raises(DrawingFailed, match="no layout engine was found"):
        draw("digraph { a }", "svg")
