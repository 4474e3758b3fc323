"""A flame graph, decided once for every drawing: boxes with their places, words and colours, and what was left out.

The time of all requests is at the top, beneath every frame those that it called, as wide as their time or failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from traceviz.documents import FlameDocument, FlameFrame
from traceviz.errors import UsageError
from traceviz.render.frames import By, brief, check, label, value
from traceviz.render.palette import Theme, palette
from traceviz.render.words import count, counted, millis, name, share, shorten, sources, window

#: In pixels.
WIDTH = 1200.0
MARGIN = 16.0
#: Narrower frames are one frame "… n more" beside their siblings; a narrower one of these is left out.
NARROWEST = 4.0
THINNEST = 0.5
CELL = 6.8
PADDING = 5.0
LEGEND_CELLS = 30
NOTE_CELLS = 150

Colouring = Literal["service", "share"]
COLOURINGS: tuple[Colouring, ...] = get_args(Colouring)

_SERVICES: Mapping[Theme, Sequence[str]] = {
    "light": ("#cfe3f5", "#fde0b8", "#cdebd6", "#f6d1dc", "#e3d8f3", "#f4efb5", "#c9ecec", "#e5d5c5"),
    "dark": ("#1f4e79", "#6b4a12", "#22583a", "#6d2c46", "#4b3a7a", "#5c5714", "#155a5e", "#5a4433"),
}
_SHARES: Mapping[Theme, Sequence[str]] = {
    "light": ("#f1f5f9", "#fde8d7", "#fbd0ae", "#f7ae7c", "#f08a4b"),
    "dark": ("#222a33", "#43301f", "#64401f", "#80491b", "#954e12"),
}
#: From which share of the whole that is a frame's own on each of the colours is taken.
_STEPS = (0.0, 0.01, 0.05, 0.15, 0.4)
_TITLES: Mapping[By, str] = {
    "critical": "What users waited for",
    "self": "Where time was spent",
    "errors": "Where failures started",
}
_WIDTHS: Mapping[By, str] = {
    "critical": "width: time for which users waited",
    "self": "width: time in which no call was under way",
    "errors": "width: failures that started there",
}
_NOTHING: Mapping[By, str] = {
    "critical": "No user waited: no request of a user is in these traces.",
    "self": "No time was spent in these traces.",
    "errors": "No failure started in these traces.",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A frame as it is drawn: `left` and `width` in pixels, `row` from the top. `border` is a dashed one's colour."""

    left: float
    width: float
    row: int
    text: str
    tooltip: str
    fill: str
    border: str | None


@dataclass(frozen=True, slots=True)
class Swatch:
    """An entry of the legend."""

    fill: str
    border: str | None
    text: str


@dataclass(frozen=True, slots=True)
class FlamePicture:
    """Everything that a drawing needs. `message` says why there is no box, else it is empty."""

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    legend: tuple[Swatch, ...]
    left_out: tuple[str, ...]
    message: str
    theme: Theme


def flame_picture(
    document: FlameDocument, by: str = "critical", colouring: str = "service", theme: str = "light"
) -> FlamePicture:
    """Decide the picture. Raises UsageError for a value, a colouring or a theme that there is not."""
    shown = check(by)
    palette(theme)
    chosen: Theme = "dark" if theme == "dark" else "light"
    if colouring not in COLOURINGS:
        raise UsageError(f"a flame graph cannot be coloured by {colouring!r}", f"colours: {', '.join(COLOURINGS)}")
    drawn = _Drawing(document["frames"], shown, _Colours(document["frames"], shown, colouring == "share", chosen))
    counts = document["counts"]
    where = [part for part in (sources(document), window(*document["window"].values())) if part]  # type: ignore[arg-type]
    read = f"{counted(counts['traces'], 'trace')} · {counted(counts['spans'], 'span')}"
    return FlamePicture(
        title=_TITLES[shown],
        subtitle=" · ".join([*where, read, _WIDTHS[shown]]),
        boxes=tuple(drawn.boxes),
        legend=drawn.colours.legend(),
        left_out=tuple(shorten(line, NOTE_CELLS) for line in [*drawn.left_out(), *_notes(document)]),
        message="" if drawn.boxes else _NOTHING[shown],
        theme=chosen,
    )


def _notes(document: FlameDocument) -> list[str]:
    return [f"{name(note['code'])} ({note['count']:,}): {name(note['text'])}" for note in document["notes"]]


