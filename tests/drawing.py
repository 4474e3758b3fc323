"""Checks of a drawing that a machine can make: words on words, proportions, size of letters, contrast.

They read the JSON that Graphviz writes (`draw(dot, "json")`), where every text stands with place, width and size.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: How far letters reach above and below their line, as parts of the size of the font.
ASCENT, DESCENT = 0.75, 0.22
#: Boxes that share less than this many points only touch.
TOUCH = 0.5


@dataclass(frozen=True)
class Box:
    """A rectangle in points that belongs to a label or a shape of `owner`; `text` names it in a failure."""

    owner: str
    text: str
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        upright = min(self.top, other.top) - max(self.bottom, other.bottom)
        return across > TOUCH and upright > TOUCH


@dataclass(frozen=True)
class Word:
    """A text as it is drawn: its box, its size in points, its colour and the colour of what it stands on."""

    box: Box
    size: float
    colour: str
    ground: str


def parsed(layout_json: bytes | str | dict[str, Any]) -> dict[str, Any]:
    """The engine's JSON as a dictionary."""
    return layout_json if isinstance(layout_json, dict) else json.loads(layout_json)


def _parts(layout: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that has words: the graph (title), clusters (legend), nodes, edges."""
    yield "title", layout
    for part in layout.get("objects", []):
        yield ("legend" if part["name"].startswith("cluster") else part["name"]), part
    for index, part in enumerate(layout.get("edges", []), 1):
        yield f"edge {index}", part


def words(layout_json: bytes | str | dict[str, Any]) -> list[Word]:
    """Every text of a drawing, with the ground it is drawn on: the last filled area before it that it stands in."""
    layout = parsed(layout_json)
    background = layout["bgcolor"]
    found = []
    for owner, part in _parts(layout):
        grounds: list[tuple[Box, str]] = []
        fill, pen, size = background, "#000000", 14.0
        for operation in [*part.get("_draw_", []), *part.get("_ldraw_", [])]:
            kind = operation["op"]
            if kind == "C":
                fill = operation["color"]
            elif kind == "c":
                pen = operation["color"]
            elif kind == "F":
                size = operation["size"]
            elif kind in "PEb" or (kind == "B" and owner != "title"):
                grounds.append((_around(owner, operation), fill))
            elif kind == "T" and operation["text"].strip():
                box = _text_box(owner, operation, size)
                under = [colour for area, colour in grounds if area.overlaps(box) and len(colour) == 7]
                found.append(Word(box, size, pen, (under or [background])[-1]))
    return found


def _around(owner: str, operation: dict[str, Any]) -> Box:
    if "points" not in operation:
        x, y, width, height = operation["rect"]
        return Box(owner, "area", x - width, y - height, x + width, y + height)
    xs, ys = zip(*((point[0], point[1]) for point in operation["points"]), strict=True)
    return Box(owner, "area", min(xs), min(ys), max(xs), max(ys))


def _text_box(owner: str, operation: dict[str, Any], size: float) -> Box:
    x, y = operation["pt"][:2]
    width = operation["width"]
    left = {"l": x, "c": x - width / 2, "r": x - width}[operation["align"]]
    return Box(owner, operation["text"], left, y - DESCENT * size, left + width, y + ASCENT * size)


def _shape(part: dict[str, Any]) -> Box | None:
    """The outline of a node, None for what has none."""
    if "pos" not in part or "width" not in part:
        return None
    x, y = map(float, part["pos"].split(","))
    width, height = float(part["width"]) * 72, float(part["height"]) * 72
    return Box(part["name"], "shape", x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def label_overlaps(layout_json: bytes | str | dict[str, Any]) -> list[str]:
    """Where words of one thing stand on words, or on the shape, of another, one sentence each; empty when all is well.

    Checked are title, legend, nodes and edges. Words of one label are its own affair, lines are not words.
    """
    layout = parsed(layout_json)
    texts = [word.box for word in words(layout)]
    shapes = [box for box in map(_shape, layout.get("objects", [])) if box is not None]
    pairs = [(one, other) for one, other in itertools.combinations(texts, 2) if one.owner != other.owner]
    pairs += [(text, shape) for text in texts for shape in shapes if text.owner != shape.owner]
    return [f"{one.owner} {one.text!r} on {other.owner} {other.text!r}" for one, other in pairs if one.overlaps(other)]


def words_outside(layout_json: bytes | str | dict[str, Any]) -> list[str]:
    """Words that reach beyond the drawing's edge."""
    layout = parsed(layout_json)
    left, bottom, right, top = map(float, layout["bb"].split(","))
    boxes = [word.box for word in words(layout)]
    return [
        box.text
        for box in boxes
        if box.left < left - 1 or box.right > right + 1 or box.bottom < bottom - 1 or box.top > top + 1
    ]


def aspect(layout_json: bytes | str | dict[str, Any]) -> float:
    """Width over height."""
    left, bottom, right, top = map(float, parsed(layout_json)["bb"].split(","))
    return (right - left) / (top - bottom)


def smallest_text_px(layout_json: bytes | str | dict[str, Any], width: float = 1600) -> float:
    """The size of the smallest text in pixels when the whole drawing, its margin too, is shown `width` pixels wide."""
    layout = parsed(layout_json)
    left, _, right, _ = map(float, layout["bb"].split(","))
    margin = 72 * float(layout.get("pad", 0.0555))
    return min(word.size for word in words(layout)) * width / (right - left + 2 * margin)


def poor_contrasts(layout_json: bytes | str | dict[str, Any], least: float = 4.5) -> list[str]:
    """Words with less contrast than `least` against what they stand on."""
    found = words(layout_json)
    return [
        f"{word.box.text!r} {word.colour} on {word.ground}"
        for word in found
        if contrast(word.colour, word.ground) < least
    ]


def contrast(foreground: str, background: str) -> float:
    """The contrast of two colours `#rrggbb` as WCAG counts it, from 1 to 21."""
    brighter, darker = sorted((_luminance(foreground), _luminance(background)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
