"""A CSV file of listings: `listing,symbol,first,last`, one row a symbol that a listing had.

An empty `first` is the beginning, an empty `last` this day; both are inclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.fetching.actions_file import Form, Row, read_rows
from lake.schemas import LISTINGS
from lake.session import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

_TEXTS: Final = ("name", "exchange", "kind")
_SAID: Final = [name for name in LISTINGS.names if name != "known_from"]
_KINDS: Final = dict.fromkeys(_SAID, pl.String()) | {"first": pl.Date(), "last": pl.Date()}


def read_listings(path: Path) -> pl.DataFrame:
    """Return the listings of a file: the columns of `LISTINGS` but `known_from`.

    Raises:
        SourceError: If it cannot be read, or a row is not a listing; the first bad row is named.
    """
    rows = [_listing(row) for row in read_rows(path, _FORM)]
    return pl.DataFrame(rows, schema=_KINDS).unique(maintain_order=True)


def _listing(row: Row) -> dict[str, object]:
    listing = row.fields["listing"].strip().upper()
    if not listing:
        raise row.refused("it names no listing")
    texts = {name: row.fields.get(name) or None for name in _TEXTS}
    return {
        "listing": listing,
        "symbol": row.symbol(),
        "first": row.day("first") if row.fields.get("first") else EPOCH,
        "last": row.day("last") if row.fields.get("last") else None,
        **texts,
    }


_FORM: Final = Form(
    action="listing",
    spellings={
        "listing": ("listing", "composite_figi", "figi", "id"),
        "symbol": ("symbol", "ticker"),
        "first": ("first", "start", "from"),
        "last": ("last", "end", "until"),
        "name": ("name",),
        "exchange": ("exchange", "primary_exchange"),
        "kind": ("kind", "type"),
    },
    allowed=(frozenset({"listing", "symbol"}),),
    day="first",
    values=lambda _: {},
    twice="listings",
    mend="keep the right one.",
    hint="write the header listing,symbol,first,last and rows like BBG000MM2P62,FB,,2022-06-08.",
)
