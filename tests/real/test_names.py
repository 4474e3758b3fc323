"""What can be asked for: the mesh's services and operations, as real Jaegers know them."""

from __future__ import annotations

import pytest

from tests.real.article import CALLS, INGRESS
from tests.real.istio import operation, reported_name
from tests.real.jaegers import RealJaeger
from tests.real.test_article import asked, experiments

pytestmark = pytest.mark.real


@experiments("none")
def test_services_are_the_workloads_by_the_names_they_report_and_the_names_of_their_nodes(jaeger: RealJaeger) -> None:
    services = asked(jaeger, "services")["services"]
    assert services == [{"name": reported_name(workload), "node": workload} for workload in sorted(CALLS)]


@experiments("none")
def test_operations_are_calls_out_as_clients_and_calls_in_as_servers(jaeger: RealJaeger) -> None:
    operations = asked(jaeger, "operations")["operations"]
    calls_out = {(caller, operation(callee), "client") for caller, callees in CALLS.items() for callee in callees}
    calls_in = {(workload, operation(workload), "server") for workload in CALLS if workload != INGRESS}
    found = {(entry["service"], entry["name"], entry["kind"]) for entry in operations}
    assert found == {(reported_name(service), name, kind) for service, name, kind in calls_out | calls_in}
    assert len(operations) == len(found)
