"""Programs' own spans by old and new semantic conventions: who is named, what is one call, what is a failure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import traceviz
from tests.builder import Row, forest, in_trace, outbound, span
from traceviz.agents import agent
from traceviz.analyze.report import Report, report
from traceviz.documents import GraphDocument

SHOP = span("a", service="shop", kind="server", ms=100)


def call(**columns: object) -> Row:
    """A call of the shop's."""
    return span("b", "a", service="shop", **{"kind": "client", "start": 1, "ms": 20, **columns})


def made(*rows: Row) -> Report:
    return report(forest(*rows))


def edges(*rows: Row) -> list[tuple[str, str, int]]:
    return [(edge["caller"], edge["callee"], edge["calls"]) for edge in made(*rows).graph()["edges"]]


def kinds(*rows: Row) -> dict[str, str]:
    return {node["name"]: node["kind"] for node in made(*rows).graph()["nodes"]}


def notes(document: GraphDocument) -> dict[str, int]:
    return {note["code"]: note["count"] for note in document["notes"]}


def read(tmp_path: Path, attributes: dict[str, Any], kind: int = 3) -> Report:
    """The report of a server of the shop's and one span under it with these attributes, read as OTLP."""

    def value(given: Any) -> dict[str, Any]:
        return {"intValue": str(given)} if isinstance(given, int) else {"stringValue": given}

    def written(id: str, parent: str, kind: int, tags: dict[str, Any]) -> dict[str, Any]:
        return {
            "traceId": "ab" * 16,
            "spanId": id * 16,
            "parentSpanId": parent * 16,
            "kind": kind,
            "name": "op",
            "startTimeUnixNano": "1795394967000000000",
            "endTimeUnixNano": "1795394967010000000",
            "attributes": [{"key": key, "value": value(text)} for key, text in tags.items()],
        }

    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    spans = [written("1", "", 2, {}), written("2", "1", kind, attributes)]
    file = tmp_path / "spans.json"
    file.write_text(json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}]}))
    return traceviz.load(str(file)).report()


@pytest.mark.parametrize(
    ("attributes", "name", "kind"),
    [
        ({"db.system": "postgresql", "db.name": "stock"}, "stock", "database"),
        ({"db.system.name": "postgresql", "db.namespace": "stock"}, "stock", "database"),
        ({"db.type": "sql", "db.instance": "stock"}, "stock", "database"),
        ({"db.system": "redis", "db.name": "0", "net.peer.name": "cache"}, "cache", "database"),
        ({"db.system.name": "redis", "db.namespace": "0", "server.address": "cache:6379"}, "cache", "database"),
        ({"db.system.name": "memcached"}, "memcached", "database"),
        ({"db.system": "cassandra", "peer.service": "profiles"}, "profiles", "database"),
        ({"cassandra.keyspace": "auth", "peer.service": "shop"}, "shop (database)", "database"),
        ({"messaging.system": "kafka", "messaging.destination": "orders"}, "orders", "queue"),
        ({"messaging.system": "kafka", "messaging.destination.name": "orders"}, "orders", "queue"),
        ({"message_bus.destination": "orders"}, "orders", "queue"),
        (
            {"messaging.destination.template": "orders.{id}", "messaging.destination.name": "orders.7"},
            "orders.{id}",
            "queue",
        ),
        ({"http.url": "https://api.example.com:8443/pay?x=1"}, "api.example.com", "external"),
        ({"url.full": "https://api.example.com:8443/pay?x=1"}, "api.example.com", "external"),
        ({"net.peer.name": "api.example.com:443"}, "api.example.com", "external"),
        ({"server.address": "api.example.com"}, "api.example.com", "external"),
        ({"service.peer.name": "ads", "server.address": "10.0.0.1"}, "ads", "unknown"),
        ({"peer.service": "ads"}, "ads", "unknown"),
        ({"rpc.system": "grpc", "rpc.service": "shop.v1.Ads"}, "shop.v1.Ads", "unknown"),
        ({"rpc.system": "aws-api", "rpc.service": "S3"}, "S3", "external"),
        ({"faas.invoked_name": "resize"}, "resize", "unknown"),
    ],
)
def test_who_was_called_is_said_in_every_convention(
    tmp_path: Path, attributes: dict[str, Any], name: str, kind: str
) -> None:
    graph = read(tmp_path, attributes).graph()
    assert [(edge["caller"], edge["callee"], edge["calls"]) for edge in graph["edges"]] == [("shop", name, 1)]
    assert {node["name"]: node["kind"] for node in graph["nodes"]} == {"shop": "service", name: kind}


