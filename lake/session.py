"""Sessions of the exchange, and which bucket of an n-session interval a session falls in.

Units:  a session is a date of the exchange's calendar; an ordinal counts sessions from EPOCH = 0.
Source: NYSE holidays as of pandas_market_calendars; 16,047 sessions 1962-01-02 .. 2025-10-03.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lake.errors import UnknownSessionError

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH: Final = dt.date(1962, 1, 2)
EXPECTED_AHEAD: Final = 34
"""Sessions a table reaches beyond today at least, so that every open bucket's end is known."""


@dataclass(frozen=True, slots=True)
class SessionTable:
    """The sessions of one exchange, in order, from EPOCH on.

    Attributes:
        exchange: Its name, as `NYSE`.
        dates: The sessions; the ordinal is the index.
        opens: Instants (UTC) at which each session's regular hours begin.
        closes: Instants (UTC) at which they end, early closes included.
        source: The calendar that told them, with its version.
    """

    exchange: str
    dates: Sequence[dt.date]
    opens: Sequence[dt.datetime]
    closes: Sequence[dt.datetime]
    source: str
    _ordinals: dict[dt.date, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the dates.

        Raises:
            UnknownSessionError: If the table is empty or does not begin at EPOCH.
        """
        if not self.dates or self.dates[0] != EPOCH:
            fact = f"The session table of {self.exchange} must begin at {EPOCH}."
            raise UnknownSessionError(fact)
        ordinals = {session: ordinal for ordinal, session in enumerate(self.dates)}
        object.__setattr__(self, "_ordinals", ordinals)

    def __len__(self) -> int:
        return len(self.dates)

    def __getitem__(self, ordinal: int) -> dt.date:
        return self.dates[ordinal]

    @property
    def first(self) -> dt.date:
        """The first session known."""
        return self.dates[0]

    @property
    def last(self) -> dt.date:
        """The last session known; late ones are expectations."""
        return self.dates[-1]

    def ordinal(self, session: dt.date) -> int | None:
        """Return the ordinal of `session`, or None where it is not a session."""
        return self._ordinals.get(session)

    def ordinals(self, first: dt.date, last: dt.date) -> range:
        """Return the ordinals of the sessions in `[first, last]`, both inclusive."""
        return range(bisect_left(self.dates, first), bisect_right(self.dates, last))

    def last_closed(self, instant: dt.datetime) -> dt.date | None:
        """Return the last session that is over at `instant`; None where there is none."""
        closed = bisect_right(self.closes, instant)
        return self.dates[closed - 1] if closed else None

    def is_open(self, instant: dt.datetime) -> bool:
        """Return whether `instant` is in a session's regular hours."""
        opened = bisect_right(self.opens, instant)
        return bool(opened) and instant < self.closes[opened - 1]

    def reaches_beyond(self, day: dt.date) -> bool:
        """Return whether at least EXPECTED_AHEAD sessions after `day` are known."""
        return len(self.dates) - bisect_right(self.dates, day) >= EXPECTED_AHEAD


@dataclass(frozen=True, slots=True)
class Bucket:
    """Sessions `[first, last]`, both inclusive, that make one bar."""

    first: dt.date
    last: dt.date


def bucket_of(session: dt.date, *, sessions_per_bar: int, table: SessionTable) -> Bucket:
    """Return the bucket that owns `session`.

    Raises:
        UnknownSessionError: If the exchange did not trade then, or the table ends too early.
    """
    ordinal = table.ordinal(session)
    if ordinal is None:
        known = f"known: {table.first} to {table.last}"
        fact = f"{session} is not a session of {table.exchange} ({known})."
        raise UnknownSessionError(fact)
    first = ordinal - ordinal % sessions_per_bar
    last = first + sessions_per_bar - 1
    if last >= len(table):
        fact = f"The bucket of {session} ends after {table.last}."
        raise UnknownSessionError(fact, hint="extend the session table.")
    return Bucket(first=table[first], last=table[last])
