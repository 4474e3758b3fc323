"""Why a place took time: the codes of `traceviz slow`, each with what it means and where to look."""

from __future__ import annotations

from traceviz.analyze.reasons import explained
from traceviz.notes import define

#: Code ▸ where to look first.
LOOK_AT: dict[str, str] = {}


def _define(code: str, meaning: str, look_at: str, explanation: str) -> str:
    LOOK_AT[code] = look_at
    return define(code, f"{{count}} {{count:place|places}}: {meaning}", explained(meaning, look_at, explanation))


DELAY_INJECTED = _define(
    "delay-injected",
    "a proxy held requests back on purpose",
    "the fault rule for {callee} in its VirtualService",
    """Sign: response flag DI. The proxy that carries the flag waited before it passed the request on; the callee is not
slow. Somebody's experiment: `kubectl get virtualservice -A -o yaml | grep -B20 -A8 'delay:'` finds the rule.

Without a span of its own for the attempt, what lies between the proxy's half and the callee's counts as the delay, the
network's few moments among it.""",
)
SLOW = _define(
    "slow",
    "the workload itself was at work",
    "what {callee} does in that time",
    """Sign: the time of the callee's half of the call in which it waited for no call that it had made itself: its
program, its machine, what it waits for without a span (a lock, a queue of threads, garbage collection, a database that
is not instrumented). Of who reports no spans (a database, an outside API) all of the call's time.

Threshold: none. All places are listed, with their share of the time that users waited.""",
)
NETWORK = _define(
    "network",
    "time passed between the two halves of the call",
    "the network between {caller} and {callee}, and how long calls queue at {blame}",
    """Sign: the caller's attempt took longer than the callee's half: the way there and back, queues of connections on
either side, a proxy or a load balancer between them that reports no spans, and a callee whose machine is too busy to
take the call.

`blame` is the end that the slow ways have in common: the callee, unless what moved is the way from one caller to
several callees.""",
)
PROXY = _define(
    "proxy",
    "a proxy kept the request",
    "the sidecar of {blame}: its processor limit, its filters, its connections",
    """Sign: the caller's half of its proxy took longer than the attempts within it, or the callee's proxy longer than
its program. Retries wait between attempts; external authorization and rate limits are asked by the proxy.""",
)
WAITS_FOR_TIMEOUT = _define(
    "waits-for-timeout",
    "users waited until a deadline ran out",
    "what {callee} was doing when the deadline ran out",
    """Sign: a call failed because its caller waited no longer (UT, DEADLINE_EXCEEDED, a client that gave up). The time
up to the deadline is that of whatever was still running beneath it then, however deep.

What to do: the callee has to become faster, or the deadline longer; a shorter one only fails sooner. `traceviz errors`
has the failure itself.""",
)
MORE_CALLS = _define(
    "more-calls",
    "there were more calls than before",
    "why {blame} makes so many calls: a loop, a cache that is cold, pages that became smaller",
    """Sign: against the baseline a request makes at least half as many calls again, and more than half of the time that
was added comes from their number, not from their length. `blame` is who calls more often each time that it is asked
itself: whoever it calls so often calls others more often as well, and is not to blame.""",
)
