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
"""

from traceviz.analyze.report import Report
from traceviz.errors import TracevizError
from traceviz.library import LoadedForest, load, render, to_graphviz
from traceviz.reconstruct import Forest
from traceviz.spans import Spans

__version__ = "0.1.0"

__all__ = [
    "Forest",
    "LoadedForest",
    "Report",
    "Spans",
    "TracevizError",
    "__version__",
    "load",
    "render",
    "to_graphviz",
]
