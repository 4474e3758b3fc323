"""A program that runs beside the tests: started, waited for, killed, its output in a file."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_given_out: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on; never the same twice from this process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given_out:
            _given_out.add(port)
            return port


def listening(port: int) -> bool:
    """Does anybody accept connections on this port of the loopback?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again; TimeoutError with `what` if it does not become true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.05)


class Process:
    """A program with its arguments; as a context manager it runs until the block ends.

    It may be killed and started again with the same arguments, so on the same ports. What it says is appended to the
    file `log`. A session of its own keeps Ctrl-C from reaching it: who started it stops it, in order.
    """

    def __init__(self, arguments: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.log = log
        self._env = {**os.environ, **(env or {})}
        self._running: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Can it be used? Asked by `start` until it is true."""
        return True

    def start(self) -> None:
        """Start it and wait until it is ready; RuntimeError with the end of its log if it ends or hangs instead."""
        if self._running is not None:
            raise RuntimeError(f"{self.arguments[0]} is running already")
        with self.log.open("ab") as log:
            self._running = running = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )
        try:
            wait_until(lambda: running.poll() is not None or self.ready(), 60, f"{self.log.stem} is ready")
        except TimeoutError as late:
            self.kill()
            raise RuntimeError(f"{late}\n{self._last_words()}") from None
        except BaseException:
            self.kill()
            raise
        if running.poll() is not None:
            self._running = None
            raise RuntimeError(f"{self.log.stem} ended while it started\n{self._last_words()}")

    @property
    def alive(self) -> bool:
        """Is it running?"""
        return self._running is not None and self._running.poll() is None

    def stop(self) -> None:
        """Ask it to end; kill it if it has not after five seconds. Nothing if it does not run."""
        if self._running is not None:
            self._running.terminate()
            try:
                self._running.wait(5)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
            self._running = None

    def kill(self) -> None:
        """End it at once, as a crash would. Nothing if it does not run."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"the end of {self.log}:", *lines])
