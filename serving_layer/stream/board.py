"""The board: all channels of this process, and what news moves on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from lake.interval import DAILY
from serving_layer.stream.barrier import Barrier
from serving_layer.stream.channel import Channel
from serving_layer.stream.channels import ALL, ChannelName
from serving_layer.stream.reads import bar_state, price_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lake.interval import Interval
    from serving_layer.stream.channel import State
    from serving_layer.stream.flow import BarRow, News, PriceRow

_DAY: Final = str(DAILY)
_PRICE: Final = "price"


@dataclass(slots=True)
class Moved:
    """What moved since it was taken last.

    Attributes:
        events: Of each channel: its seq before, and the events after it, in their order.
        stale: Channels of bars of sessions that are to be read anew.
    """

    events: dict[Channel, tuple[int, list[bytes]]] = field(default_factory=dict)
    stale: set[ChannelName] = field(default_factory=set)


class Complete(NamedTuple):
    """A start whose known bars are all final.

    Attributes:
        interval: Of the bars.
        start: In microseconds.
        symbols: How many have one.
        channels: Those that are told.
    """

    interval: Interval
    start: int
    symbols: int
    channels: Sequence[Channel]


class Board:
    """The channels, by what moves them.

    Attributes:
        told: How many events subscribers were to be told so far, of each each one.
    """

    def __init__(self) -> None:
        self._channels: dict[ChannelName, Channel] = {}
        self._routes: dict[tuple[str, str, str], Channel] = {}
        """By symbol, interval (or `price`), and hours."""
        self._by_day: dict[str, set[Channel]] = {}
        """Of each symbol those that its bar of the day moves."""
        self._barriers: dict[tuple[str, str], tuple[ChannelName, Barrier]] = {}
        self._by_barrier: dict[tuple[str, str], set[Channel]] = {}
        """Those that each barrier tells of."""
        self._highest = 0
        self._moved = Moved()
        self.told = 0

    def __len__(self) -> int:
        return len(self._channels)

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._channels.values()))

    def get(self, name: ChannelName) -> Channel | None:
        """Return a channel, if it is open."""
        return self._channels.get(name)

    def open(self, name: ChannelName) -> Channel:
        """Open a channel. Its seq is higher than any of that name was in this process."""
        self._highest += 1
        channel = self._channels[name] = Channel(name, self._highest)
        self._routes[_route(name)] = channel
        if name.is_merged:
            self._by_day.setdefault(name.symbol, set()).add(channel)
        if key := _barrier_key(name):
            self._by_barrier.setdefault(key, set()).add(channel)
            if key not in self._barriers:
                market = ChannelName(ALL, name.interval, name.hours)
                self._barriers[key] = (market, Barrier())
        return channel

    def close(self, channel: Channel) -> None:
        """Close a channel, and the barrier of its interval if no other needs it."""
        name = channel.name
        self._highest = max(self._highest, channel.seq)
        del self._channels[name]
        del self._routes[_route(name)]
        if name.is_merged:
            self._by_day[name.symbol].discard(channel)
            if not self._by_day[name.symbol]:
                del self._by_day[name.symbol]
        if key := _barrier_key(name):
            self._by_barrier[key].discard(channel)
            if not self._by_barrier[key]:
                del self._by_barrier[key], self._barriers[key]

    def barrier(self, market: ChannelName) -> Barrier | None:
        """Return the barrier of an interval's bars, by the name of its channel of all symbols."""
        key = _barrier_key(market)
        return self._barriers[key][1] if key in self._barriers else None

    def markets(self) -> list[ChannelName]:
        """Return of which intervals and hours there are barriers, as channels of all symbols."""
        return [market for market, _ in self._barriers.values()]

    def hear(self, news: News) -> None:
        """Take in what changed."""
        for price in news.prices:
            self._hear_price(price)
        for bar in news.bars:
            self._hear_bar(bar)

    def put(self, channel: Channel, state: State) -> bool:
        """Take in a state of an item, and return whether it is news."""
        seq = channel.seq
        event = channel.put(state)
        if event is None:
            return False
        self.tell(channel, seq, (event,))
        return True

    def tell(self, channel: Channel, seq: int, events: Iterable[bytes]) -> None:
        """Let events be told of a channel whose seq was `seq` before; none before it is loaded."""
        if channel.is_loaded:
            for event in events:
                self.told += len(channel.subscribers)
                self._moved.events.setdefault(channel, (seq, []))[1].append(event)

    def moved(self) -> Moved:
        """Return what moved since the last call."""
        moved, self._moved = self._moved, Moved()
        return moved

    def completed(self) -> Iterator[Complete]:
        """Yield the starts that are complete since the last call."""
        for key, (market, barrier) in self._barriers.items():
            for start, symbols in barrier.completed():
                channels = [each for each in self._by_barrier[key] if each.is_loaded]
                assert market.interval is not None  # noqa: S101 - of bars; tells mypy so
                yield Complete(market.interval, start, symbols, channels)

    def _hear_price(self, row: PriceRow) -> None:
        one = self._routes.get((row.symbol, _PRICE, ""))
        every = self._routes.get((ALL, _PRICE, ""))
        if one or every:
            state = price_state(row)
            for channel in filter(None, (one, every)):
                self.put(channel, state)

    def _hear_bar(self, row: BarRow) -> None:
        key = (row.interval, row.hours)
        if key in self._barriers:
            self._barriers[key][1].hear(
                row.symbol,
                row.start,
                is_final=row.state == "final",
                is_vanished=row.close is None,
            )
        one = self._routes.get((row.symbol, *key))
        every = self._routes.get((ALL, *key))
        if one or every:
            state = bar_state(row)
            if every:
                self.put(every, state)
            if one and not one.name.is_merged:
                self.put(one, state)
        if row.interval == _DAY and row.symbol in self._by_day:
            self._hear_day(row)

    def _hear_day(self, row: BarRow) -> None:
        """Let a day move the bars of sessions it is in: its own at once, if it is today's."""
        for channel in self._by_day[row.symbol]:
            is_today = row.session.toordinal() >= channel.latest_session
            is_own = channel.name.interval == DAILY and is_today
            if not (is_own and self.put(channel, bar_state(row))):
                self._moved.stale.add(channel.name)


def _route(name: ChannelName) -> tuple[str, str, str]:
    if name.interval is None:
        return name.symbol, _PRICE, ""
    return name.symbol, str(name.interval), name.hours


def _barrier_key(name: ChannelName) -> tuple[str, str] | None:
    """Return which barrier tells of a channel's bars; None: none does."""
    interval = name.interval
    if interval is None or not (interval.is_intraday or interval == DAILY):
        return None
    return str(interval), name.hours
