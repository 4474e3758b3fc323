"""A failing, else the slowest request of every recorded case as a picture and as text, checked by machine."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len

from tests import drawing
from tests.commands import called
from tests.conftest import CASES, MESH, SHARED
from traceviz.documents import TreeDocument
from traceviz.render import render
from traceviz.render.layout import draw
from traceviz.render.tree_dot import tree_dot
from traceviz.render.tree_picture import tree_picture

WIDTH = 1600
RECORDED = {case: MESH / case / "v3" / "traces.json.gz" for case in CASES}
RECORDED |= {path.parents[1].name: path for path in sorted((SHARED / "data" / "otel").glob("*/v3/traces.json.gz"))}
RECORDED |= {path.name: path for path in sorted((SHARED / "data" / "public").glob("*/*.json.gz"))}


def tree_of(case: str) -> TreeDocument:
    for choice in ("--failing", "--slowest"):
        ended = called("tree", str(RECORDED[case]), choice, "-o", "json")
        if ended.code == 0:
            document: TreeDocument = json.loads(ended.out)
            return document
    raise AssertionError(ended.err)


@pytest.mark.parametrize("case", RECORDED)
def test_a_recorded_request_can_be_read_in_a_picture_and_in_a_terminal(case: str) -> None:
    document = tree_of(case)
    for spans in (False, True):
        for width in (80, 200):
            text = str(render(document, "table", width=width, spans=spans))
            assert all(cell_len(line) <= width for line in text.splitlines())
        picture = tree_picture(document, spans)
        layout = json.loads(draw(tree_dot(picture), "json"))
        assert drawing.words_outside(layout) == []
        assert drawing.poor_contrasts(layout) == []
        assert drawing.label_overlaps(layout) == []
        dark = json.loads(draw(tree_dot(tree_picture(document, spans, theme="dark")), "json"))
        assert drawing.poor_contrasts(dark) == []


@pytest.mark.parametrize("case", RECORDED)
def test_every_call_is_in_both_or_is_counted(case: str) -> None:
    document = tree_of(case)
    text = str(render(document, "table", width=120))
    said = re.search(r"^([\d,]+) calls? not shown one by one", text, re.MULTILINE)
    hidden = int(said.group(1).replace(",", "")) if said else 0
    rows = document["calls"] or document["spans"]
    body = text.split("duration_ms", 1)[1].split("\n\n")[0].splitlines()[1:]
    lines = [line for line in body if not re.match(r"[ │]*\^ ", line) and " more of " not in line]
    assert len(lines) + hidden == len(rows)
