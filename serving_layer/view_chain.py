"""Several realtime views as one: the first that answers, and one that did not rests for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from lake.errors import ViewError, ViewUnavailableError
from lake.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from lake.bar import Hours
    from lake.interval import Interval
    from lake.live import LiveBars

Answer = TypeVar("Answer")


class ViewChain:
    """Live bars and prices from the first of some views that answers.

    A view that failed rests for a second: so while it is away one answer at a time waits for it,
    and the others do not.

    Args:
        views: In the order in which they are asked; at least one.
        seconds: Tells the time that passes.
    """

    def __init__(
        self, views: Sequence[LiveBars], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._views = [(view, Rest(ViewError, seconds=seconds)) for view in views]

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
        failed = []
        for view, rest in self._views:
            try:
                with rest.asking():
                    return work(view)
            except ViewError as error:
                failed.append(error.fact)
        fact = f"No realtime view answers: {'; '.join(failed)}"
        raise ViewUnavailableError(fact, hint="it is asked again within a second.")
