"""Leaving alone what did not answer: one at a time asks it, and all others know at once.

In time: all may ask; it fails; nobody does for a second; one does, and fails, however long that
takes; nobody does for a second; one does, and is answered; all may ask.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lake.errors import FiblakeError

_REST_S: Final = 1.0


class Rest:
    """Whether something may be asked; threads may share it.

    Args:
        failure: The error that says that it did not answer; others are answers.
        seconds: Tells the time that passes.
    """

    def __init__(
        self, failure: type[FiblakeError], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._failure = failure
        self._seconds = seconds
        self._lock = threading.Lock()
        self._error: FiblakeError | None = None
        self._since = 0.0
        self._is_tried = False

    @property
    def is_on(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._error is not None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask within, if one may.

        Raises:
            FiblakeError: Of the kind of `failure`: as it failed last, if one may not.
        """
        self._wait_for_nobody()
        try:
            yield
        except self._failure as error:
            self._note(error)
            raise
        except BaseException:
            self._note(None)
            raise
        self._note(None)

    def _wait_for_nobody(self) -> None:
        with self._lock:
            if self._error is None:
                return
            if self._is_tried or self._seconds() - self._since < _REST_S:
                # Anew: one that is raised again and again would hold all who saw it.
                raise type(self._error)(self._error.fact, hint=self._error.hint)
            self._is_tried = True

    def _note(self, error: FiblakeError | None) -> None:
        with self._lock:
            self._error, self._since, self._is_tried = error, self._seconds(), False
