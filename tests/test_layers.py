"""The arrows of imports: spans ◂ sources ◂ asking ◂ reconstruct ◂ hops ◂ analyze ◂ render ◂ target ◂ library ◂ cli."""

from __future__ import annotations

import ast
import itertools

import networkx as nx

from tests.conftest import ROOT

#: From left to right and top to bottom; each may import only what stands before it. A folder is one unit.
ORDER = (
    *("loading", "errors", "checking", "notes", "spans", "building", "documents", "rows", "when", "asked"),
    *("envoy", "agents", "control_plane"),
    *("sources", "asking", "keeping", "workloads", "roles", "nearest", "shared_ids", "behind", "reconstruct"),
    *("verdict", "parties", "calls", "hops", "torn"),
    *(
        "analyze",
        "doctor",
        "slow",
        "why",
        "render",
        "selection",
        "between",
        "wanted",
        "traces",
        "joining",
        "live",
        "fetching",
        "stored",
        "target",
        "watching",
        "listing",
        "trace_name",
        "one_trace",
        "library",
        "__init__",
    ),
    *("demo", "codes", "fail_on", "config", "verbosity", "connecting", "options", "commands", "cli", "__main__"),
)
#: A report makes its own documents, because users want `report.errors()`; what makes them reads reports. Both
#: imports stand in the method, so the modules load in either order.
CIRCLES = {("analyze.report", "analyze.blame"), ("analyze.report", "analyze.graph")}

PACKAGE = ROOT / "traceviz"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}


def imported(module: str) -> set[str]:
    """The modules of traceviz that a module imports, at its top, in a function, or for types only."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {(name.removeprefix("traceviz").removeprefix(".")) for name in names if f"{name}.".startswith("traceviz.")}
    return {_module(name) for name in own}


def _module(name: str) -> str:
    """`sources.names.resolve_service` ▸ `sources.names`; `sources` ▸ `sources.__init__`; `` ▸ `__init__`."""
    parts = name.split(".") if name else []
    ways = [".".join((*parts[:end], *more)) for end in range(len(parts), -1, -1) for more in ((), ("__init__",))]
    return next(way for way in ways if way in MODULES)


def unit(module: str) -> str:
    return module.partition(".")[0]


ARROWS = sorted((module, other) for module in MODULES for other in imported(module))


def test_every_module_has_its_place() -> None:
    assert {unit(module) for module in MODULES} == set(ORDER)
    assert len(ARROWS) > 100


def test_imports_point_one_way() -> None:
    place = {name: number for number, name in enumerate(ORDER)}
    wrong = [(a, b) for a, b in ARROWS if unit(a) != unit(b) and place[unit(a)] < place[unit(b)]]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert set(ARROWS) >= CIRCLES, "an exception that is none any more"
    graph: nx.DiGraph[str] = nx.DiGraph(arrow for arrow in ARROWS if arrow not in CIRCLES)
    assert [sorted(circle) for circle in itertools.islice(nx.simple_cycles(graph), 3)] == []
