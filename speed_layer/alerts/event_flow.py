"""The flow of events as alerts see it: prices, complete bars, and bars as they form.

    events   10:00:58  10:01:01   10:01:04  |  10:01:05.2      | a batch ends wherever it may
    seen     tick      tick       tick         1m bar of 10:00, tick
                                               complete at 10:01:00, and 5 s of grace over

A tick and a complete bar, what is in it, its time and its place among the ticks, are a function of
the order of the events alone: told again from the session's begin, all of it is the same again. How
a bar looks while it forms is told at the end of each batch: that is a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from lake.alerts.seen import SeenBar, Tick
from lake.event import OPEN_CLOSE
from lake.interval import DAILY
from lake.live_bars import MINUTE_US
from speed_layer.alerts.ends import Ends
from speed_layer.alerts.following import NEVER, Following
from speed_layer.alerts.wanted import Wanted, with_extremes
from speed_layer.engine import Engine

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from lake.alerts.history import BarsKey
    from lake.alerts.seen import Seen
    from lake.bar import Hours, State
    from lake.event import Kind
    from lake.session import SessionTable
    from speed_layer.engine.engine import Heard

_LASTS: Final = {"trade": 0, "second": 1_000_000, "minute": MINUTE_US}
"""How long after its time a statement's price was paid, in microseconds."""
_VOLUME_DIGITS: Final = 6
"""Of shares: whole sizes add up exactly; of fractions the last digits tell how they were added."""
_DAY: Final = str(DAILY)
_BAR: Final = ("symbol", "interval", "session", "hours", "start")
_PRICES: Final = ("open", "high", "low", "close")
Values: TypeAlias = tuple[float, float, float, float, float]
"""Open, high, low, close and volume."""


class EventFlow:
    """Turns events into what alerts see; of one thread.

    Args:
        table: The sessions.
        kind: Of the events that count.
        grace: How long after its end a bar still takes what comes late.
        begin: Where what is told begins, in microseconds: a session's dawn where all of the session
            is told, else the present. What is older is late.
        rows: Of earlier changes; others among them are passed over.
        resumed: The clock when what was made of the flow was kept: until it is past this, no bar is
            told as it forms, which it was before.
        kept: What `reached` was then: what came before it did is made into bars again, but not
            told.
    """

    def __init__(  # noqa: PLR0913 - what it is told, and how it was
        self,
        table: SessionTable,
        *,
        kind: Kind,
        grace: dt.timedelta,
        begin: int,
        rows: Mapping[str, str] | None = None,
        resumed: int = -1,
        kept: int = -1,
    ) -> None:
        self._engine = Engine(table, kind=kind, lateness=grace)
        self._engine.clock = begin - 1
        self._is_trades = kind == "trade"
        self._lasts = _LASTS[kind]
        self._grace = round(grace.total_seconds() * 1_000_000)
        self._ends = Ends(table)
        self._resumed = resumed
        self._kept = kept
        self._running = -1
        self._wanted = Wanted()
        self._following = Following(rows or {})
        self._is_aimed = False

    @property
    def clock(self) -> int:
        """The latest time that events told, in microseconds."""
        return self._engine.clock

    @property
    def reached(self) -> int:
        """The latest time that events told which count, heartbeats apart: those are not recorded.

        Told again, what comes before events reach it was seen by now; it never goes back.
        """
        return max(self._kept, self._running)

    @property
    def symbols(self) -> frozenset[str]:
        """Those followed."""
        return self._following.symbols

    def lacking(self, session: dt.date) -> frozenset[str]:
        """Return the symbols whose bars are made since some instant of a session only.

        Of these its 1d bar is not told, which would lack what came before.
        """
        self._make_bars()
        dawn, since = self._ends.dawn(session), self._following.bars_since
        return frozenset(symbol for symbol in self.symbols if dawn <= since(symbol) < NEVER)

    def follow(self, symbols: Collection[str]) -> None:
        """Tell of these symbols from now on, and of no others.

        Of one that was not followed, what is told comes after the present of the clock, and its
        bars begin after it: no bar lacks its begin. A row tells since when, which holds again where
        the flow is told again.
        """
        self._following.follow(symbols, self.clock)
        self._is_aimed = False

    def want(self, keys: Collection[BarsKey] | None, forming: Collection[BarsKey] | None) -> None:
        """Tell these bars alone of the symbols followed.

        Where no bar of a symbol was wanted before, those are told that begin after the present.

        Args:
            keys: Of complete bars; None: all.
            forming: Of bars as they form; None: all. Those of more than a session are made of the
                1d bar, which is told for them.
        """
        self._wanted = Wanted.of(keys, forming)
        self._is_aimed = False

    def changed(self) -> dict[str, str | None]:
        """Return the rows that changed since the last call; None: there is none any more."""
        self._make_bars()
        return self._following.changed()

    def take(self, events: pl.DataFrame) -> list[Seen]:
        """Return what is seen of events, in the order in which it counts.

        Args:
            events: Schema `EVENTS`, judged, in the order of the record.
        """
        if events.is_empty():
            return []
        self._make_bars()
        self._following.forget_others()
        before = self.clock
        heard = self._engine.hear(events)
        told, made = self._following.of(events.get_column("symbol"))
        is_told, is_made = (heard.is_ours & (heard.clock > since) for since in (told, made))
        is_told &= self._is_new(events, heard)
        bars = self._engine.apply(_only(events, is_made), heard=heard.only(is_made)).bars
        place, ticks = self._ticks(_only(events, is_told), np.flatnonzero(is_told))
        seen: list[Seen] = [*ticks]
        is_over = (before - self._grace) // MINUTE_US != (self.clock - self._grace) // MINUTE_US
        if is_over and self.clock >= self._kept:
            seen = _among(place, ticks, heard.clock, sorted(self._complete(bars), key=_order))
        if self.clock > self._resumed:
            seen.extend(self._forming(bars))
        return seen

    def _is_new(self, events: pl.DataFrame, heard: Heard) -> NDArray[np.bool_]:
        """Return which events were maybe not taken when what was made of the flow was kept."""
        told = np.where(heard.is_ours, events.get_column("time").to_numpy(), self._running)
        running = np.maximum(np.maximum.accumulate(told), self._running)
        self._running = int(running[-1])
        return running >= self._kept

    def _make_bars(self) -> None:
        """Let bars be made of whom they are wanted of: of whom prices are seen alone, none are."""
        if not self._is_aimed:
            self._following.make_bars(self._wanted.symbols, self.clock)
            self._is_aimed = True

    def _ticks(
        self, events: pl.DataFrame, place: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], list[Tick]]:
        """Return the prices among events, and where each is, given where these are."""
        price = events.get_column("price").to_numpy()
        is_price = ~(events.get_column("cancelled").to_numpy() | np.isnan(price))
        if self._is_trades:
            is_price &= (events.get_column("moves").to_numpy() & OPEN_CLOSE) > 0
        if not is_price.all():
            events, price, place = events.filter(is_price), price[is_price], place[is_price]
        time = events.get_column("time").to_numpy() + self._lasts
        columns = (events.get_column("symbol").to_list(), time.tolist())
        sequence = events.get_column("sequence").to_list()
        return place, list(map(Tick, *columns, sequence, price.tolist()))

    def _complete(self, bars: pl.DataFrame) -> Iterator[SeenBar]:
        """Yield those that are complete now; of sessions, batch tells which are."""
        is_it = (bars.get_column("state") == "final") & (bars.get_column("interval") != _DAY)
        for symbol, interval, session, hours, start, values in _rows(bars.filter(is_it)):
            is_whole = start > self._following.bars_since(symbol)
            if is_whole and self._wanted.is_final((symbol, interval, hours)):
                time = self._ends.of(interval, session)[start] + self._grace
                if time < self._kept:
                    continue
                yield _bar((symbol, interval, hours), start, time, values, "final")

    def _forming(self, bars: pl.DataFrame) -> Iterator[SeenBar]:
        """Yield those that changed, as they are now; that of the day to its end."""
        if self._wanted.forming == frozenset():
            return
        time, is_day = self.clock, bars.get_column("interval") == _DAY
        rows = _rows(bars.filter((bars.get_column("state") == "forming") | is_day))
        for symbol, interval, session, hours, start, values in rows:
            if self._wanted.is_forming((symbol, interval, hours)):
                begin = self._ends.dawn(session) if interval == _DAY else start
                if begin > self._following.bars_since(symbol):
                    yield _bar((symbol, interval, hours), start, time, values, "forming")


