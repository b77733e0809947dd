"""What the statements of a session tell of why a bar may differ."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.reconciling.sides import KEY, VALUES
from batch_layer.trades.recorded import read_events, recorded_of
from batch_layer.trades.statements import statements_of
from lake import keys
from lake.conditions import load_conditions
from lake.interval import DAILY, MINUTE_INTERVALS
from lake.live_bars import MINUTE_US, bars_of, keyed, minutes_of
from lake.parquet import read_frame
from lake.schemas import TRADES
from lake.wire import SCHEMA

if TYPE_CHECKING:
    from lake.hours import SessionHours
    from lake.store import ObjectStore

_FLAGS: Final = ("is_late", "is_restated")


def evidence(store: ObjectStore, hours: SessionHours, lateness: dt.timedelta) -> pl.DataFrame:
    """Return what the recorded statements of a session make of each bar.

    Returns:
        `KEY`; `VALUES` as law_open and so on; law_version; is_late, whether a statement of it was
        received so long after its minute that no engine takes it; is_restated, whether one restates
        another.

    Raises:
        StoreError: If the lake cannot be read.
    """
    told = _statements(store, hours)
    law = bars_of(minutes_of(told), hours).select(
        *KEY, pl.col(*VALUES, "version").name.prefix("law_")
    )
    over = pl.col("minute") + MINUTE_US + lateness // dt.timedelta(microseconds=1)
    flags = told.group_by("symbol", "minute").agg(
        is_late=(pl.col("received") >= over).any(), is_restated=(pl.col("revision") > 0).any()
    )
    of_bars = [
        keyed(flags, hours, interval).group_by(KEY).agg(pl.col(_FLAGS).any())
        for interval in (*MINUTE_INTERVALS, DAILY)
    ]
    return law.join(pl.concat(of_bars), on=KEY, how="left")


def _statements(store: ObjectStore, hours: SessionHours) -> pl.DataFrame:
    """Return the statements in force: of bronze, or, where they are no trades, of what landed."""
    trades, fingerprint = read_frame(store, keys.trades(hours.session), TRADES)
    if fingerprint is None:
        events, _ = read_events(store, recorded_of(store, hours.session))
        return statements_of(events, hours, load_conditions(store)).rows
    lacking = [
        pl.lit("trade" if name == "kind" else None, kind).alias(name)
        for name, kind in SCHEMA.items()
        if name not in trades.columns
    ]
    return trades.with_columns(lacking).select(SCHEMA.names())
