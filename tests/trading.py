"""Trading for tests: statements of the flow, and what they make of bars and prices, one by one.

`Oracle` is the law in plain Python: every engine is held to it. `Told` is what who follows an
engine's changes knows.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Final

import polars as pl

from lake.bar import NEUTRAL, Contribution, merge
from lake.eligibility import OUTSIDE
from lake.event import Event, Kind, contribution
from lake.exchange import compute_sessions
from lake.hours import hours_of
from lake.interval import DAILY, MINUTE_INTERVALS
from lake.session import SessionTable
from lake.wire import events_of
from tests.minutes import ZONE, Row, at, bucket

LATENESS: Final = dt.timedelta(minutes=15)
MINUTE_US: Final = 60_000_000
Identity = tuple[str, str, int, int]
BarKey = tuple[str, str, dt.date, str, int]
"""Symbol, interval, session, hours, start."""
BAR_KEY: Final = ("symbol", "interval", "session", "hours", "start")


@cache
def table() -> SessionTable:
    """Return the sessions to the end of 2026: what needs them makes them once."""
    return compute_sessions(dt.date(2026, 12, 31))


def micros(instant: dt.datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def trade(
    session: dt.date, time: str, price: float = 10.0, size: float = 100.0, **told: Any
) -> Event:
    """Return a trade at a time of the exchange, as `09:30:00.5`; it counts to the minute it is in.

    `minute="15:59"` makes it count to another one, as a closing print does.
    """
    stamp = micros(at(session, time))
    counted = told.pop("minute", None)
    minute = stamp - stamp % MINUTE_US if counted is None else micros(at(session, counted))
    received = told.pop("received", stamp + 1000)
    plain = Event("trade", told.pop("symbol", "AA"), stamp, minute=minute, price=price, size=size)
    return replace(plain, received=received, source=told.pop("source", "test"), **told)


def heartbeat(session: dt.date, time: str) -> Event:
    """Return what tells a time of the exchange, and nothing else."""
    stamp = micros(at(session, time))
    return Event("heartbeat", "", stamp, received=stamp, source="test")


def frame(events: Iterable[Event]) -> pl.DataFrame:
    """Return events as the stream carries them."""
    return events_of(asdict(event) for event in events)


def identity(event: Event) -> Identity:
    """Return of what an event is a statement."""
    return (event.symbol, event.kind, event.time, event.sequence)


@dataclass
class Oracle:
    """What the statements of one kind make, taken one by one.

    Attributes:
        table: The sessions.
        kind: The one that counts; others are foreign.
        lateness: How long after its end a minute can change.
        clock: The latest time of what was taken; foreign ones tell none.
        in_force: Of each thing, the statement of the highest revision.
        minutes: Of each thing, the minutes that it was ever stated of: a correction can make a
            closing print of a trade, or none. It is void in all but that of the one in force.
        late: What came too late to change a bar, in order.
        counts: accepted, duplicate, stale, late, foreign.
    """

    table: SessionTable
    kind: Kind = "trade"
    lateness: dt.timedelta = LATENESS
    clock: int = 0
    in_force: dict[Identity, Event] = field(default_factory=dict)
    minutes: dict[Identity, set[int]] = field(default_factory=dict)
    late: list[Event] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, events: Iterable[Event]) -> Oracle:
        """Take events in order of receipt, and return this."""
        for event in events:
            self._take(event)
        return self

    def _take(self, event: Event) -> None:
        if event.kind == "heartbeat":
            self.clock = max(self.clock, event.time)
            return
        if event.kind != self.kind or self._session(event.minute) is None:
            self.counts["foreign"] += 1
            return
        self.clock = max(self.clock, event.time)
        self.counts[self._fate(event)] += 1

    def _fate(self, event: Event) -> str:
        held, minutes = self.in_force.get(identity(event)), self.minutes.get(identity(event), set())
        if self._is_over(event.minute + MINUTE_US):
            self.late.append(event)
            return "late"
        is_higher = held is None or event.revision > held.revision
        if held is not None and not is_higher and event.minute in minutes:
            return "duplicate" if event.revision == held.revision else "stale"
        if is_higher and any(self._is_over(minute + MINUTE_US) for minute in minutes):
            # It would change a minute that no longer changes.
            self.late.append(event)
            return "late"
        self.minutes[identity(event)] = minutes | {event.minute}
        if is_higher:
            self.in_force[identity(event)] = event
        return "accepted"

    def _is_over(self, end: int) -> bool:
        return self.clock >= end + self.lateness // dt.timedelta(microseconds=1)

    def _session(self, minute: int) -> dt.date | None:
        instant = _instant(minute)
        session = instant.astimezone(ZONE).date()
        if minute == OUTSIDE or self.table.ordinal(session) is None:
            return None
        hours = hours_of(session, self.table)
        return session if hours.dawn <= instant < hours.dusk else None

    def bars(self) -> dict[BarKey, Row]:
        """Return the live bars, by their key."""
        made: dict[BarKey, tuple[int, Contribution, int, int]] = {}
        for (symbol, minute), events in sorted(self._minutes().items()):
            brought = _merged(events)
            weight = _weight(events)
            for key, end, share in self._shares(symbol, minute, brought):
                _, merged, minutes, weights = made.get(key, (0, NEUTRAL, 0, 0))
                grown = minutes + (brought != NEUTRAL)
                made[key] = (end, merge(merged, share), grown, weights + weight)
        return {
            key: self._row(key, end, merged, minutes, weight)
            for key, (end, merged, minutes, weight) in made.items()
            if merged.is_bar
        }

    def prices(self) -> dict[str, Row]:
        """Return the latest price of each symbol, of the latest session in which it has one."""
        prices: dict[str, Row] = {}
        for (symbol, session), events in sorted(self._days().items()):
            priced = [event for event in events if contribution(event).close is not None]
            if priced:
                last = max(priced, key=lambda event: (event.time, event.sequence))
                told = {"price": last.price, "time": last.time, "received": last.received}
                key = {"symbol": symbol, "session": session}
                version = {"source": last.source, "version": _weight(events)}
                prices[symbol] = {**key, **told, **version}
        return prices

    def _minutes(self) -> dict[tuple[str, int], list[Event]]:
        minutes: dict[tuple[str, int], list[Event]] = {}
        for thing, event in self.in_force.items():
            for minute in self.minutes[thing]:
                void = replace(event, minute=minute, cancelled=True)
                here = event if minute == event.minute else void
                minutes.setdefault((event.symbol, minute), []).append(here)
        return minutes

    def _days(self) -> dict[tuple[str, dt.date], list[Event]]:
        days: dict[tuple[str, dt.date], list[Event]] = {}
        for (symbol, minute), events in self._minutes().items():
            session = self._session(minute)
            assert session is not None
            days.setdefault((symbol, session), []).extend(events)
        return days

    def _shares(
        self, symbol: str, minute: int, brought: Contribution
    ) -> Iterable[tuple[BarKey, int, Contribution]]:
        """Yield the bars that a minute is in, when each ends, and what it brings there."""
        session = self._session(minute)
        assert session is not None
        for interval in MINUTE_INTERVALS:
            start, end, hours = bucket(_instant(minute), session, interval, self.table)
            yield (symbol, str(interval), session, hours, micros(start)), micros(end), brought
        midnight = micros(dt.datetime.combine(session, dt.time(), dt.UTC))
        unpriced = replace(brought, open=None, high=None, low=None, close=None)
        key = (symbol, str(DAILY), session, "regular", midnight)
        yield key, micros(at(session, "20:00")), brought if hours == "regular" else unpriced

    def _row(self, key: BarKey, end: int, merged: Contribution, minutes: int, weight: int) -> Row:
        is_final = self._is_over(end)
        return {
            **dict(zip(BAR_KEY, key, strict=True)),
            **{name: getattr(merged, name) for name in ("open", "high", "low", "close")},
            "volume": merged.volume,
            "vwap": merged.vwap,
            "trades": merged.trades,
            "minutes": minutes,
            "state": "final" if is_final else "forming",
            "version": 2 * weight + is_final,
        }


def _weight(events: list[Event]) -> int:
    return sum(1 + event.revision for event in events)


def _merged(events: list[Event]) -> Contribution:
    merged = NEUTRAL
    for event in sorted(events, key=lambda event: (event.time, event.sequence)):
        merged = merge(merged, contribution(event))
    return merged


def _instant(stamp: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=stamp)


@dataclass
class Told:
    """Bars and prices as their changes tell them, each in force by its version."""

    _bars: dict[BarKey, Row] = field(default_factory=dict)
    _prices: dict[tuple[str, dt.date], Row] = field(default_factory=dict)

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        """Take changes, schemas `LIVE_BARS` and `PRICES`."""
        for row in bars.to_dicts():
            key: BarKey = tuple(row[name] for name in BAR_KEY)
            if key not in self._bars or self._bars[key]["version"] < row["version"]:
                self._bars[key] = row
        for row in prices.to_dicts():
            day = (row["symbol"], row["session"])
            if day not in self._prices or self._prices[day]["version"] < row["version"]:
                self._prices[day] = row

    def forget(self) -> None:
        """Lose all."""
        self._bars.clear()
        self._prices.clear()

    @property
    def bars(self) -> dict[BarKey, Row]:
        """Those that there are."""
        return {key: row for key, row in self._bars.items() if row["open"] is not None}

    @property
    def prices(self) -> dict[str, Row]:
        """The latest that there are."""
        told = sorted(self._prices.values(), key=lambda row: row["session"])
        return {row["symbol"]: row for row in told if row["price"] is not None}


def assert_told(expected: Oracle, actual: Told) -> None:
    """Every bar and price is the oracle's, in every field; vwap to 1e-9."""
    assert expected.prices() == actual.prices
    bars = expected.bars()
    assert bars.keys() == actual.bars.keys()
    for key, bar in bars.items():
        told = actual.bars[key]
        assert {**bar, "vwap": None} == {**told, "vwap": None}
        assert _is_near(bar["vwap"], told["vwap"]), (key, bar["vwap"], told["vwap"])


def _is_near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
