"""The listings of the lake: which symbols each had, from when to when.

What is said of a listing replaces all that was said of it before. A commit writes the history
first, then the table: killed in between, it leaves rows of history that are still in force, which
count only once the table has moved on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.attempts import attempts
from lake.errors import ConflictError, SourceError
from lake.parquet import encode_frame, read_frame
from lake.schemas import LISTINGS, LISTINGS_HISTORY

if TYPE_CHECKING:
    from collections.abc import Collection

    from lake.clock import Clock
    from lake.store import ObjectStore

KEY: Final = ("listing", "symbol", "first")
_ATTEMPTS: Final = 10
_SAID: Final = [name for name in LISTINGS.names if name != "known_from"]
_HINT: Final = "end the one before the other begins."


def read(store: ObjectStore) -> pl.DataFrame:
    """Return what is said of all listings, schema `LISTINGS`."""
    return read_frame(store, keys.LISTINGS, LISTINGS)[0]


def commit(
    store: ObjectStore, rows: pl.DataFrame, *, clock: Clock, gone: Collection[str] = ()
) -> int:
    """Bring listings into bronze; what was said of the same ones before is replaced.

    Args:
        store: The lake.
        rows: The columns of `LISTINGS` but `known_from`: all symbols of each listing named.
        clock: Tells the instant at which the lake learns of them.
        gone: Listings of which nothing is said any more.

    Returns:
        How many rows are new, different or said no more.

    Raises:
        SourceError: If a symbol would name two listings on a day, or a listing have two symbols.
        ConflictError: If others kept writing the table all the while.
    """
    about = _about(rows, gone)
    for _ in attempts(_ATTEMPTS):
        old, fingerprint = read_frame(store, keys.LISTINGS, LISTINGS)
        named = old.join(about, on="listing", how="semi")
        same = named.join(rows, on=_SAID, how="semi", nulls_equal=True)
        ended = named.join(rows, on=_SAID, how="anti", nulls_equal=True)
        fresh = rows.select(_SAID).join(named, on=_SAID, how="anti", nulls_equal=True)
        if ended.is_empty() and fresh.is_empty():
            return 0
        kept = old.join(about, on="listing", how="anti")
        learnt = pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))
        fresh = fresh.with_columns(known_from=_after(learnt, ended)).select(old.columns)
        table = pl.concat([kept, same, fresh]).sort(KEY)
        _refuse_overlaps(table)
        try:
            _keep_replaced(store, ended.with_columns(known_to=_after(learnt, ended)))
            store.put_if(keys.LISTINGS, encode_frame(table, LISTINGS), fingerprint)
        except ConflictError:
            continue
        return fresh.join(ended, on=KEY, how="anti").height + ended.height
    fact = f"The listings kept changing under {_ATTEMPTS} attempts to write them."
    raise ConflictError(fact, hint="run the command again when others are done.")


def check(store: ObjectStore, rows: pl.DataFrame, *, gone: Collection[str] = ()) -> None:
    """Refuse what `commit` would refuse, before anything is kept of it.

    Raises:
        SourceError: If a symbol would name two listings on a day, or a listing have two symbols.
    """
    kept = read(store).join(_about(rows, gone), on="listing", how="anti")
    _refuse_overlaps(pl.concat([kept.select(_SAID), rows.select(_SAID)]).sort(KEY))


def _about(rows: pl.DataFrame, gone: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame({"listing": [*rows["listing"], *gone]}, {"listing": pl.String()})


def _after(learnt: pl.Expr, gone: pl.DataFrame) -> pl.Expr:
    # Clocks differ: what replaces a row is never known before it.
    last = pl.lit(gone["known_from"].max(), pl.Datetime("us", "UTC"))
    return pl.max_horizontal(learnt, last + pl.duration(microseconds=1))


def _keep_replaced(store: ObjectStore, gone: pl.DataFrame) -> None:
    if gone.is_empty():
        return
    history, fingerprint = read_frame(store, keys.LISTINGS_HISTORY, LISTINGS_HISTORY)
    version = [*KEY, "known_from"]
    rows = pl.concat([history, gone.select(history.columns)]).unique(version, keep="last")
    data = encode_frame(rows.sort(version), LISTINGS_HISTORY)
    store.put_if(keys.LISTINGS_HISTORY, data, fingerprint)


def _refuse_overlaps(table: pl.DataFrame) -> None:
    backwards = table.filter(pl.col("last") < pl.col("first"))
    if not backwards.is_empty():
        row = backwards.row(0, named=True)
        fact = f"{row['symbol']} of {row['listing']} ends on {row['last']}, before {row['first']}."
        raise SourceError(fact, hint="name the first and the last date, both inclusive.")
    for one, other in (("symbol", "listing"), ("listing", "symbol")):
        # One without an end goes on for ever.
        until = pl.col("last").fill_null(pl.date(9999, 12, 31)).shift(1).over(one)
        clash = table.sort(one, "first").filter(pl.col("first") <= until)
        if not clash.is_empty():
            row = clash.row(0, named=True)
            both = table.filter(pl.col(one) == row[one])[other].unique(maintain_order=True)
            fact = (
                f"The {one} {row[one]} would be of several {other}s on {row['first']}: "
                f"{', '.join(both)}."
            )
            raise SourceError(fact, hint=_HINT)
