"""Who sent a request from outside, by its User-Agent: a load generator, a browser, a health check, a library.

A user has no spans. All that is known of one is this header, as the proxy or the program at the entry wrote it down.
"""

from __future__ import annotations

import re

#: What a User-Agent holds ▸ what its sender is called here; the first that fits.
_KNOWN = (
    (re.compile(r"fortio", re.I), "fortio"),
    (re.compile(r"kube-probe", re.I), "kube-probe"),
    (re.compile(r"GoogleHC|ELB-HealthChecker|HealthCheck", re.I), "health check"),
    (re.compile(r"locust", re.I), "locust"),
    (re.compile(r"grafana ?k6|^k6\b", re.I), "k6"),
    (re.compile(r"^wrk", re.I), "wrk"),
    (re.compile(r"ApacheBench", re.I), "ab"),
    (re.compile(r"JMeter", re.I), "jmeter"),
    (re.compile(r"bot\b|crawler|spider", re.I), "bot"),
    (re.compile(r"^(?:Mozilla|Opera)/", re.I), "browser"),
)
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9._+-]{0,31}")
#: What a library names before itself.
_RUNTIMES = frozenset({"python", "java", "ruby", "php", "perl", "node", "node.js", "linux", "dart"})


def agent(user_agent: str) -> str:
    """`fortio.org/fortio-1.69` ▸ fortio, `curl/8.5.0` ▸ curl, `Mozilla/5.0 (…) Chrome/77` ▸ browser,
    `Python/3.11 aiohttp/3.14.5` ▸ aiohttp; otherwise the first product that is named, "other" where none is, and
    nothing for an empty one or Envoy's `-`."""
    text = user_agent.strip()
    if text in ("", "-"):
        return ""
    for pattern, name in _KNOWN:
        if pattern.search(text):
            return name
    products = [name for word in text[:200].split() if _PRODUCT.fullmatch(name := word.partition("/")[0])]
    named = next((product for product in products if product.lower() not in _RUNTIMES), products[0] if products else "")
    return named or "other"
