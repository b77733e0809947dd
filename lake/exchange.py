"""The session table: what the calendar library says, kept as an object of the lake.

Jobs and readers in any language agree because they read that object. The library is asked only when
the table must be made, reaches too short, or comes from another version of the library.

Source: NYSE as pandas_market_calendars has it (regular hours, early closes, unscheduled closures).
"""

from __future__ import annotations

import datetime as dt
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from lake import keys
from lake.errors import (
    IMPORT_HINT,
    CalendarError,
    ConflictError,
    DamagedObjectError,
    EmptyLakeError,
    ObjectNotFoundError,
    SessionsChangedError,
    UnknownSessionError,
)
from lake.parquet import decode, encode
from lake.schemas import SESSIONS
from lake.session import EPOCH, SessionTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.store import ObjectStore

EXCHANGE: Final = "NYSE"
LIBRARY: Final = "pandas_market_calendars"
_YEARS_AHEAD: Final = 1
ZONE: Final = ZoneInfo("America/New_York")
_UNIX_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def load_sessions(store: ObjectStore) -> SessionTable:
    """Return the lake's session table.

    Raises:
        EmptyLakeError: If the lake has none yet.
        DamagedObjectError: If it cannot be read.
    """
    return _read(store)[0]


def ensure_sessions(
    store: ObjectStore, *, today: dt.date, committed: Callable[[], dt.date | None]
) -> SessionTable:
    """Return the lake's session table, made or extended first where it must be.

    Args:
        store: The lake.
        today: The present date; the table reaches at least 34 sessions beyond it.
        committed: Tells the last session whose bars the lake holds; up to it none may change.

    Raises:
        SessionsChangedError: If the library disagrees with the table up to then.
    """
    table, fingerprint = _read_or_none(store)
    # Without the library a table that reaches far enough will do.
    if table and table.reaches_beyond(today) and _source() in {table.source, ""}:
        return table
    extended = compute_sessions(dt.date(today.year + _YEARS_AHEAD, 12, 31))
    last = committed()
    if table is not None and last is not None:
        _refuse_changes(table, extended, last)
    try:
        store.put_if(keys.SESSIONS, encode_sessions(extended), fingerprint)
    except ConflictError:
        return load_sessions(store)
    return extended


def compute_sessions(last: dt.date) -> SessionTable:
    """Return the sessions from EPOCH to `last`, both inclusive, as the library tells them.

    Raises:
        CalendarError: If the library is not installed.
    """
    # Imported here: it takes two seconds, and only a table that must be made needs it.
    try:
        import pandas_market_calendars  # noqa: PLC0415
    except ImportError:
        fact = f"The session table must be made, and {LIBRARY} is not installed."
        raise CalendarError(fact, hint="pip install 'fiblake[batch]'.") from None

    schedule = pandas_market_calendars.get_calendar(EXCHANGE).schedule(EPOCH, last)
    return SessionTable(
        exchange=EXCHANGE,
        dates=[day.date() for day in schedule.index],
        opens=[instant.to_pydatetime() for instant in schedule["market_open"]],
        closes=[instant.to_pydatetime() for instant in schedule["market_close"]],
        source=_source(),
    )


def last_settled(table: SessionTable, now: dt.datetime, settling: dt.timedelta) -> dt.date:
    """Return the last session whose bars may be taken.

    Args:
        table: The sessions of the exchange.
        now: The present instant.
        settling: How long after its close a session's bars are taken.

    Raises:
        UnknownSessionError: If no session is over yet.
    """
    last = table.last_closed(now - settling)
    if last is None:
        fact = f"No session of {table.exchange} is over at {now:%Y-%m-%d}."
        raise UnknownSessionError(fact, hint="set the machine's clock.")
    return last


def trading_day(instant: dt.datetime) -> dt.date:
    """Return the date at the exchange at an instant."""
    return instant.astimezone(ZONE).date()


def arrow_sessions(table: SessionTable) -> pa.Table:
    """Return the session table as Arrow, schema `SESSIONS`."""
    columns = [range(len(table)), table.dates, table.opens, table.closes]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SESSIONS.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SESSIONS)


def encode_sessions(table: SessionTable) -> bytes:
    """Return the session table as the bytes of its object."""
    metadata = {"exchange": table.exchange, "source": table.source}
    return encode(arrow_sessions(table).replace_schema_metadata(metadata))


def _source() -> str:
    try:
        return f"{LIBRARY} {version(LIBRARY)}"
    except PackageNotFoundError:
        return ""


def _refuse_changes(old: SessionTable, new: SessionTable, committed: dt.date) -> None:
    kept = [old.dates[i] for i in old.ordinals(EPOCH, committed)]
    told = [new.dates[i] for i in new.ordinals(EPOCH, committed)]
    if kept != told:
        changed = sorted(set(kept) ^ set(told))
        fact = (
            f"{new.source} changes {len(changed)} sessions that are already committed, "
            f"the first {changed[0]} (lake: {old.source})."
        )
        raise SessionsChangedError(fact, hint=f"install {old.source}, or start a new lake.")


def _read(store: ObjectStore) -> tuple[SessionTable, str]:
    try:
        stored = store.get(keys.SESSIONS)
    except ObjectNotFoundError:
        fact = f"The lake {store.location} is empty."
        raise EmptyLakeError(fact, hint=IMPORT_HINT) from None
    arrow = decode(stored.data, f"{keys.SESSIONS} in {store.location}")
    metadata = arrow.schema.metadata or {}
    is_whole = set(SESSIONS.names) <= set(arrow.schema.names)
    if not is_whole or not {b"exchange", b"source"} <= metadata.keys():
        fact = f"{keys.SESSIONS} in {store.location} is damaged: not a session table."
        raise DamagedObjectError(fact, hint="the next import makes it anew.")
    table = SessionTable(
        exchange=metadata[b"exchange"].decode(),
        dates=arrow["session"].to_pylist(),
        opens=_instants(arrow["open"]),
        closes=_instants(arrow["close"]),
        source=metadata[b"source"].decode(),
    )
    return table, stored.fingerprint


def _read_or_none(store: ObjectStore) -> tuple[SessionTable | None, str | None]:
    try:
        return _read(store)
    except EmptyLakeError:
        return None, None
    except DamagedObjectError:
        return None, store.fingerprint(keys.SESSIONS)


def _instants(column: pa.ChunkedArray) -> list[dt.datetime]:
    # Ten times as fast as Arrow's own conversion, which looks up the time zone for each.
    microseconds = column.cast(pa.int64()).to_pylist()
    return [_UNIX_EPOCH + dt.timedelta(microseconds=value) for value in microseconds]
