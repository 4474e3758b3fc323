"""Text in Mermaid: what escapes it, how labels and addresses are written, and how much of it is ever drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from traceviz.notes import define
from traceviz.render.palette import Palette
from traceviz.render.picture import wrap

#: What Mermaid draws where nobody has told it otherwise. A diagram cannot raise these: they are "secure" settings.
MOST_CHARACTERS = 50_000
MOST_EDGES = 500
#: What `quoted` takes for the end of a line.
LINE = "\n"
#: How wide the words beside the graph are, and a width in pixels within which Mermaid breaks no line that is as wide.
AROUND_CELLS = 44
WRAPPING_WIDTH = 420

TOO_LARGE = define(
    "mermaid-too-large",
    "GitHub, GitLab and others will not draw this: it is beyond Mermaid's 500 edges or 50,000 characters",
    """Mermaid refuses diagrams of more than 500 edges or 50,000 characters unless the page that shows them allows more
    (`maxEdges`, `maxTextSize`); the diagram itself is not allowed to.

    Draw less with `--focus NAME --depth 2`, `--min-calls N` or `--hide NAME`, or draw with `-o svg`, which has no such
    limit. On a page of your own: `mermaid.initialize({maxEdges: 5000, maxTextSize: 1000000})`.""",
)

#: What may stand in a label as it is: nothing of any syntax that Mermaid, its Markdown or HTML knows, even in a row. A
#: hyphen between letters and a point between digits are not.
_PLAIN = re.compile(r"(?:[0-9A-Za-z ,]|(?<=[0-9A-Za-z])-(?=[0-9A-Za-z])|(?<=[0-9])\.(?=[0-9])|[^\x00-\x7f])+")
#: What Mermaid looks for once more when entities are resolved already: formulas, icons, ends of lines, and the letters
#: that stand for entities in its own hands. A tag that only allows a line to be broken takes them apart.
_APART = re.compile(
    r"(?<=\$)(?=\$)|(?<=fa)(?=:fa-)|(?<=fa[bklrs])(?=:fa-)|(?<=\\)(?=n)|(?<=\ufb02)(?=\xb0)|(?<=\xb6)(?=\xdf)"
)


def quoted(text: str) -> str:
    """Text as a label between quotes that is drawn as exactly this text: entities of Mermaid's own, `#35;`, for
    everything that could mean something, `<br/>` for a new line."""
    lines = text.split("\n")
    return f'"{"<br/>".join(_escaped(line) for line in lines)}"'


def _escaped(line: str) -> str:
    return "<wbr>".join(_spelled(part) for part in _APART.split(line))


def _spelled(line: str) -> str:
    plain, end = [], 0
    for found in _PLAIN.finditer(line):
        plain += [f"#{ord(character)};" for character in line[end : found.start()]] + [found[0]]
        end = found.end()
    return "".join([*plain, *(f"#{ord(character)};" for character in line[end:])])


def headed(heads: Sequence[str], lines: Sequence[str]) -> str:
    """A label whose first lines are bold."""
    bold = [f"<b>{quoted(head)[1:-1]}</b>" for head in heads]
    return f'"{"<br/>".join([*bold, *(quoted(line)[1:-1] for line in lines)])}"'


def folded(lines: Sequence[str]) -> list[str]:
    """Lines short enough for a box that does not push the graph aside."""
    return [part for line in lines for part in wrap(line, AROUND_CELLS, most=len(line) + 1)]


def address(link: str) -> str:
    """An address without a sign that could end its quotes, or that Mermaid takes for an entity or a comment."""
    return re.sub(r"[^0-9A-Za-z/:?&=._~-]", lambda sign: quote(sign[0], safe=""), link)


def settings(colours: Palette) -> list[str]:
    """Settings. The theme that a page has chosen stays: only the ground of words on edges has to fit their colours."""
    return [
        "---",
        "config:",
        "  flowchart:",
        f"    wrappingWidth: {WRAPPING_WIDTH}",
        "  themeVariables:",
        f'    edgeLabelBackground: "{colours.background}"',
        "---",
    ]


def size(text: str) -> int:
    """Characters as JavaScript counts them."""
    return len(text.encode("utf-16-le")) // 2
