"""Where two layers tell differently of a bar, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.reconciling.sides import KEY, VALUES
from lake.schemas import DIFFERENCES

if TYPE_CHECKING:
    import datetime as dt

CAUSES: Final = ("missing", "late", "corrected", "vendor", "unexplained")
_NEARLY: Final = 1e-9
_OPTIONAL: Final = ("vwap", "trades")


def differences(
    speed: pl.DataFrame, batch: pl.DataFrame, evidence: pl.DataFrame, session: dt.date
) -> pl.DataFrame:
    """Return the bars that differ, in order of interval, symbol and start.

    Every value of a bar is compared, vwap to 1e-9; not its state: what a feed told no more of may
    be forming for good. A vendor that tells no vwap or trades says nothing of them.

    Args:
        speed: `KEY`, `VALUES` and `version`.
        batch: `KEY` and `VALUES`.
        evidence: As `evidence` makes it.
        session: Of which all are.

    Returns:
        Schema `DIFFERENCES`.
    """
    left = speed.select(*KEY, pl.col(VALUES).name.prefix("speed_"), "version")
    right = batch.select(*KEY, pl.col(VALUES).name.prefix("batch_"), is_batch=pl.lit(value=True))
    both = left.join(right, on=KEY, how="full", coalesce=True)
    both = both.join(evidence, on=KEY, how="left")
    is_speed, is_batch = pl.col("version").is_not_null(), pl.col("is_batch").is_not_null()
    lacks = pl.when(~is_speed).then(pl.lit("speed")).when(~is_batch).then(pl.lit("batch"))
    apart = [pl.when(_differs(name)).then(pl.lit(name)) for name in VALUES]
    fields = pl.when(is_speed & is_batch).then(
        pl.concat_str(apart, separator=",", ignore_nulls=True)
    )
    told = both.with_columns(
        session=pl.lit(session), lacks=lacks, fields=fields.fill_null("")
    ).filter(pl.col("lacks").is_not_null() | (pl.col("fields") != ""))
    found = told.with_columns(cause=_cause())
    return found.select(DIFFERENCES.names).sort("interval", "symbol", "start")


def _differs(name: str) -> pl.Expr:
    speed, batch, law = (pl.col(f"{side}_{name}") for side in ("speed", "batch", "law"))
    same = _same(name, speed, batch)
    if name == "minutes":  # of which bronze's bar of the day tells nothing
        return ~same & batch.is_not_null()
    if name in _OPTIONAL:
        return ~same & ~(batch.is_null() & law.is_not_null())
    return ~same


def _same(name: str, one: pl.Expr, other: pl.Expr) -> pl.Expr:
    if name != "vwap":
        return one.eq_missing(other)
    near = (one - other).abs() <= _NEARLY * pl.max_horizontal(one.abs(), other.abs())
    return near.fill_null(value=False) | (one.is_null() & other.is_null())


def _cause() -> pl.Expr:
    """Return why a bar differs.

    A live bar of the version that all its statements make has taken them all: neither late ones nor
    corrections are why it differs.
    """
    lags = (pl.col("version") // 2 < pl.col("law_version") // 2).fill_null(value=False)
    of_law = pl.all_horizontal(
        _same(name, pl.col(f"batch_{name}"), pl.col(f"law_{name}"))
        for name in VALUES
        if name != "minutes"
    )
    return (
        pl.when(pl.col("lacks").is_not_null())
        .then(pl.lit("missing"))
        .when(lags & pl.col("is_late"))
        .then(pl.lit("late"))
        .when(lags & pl.col("is_restated"))
        .then(pl.lit("corrected"))
        .when(~of_law)
        .then(pl.lit("vendor"))
        .otherwise(pl.lit("unexplained"))
    )
