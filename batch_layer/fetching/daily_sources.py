"""Where daily bars can be fetched, each behind the same few methods."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from batch_layer.vendors import flatfile_rows, massive_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_layer.fetching.landed import Reader
    from batch_layer.fetching.session_source import SessionSource
    from lake.clock import Clock
    from lake.settings import Settings

KIND: Final = "daily"
MASSIVE: Final = "massive"
FLATFILES: Final = "flatfiles"
RESTATING: Final = frozenset({FLATFILES})
"""Sources that tell what they published anew."""
# The first session that Massive has of US stocks.
EARLIEST: Final = dt.date(2003, 9, 10)

READERS: Final[Mapping[str, Reader]] = {
    MASSIVE: massive_answers.daily_rows,
    FLATFILES: flatfile_rows.daily_rows,
}
"""By source: what makes rows of a body that landed."""


def open_source(name: str, settings: Settings, clock: Clock) -> SessionSource:
    """Return a source of daily bars, one of `READERS`.

    Raises:
        VendorKeyError: If the settings have no key for it.
    """
    if name == FLATFILES:
        from batch_layer.fetching.flatfile_sessions import FlatFileSessions  # noqa: PLC0415 - extra

        return FlatFileSessions.of("day", settings, clock)
    from batch_layer.fetching.massive_daily import MassiveDaily  # noqa: PLC0415 - likewise

    return MassiveDaily.of(settings, clock)
