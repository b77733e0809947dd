"""The realtime view in this process's memory: the embedded default."""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from lake.clock import SystemClock
from speed_layer.views import records
from speed_layer.views.mailbox import MOST_WAITING, Mailbox
from speed_layer.views.records import (
    BAR_BYTES,
    SERIES,
    SESSION,
    START,
    session_of,
    start_of,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from lake.bar import Hours
    from lake.clock import Clock
    from lake.interval import Interval

DAYS: Final = 7
_EPOCH: Final = dt.date(1970, 1, 1)


class _Day:
    """The bars of one session: of each symbol and series its records, in order of start."""

    def __init__(self, changed: dt.datetime) -> None:
        self.changed = changed
        self.bars: dict[tuple[str, bytes], bytearray] = {}

    def forget(self, *, daily: bool, minute: bool) -> None:
        self.bars = {
            key: held
            for key, held in self.bars.items()
            if not (daily if records.is_daily(key[1]) else minute)
        }


class MemoryView:
    """A view for readers in the same process.

    Writers take turns. Readers wait for nobody: what they take from a dictionary or a series is
    taken in one step.

    Args:
        clock: Tells how old a session's bars are.
        days: For how long a session's bars stay after their last change, if not forgotten before.
        most_waiting: How many bars and prices may wait for one subscriber.
    """

    def __init__(
        self, clock: Clock | None = None, *, days: int = DAYS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._clock = clock or SystemClock()
        self._kept = dt.timedelta(days=days)
        self._most_waiting = most_waiting
        self._days: dict[int, _Day] = {}
        self._prices: dict[str, bytes] = {}
        self._mailboxes: list[Mailbox] = []
        self._turn = threading.Lock()

    @property
    def filling(self) -> str:
        """Always the same: what is in memory is lost only with who put it."""
        return "memory"

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        """Bring in bars and prices."""
        told_bars = list(zip(bars["symbol"].to_list(), records.pack_bars(bars), strict=True))
        told_prices = zip(prices["symbol"].to_list(), records.pack_prices(prices), strict=True)
        now = self._clock.now()
        with self._turn:
            new_bars = self._put_bars(told_bars, now)
            new_prices = [each for each in told_prices if self._put_price(*each)]
            for mailbox in self._mailboxes:
                mailbox.offer(new_bars, new_prices)

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        """Return the latest prices."""
        known = self._prices.copy()
        found = (
            known if symbols is None else {name: known[name] for name in symbols if name in known}
        )
        return records.standing_prices(found)

    def bars(
        self,
        symbol: str,
        interval: Interval,
        hours: Hours = "regular",
        *,
        vanished: bool = False,
    ) -> pl.DataFrame:
        """Return the bars of a symbol."""
        key = symbol, records.series(interval, hours)
        oldest = self._clock.now() - self._kept
        days = [day for day in list(self._days.values()) if day.changed > oldest]
        held = b"".join(bytes(day.bars.get(key, b"")) for day in days)
        return records.ordered_bars(symbol, held, vanished=vanished)

    def subscribe(self, symbols: Iterable[str] | None = None) -> Mailbox:
        """Return the changes from now on."""
        mailbox = Mailbox(symbols, most=self._most_waiting, on_close=self._unsubscribe)
        with self._turn:
            self._mailboxes.append(mailbox)
        return mailbox

    def forget(self, *, daily: dt.date | None, minute: dt.date | None) -> None:
        """Drop what the batch layer has covered."""
        with self._turn:
            for session, day in list(self._days.items()):
                date = _EPOCH + dt.timedelta(days=session)
                day.forget(
                    daily=daily is not None and date <= daily,
                    minute=minute is not None and date <= minute,
                )
                if not day.bars:
                    del self._days[session]

    def close(self) -> None:
        """End all subscriptions."""
        for mailbox in list(self._mailboxes):
            mailbox.close()

    def _put_bars(
        self, told: Sequence[tuple[str, bytes]], now: dt.datetime
    ) -> list[tuple[str, bytes]]:
        """Bring in bars, and return those that were news."""
        sessions = {record[SESSION]: session_of(record) for _, record in told}
        days = {each: self._changed_day(n, now).bars for each, n in sessions.items()}
        new = []
        for each in told:
            symbol, record = each
            bars, key = days[record[SESSION]], (symbol, record[SERIES])
            held = bars.get(key)
            if held is None:
                bars[key] = bytearray(record)
                new.append(each)
            elif _upserted(held, record):
                new.append(each)
        return new

    def _put_price(self, symbol: str, record: bytes) -> bool:
        """Return whether the price was news."""
        held = self._prices.get(symbol)
        if held is not None and records.rank_of(record) <= records.rank_of(held):
            return False
        self._prices[symbol] = record
        return True

    def _changed_day(self, session: int, now: dt.datetime) -> _Day:
        """Return a session's bars, which change now."""
        day = self._days.get(session) or self._new_day(session, now)
        day.changed = now
        return day

    def _new_day(self, session: int, now: dt.datetime) -> _Day:
        for old, day in list(self._days.items()):
            if day.changed <= now - self._kept:
                del self._days[old]
        return self._days.setdefault(session, _Day(now))

    def _unsubscribe(self, mailbox: Mailbox) -> None:
        with self._turn:
            self._mailboxes.remove(mailbox)


def _upserted(held: bytearray, record: bytes) -> bool:
    """Bring a record into a series, and return whether it was news."""
    at = len(held) - BAR_BYTES
    # Nearly always the last one is meant.
    if held[at + START.start : at + START.stop] == record[START]:
        return _replaced(held, at, record)
    at = _place(held, start_of(record))
    if held[at + START.start : at + START.stop] == record[START]:
        return _replaced(held, at, record)
    held[at:at] = record
    return True


def _replaced(held: bytearray, at: int, record: bytes) -> bool:
    """Put a record in the place of another, if its version is higher; return whether it is."""
    if version_of(record) <= version_of(held, at):
        return False
    held[at : at + BAR_BYTES] = record
    return True


def _place(held: bytearray, start: int) -> int:
    """Return where in a series the bar that begins at `start` is, or would be."""
    count = len(held) // BAR_BYTES
    return BAR_BYTES * bisect_left(range(count), start, key=lambda n: start_of(held, n * BAR_BYTES))
