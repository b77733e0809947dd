"""One tape through each engine: what each makes of it, as frames to compare.

A frame of bars has the columns of `LIVE_BARS`, in order of `KEY`; of batch all but `state` and
`version`, which it does not know.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Final

import polars as pl

from batch_layer.processing.resample import resample
from batch_layer.trades.build import build_trades
from lake import keys
from lake.clock import SetClock
from lake.event import Event
from lake.exchange import load_sessions
from lake.hours import HOURS, SessionHours, hours_of
from lake.instant import microseconds
from lake.interval import INTRADAY, LIVE
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.live_bars import bars_of, in_force, minutes_of, within
from lake.parquet import read_frame
from lake.schemas import DAILY, MINUTE
from lake.schemas import INTRADAY as INTRADAY_SCHEMA
from lake.session import SessionTable
from lake.store import ObjectStore
from lake.wire import decode_events, encode_events, events_of
from speed_layer.corrections import Corrections
from speed_layer.engine import Engine
from tests.flink import Job

LATENESS: Final = dt.timedelta(minutes=15)
KEY: Final = ("symbol", "interval", "session", "hours", "start")
VALUES: Final = ("open", "high", "low", "close", "volume", "vwap", "trades")
_OF_BATCH: Final = (*KEY, *VALUES, "minutes")
COLUMNS: Final = (*_OF_BATCH, "state", "version")
_HOUR: Final = dt.timedelta(hours=1)


class Collected:
    """Bars and prices as they are told, the highest version of each."""

    def __init__(self) -> None:
        self._bars = [BARS_SCHEMA.to_frame()]
        self._prices = [PRICES_SCHEMA.to_frame()]

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        self._bars.append(bars)
        self._prices.append(prices)

    def bars(self) -> pl.DataFrame:
        """The bars that there are, in order of `KEY`; all of them are final."""
        told = pl.concat(self._bars).sort("version")
        last = told.unique(KEY, keep="last").filter(pl.col("open").is_not_null())
        assert ["final"] == last["state"].unique().to_list()
        return last.select(COLUMNS).sort(KEY)

    def prices(self) -> pl.DataFrame:
        """The latest prices, in order of symbol."""
        told = pl.concat(self._prices).sort("session", "version")
        return told.unique("symbol", keep="last").sort("symbol")


def over(hours: SessionHours) -> pl.DataFrame:
    """Return what tells the engines that a session is over for good."""
    time = microseconds(hours.dusk + _HOUR)
    return events_of([asdict(Event("heartbeat", "", time, received=time))])


def through_engine(tape: pl.DataFrame, hours: SessionHours, table: SessionTable) -> Collected:
    """Return what the embedded engine and the correction stream make of a day's tape."""
    told = Collected()
    engine = Engine(table, lateness=LATENESS)
    corrections = corrections_of(tape, told, table)
    for part in [*tape.iter_slices(20_000), over(hours)]:
        changes = engine.apply(part)
        told.put(changes.bars, changes.prices)
        corrections.note(changes.late)
    corrections.apply(engine.clock)
    return told


def through_flink(
    tape: pl.DataFrame, hours: SessionHours, table: SessionTable, folder: Path
) -> Collected:
    """Return what the Flink job, reading files, and the correction stream make of a day's tape."""
    job = Job(folder, table, hours.session, hours.session)
    job.write(encode_events(tape))
    job.run("--parallelism", "2")
    told = Collected()
    told.put(*job.rows())
    corrections = corrections_of(tape, told, table)
    late, poison = decode_events(job.lines("corrections"))
    assert [] == poison
    corrections.note(late)
    corrections.apply(microseconds(hours.dusk + _HOUR))
    return told


def corrections_of(tape: pl.DataFrame, told: Collected, table: SessionTable) -> Corrections:
    """Return what recomputes the bars of late statements from all of a day's tape."""
    return Corrections(
        table, lambda _session, _symbols: tape, told.put, kind="trade", lateness=LATENESS
    )


def through_law(tape: pl.DataFrame, hours: SessionHours) -> pl.DataFrame:
    """Return what the law makes of all of a day's tape at once, none of it late."""
    bars = bars_of(minutes_of(in_force(within(tape, hours))), hours)
    return bars.filter(pl.col("open").is_not_null()).select(COLUMNS).sort(KEY)


def through_batch(store: ObjectStore, session: dt.date) -> pl.DataFrame:
    """Return what batch makes of what landed of a session."""
    clock = SetClock(dt.datetime.combine(session, dt.time(12), dt.UTC) + dt.timedelta(days=2))
    build_trades(store, clock, dt.timedelta(minutes=15))
    resample(store, intervals=INTRADAY)
    minutes = read_frame(store, keys.minute(session), MINUTE)[0]
    parts = [_minutes(minutes, store, session), _days(store, session)]
    for interval in INTRADAY:
        bars = read_frame(store, keys.intraday(interval, session), INTRADAY_SCHEMA)[0]
        parts.append(_shaped(bars, str(interval)))
    return pl.concat(parts).sort(KEY)


def _minutes(minutes: pl.DataFrame, store: ObjectStore, session: dt.date) -> pl.DataFrame:
    hours = hours_of(session, load_sessions(store))
    regular = pl.col("start").is_between(hours.open, hours.close, closed="left")
    bars = minutes.filter(pl.col("open").is_not_null()).with_columns(
        session=pl.lit(session),
        hours=pl.when(regular).then(pl.lit(HOURS[0])).otherwise(pl.lit(HOURS[1])),
        minutes=pl.lit(1, pl.Int32),
    )
    return _shaped(bars, str(LIVE[0]))


def _days(store: ObjectStore, session: dt.date) -> pl.DataFrame:
    bars = read_frame(store, keys.daily(session.year), DAILY)[0]
    midnight = dt.datetime.combine(session, dt.time(), dt.UTC)
    days = bars.filter(pl.col("session") == session).with_columns(
        hours=pl.lit(HOURS[0]), start=pl.lit(midnight), minutes=pl.lit(None, pl.Int32)
    )
    return _shaped(days, str(LIVE[-1]))


def _shaped(bars: pl.DataFrame, interval: str) -> pl.DataFrame:
    kinds = {name: BARS_SCHEMA[name] for name in _OF_BATCH}
    return bars.select(
        *(name for name in _OF_BATCH if name not in {"interval", "start"}),
        interval=pl.lit(interval),
        start=pl.col("start").dt.epoch("us"),
    ).select(pl.col(name).cast(kind) for name, kind in kinds.items())


def assert_same_bars(expected: pl.DataFrame, actual: pl.DataFrame) -> None:
    """Every field that is expected of a bar is there; vwap to 1e-9.

    Batch does not tell a bar's state and version, nor count the minutes of a day.
    """
    known = [name for name in expected.columns if name != "vwap"]
    one, other = expected.select(known), actual.select(known)
    assert [] == one.join(other, on=KEY, how="anti").head(3).to_dicts()
    assert [] == other.join(one, on=KEY, how="anti").head(3).to_dicts()
    counted = pl.when(one["minutes"].is_not_null()).then("minutes")
    other = other.with_columns(counted.alias("minutes"))
    differing = pl.any_horizontal(one[name].ne_missing(other[name]) for name in known)
    wrong = one.select(differing).to_series()
    assert one.filter(wrong).head(3).to_dicts() == other.filter(wrong).head(3).to_dicts()
    near = (expected["vwap"] - actual["vwap"]).abs() <= 1e-9 * expected["vwap"]
    assert near.fill_null(expected["vwap"].is_null() & actual["vwap"].is_null()).all()
