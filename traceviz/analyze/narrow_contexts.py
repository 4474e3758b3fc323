"""The contexts of a tree ▸ fewer of them, still a tree: what is left hangs where it hung, or begins one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from traceviz.documents import Context


def without(contexts: Sequence[Context], hidden: Collection[str]) -> list[Context]:
    """The contexts without those of some nodes, and without everything beneath these. Where a tree begins with one,
    what it called becomes a beginning."""
    kept: list[bool] = []
    for context in contexts:
        parent = context["parent"]
        above = parent is None or kept[parent] or (contexts[parent]["parent"] is None and _is(contexts[parent], hidden))
        kept.append(above and not _is(context, hidden))
    return _only(contexts, kept)


def around(contexts: Sequence[Context], focused: Collection[str], depth: int) -> list[Context]:
    """The contexts of some nodes, and what lies at most so many calls above or beneath one of them."""
    far = depth + 1
    above = [0 if _is(context, focused) else far for context in contexts]
    beneath = list(above)
    for place, context in enumerate(contexts):
        parent = context["parent"]
        if parent is not None:
            above[place] = min(above[place], above[parent] + 1)
    for place in range(len(contexts) - 1, -1, -1):
        parent = contexts[place]["parent"]
        if parent is not None:
            beneath[parent] = min(beneath[parent], beneath[place] + 1)
    return _only(contexts, [min(both) <= depth for both in zip(above, beneath, strict=True)])


def often_called(contexts: Sequence[Context], min_calls: int) -> list[Context]:
    """The contexts with at least so many calls, and those above them."""
    kept = [context["calls"] >= min_calls for context in contexts]
    for place in range(len(contexts) - 1, -1, -1):
        parent = contexts[place]["parent"]
        if parent is not None and kept[place]:
            kept[parent] = True
    return _only(contexts, kept)


def _is(context: Context, nodes: Collection[str]) -> bool:
    return context["node"] is not None and context["node"] in nodes


def _only(contexts: Sequence[Context], kept: Sequence[bool]) -> list[Context]:
    """The kept contexts with their new places and depths; those above which none is kept begin a tree."""
    places: dict[int, int] = {}
    result: list[Context] = []
    for place, (context, is_kept) in enumerate(zip(contexts, kept, strict=True)):
        if not is_kept:
            continue
        parent = None if context["parent"] is None else places.get(context["parent"])
        places[place] = len(result)
        result.append({**context, "parent": parent, "depth": 0 if parent is None else result[parent]["depth"] + 1})
    return result
