"""What is odd in daily bars: gathered from bronze year by year, so that memory stays bounded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa

from batch_layer.bronze import imports, listings, manifest, splits
from batch_layer.quality.likely_split import likely_split
from batch_layer.quality.report import (
    Findings,
    Found,
    Gaps,
    IdleRun,
    Jump,
    Twins,
    UnseenSplit,
    Vanished,
)
from lake import keys
from lake.errors import DamagedObjectError
from lake.scan import connect, keep, scan, sql

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from lake.store import ObjectStore

MOST: Final = 10_000
"""Findings of one kind that are told; all are counted."""
JUMP: Final = 1.5
"""A close that is more than so many times the one before it, or the one before it that of it."""
_NEIGHBOURS: Final = 5
_IDLE_RUN: Final = 5
_TWIN_SESSIONS: Final = 20
_WINDOW: Final = 21
_ACTIVE: Final = 20
_ABSENT: Final = 3
_FEW: Final = 20
# Before the first session asked for: what came before it must be known to tell what is odd in it.
_SESSIONS_BACK: Final = 34
_PACKAGE: Final = "batch_layer.quality"
_GATHERED: Final = ("idle", "twins", "lives", "market")
_HELD: Final = pa.schema({"number": pa.int32(), "session": pa.date32(), "before": pa.date32()})
_LAST_DAYS: Final = pa.schema({"symbol": pa.string(), "last": pa.date32()})

Finding = TypeVar("Finding")
Row = dict[str, Any]


def findings_of(store: ObjectStore, start: dt.date, end: dt.date) -> Findings | None:
    """Return what is odd in the sessions from `start` to `end`, both inclusive.

    Returns:
        None where the lake holds no bar of them.

    Raises:
        StoreError: If bronze cannot be read.
    """
    held = list(manifest.read(store))
    first, last = bisect_left(held, start), bisect_right(held, end)
    if first >= last:
        return None
    known = held[max(0, first - _SESSIONS_BACK) : last]
    with connect(store) as connection:
        _prepare(connection, store, known)
        _gather(connection, store, known[0], known[-1])
        return _found(connection, held[first:last], {"start": start, "end": end})


def _known_ends(store: ObjectStore) -> pa.Table:
    """Return the last days of symbols whose end is known (delisted, renamed)."""
    ends = listings.read(store).select("symbol", "last").drop_nulls()
    return ends.to_arrow().cast(_LAST_DAYS)


def _prepare(
    connection: duckdb.DuckDBPyConnection, store: ObjectStore, held: Sequence[dt.date]
) -> None:
    numbered = [range(len(held)), held, [None, *held[:-1]]]
    keep(connection, "held", pa.table(numbered, schema=_HELD))
    keep(connection, "splits", splits.read(store).to_arrow())
    keep(connection, "covered", _covered(store, held[-1]))
    keep(connection, "known_ends", _known_ends(store))
    connection.execute(sql(_PACKAGE, "tables"))
    connection.execute(sql(_PACKAGE, "split_days"))


def _covered(store: ObjectStore, end: dt.date) -> pa.Table:
    """Return up to which session files of few symbols tell of them."""
    last: dict[str, dt.date] = {}
    for file in imports.read(store):
        for name in file.names:
            reached = min(end, file.last or end)
            last[name] = max(last.get(name, reached), reached)
    return pa.table([list(last), list(last.values())], schema=_LAST_DAYS)


def _gather(
    connection: duckdb.DuckDBPyConnection, store: ObjectStore, start: dt.date, end: dt.date
) -> None:
    found = store.fingerprints(keys.DAILY)
    for year, key in keys.by_year(found).items():
        if not start.year <= year <= end.year:
            continue
        range_ = {"start": start, "end": end}
        scan(connection, store, {key: found[key]}, sql(_PACKAGE, "bars"), range_)
        if connection.execute(sql(_PACKAGE, "disorder")).fetchone():
            fact = f"{key} in {store.location} is damaged: bars are not in order."
            raise DamagedObjectError(fact, hint="import them anew, or restore it from a copy.")
        connection.execute(sql(_PACKAGE, "steps"), {"jump": JUMP})
        for name in _GATHERED:
            connection.execute(sql(_PACKAGE, name))


def _found(
    connection: duckdb.DuckDBPyConnection, held: Sequence[dt.date], range_: Mapping[str, dt.date]
) -> Findings:
    def ask(name: str, make: Callable[[Row], Finding], **binds: float) -> Found[Finding]:
        statement = sql(_PACKAGE, name)
        bound = {key: value for key, value in {**range_, **binds}.items() if f"${key}" in statement}
        rows = connection.execute(statement, bound).to_arrow_table()
        return Found(rows.num_rows, [make(row) for row in rows.slice(0, MOST).to_pylist()])

    connection.execute(sql(_PACKAGE, "numbered_steps"))
    connection.execute(sql(_PACKAGE, "divided"), {"near": _NEIGHBOURS, "jump": JUMP})
    absence = {"window": _WINDOW, "active": _ACTIVE, "absent": _ABSENT, "few": _FEW}
    return Findings(
        first=held[0],
        last=held[-1],
        sessions=len(held),
        vanished=ask("vanished", lambda row: Vanished(**row), **absence),
        jumps=ask("jumps", _jump, jump=JUMP),
        unseen_splits=ask("unseen_splits", lambda row: UnseenSplit(**row)),
        idle_runs=ask("idle_runs", lambda row: IdleRun(**row), run=_IDLE_RUN),
        gaps=ask("gaps", lambda row: Gaps(**row)),
        twins=ask("twin_pairs", lambda row: Twins(**row), common=_TWIN_SESSIONS),
    )


def _jump(row: Row) -> Jump:
    return Jump(**row, likely_split=likely_split(row["ratio"]))
