"""Massive's socket as a source: connected again for ever, and what was missed asked of REST."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import structlog

from lake.clock import SystemClock
from lake.errors import VendorError
from lake.instant import microseconds
from lake.massive_symbols import massive_symbol
from speed_layer.feed.filling import Asked, Filler
from speed_layer.feed.hearing import Hearing
from speed_layer.feed.inbox import Inbox
from speed_layer.feed.massive_events import NAME, Reader, topics_of
from speed_layer.feed.massive_readers import Address, Listener, read
from speed_layer.feed.massive_rest import MassiveRest
from speed_layer.feed.recorder import Known
from speed_layer.feed.source import Delivery
from speed_layer.feed.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Collection

    from lake.clock import Clock
    from lake.coverage import Span
    from lake.event import Kind
    from lake.hours import Timetable
    from speed_layer.feed.health import Health
    from speed_layer.feed.massive_readers import ReaderName

_log = structlog.get_logger(__name__)
_MOST: Final = 20_000
_ROOM_S: Final = 0.002
_SECOND_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _SECOND_US
_UNHEARD_US: Final = 80 * _SECOND_US
# A connection that held as long is no failure to be waited longer for.
_HELD_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What Massive is asked for, and how.

    Attributes:
        socket: As wss://socket.massive.com.
        rest: As https://api.massive.com.
        key: The API key.
        kinds: Of events.
        symbols: Whose, as the lake spells them; none: all.
        reader: The official client, or ours.
        queue: How many events may wait.
        sheds: Whether events are given up where more come.
        overlap_s: How much of what came before an outage is asked for again: trades come out of
            order, their clocks differ, and what is restated in an outage printed before it.
        settle_s: How long after an outage REST is asked.
        again_s: How long after that it is first asked again for what it did not tell; and how
            long after it was asked for frames that could not be read, for more of them.
        fill_hours: How far back it is asked.
        first_pause_s: Up to how long the first pause is before the socket is connected again.
        longest_pause_s: Up to how long any is.
    """

    socket: str
    rest: str
    key: str = field(repr=False)
    kinds: tuple[Kind, ...] = ("trade",)
    symbols: tuple[str, ...] = ()
    reader: ReaderName = "official"
    queue: int = 200_000
    sheds: bool = False
    overlap_s: float = 900.0
    settle_s: float = 2.0
    again_s: float = 30.0
    fill_hours: float = 96.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _Frame:
    received: int
    text: str | bytes


@dataclass(frozen=True, slots=True)
class _Resumed:
    """The socket tells events from here on."""

    at: int


@dataclass(frozen=True, slots=True)
class _Lost:
    """The socket tells none from here on."""

    at: int


@dataclass(frozen=True, slots=True)
class _Shed:
    """Here events were given up, since then, and until then or to the end."""

    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class _Filled:
    """All that REST tells of a span came before this."""

    outcome: list[Span]


_Item = _Frame | _Resumed | _Lost | _Shed | _Filled | pl.DataFrame


