"""`traceviz services` and `traceviz operations`: of a Jaeger that behaves, of one that does not, and of files."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.cells import cell_len

from tests.builder import forest, gateway, in_trace, inbound, span
from tests.commands import SEED, Ended, called, ended, started
from tests.conftest import CASES, FORMATS, MESH, recorded
from tests.documents_made import HOSTILE
from tests.schemas import faults
from tests.test_cli import interruptible
from tests.unruly import GOOD, HTML, WINDOW, Behaviour, Exchange, always, for_searches, good, refusing_url, unruly
from traceviz.analyze.report import Report, report
from traceviz.commands import operations as operations_command
from traceviz.commands import services as services_command
from traceviz.demo import serve_recording
from traceviz.demo.answers import Answer
from traceviz.documents import OperationsDocument, ServicesDocument
from traceviz.listing import services_document
from traceviz.render import formats_of, render

RECORDING = str(Path(__file__).parents[1] / "traceviz" / "demo" / "recording" / "v1.json.gz")
#: The window of the packaged recording.
THEN = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1]))
FAILED = Answer(500, "application/json", b'{"data":null,"errors":[{"code":500,"msg":"the storage is in pieces"}]}')
#: What a list of the recording counts where no trace was read.
SEVEN_WITHOUT_TRACES = {"traces": None, "spans": None, "failed_traces": None, "fragments": None, "services": 7}

Row = dict[str, Any]


def codes(document: Any) -> list[tuple[str, int]]:
    return [(note["code"], note["count"]) for note in document["notes"]]


def services(*arguments: str) -> Any:
    return called("services", *arguments, "-o", "json").json()


def operations(*arguments: str) -> Any:
    return called("operations", *arguments, "-o", "json").json()


def pairs(document: Any) -> list[tuple[str, str | None]]:
    return [(row["name"], row["node"]) for row in document["services"]]


def in_file(path: str) -> list[Row]:
    """The operations of a Jaeger's dump, by nothing but its JSON."""
    found = set()
    for trace in json.loads(gzip.decompress(Path(path).read_bytes()))["data"]:
        for one in trace["spans"]:
            kinds = [tag["value"] for tag in one["tags"] if tag["key"] == "span.kind"]
            found.add((trace["processes"][one["processID"]]["serviceName"], one["operationName"], *kinds))
    return [dict(zip(("service", "name", "kind"), row, strict=True)) for row in sorted(found)]


# A Jaeger


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_services_of_a_jaeger_are_all_but_its_own_each_with_its_node(api: str) -> None:
    with serve_recording(base_path="/jaeger") as jaeger:
        document = services("--url", jaeger.url, "--api", api)
        graph = called("graph", "--url", jaeger.url, "--api", api, "--limit", "100", "-o", "json").json()
    assert pairs(document) == [
        ("istio-ingress", "istio-ingress"),
        *((f"service-{name}.default", f"service-{name}") for name in ("go", "js", "lua", "node", "python", "redis")),
    ]
    assert document["source"] == graph["source"] == [jaeger.url]
    assert document["asked"]["limit"] == 100
    assert document["counts"] == graph["counts"]
    assert document["seen"] == graph["seen"] | {"windows": document["seen"]["windows"]}


def test_a_jaeger_is_asked_for_its_services_once() -> None:
    with unruly(good) as server:
        called("services", "--url", server.url, *THEN)
    assert [path for path in server.asked if path.endswith("/services")] == ["/api/v3/services"]


def test_the_number_of_traces_looked_at_can_be_said() -> None:
    with serve_recording() as jaeger:
        few = services("--url", jaeger.url, "--limit", "3")
        assert (few["asked"]["limit"], few["counts"]["traces"], few["counts"]["services"]) == (3, 3, 7)
        everything = services("--url", jaeger.url, "--all")
        assert (everything["asked"]["limit"], everything["counts"]["traces"]) == (None, 100)


def test_a_service_in_no_trace_that_was_read_has_no_node_and_a_note_counts_them() -> None:
    with serve_recording() as jaeger:
        document = services("--url", jaeger.url, "--limit", "1")
    unseen = [name for name, node in pairs(document) if node is None]
    assert 0 < len(unseen) < 7
    (note,) = [note for note in document["notes"] if note["code"] == "node-not-seen"]
    assert note["count"] == len(unseen)
    assert note["examples"] == unseen[:5]


def test_a_service_that_is_asked_for_decides_which_traces_are_looked_at_and_not_which_names_are_listed() -> None:
    with serve_recording() as jaeger:
        document = services("--url", jaeger.url, "--service", "service-redis", "--limit", "2")
        assert called("services", "--url", jaeger.url, "--service", "nosuch").code == 3
    assert len(document["services"]) == 7
    assert ("service-redis.default", "service-redis") in pairs(document)


