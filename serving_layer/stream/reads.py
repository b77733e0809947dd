"""What channels begin with: read from the realtime view and the lake, in threads.

Nothing here is called by an event loop: it would wait.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lake.errors import EmptyLakeError, UnknownSymbolError, ViewError
from lake.exchange import ZONE
from lake.hours import hours_of
from lake.instant import from_microseconds, microseconds
from lake.interval import DAILY, MINUTE
from serving_layer.query import BarsQuery
from serving_layer.stream.channel import State
from serving_layer.stream.flow import bar_rows, price_rows
from serving_layer.stream.frames import bar_json, price_json, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from lake.interval import Interval
    from lake.live import LiveBars
    from lake.session import SessionTable
    from serving_layer.merged import MergedReader
    from serving_layer.stream.board import Complete
    from serving_layer.stream.channel import Key
    from serving_layer.stream.channels import ChannelName
    from serving_layer.stream.flow import BarRow, PriceRow

_RECENT: Final = 2
"""Bars of a symbol that a channel of all symbols, or of sessions, begins with."""
_STARTS: Final = 40
_AT_ONCE: Final = 20
_REST_S: Final = 0.002
"""After so many symbols, that others may have the processor."""
_TOLD: Final = (
    *("open", "high", "low", "close", "volume", "vwap", "trades"),
    *("sessions", "sessions_expected", "through", "state", "revision"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the lake says of itself.

    Attributes:
        daily: The last session whose days batch has committed; None before the first.
        minute: The last one whose minutes it has.
        table: The sessions; None where there is none yet.
        sign: Changes whenever batch has committed bars, of sessions that had some as well.
    """

    daily: dt.date | None = None
    minute: dt.date | None = None
    table: SessionTable | None = None
    sign: str | None = None

    def boundary(self, interval: Interval | None) -> dt.date | None:
        """Return the last session that batch has committed of an interval."""
        return self.minute if interval is not None and interval.is_intraday else self.daily

    def end(self, interval: Interval, start: int) -> dt.datetime:
        """Return when a live bar ends: where its interval does, or its hours.

        Args:
            interval: An intraday one, or 1d, whose bars end with the extended hours.
            start: Of the bar, in microseconds.
        """
        begun = from_microseconds(start)
        session = begun.date() if interval == DAILY else begun.astimezone(ZONE).date()
        if self.table is None or self.table.ordinal(session) is None:
            return begun + dt.timedelta(minutes=interval.minutes or 24 * 60)
        hours = hours_of(session, self.table)
        if interval == DAILY:
            return hours.dusk
        _, lengths = hours.buckets(interval.minutes)
        minute = (begun - hours.dawn) // dt.timedelta(minutes=1)
        lasting = int(lengths[minute]) if 0 <= minute < len(lengths) else interval.minutes
        return begun + dt.timedelta(minutes=lasting)

    def told_of(self, complete: Complete) -> dict[str, Any]:
        """Return what is said of a start that is complete."""
        begun = from_microseconds(complete.start)
        return {
            "interval": str(complete.interval),
            "start": begun.date() if complete.interval == DAILY else begun,
            "end": self.end(complete.interval, complete.start),
            "symbols": complete.symbols,
        }


class MarketBars(NamedTuple):
    """The latest bars of all symbols.

    Attributes:
        states: The last ones of each.
        known: Of those that a barrier waits for: symbol, start, and whether it is final.
    """

    states: list[State]
    known: list[tuple[str, int, bool]]


