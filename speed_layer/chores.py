"""What is done again and again beside the flow: each in its own pace, and no failure is the end."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from lake.errors import FiblakeError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)


class Chore:
    """Something that is done again and again; a failure is told, and it is tried again later.

    Args:
        every_s: How long after it was done it is due again.
        do: Does it.
    """

    def __init__(self, every_s: float, do: Callable[[], None]) -> None:
        self._every_s = every_s
        self._do = do
        self._due = time.monotonic() + every_s

    def do_if_due(self) -> None:
        """Do it if it is time to."""
        if time.monotonic() >= self._due:
            self.do()

    def do(self) -> None:
        """Do it now."""
        try:
            self._do()
        except FiblakeError as error:
            _log.warning("not done; tried again later", error=str(error))
        self._due = time.monotonic() + self._every_s


class Beside:
    """Does one thing after the other in a thread of its own, for who cannot wait; to be closed.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._doing: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done."""
        return self._doing is not None and not self._doing.done()

    def begin(self, work: Callable[[], None]) -> None:
        """Let something be done, once what was begun before it is; wait for that.

        Raises:
            FiblakeError: If what was begun before failed; this is done nevertheless.
        """
        before, self._doing = self._doing, self._thread.submit(work)
        if before:
            before.result()

    def settle(self) -> None:
        """Wait until all is done.

        Raises:
            FiblakeError: If it failed.
        """
        before, self._doing = self._doing, None
        if before:
            before.result()

    def close(self) -> None:
        """Wait until all is done, and end; a failure is told."""
        Chore(0, self.settle).do()
        self._thread.shutdown()
