"""A real Jaeger is killed while its traces are fetched: what had come is kept, and what is missing is known."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Ended, installed, started
from tests.real import traffic
from tests.real.jaegers import RealJaeger, Version
from tests.real.processes import wait_until
from traceviz.when import parse_instant

pytestmark = pytest.mark.real

TRACES = 3_000
MINUTE_NS = 60 * 10**9
#: So many are in the file when the Jaeger is killed.
BEFORE = 600


class Sent:
    """Traces of the last hour, the same whenever they are sent; `starts_ns` by id."""

    def __init__(self) -> None:
        self.to_ns = time.time_ns() // 10**9 * 10**9
        self.from_ns = self.to_ns - 60 * MINUTE_NS
        self.starts_ns = {spans[0]["traceId"]: spans[0]["timestamp"] * 1000 for spans in self.traces()}

    def traces(self) -> Iterator[list[dict[str, Any]]]:
        return traffic.traces(TRACES, self.from_ns, self.to_ns - MINUTE_NS)

    def to(self, jaeger: RealJaeger) -> None:
        traffic.send(jaeger.zipkin_url, self.traces())
        traffic.wait_until_stored(jaeger.url, [spans[0]["traceId"] for spans in self.traces()])

    def another(self) -> list[dict[str, Any]]:
        """A trace from before all of these."""
        hour_us = 60 * MINUTE_NS // 1000
        first = next(self.traces())
        return [span | {"traceId": "f" * 32, "timestamp": span["timestamp"] - hour_us} for span in first]

    def since(self, window: dict[str, str]) -> set[str]:
        """The traces that began in a window of a document."""
        from_ns, to_ns = parse_instant(window["from"], 0), parse_instant(window["to"], 0)
        return {trace_id for trace_id, start_ns in self.starts_ns.items() if from_ns <= start_ns < to_ns}


@pytest.fixture(scope="module")
def sent() -> Sent:
    return Sent()


class Dump:
    """What stands in a dump, read without traceviz."""

    def __init__(self, file: Path) -> None:
        header, *lines = file.read_text().splitlines()
        self.header = json.loads(header)["traceviz"]
        self.codes = {note["code"] for note in self.header["notes"]}
        self.ids = [id_of(json.loads(line)) for line in lines]


def id_of(line: dict[str, Any]) -> str:
    if "data" in line:
        return str(line["data"][0]["traceID"]).zfill(32)
    return str(line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"])


def killed_in_the_middle(jaeger: RealJaeger, sent: Sent, file: Path, comes_back: bool) -> Ended:
    """Fetch everything; when a part of it stands in the file kill the Jaeger, and start it again, empty."""
    window = ("--from", str(sent.from_ns // 1000), "--to", str(sent.to_ns // 1000))
    to = ("--url", jaeger.url, "--service", "istio-ingress", "--all", "--parallel", "2")
    with started("fetch", *to, *window, "-O", str(file)) as process:
        wait_until(lambda: file.exists() and file.read_bytes().count(b"\n") > BEFORE, 30, "a part is fetched")
        jaeger.kill()
        if comes_back:
            jaeger.start()
        out, err = process.communicate(timeout=120)
    return Ended(process.returncode, out, err.decode())


def resumed(jaeger: RealJaeger, file: Path) -> Dump:
    run = installed("fetch", "--url", jaeger.url, "--resume", "-O", str(file))
    assert run.code == 0, run.err
    return Dump(file)


def is_honest(dump: Dump, sent: Sent) -> None:
    """Each trace once, and all of them that began in a window which the dump says it has seen."""
    assert len(set(dump.ids)) == len(dump.ids)
    assert set(dump.ids) <= sent.starts_ns.keys()
    for window in dump.header["asked"]["seen"]["windows"]:
        assert sent.since(window) <= set(dump.ids)


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_one_that_comes_back_empty_is_found_out_and_the_rest_fetched_when_it_is_there(
    version: Version, sent: Sent, tmp_path: Path
) -> None:
    file = tmp_path / "day.jsonl"
    with RealJaeger(tmp_path, version) as jaeger:
        sent.to(jaeger)
        run = killed_in_the_middle(jaeger, sent, file, comes_back=True)
        assert run.code == 0, run.err
        dump = Dump(file)
        assert BEFORE < len(dump.ids) < TRACES
        # Where nothing was being asked meanwhile no connection is lost.
        assert dump.codes - {"connection-lost", "answer-cut-off"} == {"gateway-assumed", "traces-forgotten"}
        assert not dump.header["complete"]
        assert 0 < dump.header["asked"]["seen"]["share"] < 1
        is_honest(dump, sent)
        document = installed("graph", str(file), "-o", "json").json()
        assert document["counts"]["traces"] == len(dump.ids)
        assert "fetch-unfinished" in {note["code"] for note in document["notes"]}

        # It knows these services again, and nothing of what was there.
        traffic.send(jaeger.zipkin_url, iter([sent.another()]))
        again = resumed(jaeger, file)
        assert not again.header["complete"]
        assert "traces-forgotten" in again.codes
        is_honest(again, sent)

        sent.to(jaeger)
        whole = resumed(jaeger, file)
    assert whole.header["complete"]
    assert whole.header["asked"]["seen"]["share"] == 1
    assert "traces-forgotten" not in whole.codes
    assert sorted(whole.ids) == sorted(sent.starts_ns)


def test_of_one_that_stays_away_everything_is_kept_that_had_come(sent: Sent, tmp_path: Path) -> None:
    file, nothing = tmp_path / "day.jsonl", tmp_path / "nothing.jsonl"
    with RealJaeger(tmp_path) as jaeger:
        sent.to(jaeger)
        run = killed_in_the_middle(jaeger, sent, file, comes_back=False)
        assert run.code == 0, run.err
        dump = Dump(file)
        assert BEFORE < len(dump.ids) < TRACES
        assert dump.codes >= {"connection-lost", "searches-failed", "gave-up"}
        assert not dump.header["complete"]
        is_honest(dump, sent)

        refused = installed("fetch", "--url", jaeger.url, "-O", str(nothing))
        assert refused.code == 69
        assert "connection refused" in refused.err
        assert not nothing.exists()

        jaeger.start()
        sent.to(jaeger)
        whole = resumed(jaeger, file)
    assert whole.header["complete"]
    assert sorted(whole.ids) == sorted(sent.starts_ns)
