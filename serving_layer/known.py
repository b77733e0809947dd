"""What the lake knew at an instant: its daily bars, splits and dividends, before what came later.

A row is known from its `known_from` until the next one of its key is. What is in force is in one
object, what it replaced in the history beside it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from lake import keys, schemas
from lake.errors import IMPORT_HINT, EmptyLakeError, ForgottenError
from lake.horizon import read_horizon
from lake.instant import written
from lake.parquet import read_frame
from lake.scan import scan, sql
from serving_layer.asked import arrow_asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from lake.store import ObjectStore
    from serving_layer.asked import Asked

_PACKAGE: Final = "serving_layer"
_BARS: Final = pa.schema(
    [
        pa.field("listing", pa.string()),
        *(field for field in schemas.DAILY if field.name != "known_from"),
    ]
)


class Known:
    """The lake as it was known at one instant.

    Args:
        store: The lake.
        cursor: On which it is read.
        instant: The instant; None: now.
    """

    def __init__(
        self, store: ObjectStore, cursor: duckdb.DuckDBPyConnection, instant: dt.datetime | None
    ) -> None:
        self._store = store
        self._cursor = cursor
        self._instant = instant

    def check_kept(self) -> None:
        """Refuse an instant before the horizon; to be sure, after reading as well.

        Raises:
            ForgottenError: If what was known then is no longer kept.
        """
        if self._instant is None:
            return
        horizon = read_horizon(self._store).instant
        if horizon is not None and self._instant < horizon:
            fact = (
                f"What the lake {self._store.location} knew at {written(self._instant)} is no "
                f"longer kept. Allowed: {written(horizon)} and later."
            )
            raise ForgottenError(fact, hint="FIBLAKE_HISTORY_DAYS says how long compact keeps it.")

    def last_session(self) -> dt.date:
        """Return the last session of which a bar was known, of whichever listing.

        Raises:
            EmptyLakeError: If none was.
        """
        objects = self._objects(keys.DAILY, keys.DAILY_HISTORY)
        first: dt.datetime | None = None
        # The last year has it, but for an instant long ago.
        for year in sorted(keys.by_year(objects), reverse=True):
            of_year = _of_years(objects, year, year)
            rows = self._scan("known_last", of_year, {"known_at": self._instant})
            session: dt.date | None = rows["session"][0].as_py()
            if session is not None:
                return session
            first = min(filter(None, (first, rows["known_from"][0].as_py())), default=None)
        raise self._nothing_known(first)

    def daily(
        self, asked: Sequence[Asked], first: dt.date | None, last: dt.date | None
    ) -> pa.Table:
        """Return daily bars, one row a (listing, session); of a withdrawn one its revision alone.

        Args:
            asked: The listings.
            first: First session, inclusive; None: from the first bar.
            last: Last session, inclusive; None: to the last bar.
        """
        years = first.year if first else dt.MINYEAR, last.year if last else dt.MAXYEAR
        objects = _of_years(self._objects(keys.DAILY, keys.DAILY_HISTORY), *years)
        if not objects:
            return _BARS.empty_table()
        self._cursor.register("asked", arrow_asked(asked))
        self._cursor.register("no_history", schemas.DAILY_HISTORY.empty_table())
        binds = {"first": first, "last": last, "known_at": self._instant}
        return self._scan("known", objects, binds)

    def withdrawn(self, asked: Sequence[Asked]) -> set[str]:
        """Return those of some listings of which the history holds a bar, whenever known."""
        objects = self._objects(keys.DAILY_HISTORY)
        if not objects:
            return set()
        self._cursor.register("asked", arrow_asked(asked))
        return set(self._scan("ever_had", objects, {})["listing"].to_pylist())

    def splits(self) -> pl.DataFrame:
        """Return the splits in force, schema `SPLITS`, by symbol."""
        return self._actions(keys.SPLITS, keys.SPLITS_HISTORY, schemas.SPLITS, "effective")

    def dividends(self) -> pl.DataFrame:
        """Return the dividends in force, schema `DIVIDENDS`, by symbol."""
        return self._actions(keys.DIVIDENDS, keys.DIVIDENDS_HISTORY, schemas.DIVIDENDS, "ex_date")

    def _actions(self, key: str, history_key: str, schema: pa.Schema, day: str) -> pl.DataFrame:
        current = read_frame(self._store, key, schema)[0]
        if self._instant is None:
            return current
        # Read after what is in force: a row that is replaced meanwhile is in both.
        history = read_frame(self._store, history_key, schema)[0]
        versions = pl.concat([history, current]).filter(pl.col("known_from") <= self._instant)
        last = versions.sort("known_from").unique(["symbol", day], keep="last")
        return last.sort("symbol", day)

    def _objects(self, *prefixes: str) -> dict[str, str]:
        return {
            key: found[key]
            for found in map(self._store.fingerprints, prefixes)
            for key in keys.by_year(found).values()
        }

    def _scan(self, name: str, objects: Mapping[str, str], binds: Mapping[str, object]) -> pa.Table:
        return scan(self._cursor, self._store, objects, sql(_PACKAGE, name), binds)

    def _nothing_known(self, first: dt.datetime | None) -> EmptyLakeError:
        if self._instant is None or first is None:
            fact = f"The lake {self._store.location} holds no daily bars."
            return EmptyLakeError(fact, hint=IMPORT_HINT)
        fact = (
            f"The lake {self._store.location} knew no bars at {written(self._instant)}: "
            f"the first came at {written(first)}."
        )
        hint = "known_at is when the lake learnt of bars; start and end are when they traded."
        return EmptyLakeError(fact, hint=hint)


def _of_years(objects: Mapping[str, str], first: int, last: int) -> dict[str, str]:
    return {
        key: fingerprint
        for key, fingerprint in objects.items()
        if first <= next(iter(keys.by_year([key]))) <= last
    }
