"""The clock, injected wherever the present matters, so that tests can set it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> dt.datetime:
        """Return the present instant, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        """Return the present instant, in UTC."""
        return dt.datetime.now(dt.UTC)


@dataclass(slots=True)
class SetClock:
    """A clock that stands where it was set.

    Args:
        instant: A time-zone-aware instant.
    """

    instant: dt.datetime

    def now(self) -> dt.datetime:
        """Return the instant it was set to."""
        return self.instant
