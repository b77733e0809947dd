"""The splits of the lake: one row a (symbol, effective session); a ratio of 1:1 withdraws one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_layer.bronze import actions
from lake import keys, schemas

if TYPE_CHECKING:
    import polars as pl

    from lake.clock import Clock
    from lake.store import ObjectStore

TABLE: Final = actions.Table(
    name="splits",
    day="effective",
    key=keys.SPLITS,
    schema=schemas.SPLITS,
    history_key=keys.SPLITS_HISTORY,
    history_schema=schemas.SPLITS_HISTORY,
)


def commit(store: ObjectStore, splits: pl.DataFrame, *, clock: Clock) -> int:
    """Bring splits into bronze; see `actions.commit`."""
    return actions.commit(store, TABLE, splits, clock=clock)


def read(store: ObjectStore) -> pl.DataFrame:
    """Return all splits, schema `SPLITS`."""
    return actions.read(store, TABLE)
