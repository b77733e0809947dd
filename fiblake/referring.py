"""The part of `Lake` that tells prices, sessions, splits and dividends."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from fiblake.arguments import date_of, instant_of, names_of
from fiblake.frames import DIVIDENDS, PRICES, SESSIONS, SPLITS
from lake.errors import UnknownSymbolError
from serving_layer.reference_data import ReferenceData

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lake.clock import Clock
    from lake.store import ObjectStore
    from serving_layer.reader import Reader


class Referring:
    """A lake that tells of more than bars."""

    store: ObjectStore
    clock: Clock

    if TYPE_CHECKING:

        @property
        def reader(self) -> Reader:
            """The lake's."""

    @cached_property
    def reference(self) -> ReferenceData:
        """What answers `sessions`, `splits` and `dividends`."""
        return ReferenceData(self.store, self.clock)

    def prices(self, symbols: str | Iterable[str]) -> pl.DataFrame:
        """Return the latest price of each symbol: of a lake its last close, of a server a live one.

        Args:
            symbols: One symbol or listing, or several.

        Returns:
            In order of symbol: symbol, price (USD a share, on the split basis of today), time (an
            instant, UTC), session, source (`live` or `lake`), feed (who told it live), age_seconds.

        Raises:
            MisuseError: If there is no symbol.
            UnknownSymbolError: If a symbol has no price.
            ModuleNotFoundError: If the extra `serving` is not installed.
        """
        # Imported here: only this needs FastAPI, which is an extra.
        from serving_layer.merged import MergedReader  # noqa: PLC0415
        from serving_layer.prices import prices_of  # noqa: PLC0415

        answer = prices_of(MergedReader(self.reader), names_of(symbols))
        check_priced(answer.unknown)
        return pl.DataFrame(answer.prices, schema=PRICES)

    def sessions(
        self, start: dt.date | str | None = None, end: dt.date | str | None = None
    ) -> pl.DataFrame:
        """Return trading days with their regular hours; those to come are expectations.

        Args:
            start: The first date, inclusive; None: 1962-01-02.
            end: The last date, inclusive; None: the last that is expected.

        Returns:
            In order: session, open and close (instants, UTC), ordinal (1962-01-02 is 0),
            is_early_close.

        Raises:
            MisuseError: If a date is not one.
            EmptyLakeError: If the lake has no sessions yet.
        """
        first, last = date_of(start) or dt.date.min, date_of(end) or dt.date.max
        return pl.DataFrame(self.reference.sessions(first, last), schema=SESSIONS)

    def splits(self, symbol: str, *, known_at: dt.datetime | str | None = None) -> pl.DataFrame:
        """Return the splits of the listing that a symbol names, under whatever symbol they came.

        Args:
            symbol: A symbol or listing.
            known_at: As the lake knew them at this instant.

        Returns:
            In order: symbol, effective, split_from, split_to, known_from (an instant, UTC).

        Raises:
            InvalidRangeError: If the instant is none.
            NotFoundError: If there is no such symbol, or what was known then is no longer kept.
        """
        return pl.DataFrame(self.reference.splits(symbol, instant_of(known_at)), schema=SPLITS)

    def dividends(self, symbol: str, *, known_at: dt.datetime | str | None = None) -> pl.DataFrame:
        """Return the dividends of the listing that a symbol names.

        Args:
            symbol: A symbol or listing.
            known_at: As the lake knew them at this instant.

        Returns:
            In order: symbol, ex_date, amount (USD a share, as counted then), known_from.

        Raises:
            FiblakeError: As `splits` does.
        """
        found = self.reference.dividends(symbol, instant_of(known_at))
        return pl.DataFrame(found, schema=DIVIDENDS)


def check_priced(unknown: Sequence[str]) -> None:
    """Refuse symbols that have no price.

    Raises:
        UnknownSymbolError: If there is one.
    """
    if unknown:
        fact = f"{', '.join(unknown)}: no such symbol, in the lake or live."
        raise UnknownSymbolError(fact, hint="symbols() lists them.")
