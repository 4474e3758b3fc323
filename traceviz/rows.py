"""Rows of documents: which fields they have, by their dotted names in JSON, and the value under such a name.

`client_ms.p95` reaches inside, `flags.UT` is a count of what was met, and the times `p95_ms` alone are those of
`client_ms`, else of `server_ms`; `after.p95_ms` those of an edge inside of a row. So do `--fail-on`, `--columns` and
`--sort`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

Row = Mapping[str, Any]
#: A number; a text; true or false; parts under names; a list.
Kind = Literal["number", "text", "truth", "parts", "list"]

_PERCENTILES = ("p50_ms", "p90_ms", "p95_ms", "p99_ms")
_TIMES = {"mean_ms", *_PERCENTILES, "max_ms"}


class Fields:
    """The fields of rows of one type, a TypedDict of `documents`: what there can be, whatever there is today."""

    def __init__(self, row_type: type) -> None:
        self._kinds: dict[str, Kind] = dict(_fields(row_type, ""))
        known = (name.removesuffix("client_ms.p50") for name in self._kinds if name.endswith("client_ms.p50"))
        self._timed = tuple(known)

    def kind(self, name: str) -> Kind | None:
        """What a field is, None where there is none of this name."""
        if any(name.startswith(whose) and name[len(whose) :] in _TIMES for whose in self._timed):
            return "number"
        return self._kinds.get(name) or next(
            (kind for known, kind in reversed(self._kinds.items()) if "*" in known and fnmatchcase(name, known)), None
        )

    def names(self, *kinds: Kind) -> list[str]:
        """The names of all fields of these kinds, in the order of the document, the short ones of times first;
        `flags.*` where they are counted under any name."""
        short = (f"{whose}{part}" for whose in self._timed for part in _PERCENTILES if "number" in kinds)
        return [*short, *(name for name, kind in self._kinds.items() if kind in kinds)]


def value(row: Row, name: str) -> Any:
    """What a row has under a name of `Fields`, None where it is not known. Keys may hold dots themselves
    (`callers.reviews.a`)."""
    found: Any = row
    while name:
        if not isinstance(found, Mapping):
            return None
        if name in _TIMES and name not in found:
            times = found.get("client_ms") or found.get("server_ms")
            return times[name.removesuffix("_ms")] if isinstance(times, Mapping) else None
        key, _, rest = (name, "", "") if name in found else name.partition(".")
        found, name = found.get(key), rest
    return found


def _fields(kind: Any, name: str) -> Iterator[tuple[str, Kind]]:
    if NoneType in get_args(kind):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if is_typeddict(kind):
        if name:
            yield name, "parts"
        for key, part in get_type_hints(kind).items():
            yield from _fields(part, f"{name}.{key}" if name else key)
    elif get_origin(kind) is dict:
        yield name, "parts"
        yield from _fields(get_args(kind)[1], f"{name}.*")
    elif kind is bool:
        yield name, "truth"
    elif kind in (int, float):
        yield name, "number"
    elif get_origin(kind) is list:
        yield name, "list"
    else:
        yield name, "text"
