"""What the names of a query mean: listings, and under which symbols their bars came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from lake.listings import Listings, Named

_SCHEMA: Final = pa.schema(
    [
        pa.field("place", pa.int32()),
        pa.field("listing", pa.string()),
        pa.field("symbol", pa.string()),
        pa.field("first", pa.date32()),
        pa.field("last", pa.date32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A listing asked for.

    Attributes:
        name: What it was called in the query.
        listing: Its id.
        symbols: The symbols it had, in order of time.
    """

    name: str
    listing: str
    symbols: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """What symbols name, and what of it is asked for.

    Attributes:
        listings: What symbols name.
        asked: The listings asked for, in order of their names; None: all.
    """

    listings: Listings
    asked: tuple[Asked, ...] | None

    def behind(self, after: tuple[str, dt.date]) -> tuple[int, dt.date]:
        """Return the place in the answer, and the start, behind which bars are asked for."""
        name, start = after
        return sum(each.name < name for each in self.asked or ()), start


def meant(names: Iterable[str], listings: Listings, as_of: dt.date) -> tuple[Asked, ...]:
    """Return the listings that some names mean on a date, in order of the names.

    A listing that is named twice is asked for once.
    """
    of_listing: dict[str, str] = {}
    for name in sorted(names):
        of_listing.setdefault(listings.named(name, as_of), name)
    return tuple(
        Asked(name, listing, listings.symbols_of(listing)) for listing, name in of_listing.items()
    )


def by_id(ids: Iterable[str], listings: Listings) -> tuple[Asked, ...]:
    """Return some listings, in order of their ids."""
    return tuple(Asked(each, each, listings.symbols_of(each)) for each in sorted(ids))


def arrow_asked(asked: Sequence[Asked]) -> pa.Table:
    """Return what is asked for as the table `asked`, one row a symbol that a listing had."""
    rows = [
        {
            "place": place,
            "listing": each.listing,
            "symbol": named.symbol,
            "first": named.first,
            "last": named.last,
        }
        for place, each in enumerate(asked)
        for named in each.symbols
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
