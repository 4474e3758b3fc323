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

import logging

from traceviz.analyze.report import Report
from traceviz.asking.access import Access
from traceviz.errors import TracevizError
from traceviz.fetching import Fetched
from traceviz.library import LoadedForest, fetch, load, render, to_graphviz
from traceviz.reconstruct import Forest
from traceviz.spans import Spans

logging.getLogger(__name__).addHandler(logging.NullHandler())

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
    "fetch",
    "load",
    "render",
    "to_graphviz",
]
