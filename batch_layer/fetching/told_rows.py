"""Rows of splits, dividends and listings that users told, as JSON has them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from batch_layer.bronze.dividends import TABLE as DIVIDENDS
from batch_layer.bronze.splits import TABLE as SPLITS
from lake.schemas import LISTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

SCHEMAS: Final[Mapping[str, pa.Schema]] = {
    SPLITS.name: SPLITS.schema,
    DIVIDENDS.name: DIVIDENDS.schema,
    "listings": LISTINGS,
}


def json_rows(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: dates as texts; numbers come back the same."""
    return rows.with_columns(pl.col(pl.Date).cast(pl.String())).to_dicts()


def told_rows(kind: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of a kind (`splits`, `dividends`, `listings`) as imports take them."""
    empty = pl.DataFrame(SCHEMAS[kind].empty_table())
    types = empty.drop("known_from").schema
    texts = {name: pl.String() if type_ == pl.Date() else type_ for name, type_ in types.items()}
    days = [name for name, type_ in types.items() if type_ == pl.Date()]
    told = pl.DataFrame(list(rows), texts, orient="row")
    return told.with_columns(pl.col(days).str.to_date("%Y-%m-%d"))


def rows_and_gone(listed: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return what is said of listings, and the listings of which nothing is said any more."""
    has_symbol = pl.col("symbol").is_not_null()
    return listed.filter(has_symbol), listed.filter(~has_symbol)["listing"].to_list()
