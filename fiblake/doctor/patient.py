"""Whom the doctor looks at: one system, by its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lake.clock import Clock, SystemClock
from lake.exchange import load_sessions, trading_day
from lake.hours import timetable
from lake.store import open_store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from lake.session import SessionTable
    from lake.settings import Settings
    from lake.store import ObjectStore

URL: Final = "http://127.0.0.1:8000"
PATIENCE_S: Final = 15.0
_SHARE: Final = 3
"""Of its time a check may wait for one answer: it asks for more than one."""


@dataclass(frozen=True)
class Patient:
    """A system.

    Attributes:
        settings: Its own, but that nothing is asked often or waited for long.
        url: Of its API.
        is_asked: Whether that URL was given, so that somebody must answer there.
        services: The URLs of services' health, by the name of the service.
        is_vendor_asked: Whether the vendor is asked too, which costs a call.
        answer_s: How long one answer is waited for.
        clock: Tells the present.
    """

    settings: Settings
    url: str = URL
    is_asked: bool = False
    services: Mapping[str, str] = field(default_factory=dict)
    is_vendor_asked: bool = False
    answer_s: float = PATIENCE_S / _SHARE
    clock: Clock = field(default_factory=SystemClock)

    @property
    def store(self) -> ObjectStore:
        """The lake.

        Raises:
            InvalidLocationError: If its location is none.
        """
        return open_store(self.settings)

    @property
    def now(self) -> dt.datetime:
        """The present."""
        return self.clock.now()

    def sessions(self) -> SessionTable:
        """Return the lake's sessions.

        Raises:
            EmptyLakeError: If it has none.
            StoreError: If it cannot be read.
        """
        return load_sessions(self.store)

    def is_open(self) -> bool:
        """Whether the exchange trades now, extended hours among it.

        Raises:
            EmptyLakeError: If the lake has no session table.
        """
        now = self.now
        today = trading_day(now)
        hours = timetable(self.sessions(), today, today).days
        return any(each.dawn <= now < each.dusk for each in hours)


def answer_s(patience_s: float) -> float:
    """Return how long one answer is waited for, where all may take so long."""
    return patience_s / _SHARE


def hurried(settings: Settings, soon_s: float = PATIENCE_S / _SHARE) -> Settings:
    """Return settings by which whoever does not answer in so many seconds is given up on."""
    soon: dict[str, object] = {
        "s3_attempts": 2,
        "s3_timeout_seconds": min(settings.s3_timeout_seconds, soon_s),
        "kinesis_attempts": 2,
        "redis_attempts": 2,
        "redis_timeout_seconds": min(settings.redis_timeout_seconds, soon_s),
        "dynamodb_attempts": 2,
        "dynamodb_timeout_seconds": min(settings.dynamodb_timeout_seconds, soon_s),
        "delivery_timeout_seconds": min(settings.delivery_timeout_seconds, soon_s),
        "massive_attempts": 1,
    }
    return settings.model_copy(update=soon)
