"""Minute bars for tests, and what intraday silver must be: merged one by one, by the law itself."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import strategies as st

from batch_layer.bronze import minute
from batch_layer.bronze.daily import Changes
from fiblake import Lake
from lake import keys
from lake.bar import NEUTRAL, Contribution, merge
from lake.exchange import load_sessions
from lake.interval import INTRADAY, Interval
from lake.parquet import read_frame
from lake.schemas import INTRADAY as SCHEMA
from lake.schemas import MINUTE
from lake.session import SessionTable
from lake.store import ObjectStore
from tests.frames import assert_bars_equal
from tests.strategies import prices, volumes

Row = dict[str, Any]
ZONE: Final = ZoneInfo("America/New_York")
KNOWN: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
NAMES: Final = [name for name in MINUTE.names if name != "revision"]
_MINUTE: Final = dt.timedelta(minutes=1)


def at(session: dt.date, time: str) -> dt.datetime:
    """Return the instant of a time at the exchange, as `09:30`."""
    return dt.datetime.combine(session, dt.time.fromisoformat(time), ZONE).astimezone(dt.UTC)


def bar(symbol: str, start: dt.datetime, close: float = 10.0, **values: Any) -> Row:
    """Return a minute bar at one price, as bronze takes it."""
    same = dict.fromkeys(("open", "high", "low", "close", "vwap"), close)
    told = {"volume": 100.0, "trades": 2, "known_from": KNOWN}
    return {"symbol": symbol, "start": start, **same, **told, **values}


def frame(*rows: Row) -> pl.DataFrame:
    """Return rows as bronze takes them."""
    kinds = {name: pl.Float64() for name in NAMES}
    kinds |= {"symbol": pl.String(), "trades": pl.Int64()}  # type: ignore[dict-item]
    kinds |= dict.fromkeys(("start", "known_from"), pl.Datetime("us", "UTC"))  # type: ignore[arg-type]
    return pl.DataFrame(rows, schema={name: kinds[name] for name in NAMES})


def commit(lake: Lake, *rows: Row) -> Changes:
    """Bring minute bars into bronze."""
    return minute.commit(lake.store, frame(*rows))


def every_minute(
    symbol: str, session: dt.date, first: str, last: str, *, price: float = 10.0
) -> list[Row]:
    """Return a bar for each minute from `first` on, before `last`, each at a higher price."""
    start, end = at(session, first), at(session, last)
    count = (end - start) // _MINUTE
    return [bar(symbol, start + n * _MINUTE, price + n / 4) for n in range(count)]


@st.composite
def minutes_of(
    draw: st.DrawFn, session: dt.date, symbols: tuple[str, ...] = ("AA", "B", "C.D")
) -> list[Row]:
    """Minute bars of some symbols in a session, with gaps: in both of its hours.

    Some have volume and no prices.
    """
    dawn = at(session, "04:00")
    places = st.tuples(st.sampled_from(symbols), st.integers(0, 16 * 60 - 1))
    keys_ = draw(st.lists(places, min_size=1, max_size=60, unique=True))
    return [_drawn(draw, symbol, dawn + n * _MINUTE) for symbol, n in keys_]


def _drawn(draw: st.DrawFn, symbol: str, start: dt.datetime) -> Row:
    a, b, c, d = (draw(prices) for _ in range(4))
    vwap = draw(st.none() | st.just(c))
    trades = draw(st.none() | st.integers(0, 10**6))
    values: Row = {"open": a, "high": max(a, b, c, d), "low": min(a, b, c, d), "close": b}
    if draw(st.integers(0, 3)) == 0:  # as of odd lots alone
        values = dict.fromkeys(values)
    return bar(symbol, start, **values, volume=draw(volumes), vwap=vwap, trades=trades)


@dataclass
class _Making:
    merged: Contribution = NEUTRAL
    minutes: int = 0
    revision: int = 0
    rows: list[Row] = field(default_factory=list)


def expected_bars(
    rows: list[Row], session: dt.date, interval: Interval, table: SessionTable
) -> list[Row]:
    """Return what the minutes of a session merge into, in order of symbol and start."""
    making: dict[tuple[str, dt.datetime, dt.datetime, str], _Making] = {}
    for row in sorted(rows, key=lambda row: (row["symbol"], row["start"])):
        begin, end, hours = bucket(row["start"], session, interval, table)
        made = making.setdefault((row["symbol"], begin, end, hours), _Making())
        made.merged = merge(made.merged, contribution(row))
        made.minutes += 1
        made.revision += row.get("revision", 0)
    return [
        {
            "symbol": symbol,
            "session": session,
            "hours": hours,
            "start": begin,
            **{name: getattr(made.merged, name) for name in ("open", "high", "low", "close")},
            "volume": made.merged.volume,
            "vwap": made.merged.vwap,
            "trades": made.merged.trades,
            "minutes": made.minutes,
            "minutes_expected": (end - begin) // _MINUTE,
            "through": session,
            "state": "final",
            "revision": made.revision,
        }
        for (symbol, begin, end, hours), made in making.items()
        if made.merged.is_bar
    ]


def contribution(row: Row) -> Contribution:
    """Return what a minute brings in."""
    traded = row["volume"] > 0
    notional = None if row["vwap"] is None else row["volume"] * row["vwap"]
    return Contribution(
        **{name: row[name] for name in ("open", "high", "low", "close", "volume")},
        notional=notional if traded else 0.0,
        trades=row["trades"] if traded else row["trades"] or 0,
    )


def bucket(
    start: dt.datetime, session: dt.date, interval: Interval, table: SessionTable
) -> tuple[dt.datetime, dt.datetime, str]:
    """Return the begin, the end and the hours of a minute's bucket, by walking to it."""
    ordinal = table.ordinal(session)
    assert ordinal is not None
    opens, closes = table.opens[ordinal], table.closes[ordinal]
    edges = [at(session, "04:00"), opens, closes, at(session, "20:00")]
    first, beyond = next(
        (begin, end) for begin, end in itertools.pairwise(edges) if begin <= start < end
    )
    begin = first
    while begin + interval.minutes * _MINUTE <= start:
        begin += interval.minutes * _MINUTE
    end = min(begin + interval.minutes * _MINUTE, beyond)
    return begin, end, "regular" if first == opens else "extended"


def bronze(store: ObjectStore, session: dt.date) -> list[Row]:
    """Return the minute bars of a session."""
    return minute.read(store, session)[0].to_dicts()


def silver(store: ObjectStore, interval: Interval, session: dt.date) -> list[Row]:
    """Return the bars of an interval in a session, as they are stored."""
    return read_frame(store, keys.intraday(interval, session), SCHEMA)[0].to_dicts()


def assert_intraday_is_right(lake: Lake) -> None:
    """Every field of every bar of every interval is what its minutes merge into."""
    table = load_sessions(lake.store)
    for session in keys.by_session(lake.store.fingerprints(keys.MINUTE)):
        rows = bronze(lake.store, session)
        for interval in INTRADAY:
            expected = expected_bars(rows, session, interval, table)
            assert_bars_equal(expected, silver(lake.store, interval, session))
