"""What a rule would have seen of the past, session by session, in order of time.

    1d     open      low     high      close                each daily bar as a path of prices,
        ───┼─────────┼───────┼─────────┼──┬──────►          then the bars that end with it
           09:30     11:40   13:50     16:00 1d 13d
    1m     o h l c 5m o h l c ...                           each minute likewise

Nothing counts before it was known: a bar counts at its end, and behind the prices that made it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from lake.alerts.history import forming_keys
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.hours import hours_of
from lake.instant import microseconds
from lake.interval import DAILY, Interval
from lake.live_bars import MINUTE_US, keyed
from serving_layer.alerts.forming import Forming
from serving_layer.alerts.path import STEPS, path_of, times_of
from serving_layer.alerts.stored import seen_bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lake.alerts.book import Book
    from lake.alerts.history import BarsKey
    from lake.alerts.rule import Rule
    from lake.bar import Hours
    from lake.hours import SessionHours
    from lake.session import SessionTable
    from serving_layer.alerts.stored import Seens, StoredBars

Key: TypeAlias = "tuple[Interval, Hours]"
FinalBars: TypeAlias = "Mapping[Key, Seens]"
"""Final bars, by interval and hours."""
_SESSIONS_A_READ: Final = 63
_PATH: Final = ("open", "high", "low", "close")


class Part(NamedTuple):
    """What is seen in a session, or in a part of it.

    Attributes:
        session: Which; they are in order.
        seen: In order; may be nothing.
        has_prices: Whether there are prices of it, looked at or not.
    """

    session: dt.date
    seen: list[Seen]
    has_prices: bool


@dataclass(frozen=True)
class Wanted:
    """What a rule looks at.

    Attributes:
        prices: Whether it looks at prices.
        final: The bars that it looks at, by interval and hours.
        forming: Those that it looks at while they form, too.
    """

    prices: bool
    final: frozenset[Key]
    forming: frozenset[Key]

    @classmethod
    def of(cls, rule: Rule, book: Book) -> Wanted:
        """Return what a rule looks at, which alone is in a book."""
        final, forming = (
            frozenset((Interval.parse(interval), hours) for _, interval, hours in keys)
            for keys in (book.wants(), forming_keys([rule]))
        )
        return cls(bool(book.symbols), final, forming & final)


def in_order(wanted: Iterable[Key]) -> list[Key]:
    """Return the shorter intervals first: of bars that end at once, they count first."""
    return sorted(wanted, key=lambda key: (key[0].sessions, key[0].minutes, key[1]))


class DailyFlow:
    """What daily bars tell.

    Args:
        wanted: By the rule.
        final: The bars of each, and of days.
        table: The sessions of the exchange.
    """

    def __init__(self, wanted: Wanted, final: FinalBars, table: SessionTable) -> None:
        self._wanted = wanted
        self._final = final
        self._table = table

    def seen(self, first: dt.date, last: dt.date) -> Iterator[Part]:
        """Yield what is seen in the sessions [first, last]."""
        table = self._table
        days = dict(self._final[DAILY, "regular"].by_session(first, last))
        prices = self._prices(days) if self._wanted.prices else {}
        ending = ending_in(self._wanted.final, self._final, first, last)
        forming = forming_of(self._wanted, self._final, table)
        for ordinal in table.ordinals(first, last):
            session = table[ordinal]
            seen: list[Seen] = [*prices.get(session, ()), *ending.get(session, ())]
            day = days.get(session)
            if day is not None:
                seen += [each.with_(day) for each in forming if not each.ends_with(session)]
            yield Part(session, sorted(seen, key=_time), day is not None)

    def _prices(self, days: Mapping[dt.date, SeenBar]) -> dict[dt.date, list[Tick]]:
        """Return by session the prices that its bar is taken to have had."""
        ordinals = map(self._table.ordinal, days)
        opens = [microseconds(self._table.opens[ordinal or 0]) for ordinal in ordinals]
        bars = list(days.values())
        closes = np.array([bar.time for bar in bars], dtype=np.int64)
        values = ([getattr(bar, name) for bar in bars] for name in _PATH)
        prices = path_of(*(np.array(each) for each in values)).tolist()
        times = times_of(np.array(opens, dtype=np.int64), closes).tolist()
        symbol = bars[0].symbol if bars else ""
        steps = range(STEPS)
        return {
            session: list(map(Tick, repeat(symbol), of_times, steps, of_prices))
            for session, of_times, of_prices in zip(days, times, prices, strict=True)
        }


class MinuteFlow:
    """What minutes tell.

    Args:
        wanted: By the rule.
        final: The bars of each, and of days.
        stored: Reads minutes.
    """

    def __init__(self, wanted: Wanted, final: FinalBars, stored: StoredBars) -> None:
        self._wanted = wanted
        self._final = final
        self._stored = stored
        self._table = stored.table

    def seen(self, first: dt.date, last: dt.date) -> Iterator[Part]:
        """Yield what is seen in the sessions [first, last]."""
        table = self._table
        days = dict(self._final[DAILY, "regular"].by_session(first, last))
        ending = ending_in(self._wanted.final, self._final, first, last)
        forming = forming_of(self._wanted, self._final, table)
        ordinals = table.ordinals(first, last)
        for begin in range(ordinals.start, ordinals.stop, _SESSIONS_A_READ):
            end = min(begin + _SESSIONS_A_READ, ordinals.stop)
            minutes = self._stored.minutes(table[begin], table[end - 1])
            of_session = minutes.partition_by("session", as_dict=True)
            for session in (table[ordinal] for ordinal in range(begin, end)):
                behind = ending.get(session, [])
                if session in days:
                    whole = [each for each in forming if not each.ends_with(session)]
                    behind = [*behind, *(each.with_(days[session]) for each in whole)]
                told = of_session.get((session,))
                hours = hours_of(session, table)
                seen = list[Seen](sorted(behind, key=_time))
                if told is not None:
                    seen = self._session(told, hours, seen, forming)
                yield Part(session, seen, told is not None)

    def _session(
        self,
        minutes: pl.DataFrame,
        hours: SessionHours,
        ending: Sequence[Seen],
        forming: Sequence[Forming],
    ) -> list[Seen]:
        """Return the prices of a session's minutes, and the bars where each counts."""
        ticks, is_first = (
            _ticks_of_minutes(minutes, self._stored.symbol)
            if self._wanted.prices
            else ([], np.empty(0, dtype=np.int64))
        )
        seen: list[Seen] = [*ticks, *self._forming_bars(minutes, hours, forming), *ending]
        # Of what is at once, a minute's last price is first, then bars, then the next one's first.
        places = np.array([each.time for each in seen], dtype=np.int64) * 2
        places[: len(ticks)] += is_first
        return [seen[place] for place in np.argsort(places, kind="stable").tolist()]

    def _forming_bars(
        self, minutes: pl.DataFrame, hours: SessionHours, forming: Sequence[Forming]
    ) -> list[SeenBar]:
        found: list[SeenBar] = []
        symbol = self._stored.symbol
        for interval, of_hours in in_order(self._wanted.forming):
            if interval.is_intraday:
                found += _forming_in(minutes, hours, interval, of_hours, symbol)
        if (DAILY, "regular") in self._wanted.forming or forming:
            today = _forming_day(minutes, hours, symbol)
            if (DAILY, "regular") in self._wanted.forming:
                found += today
            found += [each.with_(day) for each in forming for day in today]
        return found