def test_names_are_listed_where_the_window_holds_no_trace() -> None:
    with serve_recording() as jaeger:
        document = services("--url", jaeger.url, "--to", "now-1d")
        shown = called("services", "--url", jaeger.url, "--to", "now-1d")
    assert {node for _, node in pairs(document)} == {None}
    assert document["counts"] == {"traces": 0, "spans": 0, "failed_traces": 0, "fragments": 0, "services": 7}
    assert shown.code == 0
    assert "7 services, no trace was read" in shown.text
    assert "note: node-not-seen (7)" in shown.err


@pytest.mark.parametrize("api", ["v3", "v1"])
def test_operations_of_a_jaeger_are_those_of_its_spans(api: str) -> None:
    with serve_recording(base_path="/jaeger") as jaeger:
        document = operations("--url", jaeger.url, "--api", api)
    assert document["operations"] == in_file(RECORDING)
    assert document["counts"] == SEVEN_WITHOUT_TRACES
    assert document["window"] == {"from": None, "to": None}
    assert document["seen"] is None
    assert document["notes"] == []


def test_operations_of_one_service_are_asked_for_by_the_name_that_users_give_it() -> None:
    with serve_recording() as jaeger:
        document = operations("--url", jaeger.url, "--service", "service-python")
        assert {row["service"] for row in document["operations"]} == {"service-python.default"}
        assert len(document["operations"]) == 3
        assert document["asked"]["service"] == "service-python"
        at_gateway = operations("--url", jaeger.url, "--service", "istio-ingressgateway")
        assert {row["service"] for row in at_gateway["operations"]} == {"istio-ingress"}
        assert codes(at_gateway) == [("gateway-assumed", 1)]
        unknown = called("operations", "--url", jaeger.url, "--service", "service-pyton")
    assert (unknown.code, unknown.out) == (3, b"")
    assert "Did you mean 'service-python.default'" in unknown.err


def test_conditions_that_a_jaegers_list_of_operations_does_not_know_are_said() -> None:
    with serve_recording() as jaeger:
        document = operations("--url", jaeger.url, "--since", "1h", "--tag", "error=true", "--limit", "5")
    assert document["operations"] == in_file(RECORDING)
    assert codes(document) == [("operations-of-all-times", 3)]
    assert document["notes"][0]["examples"] == ["--limit", "--since", "--tag"]
    assert (document["asked"]["limit"], document["asked"]["tags"]) == (None, [])


# A Jaeger that misbehaves


