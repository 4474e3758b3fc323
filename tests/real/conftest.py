"""What the tests against real parts share: the mesh, started once, and each experiment with four Jaegers, run once.

Without `-m real` nothing here runs. What is missing on this machine ends the run with a sentence, never with a skip.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real import experiments, programs
from tests.real.article import EXPERIMENTS
from tests.real.experiments import Outcome
from tests.real.jaegers import RealJaeger, Version
from tests.real.mesh import Mesh

#: Both versions, at the root and where Istio's addon has it.
JAEGERS: tuple[tuple[Version, str], ...] = (("v2", ""), ("v2", "/jaeger"), ("v1", ""), ("v1", "/jaeger"))
REQUESTS_PER_PATH = 40

_logs = pytest.StashKey[Path]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have every program before the first real test. SIGTERM then ends the run and what it started, as Ctrl-C does."""
    if not any(item.get_closest_marker("real") for item in session.items):
        return
    try:
        for program in (programs.envoy, programs.fortio, programs.jaeger_v2, programs.jaeger_v1):
            program()
    except programs.Missing as missing:
        pytest.exit(str(missing), returncode=1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """After a failure say where the logs of the programs are; pytest keeps those of the last three runs."""
    if _logs in config.stash and (terminalreporter.stats.get("failed") or terminalreporter.stats.get("error")):
        terminalreporter.write_line(f"logs of the real programs: {config.stash[_logs]}")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Configurations and logs of what is started once."""
    path = tmp_path_factory.mktemp("real")
    pytestconfig.stash[_logs] = path
    return path


@pytest.fixture(scope="session")
def mesh(folder: Path) -> Iterator[Mesh]:
    """The mesh of the article."""
    with Mesh(folder) as mesh:
        yield mesh


@pytest.fixture(scope="session")
def ran(
    request: pytest.FixtureRequest, mesh: Mesh, folder: Path
) -> Iterator[tuple[Outcome, dict[tuple[Version, str], RealJaeger]]]:
    """The experiment that the test names, and the four Jaegers that hold it and nothing else."""
    with contextlib.ExitStack() as running:
        jaegers = {
            (version, base_path): running.enter_context(RealJaeger(folder, version, base_path))
            for version, base_path in JAEGERS
        }
        experiment = EXPERIMENTS[request.param]
        yield experiments.run(mesh, experiment, list(jaegers.values()), REQUESTS_PER_PATH), jaegers


@pytest.fixture
def outcome(ran: tuple[Outcome, Any]) -> Outcome:
    """What Envoy and fortio counted in the experiment."""
    return ran[0]


@pytest.fixture(params=JAEGERS, ids=[f"{version}{path.replace('/', '-')}" for version, path in JAEGERS])
def jaeger(request: pytest.FixtureRequest, ran: tuple[Any, dict[tuple[Version, str], RealJaeger]]) -> RealJaeger:
    """One after the other of the Jaegers that hold the experiment."""
    return ran[1][request.param]