@pytest.mark.parametrize(
    ("attributes", "status", "errors"),
    [
        ({"http.status_code": 503}, "503", 1),
        ({"http.response.status_code": 503}, "503", 1),
        ({"http.response.status_code": 404}, "404", 0),
        ({"rpc.system": "grpc", "rpc.grpc.status_code": 14}, "grpc 14", 1),
        ({"rpc.system.name": "grpc", "rpc.response.status_code": "UNAVAILABLE"}, "grpc 14", 1),
        ({"rpc.system.name": "grpc", "rpc.response.status_code": "NOT_FOUND"}, "grpc 5", 0),
        ({"grpc.status_code": "14"}, "grpc 14", 1),
        ({"grpc.status_code": "Unavailable"}, "grpc 14", 1),
        ({"rpc.system": "connect_rpc", "rpc.connect_rpc.error_code": "deadline_exceeded"}, "grpc 4", 1),
    ],
)
def test_a_status_is_read_in_every_spelling(
    tmp_path: Path, attributes: dict[str, Any], status: str, errors: int
) -> None:
    (edge,) = read(tmp_path, {"server.address": "ads", **attributes}).graph()["edges"]
    assert (edge["statuses"], edge["errors"]) == ({status: 1}, errors)


@pytest.mark.parametrize(
    ("kind", "attributes", "edge"),
    [
        (3, {"messaging.operation.type": "receive"}, ("orders", "shop")),
        (5, {"messaging.operation": "receive"}, ("orders", "shop")),
        (3, {"messaging.operation.type": "send"}, ("shop", "orders")),
        (4, {"messaging.operation": "publish"}, ("shop", "orders")),
        (4, {}, ("shop", "orders")),
    ],
)
def test_a_client_that_takes_from_a_queue_is_a_consumer(
    tmp_path: Path, kind: int, attributes: dict[str, Any], edge: tuple[str, str]
) -> None:
    queue = {"messaging.system": "kafka", "messaging.destination.name": "orders"}
    (found,) = read(tmp_path, {**queue, **attributes}, kind).graph()["edges"]
    assert (found["caller"], found["callee"], found["kind"]) == (*edge, "async")


def test_the_same_name_in_two_systems_is_two_queues_and_the_same_system_by_two_names_is_one() -> None:
    both = [
        call(kind="producer", queue="mail", queue_system="kafka"),
        span("c", "a", service="shop", kind="producer", queue="mail", queue_system="rabbitmq"),
    ]
    assert edges(SHOP, *both) == [("shop", "mail (kafka)", 1), ("shop", "mail (rabbitmq)", 1)]
    assert notes(made(SHOP, *both).graph())["same-name"] == 2
    old = [
        call(db_name="stock", db_system="mssql"),
        span("c", "a", service="shop", kind="client", db_name="stock", db_system="microsoft.sql_server"),
    ]
    assert edges(SHOP, *old) == [("shop", "stock", 2)]


def test_a_database_that_is_asked_over_http_is_called_once_and_by_its_name() -> None:
    inner = span("c", "b", service="shop", kind="client", url="https://dynamodb.eu-west-1.amazonaws.com/", status="200")
    rows = (SHOP, call(db_system="dynamodb", db_name="carts"), inner)
    assert edges(*rows) == [("shop", "carts", 1)]
    assert kinds(*rows)["carts"] == "database"
    assert edges(SHOP, call(), inner) == [("shop", "dynamodb.eu-west-1.amazonaws.com", 1)]


def test_every_try_of_a_wrapped_client_has_the_name_of_what_is_around_it() -> None:
    tries = [span(id, "b", service="shop", kind="client", url="http://10.1.1.1/") for id in ("c", "d")]
    assert edges(SHOP, call(peer_service="search"), *tries) == [("shop", "search", 2)]


