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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import polars as pl

    from lake.bar import Hours
    from lake.interval import Interval
    from lake.live import LiveBars

_REST_S: Final = 1.0
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
    """A view, since when it is being asked, and when and how it failed last."""

    def __init__(self, view: LiveBars, seconds: Callable[[], float]) -> None:
        self.view = view
        self._seconds = seconds
        self._ended = threading.Condition()
        self._asking: dict[object, float] = {}
        self._failed: tuple[float, str] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the view be asked within the block, and learn how that ends.

        Raises:
            ViewUnavailableError: At once, or soon, where it is not to be asked now.
        """
        asker = object()
        with self._ended:
            # Healthy, it is done with those before within moments.
            self._ended.wait_for(lambda: self._has_room() or self._refusal(), _PATIENCE_S)
            refusal = self._refusal() or ("" if self._has_room() else "It has too much to answer.")
            if refusal:
                raise ViewUnavailableError(refusal, hint=_HINT)
            self._asking[asker] = self._seconds()
        failed = None
        try:
            yield
        except ViewError as error:
            failed = (self._seconds(), error.fact)
            raise
        finally:
            with self._ended:
                del self._asking[asker]
                self._failed = failed
                self._ended.notify()

    def _has_room(self) -> bool:
        return len(self._asking) < _AT_ONCE

    def _refusal(self) -> str:
        """Return why it is not to be asked now; nothing if it may be."""
        now = self._seconds()
        if self._failed is not None:
            at, fact = self._failed
            return fact if self._asking or now - at < _REST_S else ""
        # In order of asking: the first has waited longest.
        longest_s = now - next(iter(self._asking.values()), now)
        return (
            f"It has been waited for since {longest_s:.1f} s." if longest_s >= _PATIENCE_S else ""
        )