class _Colours:
    """What each frame is filled with, and which of that was used. Services with the most of their own have colours."""

    def __init__(self, frames: Sequence[FlameFrame], by: By, by_share: bool, theme: Theme) -> None:
        own: Counter[str] = Counter()
        for frame in frames:
            if frame["kind"] in ("work", "unseen") and frame["service"] is not None:
                own[frame["service"]] += value(frame, by)
        ranked = sorted(own, key=lambda service: (-own[service], service))
        self._of_service = dict(zip(ranked, _SERVICES[theme], strict=False))
        self._by_share, self._theme, self._palette = by_share, theme, palette(theme)
        self._used: dict[tuple[int, str], Swatch] = {}

    def of(self, frame: FlameFrame, own: float) -> Swatch:
        """The colours of a frame whose own value is this share of the whole."""
        kind, service = frame["kind"], frame["service"]
        faint, failing = self._palette.faint, self._palette.line["failing"]
        if kind == "delay":
            return self._use(90, Swatch(self._palette.card, failing, "injected delay"))
        if kind == "way":
            return self._use(91, Swatch(self._palette.background, faint, "network, proxies and queues of a call"))
        if kind not in ("work", "unseen"):
            return self.folded()
        border = faint if kind == "unseen" else None
        if border is not None:
            self._use(92, Swatch(self._palette.background, border, "(not seen): the callee has no span of this call"))
        if self._by_share:
            step = max(place for place, least in enumerate(_STEPS) if own >= least)
            words = f"{share(_STEPS[step])} or more its own" if step else f"less than {share(_STEPS[1])} its own"
            return self._use(step, Swatch(_SHARES[self._theme][step], None, words), border)
        if service not in self._of_service:
            return self._use(80, Swatch(self._palette.node, None, "other services"), border)
        place = list(self._of_service).index(service)
        words = shorten(name(service), LEGEND_CELLS)
        return self._use(place, Swatch(self._of_service[service], None, words), border)

    def folded(self) -> Swatch:
        """The colours of what stands for several frames, and of what is no workload's."""
        return Swatch(self._palette.node, None, "")

    def _use(self, place: int, swatch: Swatch, border: str | None = None) -> Swatch:
        self._used[place, swatch.text] = swatch
        return Swatch(swatch.fill, swatch.border or border, swatch.text)

    def legend(self) -> tuple[Swatch, ...]:
        """What was used, in a fixed order."""
        return tuple(swatch for _, swatch in sorted(self._used.items(), key=lambda item: item[0]))


class _Drawing:
    """Places all frames. `narrow` and `missing` count those that are folded, and those that are too thin even so."""

    def __init__(self, frames: Sequence[FlameFrame], by: By, colours: _Colours) -> None:
        self.boxes: list[Box] = []
        self.colours = colours
        self.narrow = self.missing = 0
        self._frames, self._by = frames, by
        self._whole = [value(frame, by) for frame in frames]
        self._size = [1] * len(frames)
        self._beneath: dict[int | None, list[int]] = {}
        for place in range(len(frames) - 1, -1, -1):
            parent = frames[place]["parent"]
            if parent is not None:
                self._whole[parent] += self._whole[place]
                self._size[parent] += self._size[place]
        for place, frame in enumerate(frames):
            if self._whole[place]:
                self._beneath.setdefault(frame["parent"], []).append(place)
        self._total = sum(self._whole[place] for place in self._beneath.get(None, []))
        if self._total:
            self._place_all()

    def _place_all(self) -> None:
        text = f"all: {self._amount(self._total)}"
        folded = self.colours.folded()
        self.boxes.append(Box(MARGIN, WIDTH - 2 * MARGIN, 0, text, f"{text}\n{_WIDTHS[self._by]}", folded.fill, None))
        waiting: list[tuple[int | None, float, int]] = [(None, MARGIN, 1)]
        while waiting:
            above, left, row = waiting.pop()
            wide: list[tuple[int | None, float, int]] = []
            narrow = []
            for place in self._beneath.get(above, []):
                width = self._width(self._whole[place])
                if width < NARROWEST:
                    narrow.append(place)
                    continue
                self.boxes.append(self._box(place, left, width, row))
                wide.append((place, left, row + 1))
                left += width
            self._fold(narrow, left, row)
            waiting += reversed(wide)

    def _width(self, amount: int) -> float:
        return (WIDTH - 2 * MARGIN) * amount / self._total

    def _box(self, place: int, left: float, width: float, row: int) -> Box:
        frame, whole = self._frames[place], self._whole[place]
        own = value(frame, self._by)
        swatch = self.colours.of(frame, own / self._total)
        called = label(frame)
        tooltip = f"{called}\n{share(whole / self._total)} of all: {self._amount(whole)}"
        if own != whole:
            tooltip += f", {self._amount(own)} of that its own"
        text = _fitted((f"{called}  {share(whole / self._total)}", called, brief(frame)), width)
        return Box(left, width, row, text, tooltip, swatch.fill, swatch.border)

    def _fold(self, narrow: Sequence[int], left: float, row: int) -> None:
        frames = sum(self._size[place] for place in narrow)
        amount = sum(self._whole[place] for place in narrow)
        if not narrow:
            return
        if self._width(amount) < THINNEST:
            self.missing += frames
            return
        self.narrow += frames
        text = f"… {count(frames)} more"
        names = [shorten(label(self._frames[place]), 80) for place in sorted(narrow, key=lambda one: -self._whole[one])]
        told = "\n".join([f"{text}: {self._amount(amount)}", *names[:8], *(["…"] if len(names) > 8 else [])])
        width = self._width(amount)
        self.boxes.append(Box(left, width, row, _fitted((text,), width), told, self.colours.folded().fill, None))

    def _amount(self, amount: int) -> str:
        return counted(amount, "failure") if self._by == "errors" else millis(amount / 1e6)

    def left_out(self) -> list[str]:
        """What is not drawn by itself."""
        lines = []
        if self.narrow:
            lines.append(f"{counted(self.narrow, 'frame')} too narrow to be drawn: in frames “… n more”")
        if self.missing:
            lines.append(f"{counted(self.missing, 'frame')} too narrow even so: not drawn")
        return lines


def _fitted(texts: Sequence[str], width: float) -> str:
    """The first of the texts that there is room for, else the last one shortened; nothing where only one or two letters
    of either end would be left."""
    cells = int((width - 2 * PADDING) / CELL)
    short = shorten(texts[-1], cells) if cells > 5 else ""
    return next((text for text in texts if shorten(text, cells) == text), short)