def _only(events: pl.DataFrame, which: NDArray[np.bool_]) -> pl.DataFrame:
    return events if which.all() else events.filter(which)


def _rows(bars: pl.DataFrame) -> Iterator[tuple[str, str, dt.date, Hours, int, Values]]:
    """Yield symbol, interval, session, hours, start and values of those that are bars."""
    told = with_extremes(bars.filter(bars.get_column("open").is_not_null()))
    columns = [told.get_column(name).to_list() for name in (*_BAR, *_PRICES)]
    volume = told.get_column("volume").to_numpy().round(_VOLUME_DIGITS)
    values = zip(*columns[len(_BAR) :], volume.tolist(), strict=True)
    yield from zip(*columns[: len(_BAR)], values, strict=True)


def _bar(key: BarsKey, start: int, time: int, values: Values, state: State) -> SeenBar:
    symbol, interval, hours = key
    open_, high, low, close, volume = values
    return SeenBar(symbol, interval, hours, start, time, open_, high, low, close, volume, state)


def _order(bar: SeenBar) -> tuple[int, str, int, str]:
    return (bar.time, bar.symbol, -bar.start, bar.interval)


def _among(
    place: NDArray[np.int64], ticks: list[Tick], clock: NDArray[np.int64], bars: list[SeenBar]
) -> list[Seen]:
    """Return ticks and complete bars, each bar before the first event at or after its time.

    Args:
        place: Of each tick among the events.
        ticks: In order.
        clock: At each event.
        bars: In order.
    """
    event = clock.searchsorted([bar.time for bar in bars])
    seen: list[Seen] = []
    done = 0
    for bar, until in zip(bars, place.searchsorted(event).tolist(), strict=True):
        seen.extend(ticks[done:until])
        seen.append(bar)
        done = until
    seen.extend(ticks[done:])
    return seen
