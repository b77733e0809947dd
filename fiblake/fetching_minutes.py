"""The part of `Lake` that fetches minute bars."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batch_layer.fetching.minute_kind import MINUTE
from batch_layer.fetching.session_fetch import Order, SessionFetcher
from fiblake.arguments import date_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

    from batch_layer.fetching.fetch_report import FetchReport
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.settings import Settings
    from lake.store import ObjectStore


class FetchingMinutes:
    """A lake that asks vendors for minute bars.

    Attributes:
        settings: Whom it asks, and how fast.
        clock: Tells the present.
        store: Its objects.
    """

    settings: Settings
    clock: Clock
    store: ObjectStore

    def minute_fetcher(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> SessionFetcher:
        """Return what fetches the whole market's minute bars into this lake."""
        fetcher = SessionFetcher.of(MINUTE, self.store, self.settings, self.clock)
        return replace(fetcher, on_progress=on_progress, on_wait=on_wait)

    def fetch_minutes(
        self,
        symbols: str | Iterable[str] | None = None,
        source: str = "flatfiles",
        *,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        again: bool = False,
    ) -> FetchReport:
        """Fetch the minute bars that are missing: each session once."""
        return self.minute_fetcher().fetch(Order(source, date_of(start), date_of(end), again=again))
