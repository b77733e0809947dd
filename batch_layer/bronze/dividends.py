"""The dividends of the lake: one row a (symbol, ex-date); an amount of 0 withdraws one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_layer.bronze import actions
from lake import keys, schemas

if TYPE_CHECKING:
    import polars as pl

    from lake.clock import Clock
    from lake.store import ObjectStore

TABLE: Final = actions.Table(
    name="dividends",
    day="ex_date",
    key=keys.DIVIDENDS,
    schema=schemas.DIVIDENDS,
    history_key=keys.DIVIDENDS_HISTORY,
    history_schema=schemas.DIVIDENDS_HISTORY,
)


def commit(store: ObjectStore, dividends: pl.DataFrame, *, clock: Clock) -> int:
    """Bring dividends into bronze; see `actions.commit`."""
    return actions.commit(store, TABLE, dividends, clock=clock)


def read(store: ObjectStore) -> pl.DataFrame:
    """Return all dividends, schema `DIVIDENDS`."""
    return actions.read(store, TABLE)
