"""The bars of a session as both layers told them, in the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import minute
from batch_layer.bronze.year import read_year
from lake import keys
from lake.interval import DAILY, INTRADAY, MINUTE
from lake.live_bars import keyed
from lake.parquet import read_frame
from lake.schemas import INTRADAY as SCHEMA
from lake.schemas import LIVE_BARS

if TYPE_CHECKING:
    from lake.hours import SessionHours
    from lake.store import ObjectStore

KEY: Final = ("symbol", "interval", "hours", "start")
VALUES: Final = ("open", "high", "low", "close", "volume", "vwap", "trades", "minutes")
_IS_BAR: Final = pl.col("open").is_not_null() & pl.col("close").is_not_null()


def speed_bars(store: ObjectStore, hours: SessionHours) -> pl.DataFrame:
    """Return the bars of a session as the speed layer told them last: `KEY`, `VALUES`, and more.

    Raises:
        DamagedObjectError: If they cannot be read.
    """
    bars, _ = read_frame(store, keys.live_bars(hours.session), LIVE_BARS)
    return bars.filter(_IS_BAR).select(*KEY, *VALUES, "state", "version")


def batch_bars(store: ObjectStore, hours: SessionHours) -> pl.DataFrame:
    """Return the bars of a session as bronze and silver have them: `KEY` and `VALUES`.

    Bronze does not tell of how many minutes a bar of the day is.

    Raises:
        DamagedObjectError: If they cannot be read.
    """
    parts = [_minutes(store, hours), _days(store, hours)]
    for interval in INTRADAY:
        bars, _ = read_frame(store, keys.intraday(interval, hours.session), SCHEMA)
        parts.append(
            bars.with_columns(interval=pl.lit(str(interval)), start=pl.col("start").to_physical())
        )
    return pl.concat([part.select(*KEY, *VALUES) for part in parts])


def _minutes(store: ObjectStore, hours: SessionHours) -> pl.DataFrame:
    bars, _ = minute.read(store, hours.session)
    bars = bars.filter(_IS_BAR).with_columns(
        minute=pl.col("start").to_physical(), minutes=pl.lit(1, pl.Int32())
    )
    return keyed(bars, hours, MINUTE)


def _days(store: ObjectStore, hours: SessionHours) -> pl.DataFrame:
    bars = read_year(store, hours.session.year).bars.filter(session=hours.session)
    return keyed(bars, hours, DAILY).with_columns(minutes=pl.lit(None, pl.Int32()))
