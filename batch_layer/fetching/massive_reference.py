"""Reference data of Massive's REST API, unit by unit: all pages of it, or nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_layer.fetching.reference_landed import CONDITIONS, DETAILS, EVENTS, TICKERS, day_of
from batch_layer.vendors.massive import Massive
from lake.massive_symbols import massive_symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_layer.landing import Answer
    from lake.clock import Clock
    from lake.settings import Settings

_ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class MassiveReference:
    """The source `massive` of reference data.

    Attributes:
        massive: Asks.
        calls_per_minute: How fast.
    """

    massive: Massive
    calls_per_minute: float

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> MassiveReference:
        """Return the source as the settings say.

        Raises:
            VendorKeyError: If there is no key, or it cannot be one.
        """
        return cls(Massive.of(settings, clock=clock), settings.massive_calls_per_minute)

    def ask(self, kind: str, unit: str) -> Sequence[Answer]:
        """Return all pages about a unit.

        Raises:
            VendorNotFoundError: If Massive knows nothing of it.
            VendorError: If they cannot be had.
        """
        if kind == TICKERS:
            return list(self.massive.tickers(active=unit.partition("/")[0] == _ACTIVE))
        if kind == DETAILS:
            symbol = massive_symbol(unit.rpartition("/")[0])
            return [self.massive.ticker_details(symbol, day_of(unit) or dt.date.max)]
        if kind == EVENTS:
            return [self.massive.ticker_events(unit)]
        if kind == CONDITIONS:
            return list(self.massive.conditions())
        first, last = dt.date(int(unit), 1, 1), dt.date(int(unit), 12, 31)
        pages = self.massive.splits if kind == "splits" else self.massive.dividends
        return list(pages(first, last))

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        self.massive.stop()
