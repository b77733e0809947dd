"""What dialects tell of a symbol: whether it is still listed, and what reference data say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from serving_layer.known_symbols import Symbol
    from serving_layer.merged import MergedReader
    from serving_layer.reference_data import ReferenceData


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol of a listing.

    Attributes:
        symbol: The symbol, as it is spelled here.
        listing: Its id.
        first: Its first session with a bar.
        last: The last day on which it was this listing's symbol; None: it is to this day.
        name: Of the company, where it is known.
        exchange: Its market identifier code, likewise.
        kind: As `CS`, likewise.
    """

    symbol: str
    listing: str
    first: dt.date
    last: dt.date | None
    name: str | None
    exchange: str | None
    kind: str | None

    def is_listed(self, day: dt.date) -> bool:
        """Return whether it is this listing's symbol on a day, or was not yet."""
        return self.last is None or self.last >= day


def listed(reader: MergedReader, reference: ReferenceData, text: str = "") -> list[Listed]:
    """Return the symbols that contain a text; those that begin with it come first.

    Raises:
        EmptyLakeError: If there are none at all.
    """
    symbols = reader.symbols(text)
    told = reference.told(symbols, ("name", "exchange", "kind", "last"))
    told_of = {symbol for _, symbol in told}

    def of(each: Symbol) -> Listed:
        known = told.get((each.listing, each.symbol))
        if known is None:
            # Another listing has the symbol now, or had it: this one is over with its bars.
            last = each.last if each.symbol in told_of else None
            known = dict.fromkeys(("name", "exchange", "kind")) | {"last": last}
        return Listed(each.symbol, each.listing, each.first, **known)

    return [of(each) for each in symbols]
