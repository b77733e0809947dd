"""The hub of this process: what changes in the view goes through it to all who subscribed.

    flow ──► News ──► board ──► each event's JSON once ──► turns ──► subscribers
    view, lake ──► reads (threads) ──► what channels begin with, bars of sessions ──┘

All of it but the reads happens in one event loop: news are handed out, some of those who have any
are written to, and so on. So one frame has all that there is for its subscriber, and the busier the
machine, the more there is in each.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from lake.errors import StoreError
from serving_layer.stream.board import Board
from serving_layer.stream.frames import pieces, written
from serving_layer.stream.lane import Lane
from serving_layer.stream.reads import Reads, Seen, vanished_json
from serving_layer.stream.subscriber import Due, first_due
from serving_layer.stream.turns import Turns

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from serving_layer.stream.channel import Channel, State
    from serving_layer.stream.channels import ChannelName
    from serving_layer.stream.flow import Flow, Listener, News
    from serving_layer.stream.subscriber import Subscriber

_log = structlog.get_logger(__name__)
_TICK_S: Final = 0.25
_SOON_S: Final = 0.02
"""How often those who are behind are looked after."""
_LOOK_S: Final = 1.0
"""How often the lake is asked whether batch has committed."""
_MERGED_S: Final = 0.5
_MOST_IDLE: Final = 20_000
TOO_SLOW: Final = 4008
FAILED: Final = 1011
Found = TypeVar("Found")


class Hub:
    """Channels, and who subscribed to them.

    It listens while there are channels; one that nobody subscribes to is let go after a while,
    and one that has nothing to tell at once.

    Args:
        flow: The view's changes.
        reads: What channels begin with.
        seconds: A clock that only goes forward.
        idle_s: For how long a channel is kept that nobody subscribes to.
        stalled_s: For how long a subscriber may take nothing while changes wait for it.
    """

    def __init__(
        self,
        flow: Flow,
        reads: Reads,
        *,
        seconds: Callable[[], float] = time.monotonic,
        idle_s: float = 60.0,
        stalled_s: float = 30.0,
    ) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.is_away = False
        self._flow = flow
        self._reads = reads
        self._seconds = seconds
        self._idle_s = idle_s
        self._stalled_s = stalled_s
        self.board = Board()
        self._subscribers: dict[Subscriber, None] = {}
        self._idle: dict[Channel, None] = {}
        """What nobody subscribes to, in the order in which it became so."""
        self._turns = Turns(self._boundary)
        self._gaps = 0
        self._seen = Seen()
        self._ticked = 0.0
        self._task: asyncio.Task[None] | None = None
        self._prices = Lane(self._read_prices, at_once=10_000)
        self._bars = Lane(self._read_bars, at_once=16)
        self._markets = Lane(self._read_market, at_once=1, share=0.5)
        self._merged = Lane(self._read_merged, at_once=8, pace_s=_MERGED_S, share=0.5)

    def subscribe(
        self,
        subscriber: Subscriber,
        names: Iterable[ChannelName],
        resume: Mapping[ChannelName, int] | None = None,
        *,
        is_ours: bool = True,
    ) -> None:
        """Let a connection be told of channels: snapshots first, or what changed since it left.

        Args:
            subscriber: The connection.
            names: Which channels; of those that it has already, there is a new snapshot.
            resume: The seq up to which it was told of some.
            is_ours: Whether it was this stream that told it.
        """
        self._subscribers[subscriber] = None
        for name in names:
            channel = self.board.get(name) or self._opened(name)
            subscriber.channels[channel.text] = channel
            channel.subscribers[subscriber] = None
            self._idle.pop(channel, None)
            due = first_due(channel, (resume or {}).get(name), is_ours=is_ours)
            if channel.is_loaded:
                subscriber.due[channel] = due
            else:
                channel.waiting[subscriber] = due
        now = self._seconds()
        if self.is_away:
            subscriber.answer(now, self.status())
        self._turns.write(subscriber, now)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[ChannelName]) -> None:
        """Tell a connection no more of some channels; of those that it has not, nothing happens."""
        if subscriber.out:
            self._turns.write(subscriber, self._seconds())
        for name in names:
            channel = self.board.get(name)
            if channel is not None and subscriber in channel.subscribers:
                del channel.subscribers[subscriber]
                channel.waiting.pop(subscriber, None)
                subscriber.drop(channel)
                if not channel.subscribers:
                    self._rest(channel)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        self.unsubscribe(subscriber, [each.name for each in subscriber.channels.values()])
        self._subscribers.pop(subscriber, None)

    def status(self) -> dict[str, Any]:
        """Return how the view is, and how far batch has come, as it is told."""
        live = "away" if self.is_away else "merged"
        return {"type": "status", "live": live, "boundary": self._seen.daily}

    def hear(self, news: News) -> None:
        """Take in what changed, and tell the first of those who subscribed to it."""
        if news.is_away != self.is_away:
            self.is_away = news.is_away
            self._tell_status()
        if news.is_gap:
            self._lose()
        self.board.hear(news)
        self._hand_out()
        self._write_some()

    async def _run(self) -> None:
        try:
            async with self._flow.listen() as listener:
                await self._listen(listener)
        except Exception:  # noqa: BLE001 - else all would wait for what never comes
            _log.exception("the stream failed")
            for subscriber in self._subscribers:
                subscriber.outlet.end(FAILED, "The stream failed: subscribe again.")
        finally:
            self._task = None
            self._forget_all()

    async def _listen(self, listener: Listener) -> None:
        await self._look_at_lake()
        lanes = (self._prices, self._bars, self._markets, self._merged)
        work = [self._watch_lake(), *(lane.run() for lane in lanes)]
        beside = [asyncio.ensure_future(each) for each in work]
        try:
            while len(self.board):
                news = await listener.take(self._patience_s())
                if news is None:
                    self._write_some()
                else:
                    self.hear(news)
                self._tick()
                for task in beside:
                    if task.done():
                        task.result()  # it never ends but by an error, which is ours as well
        finally:
            # Threads cannot be cancelled: a process that ends would wait for them.
            self._reads.end()
            for task in beside:
                task.cancel()

    def _patience_s(self) -> float:
        """Return how long there is nothing to do but to wait for news."""
        if self._turns:
            return 0
        return _SOON_S if any(each.is_behind for each in self._subscribers) else _TICK_S

    def _hand_out(self) -> None:
        """Hand what moved to those who keep pace; of the others it is noted what they lack."""
        moved = self.board.moved()
        for name in moved.stale:
            self._merged.ask(name)
        for channel, (seq, events) in moved.events.items():
            self._fan_out(channel, seq, events)
        for complete in self.board.completed():
            text = written(self._seen.told_of(complete))[1:]
            for channel in complete.channels:
                told = b'{"type":"complete","channel":%b,%b' % (written(channel.text), text)
                for subscriber in channel.subscribers:
                    subscriber.complete(channel, complete.start, told)
                    self._turns.add(subscriber)
        self._turns.shorten()

    def _fan_out(self, channel: Channel, seq: int, events: list[bytes]) -> None:
        parts = pieces(events)
        for subscriber in channel.subscribers:
            if subscriber.is_behind:
                subscriber.due.setdefault(channel, Due("changes", seq))
            elif subscriber.out:  # in line already
                subscriber.out += parts
            else:
                subscriber.out += parts
                self._turns.add(subscriber)

    def _write_some(self) -> None:
        now = self._seconds()
        self._turns.write_some(now)
        self._turns.catch_up(self._subscribers, now)

    def _tick(self) -> None:
        """Now and then, close who is stalled, and let go of channels that nobody needs."""
        now = self._seconds()
        if now - self._ticked < _TICK_S:
            return
        self._ticked = now
        for subscriber in self._subscribers:
            subscriber.look(now)
            if subscriber.is_behind and now - subscriber.taken_at > self._stalled_s:
                reason = f"Too slow: nothing was taken for {self._stalled_s:.0f} s."
                subscriber.outlet.end(TOO_SLOW, reason)
        for channel in takewhile(lambda each: now - each.empty_since > self._idle_s, [*self._idle]):
            self._let_go(channel)

    def _opened(self, name: ChannelName) -> Channel:
        markets = self.board.markets()
        channel = self.board.open(name)
        self._ask(name)
        for market in self.board.markets():
            if market not in markets:
                self._markets.ask(market)
        return channel

    def _ask(self, name: ChannelName) -> None:
        """Let it be read what a channel begins with."""
        if name.interval is None:
            self._prices.ask(name)
        elif name.is_merged:
            self._merged.ask(name)
        elif name.is_market:
            self._markets.ask(name)
        else:
            self._bars.ask(name)

    def _rest(self, channel: Channel) -> None:
        """Keep what nobody subscribes to, for who comes back, as far as there is anything in it."""
        channel.empty_since = self._seconds()
        self._idle[channel] = None
        if channel.is_loaded and not channel.has_items:
            self._let_go(channel)
        elif len(self._idle) > _MOST_IDLE:
            self._let_go(next(iter(self._idle)))

    def _let_go(self, channel: Channel) -> None:
        self._idle.pop(channel, None)
        markets = self.board.markets()
        self.board.close(channel)
        for market in set(markets).difference(self.board.markets()):
            self._markets.forget(market)
        for lane in (self._prices, self._bars, self._merged):
            lane.forget(channel.name)

    def _forget_all(self) -> None:
        for subscriber in self._subscribers:
            for channel in list(subscriber.channels.values()):
                subscriber.drop(channel)
        for channel in self.board:
            self._let_go(channel)
        self._subscribers.clear()
        self._turns.clear()
        self.is_away = False

    def _lose(self) -> None:
        """Read all anew: the view has lost changes."""
        self._gaps += 1
        for market in self.board.markets():
            barrier = self.board.barrier(market)
            if barrier is not None:
                barrier.unlearn()
            self._markets.ask(market)
        for channel in self.board:
            channel.lost_at = channel.seq
            self._ask(channel.name)

    async def _read_prices(self, names: Sequence[ChannelName]) -> None:
        found = await self._read(partial(self._reads.prices, names))
        for name, states in zip(names, found or (), strict=False):
            self._begin(name, states)

    async def _read_bars(self, names: Sequence[ChannelName]) -> None:
        found = await self._read(lambda: [self._reads.bars(name) for name in names])
        for name, states in zip(names, found or (), strict=False):
            self._begin(name, states)

    async def _read_market(self, names: Sequence[ChannelName]) -> None:
        found = await self._read(partial(self._reads.market, names[0]))
        barrier = self.board.barrier(names[0])
        if found is not None and barrier is not None:
            self._begin(names[0], found.states)
            barrier.learn(found.known)
            self._tell()

    async def _read_merged(self, names: Sequence[ChannelName]) -> None:
        begun = {name: channel.seq for name in names if (channel := self.board.get(name))}
        found = await self._read(lambda: [self._reads.merged(name) for name in names])
        for name, states in zip(names, found or (), strict=False):
            channel = self.board.get(name)
            if channel is None:
                continue
            if states is None:
                self._merged.ask(name)
            elif channel.lost_at is not None:
                self._begin(name, states)
            else:
                seq = channel.seq
                gone = partial(vanished_json, name)
                events = channel.update(states, gone, begun.get(name, 0))
                self.board.tell(channel, seq, events)
        self._tell()

    def _tell(self) -> None:
        """Tell all what moved."""
        self._hand_out()
        self._turns.write_all(self._seconds())

    async def _read(self, work: Callable[[], Found]) -> Found | None:
        """Return what is read in a thread; None where there was a gap since: it is read again."""
        gaps = self._gaps
        found = await asyncio.to_thread(work)
        return found if gaps == self._gaps else None

    def _begin(self, name: ChannelName, states: Sequence[State]) -> None:
        """Let a channel begin with what was read: at first, or anew after a gap."""
        channel = self.board.get(name)
        if channel is None or channel.lost_at is None:
            return
        if channel.is_loaded:
            for subscriber in channel.subscribers:
                subscriber.lose(channel)
        channel.reset(states, channel.lost_at)
        for subscriber, due in channel.waiting.items():
            subscriber.due[channel] = due
        channel.waiting.clear()
        now = self._seconds()
        for subscriber in channel.subscribers:
            self._turns.write(subscriber, now)

    async def _watch_lake(self) -> None:
        """Tell that batch has committed, and read anew what it moves."""
        while True:
            await asyncio.sleep(_LOOK_S)
            before = self._seen
            await self._look_at_lake()
            is_moved = (before.daily, before.minute) != (self._seen.daily, self._seen.minute)
            if is_moved:
                self._tell_status()
            if is_moved or before.sign != self._seen.sign:
                for channel in self.board:
                    if channel.name.is_merged:
                        self._merged.ask(channel.name)

    async def _look_at_lake(self) -> None:
        try:
            self._seen = await asyncio.to_thread(self._reads.seen)
        except StoreError as error:
            _log.info("the boundary cannot be read", error=str(error))

    def _tell_status(self) -> None:
        now = self._seconds()
        for subscriber in self._subscribers:
            subscriber.answer(now, self.status())

    def _boundary(self, channel: Channel) -> dt.date | None:
        return self._seen.boundary(channel.name.interval)
