"""A program of the mesh: calls its callees through its own proxy, passes the tracing headers on, and answers.

Run as a file of its own: `python workload.py --port 8080 --proxy 15001 --calls service-lua service-node`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What a program has to copy from the request it got to the requests it makes. Proxies cannot do it: they do not know
#: which of the calls going out belongs to which of the requests that came in.
PASSED_ON = (
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "traceparent",
    "tracestate",
    "x-ot-span-context",
    "x-cloud-trace-context",
)
#: The work that each request costs, so that no span is of zero length.
WORK_S = 0.002


def call(proxy: int, callee: str, headers: Mapping[str, str]) -> int:
    """The status that a callee answers with through this program's proxy; 0 if the proxy cannot be reached."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)
    try:
        connection.request("GET", "/env", headers={**headers, "Host": callee})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


def serve(port: int, proxy: int, calls: Sequence[str], tolerant: bool) -> None:
    """Answer for ever: 200, or 502 when a call failed and the program is not tolerant."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body leave together

        def do_GET(self) -> None:
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            time.sleep(WORK_S)
            statuses = {callee: call(proxy, callee, headers) for callee in calls}
            failed = any(not 200 <= status < 500 for status in statuses.values())
            body = json.dumps(statuses).encode()
            self.send_response(502 if failed and not tolerant else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where its proxy reaches it")
    parser.add_argument("--proxy", type=int, required=True, help="its proxy's port for calls going out")
    parser.add_argument("--calls", nargs="*", default=[])
    parser.add_argument("--tolerant", action="store_true")
    given = parser.parse_args()
    serve(given.port, given.proxy, given.calls, given.tolerant)
