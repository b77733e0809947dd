"""Live bars made anew of what was recorded, at once and by batch's own law, for tests."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_layer.trades.recorded import read_events, recorded_of
from batch_layer.trades.statements import statements_of
from lake.conditions import load_conditions
from lake.exchange import load_sessions
from lake.hours import hours_of
from lake.live_bars import LATENESS, bars_of, minutes_of, prices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from lake.event import Kind
    from lake.store import ObjectStore

_MICROSECOND: Final = dt.timedelta(microseconds=1)


class Recomputed(NamedTuple):
    """Bars and prices, to be put into the view: `LIVE_BARS` and `PRICES`."""

    bars: pl.DataFrame
    prices: pl.DataFrame


def recompute(
    store: ObjectStore,
    session: dt.date,
    symbols: Sequence[str] | None = None,
    *,
    kind: Kind | None = "trade",
    clock: int | None = None,
    lateness: dt.timedelta = LATENESS,
) -> Recomputed:
    """Return bars of all intervals and the prices of some symbols, of all that was recorded.

    Each has the version of its statements by the law: what a view has of fewer is superseded.

    Args:
        store: The lake.
        session: Which session.
        symbols: Which symbols; None: all.
        kind: Of which kind of events; None: the finest there is.
        clock: Event time, in microseconds: what ended `lateness` before is final. None: the
            latest time that was recorded.
        lateness: How long after its end a bar can change.

    Raises:
        UnknownSessionError: If the exchange did not trade then.
        StoreError: If the lake cannot be read.
    """
    hours = hours_of(session, load_sessions(store))
    events, _ = read_events(store, recorded_of(store, session), symbols)
    told = statements_of(events, hours, load_conditions(store), kind).rows
    latest = max(events["time"].to_list(), default=0) if clock is None else clock
    over = latest - lateness // _MICROSECOND
    bars = bars_of(minutes_of(told), hours, over=over)
    return Recomputed(bars, prices_of(told, session))
