"""Which bars of bronze were made of recorded events: these alone may be made anew.

A bar is known by its values: one that a vendor, a file or a user told otherwise is theirs. The
marks of what is about to be committed are kept before it is, beside those of what was: so a run
that is killed knows its own bars again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from batch_layer.bronze import ledger
from lake import keys
from lake.attempts import attempts
from lake.errors import ConflictError
from lake.parquet import encode_frame, read_frame

if TYPE_CHECKING:
    import datetime as dt

    from lake.store import ObjectStore

_MARKS: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("mark", pa.int64(), nullable=False),
    ]
)
DAY: Final = -1
"""`start` of the mark of a daily bar; of a minute, microseconds since 1970."""
_VALUES: Final = ("open", "high", "low", "close", "volume", "vwap", "trades")
_ATTEMPTS: Final = 10
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Told:
    """What vendors told of a session.

    Attributes:
        is_whole: Whether one told of the whole market.
        symbols: Of which symbols one told, at least.
    """

    is_whole: bool
    symbols: frozenset[str]


def told(store: ObjectStore, kind: str, session: dt.date) -> Told:
    """Return of what vendors brought bars of a kind (`daily`, `minute`) in a session."""
    names = [
        name
        for name, entries in ledger.read(store, kind).items()
        if session in entries and entries[session].accepted
    ]
    # What came of one symbol is noted under the source's name, a dot and the symbol.
    parts = [name.partition(".") for name in names]
    whole = any(not symbol for _, _, symbol in parts)
    return Told(whole, frozenset(symbol for _, _, symbol in parts if symbol))


def marks_of(bars: pl.DataFrame, start: pl.Expr) -> pl.DataFrame:
    """Return the marks of bars: symbol, start, mark; the same on every machine.

    Args:
        bars: symbol and the values of a bar.
        start: What tells bars of a symbol apart; of daily ones `DAY`.
    """
    mark = np.zeros(bars.height, np.uint64)
    for name in _VALUES:
        values = bars[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        mark = (mark ^ np.ascontiguousarray(values).view(np.uint64)) * _FACTOR
        mark ^= mark >> np.uint64(29)
    return bars.select("symbol", start=start.cast(pl.Int64), mark=pl.Series(mark.view(np.int64)))


def claim(store: ObjectStore, session: dt.date, marks: pl.DataFrame) -> pl.DataFrame:
    """Keep the marks of what is about to be committed, and return them with those before.

    Raises:
        ConflictError: If others kept writing them all the while.
    """
    key = keys.trades_marks(session)
    for _ in attempts(_ATTEMPTS):
        before, fingerprint = read_frame(store, key, _MARKS)
        both = pl.concat([before, marks]).unique().sort("symbol", "start", "mark")
        if both.equals(before):
            return both
        try:
            store.put_if(key, encode_frame(both, _MARKS), fingerprint)
        except ConflictError:
            continue
        return both
    fact = f"{key} in {store.location} kept changing under {_ATTEMPTS} attempts to write it."
    raise ConflictError(fact, hint="run the command again when others are done.")


def settle(store: ObjectStore, session: dt.date, marks: pl.DataFrame) -> None:
    """Keep the marks of what was committed alone, unless others write them too."""
    key = keys.trades_marks(session)
    before, fingerprint = read_frame(store, key, _MARKS)
    marks = marks.unique().sort("symbol", "start", "mark")
    if marks.equals(before):
        return
    try:
        store.put_if(key, encode_frame(marks, _MARKS), fingerprint)
    except ConflictError:
        return  # theirs has these too


def may_change(
    old: pl.DataFrame, start: pl.Expr, marks: pl.DataFrame, by_others: Told
) -> pl.DataFrame:
    """Return the bars of bronze that were made of recorded events, and of which no vendor told."""
    if by_others.is_whole or old.is_empty():
        return old.clear()
    own = marks_of(old, start).with_row_index().join(marks, on=marks.columns, how="semi")
    return old[own["index"].sort()].filter(~pl.col("symbol").is_in(list(by_others.symbols)))
