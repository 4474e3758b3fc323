"""Every recorded case as a picture, checked by machine: nothing overlaps, everything can be read."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

import traceviz
from tests import drawing
from tests.conftest import CASES, recorded
from traceviz.render.dot import dot
from traceviz.render.layout import draw
from traceviz.render.picture import picture

WIDTH = 1600


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("case", CASES)
def test_the_picture_of_a_recorded_case_can_be_read(case: str, theme: str) -> None:
    report = recorded(case, "v3")
    source = dot(picture(report.graph(), report.errors(), ui_url="http://localhost:16686", theme=theme))
    layout = json.loads(draw(source, "json"))
    assert drawing.label_overlaps(layout) == []
    assert drawing.words_outside(layout) == []
    assert drawing.poor_contrasts(layout) == []
    assert drawing.aspect(layout) <= 4
    assert drawing.smallest_text_px(layout, WIDTH) >= 9


@pytest.mark.parametrize("case", CASES)
def test_a_picture_says_target_window_failing_hop_and_every_edge(case: str) -> None:
    report = recorded(case, "v3")
    document, errors = report.graph(), report.errors()
    words = " ".join(" ".join(ElementTree.fromstring(str(traceviz.render(report, "svg"))).itertext()).split())
    assert "istio-ingress" in words
    assert f"{document['counts']['traces']} traces" in words
    for edge in document["edges"]:
        assert f"{edge['calls']} calls" in words
    for row in errors["failing_hops"][:1]:
        assert row["reason"] in words
