"""Colours that colour-blind people can tell apart, light and dark; every text reaches 4.5:1 against what it stands on.

Blue, amber, vermillion, green and purple follow Okabe and Ito; they are darkened or lightened until their text can be
read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from traceviz.documents import Change
from traceviz.errors import UsageError

Theme = Literal["light", "dark"]
Health = Literal["healthy", "some", "failing"]

ColourBy = Literal["errors", "critical"]
COLOUR_BY: tuple[ColourBy, ...] = get_args(ColourBy)

#: From these shares of the time that users waited on a call is coloured as some errors are, and as failing ones.
WARM_SHARE, HOT_SHARE = 0.1, 0.4
#: From this share of errors on a call counts as failing; below it, some errors.
FAILING_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as `#rrggbb`. `text` and `line` have one for each health, `changed_text` and `changed_line` for each
    change; a line needs less contrast than a text."""

    background: str
    ink: str
    faint: str
    node: str
    unseen: str
    card: str
    text: dict[Health, str]
    line: dict[Health, str]
    changed_text: dict[Change, str]
    changed_line: dict[Change, str]
    mark: str
    mark_ink: str
    runner_up: str
    runner_up_ink: str
    blamed: str

    def line_of(self, health: Health, change: Change | None) -> str:
        """The colour of a line or a border: that of a change where there is a comparison."""
        return self.line[health] if change is None else self.changed_line[change]

    def text_of(self, health: Health, change: Change | None) -> str:
        """The colour of words, likewise."""
        return self.text[health] if change is None else self.changed_text[change]


PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        background="#ffffff",
        ink="#1f2933",
        faint="#52606d",
        node="#f1f5f9",
        unseen="#ffffff",
        card="#fff4ec",
        text={"healthy": "#005a8e", "some": "#7a5200", "failing": "#a63c00"},
        line={"healthy": "#0072b2", "some": "#b07a00", "failing": "#c44a00"},
        changed_text={
            "added": "#00694b",
            "removed": "#8a3a69",
            "worse": "#a63c00",
            "better": "#005a8e",
            "same": "#52606d",
        },
        changed_line={
            "added": "#009e73",
            "removed": "#b0508a",
            "worse": "#c44a00",
            "better": "#0072b2",
            "same": "#8c98a5",
        },
        mark="#b03a00",
        mark_ink="#ffffff",
        runner_up="#fbdcc8",
        runner_up_ink="#7a2a00",
        blamed="#fff4ec",
    ),
    "dark": Palette(
        background="#14181d",
        ink="#e6edf3",
        faint="#a9b4c0",
        node="#222a33",
        unseen="#14181d",
        card="#2b2019",
        text={"healthy": "#7cc4f0", "some": "#f0b429", "failing": "#ff9d66"},
        line={"healthy": "#56b4e9", "some": "#e69f00", "failing": "#ff7f3f"},
        changed_text={
            "added": "#5fd6a8",
            "removed": "#e6a3cb",
            "worse": "#ff9d66",
            "better": "#7cc4f0",
            "same": "#a9b4c0",
        },
        changed_line={
            "added": "#3cc191",
            "removed": "#d884b4",
            "worse": "#ff7f3f",
            "better": "#56b4e9",
            "same": "#6b7785",
        },
        mark="#ff8a4c",
        mark_ink="#14181d",
        runner_up="#5a3a26",
        runner_up_ink="#ffe3d1",
        blamed="#2b2019",
    ),
}


def palette(theme: str) -> Palette:
    """The colours of a theme. Raises UsageError for a theme that does not exist."""
    for known, colours in PALETTES.items():
        if known == theme:
            return colours
    raise UsageError(f"there is no theme {theme!r}", "themes: light, dark")


def health(error_share: float | None) -> Health:
    """healthy without errors, some below 5 %, failing from there on; healthy where nothing is known."""
    if not error_share:
        return "healthy"
    return "some" if error_share < FAILING_SHARE else "failing"


def heat(critical_share: float | None) -> Health:
    """The same three by the share of the time that users waited."""
    if critical_share is None or critical_share < WARM_SHARE:
        return "healthy"
    return "some" if critical_share < HOT_SHARE else "failing"
