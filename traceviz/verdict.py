"""What became of the request, as each span alone tells: status, flags, and whether that is a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from traceviz import envoy
from traceviz.reconstruct import Forest
from traceviz.roles import from_proxy
from traceviz.spans import Bools, Ints

#: gRPC's status codes by number; the failing ones are a server's fault (semantic conventions for servers).
GRPC = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
GRPC_FAILURES = (2, 4, 8, 12, 13, 14, 15)
CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE = 1, 4, 14


@dataclass(frozen=True, eq=False)
class Outcomes:
    """A value per row of the forest. `status` is HTTP's, `grpc` gRPC's, -1 where the span has none.

    `failed`: this span alone is a failure. `refused`: its proxy flagged a failure. `delayed`: its proxy injected
    a delay. `unknown_flag`: a flag that Envoy does not have; `unknown_flags` names them.
    """

    status: Ints
    grpc: Ints
    failed: Bools
    refused: Bools
    delayed: Bools
    unknown_flag: Bools
    unknown_flags: frozenset[str]


def outcomes(forest: Forest) -> Outcomes:
    """Failed is: error tag or status ERROR, HTTP 0 or at least 500, gRPC 2 4 8 12 13 14 15, or a flag of Envoy's
    but DI and RFCF; DC only where nothing or a 5xx was answered. A 4xx alone is no failure, nor is a proxy's that is
    marked as one."""
    spans, texts = forest.spans, forest.spans.texts
    flags, status_text = spans.tag("flags"), spans.tag("status")
    status = envoy.look_up(status_text, texts, _http_status, np.int64)
    status[status_text == 0] = -1
    grpc = envoy.look_up(spans.tag("grpc"), texts, read_grpc, np.int64)
    grpc[spans.tag("grpc") == 0] = -1

    refused = envoy.look_up(flags, texts, lambda text: bool(_judged(text)), np.bool_)
    delayed = envoy.look_up(flags, texts, lambda text: "DI" in envoy.read_flags(text), np.bool_)
    strange = envoy.table(flags, texts, lambda text: bool(_strange(text)), np.bool_)

    no_answer = (status == 0) | (status >= 500)
    # Of a proxy's 4xx the mark says nothing more: Envoy makes none, and Jaeger up to 1.76 makes one over /api/v3 for
    # every client's 4xx that nobody marked.
    refusal = from_proxy(spans) & (status >= 400) & (status < 500)
    failed = (spans.error & ~refusal) | no_answer | np.isin(grpc, GRPC_FAILURES) | refused
    return Outcomes(
        status=status,
        grpc=grpc,
        failed=failed & ~forest.duplicate,
        refused=refused,
        delayed=delayed,
        unknown_flag=strange[flags],
        unknown_flags=frozenset(
            flag for code in np.flatnonzero(strange).tolist() for flag in _strange(texts[int(code)])
        ),
    )


def _judged(text: str) -> frozenset[str]:
    return (envoy.read_flags(text) & envoy.FLAGS.keys()) - envoy.HARMLESS


def _strange(text: str) -> frozenset[str]:
    return envoy.read_flags(text) - envoy.FLAGS.keys()


def _http_status(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else -1


def read_grpc(text: str) -> int:
    """gRPC's status as a number, written as number or as name; -1 for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= 2:
        return int(text)
    # Go writes DeadlineExceeded, others DEADLINE_EXCEEDED.
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).upper()
    return GRPC.index(name) if name in GRPC else -1
