"""The part of `Lake` that fetches from vendors, and makes bronze anew from what they answered."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from batch_layer.fetching.daily_kind import DAILY
from batch_layer.fetching.rebuild import Rebuilder
from batch_layer.fetching.reference import ReferenceFetcher, ReferenceOrder
from batch_layer.fetching.reference_rebuild import BronzeReport, ReferenceRebuilder
from batch_layer.fetching.session_fetch import Order, SessionFetcher
from fiblake.arguments import date_of
from fiblake.fetching_minutes import FetchingMinutes

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_layer.fetching.fetch_report import FetchReport
    from batch_layer.fetching.reference_report import ReferenceReport
    from lake.lease import Holder


class Fetching(FetchingMinutes):
    """A lake that asks vendors."""

    def fetcher(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[Holder], None] | None = None,
        on_long: Callable[[int, float], None] = lambda _calls, _minutes: None,
    ) -> SessionFetcher:
        """Return what fetches a vendor's daily bars into this lake."""
        return replace(
            SessionFetcher.of(DAILY, self.store, self.settings, self.clock),
            on_progress=on_progress,
            on_wait=on_wait,
            on_long=on_long,
        )

    def fetch_daily(
        self,
        source: str = "massive",
        *,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        again: bool = False,
    ) -> FetchReport:
        """Fetch the daily bars that are missing: each session once.

        Args:
            source: `massive` or `flatfiles`.
            start: The first date; None: where the lake's bars of this source begin or, in a lake
                that has bars from elsewhere, the session after these; else where the vendor's do.
            end: The last date, inclusive; None: the last session that is over.
            again: Ask for the sessions that are there, too: what differs is corrected.

        Raises:
            MisuseError: If the source is none, or the start is after the end.
            BusyError: If another process fetches from the source.
            VendorError: If it cannot be asked; what had landed stays.
        """
        return self.fetcher().fetch(Order(source, date_of(start), date_of(end), again=again))

    def reference_fetcher(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[Holder], None] | None = None,
        on_long: Callable[[int, float], None] = lambda _calls, _minutes: None,
    ) -> ReferenceFetcher:
        """Return what fetches a vendor's reference data into this lake."""
        return replace(
            ReferenceFetcher.of(self.store, self.settings, self.clock),
            on_progress=on_progress,
            on_wait=on_wait,
            on_long=on_long,
        )

    def fetch_reference(
        self,
        *,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        again: bool = False,
    ) -> ReferenceReport:
        """Fetch listings, splits, dividends and conditions: what is missing or may have changed.

        Args:
            start: Splits and dividends from the year of this date on; None: from the lake's first
                bar on or, where there is none, from where the vendor's bars begin.
            end: To the year of this date; None: to those announced.
            again: Ask for what is there, too.

        Raises:
            InvalidRangeError: If the start is after the end.
            BusyError: If another process fetches from the source.
            VendorError: If it cannot be asked; what had landed stays.
        """
        order = ReferenceOrder(date_of(start), date_of(end), again=again)
        return self.reference_fetcher().fetch(order)

    def rebuilder(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> Rebuilder:
        """Return what makes bronze anew from landing."""
        return Rebuilder(
            store=self.store,
            clock=self.clock,
            settling=dt.timedelta(minutes=self.settings.settling_minutes),
            on_progress=on_progress,
            on_wait=on_wait,
        )

    def rebuild_bronze(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> BronzeReport:
        """Make bronze anew from landing: bars and reference data, as they were made at first.

        What vendors answered, and what files, withdrawals and `generate` told, in that order.

        Raises:
            BusyError: If another process fetches.
            DamagedObjectError: If landing or bronze cannot be read.
        """
        daily = self.rebuilder(on_progress=on_progress, on_wait=on_wait).daily()
        minutes = self._minutes_rebuilt(on_progress, on_wait)
        reference = ReferenceRebuilder(self.store, self.clock, on_wait).reference()
        return BronzeReport(**asdict(daily), minutes=minutes, reference=reference)
