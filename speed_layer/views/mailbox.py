"""What waits for one subscriber: the latest state of each bar and price, and of so many at most."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Self

from lake.live import Changes
from speed_layer.views.records import IDENTITY, unpack_bars, unpack_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lake.errors import ViewError

MOST_WAITING: Final = 200_000
"""Some 50 MB; when 10,000 symbols trade at once, 80,000 bars and prices change."""
_PATIENCE_S: Final = 60.0


class Mailbox:
    """A subscription that a view fills.

    Args:
        symbols: Whose changes are kept; None: all.
        most: How many bars and prices may wait at most.
        on_close: Called with the mailbox once it is closed.
    """

    def __init__(
        self,
        symbols: Iterable[str] | None,
        *,
        most: int = MOST_WAITING,
        on_close: Callable[[Mailbox], None],
    ) -> None:
        self.symbols = None if symbols is None else frozenset(symbols)
        self.conflated = 0
        self.dropped = 0
        self._most = most
        self._on_close = on_close
        self._bars: dict[tuple[str, bytes], bytes] = {}
        self._prices: dict[str, bytes] = {}
        self._is_gap = False
        self._is_closed = False
        self._error: ViewError | None = None
        self._changed = threading.Condition()

    def offer(
        self, bars: Iterable[tuple[str, bytes]], prices: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        """Take in changed bars and prices: symbol and record, each later than what came before."""
        if self.symbols is not None:
            bars = [each for each in bars if each[0] in self.symbols]
            prices = [each for each in prices if each[0] in self.symbols]
        told_bars = {(symbol, record[IDENTITY]): record for symbol, record in bars}
        told_prices = dict(prices)
        with self._changed:
            before = len(self._bars) + len(self._prices) + len(told_bars) + len(told_prices)
            self._bars.update(told_bars)
            self._prices.update(told_prices)
            self.conflated += before - len(self._bars) - len(self._prices)
            while len(self._bars) + len(self._prices) > self._most:
                waiting: dict[Any, bytes] = self._bars or self._prices
                del waiting[next(iter(waiting))]
                self.dropped += 1
                self._is_gap = True
            self._changed.notify_all()

    def tell_gap(self) -> None:
        """Let the subscriber know that changes were lost on the way."""
        with self._changed:
            self._is_gap = True
            self._changed.notify_all()

    def fail(self, error: ViewError) -> None:
        """End it: once nothing waits, the subscriber gets this error."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Changes | None:
        """Return what changed since the last call; None once closed."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout_s)
            bars, self._bars = self._bars, {}
            prices, self._prices = self._prices, {}
            is_gap, self._is_gap = self._is_gap, False
            if self._is_closed:
                return None
            if self._error and not (bars or prices):
                raise self._error
        return Changes(
            unpack_bars([symbol for symbol, _ in bars], b"".join(bars.values())),
            unpack_prices(list(prices), list(prices.values())),
            is_gap=is_gap,
        )

    def close(self) -> None:
        """End it; what waits is dropped."""
        with self._changed:
            was_closed, self._is_closed = self._is_closed, True
            self._changed.notify_all()
        if not was_closed:
            self._on_close(self)

    def __iter__(self) -> Iterator[Changes]:
        while (changes := self.get(_PATIENCE_S)) is not None:
            if changes:
                yield changes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _has_news(self) -> bool:
        return bool(self._bars or self._prices or self._is_gap or self._is_closed or self._error)
