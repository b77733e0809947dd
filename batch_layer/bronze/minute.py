"""The minute bars of the lake: one object a session, of the bars in force.

A minute whose trades make no prices, as odd lots alone, has volume: its prices are null.

A vendor sends a minute again when late trades change it: the same (symbol, start) replaces, it
never adds. Each session is replaced whole by one conditional put, then noted in the manifest, which
is derived: killed in between, the next look makes it anew.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.bronze import minute_manifest
from batch_layer.bronze.daily import Changes
from lake import keys
from lake.attempts import attempts
from lake.errors import ConflictError, UnknownSessionError
from lake.exchange import load_sessions
from lake.hours import timetable
from lake.parquet import encode_frame, read_frame
from lake.schemas import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lake.session import SessionTable
    from lake.store import ObjectStore

    Revised = Callable[[pl.DataFrame], tuple[pl.DataFrame, Changes]]

KEY: Final = ("symbol", "start")
_PRICES: Final = ("open", "high", "low", "close", "volume")
_OPTIONAL: Final = ("vwap", "trades")
_INSTANT: Final = pl.Datetime("us", "UTC")
_KINDS: Final = pl.Schema(
    {"symbol": pl.String(), "start": _INSTANT}
    | dict.fromkeys((*_PRICES, "vwap"), pl.Float64())
    | {"trades": pl.Int64(), "known_from": _INSTANT}
)
_ATTEMPTS: Final = 10
_STARTS: Final = 1 << 40
"""More than there are minutes in a symbol's span, which is at most some sessions."""
_MINUTE_US: Final = 60_000_000


def commit(
    store: ObjectStore,
    bars: pl.DataFrame,
    *,
    on_session: Callable[[dt.date], None] = lambda _: None,
) -> Changes:
    """Bring minute bars into bronze: new ones are added, those that differ replace.

    Args:
        store: The lake; it has its session table.
        bars: The columns of `MINUTE` but `revision`, one row a (symbol, start), each inside the
            hours of a session; `known_from` is when the vendor said so.
        on_session: Called with each session once it is committed.

    Raises:
        UnknownSessionError: If a bar starts outside the hours of every session; none was written.
        ConflictError: If others kept writing the same session all the while.
    """
    total = Changes()
    for session, part in _by_session(
        bars.select(_KINDS.names()).cast(_KINDS), load_sessions(store)
    ):
        total += revise(store, session, partial(merged, part))
        on_session(session)
    return total


def withdraw(store: ObjectStore, session: dt.date, gone: pl.DataFrame) -> Changes:
    """Take the bars of these (symbol, start) out of a session.

    No history keeps them: the digest of what is left tells silver. One that comes back is new.

    Raises:
        ConflictError: If others kept writing the session all the while.
    """
    return revise(store, session, partial(without, gone))


def read(store: ObjectStore, session: dt.date) -> tuple[pl.DataFrame, str | None]:
    """Return a session's minute bars, schema `MINUTE`, and its object's fingerprint.

    There are no rows, and None, where bronze holds nothing of it.
    """
    return read_frame(store, keys.minute(session), MINUTE)


def _by_session(bars: pl.DataFrame, table: SessionTable) -> Iterator[tuple[dt.date, pl.DataFrame]]:
    """Yield the bars of each session, in order of time."""
    if bars.is_empty():
        return
    starts = bars["start"].to_physical().to_numpy()
    first, last = (dt.datetime.fromtimestamp(at / 1e6, dt.UTC).date() for at in _ends(starts))
    # At the exchange it is the day before for some hours, or the day after for none.
    days = timetable(table, first - dt.timedelta(days=1), last)
    day = days.of(starts)
    if (day < 0).any():
        stray = bars.row(int(np.argmin(day)), named=True)
        fact = f"{stray['symbol']} at {stray['start']} is outside the hours of every session."
        raise UnknownSessionError(fact, hint="validate minute bars before they are committed.")
    for number in np.unique(day):
        yield days.days[number].session, bars.filter(pl.Series(day == number))


def _ends(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def revise(store: ObjectStore, session: dt.date, revised: Revised) -> Changes:
    """Revise what bronze holds of a session; what changes nothing is not written.

    Args:
        store: The lake.
        session: Which session.
        revised: Returns its bars anew, in any order, and how many changed.

    Raises:
        ConflictError: If others kept writing the session all the while.
    """
    for _ in attempts(_ATTEMPTS):
        old, fingerprint = read(store, session)
        new, changes = revised(old)
        if not (changes.added or changes.corrected or changes.withdrawn):
            return changes
        new = _in_order(new)
        try:
            placed = store.put_if(keys.minute(session), encode_frame(new, MINUTE), fingerprint)
        except ConflictError:
            continue
        minute_manifest.note(store, session, minute_manifest.told_of(new, placed))
        return changes
    fact = f"The minute bars of {session} kept changing under {_ATTEMPTS} attempts to write them."
    raise ConflictError(fact, hint="run the command again when others are done.")


def merged(incoming: pl.DataFrame, old: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
    """Return the session's bars with what came in, and what that changes."""
    if old.is_empty():
        fresh = incoming.with_columns(revision=pl.lit(0, pl.Int32())).select(MINUTE.names)
        return fresh, Changes(added=incoming.height)
    rows = incoming.join(old, on=KEY, how="left", suffix="_now")
    known = pl.col("revision").is_not_null()
    same_prices = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in _PRICES
    )
    # A source without vwap or trades says nothing of them: it does not erase what is known.
    rows = rows.with_columns(
        pl.when(same_prices).then(pl.coalesce(name, f"{name}_now")).otherwise(name).alias(name)
        for name in _OPTIONAL
    )
    is_same = same_prices & pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in _OPTIONAL
    )
    changed = rows.filter(~(known & is_same))
    # Clocks differ: what replaces a bar is never known before it.
    just_after = pl.col("known_from_now") + pl.duration(microseconds=1)
    fresh = changed.with_columns(
        revision=(pl.coalesce("revision", pl.lit(-1)) + 1).cast(pl.Int32),
        known_from=pl.max_horizontal("known_from", just_after),
    ).select(MINUTE.names)
    corrected = changed.filter(known).height
    changes = Changes(
        added=changed.height - corrected,
        corrected=corrected,
        unchanged=rows.height - changed.height,
    )
    return pl.concat([old.join(fresh, on=KEY, how="anti"), fresh]), changes


def without(gone: pl.DataFrame, old: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
    """Return the session's bars less those that are gone, and how many that are."""
    left = old.join(gone, on=KEY, how="anti")
    return left, Changes(withdrawn=old.height - left.height)


def _in_order(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars in order of symbol and start: by numbers, at a fraction of the time."""
    symbols = bars["symbol"].unique().sort()
    rank = bars["symbol"].cast(pl.Enum(symbols)).to_physical().cast(pl.Int64)
    place = rank * _STARTS + bars["start"].to_physical() // _MINUTE_US
    return bars if place.is_sorted() else bars[place.arg_sort()]