def test_a_queue_that_is_reached_over_http_is_one_call_and_its_consumer_stays_behind_it() -> None:
    rows = (
        SHOP,
        call(kind="producer", queue="orders", queue_system="aws_sqs"),
        span("c", "b", service="shop", kind="client", url="https://sqs.eu-west-1.amazonaws.com/1/orders"),
        span("d", "b", service="ship", kind="consumer", queue="orders", queue_system="aws_sqs"),
    )
    assert edges(*rows) == [("orders", "ship", 1), ("shop", "orders", 1)]


def test_received_and_processed_is_one_call_and_of_a_batch_one_for_each_message() -> None:
    receipt = span("r", service="ship", kind="consumer", queue="orders", ms=50)
    one = span("p", "r", service="ship", kind="consumer", queue="orders", start=1, error=True)
    two = span("q", "r", service="ship", kind="consumer", queue="orders", start=20)
    stored = span("s", "p", service="ship", kind="client", db_name="parcels")
    assert edges(receipt) == [("orders", "ship", 1)]
    assert edges(receipt, one, stored) == [("orders", "ship", 1), ("ship", "parcels", 1)]
    assert edges(receipt, one, two, stored) == [("orders", "ship", 2), ("ship", "parcels", 1)]
    (edge, _) = made(receipt, one, two, stored).graph()["edges"]
    assert edge["errors"] == 1, "what failed was the processing of one message"


def test_a_receipt_under_its_producer_hands_the_producer_on() -> None:
    rows = (
        SHOP,
        call(kind="producer", queue="orders"),
        span("r", "b", service="ship", kind="consumer"),
        span("p", "r", service="ship", kind="consumer"),
    )
    assert edges(*rows) == [("orders", "ship", 1), ("shop", "orders", 1)]


@pytest.mark.parametrize(
    ("produced", "consumed", "queue"),
    [
        ({"queue": "sales"}, {"queue": "sales:order.new:parcels"}, "sales"),
        ({"queue": "sales:order.new"}, {"queue": "sales:order.new:parcels"}, "sales"),
        ({"queue": "sales"}, {"queue": "parcels"}, "sales"),
        ({"queue": "<default>", "queue_key": "parcels"}, {"queue": "parcels"}, "parcels"),
        ({"queue": "amq.default:parcels"}, {"queue": "amq.default:parcels:parcels"}, "parcels"),
        ({"queue": ":parcels"}, {"queue": ":parcels:parcels"}, "parcels"),
    ],
)
def test_an_exchange_and_the_queue_behind_it_are_one_node(
    produced: dict[str, str], consumed: dict[str, str], queue: str
) -> None:
    rows = (
        SHOP,
        call(kind="producer", queue_system="rabbitmq", **produced),
        span("c", "b", service="ship", kind="consumer", queue_system="rabbitmq", start=50, **consumed),
    )
    assert edges(*rows) == [(queue, "ship", 1), ("shop", queue, 1)]


def test_a_queue_that_messages_of_two_topics_come_out_of_keeps_its_name() -> None:
    def sent(id: str, topic: str) -> list[Row]:
        return [
            span(f"p{id}", "a", service="shop", kind="producer", queue=topic, queue_system="sns"),
            span(f"c{id}", f"p{id}", service="ship", kind="consumer", queue="parcels", queue_system="sns", start=50),
        ]

    one, both = [SHOP, *sent("1", "sales")], [SHOP, *sent("1", "sales"), *sent("2", "returns")]
    assert edges(*one) == [("sales", "ship", 1), ("shop", "sales", 1)]
    assert edges(*both) == [("parcels", "ship", 2), ("shop", "returns", 1), ("shop", "sales", 1)]


def test_of_a_batch_the_sending_is_the_call_and_not_the_making_of_its_messages() -> None:
    made_two = [
        span(id, "a", service="shop", kind="producer", queue="orders", queue_operation="create", start=start)
        for id, start in (("m", 1), ("n", 2))
    ]
    sending = span("s", "a", service="shop", kind="client", queue="orders", queue_operation="send", start=5, error=True)
    taken = [
        span(f"c{id}", id, service="ship", kind="consumer", queue="orders", queue_operation="process", start=30)
        for id in ("m", "n")
    ]
    assert edges(SHOP, *made_two, sending, *taken) == [("orders", "ship", 2), ("shop", "orders", 1)]
    assert edges(SHOP, *made_two, *taken) == [("orders", "ship", 2), ("shop", "orders", 2)], "nobody says who sent them"
    assert [edge["errors"] for edge in made(SHOP, *made_two, sending, *taken).graph()["edges"]] == [0, 1]


