"""Calls that certainly arrived: somebody answered them well."""

from __future__ import annotations

import numpy as np

from traceviz import envoy
from traceviz.hops import Hops
from traceviz.roles import Role
from traceviz.spans import Bools

#: Flags of a proxy's call that are no sign of an answer which the proxy gave itself.
_PASSING = frozenset({"DI"})


def answered(hops: Hops) -> Bools:
    """The calls seen from their caller that went well, and that no proxy answered from a cache or by itself.

    A call that failed may have ended anywhere: before it left, at a proxy on its way, at the callee. Where the caller
    is a proxy, its status has to say that there was an answer; programs often write none down.
    """
    forest, head = hops.forest, hops.caller_row
    flags = forest.spans.tag("flags")
    passed = envoy.look_up(flags, forest.spans.texts, lambda text: envoy.read_flags(text) <= _PASSING, np.bool_)
    passed |= flags == 0
    by_proxy = forest.role[head] == Role.CALLER
    said = (hops.outcomes.status[head] > 0) | (hops.outcomes.grpc[head] >= 0)
    arrived: Bools = (head >= 0) & ~hops.asynchronous & ~hops.failed & passed[head] & (said | ~by_proxy)
    return arrived
