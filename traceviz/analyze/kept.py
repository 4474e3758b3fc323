"""Which of too many names are counted by themselves: pods, operations, versions, of which nobody knows how many come.

Which are kept follows from the names alone, never from how often or in which order they come: those that are kept of
two sets together were kept of each, and what was dropped once is dropped from every union. So counts of what is kept
are exact, whatever the split into batches. The commonest could not be kept so; that is the price. Names without a digit
go before those with one, because names of which there are too many hold ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from functools import lru_cache
from heapq import nsmallest

_DIGIT = re.compile(r"\d")


def kept(names: Collection[str], most: int) -> set[str]:
    """These names, or as many of them as are counted by themselves."""
    return set(names) if len(names) <= most else set(nsmallest(most, names, key=_place))


@lru_cache(65_536)
def _place(name: str) -> tuple[bool, bytes]:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return _DIGIT.search(name) is not None, digest