def for_operations(*of: str, behave: Behaviour) -> Behaviour:
    """Behaves like this to questions for operations, of these services where they are named; and well to all else."""

    def answer(exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        asked = parts.path.endswith("/operations") and (not of or parse_qs(parts.query)["service"][0] in of)
        (behave if asked else good)(exchange)

    return answer


def test_operations_that_fail_for_one_service_cost_that_service() -> None:
    with unruly(for_operations("service-go.default", behave=always(FAILED))) as server:
        document = operations("--url", server.url)
        run = called("operations", "--url", server.url)
    assert document["operations"] == [row for row in in_file(RECORDING) if row["service"] != "service-go.default"]
    assert document["counts"]["services"] == 6
    assert codes(document) == [("operations-failed", 1)]
    assert document["notes"][0]["examples"][0].startswith("service-go.default: ")
    assert "the storage is in pieces" in document["notes"][0]["examples"][0]
    assert "note: operations-failed (1)" in run.err


@pytest.mark.parametrize("answer", [FAILED, HTML], ids=["500", "HTML"])
def test_operations_that_fail_for_all_services_are_69(answer: Answer) -> None:
    with unruly(for_operations(behave=always(answer))) as server:
        run = called("operations", "--url", server.url, "--parallel", "1")
        asked = {path for path in server.asked if "/operations" in path}
    assert (run.code, run.out) == (69, b"")
    assert server.url in run.err
    assert len(asked) <= 4  # three failures in a row are enough


def test_services_that_were_not_asked_for_any_more_are_counted() -> None:
    first, *rest = sorted({row["service"] for row in in_file(RECORDING)})
    with unruly(for_operations(*rest, behave=always(FAILED))) as server:
        document = operations("--url", server.url)
    assert {row["service"] for row in document["operations"]} == {first}
    assert codes(document) == [("operations-failed", 6)]
    assert len(document["notes"][0]["examples"]) == 3


def listing_answers(names: Iterable[str], of_each: list[dict[str, str]]) -> Behaviour:
    """A Jaeger that knows these services, with the same operations each, and no trace."""

    def answer(exchange: Exchange) -> None:
        route = urlsplit(exchange.path).path
        body: Any = {"error": {"httpCode": 404, "message": "No traces found"}}
        if route == "/api/v3/services":
            body = {"services": list(names)}
        elif route == "/api/v3/operations":
            body = {"operations": of_each}
        exchange.send(Answer(404 if "error" in body else 200, "text/plain", json.dumps(body).encode()))

    return answer


def test_kinds_are_lower_case_and_null_where_the_api_does_not_know() -> None:
    known = [
        {"name": "a", "spanKind": "Server"},
        {"name": "b"},
        {"name": "c", "spanKind": ""},
        {"name": "d", "spanKind": "unspecified"},
        {"name": "e", "spanKind": "INTERNAL"},
    ]
    with unruly(listing_answers(["web"], known)) as server:
        document = operations("--url", server.url)
        table = called("operations", "--url", server.url).text
    assert [(row["name"], row["kind"]) for row in document["operations"]] == [
        ("a", "server"),
        ("b", None),
        ("c", None),
        ("d", None),
        ("e", "internal"),
    ]
    assert re.search(r"web +b +–\n", table)


def test_a_service_without_any_operation_is_3() -> None:
    with unruly(listing_answers(["web"], [])) as server:
        run = called("operations", "--url", server.url)
    assert (run.code, run.out) == (3, b"")
    assert "no operation" in run.err


@pytest.mark.parametrize("command", ["services", "operations"])
@pytest.mark.parametrize("names", [[], ["jaeger", "jaeger-all-in-one"]], ids=["nothing", "itself"])
def test_an_empty_jaeger_is_3(command: str, names: list[str]) -> None:
    with unruly(listing_answers(names, [])) as server:
        run = called(command, "--url", server.url)
    assert (run.code, run.out) == (3, b"")
    assert "knows no service yet" in run.err


@pytest.mark.parametrize("command", ["services", "operations"])
def test_a_jaeger_that_cannot_be_reached_or_is_none_is_69(command: str) -> None:
    url = refusing_url()
    run = called(command, "--url", url)
    assert (run.code, run.out) == (69, b"")
    assert url in run.err
    with unruly(always(HTML)) as server:
        assert called(command, "--url", server.url).code == 69


def test_names_are_listed_where_searches_fail() -> None:
    with unruly(for_searches(always(FAILED))) as server:
        document = services("--url", server.url, *THEN)
        run = called("services", "--url", server.url, *THEN)
    assert len(document["services"]) == 7
    assert {node for _, node in pairs(document)} == {None}
    assert document["counts"] == SEVEN_WITHOUT_TRACES
    assert codes(document) == [("node-not-seen", 7), ("sample-failed", 1)]
    assert "the storage is in pieces" in document["notes"][1]["examples"][0]
    assert document["asked"]["limit"] == 100
    assert run.code == 0
    assert "note: sample-failed (1)" in run.err


def test_services_that_failed_in_part_have_the_nodes_of_the_rest() -> None:
    def behave(exchange: Exchange) -> None:
        failing = "/traces?" in exchange.path and "service-lua" in exchange.path
        exchange.send(FAILED if failing else GOOD.of(exchange.path))

    with unruly(behave) as server:
        document = services("--url", server.url, *THEN, "--all")
    assert None not in {node for _, node in pairs(document)}
    assert "searches-failed" in dict(codes(document))


def test_ctrl_c_while_operations_are_waited_for_is_130() -> None:
    def behave(exchange: Exchange) -> None:
        if "/operations" in exchange.path:
            exchange.closing.wait(20)
        else:
            good(exchange)

    with unruly(behave) as server, interruptible():
        process = started("operations", "--url", server.url)
        while not any("/operations" in path for path in server.asked) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        run = ended(process)
    assert (run.code, run.out) == (130, b"")
    assert "interrupted" in run.err


def test_ctrl_c_while_traces_come_is_130_and_keeps_what_they_showed() -> None:
    searches: list[str] = []

    def behave(exchange: Exchange) -> None:
        if "/traces?" in exchange.path:
            searches.append(exchange.path)
            if len(searches) == 5:  # the first answers are used by now
                os.kill(os.getpid(), signal.SIGINT)
        good(exchange)

    with unruly(behave) as server, interruptible():
        run = called("services", "--url", server.url, *THEN, "--parallel", "1", "-o", "json")
    assert run.code == 130
    document = json.loads(run.out)
    assert faults(document) == []
    assert ("istio-ingress", "istio-ingress") in pairs(document)
    assert ("interrupted", 1) in codes(document)


# Files


@pytest.mark.parametrize("case", CASES)
def test_services_of_files_are_the_nodes_of_the_graph_under_all_their_names(case: str) -> None:
    path = str(MESH / case / FORMATS["v1"])
    document = services(path)
    named = {process["serviceName"] for trace in dump(path) for process in trace["processes"].values()}
    assert {name for name, _ in pairs(document)} == named
    graph = called("graph", path, "-o", "json").json()
    of_graph = {(alias, node["name"]) for node in graph["nodes"] for alias in node["aliases"] if alias in named}
    assert pairs(document) == sorted(of_graph)
    assert document["counts"] | {"services": 0} == graph["counts"] | {"services": 0}
    assert document["notes"] == graph["notes"]


def dump(path: str) -> list[Any]:
    return list(json.loads(gzip.decompress(Path(path).read_bytes()))["data"])


def test_all_formats_of_files_hold_the_same_services_and_operations() -> None:
    paths = [str(MESH / "seed_504" / path) for path in FORMATS.values()]
    first, *others = [(services(path)["services"], operations(path)["operations"]) for path in paths]
    assert others == [first, first]
    assert first[1] == in_file(SEED)


def test_a_service_of_files_outside_of_the_window_has_no_node() -> None:
    document = services(SEED, "--to", "2020-01-01T00:00:00Z")
    assert {node for _, node in pairs(document)} == {None}
    assert (document["counts"]["traces"], document["counts"]["services"]) == (0, 7)
    assert codes(document) == [("node-not-seen", 7)]


def test_operations_of_files_are_those_of_the_service_in_the_traces_selected() -> None:
    python = operations(SEED, "--service", "service-python")
    assert python["operations"] == [row for row in in_file(SEED) if row["service"] == "service-python.default"]
    assert python["counts"]["services"] == 1
    assert python["counts"]["traces"] > 0
    assert python["notes"] == []
    slow = operations(SEED, "--min-duration", "200ms")
    assert 0 < len(slow["operations"]) < len(in_file(SEED))
    assert called("operations", SEED, "--to", "2020-01-01T00:00:00Z").code == 3


def test_files_without_any_trace_are_3_and_unreadable_ones_65(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"data": [], "total": 0, "errors": null}')
    (tmp_path / "page.html").write_text("<!DOCTYPE html><title>Sign in</title>")
    for command in ("services", "operations"):
        nothing = called(command, str(tmp_path / "none.json"))
        assert (nothing.code, nothing.out) == (3, b"")
        assert "holds no trace" in nothing.err
        assert called(command, str(tmp_path / "page.html")).code == 65


def test_spans_that_name_no_service_are_3_for_services_and_have_operations(tmp_path: Path) -> None:
    path = tmp_path / "nameless.json"
    path.write_text(
        json.dumps([{"traceId": "1" * 32, "id": "2" * 16, "name": "get", "timestamp": 1_700_000_000_000_000}])
    )
    run = called("services", str(path))
    assert (run.code, run.out) == (3, b"")
    assert "of which service" in run.err
    assert operations(str(path))["operations"] == [{"service": "", "name": "get", "kind": None}]


# Names and nodes


def test_one_name_for_several_workloads_has_a_row_for_each() -> None:
    proxies = {"service": "istio-proxy"}
    found = services_document(
        ["istio-proxy", "other"],
        counted(inbound("a", "", "web", **proxies), *in_trace("u", inbound("b", "", "cart", **proxies))),
    )
    assert pairs(found) == [("istio-proxy", "cart"), ("istio-proxy", "web"), ("other", None)]
    assert found["counts"]["services"] == 2
    assert codes(found) == [("node-not-seen", 1), ("one-service-name", 1)]
    assert faults(found) == []


def test_several_names_for_one_workload_are_one_node() -> None:
    found = services_document(
        ["shop", "shop.default"], counted(inbound("a", "", "shop"), span("b", "a", service="shop", kind="server"))
    )
    assert pairs(found) == [("shop", "shop"), ("shop.default", "shop")]


def test_a_database_called_like_a_service_is_not_its_node() -> None:
    found = services_document(
        ["orders"],
        counted(
            span("a", service="orders", kind="server"),
            span("b", "a", service="orders", kind="client", db_system="mysql", db_name="orders"),
        ),
    )
    assert pairs(found) == [("orders", "orders")]


def test_a_service_that_was_called_and_never_answered_has_the_node_that_graphs_draw() -> None:
    found = services_document(["gone.default"], counted(gateway("a", "gone", status="503", flags="UH")))
    assert pairs(found) == [("gone.default", "gone")]


def test_a_namespace_that_nothing_confirms_stays_in_the_node() -> None:
    found = services_document(["api.example"], counted(span("a", service="api.example", kind="server")))
    assert pairs(found) == [("api.example", "api.example")]


def counted(*rows: Any) -> Report:
    return report(forest(*rows))


# What is written


def hostile() -> tuple[ServicesDocument, OperationsDocument]:
    head = services_document(HOSTILE, recorded("none", "v1"))
    named = [{"name": name, "node": node} for name in HOSTILE for node in (name, None)]
    done = [{"service": name, "name": name, "kind": kind} for name in HOSTILE for kind in (name, None)]
    rest: Any = {key: value for key, value in head.items() if key != "services"}
    return {**rest, "services": named}, {**rest, "schema": "traceviz/operations/1", "operations": done}


def columns_used(text: str) -> int:
    return max(cell_len(line) for line in text.splitlines())


@pytest.mark.parametrize("document", hostile(), ids=["services", "operations"])
def test_names_of_strangers_do_nothing_to_a_terminal_and_fit_into_it(document: Any) -> None:
    assert faults(document) == []
    for width in (60, 80, 200):
        table = str(render(document, "table", width=width))
        assert columns_used(table) <= width
        assert not set(table) & set("\x1b\r\t\u202e\ud800")
        assert len(table.splitlines()) == 4 + 2 * len(HOSTILE)
        assert "(no name)" in table
    wide = str(render(document, "wide", width=80))
    assert "x" * 10_000 in wide
    assert "\x1b" not in wide


@pytest.mark.parametrize("document", hostile(), ids=["services", "operations"])
def test_names_of_strangers_come_back_from_json_and_csv(document: Any) -> None:
    rows = document["services"] if "services" in document else document["operations"]
    written = [{key: value and value.replace("\ud800", "\ufffd") for key, value in row.items()} for row in rows]
    assert list(json.loads(str(render(document, "json"))).values())[-1] == written
    read = list(csv.DictReader(io.StringIO(str(render(document, "csv")), newline="")))
    assert [{key: value.removeprefix("'") for key, value in row.items()} for row in read] == [
        {key: value or "" for key, value in row.items()} for row in written
    ]


@pytest.mark.parametrize("command", [services_command, operations_command], ids=["services", "operations"])
def test_every_format_is_written_and_no_picture(command: Any, tmp_path: Path) -> None:
    name = command.__name__.rpartition(".")[2]
    document = called(name, SEED, "-o", "json").json()
    assert formats_of(document) == list(command.FORMATS)
    for suffix in (".txt", ".json", ".csv"):
        file = tmp_path / f"list{suffix}"
        run = called(name, SEED, "-O", str(file))
        assert (run.code, run.out, run.err) == (0, b"", f"wrote {file}\n")
        assert "service-python.default" in file.read_text()
    assert called(name, SEED, "-O", str(tmp_path / "list.svg")).code == 2
    assert called(name, SEED, "-o", "dot").code == 2
    assert called(name, SEED, "--fail-on", "calls > 1").code == 2


def test_tables_are_readable_at_80_columns() -> None:
    table = lines(called("services", SEED, env={"COLUMNS": "80"}))
    assert table[1] == "7 services, nodes as in 200 traces"
    assert table[2:5] == ["", "name                    node", "istio-ingress           istio-ingress"]
    listed = lines(called("operations", SEED, env={"COLUMNS": "80"}))
    assert listed[1] == "14 operations of 7 services in 200 traces"
    assert listed[3].split() == ["service", "name", "kind"]
    assert listed[4].split() == ["istio-ingress", "service-go.default.svc.cluster.local:80/*", "client"]
    assert max(map(len, table + listed)) <= 80


def lines(run: Ended) -> list[str]:
    assert run.code == 0
    return run.text.splitlines()


def test_quiet_says_nothing_and_colour_is_written_where_it_is_asked_for() -> None:
    run = called("services", SEED, "--to", "2020-01-01T00:00:00Z", "-q")
    assert (run.code, run.err) == (0, "")
    assert "\x1b[1mname" in called("services", SEED, "--color", "always").text
    assert "\x1b" not in called("operations", SEED).text


def test_the_same_traces_in_another_order_are_the_same_bytes(tmp_path: Path) -> None:
    whole = json.loads(gzip.decompress(Path(SEED).read_bytes()))
    for number, order in enumerate((whole["data"], whole["data"][::-1])):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "dump.json").write_text(json.dumps({"data": order}))
    for command in ("services", "operations"):
        first, second = (called(command, str(tmp_path / number / "dump.json"), "-o", "csv").out for number in "01")
        assert first == second
