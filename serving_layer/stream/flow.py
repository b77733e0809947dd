"""What changes in a realtime view, brought from one subscription to all who listen here.

    view ──► Changes ──► a thread of this process ──► listener, of an event loop ──► `News`
                                                 └──► listener ...

Whoever listens takes what changed since it took last: of one bar or price the latest state alone.
So a slow one holds up nobody, and has no more waiting than there are bars and prices.
"""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import structlog

from lake.errors import ViewError
from lake.live import LiveBars, Subscribable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Sequence

    import polars as pl

    from lake.bar import Hours, State
    from lake.live import Subscription
    from lake.trace import Traces

_log = structlog.get_logger(__name__)
_PACE_S: Final = 0.005
"""Between two looks: what changes meanwhile comes together, at a hundredth of the cost."""
_PATIENCE_S: Final = 0.2
"""How often the thread looks whether anybody still listens."""
_LONGEST_PAUSE_S: Final = 5.0
MOST_WAITING: Final = 200_000


class PriceRow(NamedTuple):
    """The latest price of a symbol, as `PRICES` has it: instants in microseconds; None: no more."""

    symbol: str
    session: dt.date
    price: float | None
    time: int
    received: int
    source: str
    version: int


class BarRow(NamedTuple):
    """A live bar, as `LIVE_BARS` has it: `start` in microseconds; prices None: it has vanished."""

    symbol: str
    interval: str
    session: dt.date
    hours: Hours
    start: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    vwap: float | None
    trades: int | None
    minutes: int
    state: State
    version: int


@dataclass(frozen=True, slots=True)
class News:
    """What changed since a listener took last, each price and bar as it is now.

    Attributes:
        prices: One a symbol.
        bars: One a symbol, interval, hours and start; of all intervals of `LIVE`.
        is_gap: Whether changes before these were lost: who needs all reads the view anew.
        is_away: Whether the view does not answer at the moment. Once it does again, there is a gap.
    """

    prices: Sequence[PriceRow] = ()
    bars: Sequence[BarRow] = ()
    is_gap: bool = False
    is_away: bool = False


class Followed(LiveBars, Subscribable, Protocol):
    """A view that tells its changes."""


def price_rows(prices: pl.DataFrame) -> list[PriceRow]:
    """Return the rows of a frame, schema `PRICES`."""
    return list(map(PriceRow._make, prices.select(PriceRow._fields).iter_rows()))


def bar_rows(bars: pl.DataFrame) -> list[BarRow]:
    """Return the rows of a frame, schema `LIVE_BARS`."""
    return list(map(BarRow._make, bars.select(BarRow._fields).iter_rows()))


class Listener:
    """What waits for one who listens; `Flow.listen` makes it, in the event loop that takes.

    Args:
        most: How many bars and prices may wait; of more, all are dropped, and there is a gap.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._woken = asyncio.Event()
        self._prices: dict[str, PriceRow] = {}
        self._bars: dict[tuple[str, str, str, int], BarRow] = {}
        self._is_gap = False
        self._is_away = False
        self._has_news = False

    async def take(self, timeout_s: float | None = None) -> News | None:
        """Return what changed since the last call, waiting for it; None: nothing did in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        self._woken.clear()
        with self._lock:
            if not self._has_news:
                return None
            prices, self._prices = self._prices, {}
            bars, self._bars = self._bars, {}
            is_gap, self._is_gap = self._is_gap, False
            self._has_news = False
            return News(list(prices.values()), list(bars.values()), is_gap, self._is_away)

    def offer(self, news: News) -> None:
        """Take in what changed later than what came before; from any thread."""
        bars = [((bar.symbol, bar.interval, bar.hours, bar.start), bar) for bar in news.bars]
        with self._lock:
            self._prices.update((price.symbol, price) for price in news.prices)
            self._bars.update(bars)
            self._is_gap = self._is_gap or news.is_gap
            self._is_away = news.is_away
            if len(self._prices) + len(self._bars) > self._most:
                self._prices, self._bars, self._is_gap = {}, {}, True
            was_told, self._has_news = self._has_news, True
        if not was_told:
            # A loop that has ended listens no more.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)


