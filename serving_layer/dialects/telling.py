"""What all sockets of dialects are told, of one look at what changes; of one event loop.

    flow  ──► Minutes ──► minutes, days ──► Audience of Massive's ──► Outbox of a socket ...
    relay ──► trades, seconds ───────────► Audience of Alpaca's  ──► Outbox ...

It looks while somebody is subscribed, and no longer.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from lake.errors import ViewError
from lake.hours import HOURS
from lake.interval import DAILY, MINUTE
from serving_layer.dialects.audience import Audience
from serving_layer.dialects.dialect import ALL, Said
from serving_layer.dialects.minutes import MINUTE_US, Minutes
from serving_layer.stream.flow import bar_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    import polars as pl

    from lake.event import Kind
    from lake.live import LiveBars
    from serving_layer.dialects.dialect import Dialect, Stream, Topic
    from serving_layer.dialects.outbox import Item, Outbox
    from serving_layer.dialects.relay import Relay
    from serving_layer.stream.flow import BarRow, Flow, News

    Work = Callable[[], Coroutine[None, None, None]]

_log = structlog.get_logger(__name__)
_TICK_S: Final = 0.1
_DAYS_S: Final = 1.0
_PACE_S: Final = 0.005
_MOST_EVENTS: Final = 1_000
"""Made into messages at once: others of the event loop have their turn in between."""
_OF_BARS: Final[tuple[Stream, ...]] = ("minutes", "changed minutes", "days")
_OF_EVENTS: Final[dict[Stream, Kind]] = {"trades": "trade", "seconds": "second"}


class Telling:
    """Tells the sockets of all dialects what they are subscribed to.

    Args:
        live: The realtime view; None: there is no live feed.
        flow: Its changes.
        relay: The events of this process's feed; None: it has none.
    """

    def __init__(self, live: LiveBars | None, flow: Flow | None, relay: Relay | None) -> None:
        self._live = live
        self._flow = flow
        self._relay = relay
        self._audiences: dict[Dialect, Audience] = {}
        self._minutes = Minutes()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def told(self) -> int:
        """How many messages sockets were to be told so far, of each each one."""
        return sum(each.told for each in tuple(self._audiences.values()))

    def why_not(self, stream: Stream) -> str | None:
        """Return why a stream is not told here; None: it is."""
        if self._flow is None:
            return "there is no live feed here."
        if stream in _OF_BARS:
            return None
        kind = self._relay.kind if self._relay else None
        if kind is None:
            return f"{stream} are told by the server that has the feed, which this one has not."
        if kind != _OF_EVENTS[stream]:
            return f"the feed of this server tells {kind}s, and no {stream}."
        return None

    def subscribe(self, dialect: Dialect, outbox: Outbox, topics: Collection[Topic]) -> None:
        """Let a socket be told of topics, all of which are told here."""
        audience = self._audiences.setdefault(dialect, Audience(dialect))
        audience.add(outbox, topics)
        self._look()

    def unsubscribe(self, dialect: Dialect, outbox: Outbox, topics: Collection[Topic]) -> None:
        """Let a socket be told of topics no more."""
        if dialect in self._audiences:
            self._audiences[dialect].remove(outbox, topics)
            self._look()

    def _look(self) -> None:
        """Let what somebody needs be looked at, and nothing else."""
        self._let("bars", self._tell_bars, is_needed=bool(self._symbols(*_OF_BARS, "seconds")))
        self._let("events", self._tell_events, is_needed=bool(self._symbols(*_OF_EVENTS)))

    def _let(self, name: str, work: Work, *, is_needed: bool) -> None:
        has_failed = name in self._tasks and self._tasks[name].done()
        if is_needed and (has_failed or name not in self._tasks):
            self._tasks[name] = asyncio.create_task(self._working(work), name=name)
        elif not is_needed and name in self._tasks:
            self._tasks.pop(name).cancel()

    async def _working(self, work: Work) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - else all would wait for nothing, unawares
            _log.exception("telling the sockets of dialects failed")
            # Each may connect again, and then it begins anew.
            for audience in self._audiences.values():
                audience.end(Said.AWAY, *_OF_BARS, *_OF_EVENTS)

    def _symbols(self, *streams: Stream) -> set[str]:
        audiences = self._audiences.values()
        return {symbol for audience in audiences for symbol in audience.symbols(*streams)}

    async def _tell_bars(self) -> None:
        assert self._flow is not None  # noqa: S101 - subscribed to; tells mypy so
        self._minutes = Minutes()
        days_s = time.monotonic()
        async with self._flow.listen() as listener:
            while True:
                news = await listener.take(_TICK_S)
                if news:
                    await self._take(news)
                self._tell_minutes()
                if time.monotonic() - days_s >= _DAYS_S:
                    days_s = time.monotonic()
                    self._tell_days()

    async def _take(self, news: News) -> None:
        times = [price.time for price in news.prices if price.price is not None]
        self._minutes.take(news.bars, times, time.monotonic())
        if news.is_gap:
            bars = await asyncio.to_thread(self._read, self._symbols(*_OF_BARS, "seconds"))
            self._minutes.take(bars, (), time.monotonic())

    def _read(self, symbols: set[str]) -> list[BarRow]:
        """Return the bars of which changes may have been lost."""
        assert self._live is not None  # noqa: S101 - as of the flow
        kept_since = self._minutes.kept_since
        rows: list[BarRow] = []
        try:
            if ALL in symbols:
                symbols = set(self._live.price()["symbol"])
            for symbol in sorted(symbols):
                rows += bar_rows(self._live.bars(symbol, DAILY))
                for hours in HOURS:
                    rows += bar_rows(self._live.bars(symbol, MINUTE, hours))
        except ViewError as error:
            # Once it is back, there is another gap.
            _log.info("bars were not read anew", error=error.fact)
        return [row for row in rows if row.interval == "1d" or row.start + MINUTE_US > kept_since]

    def _tell_minutes(self) -> None:
        due = self._minutes.over(time.monotonic())
        if not due:
            return
        for audience in self._audiences.values():
            if not audience.symbols("minutes", "changed minutes"):
                continue
            items: dict[Stream, list[Item]] = {}
            for minute in due:
                stream, item = audience.dialect.minute(minute)
                items.setdefault(stream, []).append(item)
            for stream, some in items.items():
                audience.tell(stream, some)

    def _tell_days(self) -> None:
        changed = self._minutes.changed_days()
        for audience in self._audiences.values():
            if audience.symbols("days"):
                items = (audience.dialect.day(bar) for bar in changed)
                audience.tell("days", [item for item in items if item])

    async def _tell_events(self) -> None:
        assert self._relay is not None  # noqa: S101 - likewise
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def on_news() -> None:
            # A loop that has ended listens no more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)

        ear = self._relay.listen(on_news)
        try:
            while True:
                await news.wait()
                # What comes meanwhile goes together.
                await asyncio.sleep(_PACE_S)
                news.clear()
                frames, lost = ear.take()
                for frame in frames:
                    await self._relayed(frame)
                if lost:
                    _log.warning("events were not relayed: too many came at once", count=lost)
                    for audience in self._audiences.values():
                        audience.end(Said.SLOW, *_OF_EVENTS)
        finally:
            ear.close()

    async def _relayed(self, events: pl.DataFrame) -> None:
        stream: Stream = "trades" if events["kind"].item(0) == "trade" else "seconds"
        for some in events.iter_slices(_MOST_EVENTS):
            for audience in self._audiences.values():
                if audience.symbols(stream):
                    audience.tell(stream, audience.dialect.events(some, self._minutes.days))
            await asyncio.sleep(0)