class Massive:
    """The source `massive`.

    Args:
        plan: What it is asked for.
        health: Told how it goes.
        known: What is recorded already: what came since, or is missing, is asked of REST first.
        days: The hours of sessions: of one that has begun, what came since 04:00.
        clock: Tells the present.
    """

    name = NAME

    def __init__(
        self,
        plan: Plan,
        health: Health,
        known: Known | None = None,
        *,
        days: Timetable | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._health = health
        self._known = known or Known()
        self._days = days.days if days else ()
        self._clock = clock or SystemClock()
        self._inbox: Inbox[_Item] = Inbox(plan.queue, _Shed if plan.sheds else None, health)
        health.queued = lambda: self._inbox.waiting
        self._items: deque[_Item] = deque()
        self._reader = Reader()
        self._hearing = Hearing(plan.kinds, plan.symbols)
        self._unread = Unread(
            self._hearing,
            overlap_us=int(plan.overlap_s * _SECOND_US),
            pace_us=int(plan.again_s * _SECOND_US),
        )
        self._until = self._known.until
        self._symbols = set(plan.symbols or self._known.symbols)
        self._begun: int | None = None
        self._asked: tuple[int, int] | None = None
        self._filler = Filler(
            MassiveRest(plan.rest, plan.key),
            lambda events: self._inbox.put(events, events.height),
            lambda outcome: self._inbox.mark(_Filled(outcome)),
            health,
            settle_s=plan.settle_s,
            again_s=plan.again_s,
        )
        self._loop: asyncio.AbstractEventLoop  # from the start on: whoever never starts holds none
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="massive", daemon=True)

    def start(self) -> None:
        """Connect, and go on for ever."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def take(self, timeout_s: float) -> Delivery | None:
        """Return what came.

        Raises:
            VendorKeyError: If Massive refuses the key.
        """
        asked_at = self.now_us()
        self._ask_unread(asked_at)
        if not self._items:
            items = self._inbox.take(timeout_s, _MOST)
            if items is None:
                heard = self._hearing.end()
                return Delivery(after=heard) if heard else None
            self._items.extend(items)
        return self._delivery(asked_at)

    def _delivery(self, asked_at: int) -> Delivery:
        """Return what the items are, up to one that tells of a loss: that is to be noted first."""
        before: list[Span] = []
        after: list[Span] = []
        told: list[Delivery] = []
        frames: list[tuple[int, str | bytes]] = []
        is_idle = not self._items
        # Until its pings are missed, a connection that is none looks like a quiet one.
        until = asked_at - _UNHEARD_US if is_idle else 0
        first = self._items[0] if self._items else None
        if isinstance(first, _Resumed | _Shed):
            self._items.popleft()
            before += self._lacks(first)
        while self._items and not isinstance(self._items[0], _Resumed | _Shed):
            item = self._items.popleft()
            if isinstance(item, _Frame):
                frames.append((item.received, item.text))
                until = item.received
                continue
            told.append(self._read(frames, after))
            frames = []
            if isinstance(item, _Lost):
                after += self._hearing.end(item.at)
            elif isinstance(item, _Filled):
                before += [span for span in item.outcome if span.why == "unfilled"]
                after += [span for span in item.outcome if span.why == "filled"]
            elif isinstance(item, pl.DataFrame):
                told.append(Delivery(item))
        told.append(self._read(frames, after))
        events = [each.events for each in told if each.events.height] or [told[0].events]
        malformed = [bad for each in told for bad in each.malformed]
        after += self._hearing.go_on(until)
        return Delivery(pl.concat(events), malformed, before, after, is_idle=is_idle)

    def now_us(self) -> int:
        """Return the present."""
        return microseconds(self._clock.now())

    def close(self) -> None:
        """Disconnect."""
        self._inbox.close()
        if self._thread.is_alive():
            with suppress(RuntimeError):  # it ends by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._filler.close()

    def _read(self, frames: list[tuple[int, str | bytes]], notes: list[Span]) -> Delivery:
        """Return what frames tell; note what cannot be read of them."""
        delivery = self._reader.frames(frames)
        if delivery.malformed:
            last = self._until or self._begun or delivery.malformed[0].received
            notes += self._unread.found(delivery.malformed, last)
        if delivery.events.height:
            # What is stamped ahead of its receipt must not shorten a gap.
            told = [delivery.events[name].to_numpy() for name in ("time", "received")]
            last = int(np.minimum(*told).max())
            self._until = max(self._until or last, last)
            self._meet(delivery.events["symbol"])
        return delivery

    def _meet(self, symbols: pl.Series) -> None:
        """Note whose events come; whoever was quiet before an outage may have traded in it."""
        new = set(symbols.to_list()) - self._symbols
        self._symbols |= new
        if new and self._asked is not None:
            since, until = self._asked
            self._fill(max(since, self._oldest(until)), until, new)

    def _oldest(self, at: int) -> int:
        """Return since when REST is asked at the earliest."""
        return int(max(at - self._plan.fill_hours * _HOUR_US, 0))

    def _lacks(self, item: _Resumed | _Shed) -> list[Span]:
        """Return what is to be noted of a loss, and ask for what can be had of it."""
        if isinstance(item, _Resumed):
            self._hearing.begin(item.at)
            return self._resume(item.at)
        # What came then had printed before.
        since = item.since - int(self._plan.overlap_s * _SECOND_US)
        until = self.now_us() if item.until is None else item.until
        heard = self._hearing.skip(item.since, until)
        return [*heard, *self._hearing.lack(since, until, "shed", "the queue was full")]

    def _resume(self, at: int) -> list[Span]:
        """Ask for what came since the last event, and for what an earlier run did not have."""
        since, notes = self._missing_since(at), []
        oldest = self._oldest(at)
        if since is not None and since < oldest:
            notes += self._hearing.lack(since, oldest, "unfilled", "it is too long ago")
            since = oldest
        if since is not None:
            notes += self._hearing.lack(since, at, "lost", "the feed was not connected")
        known, self._known = self._known, Known()
        asks: defaultdict[int, set[str]] = defaultdict(set)
        for symbol in self._symbols:
            first = _earliest(since, known.lacking(symbol, oldest, at))
            if first is not None:
                asks[first].add(symbol)
        if not self._plan.symbols:
            since = _earliest(since, known.lacking(None, oldest, at))
        if since is not None:
            self._health.count("outages")
            self._asked = (min(self._asked[0] if self._asked else since, since), at)
        for first, symbols in sorted(asks.items()):
            self._fill(first, at, symbols)
        self._begun = self._begun or at
        return notes

    def _ask_unread(self, at: int) -> None:
        """Ask for what came and could not be read, if it is time to."""
        lost = self._unread.due(at)
        if lost is None:
            return
        if lost.symbols is None:
            since = min(self._asked[0], lost.since) if self._asked else lost.since
            self._asked = since, lost.until
        symbols = self._symbols if lost.symbols is None else lost.symbols
        if symbols:
            self._fill(lost.since, lost.until, symbols)

    def _missing_since(self, at: int) -> int | None:
        """Return since when nobody may have listened; of the first start ever, since 04:00."""
        last = self._until or self._begun
        if last is not None:
            return last - int(self._plan.overlap_s * _SECOND_US)
        begun = [microseconds(day.dawn) for day in self._days if microseconds(day.dusk) > at]
        return next((dawn for dawn in begun if dawn < at), None)

    def _fill(self, since: int, until: int, symbols: Collection[str]) -> None:
        self._filler.fill(Asked(since, until, frozenset(symbols), self._plan.kinds))

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._connect_for_ever())
            self._inbox.close()
        except VendorError as error:
            self._inbox.close(error)
        except Exception as error:  # noqa: BLE001 - told to whoever takes
            _log.exception("the source failed")
            self._inbox.close(error)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _connect_for_ever(self) -> None:
        topics = topics_of(self._plan.kinds, self._plan.symbols, massive_symbol)
        address = Address(self._plan.socket, self._plan.key)
        listener = Listener(self._heard, self._subscribed, self._health.said)
        stopping = asyncio.ensure_future(self._stopping.wait())
        failures = 0
        while not self._stopping.is_set():
            begun = time.monotonic()
            reading = asyncio.ensure_future(read(self._plan.reader, address, topics, listener))
            await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])
                return
            self._health.connected(is_subscribed=False)
            self._inbox.mark(_Lost(self.now_us()))
            why = reading.result()
            failures = 0 if time.monotonic() - begun > _HELD_S else failures + 1
            pause = self._pause_s(failures)
            self._health.said(why)
            _log.warning("disconnected", why=why, again_in_s=round(pause, 3))
            await asyncio.wait([stopping], timeout=pause)

    def _pause_s(self, failures: int) -> float:
        limit = min(
            self._plan.first_pause_s * 2 ** min(max(failures - 1, 0), 20),
            self._plan.longest_pause_s,
        )
        # Half of it at least: no loop is tight.
        return float(limit * (1 + random.random()) / 2)  # noqa: S311 - jitter is no secret

    def _subscribed(self) -> None:
        self._health.count("connections")
        self._health.connected(is_subscribed=True)
        self._inbox.mark(_Resumed(self.now_us()))

    async def _heard(self, text: str | bytes) -> None:
        received = self.now_us()
        mark = '"ev"' if isinstance(text, str) else b'"ev"'
        events = text.count(mark)  # type: ignore[arg-type] # of the same kind
        # Room is made in another thread, which knows no event loop.
        while not self._inbox.offer(_Frame(received, text), events, received):  # noqa: ASYNC110
            await asyncio.sleep(_ROOM_S)


def _earliest(*instants: int | None) -> int | None:
    return min((each for each in instants if each is not None), default=None)
