"""Ids of nodes and edges in graphs that are data: the same in every window, and no two alike."""

from __future__ import annotations

import json
import re

from traceviz.documents import Edge

_SURROGATES = re.compile("[\ud800-\udfff]")


def node_id(name: str) -> str:
    """The name as it stands between the quotes of JSON, an ordinary name as it is; the empty one with the quotes, since
    an id is never empty.

    Two names never share an id, as they would where half a surrogate pair is written as `�`.
    """
    text = json.dumps(name, ensure_ascii=False)[1:-1] or '""'
    return _SURROGATES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def edge_id(edge: Edge) -> str:
    """`"caller" → "callee" sync`: no node has it, because a quote in the id of a node has a backslash before it."""
    return f'"{node_id(edge["caller"])}" → "{node_id(edge["callee"])}" {edge["kind"]}'
