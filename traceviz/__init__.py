"""traceviz: who calls whom, how slow and how broken is each call, which hop broke first, and why.

>>> import traceviz
>>> from traceviz.demo import serve_recording
>>> with serve_recording() as jaeger:
...     report = traceviz.load(jaeger.url, service="istio-ingress", since="10m").report()
>>> first = report.errors()["failing_hops"][0]
>>> first["caller"], first["callee"], first["reason"], first["failed_traces"]
('istio-ingress', 'service-python', 'fault-injected', 17)
>>> graph = report.to_networkx()
>>> sorted(graph.successors("service-python"))
['service-lua', 'service-node']
>>> traceviz.render(report, "svg")[:5]
'<?xml'

It prints nothing: what it has to say on its way goes to the logger `traceviz`, and into the notes of a report.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from traceviz.analyze.report import Report
    from traceviz.asking.access import Access
    from traceviz.errors import TracevizError
    from traceviz.fetching import Fetched
    from traceviz.library import LoadedForest, diff, diff_versions, fetch, load, render, to_graphviz
    from traceviz.reconstruct import Forest
    from traceviz.spans import Spans

__version__ = "0.1.0"

__all__ = [
    "Access",
    "Fetched",
    "Forest",
    "LoadedForest",
    "Report",
    "Spans",
    "TracevizError",
    "__version__",
    "diff",
    "diff_versions",
    "fetch",
    "load",
    "render",
    "to_graphviz",
]

_HOMES = {
    "Access": "asking.access",
    "Fetched": "fetching",
    "Forest": "reconstruct",
    "LoadedForest": "library",
    "Report": "analyze.report",
    "Spans": "spans",
    "TracevizError": "errors",
    "diff": "library",
    "diff_versions": "library",
    "fetch": "library",
    "load": "library",
    "to_graphviz": "library",
}


class _Package(ModuleType):
    """This package, which loads a name of the library when it is first used: a command that needs little of it starts
    in a fifth of the time."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})

    @property
    def render(self) -> Any:
        return import_module(f"{__name__}.library").render

    @render.setter
    def render(self, folder: ModuleType) -> None:
        """The folder of that name is bound here when it is imported, and must not hide the function."""


sys.modules[__name__].__class__ = _Package
