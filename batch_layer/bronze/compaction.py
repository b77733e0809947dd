"""Compaction: drops from the history what nobody may ask for any more.

What was replaced by something known at the horizon tells nothing of any instant from there on. What
was known at the horizon stays, and so does a withdrawn bar's last row, by which its revisions count
on. The horizon is published first; each object is then replaced by one conditional put. Killed at
any moment, or run beside an import, it never drops more; running again completes it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

from batch_layer.bronze import dividends, manifest, splits
from batch_layer.bronze.year import KEY, read_year
from lake import keys
from lake.attempts import attempts
from lake.errors import IMPORT_HINT, ConflictError, EmptyLakeError
from lake.horizon import move_horizon, read_horizon
from lake.parquet import encode_frame, read_frame
from lake.schemas import DAILY_HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_layer.bronze.actions import Table
    from lake.store import ObjectStore

Done = TypeVar("Done")

_ATTEMPTS: Final = 10
_ACTIONS: Final = (splits.TABLE, dividends.TABLE)
_BEGINNING: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Dropped:
    """What compaction did to the history, in rows."""

    dropped: int = 0
    kept: int = 0

    def __add__(self, other: Dropped) -> Dropped:
        return Dropped(dropped=self.dropped + other.dropped, kept=self.kept + other.kept)


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        horizon: The first instant that `known_at` can still name; None: every instant.
        dropped: Rows of history dropped.
        kept: Rows of history kept.
    """

    horizon: dt.datetime | None
    dropped: int
    kept: int


def compact(store: ObjectStore, *, horizon: dt.datetime | None) -> CompactReport:
    """Drop what was replaced by the horizon.

    Args:
        store: The lake.
        horizon: An instant; the lake's own where that is later or this is None.

    Raises:
        EmptyLakeError: If the lake holds no bars.
        DamagedObjectError: If the lake's horizon, or what is to be compacted, cannot be read.
        ConflictError: If others kept writing the same objects all the while.
    """
    if not keys.by_year(store.fingerprints(keys.DAILY)):
        # No horizon for a lake that is not there.
        fact = f"The lake {store.location} holds no daily bars."
        raise EmptyLakeError(fact, hint=IMPORT_HINT)
    reached = _retried(partial(_reached, store, horizon))
    since = reached or _BEGINNING
    years = keys.by_year(store.fingerprints(keys.DAILY_HISTORY))
    work = [partial(_compact_year, store, year, since) for year in years]
    work += [partial(_compact_actions, store, table, since) for table in _ACTIONS]
    done = sum(map(_retried, work), start=Dropped())
    return CompactReport(reached, done.dropped, done.kept)


def _retried(work: Callable[[], Done]) -> Done:
    for _ in attempts(_ATTEMPTS):
        try:
            return work()
        except ConflictError:
            continue
    fact = f"The history kept changing under {_ATTEMPTS} attempts to compact it."
    raise ConflictError(fact, hint="run the command again when imports are done.")


def _reached(store: ObjectStore, horizon: dt.datetime | None) -> dt.datetime | None:
    return read_horizon(store).instant if horizon is None else move_horizon(store, horizon)


def _compact_year(store: ObjectStore, year: int, horizon: dt.datetime) -> Dropped:
    old = read_year(store, year)
    kept = _needed(old.history, old.bars, KEY, "revision", horizon)
    dropped = old.history.height - kept.height
    if dropped:
        data = encode_frame(kept, DAILY_HISTORY)
        placed = store.put_if(keys.daily_history(year), data, old.history_fingerprint)
        manifest.write(store, year, replace(old, history=kept, history_fingerprint=placed))
    return Dropped(dropped, kept.height)


def _compact_actions(store: ObjectStore, table: Table, horizon: dt.datetime) -> Dropped:
    current = read_frame(store, table.key, table.schema)[0]
    history, fingerprint = read_frame(store, table.history_key, table.history_schema)
    kept = _needed(history, current, table.row_key, "known_from", horizon)
    dropped = history.height - kept.height
    if dropped:
        store.put_if(table.history_key, encode_frame(kept, table.history_schema), fingerprint)
    return Dropped(dropped, kept.height)


def _needed(
    history: pl.DataFrame,
    current: pl.DataFrame,
    key: Sequence[str],
    version: str,
    horizon: dt.datetime,
) -> pl.DataFrame:
    """Return the rows of history that are the last of their key by the horizon, or later."""
    names = list(dict.fromkeys([*key, version, "known_from"]))
    known = pl.concat([history.select(names), current.select(names)])
    known = known.filter(pl.col("known_from") <= pl.lit(horizon))
    last = known.group_by(key).agg(pl.col(version).max().alias("last"))
    rows = history.join(last, on=key, how="left", maintain_order="left")
    is_needed = pl.col("last").is_null() | (pl.col(version) >= pl.col("last"))
    return rows.filter(is_needed).drop("last")
