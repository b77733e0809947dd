"""Builders and writers: threads that build partitions, and others that write what was built."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

_WRITERS: Final = 8


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Writers:
    """Threads that write; what waits for them is bounded: a slow store must not fill the memory.

    Args:
        waiting: How many writes may wait or be under way.
    """

    def __init__(self, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(_WRITERS)
        self._waiting = threading.BoundedSemaphore(waiting)

    def submit(self, write: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Let a thread write, once there is room for it to wait."""
        self._waiting.acquire()
        try:
            placed = self._threads.submit(write, *args, **kwargs)
        except RuntimeError:  # the writers were stopped, as something failed
            self._waiting.release()
            raise
        placed.add_done_callback(lambda _: self._waiting.release())
        return placed

    def end(self) -> None:
        """Wait until all is written."""
        self._threads.shutdown()

    def stop(self) -> None:
        """Let go of what still waits: it would but fail as well, after all its attempts."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def build_all(
    build: Callable[[T], Iterable[Future[R]]],
    tasks: Sequence[T],
    *,
    builders: int,
    writers: Writers,
    on_result: Callable[[R], None],
) -> None:
    """Build tasks in some threads, and hand over what came of each write.

    Args:
        build: Builds a task, and returns what `writers` will have done.
        tasks: In the order in which they are begun.
        builders: How many threads.
        writers: Where `build` lets things be written; they have ended afterwards.
        on_result: Called in this thread, in the order of the tasks.
    """
    with ThreadPoolExecutor(builders) as threads:
        try:
            for of_task in threads.map(build, tasks):
                for each in of_task:
                    on_result(each.result())
        except BaseException:
            writers.stop()
            raise
    writers.end()
