"""The part of `Lake` that fetches minute bars."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.daily_sources import FLATFILES, MASSIVE
from batch_layer.fetching.minute_kind import MINUTE
from batch_layer.fetching.minute_rebuild import MinuteRebuilder
from batch_layer.fetching.session_fetch import Order, SessionFetcher
from batch_layer.fetching.symbol_fetch import SymbolFetcher, SymbolOrder
from fiblake.arguments import date_of
from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batch_layer.fetching.fetch_report import FetchReport
    from batch_layer.fetching.rebuild import RebuildReport
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.settings import Settings
    from lake.store import ObjectStore

SOURCES: Final = (FLATFILES, MASSIVE)


@dataclass(frozen=True, slots=True)
class Watch:
    """Whom a fetch tells how it goes.

    Attributes:
        on_progress: Called with (done, of how many).
        on_wait: Called where another process fetches from the source, which is then waited for;
            None: nobody is waited for.
        on_long: Called with (calls, minutes) where the pace makes it take more than a minute.
    """

    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None
    on_long: Callable[[int, float], None] = lambda _calls, _minutes: None


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

    def fetch_minutes(  # noqa: PLR0913 - what to fetch, and whom to tell
        self,
        symbols: str | Iterable[str] = (),
        source: str | None = None,
        *,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        again: bool = False,
        watch: Watch | None = None,
    ) -> FetchReport:
        """Fetch the minute bars that are missing, each once.

        Args:
            symbols: Whose; none: the whole market's.
            source: `massive` sells those of symbols, and is asked where some are named;
                `flatfiles`, a file a session, those of the whole market.
            start: The first date; None: where what this source brought begins, or a week before
                the end.
            end: The last date, inclusive; None: the last session that is over.
            again: Ask for what is there, too: what differs is corrected, what is gone withdrawn.
            watch: Whom to tell how it goes; None: nobody.

        Returns:
            What it did. Where symbols are named a session counts once for each of them.

        Raises:
            MisuseError: If the source is none or not of these symbols, a symbol cannot be one, or
                the start is after the end.
            BusyError: If another process fetches from the source, and is not waited for.
            VendorError: If it cannot be asked; what had landed stays.
        """
        named = (symbols,) if isinstance(symbols, str) else tuple(symbols)
        chosen = source or source_of(named)
        check_source(chosen, named)
        first, last = date_of(start), date_of(end)
        if named:
            order = SymbolOrder(named, first, last, again=again)
            return self._symbol_fetcher(watch or Watch()).fetch(order)
        fetcher = self._minute_fetcher(watch or Watch())
        return fetcher.fetch(Order(chosen, first, last, again=again))

    def _minute_fetcher(self, watch: Watch) -> SessionFetcher:
        return replace(
            SessionFetcher.of(MINUTE, self.store, self.settings, self.clock),
            on_progress=watch.on_progress,
            on_wait=watch.on_wait,
            on_long=watch.on_long,
        )

    def _symbol_fetcher(self, watch: Watch) -> SymbolFetcher:
        return replace(
            SymbolFetcher.of(self.store, self.settings, self.clock),
            on_progress=watch.on_progress,
            on_wait=watch.on_wait,
            on_long=watch.on_long,
        )

    def _minutes_rebuilt(
        self, on_progress: Callable[[int, int], None], on_wait: Callable[[Holder], None] | None
    ) -> RebuildReport:
        return MinuteRebuilder(
            store=self.store,
            clock=self.clock,
            settling=dt.timedelta(minutes=self.settings.settling_minutes),
            on_progress=on_progress,
            on_wait=on_wait,
        ).minutes()


def source_of(symbols: Iterable[str]) -> str:
    """Return who is asked where nobody is named."""
    return MASSIVE if tuple(symbols) else FLATFILES


def check_source(source: str, symbols: Iterable[str]) -> None:
    """Return if a source sells the minutes of these symbols; none: of the whole market.

    Raises:
        MisuseError: If it does not, or is none.
    """
    if source not in SOURCES:
        fact = f"{source!r} is no source of minute bars. Allowed: {', '.join(SOURCES)}."
        raise MisuseError(fact)
    if source == MASSIVE and not tuple(symbols):
        fact = "massive sells minute bars by symbol, and none is named."
        raise MisuseError(fact, hint="name symbols, or take --source flatfiles: the whole market.")
    if source == FLATFILES and tuple(symbols):
        fact = "flatfiles sells the minute bars of the whole market, and symbols are named."
        raise MisuseError(fact, hint="name none, or take --source massive.")