class Reads:
    """Reads of one view and one lake.

    Args:
        live: The view that tells changes: its versions are compared with theirs.
        reader: Of the lake and the view.
    """

    def __init__(self, live: LiveBars, reader: MergedReader) -> None:
        self._live = live
        self._reader = reader
        self._count = itertools.count(1)
        self._ended = threading.Event()

    def seen(self) -> Seen:
        """Return the boundary and the sessions as they are now.

        Raises:
            StoreError: If the lake cannot be read.
        """
        # Read first: what is committed meanwhile is seen the next time.
        sign = self._reader.sign()
        try:
            table = self._reader.sessions()
        except EmptyLakeError:
            table = None
        return Seen(self._reader.boundary(DAILY), self._reader.boundary(MINUTE), table, sign)

    def prices(self, names: Sequence[ChannelName]) -> list[list[State]]:
        """Return what channels of prices begin with, in one look at the view.

        Raises:
            ViewError: If it does not answer.
        """
        is_all = any(name.is_market for name in names)
        prices = self._live.price(None if is_all else [name.symbol for name in names])
        states = {row.symbol: price_state(row) for row in price_rows(prices)}
        return [
            list(states.values())
            if name.is_market
            else [states[name.symbol]]
            if name.symbol in states
            else []
            for name in names
        ]

    def bars(self, name: ChannelName) -> list[State]:
        """Return what a channel of one symbol's minutes or hours begins with: its latest session.

        Raises:
            ViewError: If the view does not answer.
        """
        assert name.interval is not None  # noqa: S101 - of bars; tells mypy so
        rows = bar_rows(self._live.bars(name.symbol, name.interval, name.hours))
        latest = max((row.session for row in rows), default=None)
        return [bar_state(row) for row in rows if row.session == latest]

    def market(self, name: ChannelName) -> MarketBars:
        """Return the latest bars of all symbols, of the interval and the hours of a channel.

        It takes a while, and leaves time to others.

        Raises:
            ViewError: If the view does not answer, or `end` was called meanwhile.
        """
        assert name.interval is not None  # noqa: S101 - likewise
        ended = self._ended
        found = MarketBars([], [])
        symbols = self._live.price()["symbol"].to_list()
        for at in range(0, len(symbols), _AT_ONCE):
            for symbol in symbols[at : at + _AT_ONCE]:
                bars = self._live.bars(symbol, name.interval, name.hours)
                found.states.extend(map(bar_state, bar_rows(bars.tail(_RECENT))))
                found.known.extend(_known(bars.tail(_STARTS)))
            if ended.wait(_REST_S):
                fact = f"The read for {name} was ended: nobody needs it."
                raise ViewError(fact)
        return found

    def merged(self, name: ChannelName) -> list[State] | None:
        """Return the last bars of sessions of a symbol: the lake's, and the view's merged into it.

        Returns:
            None where the view does not answer: the lake's alone would be a step back.

        Raises:
            StoreError: If the lake cannot be read.
            ViewError: If the view went away meanwhile.
        """
        assert name.interval is not None  # noqa: S101 - likewise
        count = next(self._count)
        query = BarsQuery((name.symbol,), name.interval, descending=True, limit=_RECENT)
        try:
            found = self._reader.found(query)
        except (UnknownSymbolError, EmptyLakeError):
            return []
        if found.live == "away":
            return None
        # Read last: what came since the merge is news that this read may tell as well.
        days = self._live.bars(name.symbol, DAILY) if name.interval == DAILY else None
        states = [_merged_state(name, row, count) for row in found.bars.to_pylist()]
        return [*states[1:], *_today(days, states, found.boundary)] if states else []

    def end(self) -> None:
        """Let the long reads that are under way end soon; those after them are not concerned."""
        ended, self._ended = self._ended, threading.Event()
        ended.set()


def price_state(row: PriceRow) -> State:
    """Return a price as an item of channels."""
    rank = (row.session.toordinal(), row.version)
    return State((row.symbol, 0), rank, rank[0], price_json(row), row.price is None)


def bar_state(row: BarRow) -> State:
    """Return a live bar as an item of channels."""
    session = row.session.toordinal()
    is_vanished = row.close is None
    return State((row.symbol, row.start), (0, row.version), session, bar_json(row), is_vanished)


def vanished_json(name: ChannelName, key: Key) -> bytes:
    """Return that a bar of sessions is no more."""
    start = from_microseconds(key[1]).date()
    nothing = dict.fromkeys(("open", "high", "low", "close", "vwap", "trades", "minutes"))
    told: dict[str, Any] = {"symbol": key[0], "interval": str(name.interval), "start": start}
    return written(told | nothing | {"volume": 0.0, "vanished": True})


def _merged_state(name: ChannelName, row: dict[str, Any], count: int) -> State:
    told: dict[str, Any] = {"symbol": name.symbol, "interval": str(name.interval)}
    told |= {"start": row["start"], "minutes": None} | {each: row[each] for each in _TOLD}
    start = microseconds(dt.datetime.combine(row["start"], dt.time(), dt.UTC))
    # What was merged later is later, and before it what the speed layer alone told.
    return State((name.symbol, start), (1, count), row["start"].toordinal(), written(told))


def _today(
    days: pl.DataFrame | None, states: Sequence[State], boundary: dt.date | None
) -> Iterator[State]:
    """Yield the last of some merged bars: a day that is live as the view tells it, version and all.

    So its changes, which come as versions, can be told apart from what is known already.
    """
    latest = states[0]
    if days is not None and (boundary is None or latest.session > boundary.toordinal()):
        # Where the view tells it no more, any version that it tells later is later.
        latest = latest._replace(rank=(0, 0))
        for row in bar_rows(days.tail(1)):
            if row.session.toordinal() == latest.session and row.close is not None:
                latest = bar_state(row)
    yield latest


def _known(bars: pl.DataFrame) -> Iterator[tuple[str, int, bool]]:
    rows = bars.select("symbol", "start", "state").iter_rows()
    return ((symbol, start, state == "final") for symbol, start, state in rows)
