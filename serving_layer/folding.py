"""The road through daily bars: answers that silver does not hold, made when they are asked for.

Silver knows neither dividends nor what was known before. Here the daily bars of a few listings are
adjusted first and folded then, by the law of `lake.bar`: inside a bucket to the basis of its
`through`, and from there to that of `as_of`.

Source of the dividend factor, 1 - amount / close before the ex-date: the CRSP standard, as told by
https://help.yahoo.com/kb/finance-for-desktop/adjusted-close-sln28256.html
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import structlog

from lake import keys
from lake.interval import DAILY
from lake.parquet import read_frame
from lake.scan import sql
from lake.schemas import BARS, SESSIONS
from serving_layer.direction import directed
from serving_layer.known import Known

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lake.store import ObjectStore
    from serving_layer.asked import Market
    from serving_layer.query import BarsQuery

_log = structlog.get_logger(__name__)
_PACKAGE: Final = "serving_layer"


def folded_bars(  # noqa: PLR0913, PLR0917 - where, what, and with what more
    store: ObjectStore,
    cursor: duckdb.DuckDBPyConnection,
    query: BarsQuery,
    market: Market,
    as_of: dt.date | None,
    live: pl.DataFrame | None = None,
) -> pa.Table:
    """Return the bars asked for, schema `BARS`, in order of name and start.

    Args:
        store: The lake.
        cursor: On which it is read; none but this query's.
        query: Which bars.
        market: What its names mean: listings that are known to the lake, or were.
        as_of: The date whose basis is wanted; None: each bar's own.
        live: Daily bars of sessions after the boundary, of which those count that the lake has none
            of yet: listing, symbol, session, open, high, low, close, volume, vwap, trades,
            revision, and whether it is forming: `is_forming`.

    Raises:
        EmptyLakeError: If no bar at all was known at the query's instant.
        ForgottenError: If what was known then is no longer kept.
        StoreError: If the lake cannot be read.
    """
    known = Known(store, cursor, query.known_at)
    known.check_kept()
    covered = min(known.last_session(), query.until or dt.date.max)
    sessions = _sessions(store, covered, live)
    # What the lake learnt since it was looked at is left out: live bars may stand for it.
    first, last = _span(query, sessions)
    daily = known.daily(market.asked or (), first, min(covered, last or covered))
    splits = market.listings.of_actions(known.splits(), "effective")
    dividends = None
    if query.adjustment == "all":
        dividends = market.listings.of_actions(known.dividends(), "ex_date")
    # A compaction may have begun after the first look.
    known.check_kept()

    cursor.register("sessions", sessions.to_arrow())
    cursor.register("daily", _with(daily, live).to_arrow())
    cursor.register("actions", actions_of(cursor, splits, dividends).to_arrow())
    if query.interval == DAILY:
        bars = _run(cursor, "known_bars")
    else:
        bars = _run(cursor, "fold", n=query.interval.sessions, covered=covered)
    cursor.register("bars", bars)
    return _on_basis(cursor, query, market, as_of)


def _span(query: BarsQuery, sessions: pl.DataFrame) -> tuple[dt.date | None, dt.date | None]:
    """Return the first and the last session whose daily bars are needed; None: any."""
    # A dividend is weighed by the close before it, wherever that lies.
    return (None, None) if query.adjustment == "all" else (query.start, _reach(query, sessions))


def _sessions(store: ObjectStore, covered: dt.date, live: pl.DataFrame | None) -> pl.DataFrame:
    """Return ordinal and session of those up to the last that is considered."""
    sessions = read_frame(store, keys.SESSIONS, SESSIONS)[0].select("ordinal", "session")
    told = None if live is None else live["session"].max()
    last = max(covered, told) if isinstance(told, dt.date) else covered
    return sessions.filter(pl.col("session") <= last)


def _with(daily: pa.Table, live: pl.DataFrame | None) -> pl.DataFrame:
    """Return the lake's daily bars, and live ones of a listing's sessions that it lacks."""
    stored = pl.DataFrame(daily).with_columns(is_forming=pl.lit(value=False))
    if live is None:
        return stored
    # The lake may have a session of some listings, and not yet of others.
    later = live.join(stored, on=["listing", "session"], how="anti")
    return pl.concat([stored, later.select(pl.col(n).cast(k) for n, k in stored.schema.items())])


def _reach(query: BarsQuery, sessions: pl.DataFrame) -> dt.date | None:
    """Return the last session of the last bucket that starts by the query's end."""
    if query.end is None:
        return None
    n = query.interval.sessions
    # Ordinals count from 0: as many sessions as there are by then.
    started = sessions.filter(pl.col("session") <= query.end).height
    reached = sessions.head(-(-started // n) * n)["session"].max()
    return reached if isinstance(reached, dt.date) else query.end


def actions_of(
    cursor: duckdb.DuckDBPyConnection, splits: pl.DataFrame, dividends: pl.DataFrame | None
) -> pl.DataFrame:
    """Return what moves the basis, one row an action: listing, effective, shares and kept.

    Args:
        cursor: On which `daily` is registered where there are dividends.
        splits: By listing.
        dividends: By listing; None: they do not count.
    """
    shares = pl.col("split_to") / pl.col("split_from")
    actions = splits.select("listing", "effective", shares=shares, kept=pl.lit(1.0))
    if dividends is None:
        return actions
    cursor.register("splits", actions.to_arrow())
    cursor.register("dividends", dividends.to_arrow())
    paid = pl.DataFrame(_run(cursor, "kept"))
    for listing, ex_date, _ in paid.filter(pl.col("kept") <= 0).iter_rows():
        _log.warning("dividend not below the price, ignored", listing=listing, ex_date=ex_date)
    paid = paid.filter(pl.col("kept") > 0).with_columns(shares=pl.lit(1.0))
    return pl.concat([actions, paid.select(actions.columns)])


def _on_basis(
    cursor: duckdb.DuckDBPyConnection, query: BarsQuery, market: Market, as_of: dt.date | None
) -> pa.Table:
    after_place, after_start = market.behind(query.after) if query.after else (None, None)
    binds = {
        "first": query.start,
        "last": query.end,
        "after_place": after_place,
        "after_start": after_start,
        "as_of": as_of,
        "limit": query.limit,
    }
    statement = directed(sql(_PACKAGE, "basis"), descending=query.descending)
    return cursor.execute(statement, binds).to_arrow_table().cast(BARS)


def _run(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    **binds: Any,  # noqa: ANN401 - whatever DuckDB binds
) -> pa.Table:
    return cursor.execute(sql(_PACKAGE, name), binds).to_arrow_table()
