"""Flame graphs as pictures: everything has its place and its words, and nothing is left out unsaid."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

import traceviz
from tests.builder import forest, in_trace, span
from tests.conftest import SHARED
from tests.drawing import contrast
from tests.test_flame import document
from tests.test_profiles import nasty
from traceviz.documents import FlameDocument
from traceviz.errors import UsageError
from traceviz.render.flame import flame_dot, flame_svg
from traceviz.render.flame_picture import COLOURINGS, MARGIN, WIDTH, FlamePicture, flame_picture
from traceviz.render.frames import BY, label, value
from traceviz.render.layout import draw
from traceviz.render.palette import PALETTES

SVG = "{http://www.w3.org/2000/svg}"
THEMES = ("light", "dark")


@cache
def recorded(case: str) -> FlameDocument:
    return document(traceviz.load(str(SHARED / "data" / case / "v3" / "traces.json.gz")))


def empty() -> FlameDocument:
    return {**recorded("mesh/none"), "frames": []}


@cache
def crowded() -> FlameDocument:
    """One wide call and very many narrow ones beside it."""
    rows = [
        span("w", service="web", operation="GET /", kind="server", ms=1000),
        span("big", "w", service="big", ms=600),
    ]
    rows += [span(f"n{i:03}", "w", service=f"n{i:03}", start=601 + i, ms=0.5) for i in range(300)]
    return document(forest(*rows))


DOCUMENTS = {
    "delay": lambda: recorded("mesh/delay"),
    "seed_504": lambda: recorded("mesh/seed_504"),
    "shop": lambda: recorded("otel/shop_external_slow"),
    "nasty": cache(nasty),
    "crowded": crowded,
    "empty": empty,
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colouring", COLOURINGS)
@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("made", DOCUMENTS)
def test_every_box_lies_within_the_one_above_and_its_words_can_be_read(
    made: str, by: str, colouring: str, theme: str
) -> None:
    found = DOCUMENTS[made]()
    picture = flame_picture(found, by, colouring, theme)
    svg = flame_svg(found, by, colouring, theme)
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SVG}title") is not None
    assert len(list(root.iter(f"{SVG}rect"))) == 1 + len(picture.boxes) + len(picture.legend)
    nested(picture)
    for box in picture.boxes:
        assert contrast(PALETTES[picture.theme].ink, box.fill) >= 4.5
        assert len(box.text) * 6 <= max(box.width, 18)


def nested(picture: FlamePicture) -> None:
    """Every box beneath the first lies within one of the row above, and those of a row do not touch each other."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for box in picture.boxes:
        rows.setdefault(box.row, []).append((box.left, box.left + box.width))
    for row, boxes in rows.items():
        boxes.sort()
        assert all(end <= begin + 1e-6 for (_, end), (begin, _) in pairwise(boxes))
        above = rows[row - 1] if row else [(MARGIN, WIDTH - MARGIN)]
        assert all(any(a - 1e-6 <= left and right <= b + 1e-6 for a, b in above) for left, right in boxes)


@pytest.mark.parametrize("by", BY)
def test_widths_are_shares_of_the_whole(by: Any) -> None:
    found = recorded("mesh/seed_504")
    total = sum(value(frame, by) for frame in found["frames"])
    picture = flame_picture(found, by)
    top = [box for box in picture.boxes if box.row == 1]
    assert sum(box.width for box in top) == pytest.approx(WIDTH - 2 * MARGIN)
    whole = [0] * len(found["frames"])
    for place in range(len(whole) - 1, -1, -1):
        frame = found["frames"][place]
        whole[place] += value(frame, by)
        if frame["parent"] is not None:
            whole[frame["parent"]] += whole[place]
    expected = {
        (label(frame), round((WIDTH - 2 * MARGIN) * amount / total, 6))
        for frame, amount in zip(found["frames"], whole, strict=True)
    }
    drawn = {(box.tooltip.split("\n")[0], round(box.width, 6)) for box in picture.boxes if "more:" not in box.tooltip}
    assert {(text, width) for text, width in drawn if not text.startswith("all: ")} <= expected
    assert len(drawn) > 4


def test_frames_too_narrow_are_one_frame_and_it_is_said() -> None:
    picture = flame_picture(crowded())
    (folded,) = [box for box in picture.boxes if "more" in box.tooltip]
    assert folded.text == "… 300 more"
    assert folded.width == pytest.approx((WIDTH - 2 * MARGIN) * 0.15)
    assert picture.left_out[0] == "300 frames too narrow to be drawn: in frames “… n more”"


def test_frames_too_thin_even_together_are_counted() -> None:
    rows = [span("w", service="web", kind="server", ms=100_000), span("n", "w", service="tiny", ms=1)]
    assert "1 frame too narrow even so: not drawn" in flame_picture(document(forest(*rows))).left_out


def test_a_delay_and_where_the_time_went_can_be_seen() -> None:
    delay = flame_svg(recorded("mesh/delay"))
    assert re.search(r">to shipping: injected delay +49 %<", delay)
    shop = flame_svg(recorded("otel/shop_external_slow"), colouring="share")
    assert "api.bank.example (not seen) POST /v1/charge  79 %" in shop
    assert "40 % or more its own" in shop


def test_what_there_is_nothing_of_is_said() -> None:
    healthy = document(forest(span("w", service="web", kind="server")))
    assert flame_picture(healthy, "errors").message == "No failure started in these traces."
    queue = document(forest(*in_trace("q", span("c", service="mail", kind="consumer", queue="mails"))))
    assert "No user waited" in flame_svg(queue, "critical")
    assert flame_picture(document(forest(span("w", service="web", kind="server", ms=0))), "self").message


@pytest.mark.parametrize(
    ("by", "colouring", "theme"), [("cpu", "service", "light"), ("self", "x", "light"), ("self", "share", "x")]
)
def test_what_there_is_not_is_said(by: str, colouring: str, theme: str) -> None:
    with pytest.raises(UsageError):
        flame_svg(crowded(), by, colouring, theme)


@pytest.mark.parametrize("made", DOCUMENTS)
def test_the_layout_engine_draws_the_same_sheet(made: str) -> None:
    png = draw(flame_dot(DOCUMENTS[made](), theme="dark"), "png")
    height = int(re.search(r'height="(\d+)', flame_svg(DOCUMENTS[made]())).group(1))  # type: ignore[union-attr]
    width, drawn = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert abs(width - WIDTH) <= 2
    assert abs(drawn - height) <= 2
