"""Bars that end otherwise than the lake has them: tails of some listings, put in their place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serving_layer.direction import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving_layer.asked import Market
    from serving_layer.query import BarsQuery

Start: TypeAlias = dt.date


@dataclass(frozen=True, slots=True)
class Tail:
    """How the bars of a listing end.

    Attributes:
        first: The start from which on they may be others than the stored ones.
        made: Makes the tail of the stored bars that start there or later, in order of start.
    """

    first: Start
    made: Callable[[pa.Table], pa.Table]


def spliced(
    stored: pa.Table, tails: Mapping[str, Tail], query: BarsQuery, market: Market
) -> pa.Table:
    """Return bars with their tails, in the order of the query.

    Args:
        stored: What the lake answers to the query; where that is as much as its limit, the answer
            ends with the last of these.
        tails: By listing.
        query: Which bars: what a tail has beside them is dropped.
        market: What its names mean; all listings that have bars or a tail are among those asked.
    """
    asked = [each.listing for each in market.asked or ()]
    is_cut = query.limit is not None and stored.num_rows == query.limit
    last = (stored["listing"][-1].as_py(), stored["start"][-1].as_py()) if is_cut else None
    behind = market.behind(query.after) if query.after else None
    runs = runs_of(stored)
    pieces: list[pa.Table] = []
    for place, listing in enumerate(asked):
        begin, end = runs.get(listing, (0, 0))
        run = stored.slice(begin, end - begin)
        bounds = _Bounds(
            after=behind[1] if behind and behind[0] == place else None,
            until=last[1] if last and last[0] == listing else None,
        )
        is_before = behind is not None and place < behind[0]
        tail = None if is_before else tails.get(listing)
        pieces += [run] if tail is None else _with_tail(run, tail, query, bounds)
        if last and last[0] == listing:
            break
    return pa.concat_tables(pieces) if pieces else stored


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Of a listing's bars those behind `after`, and up to `until`; None: whichever there are."""

    after: Start | None
    until: Start | None

    def within(self, bars: pa.Table, query: BarsQuery) -> pa.Table:
        """Return the bars within, that the query asks for."""
        behind, up_to = (
            (pc.less, pc.greater_equal) if query.descending else (pc.greater, pc.less_equal)
        )
        day = bars["through" if query.interval.is_intraday else "start"]
        mask: pa.ChunkedArray | None = None
        conditions = (
            (pc.greater_equal, day, query.start),
            (pc.less_equal, day, query.end),
            (behind, bars["start"], self.after),
            (up_to, bars["start"], self.until),
        )
        for is_, column, value in conditions:
            if value is not None:
                kept = is_(column, value)
                mask = kept if mask is None else pc.and_(mask, kept)
        return bars if mask is None else bars.filter(mask)


def _with_tail(run: pa.Table, tail: Tail, query: BarsQuery, bounds: _Bounds) -> list[pa.Table]:
    in_order = _reversed(run) if query.descending else run
    cut = int(np.searchsorted(in_order["start"].to_numpy(), np.datetime64(_naive(tail.first))))
    made = bounds.within(tail.made(in_order.slice(cut)), query)
    parts = [in_order.slice(0, cut), made]
    return [_reversed(part) for part in reversed(parts)] if query.descending else parts


def _reversed(bars: pa.Table) -> pa.Table:
    return bars.take(np.arange(bars.num_rows - 1, -1, -1))


def _naive(start: Start) -> Start:
    # NumPy knows no zones: its instants are UTC, as ours.
    return start.replace(tzinfo=None) if isinstance(start, dt.datetime) else start
