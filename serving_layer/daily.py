"""The road through daily bars: answers that silver does not hold, made when they are asked for.

Silver knows neither dividends nor what was known before. Here the daily bars of a few listings are
read as they were known, adjusted first and folded then, by the law of `lake.bar`.

Source of the dividend factor, 1 - amount / close before the ex-date: the CRSP standard, as told by
https://help.yahoo.com/kb/finance-for-desktop/adjusted-close-sln28256.html
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import structlog

from lake import keys
from lake.errors import IMPORT_HINT, EmptyLakeError, ForgottenError
from lake.horizon import read_horizon
from lake.instant import written
from lake.interval import DAILY
from lake.parquet import read_frame
from lake.scan import scan, sql
from lake.schemas import (
    BARS,
    DAILY_HISTORY,
    DIVIDENDS,
    DIVIDENDS_HISTORY,
    SESSIONS,
    SPLITS,
    SPLITS_HISTORY,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from lake.store import ObjectStore
    from serving_layer.reader import BarsQuery

_log = structlog.get_logger(__name__)
_PACKAGE: Final = "serving_layer"


class DailyRoad:
    """Answers queries from the daily bars of one lake, from many threads.

    Args:
        store: The lake.
        connection: Of which each query takes a cursor of its own.
    """

    def __init__(self, store: ObjectStore, connection: duckdb.DuckDBPyConnection) -> None:
        self._store = store
        self._connection = connection

    def bars(self, query: BarsQuery, as_of: dt.date | None) -> pa.Table:
        """Return the bars asked for, schema `BARS`, in order of symbol and start.

        Args:
            query: Its symbols are known to the lake, or were.
            as_of: The date whose basis is wanted; None: each bar's own.

        Raises:
            EmptyLakeError: If no bar at all was known at the query's instant.
            ForgottenError: If what was known then is no longer kept.
            StoreError: If the lake cannot be read.
        """
        self._check_horizon(query.known_at)
        with self._connection.cursor() as cursor:
            answer = self._answer(cursor, query, as_of)
        # Once more: a compaction may have begun meanwhile.
        self._check_horizon(query.known_at)
        return answer

    def ever_known(self, symbols: Sequence[str]) -> set[str]:
        """Return those of some symbols of which the history holds a bar."""
        found = self._store.fingerprints(keys.DAILY_HISTORY)
        objects = {key: found[key] for key in keys.by_year(found).values()}
        if not objects:
            return set()
        with self._connection.cursor() as cursor:
            binds = {"symbols": list(symbols)}
            rows = scan(cursor, self._store, objects, sql(_PACKAGE, "symbols_ever"), binds)
        return set(rows["symbol"].to_pylist())

    def _answer(
        self, cursor: duckdb.DuckDBPyConnection, query: BarsQuery, as_of: dt.date | None
    ) -> pa.Table:
        found = {**self._found(keys.DAILY), **self._found(keys.DAILY_HISTORY)}
        last = self._last_known(cursor, found, query.known_at)
        sessions = read_frame(self._store, keys.SESSIONS, SESSIONS)[0]
        sessions = sessions.filter(pl.col("session") <= last).select("ordinal", "session")
        self._read_daily(cursor, found, query, sessions)
        cursor.register("sessions", sessions.to_arrow())
        cursor.register("actions", self._actions(cursor, query).to_arrow())
        if query.interval == DAILY:
            bars = _run(cursor, "known_bars")
        else:
            bars = _run(cursor, "fold", n=query.interval.sessions)
        cursor.register("bars", bars)
        after_symbol, after_start = query.after or (None, None)
        return _run(
            cursor,
            "basis",
            symbols=list(query.symbols),
            first=query.start,
            last=query.end,
            after_symbol=after_symbol,
            after_start=after_start,
            as_of=as_of,
            limit=query.limit,
        ).cast(BARS)

    def _found(self, prefix: str) -> dict[str, str]:
        found = self._store.fingerprints(prefix)
        return {key: found[key] for key in keys.by_year(found).values()}

    def _last_known(
        self,
        cursor: duckdb.DuckDBPyConnection,
        found: dict[str, str],
        known_at: dt.datetime | None,
    ) -> dt.date:
        """Return the last session of which a bar was known, of whichever listing."""
        firsts = []
        years = {*keys.by_year(found)}
        for year in sorted(years, reverse=True):
            objects = _of_years(found, year, year)
            statement = sql(_PACKAGE, "known_last")
            row = scan(cursor, self._store, objects, statement, {"known_at": known_at})
            session, known_from = (row[name][0].as_py() for name in ("session", "known_from"))
            if session is not None:
                last: dt.date = session
                return last
            firsts += [known_from] if known_from else []
        raise self._nothing_known(known_at, min(firsts, default=None))

    def _nothing_known(
        self, known_at: dt.datetime | None, first: dt.datetime | None
    ) -> EmptyLakeError:
        if known_at is None or first is None:
            fact = f"The lake {self._store.location} holds no daily bars."
            return EmptyLakeError(fact, hint=IMPORT_HINT)
        fact = (
            f"The lake {self._store.location} knew no bars at {written(known_at)}: "
            f"the first came at {written(first)}."
        )
        hint = "known_at is when the lake learnt of bars; start and end are when they traded."
        return EmptyLakeError(fact, hint=hint)

    def _read_daily(
        self,
        cursor: duckdb.DuckDBPyConnection,
        found: dict[str, str],
        query: BarsQuery,
        sessions: pl.DataFrame,
    ) -> None:
        """Let `daily` be the daily bars that the answer is made of."""
        first, last = query.start, _end_of_bucket(sessions, query)
        if query.adjustment == "all":
            # A dividend is weighed by the close before it, wherever that lies.
            first = last = None
        objects = _of_years(
            found, first.year if first else dt.MINYEAR, last.year if last else dt.MAXYEAR
        )
        cursor.register("no_history", DAILY_HISTORY.empty_table())
        binds = {
            "symbols": list(query.symbols),
            "first": first,
            "last": last,
            "known_at": query.known_at,
        }
        daily = scan(cursor, self._store, objects, sql(_PACKAGE, "known"), binds)
        cursor.register("daily", daily)

    def _actions(self, cursor: duckdb.DuckDBPyConnection, query: BarsQuery) -> pl.DataFrame:
        """Return what moves the basis: listing, effective, shares and kept."""
        splits = self._known(keys.SPLITS, SPLITS, query.known_at, "effective").select(
            "listing", "effective", shares=pl.col("split_to") / pl.col("split_from")
        )
        actions = splits.with_columns(kept=pl.lit(1.0))
        if query.adjustment != "all":
            return actions
        dividends = self._known(keys.DIVIDENDS, DIVIDENDS, query.known_at, "ex_date")
        cursor.register("splits", splits.to_arrow())
        cursor.register("dividends", dividends.to_arrow())
        kept = pl.DataFrame(_run(cursor, "kept"))
        for listing, ex_date, _ in kept.filter(pl.col("kept") <= 0).iter_rows():
            _log.warning("dividend not below the price, ignored", listing=listing, ex_date=ex_date)
        kept = kept.filter(pl.col("kept") > 0).with_columns(shares=pl.lit(1.0))
        return pl.concat([actions, kept.select(actions.columns)])

    def _known(
        self, key: str, schema: pa.Schema, known_at: dt.datetime | None, day: str
    ) -> pl.DataFrame:
        """Return the splits or dividends in force, as they were known."""
        current = read_frame(self._store, key, schema)[0]
        if known_at is None:
            return current
        history_key, history_schema = _HISTORIES[key]
        # Read after what is in force: what was replaced in between is in either, or in both.
        history = read_frame(self._store, history_key, history_schema)[0]
        versions = pl.concat([history.select(current.columns), current])
        versions = versions.filter(pl.col("known_from") <= known_at).sort("known_from")
        return versions.unique(["listing", day], keep="last", maintain_order=True)

    def _check_horizon(self, known_at: dt.datetime | None) -> None:
        horizon = read_horizon(self._store).instant if known_at else None
        if known_at and horizon and known_at < horizon:
            fact = (
                f"What the lake {self._store.location} knew at {written(known_at)} is no longer "
                f"kept. Allowed: {written(horizon)} and later."
            )
            raise ForgottenError(fact, hint="FIBLAKE_HISTORY_DAYS says how long compact keeps it.")


_HISTORIES: Final = {
    keys.SPLITS: (keys.SPLITS_HISTORY, SPLITS_HISTORY),
    keys.DIVIDENDS: (keys.DIVIDENDS_HISTORY, DIVIDENDS_HISTORY),
}


def _run(cursor: duckdb.DuckDBPyConnection, name: str, **binds: Any) -> pa.Table:  # noqa: ANN401 - what DuckDB binds
    return cursor.execute(sql(_PACKAGE, name), binds).to_arrow_table()


def _of_years(found: dict[str, str], first: int, last: int) -> dict[str, str]:
    return {
        key: fingerprint
        for key, fingerprint in found.items()
        for year in keys.by_year([key])
        if first <= year <= last
    }


def _end_of_bucket(sessions: pl.DataFrame, query: BarsQuery) -> dt.date | None:
    """Return the last session of the last bucket that starts by the query's end."""
    if query.end is None:
        return None
    n = query.interval.sessions
    owner = sessions.filter(pl.col("session") <= query.end)["ordinal"].max()
    beyond = (int(owner) // n + 1) * n if isinstance(owner, int) else 0
    last = sessions.filter(pl.col("ordinal") < beyond)["session"].max()
    return last if isinstance(last, dt.date) else query.end
