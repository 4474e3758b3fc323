"""Names, hosts, URLs and operations ▸ the same with pseudonyms, label by label, so that whatever is read from their
structure stays as it was: NAME.NAMESPACE, pods and their workloads, clusters, the host that an operation names.

    sidecar~10.1.2.3~reviews-v1-6dcb58c4-x2x9z.shop~shop.svc.cluster.local
    sidecar~198.18.0.1~service01-v1-w7k4qz9p-j5t2b.ns01~ns01.svc.cluster.local
"""

from __future__ import annotations

import ipaddress
import re

from traceviz import envoy
from traceviz.keeping.harmless import (
    COMMON,
    COMPONENTS,
    ERROR_WORDS,
    EVENTS,
    PROXIES,
    SCHEMES,
    VERBS,
    VERSIONS,
)
from traceviz.keeping.pseudonyms import Pseudonyms
from traceviz.sources.fields import Unreadable, span_id, trace_id
from traceviz.sources.names import gateway_like

_VERSION = re.compile(r"v?\d+(?:[._-]\d+)*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{8,128}")
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z][\w+.-]*)://)?(?P<authority>[^/?#]*)(?P<path>[^?#]*)")
_SEGMENT = re.compile(r"(?P<open>[{<:(]?)(?P<inner>.*?)(?P<close>[*})>]*)")
_DIRECTED = re.compile(
    r"(outbound|inbound|in\.|out\.|Inbound\w+Cluster\w*|PassthroughCluster|BlackHoleCluster)(.*)", re.DOTALL
)
_CLUSTERS_WITHOUT_HOST = frozenset({"PassthroughCluster", "BlackHoleCluster", "-", ""})
_LOAD_GENERATOR = re.compile(
    r"(?:fortio\.org/fortio|fortio|wrk2?|k6|locust|curl|kube-probe|hey|ApacheBench|vegeta|siege|oha)"
    r"(?:[/-]v?\d+(?:\.\d+)*)?(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_MOST_WORDS = 6

_LETTERS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
#: What makes a time-out or a lost connection of an error, wherever in a word it stands.
_ERROR_SIGNS = re.compile(
    r"time.?out|timed.?out|deadline|connect|connection|refused|reset|unreachable|unavailable|broken.?pipe|socket|eof|"
    r"hang.?up|resolve|gaierror|enotfound",
    re.IGNORECASE,
)


class Renaming:
    """What texts of every kind become. Equal texts become equal ones, in all files of one `Pseudonyms`."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.words = pseudonyms
        self._services: set[str] = set()

    def service(self, text: str) -> str:
        """The name of a service. Call it before names of pods are met: theirs may begin with it."""
        self._services.add(text.partition(".")[0])
        return self.host(text, "service")

    def host(self, text: str, kind: str = "host") -> str:
        """`reviews.shop.svc.cluster.local` ▸ `service01.ns01.svc.cluster.local`; an address ▸ another address. `kind`
        is that of the first label of a name of the mesh."""
        if found := self._address(text):
            return found
        labels = text.split(".")
        is_service = len(labels) > 2 and labels[2] == "svc"
        first = "service" if kind == "host" and (is_service or len(labels) == 1) else kind
        rest = "ns" if is_service or (kind == "service" and len(labels) == 2) else "host"
        return ".".join(self.label(label, rest if at else first) for at, label in enumerate(labels))

    def label(self, text: str, kind: str) -> str:
        """One label of a name: `reviews-v1-6dcb58c4-x2x9z` ▸ `service01-v1-w7k4qz9p-j5t2b`."""
        if not text.strip("*-_"):
            return text
        if text.isdigit():
            return text if len(text) < 3 else self.words.number(text)
        deployed = envoy.deployment(text)
        stem = envoy.application(text)
        if not stem:
            return self.words.word(text, kind)
        made = (self._generated(part) for part in text[len(deployed) :].split("-"))
        return self._stem(stem, kind) + deployed[len(stem) :] + "-".join(made)

    def _stem(self, stem: str, kind: str) -> str:
        if stem.lower() in COMMON:
            return stem
        if found := self.words.known(stem):
            return found
        end = stem.rfind("-")
        while end > 0:
            if stem[:end] in self._services:
                return self.words.word_below(stem, self.label(stem[:end], "service"), stem[end + 1 :])
            end = stem.rfind("-", 0, end)
        return self.words.word(stem, "ingressgateway" if gateway_like([stem]) else kind)

    def _generated(self, part: str) -> str:
        if part.isdigit():
            return part if len(part) < 4 else self.words.number(part)
        return self.words.generated(part) if part else ""

    def authority(self, text: str) -> str:
        """`user:password@reviews:9080` ▸ `service01:9080`; `10.1.2.3:80` ▸ `198.18.0.1:80`."""
        place = text.rpartition("@")[2]
        bracket = place.find("]")
        if place.startswith("[") and bracket > 0:
            host, port = self._address(place[1:bracket]) or "", place[bracket + 1 :]
            return f"[{host}]" + (port if port[1:].isdigit() else "")
        if found := self._address(place):
            return found
        name, colon, port = place.partition(":")
        return self.host(name) + (colon + port if port.isdigit() else "")

    def url(self, text: str) -> str:
        """Scheme, host, port and path; no user, no query."""
        found = _URL.match(text)
        assert found
        scheme = found["scheme"]
        before = (
            "" if scheme is None else (scheme if scheme.lower() in SCHEMES else self.label(scheme, "scheme")) + "://"
        )
        return before + self.authority(found["authority"]) + self.path(found["path"])

    def path(self, text: str) -> str:
        """`/reviews/{id}*` ▸ `/path01/{path02}*`. No query."""
        return "/".join(self._segment(segment) for segment in re.split(r"[?#]", text, maxsplit=1)[0].split("/"))

    def _segment(self, text: str) -> str:
        if _VERSION.fullmatch(text) and text.startswith("v"):
            return text
        found = _SEGMENT.fullmatch(text)
        if found is None or not found["inner"]:
            return text if found else self.words.word(text, "path")
        inner = ".".join(self.words.word(part, "path") if part else "" for part in found["inner"].split("."))
        return found["open"] + inner + found["close"]

    def operation(self, text: str) -> str:
        """`GET /reviews/7`, `reviews.shop.svc.cluster.local:80/*`, `router outbound|80||… egress`, `orders publish`."""
        cluster = envoy.routed_cluster(text) or envoy.asked_cluster(text)
        if cluster is not None:
            return text.replace(cluster, self.cluster(cluster), 1) if cluster else text
        words = text.split(" ")
        if len(words) > _MOST_WORDS:
            return self._verb(words[0]) + " " + self.words.word(text, "text")
        return " ".join(self._verb(word) for word in words)

    def _verb(self, text: str) -> str:
        if text.lower() in VERBS or not text:
            return text
        if text.startswith("/"):
            return self.path(text)
        if "|" in text:
            return self.cluster(text)
        host, slash, path = text.partition("/")
        name, colon, port = host.partition(":")
        kind = "operation" if "." not in text and not slash and not colon else "host"
        return self.host(name, kind) + (colon + self._port(port)) + (slash and self.path(slash + path))

    def _port(self, text: str) -> str:
        return text if text.isdigit() and len(text) < 6 else self.words.word(text, "part") if text else ""

    def cluster(self, text: str) -> str:
        """`outbound|9080|v1|reviews.shop.svc.cluster.local` ▸ the same with pseudonyms; free names ▸ hosts."""
        name, end = (text[:-1], ";") if text.endswith(";") else (text, "")
        if name in _CLUSTERS_WITHOUT_HOST:
            return text
        parts = name.split("|")
        if len(parts) >= 4 and parts[0] in ("outbound", "inbound", "inbound-vip"):
            direction, port, subset, host, *more = parts
            rest = [self.words.word(part, "part") for part in more]
            return "|".join([direction, self._port(port), self.version(subset), self.host(host), *rest]) + end
        directed = _DIRECTED.fullmatch(name)
        if directed:
            return directed[1] + (self.words.word(directed[2], "cluster") if directed[2] else "") + end
        return self.host(name) + end

    def node_id(self, text: str) -> str:
        """Istio's `KIND~IP~POD.NAMESPACE~DOMAIN`."""
        parts = text.split("~")
        if len(parts) != 4:
            return self.words.word(text, "node")
        kind, address, pod, domain = parts
        name, dot, namespace = pod.partition(".")
        first, *rest = domain.split(".")
        return "~".join(
            (
                kind if kind in PROXIES else self.words.word(kind, "proxy"),
                self.host(address),
                self.label(name, "service") + dot + self.label(namespace, "ns"),
                ".".join([self.label(first, "ns"), *(self.label(label, "host") for label in rest)]),
            )
        )

    def version(self, text: str) -> str:
        """`v1`, `1.4.2`, `canary` stay; others ▸ `version01`."""
        if not text or text in VERSIONS or _VERSION.fullmatch(text):
            return text
        return self.words.word(text, "version")

    def component(self, text: str) -> str:
        """The library or program that a span is from; that it is a proxy stays."""
        return text if text in COMPONENTS else self.host(text, "library")

    def event(self, text: str) -> str:
        """The name of an event."""
        return text if text in EVENTS else self.words.word(text, "event")

    def verb(self, text: str) -> str:
        """What was done to a database or a queue: usual words stay."""
        return text if text.lower() in VERBS else self.words.word(text, "operation")

    def user_agent(self, text: str) -> str:
        """Load generators keep name and version: `k6/0.45 (https://k6.io)` ▸ `k6/0.45`."""
        found = _LOAD_GENERATOR.match(text)
        return found[0] if found else self.words.word(text, "agent")

    def error_type(self, text: str) -> str:
        """`com.acme.SocketTimeoutException` ▸ `word01.word02.SocketTimeoutException`: usual words of errors stay."""
        if re.fullmatch(r"\d{1,3}", text):
            return text
        return _LETTERS.sub(lambda found: self._error_word(found[0]), re.sub(r"\d+", "0", text))

    def _error_word(self, text: str) -> str:
        if text.lower() in ERROR_WORDS:
            return text
        sign = _ERROR_SIGNS.search(text)
        return self.words.word(text, "word") + (sign[0] if sign else "")

    def identifier(self, text: str) -> str:
        """A UUID or hex digits ▸ others of the same shape; anything else is a name."""
        if _UUID.fullmatch(text):
            return self._uuid(text)
        return self.words.hexadecimal(text, len(text)) if _HEXADECIMAL.fullmatch(text) else self.host(text, "id")

    def request_id(self, text: str) -> str:
        """An x-request-id. Its 15th character stays: in it Envoy keeps whether the request is traced."""
        if not _UUID.fullmatch(text):
            return self.identifier(text)
        other = self._uuid(text)
        return other[:14] + text[14] + other[15:]

    def _uuid(self, text: str) -> str:
        digits = self.words.hexadecimal(text.lower(), 32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def trace_id(self, text: str) -> str:
        """A trace id, in hex of 16 digits where it had no more than that, else 32; what is none stays as empty as it
        was."""
        if not text.strip("0"):
            return text
        try:
            number = int(trace_id(text, ""), 16)
        except Unreadable:
            return self.words.hexadecimal(text, 32)
        return f"{self.words.bits128(number):0{16 if len(text) <= 16 else 32}x}"

    def span_id(self, text: str) -> str:
        """A span id as 16 hex digits. One that equals the lower half of a trace id does so still."""
        try:
            return f"{self.words.bits64(span_id(text, '')):016x}" if text else text
        except Unreadable:
            return self.words.hexadecimal(text, 16)

    def _address(self, text: str) -> str | None:
        try:
            return self.words.address(ipaddress.ip_address(text))
        except ValueError:
            return None
