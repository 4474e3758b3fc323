"""The system of the article: who calls whom, who bears with whose failure, and what is broken in each experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INGRESS = "istio-ingress"
#: Caller ▸ callees, in the order in which a program calls them. The ingress calls the one that the path names.
CALLS: Mapping[str, Sequence[str]] = {
    INGRESS: ("service-js", "service-python", "service-go"),
    "service-js": ("service-python", "service-go"),
    "service-python": ("service-lua", "service-node"),
    "service-lua": (),
    "service-node": (),
    "service-go": ("service-redis",),
    "service-redis": (),
}
#: service-js answers 200 whatever becomes of its calls; every other program answers 502 when one of its calls failed.
TOLERANT = ("service-js",)
EDGES = tuple((caller, callee) for caller, callees in CALLS.items() for callee in callees)
PROGRAMS = tuple(name for name in CALLS if name != INGRESS)
PATHS = tuple(f"/{callee}/env" for callee in CALLS[INGRESS])

Edge = tuple[str, str]
ABORT_STATUS = 504
DELAY_S = 0.2


@dataclass(frozen=True)
class Experiment:
    """What is broken: in percent the calls of an edge that are aborted or delayed, and programs that do not run."""

    name: str
    aborts: Mapping[Edge, int]
    delays: Mapping[Edge, int]
    killed: Sequence[str] = ()


_ABORTS = {(INGRESS, "service-python"): 50, ("service-js", "service-python"): 50}
_DELAYS = {("service-js", "service-go"): 50}

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment("none", {}, {}),
        Experiment("abort", _ABORTS, {}),
        Experiment("delay", {}, _DELAYS),
        Experiment("both", _ABORTS, _DELAYS),
        Experiment("down", {}, {}, killed=("service-redis",)),
    )
}
