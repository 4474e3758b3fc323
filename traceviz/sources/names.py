"""Which of the known services a user means: people write `service-python`, Jaeger knows `service-python.default`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from traceviz.errors import NothingFound
from traceviz.notes import Notes, define

GATEWAY_ASSUMED = define(
    "gateway-assumed",
    "{count} gateway {count:name was|names were} not known and the only gateway there is was taken in its place",
    """A gateway was asked for by a usual name, and the traces know exactly one gateway, by another.

    Sign: `--service istio-ingress` (or istio-ingressgateway, ingressgateway, …) while the only gateway is called, say,
    `istio-ingressgateway.istio-system`. The example shows what was asked and what was taken.

    Cause: Istio's ingress has had several names over its versions, and installations name theirs as they like.

    What to do: nothing, if that gateway was meant. Otherwise ask for the service by the name `traceviz services` lists.
    """,
)
NAMESPACE_ASSUMED = define(
    "namespace-assumed",
    "{count} {count:service was|services were} asked for with a namespace and {count:is|are} known only without one",
    """A service was asked for as NAME.NAMESPACE, and the traces know only NAME.

    Sign: `--service productpage.default` while the spans say `productpage`. The example shows both.

    Cause: the programs or proxies report themselves without their namespace, so nothing confirms which one it is.

    What to do: nothing, if there is one such service. If several namespaces report under the one name, the answer
    is about all of them; `--group-by namespace` tells them apart where spans carry the namespace.
    """,
)

_ASKED_FOR_GATEWAY = re.compile(r"(?:istio-)?ingress(?:-?gateway)?(?:-istio)?")
_LOOKS_LIKE_GATEWAY = re.compile(r".*ingress-?gateway.*|istio-ingress.*|ingress(?:-istio)?|.*-gateway-istio")
_MOST_NAMES = 12


def resolve_service(asked: str, known: Iterable[str], gateways: Iterable[str], notes: Notes) -> list[str]:
    """The known service names that `asked` means, sorted; several where one workload name is in several namespaces.

    In this order, the first that finds something decides:

    1. the very name;
    2. every name whose first label it is: `reviews` means `reviews.default` and `reviews.test`;
    3. a Kubernetes name with more labels than the known one has: `reviews.default.svc.cluster.local` means
       `reviews.default`; `reviews.default` means a bare `reviews` (note `namespace-assumed`), never `reviews.test`,
       and a host such as `api.example.com` never means `api`;
    4. a gateway's usual name (`istio-ingress` and its kin), where there is exactly one of `gateways`
       (note `gateway-assumed`).

    Raises NothingFound, with the nearest and the known names, where none does.
    """
    names = sorted(set(known))
    if asked in names:
        return [asked]
    if by_label := [name for name in names if _first_label(name) == asked]:
        return by_label
    if shorter := next((name for name in _shorter_kubernetes_names(asked) if name in names), None):
        if "." not in shorter:
            notes.add(NAMESPACE_ASSUMED, examples=[f"{shown(asked)} ▸ {shown(shorter)}"])
        return [shorter]
    asks_for_gateway = bool(_ASKED_FOR_GATEWAY.fullmatch(_first_label(asked).lower()))
    the_gateways = sorted(set(gateways))
    if asks_for_gateway and (gateway := _only(the_gateways)):
        notes.add(GATEWAY_ASSUMED, examples=[f"{shown(asked)} ▸ {shown(gateway)}"])
        return the_gateways
    raise NothingFound(
        f"no service {shown(asked)} is known here", _remedy(asked, names, the_gateways if asks_for_gateway else [])
    )


def gateway_like(names: Iterable[str]) -> list[str]:
    """The names that gateways usually have, sorted. A guess for where no span has been seen yet.

    `istio-ingressgateway.istio-system`, `istio-ingress`, `ingressgateway-internal`, `bookinfo-gateway-istio`
    (what Istio calls the workload of a Gateway named `bookinfo-gateway`).
    """
    return sorted({name for name in names if _LOOKS_LIKE_GATEWAY.fullmatch(_first_label(name).lower())})


def shown(name: str) -> str:
    """A name as a message may show it: quoted, nothing unprintable, cut where it is very long."""
    return repr(name if len(name) <= 80 else name[:79] + "…")


def _first_label(name: str) -> str:
    return name.partition(".")[0]


def _shorter_kubernetes_names(asked: str) -> list[str]:
    """NAME.NS[.svc[.…]] without its tail: first NAME.NS, then NAME."""
    labels = asked.split(".")
    if len(labels) > 2 and labels[2] == "svc":
        return [".".join(labels[:2]), labels[0]]
    return labels[:1] if len(labels) == 2 else []


def _only(gateways: Sequence[str]) -> str | None:
    """The one gateway; `istio-ingress` and `istio-ingress.istio-system` side by side are one."""
    longest = [name for name in gateways if not any(other.startswith(name + ".") for other in gateways)]
    return longest[0] if len(longest) == 1 else None


def _remedy(asked: str, names: Sequence[str], gateways: Sequence[str]) -> str:
    if not names:
        return "No service is known at all: are there any traces?"
    sentences = []
    if len(gateways) > 1:
        sentences.append(f"There are several gateways: {_listed(gateways)}.")
    elif close := _close_names(asked, names):
        sentences.append(f"Did you mean {' or '.join(shown(name) for name in close)}?")
    sentences.append(f"Known services: {_listed(names)}.")
    return " ".join(sentences)


def _close_names(asked: str, names: Sequence[str]) -> list[str]:
    """At most three names that look like what was asked, by the whole name or by its first label."""
    by_form: dict[str, list[str]] = {}
    for name in names:
        for form in {name.lower(), _first_label(name).lower()}:
            by_form.setdefault(form, []).append(name)
    # difflib's time grows with the product of the lengths; no name that long is a slip of the finger.
    forms = difflib.get_close_matches(asked[:100].lower(), [form for form in by_form if len(form) <= 100], n=3)
    return list(dict.fromkeys(name for form in forms for name in by_form[form]))[:3]


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:_MOST_NAMES])
    return listed if len(names) <= _MOST_NAMES else f"{listed} and {len(names) - _MOST_NAMES:,} more"
