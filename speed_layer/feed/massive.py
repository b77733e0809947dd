"""Massive's socket as a source: connected again for ever, and what was missed asked of REST."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import structlog

from lake.errors import VendorError
from lake.massive_symbols import massive_symbol
from speed_layer.feed.filling import Filler, Span, Unfinished
from speed_layer.feed.health import Gap
from speed_layer.feed.inbox import Inbox
from speed_layer.feed.massive_events import NAME, Reader, topics_of
from speed_layer.feed.massive_readers import Address, Listener, read
from speed_layer.feed.massive_rest import MassiveRest
from speed_layer.feed.recorder import Known
from speed_layer.feed.source import Delivery

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from lake.event import Kind
    from speed_layer.feed.health import Health
    from speed_layer.feed.massive_readers import ReaderName

_log = structlog.get_logger(__name__)
_MOST: Final = 20_000
_ROOM_S: Final = 0.002
_SECOND_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _SECOND_US
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
    fill_hours: float = 96.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _Frame:
    received: int
    text: str | bytes


class _Resumed:
    """The socket tells events from here on."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """All that REST tells of a span came before this."""

    span: Span


_Item = _Frame | _Resumed | _Filled | pl.DataFrame


class Massive:
    """The source `massive`.

    Args:
        plan: What it is asked for.
        health: Told how it goes.
        known: What is recorded already: what came since is asked of REST first.
        unfinished: A file that names what is being asked of REST, for the next run.
    """

    name = NAME

    def __init__(
        self,
        plan: Plan,
        health: Health,
        known: Known | None = None,
        *,
        unfinished: Path | None = None,
    ) -> None:
        self._plan = plan
        self._health = health
        self._inbox: Inbox[_Item] = Inbox(plan.queue, sheds=plan.sheds, health=health)
        self._reader = Reader()
        known = known or Known()
        self._unfinished = Unfinished(unfinished)
        self._until = self._unfinished.earliest(known.until)
        self._symbols = set(plan.symbols or known.symbols)
        self._asked_since: int | None = None
        self._recorded: list[Span] = []
        self._filler = Filler(
            MassiveRest(plan.rest, plan.key),
            lambda events: self._inbox.put(events, events.height),
            lambda span: self._inbox.mark(_Filled(span)),
            health,
            settle_s=plan.settle_s,
        )
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="massive", daemon=True)

    def start(self) -> None:
        """Connect, and go on for ever."""
        self._thread.start()

    def take(self, timeout_s: float) -> Delivery | None:
        """Return what came.

        Raises:
            VendorKeyError: If Massive refuses the key.
        """
        # Whoever takes again has recorded what was taken before.
        while self._recorded:
            self._unfinished.end(self._recorded.pop())
        items = self._inbox.take(timeout_s, _MOST)
        if items is None:
            return None
        told: list[Delivery] = []
        frames: list[tuple[int, str | bytes]] = []
        for item in items:
            if isinstance(item, _Frame):
                frames.append((item.received, item.text))
                continue
            told.append(self._read(frames))
            frames = []
            if isinstance(item, _Resumed):
                self._resume()
            elif isinstance(item, _Filled):
                self._recorded.append(item.span)
            else:
                told.append(Delivery(item))
        told.append(self._read(frames))
        if len(told) == 1:
            return told[0]
        return Delivery(
            pl.concat([each.events for each in told]),
            [bad for each in told for bad in each.malformed],
        )

    def now_us(self) -> int:
        """Return the present."""
        return time.time_ns() // 1000

    def close(self) -> None:
        """Disconnect."""
        self._inbox.close()
        if self._thread.is_alive():
            with suppress(RuntimeError):  # it ends by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        elif not self._loop.is_closed():
            self._loop.close()
        self._filler.close()

    def _read(self, frames: list[tuple[int, str | bytes]]) -> Delivery:
        delivery = self._reader.frames(frames)
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
        if new and self._asked_since is not None:
            self._fill(self._asked_since, new)

    def _resume(self) -> None:
        """Ask for what came between the last event and now."""
        if self._until is None:
            return
        now = self.now_us()
        since = self._until - int(self._plan.overlap_s * _SECOND_US)
        oldest = now - self._plan.fill_hours * _HOUR_US
        if since < oldest:
            self._health.gap(Gap(since, int(oldest), "unfilled", told="it is too long ago"))
            since = int(oldest)
        self._health.count("outages")
        self._asked_since = min(self._asked_since or now, since)
        self._fill(since, self._symbols)

    def _fill(self, since: int, symbols: Collection[str]) -> None:
        span = Span(since, self.now_us(), frozenset(symbols), self._plan.kinds)
        self._unfinished.begin(span)
        self._filler.fill(span)

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
        self._inbox.mark(_Resumed())

    async def _heard(self, text: str | bytes) -> None:
        received = time.time_ns() // 1000
        mark = '"ev"' if isinstance(text, str) else b'"ev"'
        events = text.count(mark)  # type: ignore[arg-type] # of the same kind
        # Room is made in another thread, which knows no event loop.
        while not self._inbox.offer(_Frame(received, text), events, received):  # noqa: ASYNC110
            await asyncio.sleep(_ROOM_S)
