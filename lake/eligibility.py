"""To which minute each trade of the flow counts, and what it may move there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.conditions import CLOSING_PRINT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lake.conditions import Conditions
    from lake.hours import Timetable

_MINUTE_US: Final = 60_000_000
_FEW: Final = 1_024
OUTSIDE: Final = -1
"""`minute` of what no session's hours have."""


def judged(events: pl.DataFrame, conditions: Conditions, days: Timetable) -> pl.DataFrame:
    """Return events with `minute` and `moves` told anew from `time` and `conditions`.

    Args:
        events: Schema `EVENTS`.
        conditions: The table of conditions.
        days: The hours of all sessions that they may be of.

    Returns:
        The same rows in the same order; `minute` is `OUTSIDE` where no hours have the `time`.
    """
    if events.is_empty():
        return events
    time = events["time"].to_numpy()
    day = days.of(time)
    codes, code = _distinct(events["conditions"])
    opens, closes = days.regular(day)
    is_closing = np.array([CLOSING_PRINT in each for each in codes], dtype=bool)[code]
    minute = time - time % _MINUTE_US
    minute = np.where(is_closing & (time >= closes), closes - _MINUTE_US, minute)
    is_regular = (minute >= opens) & (minute < closes)
    allowed = np.array(
        [[conditions.allowed(each, regular=regular) for each in codes] for regular in (False, True)]
    )
    columns = {column.name: column for column in events.get_columns()}
    columns["minute"] = pl.Series("minute", np.where(day < 0, OUTSIDE, minute))
    moves = allowed[is_regular.astype(int), code].astype(np.int32)
    columns["moves"] = pl.Series("moves", moves)
    # Made of its columns: no other thread has a part in that, as it has in an expression.
    return pl.DataFrame(list(columns.values()))


def _distinct(conditions: pl.Series) -> tuple[list[list[int]], NDArray[np.int64]]:
    """Return the distinct lists of codes, and which of them each row has."""
    if len(conditions) <= _FEW:
        # Events come by the dozen: what is planned by Polars takes a hundred times as long.
        place: dict[tuple[int, ...], int] = {}
        told = (tuple(codes or ()) for codes in conditions.to_list())
        places = [place.setdefault(codes, len(place)) for codes in told]
        return [list(codes) for codes in place], np.array(places, dtype=np.int64)
    # As texts: lists are no keys.
    texts = conditions.cast(pl.List(pl.String)).list.join(",").fill_null("")
    distinct = texts.unique(maintain_order=True)
    index = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).to_numpy()
    return [[int(code) for code in text.split(",") if code] for text in distinct], index
