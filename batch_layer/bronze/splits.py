"""The splits of the lake: one small object, one row a (listing, effective session)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.attempts import attempts
from lake.errors import ConflictError
from lake.parquet import encode_frame, read_frame
from lake.schemas import SPLITS

if TYPE_CHECKING:
    from lake.clock import Clock
    from lake.store import ObjectStore

_KEY: Final = ("listing", "effective")
_SAID: Final = ("listing", "symbol", "effective", "split_from", "split_to")
_ATTEMPTS: Final = 10


def commit(store: ObjectStore, splits: pl.DataFrame, *, clock: Clock) -> int:
    """Bring splits into bronze, replacing those of the same listing and date.

    Args:
        store: The lake.
        splits: The columns of `SPLITS` but `known_from`, one row a (listing, effective).
        clock: Tells the instant at which the lake learns of them.

    Returns:
        How many were new or different.

    Raises:
        ConflictError: If others kept writing the splits all the while.
    """
    for _ in attempts(_ATTEMPTS):
        old, fingerprint = read_frame(store, keys.SPLITS, SPLITS)
        changed = splits.select(_SAID).join(old.select(_SAID), on=_SAID, how="anti")
        if changed.is_empty():
            return 0
        fresh = changed.with_columns(
            known_from=pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))
        ).select(SPLITS.names)
        kept = old.join(fresh, on=_KEY, how="anti")
        data = encode_frame(pl.concat([kept, fresh]).sort(_KEY), SPLITS)
        try:
            store.put_if(keys.SPLITS, data, fingerprint)
        except ConflictError:
            continue
        return changed.height
    fact = f"The splits kept changing under {_ATTEMPTS} attempts to write them."
    raise ConflictError(fact, hint="run the command again when other imports are done.")


def read(store: ObjectStore) -> pl.DataFrame:
    """Return all splits, schema `SPLITS`."""
    return read_frame(store, keys.SPLITS, SPLITS)[0]
