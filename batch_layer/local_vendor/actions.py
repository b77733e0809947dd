"""Massive's splits and dividends, from a lake's bronze.

Source: https://massive.com/docs/rest/stocks/corporate-actions, and what the official client reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import dividends, splits
from batch_layer.local_vendor.figi import hex_id
from batch_layer.local_vendor.pages import Listed

if TYPE_CHECKING:
    from lake.store import ObjectStore

SPLITS: Final = Listed(("ticker", "execution_date"), "execution_date", descending=True, limit=10)
DIVIDENDS: Final = Listed(
    ("ticker", "ex_dividend_date", "record_date", "declaration_date", "pay_date"),
    "ex_dividend_date",
    descending=True,
    limit=10,
)
_DECLARED_DAYS_BEFORE: Final = 14
_PAID_DAYS_AFTER: Final = 21


def read_splits(store: ObjectStore) -> pl.DataFrame:
    """Return the splits of a lake in Massive's columns, and `symbol` and `on` besides."""
    rows = splits.read(store).filter(pl.col("split_from") != pl.col("split_to"))
    return rows.select(
        "symbol",
        pl.col("effective").alias("on"),
        _ids("E", "symbol", "effective"),
        pl.col("effective").cast(pl.String).alias("execution_date"),
        _whole(rows, "split_from"),
        _whole(rows, "split_to"),
    )


def read_dividends(store: ObjectStore) -> pl.DataFrame:
    """Return the dividends of a lake in Massive's columns, and `symbol` and `on` besides."""
    rows = dividends.read(store).filter(pl.col("amount") > 0)
    on = pl.col("ex_date")
    return rows.select(
        "symbol",
        on.alias("on"),
        _ids("D", "symbol", "ex_date"),
        pl.col("amount").alias("cash_amount"),
        pl.lit("USD").alias("currency"),
        on.dt.offset_by(f"-{_DECLARED_DAYS_BEFORE}d").cast(pl.String).alias("declaration_date"),
        pl.lit("CD").alias("dividend_type"),
        on.cast(pl.String).alias("ex_dividend_date"),
        pl.lit(4).alias("frequency"),
        on.dt.offset_by(f"{_PAID_DAYS_AFTER}d").cast(pl.String).alias("pay_date"),
        on.cast(pl.String).alias("record_date"),
    )


def _ids(letter: str, *columns: str) -> pl.Expr:
    texts = pl.concat_str([pl.col(name).cast(pl.String) for name in columns], separator="|")
    ids = texts.map_elements(lambda text: letter + hex_id(text), return_dtype=pl.String)
    return ids.alias("id")


def _whole(rows: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column as whole numbers, where all of it are: so the official client has them."""
    is_whole = bool((rows[name] == rows[name].floor()).all())
    return pl.col(name).cast(pl.Int64) if is_whole else pl.col(name)