@dataclass(slots=True)
class _Following:
    """A thread that follows the view, for as long as somebody listens.

    Attributes:
        begun: Set once it hears the view's changes, or knows that the view is away.
        ended: Set to end it.
    """

    begun: Future[None] = field(default_factory=Future)
    ended: threading.Event = field(default_factory=threading.Event)
    is_away: bool = False


class Flow:
    """A view's changes, for all in this process who listen, by one subscription.

    It begins with the first who listens, and ends with the last. While the view is away it tries
    again, ever less often; and tells so.

    Args:
        live: The view.
        pace_s: How long changes are gathered before they are told.
        traces: Follows prices; None: none is followed.
    """

    def __init__(
        self, live: Followed, *, pace_s: float = _PACE_S, traces: Traces | None = None
    ) -> None:
        self._live = live
        self._traces = traces
        self._pace_s = pace_s
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._following: _Following | None = None

    @asynccontextmanager
    async def listen(self, most: int = MOST_WAITING) -> AsyncIterator[Listener]:
        """Yield what takes all changes from now on; if the view is away, that is the first news.

        Args:
            most: How many bars and prices may wait for it.
        """
        listener = Listener(most)
        following = self._joined(listener)
        try:
            # Whoever reads the view after this misses nothing between the two.
            await asyncio.shield(asyncio.wrap_future(following.begun))
            yield listener
        finally:
            self._left(listener)

    def _joined(self, listener: Listener) -> _Following:
        with self._lock:
            self._listeners += (listener,)
            if self._following is None:
                self._following = _Following()
                threading.Thread(
                    target=self._follow, args=(self._following,), name="flow", daemon=True
                ).start()
            elif self._following.is_away:
                listener.offer(News(is_away=True))
            return self._following

    def _left(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)
            if not self._listeners and self._following is not None:
                self._following.ended.set()
                self._following = None

    def _follow(self, following: _Following) -> None:
        failures = 0
        while not following.ended.is_set():
            try:
                with self._live.subscribe() as subscription:
                    if following.is_away:
                        self._tell(following, News(is_gap=True))
                        _log.info("the realtime view is back")
                    failures = 0
                    _begin(following)
                    self._bring(following, subscription)
            except ViewError as error:
                self._lose(following, error)
            except Exception as error:  # noqa: BLE001 - else all would listen to nothing, unawares
                _log.exception("following the realtime view failed")
                self._lose(following, error)
            failures += 1
            limit_s = min(self._pace_s * 2 ** min(failures, 16) * 10, _LONGEST_PAUSE_S)
            following.ended.wait(random.uniform(limit_s / 2, limit_s))  # noqa: S311 - jitter

    def _bring(self, following: _Following, subscription: Subscription) -> None:
        while not following.ended.wait(self._pace_s):
            changes = subscription.get(_PATIENCE_S)
            if changes is None:
                fact = "The realtime view was closed."
                raise ViewError(fact)
            if changes:
                prices, bars = price_rows(changes.prices), bar_rows(changes.bars)
                if self._traces:
                    self._traces.pass_all(prices)
                self._tell(following, News(prices, bars, is_gap=changes.is_gap))

    def _lose(self, following: _Following, error: Exception) -> None:
        if not following.is_away:
            _log.warning("the realtime view is away", error=str(error))
            self._tell(following, News(is_away=True))
        _begin(following)

    def _tell(self, following: _Following, news: News) -> None:
        with self._lock:
            # One that has ended may still bring something, beside the one that followed it.
            if self._following is following:
                following.is_away = news.is_away
                for listener in self._listeners:
                    listener.offer(news)


def _begin(following: _Following) -> None:
    if not following.begun.done():
        following.begun.set_result(None)
