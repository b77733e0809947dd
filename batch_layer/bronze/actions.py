"""Corporate actions, splits and dividends alike: those in force, and those they replaced.

Each kind is a small table, with its history beside it. A commit writes the history first, then the
table. Killed in between, it leaves a row of history that is still in force, with the same
`known_from`: it counts only once the table has moved on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lake.attempts import attempts
from lake.errors import ConflictError
from lake.parquet import encode_frame, read_frame

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.clock import Clock
    from lake.store import ObjectStore

_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of action.

    Attributes:
        name: What its rows are called.
        day: Its column of dates; with the symbol it is the key.
        key: Of the object that holds the rows in force.
        schema: Its schema.
        history_key: Of the object that holds the rows replaced.
        history_schema: Its schema.
    """

    name: str
    day: str
    key: str
    schema: pa.Schema
    history_key: str
    history_schema: pa.Schema

    @property
    def row_key(self) -> tuple[str, str]:
        """The columns that tell its rows apart."""
        return ("symbol", self.day)


def commit(store: ObjectStore, table: Table, rows: pl.DataFrame, *, clock: Clock) -> int:
    """Bring actions into bronze, replacing those of the same symbol and date.

    Args:
        store: The lake.
        table: What kind they are.
        rows: Its columns but `known_from`, one row a (symbol, date).
        clock: Tells the instant at which the lake learns of them.

    Returns:
        How many were new or different.

    Raises:
        ConflictError: If others kept writing the table all the while.
    """
    said = [name for name in table.schema.names if name != "known_from"]
    for _ in attempts(_ATTEMPTS):
        old, fingerprint = read_frame(store, table.key, table.schema)
        changed = rows.select(said).join(old.select(said), on=said, how="anti")
        if changed.is_empty():
            return 0
        fresh = changed.join(old.select(*table.row_key, "known_from"), on=table.row_key, how="left")
        fresh = fresh.with_columns(known_from=pl.max_horizontal(_now(clock), _just_after()))
        kept = old.join(fresh, on=table.row_key, how="anti")
        data = encode_frame(
            pl.concat([kept, fresh.select(old.columns)]).sort(table.row_key), table.schema
        )
        try:
            _keep_replaced(store, table, old, fresh)
            store.put_if(table.key, data, fingerprint)
        except ConflictError:
            continue
        return changed.height
    fact = f"The {table.name} kept changing under {_ATTEMPTS} attempts to write them."
    raise ConflictError(fact, hint="run the command again when other imports are done.")


def read(store: ObjectStore, table: Table) -> pl.DataFrame:
    """Return all actions in force."""
    return read_frame(store, table.key, table.schema)[0]


def _keep_replaced(
    store: ObjectStore, table: Table, old: pl.DataFrame, fresh: pl.DataFrame
) -> None:
    ends = fresh.select(*table.row_key, known_to="known_from")
    replaced = old.join(ends, on=table.row_key, how="inner")
    if replaced.is_empty():
        return
    history, fingerprint = read_frame(store, table.history_key, table.history_schema)
    version = [*table.row_key, "known_from"]
    rows = pl.concat([history, replaced.select(history.columns)])
    # Another import, or one that was killed, may have noted the same row for another replacement.
    rows = rows.unique(version, keep="last").sort(version)
    store.put_if(table.history_key, encode_frame(rows, table.history_schema), fingerprint)


def _now(clock: Clock) -> pl.Expr:
    return pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))


def _just_after() -> pl.Expr:
    # Clocks differ: what replaces an action is never known before it.
    return pl.col("known_from") + pl.duration(microseconds=1)
