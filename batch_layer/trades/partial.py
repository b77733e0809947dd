"""Sessions that were recorded only in part: of whom no daily bar is made, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch_layer.trades.recorded import coverage_in
from lake import keys
from lake.coverage import gaps, price_hours, unseen
from lake.documents import read_documents
from lake.instant import microseconds

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import polars as pl

    from lake.event import Kind
    from lake.hours import SessionHours
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Partial:
    """What is missing of a session's recording.

    Attributes:
        session: Which session.
        withheld: Of how many symbols no daily bar is made, as some of the hours that make its
            prices is missing.
        gaps: As JSON has them: since, until, why, symbols (none: all), told. In extended hours a
            gap costs volume alone. Of symbols that were never seen (`unseen`) it withholds nothing:
            there is nothing of them.
    """

    session: dt.date
    withheld: int
    gaps: tuple[dict[str, Any], ...]


def held_to_coverage(
    store: ObjectStore,
    objects: Mapping[str, str],
    hours: SessionHours,
    kind: Kind,
    days: pl.DataFrame,
) -> tuple[pl.DataFrame, Partial]:
    """Return the daily bars of those whose events are all recorded, and what of others is missing.

    Args:
        store: The lake.
        objects: What landed of the session, by key.
        hours: Of the session.
        kind: Of the events that the bars are made of.
        days: The bars, by symbol.

    Raises:
        DamagedObjectError: If a note of what is recorded cannot be read.
    """
    told = coverage_in(store, objects, kind)
    symbols = {symbol for each in told for symbol in each.symbols}.union(days["symbol"])
    crucial = gaps(told, price_hours(hours), symbols)
    named = {symbol for gap in crucial for symbol in gap.symbols}
    whole = days.filter(~days["symbol"].is_in(list(named)))
    if any(not gap.symbols for gap in crucial):
        whole = days.clear()
    day = microseconds(hours.dawn), microseconds(hours.dusk)
    found = tuple(gap.document() for gap in (*gaps(told, day, symbols), *unseen(told, day)))
    return whole, Partial(hours.session, days.height - whole.height, found)


def partial_sessions(store: ObjectStore) -> tuple[Partial, ...]:
    """Return the sessions that were made of recordings with gaps, in order.

    Raises:
        StoreError: If the lake cannot be read.
    """
    filed = read_documents(store, keys.TRADES_CHECKPOINTS, keys.TRADES_CHECKPOINTS_INDEX)
    told = {key: each.document for key, each in filed.items() if each.document}
    return tuple(
        Partial(keys.checkpointed_session(key), document["withheld"], tuple(document["gaps"]))
        for key, document in sorted(told.items())
        if document.get("gaps")
    )
