"""Where daily bars can be fetched, each behind the same few methods."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Protocol

from batch_layer.vendors import flatfile_rows, massive_answers
from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from batch_layer.landing import Answer
    from lake.clock import Clock
    from lake.settings import Settings

KIND: Final = "daily"
MASSIVE: Final = "massive"
FLATFILES: Final = "flatfiles"
RESTATING: Final = frozenset({FLATFILES})
"""Sources that tell what they published anew."""
# The first session that Massive has of US stocks.
EARLIEST: Final = dt.date(2003, 9, 10)


class DailySource(Protocol):
    """Sells daily bars, a session at a time."""

    @property
    def calls_per_minute(self) -> float | None:
        """How many sessions can be asked for in a minute; None: there is no limit."""
        ...

    def ask(self, session: dt.date) -> tuple[Answer, pl.DataFrame]:
        """Return the bars of one session: as they came, and as rows.

        Raises:
            NotPublishedError: If there are none, yet or at all.
            VendorError: If they cannot be had.
        """
        ...

    def restated(
        self, landed: Mapping[dt.date, str], version_of: Callable[[str], str]
    ) -> Sequence[dt.date]:
        """Return the sessions that were published anew since they landed; no bars are asked for.

        Args:
            landed: By session, the key of what landed last.
            version_of: Returns the vendor's mark of what landed under a key.
        """
        ...

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        ...


READERS: Final[Mapping[str, Callable[[bytes, dt.date], pl.DataFrame]]] = {
    MASSIVE: massive_answers.daily_rows,
    FLATFILES: flatfile_rows.daily_rows,
}
"""By source: what makes rows of a body that landed."""


def open_source(name: str, settings: Settings, clock: Clock) -> DailySource:
    """Return a source of daily bars.

    Raises:
        MisuseError: If there is none of that name.
        VendorKeyError: If the settings have no key for it.
    """
    check_source(name)
    if name == FLATFILES:
        from batch_layer.fetching.flatfiles_daily import FlatFilesDaily  # noqa: PLC0415 - an extra

        return FlatFilesDaily.of(settings, clock)
    from batch_layer.fetching.massive_daily import MassiveDaily  # noqa: PLC0415 - likewise

    return MassiveDaily.of(settings, clock)


def check_source(name: str) -> None:
    """Return if there is a source of that name.

    Raises:
        MisuseError: If there is none.
    """
    if name not in READERS:
        fact = f"{name!r} is no source of daily bars. Allowed: {', '.join(READERS)}."
        raise MisuseError(fact)
