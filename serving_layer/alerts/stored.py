"""The bars of one symbol as rules see them: final, in order of time, on the basis of the present.

A bar counts at the end of its last session, or where its minutes end: no bar is seen before that.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.compute as pc

from lake.alerts.seen import SeenBar
from lake.instant import microseconds
from lake.interval import DAILY, MINUTE, Interval
from lake.live_bars import MINUTE_US
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from lake.alerts.history import BarsKey
    from lake.bar import Hours, State
    from lake.session import SessionTable

_VALUES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Seens:
    """Final bars of one interval.

    Attributes:
        bars: In order of time.
        sessions: Of each, the session at whose end, or in which, it counts.
    """

    bars: Sequence[SeenBar]
    sessions: Sequence[dt.date]

    def before(self, start: int, count: int) -> Sequence[SeenBar]:
        """Return the last bars that begin before a start, at most so many.

        They all ended by then, since one begins where another ends.
        """
        end = bisect_left(self.bars, start, key=_start)
        return self.bars[max(0, end - count) : end]

    def by_session(self, first: dt.date, last: dt.date) -> Iterator[tuple[dt.date, SeenBar]]:
        """Yield the bars that count in the sessions [first, last], each with its session."""
        for session, bar in zip(self.sessions, self.bars, strict=True):
            if first <= session <= last:
                yield session, bar


@dataclass(frozen=True)
class StoredBars:
    """Reads the bars of one symbol.

    Attributes:
        read: Answers queries, as `Reader.bars` does.
        symbol: As rules name it; what it named before it had another name is read too.
        table: The sessions of the exchange.
        as_of: The present, on whose split basis the bars are.
    """

    read: Callable[[BarsQuery], pa.Table]
    symbol: str
    table: SessionTable
    as_of: dt.date

    def final(
        self,
        interval: Interval,
        hours: Hours = "regular",
        first: dt.date | None = None,
        last: dt.date | None = None,
    ) -> Seens:
        """Return the final bars of an interval.

        Args:
            interval: Any.
            hours: Of bars of minutes and hours.
            first: Session (of bars of sessions: start) of the first; None: all there are.
            last: Likewise of the last.

        Raises:
            UnknownSymbolError: If the lake has no bar of the symbol.
            EmptyLakeError: If it has none of the interval at all.
            StoreError: If it cannot be read.
        """
        found = self._found(interval, hours, first, last)
        found = found.filter(pc.equal(found["state"], "final"))
        rows = pl.DataFrame(found.select(["start", "through", *_VALUES]))
        if interval.is_intraday:
            starts = rows["start"].dt.timestamp("us")
            lasts = pl.DataFrame(found.select(["minutes_expected"])).to_series()
            times = (starts + lasts.cast(pl.Int64) * MINUTE_US).to_list()
        else:
            starts = rows["start"].cast(pl.Datetime("us")).dt.timestamp("us")
            times = [self.close_of(session) for session in rows["through"]]
        bars = seen_bars((self.symbol, str(interval), hours), starts, times, rows, "final")
        return Seens(bars, rows["through"].to_list())

    def minutes(self, first: dt.date, last: dt.date) -> pl.DataFrame:
        """Return the minutes of some sessions, regular and extended, in order of start.

        Returns:
            session, start and the values; `is_regular`: whether it is of regular hours.

        Raises:
            FiblakeError: As `final` does.
        """
        regular, extended = (
            pl.DataFrame(
                self._found(MINUTE, hours, first, last).select(["through", "start", *_VALUES])
            ).with_columns(is_regular=pl.lit(hours == "regular"))
            for hours in ("regular", "extended")
        )
        return (
            pl.concat([regular, extended])
            .rename({"through": "session"})
            .with_columns(pl.col("start").dt.timestamp("us"))
            .sort("start")
        )

    def close_of(self, session: dt.date) -> int:
        """Return when a session's regular hours end."""
        ordinal = self.table.ordinal(session)
        assert ordinal is not None  # noqa: S101 - the lake's bars are of its sessions
        return microseconds(self.table.closes[ordinal])

    def _found(
        self, interval: Interval, hours: Hours, first: dt.date | None, last: dt.date | None
    ) -> pa.Table:
        query = BarsQuery(
            (self.symbol,), interval, start=first, end=last, as_of=self.as_of, session=hours
        )
        return self.read(query)


def seen_bars(
    key: BarsKey, starts: Iterable[int], times: Iterable[int], rows: pl.DataFrame, state: State
) -> list[SeenBar]:
    """Return rows of values as bars of a key, given when each begins and when it counts."""
    symbol, interval, hours = key
    values = (rows[name].to_list() for name in _VALUES)
    same = map(repeat, (symbol, interval, hours))
    return list(map(SeenBar, *same, starts, times, *values, repeat(state)))


def _start(bar: SeenBar) -> int:
    return bar.start


def session_of(day: SeenBar) -> dt.date:
    """Return the session of a daily bar."""
    assert day.interval == str(DAILY)  # noqa: S101 - of no other is the start a session
    return dt.date(1970, 1, 1) + dt.timedelta(microseconds=day.start)
