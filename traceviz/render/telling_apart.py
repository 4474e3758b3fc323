"""Names cut so that no two of them look the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import set_cell_size

from traceviz.render.words import name, shorten

#: Of what names have in common before they differ, so much is shown.
_BEFORE = 4


class Names:
    """All names that stand in one drawing, as strangers wrote them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._whole = {written: name(written) for written in set(names)}
        self._cut: dict[int, dict[str, str]] = {}

    def cut(self, written: str, cells: int) -> str:
        """One of the names in at most `cells` columns, the middle replaced by `…`; where another name would then look
        the same, by the part in which they differ, or by a number if that has no room either."""
        whole = self._whole[written]
        if len(whole) * 2 <= cells:
            return whole
        if cells not in self._cut:
            self._cut[cells] = self._different(cells)
        return self._cut[cells].get(written) or shorten(whole, cells)

    def _different(self, cells: int) -> dict[str, str]:
        """The names that are cut like others, told apart."""
        long = {written: whole for written, whole in self._whole.items() if len(whole) * 2 > cells}
        told: dict[str, str] = {}
        for same in _alike({written: shorten(whole, cells) for written, whole in long.items()}):
            begin = max(_in_common([long[written] for written in same]) - _BEFORE, 0)
            told |= {written: _from(long[written], begin, cells) for written in same}
        for same in _alike(told):
            for number, written in enumerate(same, 1):
                end = f"~{number}"
                told[written] = shorten(told[written], max(cells - len(end), 1)) + end
        return told


def _in_common(texts: Sequence[str]) -> int:
    """How many characters all of these begin with."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(last)))


def _from(whole: str, begin: int, cells: int) -> str:
    """`whole` from a place on, the end cut where it has to be."""
    rest = f"…{whole[begin:]}" if begin else whole
    if shorten(rest, cells) == rest:
        return rest
    return set_cell_size(rest[:cells], max(cells - 1, 0)).rstrip() + "…"


def _alike(texts: Mapping[str, str]) -> list[list[str]]:
    """The keys of equal texts, sorted, where there are several."""
    groups: dict[str, list[str]] = {}
    for key in sorted(texts):
        groups.setdefault(texts[key], []).append(key)
    return [group for group in groups.values() if len(group) > 1]
