"""Makes the engine's SVG fit for any browser: fonts of equal widths, a name for screen readers, tooltips that show."""

from __future__ import annotations

import re

from traceviz.render.dot_words import FONT

#: Fonts with the same widths of letters on every system, and whatever there is where all are missing.
FONTS = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif"

_FONT = re.compile(rf'font-family="{FONT}"'.encode())
_ROOT = re.compile(rb"<svg ([^>]*)>")
_PROLOGUE = re.compile(rb"<!DOCTYPE[^>]*>\s*|<!--(?:(?!-->).)*-->\s*", re.DOTALL)
_FIRST_WORDS = re.compile(rb"<text [^>]*>(.*?)</text>", re.DOTALL)
#: A group as Graphviz writes it: its id or name as title, then perhaps an anchor that carries the tooltip.
_GROUP = re.compile(rb'<title>[^<]*</title>\n((?:<g id="a_[^"]*"><a [^>]*?xlink:title="([^"]*)"[^>]*>)?)')
_OLD_TOOLTIP = re.compile(rb' xlink:title="[^"]*"')


def finished(svg: bytes) -> bytes:
    """The engine's SVG without its comments and DOCTYPE, with fonts every machine has, a title and a role.

    Graphviz writes ids (`N1`) as titles, and tooltips as an attribute that browsers no longer show: the tooltip
    becomes the title of its group, and groups without one have none. The document's title is its first words.
    """
    words = _FIRST_WORDS.search(svg)
    title = words.group(1) if words else b"traceviz"
    svg = _PROLOGUE.sub(b"", svg)
    svg = _GROUP.sub(_with_tooltip, svg)
    svg = _OLD_TOOLTIP.sub(b"", svg).replace(b' target="_blank"', b' target="_blank" rel="noopener"')
    svg = _FONT.sub(f'font-family="{FONTS}"'.encode(), svg)
    head = b'<svg %b role="img" aria-labelledby="title">\n<title id="title">%b</title>'
    return _ROOT.sub(lambda root: head % (root.group(1), title), svg, count=1)


def _with_tooltip(group: re.Match[bytes]) -> bytes:
    tooltip = (group.group(2) or b"").strip()
    return (b"<title>%b</title>\n" % tooltip if tooltip else b"") + group.group(1)
