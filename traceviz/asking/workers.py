"""Threads that answer questions, and that no end of the program waits for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")


class Workers(Generic[Result]):
    """`count` threads. concurrent.futures' own pool would hold up Ctrl-C until the last answer of a slow server has
    come, because Python joins its threads at the end; these are left where they stand."""

    def __init__(self, count: int) -> None:
        self._waiting: SimpleQueue[tuple[Future[Result], Callable[..., Result], tuple[Any, ...]] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Workers[Result]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _ in self._threads:
            self._waiting.put(None)

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Let a thread call the function as soon as one is free."""
        future: Future[Result] = Future()
        self._waiting.put((future, function, arguments))
        return future

    def in_order(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Future[Result]]]:
        """The items with what comes of them, in their order. Only so many are begun before the first one was taken as
        there are threads: whoever stops taking them stops the work."""
        ahead: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            ahead.append((item, self.submit(function, item)))
            if len(ahead) == len(self._threads):
                yield ahead.popleft()
        yield from ahead

    def _work(self) -> None:
        while task := self._waiting.get():
            future, function, arguments = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*arguments))
                except BaseException as error:
                    future.set_exception(error)