def test_what_lies_in_a_queue_for_a_while_is_no_matter_of_clocks() -> None:
    def taken(start: float) -> dict[str, int]:
        sent = call(kind="producer", queue="orders", ms=3)
        return notes(made(SHOP, sent, span("c", "b", service="ship", kind="consumer", start=start)).graph())

    assert taken(70) == {}
    assert taken(-50)["clock-skew"] == 1, "taken before it was put there"


@pytest.mark.parametrize("name", ["connect", "tcp.connect", "pg-pool.connect", "redis-connect", "dns.lookup"])
def test_opening_a_connection_is_no_call_but_where_it_failed(name: str) -> None:
    asked = span("q", "a", service="shop", kind="client", operation="SELECT", db_name="stock", start=9)
    opened = call(operation=name, db_name="stock")
    assert edges(SHOP, opened, asked) == [("shop", "stock", 1)]
    assert notes(made(SHOP, opened, asked).graph()) == {"connections-opened": 1}
    assert edges(SHOP, replace(opened, error=True)) == [("shop", "stock", 1)]


def test_a_request_that_is_called_like_a_connection_is_one() -> None:
    assert edges(SHOP, call(operation="connect", server_address="api", method="POST")) == [("shop", "api", 1)]
    answered = span("c", "b", service="chat", kind="server")
    assert edges(SHOP, call(operation="connect"), answered) == [("shop", "chat", 1)]


def test_the_program_around_a_call_that_went_well_may_have_failed_with_it() -> None:
    inner = span("c", "b", service="shop", kind="client", url="http://cart/", status="200", start=2, ms=9)
    assert [edge["errors"] for edge in made(SHOP, call(error=True), inner).graph()["edges"]] == [1]
    assert [edge["errors"] for edge in made(SHOP, call(), inner).graph()["edges"]] == [0]
    refused = replace(inner, tags={**inner.tags, "status": "404"})
    assert [edge["errors"] for edge in made(SHOP, call(error=True, status="404"), refused).graph()["edges"]] == [0]


def test_of_several_tries_in_one_client_span_that_failed_only_one_need_have_failed() -> None:
    def tries(first: str, second: str) -> list[int]:
        inner = [
            span(id, "b", service="shop", kind="client", url="http://cart/", status=status, start=start, ms=4)
            for id, status, start in (("c", first, 2), ("d", second, 8))
        ]
        return [edge["errors"] for edge in made(SHOP, call(error=True), *inner).graph()["edges"]]

    assert tries("200", "200") == [1]
    assert tries("503", "200") == [1]
    assert tries("503", "503") == [2]


def test_a_programs_deadline_is_one_though_its_proxy_only_saw_it_leave() -> None:
    gone = {"status": "0", "flags": "DC", "error": True}
    rows = (
        span("a", service="shop", kind="server", ms=60, error=True),
        span("b", "a", service="shop", kind="client", start=2, ms=50, error=True, error_type="ReadTimeout"),
        outbound("c", "b", "shop", "cart", start=3, ms=48, **gone),
    )
    [row] = made(*rows).errors()["failing_hops"]
    assert (row["callee"], row["reason"], row["blame"]) == ("cart", "timeout", "cart")


def test_gos_name_for_a_request_that_got_no_answer_is_that_of_a_connection() -> None:
    [row] = made(SHOP, call(url="http://cart/", method="GET", error=True, error_type="*url.Error")).errors()[
        "failing_hops"
    ]
    assert (row["callee"], row["reason"], row["where"]) == ("cart", "connection-failed", "network")


def test_a_cancelled_call_is_its_callers_doing() -> None:
    cancelled = call(server_address="cart", grpc="1", error=True)
    [row] = made(SHOP, cancelled, span("c", "b", service="cart", kind="server", grpc="1")).errors()["failing_hops"]
    assert (row["reason"], row["where"], row["blame"]) == ("client-gone", "caller", "shop")
    assert "held the time" not in row["text"]


