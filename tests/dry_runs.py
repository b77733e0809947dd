"""Small lakes to try rules on, and rules. Prices are sixteenths of a dollar: they add exactly."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from hypothesis import strategies as st

from batch_layer.bronze import listings, splits
from fiblake import Lake
from lake.clock import SetClock
from lake.session import EPOCH, SessionTable
from serving_layer.alerts.dry_run import DryRuns
from serving_layer.merged import MergedReader
from tests.frames import KNOWN, said, split
from tests.minutes import Row, at, bar, commit

FIRST, LAST = dt.date(2012, 3, 1), dt.date(2012, 9, 28)
SPLIT = dt.date(2012, 6, 12)
RENAMED = dt.date(2012, 5, 9)
MINUTES: Final = (dt.date(2012, 7, 2), dt.date(2012, 7, 3), dt.date(2012, 7, 5))
"""Of the second the exchange closed early."""
SYMBOLS: Final = ("PLAIN", "SPLIT", "NEW")
DAYS: Final = ("1d", "3d", "5d", "8d", "13d", "21d", "34d")
INTRADAY: Final = ("1m", "5m", "15m", "1h", "2h", "4h")


@dataclass(frozen=True)
class Market:
    """What a lake has, on the split basis of the present.

    Attributes:
        days: Daily bars by symbol: session and values.
        minutes: Minutes of PLAIN: start and values.
    """

    days: dict[str, list[Row]]
    minutes: list[Row]


def made_up(table: SessionTable, seed: int) -> Market:
    """Return a market of which each seed makes another."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret comes of it
    dates = [table[ordinal] for ordinal in table.ordinals(FIRST, LAST)]
    days: dict[str, list[Row]] = {}
    for symbol in SYMBOLS:
        price = 50.0
        for session in dates:
            values = _values(chance, price)
            price = values["close"]
            # Not all are traded in each session.
            if session in MINUTES or chance.random() > 0.08:
                days.setdefault(symbol, []).append({"session": session, **values})
    minutes: list[Row] = []
    price = 50.0
    for session in MINUTES:
        begin = at(session, "08:00")
        for minute in sorted(chance.sample(range(11 * 60), 150)):
            values = _values(chance, price)
            price = values["close"]
            minutes.append({"start": begin + minute * dt.timedelta(minutes=1), **values})
    return Market(days, minutes)


def _values(chance: random.Random, price: float) -> Row:
    a, b, c = (max(16.0, price + chance.randint(-32, 32) / 16) for _ in range(3))
    prices = (price, a, b, c)
    volume = float(2 * chance.randint(1, 500))
    return {"open": a, "high": max(prices), "low": min(prices), "close": b, "volume": volume}


def changed_after(
    market: Market, other: Market, instant: dt.datetime, table: SessionTable
) -> Market:
    """Return a market that is another one from an instant on."""
    over = table.last_closed(instant)
    assert over is not None
    days = {
        symbol: [row for row in rows if row["session"] <= over]
        + [row for row in other.days[symbol] if row["session"] > over]
        for symbol, rows in market.days.items()
    }
    minutes = [row for row in market.minutes if row["start"] < instant]
    minutes += [row for row in other.minutes if row["start"] >= instant]
    return Market(days, minutes)


def filled(folder: Path, market: Market) -> Lake:
    """Return an empty lake with a market in it, of which one was split and one got another name."""
    lake = Lake(folder, clock=SetClock(KNOWN))
    path = folder.parent / "days.csv"
    pl.DataFrame(list(_as_received(market))).write_csv(path)
    lake.import_files(path)
    splits.commit(lake.store, split("SPLIT", SPLIT, 2), clock=lake.clock)
    before = RENAMED - dt.timedelta(days=1)
    names = said(("L1", "OLD", EPOCH, before), ("L1", "NEW", RENAMED, None))
    listings.commit(lake.store, names, clock=lake.clock)
    prices = ("open", "high", "low", "close", "volume")
    if market.minutes:
        told = [(row["start"], {name: row[name] for name in prices}) for row in market.minutes]
        commit(lake, *(bar("PLAIN", start, **values) for start, values in told))
    lake.resample()
    return lake


def _as_received(market: Market) -> Any:
    for symbol, rows in market.days.items():
        for row in rows:
            day = row["session"]
            name = "OLD" if symbol == "NEW" and day < RENAMED else symbol
            was = 2.0 if symbol == "SPLIT" and day < SPLIT else 1.0
            values = {each: row[each] * was for each in ("open", "high", "low", "close")}
            yield {"symbol": name, "date": day, **values, "volume": row["volume"] / was}


def runs_of(lake: Lake) -> DryRuns:
    """Return what runs rules on a lake."""
    return DryRuns(lake.reader, MergedReader(lake.reader))


def rule_of(condition: dict[str, Any], symbol: str = "PLAIN", **said: Any) -> dict[str, Any]:
    """Return a rule as JSON that fires whenever its condition becomes true."""
    always = {"repeat": True, "cooldown_seconds": 0}
    return {"symbol": symbol, "when": condition, **always, **said}


levels = st.integers(30 * 16, 70 * 16).map(lambda sixteenths: sixteenths / 16)
_relations = st.sampled_from(["above", "below", "crosses", "crosses_up", "crosses_down"])


@st.composite
def price_conditions(draw: st.DrawFn) -> dict[str, Any]:
    """A condition on prices."""
    return {"kind": "price", "relation": draw(_relations), "level": draw(levels)}


@st.composite
def bar_conditions(draw: st.DrawFn, intervals: tuple[str, ...]) -> dict[str, Any]:
    """A condition on bars of some intervals."""
    state = draw(st.sampled_from(["final", "forming"]))
    same = {"interval": draw(st.sampled_from(intervals)), "state": state}
    if same["interval"] in INTRADAY:
        same["hours"] = draw(st.sampled_from(["regular", "extended"]))
    # Powers of two: a mean of sixteenths is exact.
    count = draw(st.sampled_from([1, 2, 4]))
    kind = draw(st.sampled_from(["level", "average", "range", "volume"]))
    if kind == "volume":
        return {
            "kind": "volume",
            "times": draw(st.sampled_from([0.5, 1.25])),
            "average": count,
        } | same
    than = {"level": draw(levels)} if kind == "level" else {kind: count}
    relation = draw(_relations if kind != "range" else st.sampled_from(["above", "below"]))
    return {"kind": "close", "relation": relation, "than": than} | same


@st.composite
def conditions(draw: st.DrawFn, intervals: tuple[str, ...]) -> dict[str, Any]:
    """Any condition, combined ones among them."""
    leaf = price_conditions() | bar_conditions(intervals) | moves()
    if draw(st.booleans()):
        parts = draw(st.lists(leaf, min_size=2, max_size=3))
        return {"kind": draw(st.sampled_from(["all", "any"])), "of": parts}
    return draw(leaf)


@st.composite
def moves(draw: st.DrawFn) -> dict[str, Any]:
    """A move over some sessions."""
    percent = draw(st.sampled_from([1, 3, 8]))
    return {"kind": "move", "percent": percent, "window": draw(st.sampled_from(["1d", "5d"]))}
