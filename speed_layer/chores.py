"""What is done again and again beside the flow: each in its own pace, and no failure is the end."""

from __future__ import annotations

import time
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
