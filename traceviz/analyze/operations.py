"""What a workload was asked for, in few words: `GET /users/{id}`, `hipstershop.Cart/GetCart`, `process orders`.

A proxy calls its spans `HOST:PORT/*`, whatever the request: there method and path of the URL say more. A program's span
has a name that its instrumentation chose, unless that is only a method. What stands in a path or a name for one user or
one order becomes `{id}`, and what lies deeper than ten segments is cut, so that operations stay few.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import numpy as np

from traceviz.reconstruct import Forest
from traceviz.roles import from_proxy
from traceviz.spans import Ints

MOST_SEGMENTS = 10

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "HTTP", "_OTHER"})
#: Segments of paths that are the same for all: versions (`v1beta1`), names with points (`google.pubsub.v1.Publisher`).
_VERSION = re.compile(r"[vV]\d+(?:(?:alpha|beta|rc|[._-])\d*)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.(?!\d)\w+)+", re.ASCII)
#: Segments of paths of which there are many: numbers, dates and addresses, hex, UUIDs, keys, `order-7`, `a@b`, tokens.
_ONE_OF_MANY = re.compile(
    r"(?=.*\d)[\d\W_]+|0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,}|(?=.*\d)[0-9a-fA-F-]{8,}|(?=.*\d)[0-9A-Z]{8,}"
    r"|[A-Za-z]+[-_]\d+|[^@]+@.+|.{41,}",
    re.DOTALL,
)
#: With more digits than these a segment is one of many, whatever else is in it.
_MOST_DIGITS = 3
#: A token has two digits, a long one only one: words that somebody chose have fewer.
_TOKEN = re.compile(r"[0-9A-Za-z]{12,}")
_LONG_TOKEN = 20
#: What follows an id in its segment and is the same for all: `.png` of a file, `:cancel` of what is to be done to it.
_END = re.compile(r"\.[A-Za-z]{1,5}\d?|:[A-Za-z]{3,}", re.ASCII)
#: Ids in a name that is no path: UUIDs, long hex and numbers that stand by themselves.
_ID_IN_NAME = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=[a-fA-F]*\d)[0-9a-fA-F]{16,}|\d{4,})(?![0-9A-Za-z])"
)
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


def name_labels(forest: Forest) -> Ints:
    """The route of every row, else its operation's name, without ids, as codes of its texts."""
    spans = forest.spans
    texts = spans.texts
    named = np.where(spans.tag("route") != 0, spans.tag("route"), spans.operation).astype(np.int64)
    different, kind = np.unique(named, return_inverse=True)
    codes = [texts.code(name_without_ids(texts[code])) for code in different.tolist()]
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
    return name if proxy else name_without_ids(name)


def name_without_ids(name: str) -> str:
    """`GET /users/4711` ▸ `GET /users/{id}`, `process order 123456` ▸ `process order {id}`."""
    return " ".join(_without_ids(word) for word in name.split(" "))


def url_path(url: str) -> str:
    """The path of a URL without query and fragment, "" where there is none: `http://a/b?c` ▸ `/b`."""
    match = _PATH.match(url)
    return (match[1] or "") if match else ""


def template(path: str) -> str:
    """`/users/4711/orders` ▸ `/users/{id}/orders`."""
    kept = [_placed(segment) for segment in path.split("/")]
    return "/".join(kept[: MOST_SEGMENTS + 1]) + ("/…" if len(kept) > MOST_SEGMENTS + 1 else "")


def _without_ids(word: str) -> str:
    """A word of an operation's name: a path, with or without a host, or any other text."""
    if "/" not in word:
        return _ID_IN_NAME.sub("{id}", word)
    begin = word.find("://") + 3 if "://" in word else 0
    slash = word.find("/", begin)
    return word if slash < 0 else word[:slash] + template(word[slash:].partition("?")[0])


def _placed(segment: str) -> str:
    """A segment of a path without its parameters, a place in it for what is one of many."""
    plain = segment.partition(";")[0]
    text = unquote(plain)
    end = max(text.rfind("."), text.rfind(":"))
    if end > 0 and "@" not in text and _END.fullmatch(text, end) and _is_one_of_many(text[:end]):
        return "{id}" + text[end:]
    return "{id}" if _is_one_of_many(text) else plain


def _is_one_of_many(text: str) -> bool:
    if _VERSION.fullmatch(text):
        return False
    if _digits(text) > _MOST_DIGITS:
        return True
    if _NAME.fullmatch(text):
        return False
    return bool(_ONE_OF_MANY.fullmatch(text)) or any(
        _digits(token) >= (2 if len(token) < _LONG_TOKEN else 1) for token in _TOKEN.findall(text)
    )


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))
