"""What a workload was asked for, in few words: `GET /users/{id}`, `hipstershop.Cart/GetCart`, `process orders`.

A proxy calls its spans `HOST:PORT/*`, whatever the request: there method and path of the URL say more. A program's span
has a name that its instrumentation chose, unless that is only a method. What stands in a path for one user or one order
becomes `{id}`, and what lies deeper than six segments is cut, so that operations stay few.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import numpy as np

from traceviz.reconstruct import Forest
from traceviz.roles import from_proxy
from traceviz.spans import Ints

MOST_SEGMENTS = 6

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "HTTP", "_OTHER"})
#: Numbers, and whatever mixes digits into something long: hex, UUIDs, dates, tokens.
_ONE_OF_MANY = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{8,}|(?=.*\d)[\w.~:=+-]{20,}|.{41,}", re.DOTALL)
_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?(/[^?#]*)?", re.DOTALL)


def operation_labels(forest: Forest) -> Ints:
    """What every row was asked for, or asked for, as codes of its texts."""
    spans = forest.spans
    texts = spans.texts
    columns = np.stack(
        [
            spans.operation.astype(np.int64),
            *(spans.tag(name).astype(np.int64) for name in ("route", "method", "url")),
            from_proxy(spans).astype(np.int64),
        ]
    )
    different, kind = np.unique(columns, axis=1, return_inverse=True)
    codes = [
        texts.code(operation_label(texts[name], texts[route], texts[method], texts[url], proxy=bool(proxy)))
        for name, route, method, url, proxy in different.T.tolist()
    ]
    return np.array(codes, np.int64)[kind.reshape(-1)]


def operation_label(name: str, route: str, method: str, url: str, *, proxy: bool) -> str:
    """`GET /users/{id}` of one span: `name` is its operation, the others are its tags, "" where it has none."""
    path = template(url_path(url))
    words = [word.upper() for word in name.split()]
    if proxy and path:
        return f"{method} {path}".strip()
    if all(word in _METHODS for word in words) and (route or path):
        asked = method or (words[-1] if words and words[-1] != "HTTP" else "")
        return f"{asked} {route or path}".strip()
    if route.startswith("/") and route not in name:
        return f"{method} {route}".strip()
    return " ".join(template(word) if "/" in word and not proxy else word for word in name.split(" "))


def url_path(url: str) -> str:
    """The path of a URL without query and fragment, "" where there is none: `http://a/b?c` ▸ `/b`."""
    match = _PATH.match(url)
    return (match[1] or "") if match else ""


def template(path: str) -> str:
    """`/users/4711/orders` ▸ `/users/{id}/orders`."""
    segments = path.split("/")
    kept = ["{id}" if _ONE_OF_MANY.fullmatch(unquote(segment)) else segment for segment in segments]
    return "/".join(kept[: MOST_SEGMENTS + 1]) + ("/…" if len(kept) > MOST_SEGMENTS + 1 else "")