def ending_in(
    keys: Iterable[Key], final: FinalBars, first: dt.date, last: dt.date
) -> dict[dt.date, list[SeenBar]]:
    """Return the final bars of some keys, by the session of [first, last] in which they count."""
    found: dict[dt.date, list[SeenBar]] = defaultdict(list)
    for key in in_order(keys):
        for session, bar in final[key].by_session(first, last):
            found[session].append(bar)
    return found


def forming_of(wanted: Wanted, final: FinalBars, table: SessionTable) -> list[Forming]:
    """Return the bars of several sessions that a rule looks at while they form."""
    days = final[DAILY, "regular"]
    intervals = [interval for interval, _ in in_order(wanted.forming) if interval.sessions > 1]
    return [Forming(interval, days, table) for interval in intervals]


def _time(seen: Seen) -> int:
    return seen.time


def _ticks_of_minutes(minutes: pl.DataFrame, symbol: str) -> tuple[list[Tick], np.ndarray]:
    """Return the prices of minutes in order, and of each 1 where it is the first of its minute."""
    values = (minutes[name].to_numpy() for name in _PATH)
    start = minutes["start"].to_numpy()
    prices = path_of(*values).ravel().tolist()
    times = times_of(start, start + MINUTE_US).ravel().tolist()
    is_first = np.tile([1] + [0] * (STEPS - 1), len(start))
    steps = range(len(times))
    return list(map(Tick, repeat(symbol), times, steps, prices)), is_first


def _forming_in(
    minutes: pl.DataFrame, hours: SessionHours, interval: Interval, of_hours: Hours, symbol: str
) -> list[SeenBar]:
    """Return the bars of minutes or hours as each minute leaves them, but where it ends them."""
    told = keyed(minutes.with_columns(minute="start").drop("start"), hours, interval)
    told = told.filter(pl.col("hours") == of_hours).select(
        "start",
        time=pl.col("minute") + MINUTE_US,
        end="end",
        **_running("start"),
    )
    open_ones = told.filter(pl.col("time") < pl.col("end"))
    key = symbol, str(interval), of_hours
    return seen_bars(key, open_ones["start"], open_ones["time"], open_ones, "forming")


def _forming_day(minutes: pl.DataFrame, hours: SessionHours, symbol: str) -> list[SeenBar]:
    """Return the bar of the day as each minute of regular hours leaves it.

    As the speed layer has it: its prices are of regular hours alone, its volume is of all.
    """
    told = minutes.with_columns(pl.col("volume").cum_sum().alias("so_far"))
    told = told.filter("is_regular").select(
        time=pl.col("start") + MINUTE_US, **{**_running("session"), "volume": pl.col("so_far")}
    )
    told = told.filter(pl.col("time") < microseconds(hours.close))
    start = microseconds(dt.datetime.combine(hours.session, dt.time(), dt.UTC))
    key: BarsKey = symbol, str(DAILY), "regular"
    return seen_bars(key, repeat(start), told["time"], told, "forming")


def _running(group: str) -> dict[str, pl.Expr]:
    """Return a bar's values as they are with each of its minutes, in order."""
    return {
        "open": pl.col("open").first().over(group),
        "high": pl.col("high").cum_max().over(group),
        "low": pl.col("low").cum_min().over(group),
        "close": pl.col("close"),
        "volume": pl.col("volume").cum_sum().over(group),
    }
