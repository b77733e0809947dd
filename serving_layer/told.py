"""What the speed layer tells of the listings asked for, in the shapes in which it is merged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from lake.bar import Bar
from lake.hours import hours_of
from lake.instant import microseconds
from lake.interval import DAILY
from lake.listings import Named
from lake.live_bars import MINUTE_US
from lake.schemas import BARS, INTRADAY_BARS
from lake.session import EPOCH
from serving_layer.splicing import Tail
from serving_layer.views import Buckets, LiveDay, contribution, merged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lake.hours import SessionHours
    from lake.interval import Interval
    from lake.live import LiveBars
    from lake.session import SessionTable
    from serving_layer.adjusting import SplitFactors
    from serving_layer.asked import Asked
    from serving_layer.query import BarsQuery

_INTRADAY: Final = pl.Schema(INTRADAY_BARS)
_EVER: Final = Named("", EPOCH, dt.date.max)
_DAY: Final = ("session", "symbol", "open", "high", "low", "close", "volume", "vwap", "trades")


class Told:
    """The live bars of one query, by listing; those of a session interval are the daily ones.

    Args:
        bars: Schema `LIVE_BARS`, of one interval and of some hours; none of them empty.
    """

    def __init__(self, bars: Mapping[str, pl.DataFrame]) -> None:
        self._bars = bars

    @classmethod
    def read(cls, live: LiveBars, query: BarsQuery, asked: Sequence[Asked]) -> Told:
        """Return what a view tells of the listings asked for.

        Raises:
            ViewError: If it does not answer.
        """
        interval = query.interval if query.interval.is_intraday else DAILY
        found = {each.listing: _of(each, live, interval, query) for each in asked}
        return cls({listing: bars for listing, bars in found.items() if bars.height})

    @property
    def listings(self) -> frozenset[str]:
        """Of which there are live bars."""
        return frozenset(self._bars)

    def days(self, covered: dt.date | None) -> pl.DataFrame | None:
        """Return them as daily bars that are folded with the lake's; None where there are none.

        Args:
            covered: The last session that batch had committed before the lake was read: only bars
                after it are told.
        """
        later = pl.lit(value=True) if covered is None else pl.col("session") > covered
        rows = [
            bars.filter(later).select(
                pl.lit(listing).alias("listing"),
                *_DAY,
                revision=pl.lit(0),
                is_forming=pl.col("state") == "forming",
            )
            for listing, bars in self._bars.items()
        ]
        return pl.concat(rows) if rows else None

    def session_tails(
        self, buckets: Buckets, covered: dt.date | None, splits: SplitFactors
    ) -> dict[str, Tail]:
        """Return how bars of some sessions end where live days are merged into them.

        Args:
            buckets: Of the interval.
            covered: The last session that batch had considered before the lake was read.
            splits: Of all listings.
        """

        def tail(listing: str, days: Sequence[LiveDay]) -> Tail:
            def made(stored: pa.Table) -> pa.Table:
                bars = merged(
                    listing,
                    [Bar(**row) for row in stored.to_pylist()],
                    days,
                    buckets=buckets,
                    covered=covered,
                    split=lambda day, later: splits.between(listing, day, later),
                )
                return _table(bars)

            return Tail(buckets.start(days[0].session), made)

        of_listing = {name: buckets.known(_days(bars)) for name, bars in self._bars.items()}
        return {listing: tail(listing, days) for listing, days in of_listing.items() if days}

    def intraday_tails(
        self, interval: Interval, covered: dt.date | None, table: SessionTable
    ) -> dict[str, Tail]:
        """Return how bars of minutes and hours end where live ones stand for uncovered sessions.

        Args:
            interval: Of the bars.
            covered: The last session that batch had committed before the lake was read.
            table: The sessions.
        """

        def tail(live: pl.DataFrame) -> Tail:
            def made(stored: pa.Table) -> pa.Table:
                kept = pl.DataFrame(stored).join(live, on="through", how="anti")
                both = pl.concat([kept, live]).sort("start")
                return both.to_arrow().cast(INTRADAY_BARS)

            # Of a session it is either all of the lake, or all of the speed layer.
            return Tail(hours_of(live["through"][0], table).dawn, made)

        is_later = pl.col("session") <= table.last
        if covered is not None:
            is_later &= pl.col("session") > covered
        uncovered = {name: bars.filter(is_later) for name, bars in self._bars.items()}
        return {
            listing: tail(_intraday(listing, bars, interval, table))
            for listing, bars in uncovered.items()
            if bars.height
        }


def _of(asked: Asked, live: LiveBars, interval: Interval, query: BarsQuery) -> pl.DataFrame:
    """Return the live bars of a listing, under whichever symbols it had in their sessions."""
    parts = [
        _between(live.bars(named.symbol, interval, query.session), named) for named in asked.symbols
    ]
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def _between(bars: pl.DataFrame, named: Named) -> pl.DataFrame:
    # Most symbols are a listing's at all times: there is nothing to look for.
    if named.first <= _EVER.first and named.last == _EVER.last:
        return bars
    return bars.filter(pl.col("session").is_between(named.first, named.last))


def _days(bars: pl.DataFrame) -> list[LiveDay]:
    # Column by column: to select some first takes longer than all of the rest.
    columns = (bars[name] for name in (*_DAY, "state"))
    return [
        LiveDay(
            session=session,
            symbol=symbol,
            part=contribution((open_, high, low, close), volume, vwap, trades),
            is_final=state == "final",
        )
        for session, symbol, open_, high, low, close, volume, vwap, trades, state in zip(
            *columns, strict=True
        )
    ]


def _table(bars: Sequence[Bar]) -> pa.Table:
    columns = [[getattr(bar, name) for bar in bars] for name in BARS.names]
    return pa.table(columns, schema=BARS)


def _intraday(
    listing: str, bars: pl.DataFrame, interval: Interval, table: SessionTable
) -> pl.DataFrame:
    """Return live bars as readers get intraday ones, in order of start."""
    days = bars.partition_by("session", maintain_order=True)
    expected = pl.concat(
        pl.Series(_expected(hours_of(day["session"][0], table), interval, day["start"].to_numpy()))
        for day in days
    )
    return bars.with_columns(
        pl.lit(listing).alias("listing"),
        pl.from_epoch("start", time_unit="us").dt.replace_time_zone("UTC"),
        sessions=pl.lit(1),
        sessions_expected=pl.lit(1),
        through=pl.col("session"),
        revision=pl.lit(0),
        minutes_expected=expected,
    ).select(pl.col(name).cast(kind) for name, kind in _INTRADAY.items())


def _expected(
    hours: SessionHours, interval: Interval, starts: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return how many minutes the bars last that start at some instants, in microseconds."""
    _, lengths = hours.buckets(interval.minutes)
    lasting: NDArray[np.int32] = lengths[(starts - microseconds(hours.dawn)) // MINUTE_US]
    return lasting
