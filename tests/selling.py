"""Minutes as the local vendor sells them, and as a lake has them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import polars as pl

from batch_layer.bronze import minute
from batch_layer.local_vendor.catalogue import Catalogue
from lake import keys
from lake.store import LocalStore, ObjectStore

_KEY: Final = ["symbol", "start"]
_VALUES: Final = ["open", "high", "low", "close", "volume", "vwap", "trades"]


def minutes_sold(folder: Path, first: dt.date, last: dt.date, *symbols: str) -> pl.DataFrame:
    """Return the minutes that a vendor of a lake sells; without symbols, those of all."""
    catalogue = Catalogue(LocalStore(folder))
    days = [catalogue.minutes(day) for day in catalogue.sessions() if first <= day <= last]
    sold = pl.concat(days).with_columns(pl.from_epoch("start", "ms").dt.replace_time_zone("UTC"))
    if symbols:
        sold = sold.filter(pl.col("symbol").is_in(symbols))
    return (
        sold.with_columns(pl.col("start").cast(pl.Datetime("us", "UTC")))
        .select(*_KEY, *_VALUES)
        .sort(_KEY)
    )


def minutes_in(store: ObjectStore) -> pl.DataFrame:
    """Return all minute bars that a lake has."""
    sessions = keys.by_session(store.fingerprints(keys.MINUTE))
    frames = [minute.read(store, session)[0] for session in sessions]
    return pl.concat(frames).sort(_KEY).select(*_KEY, *_VALUES) if frames else pl.DataFrame()
