"""What a workload was asked for, as few labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceviz.analyze.operations import MOST_SEGMENTS, operation_label, template, url_path


@pytest.mark.parametrize(
    ("given", "label"),
    [
        # a proxy: the name says nothing, the URL does
        (("a.default.svc.cluster.local:80/*", "", "GET", "http://a:80/reviews/0", True), "GET /reviews/{id}"),
        (("a:80/*", "", "", "http://a/x?user=7#top", True), "/x"),
        (("a:80/*", "", "GET", "http://a", True), "a:80/*"),
        (("a:80/*", "", "POST", "/hipstershop.CartService/GetCart", True), "POST /hipstershop.CartService/GetCart"),
        (("a:80/*", "", "GET", "", True), "a:80/*"),
        # a program: its instrumentation chose the name
        (("GET /cart/{user}", "/cart/{user}", "GET", "http://a/cart/4711", False), "GET /cart/{user}"),
        (("GET", "/cart/{user}", "GET", "http://a/cart/4711", False), "GET /cart/{user}"),
        (("HTTP GET", "", "GET", "http://a/cart/4711", False), "GET /cart/{id}"),
        (("HTTP POST", "", "", "http://a/cart", False), "POST /cart"),
        (("GET /users/550e8400-e29b-41d4-a716-446655440000/orders", "", "", "", False), "GET /users/{id}/orders"),
        (("hipstershop.CartService/GetCart", "GetCart", "", "", False), "hipstershop.CartService/GetCart"),
        (("process orders", "", "", "", False), "process orders"),
        (("", "", "", "", False), ""),
        (("GET", "", "", "", False), "GET"),
        (("GET /cart/4711?currency=EUR", "", "", "", False), "GET /cart/{id}"),
        (("POST https://shop:8443/cart/4711?x=/y", "", "", "", False), "POST https://shop:8443/cart/{id}"),
        (("https://shop:8443", "", "", "", False), "https://shop:8443"),
        (("process order 123456", "", "", "", False), "process order {id}"),
        (("get-user-550e8400-e29b-41d4-a716-446655440000", "", "", "", False), "get-user-{id}"),
        (("SELECT * FROM t2 WHERE id = 123456", "", "", "", False), "SELECT * FROM t2 WHERE id = {id}"),
        (("google.pubsub.v1.Publisher/Publish", "", "", "", False), "google.pubsub.v1.Publisher/Publish"),
        (
            ("a:80/*", "", "POST", "http://a/google.pubsub.v1.Publisher/Publish", True),
            "POST /google.pubsub.v1.Publisher/Publish",
        ),
    ],
)  # fmt: skip
def test_a_label_says_what_was_asked_for(given: tuple[str, str, str, str, bool], label: str) -> None:
    name, route, method, url, proxy = given
    assert operation_label(name, route, method, url, proxy=proxy) == label


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/users/4711/orders", "/users/{id}/orders"),
        ("/objects/deadbeefcafe01", "/objects/{id}"),
        ("/facade/cafe", "/facade/cafe"),
        ("/days/2026-11-23", "/days/{id}"),
        ("/v1/api", "/v1/api"),
        ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/i/j"),
        ("/a/b/c/d/e/f/g/h/i/j/k/l", "/a/b/c/d/e/f/g/h/i/j/…"),
        ("/api/items/6494", "/api/items/{id}"),
        ("/objects/deadbeef", "/objects/{id}"),
        ("/objects/0x1f", "/objects/{id}"),
        ("/product/OLJCESPC7Z", "/product/{id}"),
        ("/trips/G1234/seats/-1.5,2", "/trips/{id}/seats/{id}"),
        ("/orders/ORD-7/items/user_42", "/orders/{id}/items/{id}"),
        ("/people/bob@example.com", "/people/{id}"),
        ("/hosts/10.0.0.1/00:1a:2b:3c:4d:5e", "/hosts/{id}/{id}"),
        ("/at/2026-11-23T01:18:27Z", "/at/{id}"),
        ("/images/42.png", "/images/{id}.png"),
        ("/files/report-2026-11-23.pdf", "/files/{id}.pdf"),
        ("/static/app.3f2a91bc.js", "/static/{id}.js"),
        ("/static/jquery-3.6.min.js", "/static/jquery-3.6.min.js"),
        ("/orders/4711:cancel", "/orders/{id}:cancel"),
        ("/orders;jsessionid=A1B2C3D4E5/4711;v=2", "/orders/{id}"),
        ("/tokens/eyJhbGciOiJIUzI1NiIsInR5cCI6", "/tokens/{id}"),
        ("/pods/ratings-v1-5f7c8b9d4-abcde", "/pods/{id}"),
        ("/v20260101/v1beta1/oauth2/log4j/md5/h2", "/v20260101/v1beta1/oauth2/log4j/md5/h2"),
        ("/a.very.long.name.of.a.package.v1.OrderServiceForEverybody/Get",) * 2,
        ("/api/{orderId}/:user/*", "/api/{orderId}/:user/*"),
        ("/" + "x" * 41, "/{id}"),
        ("/%34%37", "/{id}"),
        ("", ""),
        ("/", "/"),
    ],
)
def test_what_is_one_of_many_in_a_path_becomes_a_place_for_it(path: str, expected: str) -> None:
    assert template(path) == expected


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20), st.text(max_size=120), st.booleans())
def test_whatever_strangers_write_there_is_a_label(name: str, route: str, method: str, url: str, proxy: bool) -> None:
    assert isinstance(operation_label(name, route, method, url, proxy=proxy), str)
    assert template(url_path(url)).count("/") <= MOST_SEGMENTS + 1
