"""traceviz: who calls whom, how slow and how broken is each call, which hop broke first, and why.

>>> import traceviz
>>> recording = getfixture("recording")
>>> report = traceviz.load(recording, service="istio-ingress").report()
>>> [(hop["caller"], hop["callee"], hop["reason"]) for hop in report.errors()["failing_hops"]][0]
('istio-ingress', 'service-python', 'fault-injected')
>>> graph = report.to_networkx()
>>> sorted(graph.successors("service-python"))
['service-lua', 'service-node']
>>> traceviz.render(report, "svg")[:5]
b'<?xml'
"""

from traceviz.analyze.report import Report
from traceviz.errors import TracevizError
from traceviz.library import LoadedForest, load, render
from traceviz.reconstruct import Forest
from traceviz.spans import Spans

__version__ = "0.1.0"

__all__ = ["Forest", "LoadedForest", "Report", "Spans", "TracevizError", "__version__", "load", "render"]
