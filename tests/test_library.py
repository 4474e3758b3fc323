"""What library users call, beyond the doctest."""

from __future__ import annotations

import graphviz
import networkx as nx
import pytest

import traceviz
from tests.conftest import MESH, recorded
from traceviz.errors import NothingFound, UsageError

SEED = str(MESH / "seed_504" / "v1" / "traces.json.gz")


def test_a_report_turns_into_networkx_with_the_fields_of_contract() -> None:
    graph = recorded("seed_504", "v1").to_networkx()
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.nodes["istio-ingress"]["kind"] == "gateway"
    edge = graph.edges["istio-ingress", "service-python", "sync"]
    assert (edge["calls"], edge["errors"]) == (66, 35)
    assert nx.is_directed_acyclic_graph(graph)


def test_a_report_turns_into_a_graphviz_source() -> None:
    report = recorded("seed_504", "v1")
    source = traceviz.to_graphviz(report)
    assert isinstance(source, graphviz.Source)
    assert source.source.strip() == str(traceviz.render(report, "dot")).strip()


def test_reports_of_two_files_add_up_to_that_of_both() -> None:
    other = str(MESH / "none" / "v1" / "traces.json.gz")
    both = traceviz.load([SEED, other]).report()
    added = traceviz.load(SEED).report().merge(traceviz.load(other).report())
    without_head = [{**doc, "source": [], "asked": {}} for doc in (both.graph(), added.graph())]
    assert without_head[0]["edges"] == without_head[1]["edges"]
    assert without_head[0]["counts"] == without_head[1]["counts"]
    assert both.errors()["failing_hops"] == added.errors()["failing_hops"]


@pytest.mark.parametrize(
    ("options", "error"),
    [({"service": "nowhere"}, NothingFound), ({"since": "soon"}, UsageError), ({"limit": 1}, None)],
)
def test_load_takes_the_options_of_the_command_line(options: dict[str, object], error: type[Exception] | None) -> None:
    if error is None:
        assert len(traceviz.load(SEED, **options).spans.trace_ids) == 1  # type: ignore[arg-type]
        return
    with pytest.raises(error):
        traceviz.load(SEED, **options)  # type: ignore[arg-type]
