"""How something is asked that may take long: in a thread of its own, or at once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lake.alerts.history import BarsKey

T = TypeVar("T")


class Ask(Protocol):
    """Asks, and returns what tells the answer, or the error, once that is there."""

    def __call__(self, question: Callable[[], T], /) -> Future[T]:
        """Ask."""
        ...


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """What was asked.

    Attributes:
        session: On whose split basis.
        keys: Of which bars, where only of some.
        began: When.
        answer: What comes of it.
    """

    session: dt.date
    keys: frozenset[BarsKey]
    began: float
    answer: Future[T]


def at_once(question: Callable[[], T], /) -> Future[T]:
    """Ask, and wait for the answer."""
    answer: Future[T] = Future()
    _answer(question, answer)
    return answer


def beside(question: Callable[[], T], /) -> Future[T]:
    """Ask in a thread of its own, that holds up neither who asks nor the process's end."""
    answer: Future[T] = Future()
    threading.Thread(
        target=_answer, args=(question, answer), name="alerts-asking", daemon=True
    ).start()
    return answer


def _answer(question: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(question())
    except Exception as error:  # noqa: BLE001 - it is raised where the answer is taken
        answer.set_exception(error)
