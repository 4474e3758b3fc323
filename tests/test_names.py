"""Which service a user means."""

from __future__ import annotations

import pytest

from traceviz.errors import NothingFound
from traceviz.notes import Notes
from traceviz.sources.names import GATEWAY_ASSUMED, NAMESPACE_ASSUMED, gateway_like, resolve_service

MESH = ["istio-ingress", "service-go.default", "service-js.default", "service-python.default", "jaeger"]
TODAY = "istio-ingressgateway.istio-system"


def resolve(asked: str, known: list[str], gateways: list[str] | None = None) -> tuple[list[str], Notes]:
    notes = Notes()
    return resolve_service(asked, known, gateway_like(known) if gateways is None else gateways, notes), notes


@pytest.mark.parametrize(
    ("asked", "known", "found"),
    [
        ("istio-ingress", MESH, ["istio-ingress"]),
        ("service-python", MESH, ["service-python.default"]),
        ("service-python.default", MESH, ["service-python.default"]),
        ("reviews", ["reviews.b", "reviews.a", "reviews2.a"], ["reviews.a", "reviews.b"]),
        ("basket", ["basket", "basket.default"], ["basket"]),
        ("reviews.a.svc.cluster.local", ["reviews.a", "reviews.b"], ["reviews.a"]),
        ("reviews.a.svc", ["reviews.a"], ["reviews.a"]),
    ],
)
def test_a_service_is_found_by_its_name_or_first_label_without_a_note(
    asked: str, known: list[str], found: list[str]
) -> None:
    names, notes = resolve(asked, known)
    assert names == found
    assert len(notes) == 0


@pytest.mark.parametrize("asked", ["productpage.default", "productpage.default.svc.cluster.local"])
def test_a_namespace_nobody_reports_is_dropped_with_a_note(asked: str) -> None:
    names, notes = resolve(asked, ["productpage", "reviews"])
    assert names == ["productpage"]
    assert notes.count(NAMESPACE_ASSUMED) == 1
    assert notes.documents()[0]["examples"] == [f"'{asked}' ▸ 'productpage'"]


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("reviews.a", ["reviews.b"]),
        ("api.example.com", ["api"]),
        ("service", MESH),
        ("SERVICE-GO", MESH),
        ("", MESH),
        (".", MESH),
    ],
)
def test_another_namespace_a_host_or_half_a_name_is_not_the_same_service(asked: str, known: list[str]) -> None:
    with pytest.raises(NothingFound):
        resolve(asked, known)


@pytest.mark.parametrize(
    "asked",
    [
        "istio-ingress",
        "istio-ingressgateway",
        "ingressgateway",
        "ingress",
        "istio-ingress.istio-system",
        "Istio-Ingress-Gateway",
    ],
)
@pytest.mark.parametrize(
    "gateway", ["edge", "istio-ingressgateway-internal.gateways", "bookinfo-gateway-istio.default"]
)
def test_the_only_gateway_answers_to_every_usual_name_with_a_note(asked: str, gateway: str) -> None:
    names, notes = resolve(asked, [gateway, "reviews.default"], [gateway])
    assert names == [gateway]
    assert notes.documents()[0]["examples"] == [f"'{asked}' ▸ '{gateway}'"]
    assert notes.count(GATEWAY_ASSUMED) == 1


def test_one_gateway_that_reports_under_two_forms_of_its_name_is_one() -> None:
    names, notes = resolve("ingress", ["istio-ingressgateway", TODAY])
    assert names == ["istio-ingressgateway", TODAY]
    assert notes.documents()[0]["examples"] == [f"'ingress' ▸ '{TODAY}'"]


def test_between_two_gateways_nothing_is_assumed() -> None:
    with pytest.raises(NothingFound, match="no service 'istio-ingress'") as caught:
        resolve("istio-ingress", ["edge.a", "edge.b", "reviews"], ["edge.a", "edge.b"])
    assert "several gateways: 'edge.a', 'edge.b'" in caught.value.remedy


def test_a_service_that_is_no_gateway_is_never_taken_for_one() -> None:
    with pytest.raises(NothingFound):
        resolve("gateway-api", [TODAY, "reviews"])


def test_a_slip_of_the_finger_is_answered_with_the_name_that_was_meant() -> None:
    with pytest.raises(NothingFound, match="no service 'service-pyhton'") as caught:
        resolve("service-pyhton", MESH)
    assert "Did you mean 'service-python.default'" in caught.value.remedy
    assert "'service-js.default'" in caught.value.remedy


def test_wrong_capitals_are_answered_with_the_name_that_was_meant() -> None:
    with pytest.raises(NothingFound) as caught:
        resolve("Service-GO", MESH)
    assert "Did you mean 'service-go.default'" in caught.value.remedy


def test_a_long_list_of_services_is_cut_and_says_so() -> None:
    with pytest.raises(NothingFound) as caught:
        resolve("x", [f"service-{i:04}" for i in range(3000)])
    assert "and 2,988 more" in caught.value.remedy
    assert len(caught.value.remedy) < 500


def test_where_no_service_is_known_the_remedy_says_so() -> None:
    with pytest.raises(NothingFound) as caught:
        resolve("x", [])
    assert "No service is known at all" in caught.value.remedy


def test_hostile_names_are_shown_without_control_characters_and_cut() -> None:
    hostile = ["evil\x1b[2J\n\u202e", "n" * 10_000]
    with pytest.raises(NothingFound) as caught:
        resolve("evil\x1b\u202e", hostile)
    said = str(caught.value) + caught.value.remedy
    assert said.isprintable()
    assert len(said) < 500


def test_gateways_are_guessed_by_the_names_they_usually_have() -> None:
    gateways = [
        "bookinfo-gateway-istio.default",
        "ingressgateway",
        "istio-ingress",
        "istio-ingress-internal.edge",
        TODAY,
        "my-ingress-gateway",
    ]
    others = ["api-gateway", "ingress-billing", "istio-egressgateway.istio-system", "istio-pilot", "reviews"]
    assert gateway_like([*others, *gateways]) == sorted(gateways)
