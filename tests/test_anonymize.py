"""An anonymised dump says the same as the original, under other names, and nothing of the original is left in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MESH, SHARED
from traceviz import Report, envoy
from traceviz.analyze.report import report
from traceviz.asked import Asked
from traceviz.documents import SeenDocument
from traceviz.keeping.anonymize import NOT_ANONYMIZED, Anonymizer
from traceviz.keeping.harmless import KEPT_TAGS
from traceviz.keeping.pseudonyms import Pseudonyms
from traceviz.keeping.renaming import Renaming
from traceviz.notes import Notes
from traceviz.reconstruct import reconstruct
from traceviz.sources import gather, read_stream
from traceviz.sources.fields import same_trace, trace_id
from traceviz.sources.header import Header
from traceviz.sources.lines import lines
from traceviz.sources.names import gateway_like
from traceviz.sources.reader import CUT_OFF, SKIPPED_TEXT

KEY = b"a key for tests"
RECORDED = sorted(
    path
    for folder in (MESH, SHARED / "data" / "otel")
    for form in ("v1", "v3")
    for path in folder.glob(f"*/{form}/traces.json.gz")
)
FOREIGN = sorted((SHARED / "data" / "public" / "jaeger").glob("[!j]*.json.gz"))
PATHS = RECORDED + FOREIGN
#: So many traces of each recording are looked at: all kinds of them, in a third of the time.
MOST_TRACES = 80


def title(path: Path) -> str:
    return f"{path.parents[1].name}-{path.parent.name}" if path in RECORDED else path.name.partition(".")[0]


@dataclass
class Done:
    """What an anonymised recording is judged by: documents, texts and names of tags, before and after."""

    anonymizer: Anonymizer
    graphs: tuple[Any, Any]
    errors: tuple[Any, Any]
    texts: tuple[set[str], set[str]]
    tags: tuple[set[str], set[str]]


@cache
def anonymised(path: Path) -> Done:
    notes = Notes()
    found = [line.data for line in lines(path.read_bytes(), "recording", notes)]
    assert not notes.documents()
    return done(found[:MOST_TRACES])


def done(before: list[bytes]) -> Done:
    """Lines that are anonymised."""
    anonymizer = Anonymizer(KEY)
    after = [anonymizer.line(line) for line in before]
    assert not anonymizer.notes.documents()
    one, other = map(reported, (before, after))
    old, new = b"\n".join(before), b"\n".join(after)
    return Done(
        anonymizer,
        (one.graph(), other.graph()),
        (one.errors(), other.errors()),
        (texts_of(old), texts_of(new)),
        (tags_of(old), tags_of(new)),
    )


def reported(dump: list[bytes]) -> Report:
    with gather(read_stream((line + b"\n" for line in dump), "dump")) as gathered:
        result = Report()
        for spans in gathered.batches():
            result.merge(report(reconstruct(spans)))
        result.notes.merge(gathered.notes)
        return result


# The analysis says the same


class Renamed:
    """The documents of the original as they should read after the renaming, and those of the other as they do. What
    hangs on the order of names or ids is compared without it."""

    def __init__(self, anonymizer: Anonymizer) -> None:
        self._anonymizer = anonymizer

    def name(self, name: Any) -> Any:
        if name is None or name in ("retry", "unknown"):
            return name
        base, kind, rest = name.partition(" (")
        return str(self._anonymizer.header(Header(Asked(service=base))).asked.service) + kind + rest

    def graph(self, document: Any) -> Any:
        nodes = [
            {**node, "name": self.name(node["name"]), "aliases": sorted(map(self.name, node["aliases"]))}
            for node in document["nodes"]
        ]
        edges = [
            {**edge, "caller": self.name(edge["caller"]), "callee": self.name(edge["callee"])}
            for edge in document["edges"]
        ]
        return {
            "counts": document["counts"],
            "window": document["window"],
            "notes": [(note["code"], note["count"]) for note in document["notes"]],
            "cycles": sorted(sorted(map(self.name, cycle)) for cycle in document["cycles"]),
            "nodes": sorted(nodes, key=lambda node: node["name"]),
            "edges": sorted(map(_counted, edges), key=lambda edge: (edge["caller"], edge["callee"], edge["kind"])),
        }

    def errors(self, document: Any) -> Any:
        rows = []
        for row in document["failing_hops"]:
            changed = {key: self.name(row[key]) for key in ("caller", "callee", "blame")}
            changed |= {"chain": list(map(self.name, row["chain"]))}
            changed |= {key: {self.name(n): c for n, c in row[key].items()} for key in ("callers", "absorbed_by")}
            shares = {trait: concentrated["share"] for trait, concentrated in row["concentrated_in"].items()}
            plain = {key: value for key, value in row.items() if key not in ("rank", "text", "links")}
            rows.append(_counted({**plain, **changed, "concentrated_in": shares}))
        return {
            "scores": [row["score"] for row in document["failing_hops"]],
            "rows": sorted(rows, key=lambda row: (str(row["caller"]), row["callee"], row["where"], row["reason"])),
        }


class Same(Renamed):
    def __init__(self) -> None:
        pass

    def name(self, name: Any) -> Any:
        return name


def _counted(row: Any) -> Any:
    """Ids are other ones; so are those that were chosen as examples."""
    examples = row["examples"]
    counted = {kind: len(ids) for kind, ids in examples.items()} if isinstance(examples, dict) else len(examples)
    return {**row, "examples": counted} | ({"request_ids": len(row["request_ids"])} if "request_ids" in row else {})


def assert_renamed(found: Done) -> None:
    renamed = Renamed(found.anonymizer)
    assert Same().graph(found.graphs[1]) == renamed.graph(found.graphs[0])
    assert Same().errors(found.errors[1]) == renamed.errors(found.errors[0])


@pytest.mark.parametrize("path", PATHS, ids=title)
def test_graph_and_errors_are_those_of_the_original_under_other_names(path: Path) -> None:
    assert_renamed(anonymised(path))


def test_one_service_name_for_many_workloads_is_told_apart_as_before() -> None:
    path = MESH / "no_route" / "v1" / "traces.json.gz"
    found = (line.data for line in lines(path.read_bytes(), "recording", Notes()))
    one_name = done([re.sub(rb'"serviceName":"[^"]*"', b'"serviceName":"acme-mesh"', line) for line in found])
    assert len(one_name.graphs[0]["nodes"]) > 10
    assert_renamed(one_name)


# Nothing is left


def texts_of(data: bytes) -> set[str]:
    """Every text in compact JSON that is no name of a member or of a tag."""
    found = set(re.findall(rb'("key":\s*)?("[^"\\]*(?:\\.[^"\\]*)*")(:?)', data))
    values = {json.loads(text) for tag, text, member in found if not tag and not member}
    return {text for text in values if not CLOCK_SKEW.fullmatch(text)}


def tags_of(data: bytes) -> set[str]:
    """Every name of a tag."""
    return {name.decode() for name in re.findall(rb'"key":\s*"([^"\\]*)"', data)}


def words_of(text: str) -> set[str]:
    """A text, and every word in it: `reviews-v1` is three. An id is one."""
    text = text.lower()
    return {text} if ID.fullmatch(text) else {text, *re.findall(r"[\w-]+", text), *re.findall(r"[a-z0-9]+", text)}


CLOCK_SKEW = re.compile(r"clock skew adjustment disabled; not applying calculated delta of .*s")
ID = re.compile(r"[0-9a-f-]{8,}")
#: What may be in both.
PUBLIC = re.compile(
    r"|..?|v?[\d.]+|p\d+|localhost:\d+|127\.0\.0\.1:\d+|"
    # HTTP, databases, queues, what operations do
    r"https?|http/1\.1|net/http|net|get|post|grpc|select|send|publish|process|handle|kafka|postgresql|redis|"
    # Envoy, Istio, Kubernetes, Jaeger
    r"(?:router )?inbound\|\d+\|\|;?(?: egress)?|inbound|outbound|router|egress|sidecar|envoy|proxy|urx|"
    r"(?:istio|ingress|istio-ingress|ingressgateway|istio-ingressgateway|system|istio-system)(?:\.istio-system)?|"
    r"svc|cluster|local|cluster\.local|localhost|default|latest|internal|kubernetes|zipkin|proto|probabilistic|const|"
    # types, kinds and names of standards
    r"true|false|string|int64|float64|bool|client|server|producer|consumer|child_of|follows_from|child|follows|from|"
    r"error|opentelemetry|instrumentation|python|cpp|curl|curl/[\d.]+|fortio\S*|org|"
    # errors
    r"exception|timeout|deadlock|detected|deadlock_detected|connectionrefusederror|connection|refused|valueerror|"
    # words of the pseudonyms themselves
    r"service|serve|text|path|host|lat"
)


@pytest.mark.parametrize("path", PATHS, ids=title)
def test_no_name_id_or_address_of_the_original_is_left(path: Path) -> None:
    before, after = anonymised(path).texts
    new = {text.lower() for text in after}
    words = {word for text in before for word in words_of(text) if not PUBLIC.fullmatch(word)}
    names = "\n".join(text for text in new if not ID.fullmatch(text))
    assert len(words) > 30
    assert [word for word in words if ID.fullmatch(word) and word in new] == []
    assert [word for word in words if not ID.fullmatch(word) and word in names] == []


def test_tags_that_no_convention_names_lose_their_names() -> None:
    old, new = anonymised(next(path for path in FOREIGN if "node_load" in path.name)).tags
    assert {"client-uuid", "requestId"} < old
    assert old - new == {"client-uuid", "requestId"}
    assert {tag for tag in new - old if not re.fullmatch(r"tag\d\d", tag)} == set()


CANARY = "zq7canary"
DISGUISES = (
    CANARY,
    f"https://{CANARY}:{CANARY}@{CANARY}.example.com:8443/{CANARY}/7?{CANARY}#{CANARY}",
    f"GET /{CANARY}/{{{CANARY}}}*",
    f"outbound|9080|{CANARY}|{CANARY}.{CANARY}.svc.{CANARY}",
    f"outbound_.80_._.{CANARY}",
    f"sidecar~{CANARY}~{CANARY}-6dcb58c4-x2x9z.{CANARY}~{CANARY}",
    f"router outbound|80||{CANARY}; egress",
    f"java.{CANARY}.{CANARY}TimeoutException: {CANARY}",
    f"curl/8 {CANARY}",
    f"v1-{CANARY}",
    f"default-{CANARY}",
    f"SELECT * FROM {CANARY} WHERE a = 1 AND b = 2",
    f"[{CANARY}]:80",
)


@pytest.mark.parametrize("form", ["v1", "v3"])
def test_no_text_of_a_trace_gets_through_wherever_it_stands(form: str) -> None:
    """Each text of some traces, one after the other, is replaced by what must not be in the output."""
    several = [MESH / "otel_abort", SHARED / "data" / "otel" / "shop_exception_old_names"]
    places = 0
    for folder in several:
        line = next(lines((folder / form / "traces.json.gz").read_bytes(), "recording", Notes()))
        document = json.loads(line.data)
        for number, (parent, key) in enumerate(_leaves(document)):
            before, parent[key] = parent[key], DISGUISES[number % len(DISGUISES)]
            out = Anonymizer(KEY).line(json.dumps(document).encode())
            kept = str(parent.get("key") if isinstance(parent, dict) else "") if key == "value" else ""
            assert CANARY.encode() not in out.lower(), (parent, key, kept)
            parent[key] = before
            places += 1
    assert places > 200


def _leaves(document: Any) -> list[tuple[Any, Any]]:
    """Where texts stand that nobody has promised to keep."""
    found: list[tuple[Any, Any]] = []
    stack: list[tuple[Any, str]] = [(document, "")]
    while stack:
        value, tag = stack.pop()
        tag = value["key"] if isinstance(value, dict) and isinstance(value.get("key"), str) else tag
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(member, dict | list):
                stack.append((member, tag))
            elif isinstance(member, str) and not (tag in KEPT_TAGS and key != "key"):
                found.append((value, key))
    return found


def test_members_that_no_format_defines_are_left_out() -> None:
    extra = {"acme": CANARY, "deep": {"acme": [CANARY]}}
    v1 = {"data": [{"traceID": "1", "spans": [{"spanID": "2", **extra}], "processes": {}, **extra}], **extra}
    v3 = {
        "resourceSpans": [{"resource": extra, "scopeSpans": [{"spans": [{"traceId": "1", **extra}], **extra}], **extra}]
    }
    for document in (v1, v3):
        out = Anonymizer(KEY).line(json.dumps(document).encode())
        assert b"acme" not in out
        assert CANARY.encode() not in out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(CANARY),
    lambda x: (
        st.lists(x) | st.dictionaries(st.sampled_from(["spans", "tags", "key", "value", "process", "attributes"]), x)
    ),
)


@given(JSON)
def test_any_json_is_taken_and_gives_nothing_away(document: Any) -> None:
    for line in (
        {"data": document},
        {"data": [{"spans": document, "processes": document}]},
        {"data": [{"spans": [{"tags": document, "logs": document, "references": document, "process": document}]}]},
        {"resourceSpans": document},
        {"resourceSpans": [{"resource": document, "scopeSpans": [{"scope": document, "spans": document}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": document, "events": document}]}]}]},
    ):
        out = Anonymizer(KEY).line(json.dumps(line).encode())
        assert CANARY.encode() not in out


def test_what_is_no_trace_is_left_out_and_counted() -> None:
    anonymizer = Anonymizer(KEY)
    for line in (b"", b"[]", b"7", b'{"traceviz":{}}', b'[{"traceId":"1","id":"2"}]', b'{"data":[{"traceID":NaN}]}'):
        assert anonymizer.line(line) == b'{"data":[]}'
    assert anonymizer.notes.count(NOT_ANONYMIZED) == 6


def test_bytes_that_are_no_text_are_replaced_and_the_trace_stays() -> None:
    out = Anonymizer(KEY).line(b'{"data":[{"traceID":"1f","spans":[{"spanID":"1","operationName":"caf\xe9 \xff"}]}]}')
    assert [*json.loads(out)["data"][0]] == ["traceID", "spans"]


def test_without_a_key_ids_are_others_every_time() -> None:
    line = b'{"data":[{"traceID":"1f","spans":[],"processes":{}}]}'
    assert len({Anonymizer().line(line) for _ in range(5)}) == 5
    assert Anonymizer(KEY).line(line) == Anonymizer(KEY).line(line)


# Names keep their structure


def renaming() -> Renaming:
    return Renaming(Pseudonyms(KEY))


def test_a_workload_has_one_pseudonym_wherever_it_is_named() -> None:
    new = renaming()
    assert new.service("reviews.shop") == "service01.ns01"
    assert new.host("reviews.shop.svc.cluster.local") == "service01.ns01.svc.cluster.local"
    assert new.label("reviews", "service") == "service01"
    assert new.url("http://reviews:9080/reviews/7?user=joe#top") == "http://service01:9080/service01/path01"
    assert new.cluster("outbound|9080|v1|reviews.shop.svc.cluster.local") == (
        "outbound|9080|v1|service01.ns01.svc.cluster.local"
    )
    assert new.operation("reviews.shop.svc.cluster.local:9080/*") == "service01.ns01.svc.cluster.local:9080/*"
    pod = new.node_id("sidecar~10.1.2.3~reviews-v1-6dcb58c4-x2x9z.shop~shop.svc.cluster.local")
    found = re.fullmatch(r"sidecar~198\.18\.0\.1~service01-v1-(\w{8})-(\w{5})\.ns01~ns01\.svc\.cluster\.local", pod)
    assert found
    assert envoy.application(envoy.read_node_id(pod).pod) == "service01"
    assert not set(found.groups()) & {"6dcb58c4", "x2x9z"}
    assert new.label("reviews-v1-6dcb58c4-dkq2z", "service").startswith(f"service01-v1-{found[1]}-")


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("host", "api.bank.example", "host01.host02.host03"),
        ("host", "cart", "service01"),
        ("host", "10.1.2.3", "198.18.0.1"),
        ("host", "2a00:1450::5", "2001:db8::1"),
        ("host", "127.0.0.1", "127.0.0.1"),
        ("host", "localhost", "localhost"),
        ("host", "", ""),
        ("service", "istio-ingressgateway.istio-system", "istio-ingressgateway.istio-system"),
        ("service", "acme-ingressgateway.acme", "ingressgateway01.ns01"),
        ("service", "My Shop", "service01"),
        ("authority", "joe:secret@db.acme.com:5432", "host01.host02.host03:5432"),
        ("authority", "[2a00:1450::5]:443", "[2001:db8::1]:443"),
        ("authority", "10.1.2.3:45678", "198.18.0.1:45678"),
        ("url", "/hotels?lat=38.1", "/path01"),
        ("url", "https://api.bank.example/v1/charge/4711", "https://host01.host02.host03/v1/path01/path02"),
        ("url", "acme+x://host", "scheme01://service01"),
        ("path", "/users/{id}/orders*", "/path01/{path02}/path03*"),
        ("path", "/v1/*", "/v1/*"),
        ("operation", "GET", "GET"),
        ("operation", "HTTP GET /hotels", "HTTP GET /path01"),
        ("operation", "SELECT billingdb", "SELECT operation01"),
        ("operation", "shop.Catalog/Get", "host01.host02/path01"),
        ("operation", "/geo.Geo/Nearby", "/path01.path02/path03"),
        ("operation", "router inbound|80|| egress", "router inbound|80|| egress"),
        (
            "operation",
            "router outbound|80||a.b.svc.cluster.local; egress",
            "router outbound|80||service01.ns01.svc.cluster.local; egress",
        ),
        ("operation", "reviews", "operation01"),
        ("operation", "select a from b where c = 5 and d", "select text01"),
        ("cluster", "inbound|9080||;", "inbound|9080||;"),
        ("cluster", "PassthroughCluster", "PassthroughCluster"),
        ("cluster", "outbound_.80_._.reviews", "outboundcluster01"),
        ("cluster", "reviews-eu", "service01"),
        ("node_id", "router~10.0.0.1~gw-5d9f7c-x2x9z.edge~edge.svc.acme.corp", None),
        ("version", "1.4.2", "1.4.2"),
        ("version", "canary", "canary"),
        ("version", "joes-fix", "version01"),
        ("user_agent", "fortio.org/fortio-1.69", "fortio.org/fortio-1.69"),
        ("user_agent", "curl/7.78.0-DEV", "curl/7.78.0"),
        ("user_agent", "k6/0.45.0 (https://k6.io/)", "k6/0.45.0"),
        ("user_agent", "kube-probe/1.27+", "kube-probe/1.27"),
        ("user_agent", "curlew/1", "agent01"),
        ("user_agent", "Acme-App/7", "agent01"),
        ("error_type", "503", "503"),
        ("error_type", "java.net.SocketTimeoutException", "java.net.SocketTimeoutException"),
        ("error_type", "com.acme.LedgerLockedException", "word01.word02.word03word04Exception"),
        ("error_type", "AcmeDisconnected", "word01Disconnected"),
        ("error_type", "dial tcp 10.1.2.3:80: connection refused", "word01 tcp 0.0.0.0:0: connection refused"),
        ("trace_id", "", ""),
        ("trace_id", "0000000000000000", "0000000000000000"),
        ("span_id", "", ""),
        ("verb", "publish", "publish"),
        ("verb", "settle-ledger", "operation01"),
        ("event", "exception", "exception"),
        ("event", "paid", "event01"),
        ("component", "proxy", "proxy"),
        ("component", "acme-lib", "library01"),
    ],
)
def test_a_text_becomes(rule: str, old: str, new: str | None) -> None:
    got = getattr(renaming(), rule)(old)
    if new is None:
        assert envoy.read_node_id(got).kind == "router"
    else:
        assert got == new


@pytest.mark.parametrize("form", ["v1", "v3"])
def test_services_are_met_before_other_names_that_begin_with_theirs(form: str) -> None:
    host = "outbound|80||reviews-blue.shop.svc.cluster.local"
    if form == "v1":
        tags = [{"key": "upstream_cluster", "type": "string", "value": host}]
        process = {"p1": {"serviceName": "reviews.shop", "tags": []}}
        line: Any = {"data": [{"traceID": "1", "spans": [{"spanID": "1", "tags": tags}], "processes": process}]}
    else:
        tags = [{"key": "upstream_cluster", "value": {"stringValue": host}}]
        name = {"key": "service.name", "value": {"stringValue": "reviews.shop"}}
        spans = [{"traceId": "1", "spanId": "1", "attributes": tags}]
        line = {"resourceSpans": [{"scopeSpans": [{"spans": spans}], "resource": {"attributes": [name]}}]}
    out = Anonymizer(KEY).line(json.dumps(line).encode())
    assert b"outbound|80||service01-part01.ns01.svc.cluster.local" in out


def test_gateways_look_like_gateways_still() -> None:
    new = renaming()
    for name in ("istio-ingressgateway", "acme-ingressgateway", "shop-gateway-istio", "ingressgateway-internal"):
        assert gateway_like([name]) == [name]
        assert gateway_like([new.service(f"{name}.edge")]) == [new.service(f"{name}.edge")]


LABELS = st.from_regex(r"[a-z]{1,6}(-[a-z]{1,6}){0,2}(-v[0-9]{1,2})?", fullmatch=True)
SUFFIXES = st.sampled_from(["", "-0", "-12345", "-x2x9z", "-6dcb58c4-x2x9z", "-7f9-x2x9z"])


@given(st.lists(st.tuples(LABELS, SUFFIXES, st.sampled_from(["a", "b"])), min_size=1, max_size=30))
def test_what_is_read_from_names_is_the_same_before_and_after(names: list[tuple[str, str, str]]) -> None:
    new = renaming()
    services = {label: new.service(f"{label}.{namespace}") for label, _, namespace in names}
    pods = {label + made: new.label(label + made, "service") for label, made, _ in names}
    assert len(set(pods.values())) == len(pods)
    for read in (envoy.deployment, envoy.application):
        before, after = [read(pod) for pod in pods], [read(pod) for pod in pods.values()]
        assert len({*before}) == len({*after}) == len({*zip(before, after, strict=True)})
    for label, renamed in services.items():
        base = renamed.partition(".")[0]
        for pod, changed in pods.items():
            before, after = envoy.deployment(pod), envoy.deployment(changed)
            if f"{before}-".startswith(f"{label}-"):
                assert after.startswith(base)
            if not before.startswith(label):
                assert not after.startswith(base)


def test_no_pseudonym_begins_like_another() -> None:
    words = [Pseudonyms(KEY).word(str(number), "service") for number in range(3)]
    assert words == ["service01"] * 3
    table = Pseudonyms(KEY)
    found = sorted(table.word(f"w{number}", "service") for number in range(12_345))
    assert found[0] == "service01"
    assert "servicea100" in found
    assert not [one for one, other in pairwise(found) if other.startswith(one)]


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
def test_ids_keep_what_programs_read_from_them(wide: int, narrow: int) -> None:
    new = renaming()
    long, short = f"{wide:032x}", f"{narrow:016x}"
    cut = long[16:]
    assert len(new.trace_id(long)) == 32
    assert len(new.trace_id(short)) == len(new.span_id(short)) == 16
    assert new.trace_id(short) == new.span_id(short), "a root's id is often its trace's"
    assert new.trace_id(long).endswith(new.span_id(cut))
    assert trace_id(new.trace_id(long.upper()), "") == trace_id(new.trace_id(long), "")
    assert same_trace(trace_id(new.trace_id(short), ""), trace_id(new.trace_id("0" * 16 + short), ""))
    assert new.trace_id(f"{narrow:x}") == new.trace_id(short)
    assert new.trace_id(long) != long


def test_envoys_decision_stays_in_the_request_id() -> None:
    for mark in "49ab":
        old = f"ac98bfc0-8b4f-{mark}acb-b79c-171cd7199b13"
        new = renaming().request_id(old)
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", new)
        assert new[14] == mark
        assert sum(a == b for a, b in zip(old, new, strict=True)) < 16


# The header


def test_the_header_is_renamed_like_the_traces() -> None:
    anonymizer = anonymised(MESH / "seed_504" / "v1" / "traces.json.gz").anonymizer
    original, other = "5d" * 16, "service-python.default"
    notes = Notes()
    notes.add(SKIPPED_TEXT, 3, [original, other, "dump.json: $: secret text"])
    notes.add(CUT_OFF, 1, ["/home/joe/dump.json: the end"])
    seen: SeenDocument = {
        "share": 0.5,
        "windows": [{"from": "2026-11-23T00:00:00.000000Z", "to": "2026-11-23T01:00:00.000000Z"}],
        "full": [{"service": other, "from": "2026-11-23T00:00:00.000000Z", "to": "2026-11-23T01:00:00.000000Z"}],
        "failed": [],
    }
    asked = Asked(
        source=("https://joe@jaeger.acme.corp:16686/prefix", "/home/joe/dump.json"),
        from_ns=10**18,
        to_ns=2 * 10**18,
        service=other,
        limit=7,
        ui_url="https://jaeger.acme.corp/ui",
        operation="GET /joe",
        tags=("http.status_code=504", "joe=secret"),
        min_duration_ns=5,
        seen=seen,
    )
    header = anonymizer.header(Header(asked, notes, False, (original, "0" * 16 + "5d" * 8)))
    new, said, text = header.asked, header.notes.documents(), header.to_json().decode()
    assert (new.from_ns, new.to_ns, new.limit, new.min_duration_ns, header.complete) == (
        10**18,
        2 * 10**18,
        7,
        5,
        False,
    )
    assert re.fullmatch(r"service\d\d\.default", str(new.service))
    assert re.fullmatch(r"https://jaeger\.host\d\d\.host\d\d:16686/path\d\d", new.source[0])
    assert re.fullmatch(r"GET /path\d\d", str(new.operation))
    assert new.tags[0] == "http.status_code=504"
    assert re.fullmatch(r"path\d\d=text\d\d", new.tags[1])
    assert [note["count"] for note in said] == [1, 3]
    assert [len(note["examples"]) for note in said] == [0, 2]
    assert new.service in said[1]["examples"]
    assert set(header.copied) > {example for example in said[1]["examples"] if ID.fullmatch(example)}
    assert new.seen == {**seen, "full": [{**seen["full"][0], "service": new.service}]}
    for secret in ("joe", "acme", "python", "secret", "5d5d"):
        assert secret not in text
    assert Header.from_json(header.to_json()).asked == new