def test_who_polls_a_queue_within_a_request_takes_from_it() -> None:
    assert edges(SHOP, call(kind="consumer", queue="orders")) == [("orders", "shop", 1)]


def test_a_producer_without_a_consumer_and_a_consumer_without_a_producer_end_at_their_queues() -> None:
    alone = span("p", service="shop", kind="producer", queue="orders")
    assert edges(alone, *in_trace("u", span("c", service="ship", kind="consumer", queue="mails"))) == [
        ("mails", "ship", 1),
        ("shop", "orders", 1),
    ]


def test_program_and_proxy_under_two_forms_of_a_name_are_one_node_and_make_one_call() -> None:
    rows = (
        span("a", service="reviews", kind="server", ms=60),
        span("b", "a", service="reviews", kind="client", server_address="ratings", start=1, ms=20),
        outbound("c", "b", "reviews", "ratings", start=2, ms=18),
        span("d", "c", service="ratings", kind="server", start=4, ms=10),
    )
    assert edges(*rows) == [("reviews", "ratings", 1)]
    (node,) = [node for node in made(*rows).graph()["nodes"] if node["name"] == "reviews"]
    assert node["aliases"] == ["reviews", "reviews.default"]


def test_internal_spans_are_the_work_of_their_service() -> None:
    inner = [
        span("i", "a", service="shop", kind="internal", operation="graphql.execute"),
        span("j", "i", service="shop", kind="internal", operation="graphql.resolve"),
        span("b", "j", service="shop", kind="client", server_address="users"),
        span("c", "b", service="users", kind="server"),
    ]
    assert edges(SHOP, *inner) == [("shop", "users", 1)]


def test_time_that_only_a_callee_saw_is_not_its_callers_own() -> None:
    rows = (
        span("a", service="front", ms=100),
        span("b", "a", service="back", start=10, ms=60),
    )
    front = next(node for node in made(*rows).graph()["nodes"] if node["name"] == "front")
    assert front["self_ms"] is not None
    assert front["self_ms"]["p50"] == 40


def test_traces_that_say_no_kind_are_noted_and_single_spans_are_not() -> None:
    assert notes(made(span("a", service="front"), span("b", "a", service="back")).graph()) == {"no-span-kind": 1}
    assert notes(made(span("a", service="front")).graph()) == {}
    assert notes(made(SHOP, span("b", "a", service="back")).graph()) == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fortio.org/fortio-1.69", "fortio"),
        ("wrk/4.1.0", "wrk"),
        ("k6/0.50.0 (https://k6.io/)", "k6"),
        ("Grafana k6/1.0", "k6"),
        ("locust/2.2", "locust"),
        ("curl/8.5.0", "curl"),
        ("kube-probe/1.29", "kube-probe"),
        ("GoogleHC/1.0", "health check"),
        ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/77.0", "browser"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("Python/3.11 aiohttp/3.14.5", "aiohttp"),
        ("python-requests/2.31", "python-requests"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("</script><script>alert(1)</script>", "other"),
        ("\u202egnp.exe", "other"),
        ("x" * 10_000, "other"),
        ("-", ""),
        ("", ""),
    ],
)
def test_a_user_is_known_by_what_it_calls_itself(text: str, name: str) -> None:
    assert agent(text) == name


def test_the_entry_names_its_users_and_only_the_entry() -> None:
    rows = [
        *in_trace(
            "t",
            span("a", service="web", kind="server", user_agent="curl/8"),
            span("b", "a", service="back", kind="server", user_agent="Go-http-client/1.1"),
        ),
        *in_trace("u", span("a", service="web", kind="server", user_agent="k6/0.5")),
        *in_trace("v", span("a", service="web", kind="server", user_agent="k6/0.6")),
        *in_trace("w", span("a", service="web", kind="server")),
    ]
    users = {node["name"]: (node["entry_calls"], node["entered_by"]) for node in made(*rows).graph()["nodes"]}
    assert users == {"back": (0, {}), "web": (4, {"curl": 1, "k6": 2})}
    halves = made(*rows[:3]).merge(made(*rows[3:])).graph()
    assert halves["nodes"] == made(*rows).graph()["nodes"]
