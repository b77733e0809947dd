"""Several realtime views as one: the first that answers, and one that did not rests for a while.

A view may also hang, until its client has had enough of it. So only a few may wait for one at once,
nobody begins to while another has waited for long, and one alone tries a view that had failed.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from lake.errors import ViewError, ViewUnavailableError
from lake.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import polars as pl

    from lake.bar import Hours
    from lake.interval import Interval
    from lake.live import LiveBars

_PATIENCE_S: Final = 0.5
"""An answer takes some milliseconds; of all prices, or on a busy machine, some hundred."""
_AT_ONCE: Final = 8
_HINT: Final = "it is asked again within a second."
Answer = TypeVar("Answer")


class ViewChain:
    """Live bars and prices from the first of some views that answers.

    A view that failed rests for a second: so while it is away one answer a second waits for it,
    and the others do not. Nor do they while one that hangs is waited for.

    Args:
        views: In the order in which they are asked; at least one.
        seconds: Tells the time that passes.
    """

    def __init__(
        self, views: Sequence[LiveBars], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._views = tuple(_Asked(view, seconds) for view in views)

    @property
    def is_away(self) -> bool:
        """Whether the first view did not answer when it was asked last."""
        return self._views[0].is_away

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        """Return the latest prices.

        Raises:
            ViewError: If no view answers.
        """
        wanted = None if symbols is None else list(symbols)
        return self._asked(lambda view: view.price(wanted))

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        """Return the bars of a symbol.

        Raises:
            ViewError: If no view answers.
        """
        return self._asked(lambda view: view.bars(symbol, interval, hours))

    def _asked(self, work: Callable[[LiveBars], Answer]) -> Answer:
        facts = []
        for view in self._views:
            try:
                with view.turn():
                    return work(view.view)
            except ViewError as error:
                facts.append(error.fact)
        fact = f"No realtime view answers: {'; '.join(facts)}"
        raise ViewUnavailableError(fact, hint=_HINT)


class _Asked:
    """A view, since when it is being asked, and whether it rests."""

    def __init__(self, view: LiveBars, seconds: Callable[[], float]) -> None:
        self.view = view
        self._seconds = seconds
        self._rest = Rest(ViewError, seconds=seconds)
        self._ended = threading.Condition()
        self._asking: dict[object, float] = {}

    @property
    def is_away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._rest.is_on

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the view be asked within the block, and learn how that ends.

        Raises:
            ViewError: At once, or soon, where it is not to be asked now.
        """
        asker = object()
        with self._ended:
            # Healthy, it is done with those before within moments.
            self._ended.wait_for(
                lambda: self._rest.is_on or self._has_room() or self._longest_s() >= _PATIENCE_S,
                _PATIENCE_S,
            )
            # One that rests says itself who may try it.
            refusal = "" if self._rest.is_on else self._refusal()
            if refusal:
                raise ViewUnavailableError(refusal, hint=_HINT)
            self._asking[asker] = self._seconds()
        try:
            with self._rest.asking():
                yield
        finally:
            with self._ended:
                del self._asking[asker]
                self._ended.notify()

    def _refusal(self) -> str:
        """Return why no more may ask it now; nothing if they may."""
        longest_s = self._longest_s()
        if longest_s >= _PATIENCE_S:
            return f"It has been waited for since {longest_s:.1f} s."
        return "" if self._has_room() else "It has too much to answer."

    def _has_room(self) -> bool:
        return len(self._asking) < _AT_ONCE

    def _longest_s(self) -> float:
        # In order of asking: the first has waited longest.
        now = self._seconds()
        return now - next(iter(self._asking.values()), now)
